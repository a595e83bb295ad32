"""Makes of `start`'s options what a rollout is opened with: the policy is read here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tau_rollout_gate.contract.rollout import Channel
from tau_rollout_gate.durations import parse_duration
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.files.policy import load_policy
from tau_rollout_gate.policy.policy import policy_digest
from tau_rollout_gate.rollout.start import Opening, expected_in, surfaces_in
from tau_rollout_gate.services.intervene import as_text


def opening_of(  # noqa: PLR0913 - as many as there are options
    *,
    release: str,
    channel: Channel,
    rollback_version: str,
    rollback_channel: Channel,
    surfaces: Sequence[str],
    expected: Sequence[str],
    cycle_interval: str | None,
    registry_changes_expected: bool,
    allows_major: bool,
    policy: Path | None,
) -> Opening:
    """Return what the options say.

    Raises:
        RefusedError: if one says nothing that can be meant.
        RolloutGateError: if the policy cannot be used.
    """
    for option, texts in (("--surface", surfaces), ("--expect", expected)):
        for text in texts:
            as_text(option, text)
    loaded = load_policy(policy)
    return Opening(
        release=release,
        channel=channel,
        rollback_version=rollback_version,
        rollback_channel=rollback_channel,
        surfaces=surfaces_in(surfaces),
        expected=expected_in(expected),
        cycle_interval_ms=loaded.cycle_interval_ms
        if cycle_interval is None
        else interval_ms_in(cycle_interval),
        registry_changes_expected=registry_changes_expected,
        allows_major=allows_major,
        first_phase=loaded.phases[0].name,
        policy_sha256=policy_digest(loaded),
        policy_file=None if policy is None else as_text("--policy", str(policy)),
    )


def interval_ms_in(text: str) -> int:
    """Return the milliseconds of `--cycle-interval`.

    Raises:
        RefusedError: if it is no duration, or none at all.
    """
    try:
        interval_ms = parse_duration(text)
    except ValueError as error:
        raise RefusedError(f"--cycle-interval: {error}") from None
    if interval_ms == 0:
        raise RefusedError("--cycle-interval: must be longer than 0")
    return interval_ms
