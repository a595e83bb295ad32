"""The command line: what every command has around it. The commands are in `commands/`."""

from typing import Annotated, Any

import typer

from tau_transport_health import __version__
from tau_transport_health.cli.border import ErrorBorder
from tau_transport_health.cli.lazy_group import SETTINGS, LazyGroup, group
from tau_transport_health.errors import PluginCode, TransportHealthError
from tau_transport_health.printable import printable


class _CommandLine(ErrorBorder, LazyGroup):
    expected = TransportHealthError
    lazy = {  # noqa: RUF012 - typer's groups are made anew from their class
        "inspect": "inspect:command",
        "status": "status:command",
        "diagnose": "diagnose:command",
        "check": "check:command",
        "export": "export:command",
        "watch": "watch:command",
        "report": "report:command",
    }

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own
        """Carry out the command; what is no answer of `check`, whatever it is, is UNKNOWN."""
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
app.add_typer(
    group("List the targets, and add one.", {"list": "targets:list_targets", "add": "targets:add"}),
    name="targets",
)
app.add_typer(
    group(
        "Look into the channel store.",
        {
            "list": "channels:list_channels",
            "show": "channels:show",
            "verify": "channels:verify_channels",
        },
    ),
    name="channels",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tau-transport-health {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    del version
