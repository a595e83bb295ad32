"""`start`: opens a rollout at the policy's first phase."""

from __future__ import annotations

from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.contract.rollout import Channel
from tau_rollout_gate.formats.decisions import decided_text
from tau_rollout_gate.services import intervene
from tau_rollout_gate.services.evaluate import now_unix_ms as now_or
from tau_rollout_gate.services.start import opening_of


def command(
    release: Annotated[
        str, typer.Option(metavar="V", show_default=False, help="The version to roll out.")
    ],
    rollback_to: Annotated[
        str, typer.Option(metavar="V", show_default=False, help="The version it goes back to.")
    ],
    *,
    channel: Annotated[Channel, typer.Option(help="The release's channel.")] = Channel.STABLE,
    rollback_channel: Annotated[
        Channel | None,
        typer.Option(
            show_default=False, help="The rollback target's channel. [default: the release's]"
        ),
    ] = None,
    cycle_interval: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            show_default=False,
            help="How often the runtime runs a cycle: 90s, 5m. [default: the policy's]",
        ),
    ] = None,
    registry_changes_expected: Annotated[
        bool,
        typer.Option(
            "--registry-changes-expected", help="The release has to change the command registry."
        ),
    ] = False,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SURFACE:FIELD=VALUE",
            show_default=False,
            help="What every cycle has to have, to tie the evidence to the release: "
            "runtime_version or fixture_sha256; repeatable.",
        ),
    ] = None,
    allow_major: Annotated[
        bool,
        typer.Option("--allow-major", help="Allow another major version than the target's."),
    ] = False,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    by: options.By = None,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Open a rollout at preflight; a closed one is archived.

    Exits 2 if it is refused: a version that is none, equal versions, a prerelease on stable, a
    major jump, another open rollout.
    """
    opening = opening_of(
        release=release,
        channel=channel,
        rollback_version=rollback_to,
        rollback_channel=rollback_channel or channel,
        surfaces=surface or options.DEFAULT_SURFACES,
        expected=expect or (),
        cycle_interval=cycle_interval,
        registry_changes_expected=registry_changes_expected,
        allows_major=allow_major,
        policy=policy,
    )
    entry = intervene.start(rollout_dir, opening, by=by, now_unix_ms=now_or(now_unix_ms))
    typer.echo(decided_text(entry))
