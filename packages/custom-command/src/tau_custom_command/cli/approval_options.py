"""The options of `approve` that no other command has."""

from typing import Annotated

import typer

from tau_custom_command.cli import options
from tau_custom_command.durations import parse_duration


def _lifetime_ms(written: str) -> int:
    try:
        duration_ms = parse_duration(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if duration_ms == 0:
        raise typer.BadParameter(f"{written!r} is no time at all; write 30d")
    return duration_ms


def _name(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("it is blank; is a shell variable unset?")
    return options.text(value.strip())


By = Annotated[
    str,
    typer.Option("--by", help="Who approves it.", callback=_name, metavar="WHO"),
]
Expires = Annotated[
    int | None,
    typer.Option(
        "--expires",
        help="How long it counts, such as 30d; for ever by default.",
        parser=_lifetime_ms,
        metavar="DURATION",
        show_default=False,
    ),
]
Pin = Annotated[
    list[str] | None,
    typer.Option(
        "--pin",
        help="An argument that must have this value. Repeatable.",
        metavar="NAME=VALUE",
        show_default=False,
    ),
]
