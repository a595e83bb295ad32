"""The command line: what every command has around it. The commands are in `commands/`."""

from typing import Annotated, Any

import typer

from tau_transport_health.cli.border import ErrorBorder
from tau_transport_health.cli.lazy_group import SETTINGS, LazyGroup
from tau_transport_health.cli.version import VERSION
from tau_transport_health.errors import PluginCode, TransportHealthError
from tau_transport_health.printable import printable


class _CommandLine(ErrorBorder, LazyGroup):
    expected = TransportHealthError
    lazy = {  # noqa: RUF012 - typer's groups are made anew from their class
        "inspect": ("inspect:command", "Show the health of a transport, or of all with --all."),
        "status": ("status:command", "Report what the state and the whole event log add up to."),
        "diagnose": ("diagnose:command", "Name each symptom, its evidence and what to do."),
        "check": ("check:command", "Print one line for a monitoring system."),
        "export": ("export:command", "Write OpenMetrics text, for a textfile collector."),
        "watch": ("watch:command", "Watch a transport in the terminal until interrupted."),
        "report": ("report:command", "Write one HTML page: health, what to do, and charts."),
        "targets": ("", "List the targets, add one, or remove one."),
        "targets list": (
            "targets:list_targets",
            "List the built-in targets and those of the targets file.",
        ),
        "targets add": ("targets:add", "Add a target to the targets file, or change it there."),
        "targets remove": ("targets:remove", "Take a target out of the targets file."),
        "channels": ("", "Look into the channel store."),
        "channels list": (
            "channels:list_channels",
            "List the channels: entries, the newest, invalid lines.",
        ),
        "channels show": ("channels:show", "Show the last entries of a channel, oldest first."),
        "channels verify": (
            "channels:verify_channels",
            "Check every line and artifact of a channel, or of all.",
        ),
    }

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own
        """Carry out the command; what is no answer of `check`, whatever it is, is UNKNOWN."""
        with self.border(ctx):  # what is told of them on stdout may be refused there
            try:
                return super().invoke(ctx)
            except typer.Exit:
                raise
            except Exception as error:
                if not _is_check(ctx):
                    raise
                usage = getattr(error, "format_message", None)
                self.tell(ctx, f"a bug of ours: {error!r}" if usage is None else usage())
                raise typer.Exit(PluginCode.UNKNOWN) from None

    def tell(self, ctx: Any, message: str) -> None:  # noqa: ANN401 - typer's own
        """Tell what went wrong; a monitoring system reads it in one line on stdout."""
        if _is_check(ctx):
            typer.echo(f"{PluginCode.UNKNOWN.name} - {printable(message).replace('|', '/')}")
        else:
            super().tell(ctx, message)

    def exit_code(self, ctx: Any, code: int) -> int:  # noqa: ANN401 - typer's own
        """The code; to a monitoring system what is no answer is UNKNOWN."""
        return PluginCode.UNKNOWN if _is_check(ctx) else code


def _is_check(ctx: Any) -> bool:  # noqa: ANN401 - typer's own
    return ctx is not None and ctx.invoked_subcommand == "check"


app = typer.Typer(
    name="tau-transport-health",
    help="Tell from the state files alone how a transport is, why, and what to do.",
    cls=_CommandLine,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
    epilog="Exit codes: 0 pass, 1 a bug of ours, 2 wrong usage, 3 hold, 5 no valid state. "
    "'check' alone: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version."),
]


@app.callback()
def _options(*, version: _Version = False) -> None:
    del version
