"""`ship`: brings what a directory or an object store has of this host up to the last cycle."""

import typer

from tau_custom_command.cli import options, shipping_options
from tau_custom_command.cli.output import print_answer
from tau_custom_command.printable import printable
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.ship import Shipped
from tau_custom_command.services.ship import ship as ship_to


def ship(
    *,
    to: shipping_options.To,
    host: shipping_options.Host = None,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    take_over: shipping_options.TakeOver = False,
    reason: shipping_options.Reason = None,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Ship what the cycles left, for the gate of a fleet.

    Up to the last one; health, and the lines of the event log: no output. It is refused where this
    directory does not continue what is there, as where another machine has this name. Exits 0 if
    all is there, 5 if it is not.

    Example: tau-custom-command ship --to s3://bucket/fleet/{host}/{surface}/
    """
    if take_over and not (reason or "").strip():
        raise typer.BadParameter("say why, with --reason", param_hint="--take-over")
    if reason is not None and not take_over:
        raise typer.BadParameter("add --take-over", param_hint="--reason")
    location = shipping_options.location_of_host(to, host, "--to")
    clock = Clock.of_this_machine(now_unix_ms=None)
    found = ship_to(state_dir, location, clock=clock, take_over=reason and options.text(reason))
    print_answer(_as_text(found), found._asdict(), output_format, as_json=as_json)


def _as_text(found: Shipped) -> str:
    which = f"{found.url}: up to cycle {found.cycle_number}"
    if not found.segments:
        return printable(f"{which} already")
    parts = "1 segment" if found.segments == 1 else f"{found.segments} segments"
    over = "; another chain's were replaced" if found.took_over else ""
    return printable(f"{which}: wrote {parts} of {found.bytes:,} bytes{over}")
