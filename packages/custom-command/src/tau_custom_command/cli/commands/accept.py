"""`accept`: has a fixture expect what came out of its last cycle."""

from pathlib import Path
from typing import Any

import typer

from tau_custom_command.cli import options
from tau_custom_command.cli.output import print_answer
from tau_custom_command.errors import ExitCode
from tau_custom_command.printable import printable
from tau_custom_command.services import accept as acceptance


def accept(
    fixture: options.FixturePath,
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    case_suffix: options.PastCaseSuffix = "",
    yes: options.Yes = False,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Have a fixture expect what its last cycle came to.

    Shows, as a diff, what it would have to expect for nothing of that to be drift; --yes writes it.
    Comments, order and layout stay. Exits 0 if there is nothing to accept, or it was written; 3 if
    there is something and --yes was not given, or if something is left to you; 5 if no cycle ran
    the fixture as it is.

    Example: tau-custom-command accept greet.toml --state-dir .tau/greet
    """
    found = acceptance.accept(fixture, state_dir, case_suffix=case_suffix, carry_out=yes)
    value = _as_json(found, written=yes)
    print_answer(_as_text(fixture, found, written=yes), value, output_format, as_json=as_json)
    is_open = found.left or (found.cases and not yes)
    raise typer.Exit(ExitCode.NO if is_open else ExitCode.YES)


def _as_text(fixture: Path, found: acceptance.Accepted, *, written: bool) -> str:
    """The diff without its head, what is left to people, and what became of the fixture."""
    lines = [*found.diff[2:], *(f"left to you: {problem}" for problem in found.left)]
    if found.cases:
        cases = "1 case" if found.cases == 1 else f"{found.cases:,} cases"
        end = f"{cases} changed" if written else f"{cases} would change; --yes writes it"
    else:
        end = "nothing was changed" if found.left else "nothing to accept"
    return "\n".join(map(printable, [*lines, f"{fixture}: {end}"]))


def _as_json(found: acceptance.Accepted, *, written: bool) -> dict[str, Any]:
    return {
        "changed_cases": found.cases,
        "written": written and found.cases > 0,
        "diff": list(found.diff),
        "left": [problem._asdict() for problem in found.left],
    }
