"""`fleet init`: marks the store of a fleet."""

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.fleet.start import init_fleet


def init(
    fleet: Annotated[
        Path, options.option("--fleet", metavar="FILE", help="Where the fleet is: fleet.toml.")
    ] = Path("fleet.toml"),
) -> None:
    """Write the sentinel of a fleet's store.

    It is the file by which each reader knows the store. One that is there already stays. Exits 2 if
    it is of another fleet, 5 if the file, its roster or the store cannot be used.

    Example: tau-rollout-gate fleet init --fleet fleet.toml
    """
    place, sentinel = init_fleet(fleet)
    typer.echo(printable(f"{place}: the store of {sentinel.name}, with the id {sentinel.id}"))
    typer.echo(
        "note: objects may not expire before a rollout is over: keep those of hosts for a day's "
        "window and a day more, and this file for good",
        err=True,
    )
