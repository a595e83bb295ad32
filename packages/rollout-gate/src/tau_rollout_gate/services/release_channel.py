"""`release-channel.json`: the channel that is followed, and what it goes back to by hand.

It is a note for people and scripts. A rollout does not read it: what a rollout goes back to is
pinned at its start (runbooks/release-channel-ops.md, "What is stored").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from tau_rollout_gate.contract import strict_json
from tau_rollout_gate.contract.forms import Count, Form, Text, Version, first_problem
from tau_rollout_gate.contract.rollout import Channel, Rollout
from tau_rollout_gate.durations import utc
from tau_rollout_gate.errors import (
    JsonRefusedError,
    RefusedError,
    RolloutUnusableError,
)
from tau_rollout_gate.formats.layout import joined
from tau_rollout_gate.formats.phrases import shown
from tau_rollout_gate.rollout.start import version_of


class ReleaseChannel(Form):
    """The file: the channel, the target of a rollback by hand, and who set them when."""

    schema_version: Version = 1
    channel: Channel
    rollback_channel: Channel
    rollback_version: Text
    set_unix_ms: Count
    by: Text

    def as_document(self) -> bytes:
        """Return the bytes of the file."""
        return self.model_dump_json(indent=2).encode() + b"\n"


def chosen(
    channel: Channel,
    *,
    rollback_version: str,
    rollback_channel: Channel | None,
    by: str,
    now_unix_ms: int,
) -> ReleaseChannel:
    """Return what is to be stored; without a channel of its own the target is on the same one.

    Raises:
        RefusedError: for a target that is no semantic version or a prerelease on stable, and for
            what the file cannot hold.
    """
    target_channel = rollback_channel or channel
    version = version_of(rollback_version, option="--rollback-to")
    if target_channel is Channel.STABLE and version.prerelease is not None:
        raise RefusedError(
            f"--rollback-to: {version} is a prerelease, and its channel is stable: name another "
            "with --rollback-channel, or a release"
        )
    try:
        return ReleaseChannel(
            channel=channel,
            rollback_channel=target_channel,
            rollback_version=rollback_version,
            set_unix_ms=now_unix_ms,
            by=by,
        )
    except ValidationError as error:  # what no file can hold: half a character, a time too large
        raise RefusedError(first_problem(error)) from None


def parse_release_channel(raw: bytes, *, path: str) -> ReleaseChannel:
    """Return what the bytes of the file hold.

    Raises:
        RolloutUnusableError: if they are not of its form; the text names the file and the field.
    """
    try:
        strict_json.decode(raw)  # refuses what the other parser would take, such as repeated keys
        return ReleaseChannel.model_validate_json(raw)
    except JsonRefusedError as error:
        problem = str(error)
    except ValidationError as error:
        problem = first_problem(error)
    raise RolloutUnusableError(f"{path}: {problem}; set it anew with 'release-channel set'")


def as_text(stored: ReleaseChannel | None, rollout: Rollout | None) -> str:
    """Return the stored channel and target as lines, and the rollout's own."""
    return joined(_lines(stored, rollout))


def as_json(stored: ReleaseChannel | None, rollout: Rollout | None) -> str:
    """Return the same as one JSON object; null where nothing is stored, where no rollout is."""
    answer = {
        "schema_version": 1,
        "stored": stored and stored.model_dump(mode="json", exclude={"schema_version"}),
        "rollout": rollout and _summary(rollout),
    }
    return json.dumps(answer, indent=2, ensure_ascii=False) + "\n"


def _summary(rollout: Rollout) -> dict[str, Any]:
    return {
        "release": rollout.release,
        "channel": rollout.channel,
        "status": rollout.status,
        "phase": rollout.phase,
        "rollback_channel": rollout.rollback.rollback_channel,
        "rollback_version": rollout.rollback.rollback_version,
    }


def _lines(stored: ReleaseChannel | None, rollout: Rollout | None) -> Iterator[str]:
    if stored is None:
        yield "channel          nothing is stored; 'release-channel set' stores it"
    else:
        yield f"channel          {stored.channel}"
        yield f"rollback target  {shown(stored.rollback_version)} ({stored.rollback_channel})"
        yield f"set              {utc(stored.set_unix_ms)} by {shown(stored.by)}"
    if rollout is None:
        yield "rollout          none"
        return
    target = rollout.rollback
    words = {
        "open": shown(f"in {rollout.phase}"),
        "complete": "complete",
        "rolled_back": "rolled back",
    }
    yield f"rollout          {shown(rollout.release)} ({rollout.channel}), {words[rollout.status]}"
    yield (
        f"its own target   {shown(target.rollback_version)} ({target.rollback_channel}), "
        "pinned at its start"
    )
