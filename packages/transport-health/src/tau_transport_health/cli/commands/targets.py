"""`targets list`, `targets add`: the transports that commands know by name."""

from typing import Annotated

import typer

from tau_transport_health.cli.options import DEFAULT_ROOT, AsJson, Root, TargetsFile
from tau_transport_health.cli.output import answer, say_written
from tau_transport_health.cli.question import either_format
from tau_transport_health.files.targets import DEFAULT_TARGETS_FILE, add_target
from tau_transport_health.formats.text import targets_text
from tau_transport_health.services.inspect import known_targets


@either_format
def list_targets(
    *, root: Root = DEFAULT_ROOT, targets: TargetsFile = None, as_json: AsJson = False
) -> None:
    """List the built-in targets and those of the targets file.

    Example: tau-transport-health targets list --root /srv/tau
    """
    rows = known_targets(root, targets)
    answer(rows if as_json else targets_text(rows))


def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", show_default=False, help="What to call it.")
    ],
    *,
    state_dir: Annotated[
        str, typer.Option(metavar="DIR", show_default=False, help="Where its state files are.")
    ],
    label: Annotated[
        str | None,
        typer.Option(metavar="LABEL", show_default=False, help="Its label; the name otherwise."),
    ] = None,
    targets: TargetsFile = None,
) -> None:
    """Add a target to the targets file, or change it there.

    Example: tau-transport-health targets add billing --state-dir .tau/billing
    """
    path = targets or DEFAULT_TARGETS_FILE
    add_target(path, name, state_dir=state_dir, label=label)
    say_written(path)
