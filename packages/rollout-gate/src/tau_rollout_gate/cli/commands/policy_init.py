"""`policy init`: a copy of the built-in policy to edit."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.files.policy import create_policy_file, load_policy
from tau_rollout_gate.policy.variants import ignore_expected_malformed
from tau_rollout_gate.printable import printable


class ExpectedMalformed(StrEnum):
    """What becomes of malformed input that a fixture expects."""

    ROLLBACK = "rollback"
    IGNORE = "ignore"


def command(
    file: Annotated[Path, typer.Argument(show_default=False, help="The policy to write.")],
    *,
    expected_malformed: Annotated[
        ExpectedMalformed,
        typer.Option(help="Whether malformed input counts where the fixture expects it."),
    ] = ExpectedMalformed.ROLLBACK,
) -> None:
    """Write a copy of the built-in policy to edit; a file that is there is left alone."""
    policy = load_policy(None)
    if expected_malformed is ExpectedMalformed.IGNORE:
        policy = ignore_expected_malformed(policy)
    create_policy_file(file, policy)
    next_step = f"tau-rollout-gate policy lint {shlex.quote(str(file))}"
    typer.echo(printable(f"wrote {file}; after editing: {next_step}"), err=True)
