"""Makes one value of the options that commands share: a question, or a format.

Each group of options is declared once, as the parameters of the function that makes the value.
A command takes the value.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.progress import progress_bar
from tau_rollout_gate.contract.rollout import DecisionCount
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.services.evaluate import Question
from tau_rollout_gate.services.recorded import as_text, surfaces_in

Made = TypeVar("Made")
Kind = TypeVar("Kind", bound=StrEnum)


class From(NamedTuple):
    """Says of a parameter that a function makes it, whose own parameters are options."""

    make: Callable[..., object]


def asks(function: Callable[..., Made]) -> Callable[..., Made]:
    """Give a function, in the place of each parameter made `From` options, these options."""
    parts = [(each, _maker(each)) for each in _parameters(function)]
    parameters = [
        one.replace(kind=Parameter.KEYWORD_ONLY)
        for each, make in parts
        for one in (_parameters(make) if make else [each])
    ]

    def ask(**given: Any) -> Made:  # noqa: ANN401 - the parser checked them
        for each, make in parts:
            if make is not None:
                given[each.name] = make(
                    **{one.name: given.pop(one.name) for one in _parameters(make)}
                )
        return function(**given)

    ask.__doc__ = function.__doc__
    ask.__annotations__ = {each.name: each.annotation for each in parameters}
    ask.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # where typer looks for it
    return ask


def _parameters(function: Callable[..., object]) -> list[Parameter]:
    return list(signature(function, eval_str=True).parameters.values())


def _maker(parameter: Parameter) -> Callable[..., object] | None:
    return next((one.make for one in get_args(parameter.annotation) if isinstance(one, From)), None)


def _pinned(
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    expect_decision: options.ExpectDecision = None,
) -> Question:
    as_text("--rollout-dir", str(rollout_dir))
    for each in surface or ():
        as_text("--surface", each)
    if policy is not None:
        as_text("--policy", str(policy))
    return Question(
        rollout_dir=rollout_dir,
        surfaces=surfaces_in(surface or ()),
        policy=policy,
        expected=None if expect_decision is None else _decision(expect_decision),
    )


def _decision(text: str) -> DecisionCount:
    found = re.fullmatch(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", text)
    if found is None:
        raise RefusedError("--expect-decision: write N:DIGEST, as a command printed it: 7:0a1b...")
    return DecisionCount(count=int(found[1]), sha256=found[2])


Pinned = Annotated[Question, From(_pinned)]
"""Which rollout: names and a policy that are given must be its own."""


@asks
def _dated(question: Pinned, *, now_unix_ms: options.NowUnixMs = None) -> Question:
    return question._replace(now_unix_ms=now_unix_ms)


Dated = Annotated[Question, From(_dated)]
"""Which rollout, and as of when."""


@asks
def _engined(
    question: Dated, *, engine: options.Engine = "pool", insecure: options.Insecure = False
) -> Question:
    # Who asks of one host does not import what a fleet needs, nor who asks for the usual engine.
    if engine != "pool":
        from tau_rollout_gate.services.fleet.engine import check_engine  # noqa: PLC0415 - as above

        check_engine(engine, is_insecure=insecure)
    return question._replace(engine=engine, is_insecure=insecure, progress=progress_bar())


Engined = Annotated[Question, From(_engined)]
"""Which rollout, as of when, and where the hosts of a fleet are judged."""


@asks
def _whole(
    *, validation: options.Validation = None, signoff: options.Signoff = None, question: Engined
) -> Question:
    for each in validation or ():
        as_text("--validation", each)
    if signoff is not None:
        as_text("--signoff", str(signoff))
    return question._replace(reports=validation or (), signoff=signoff)


Whole = Annotated[Question, From(_whole)]
"""All that a verdict is asked with."""


def _printed(kind: type[Kind]) -> From:
    """Take `--format`, one of a kind, and `--json`, which is short for `--format json`."""
    text, json, help_text = kind("text"), kind("json"), f"The form: {', '.join(kind)}."
    form = Annotated[kind, typer.Option("--format", metavar="FORMAT", help=help_text)]  # type: ignore[valid-type] # known only here

    def chosen(
        *,
        output_format: form = text,
        as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    ) -> Kind:
        if as_json and output_format not in {text, json}:
            raise typer.BadParameter(f"--json and --format {output_format} exclude each other")
        return json if as_json else output_format

    return From(chosen)


AnswerFormat = Annotated[options.Format, _printed(options.Format)]
PlainFormat = Annotated[options.PlainFormat, _printed(options.PlainFormat)]
TestFormat = Annotated[options.TestFormat, _printed(options.TestFormat)]
