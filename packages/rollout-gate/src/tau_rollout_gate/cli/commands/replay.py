"""`replay`: what a recorded history comes to under a policy, or where two policies differ."""

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import PlainFormat, asks
from tau_rollout_gate.cli.terminal import terminal_look
from tau_rollout_gate.contract.pin import CHAINED_SURFACE
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.files.policy import BUILT_IN
from tau_rollout_gate.formats.simulation.replay import replays_json, replays_text
from tau_rollout_gate.services.recorded import as_text
from tau_rollout_gate.services.replay import Recording, replays


@asks
def command(
    *,
    events: Annotated[
        list[Path],
        options.option(
            metavar="FILE",
            help="A recorded event log; repeatable for a rotated one, the oldest file first.",
        ),
    ],
    policy: Annotated[
        str, typer.Option(metavar="FILE", help="A policy in TOML, or 'built-in'.")
    ] = BUILT_IN,
    against: Annotated[
        str | None,
        options.option(metavar="FILE", help="A second policy, to see where the two differ."),
    ] = None,
    surface_name: Annotated[
        str, typer.Option(metavar="NAME", help="The surface that the log is of.")
    ] = CHAINED_SURFACE,
    cycle_interval: options.CycleInterval = None,
    registry_changes_expected: options.RegistryChangesExpected = False,
    output_format: PlainFormat,
) -> None:
    """Step a recorded event log through a policy.

    It exits as the log ends under the policy: 0 on promote and complete, 3 on hold, 4 on rollback.
    With --against it steps the log through a second policy too, and exits 0 if both agree at every
    cycle, 3 if they do not. It exits 5 if a file cannot be used.

    Example: tau-rollout-gate replay --events log.jsonl --against mine.toml
    """
    recording = Recording(
        files=events,
        surface=as_text("--surface-name", surface_name),
        cycle_interval_ms=cycle_interval,
        registry_changes_expected=registry_changes_expected,
    )
    found = replays(recording, [policy] if against is None else [policy, against])
    if output_format == "json":
        print_text(replays_json(found))
    else:
        print_text(replays_text(found, look=terminal_look()))
    if against is not None:
        raise typer.Exit(ExitCode.YES if found.parting is None else ExitCode.HOLD)
    raise typer.Exit(found.replays[0].last.verdict.exit_code)
