"""Prints an answer where it is wanted: to a terminal, a pipe, or the files of a GitHub job."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tau_rollout_gate.cli.options import Format
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.formats.renderers import RENDERERS

if TYPE_CHECKING:
    from tau_rollout_gate.rollout.ledger import Entry

_LARGEST_SUMMARY = 1024 * 1024 - 1
"""GitHub takes no summary of a step that has a byte more."""

_CUT = b"\n\nThe rest does not fit here: `--format json` has all of it.\n"


def print_answer(answer: Answer, answer_format: Format, output: Path | None = None) -> None:
    """Print the answer in a format, or write it to a file.

    `github` also appends to the files that the job names.

    Raises:
        StorageError: if a file cannot be written; what is printed was printed by then.
    """
    if output is not None:
        from tau_rollout_gate.files.output import write_output  # noqa: PLC0415 - most print it

        write_output(output, RENDERERS[answer_format](answer).encode())
    elif answer_format is Format.TEXT:
        from tau_rollout_gate.cli.terminal import terminal_look  # noqa: PLC0415 - as below
        from tau_rollout_gate.formats import text  # noqa: PLC0415 - programs ask for JSON

        print_text(text.render(answer, look=terminal_look()))
    else:
        print_text(RENDERERS[answer_format](answer))
    if answer_format is Format.GITHUB:
        from tau_rollout_gate.formats import github  # noqa: PLC0415 - a terminal has no use for it

        _append("GITHUB_OUTPUT", github.outputs(answer))
        _append("GITHUB_STEP_SUMMARY", RENDERERS["markdown"](answer), most_bytes=_LARGEST_SUMMARY)


def print_decided(entry: "Entry", *, err: bool = False) -> None:
    """Print what was done and recorded; to stderr where stdout holds an answer."""
    from tau_rollout_gate.formats.decisions import decided_text  # noqa: PLC0415 - few record

    typer.echo(decided_text(entry), err=err)


def print_text(rendered: str) -> None:
    """Print what was rendered, as it is."""
    # As bytes: the same in every locale, also where stdout would be ASCII.
    typer.echo(rendered.encode(), nl=False)


def _append(variable: str, content: str, *, most_bytes: int | None = None) -> None:
    """Append lines to a file that a job names, on lines of their own whatever stands there."""
    named = os.environ.get(variable)
    if not named:
        return
    from tau_rollout_gate.files.output import whose_alone  # noqa: PLC0415 - only a job has one

    try:
        if problem := whose_alone(Path(os.path.realpath(named))):
            raise StorageError(f"{named}: {problem}; {variable} names it")
        opened = os.open(named, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        with os.fdopen(opened, "wb") as file:
            size = os.fstat(file.fileno()).st_size  # of a pipe 0
            within = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            raw = b"\n" * within + content.encode()
            if most_bytes is not None and size + len(raw) > most_bytes:
                room = max(most_bytes - size - len(_CUT), 0)
                raw = raw[:room].rpartition(b"\n")[0] + _CUT if room else b""
            file.write(raw)
    except OSError as error:
        raise StorageError(
            f"{named}: cannot be written: {error.strerror}; {variable} names it"
        ) from None
