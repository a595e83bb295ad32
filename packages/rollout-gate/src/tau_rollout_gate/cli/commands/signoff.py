"""`signoff init` and `verify`: the checklist of the rollout, blank, and item by item."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import PlainFormat, asks
from tau_rollout_gate.errors import ExitCode, NamedFileError, RefusedError
from tau_rollout_gate.files.record import load
from tau_rollout_gate.files.signoff import create_signoff, read_signoff
from tau_rollout_gate.formats.context import PROGRAM
from tau_rollout_gate.formats.signoff import as_json, as_text
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.evaluate import SIGNOFF_FILE, clock_warning
from tau_rollout_gate.services.evaluate import now_unix_ms as decided_at

Checklist = Annotated[
    Path | None,
    options.argument(
        metavar="[FILE]", help="The checklist. [default: signoff.toml in the rollout's directory]"
    ),
]


def init(
    file: Checklist = None, *, rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR
) -> None:
    """Write the blank checklist of the open rollout.

    A file that is there is left alone: that of the rollout before has to be moved away.

    Example: tau-rollout-gate signoff init
    """
    rollout = load(rollout_dir).rollout
    if not rollout.is_open:
        raise RefusedError(f"the rollout of {rollout.release} is over; 'start' opens the next one")
    path = file or rollout_dir / SIGNOFF_FILE
    create_signoff(path, rollout)
    verifying = _typed("verify", file, rollout_dir)
    typer.echo(printable(f"wrote {path}; after filling it in: {verifying}"), err=True)


@asks
def verify(
    file: Checklist = None,
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    now_unix_ms: options.NowUnixMs = None,
    output_format: PlainFormat,
) -> None:
    """Say what the checklist lacks, item by item.

    Exits 0 if it is complete, 3 if not, 5 if it cannot be read.

    Example: tau-rollout-gate signoff verify --json
    """
    rollout = load(rollout_dir).rollout
    path = file or rollout_dir / SIGNOFF_FILE
    if not os.path.lexists(path):
        writing = _typed("init", file, rollout_dir)
        raise NamedFileError(f"{path}: there is no such file; {writing} writes one to fill in")
    signoff = read_signoff(path, rollout, now_unix_ms=decided_at(now_unix_ms))
    render = as_json if output_format == "json" else as_text
    print_text(render(signoff, rollout, clock_warning(now_unix_ms)))
    raise typer.Exit(ExitCode.YES if signoff.is_complete else ExitCode.HOLD)


def _typed(command: str, file: Path | None, rollout_dir: Path) -> str:
    """A command on the same checklist, as it is to be typed."""
    words = ["signoff", command, *([] if file is None else [str(file)])]
    return shlex.join([PROGRAM, *words, *options.place_of(rollout_dir)])
