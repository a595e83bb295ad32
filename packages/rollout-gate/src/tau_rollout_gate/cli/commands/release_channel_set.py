"""`release-channel set`: stores the channel and the rollback target."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.contract.rollout import Channel
from tau_rollout_gate.services.actor import actor
from tau_rollout_gate.services.evaluate import now_unix_ms as set_at
from tau_rollout_gate.services.release_channel import chosen
from tau_rollout_gate.services.release_channel_file import write_release_channel


def command(
    channel: Annotated[
        Channel,
        typer.Argument(
            metavar="CHANNEL", show_default=False, help="stable, beta or dev: what is followed."
        ),
    ],
    *,
    rollback_to: Annotated[
        str,
        typer.Option(metavar="V", show_default=False, help="The version to go back to by hand."),
    ],
    rollback_channel: Annotated[
        Channel | None,
        typer.Option(show_default=False, help="The channel of that version. [default: CHANNEL]"),
    ] = None,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    by: options.By = None,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Store the channel and the rollback target.

    An open rollout keeps its own, which was pinned at its start.
    """
    stored = chosen(
        channel,
        rollback_version=rollback_to,
        rollback_channel=rollback_channel,
        by=actor(by, os.environ),
        now_unix_ms=set_at(now_unix_ms),
    )
    write_release_channel(rollout_dir, stored)
