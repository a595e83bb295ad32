"""What the commands have in common: the options that say what is asked about, and how to judge."""

from collections.abc import Callable, Collection, Iterable
from inspect import Parameter, Signature, signature

from tau_transport_health.cli.options import (
    DEFAULT_MAX_AGE,
    AllTargets,
    AsFormat,
    Format,
    MaxAge,
    MaybeTargetName,
    NowUnixMs,
    Root,
    StateDir,
    TargetName,
    TargetsFile,
    duration_ms,
)
from tau_transport_health.errors import TargetError
from tau_transport_health.services.inspect import DEFAULT_ROOT, Question, named_targets

Command = Callable[..., None]


def asks(*, about_all: bool = False, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """Give a command, which takes a question first, the parameters of `question` in its place.

    On the command line the target comes first, then the command's own, then the common options.

    Args:
        about_all: Whether it may ask about every target at once.
        without: Names of common options that would mean nothing to the command.
    """
    common = dict(signature(question, eval_str=True).parameters)
    first = [common.pop("target"), common.pop("all_targets")]
    if not about_all:
        first = [first[0].replace(default=Parameter.empty, annotation=TargetName)]
    last = [option for name, option in common.items() if name not in without]

    def given_to(command: Command) -> Command:
        _, *own = signature(command, eval_str=True).parameters.values()

        def ask(**given: object) -> None:
            mine = {each.name: given.pop(each.name) for each in own}
            command(question(**given), **mine)  # type: ignore[arg-type] # the parser checked them

        return either_format(_shaped(ask, command, [*first, *own, *last]))

    return given_to


def either_format(command: Command) -> Command:
    """Give a command that has `--json` also `--format`, which says the same."""
    parameters = dict(signature(command, eval_str=True).parameters)
    if "as_json" not in parameters:
        return command

    def ask(*, as_json: bool, form: Format, **given: object) -> None:
        command(as_json=as_json or form is Format.JSON, **given)

    form = Parameter("form", Parameter.KEYWORD_ONLY, default=Format.TEXT, annotation=AsFormat)
    as_json = parameters.pop("as_json")
    return _shaped(ask, command, [*parameters.values(), as_json, form])


def _shaped(function: Command, like: Command, parameters: Iterable[Parameter]) -> Command:
    """Give a function these parameters, so that the parser takes it for such a command."""
    named = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters]
    function.__doc__ = like.__doc__
    function.__annotations__ = {each.name: each.annotation for each in named}
    function.__signature__ = Signature(named)  # type: ignore[attr-defined] # where it belongs
    return function


def question(  # noqa: PLR0913 - as many as there are options
    target: MaybeTargetName = None,
    *,
    all_targets: AllTargets = False,
    state_dir: StateDir = None,
    root: Root = DEFAULT_ROOT,
    targets: TargetsFile = None,
    max_age: MaxAge = DEFAULT_MAX_AGE,
    now_unix_ms: NowUnixMs = None,
) -> Question:
    """The question that the common options ask.

    Raises:
        TargetError: if not just one of a target and all of them is asked about; the text lists
            those that there are.
        UnreadableError: if the targets file cannot be read then.
        typer.BadParameter: if the age is no duration.
    """
    asked = Question(
        name=target,
        root=root,
        state_dir=state_dir,
        targets_file=targets,
        max_age_ms=duration_ms(max_age, "--max-age"),
        now_unix_ms=now_unix_ms,
    )
    if (target is None) is not all_targets:
        known = ", ".join(named_targets(asked))
        raise TargetError(f"name one target, or say --all; known are {known}")
    return asked
