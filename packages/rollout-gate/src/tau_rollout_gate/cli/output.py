"""Prints an answer where it is wanted: to a terminal, a pipe, or the files of a GitHub job."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tau_rollout_gate.cli.options import Format
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.formats import text
from tau_rollout_gate.formats.decisions import decided_text
from tau_rollout_gate.formats.layout import PIPED, Look
from tau_rollout_gate.formats.renderers import RENDERERS

if TYPE_CHECKING:
    from tau_rollout_gate.rollout.ledger import Entry

_NARROWEST = 60
_WIDEST = 200


def print_answer(answer: Answer, answer_format: Format) -> None:
    """Print the answer in a format; `github` also appends to the files that the job names.

    Raises:
        StorageError: if such a file cannot be written; the answer was printed by then.
    """
    if answer_format is Format.TEXT:
        print_text(text.render(answer, look=terminal_look()))
        return
    print_text(RENDERERS[answer_format](answer))
    if answer_format is Format.GITHUB:
        from tau_rollout_gate.formats import github  # noqa: PLC0415 - a terminal has no use for it

        _append("GITHUB_OUTPUT", github.outputs(answer))
        _append("GITHUB_STEP_SUMMARY", RENDERERS["markdown"](answer))


def print_decided(entry: "Entry", *, err: bool = False) -> None:
    """Print what was done and recorded; to stderr where stdout holds an answer."""
    typer.echo(decided_text(entry), err=err)


def print_text(rendered: str) -> None:
    """Print what was rendered, as it is."""
    # As bytes: the same in every locale, also where stdout would be ASCII.
    typer.echo(rendered.encode(), nl=False)


def terminal_look() -> Look:
    """Look at the terminal: its width, and colours unless they are refused (no-color.org)."""
    if not sys.stdout.isatty():
        return PIPED
    width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return Look(width=width, is_coloured=not refused)


def _append(variable: str, content: str) -> None:
    named = os.environ.get(variable)
    if not named:
        return
    try:
        with Path(named).open("ab") as file:
            file.write(content.encode())
    except OSError as error:
        raise StorageError(
            f"{named}: cannot be written: {error.strerror}; {variable} names it"
        ) from None
