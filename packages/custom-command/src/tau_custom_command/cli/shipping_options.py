"""The options that say where cycles are shipped to, and what follows from them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from tau_custom_command.cli.options import option
from tau_custom_command.contract.paths import SURFACE
from tau_custom_command.printable import printable
from tau_custom_command.services.clock import Clock

if TYPE_CHECKING:
    from tau_custom_command.shipping.location import Location

_LONGEST_SHOWN = 80

To = Annotated[
    str,
    option(
        "SHIP_TO",
        "Where to: a directory, file://, s3://, gs:// or az://; {host} and {surface} stand for "
        "this one's.",
        "--to",
        metavar="URL",
        show_default=False,
    ),
]
ShipTo = Annotated[
    str | None,
    option(
        "SHIP_TO",
        "After each cycle, ship what it left there, as `ship --to` does.",
        metavar="URL",
    ),
]
Host = Annotated[
    str | None,
    option(
        "HOST",
        "What {host} stands for; the name of this machine by default.",
        metavar="NAME",
    ),
]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Replace what is there though this directory does not continue it; with --reason.",
    ),
]
Reason = Annotated[
    str | None,
    typer.Option(
        "--reason", help="Why it may be replaced, which is shipped along.", metavar="TEXT"
    ),
]


def location_of_host(template: str, host: str | None, name: str) -> "Location":
    """Where a host's files are shipped to: a path or URL with the host's name in it.

    Args:
        template: The path or URL; `{host}` and `{surface}` stand for this host and surface.
        host: The host's name; None for that of this machine.
        name: The option that has the template, for messages.
    """
    from tau_custom_command.shipping import location  # noqa: PLC0415 - only who ships needs it

    if host is not None and "{host}" not in template:
        raise typer.BadParameter(f"{name} has no {{host}} to put it in", param_hint="--host")
    found = os.uname().nodename if host is None else host
    if "{host}" in template and not location.is_host(found):
        told = f"{printable(found[:_LONGEST_SHOWN])!r} is no host's name: {location.HOST_RULE}"
        raise typer.BadParameter(told, param_hint="--host" if host is not None else name)
    try:
        return location.parse_location(location.filled(template, host=found, surface=SURFACE))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from None


class Shipping(Protocol):
    """What is told that a cycle ended, and that none comes any more."""

    def shipped(self) -> None:
        """Ship the cycle that just ended."""

    def end(self) -> None:
        """Ship what was left for the next cycle."""


class _NotShipping:
    def shipped(self) -> None:
        """Do nothing: nobody asked for it."""

    end = shipped


def after_cycles(ship_to: str | None, host: str | None, state_dir: Path, clock: Clock) -> Shipping:
    """What ships the cycles of a `run`, where that was asked for."""
    if ship_to is None:
        return _NotShipping()
    from tau_custom_command.services.ship import AfterCycles  # noqa: PLC0415 - as above

    location = location_of_host(ship_to, host, "--ship-to")
    return AfterCycles(state_dir, location, clock=clock, complain=_warn)


def _warn(message: str) -> None:
    typer.echo(f"warning: {printable(message)}", err=True)
