"""`policy lint`: what is hardly meant in a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.files.policy import load_policy
from tau_rollout_gate.policy.lint import lint
from tau_rollout_gate.printable import printable


def command(
    file: Annotated[Path, typer.Argument(show_default=False, help="The policy to look at.")],
    *,
    surface: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="A surface of yours that the policy may name; repeatable.",
        ),
    ] = None,
) -> None:
    """Tell what is hardly meant in a policy: exit 0 if nothing, 3 if something is."""
    findings = lint(load_policy(file), surfaces=[name.partition("=")[0] for name in surface or ()])
    for finding in findings:
        typer.echo(printable(f"{file}: {finding.place}: {finding.problem}"))
    if findings:
        raise typer.Exit(ExitCode.HOLD)
    typer.echo(f"{printable(str(file))}: nothing found", err=True)
