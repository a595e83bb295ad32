"""`policy show`, `init`, `lint` and `test`: the policy as a file, before a rollout has it."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import PlainFormat, TestFormat, asks
from tau_rollout_gate.cli.terminal import terminal_look
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.files.policy import (
    built_in_policy_text,
    create_policy_file,
    load_policy,
    policy_text,
)
from tau_rollout_gate.formats.phrases import document
from tau_rollout_gate.policy.lint import lint as problems_in
from tau_rollout_gate.policy.policy import policy_digest
from tau_rollout_gate.policy.variants import ignore_expected_malformed
from tau_rollout_gate.printable import printable

if TYPE_CHECKING:
    from tau_rollout_gate.fleet.comparison import Reach

ExpectedMalformed = StrEnum("ExpectedMalformed", ["ROLLBACK", "IGNORE"])
"""What becomes of malformed input that a fixture expects."""


def show(
    *,
    policy: Annotated[
        Path | None,
        options.option(
            "--policy", metavar="FILE", help="A policy in TOML. [default: the built-in one]"
        ),
    ] = None,
) -> None:
    """Print a policy as TOML: the built-in one, or yours.

    Yours is printed without its comments. Its digest, by which a rollout pins it, goes to stderr.

    Example: tau-rollout-gate policy show
    """
    loaded = load_policy(policy)
    typer.echo(built_in_policy_text() if policy is None else policy_text(loaded), nl=False)
    typer.echo(f"digest {policy_digest(loaded)}", err=True)


def init(
    file: Annotated[Path, options.argument(metavar="FILE", help="The policy to write.")],
    *,
    expected_malformed: Annotated[
        ExpectedMalformed,
        typer.Option(
            metavar="EFFECT",
            help="What malformed input leads to where its fixture expects it: rollback or ignore.",
        ),
    ] = ExpectedMalformed.ROLLBACK,
) -> None:
    """Write a copy of the built-in policy to edit.

    A file that is there is left alone.

    Example: tau-rollout-gate policy init mine.toml
    """
    policy = load_policy(None)
    if expected_malformed is ExpectedMalformed.IGNORE:
        policy = ignore_expected_malformed(policy)
    create_policy_file(file, policy)
    next_step = f"tau-rollout-gate policy lint {shlex.quote(str(file))}"
    typer.echo(printable(f"wrote {file}; after editing: {next_step}"), err=True)


@asks
def lint(
    file: Annotated[Path, options.argument(metavar="FILE", help="The policy to look at.")],
    *,
    surface: Annotated[
        list[str] | None,
        options.option(
            metavar="NAME", help="A surface of yours that the policy may name; repeatable."
        ),
    ] = None,
    fleet: Annotated[
        Path | None,
        options.option(metavar="FILE", help="The fleet.toml of the hosts that it is for."),
    ] = None,
    output_format: PlainFormat,
) -> None:
    """Find what is valid in a policy but probably a mistake.

    With --fleet it says on stderr, too, from how many failed canaries on the comparison can fire
    in each phase. Exits 0 if nothing is found, 3 if something is.

    Example: tau-rollout-gate policy lint mine.toml
    """
    policy = load_policy(file)
    reaches: tuple[Reach, ...] = ()
    findings = problems_in(policy, surfaces=[name.partition("=")[0] for name in surface or ()])
    if fleet is not None:
        from tau_rollout_gate.services.fleet.foretell import foretold_of_file  # noqa: PLC0415 - few

        findings, reaches = foretold_of_file(policy, fleet).beside(findings)
    for reach in reaches:
        typer.echo(printable(f"note: {reach.words}"), err=True)
    if output_format == "json":
        found = [{"place": one.place, "problem": one.problem} for one in findings]
        print_text(document(findings=found, comparison=[one._asdict() for one in reaches]))
    else:
        for finding in findings:
            typer.echo(printable(f"{file}: {finding.place}: {finding.problem}"))
    if findings:
        raise typer.Exit(ExitCode.HOLD)
    typer.echo(f"{printable(str(file))}: nothing found", err=True)


@asks
def test(
    files: Annotated[
        list[Path], options.argument(metavar="FILE...", help="Files of cases, in TOML.")
    ],
    *,
    output_format: TestFormat,
) -> None:
    """Run the unit tests of policies.

    A case is a small history, and the answer that the policy must give to it. Exits 0 if every case
    passes, 3 if one fails, 5 if a file or its policy cannot be used.

    Example: tau-rollout-gate policy test cases.toml
    """
    from tau_rollout_gate.formats.simulation import cases  # noqa: PLC0415 - only tests simulate
    from tau_rollout_gate.services.test_policy import run_cases  # noqa: PLC0415 - the same

    tested = run_cases(files)
    if output_format == "text":
        print_text(cases.outcomes_text(tested, look=terminal_look()))
    elif output_format == "junit":
        print_text(cases.outcomes_junit(tested))
    else:
        print_text(cases.outcomes_json(tested))
    if not all(outcome.is_passed for file in tested for outcome in file.outcomes):
        raise typer.Exit(ExitCode.HOLD)
