"""`start`: opens a rollout at the policy's first phase."""

from __future__ import annotations

from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.contract.rollout import Channel
from tau_rollout_gate.formats.decisions import decided_text
from tau_rollout_gate.printable import printable
from tau_rollout_gate.rollout.start import Opening
from tau_rollout_gate.services.evaluate import Question
from tau_rollout_gate.services.intervene import as_text, who
from tau_rollout_gate.services.start import start


def command(
    release: Annotated[
        str, typer.Option(metavar="VERSION", show_default=False, help="The version to roll out.")
    ],
    *,
    rollback_to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            show_default=False,
            help="The version it goes back to. [default: what this directory completed last]",
        ),
    ] = None,
    channel: Annotated[Channel, typer.Option(help="The release's channel.")] = Channel.STABLE,
    rollback_channel: Annotated[
        Channel | None,
        typer.Option(
            show_default=False,
            help="Its channel. [default: where it was published, else the release's]",
        ),
    ] = None,
    cycle_interval: options.CycleInterval = None,
    registry_changes_expected: options.RegistryChangesExpected = False,
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
    for option, texts in (("--surface", surface or ()), ("--expect", expect or ())):
        for text in texts:
            as_text(option, text)
    entry = start(
        Question(
            rollout_dir=rollout_dir,
            surfaces=surface or (),
            policy=policy,
            now_unix_ms=now_unix_ms,
        ),
        Opening(
            release=release,
            rollback_version=rollback_to,
            channel=channel,
            rollback_channel=rollback_channel,
            surfaces=surface or options.DEFAULT_SURFACES,
            expected=expect or (),
            cycle_interval_ms=cycle_interval,
            registry_changes_expected=registry_changes_expected,
            allows_major=allow_major,
            policy_file=None if policy is None else as_text("--policy", str(policy)),
        ),
        by=who(by),
    )
    typer.echo(decided_text(entry))
    if entry.reason is not None:
        typer.echo(printable(f"note: {entry.release} {entry.reason}"), err=True)
