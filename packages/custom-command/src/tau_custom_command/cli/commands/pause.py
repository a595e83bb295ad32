"""`pause` and `unpause`: no cycle begins in a state directory until it may again."""

from typing import Annotated

import typer

from tau_custom_command.cli import options
from tau_custom_command.printable import printable
from tau_custom_command.services import pause as pausing
from tau_custom_command.services.clock import Clock

_Reason = Annotated[
    str,
    typer.Option(
        "--reason", help="Why, for whoever finds it paused.", metavar="TEXT", callback=options.text
    ),
]
_By = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="Who asks for it; your login name by default.",
        metavar="WHO",
        callback=lambda value: value and options.text(value),
    ),
]


def pause(
    reason: _Reason,
    *,
    by: _By = None,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Have no cycle begin until `unpause`.

    One that is at work comes to its end. `run` then exits with 5 and says since when, by whom and
    why; `run --every` waits.

    Example: tau-custom-command pause --reason "the backend is moved"
    """
    if not reason.strip():
        raise typer.BadParameter("it is blank; say why", param_hint="--reason")
    clock = Clock.of_this_machine(now_unix_ms=now_unix_ms)
    pausing.pause(
        state_dir, reason=reason, by=by or _login_name(), now_unix_ms=clock.wall_unix_ms()
    )
    typer.echo(printable(f"{state_dir}: paused; no cycle begins until unpause"))


def unpause(*, state_dir: options.StateDir = options.DEFAULT_STATE_DIR) -> None:
    """Let cycles run again.

    Example: tau-custom-command unpause --state-dir .tau/greet
    """
    was_paused = pausing.unpause(state_dir)
    typer.echo(printable(f"{state_dir}: {'cycles run again' if was_paused else 'was not paused'}"))


def _login_name() -> str:
    """Who asks, also where no variable says so, as in a unit or over `env -i`."""
    import getpass  # noqa: PLC0415 - start-up counts, and only this asks

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"
