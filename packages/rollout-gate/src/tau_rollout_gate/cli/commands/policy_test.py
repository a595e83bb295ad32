"""`policy test`: the unit tests of a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli.output import print_text, terminal_look
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.formats.case_outcomes import (
    TestedFile,
    outcomes_json,
    outcomes_junit,
    outcomes_text,
)
from tau_rollout_gate.services.test_policy import run_cases


class TestFormat(StrEnum):
    """How the outcome of the cases is printed."""

    TEXT = "text"
    JUNIT = "junit"
    JSON = "json"


def command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", show_default=False, help="Cases in TOML."),
    ],
    *,
    output_format: Annotated[
        TestFormat, typer.Option("--format", help="How it is printed.")
    ] = TestFormat.TEXT,
) -> None:
    """Run the unit tests of policies: small histories, and what must be said of them.

    Exits 0 if every case passes, 3 if one fails, 5 if a file or its policy cannot be used.
    """
    tested = run_cases(files)
    formats: dict[TestFormat, Callable[[Sequence[TestedFile]], str]] = {
        TestFormat.TEXT: partial(outcomes_text, look=terminal_look()),
        TestFormat.JUNIT: outcomes_junit,
        TestFormat.JSON: outcomes_json,
    }
    print_text(formats[output_format](tested))
    if not all(outcome.is_passed for file in tested for outcome in file.outcomes):
        raise typer.Exit(ExitCode.HOLD)
