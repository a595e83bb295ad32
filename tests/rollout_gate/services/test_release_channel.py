"""The stored channel and rollback target: what may be stored, and what is read back."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.contract.rollout import Channel, RolloutStatus
from tau_rollout_gate.errors import ExitCode, RefusedError, RolloutUnusableError, StorageError
from tau_rollout_gate.services.release_channel import (
    ReleaseChannel,
    as_json,
    as_text,
    chosen,
    parse_release_channel,
)
from tau_rollout_gate.services.release_channel_file import (
    read_release_channel,
    write_release_channel,
)
from tests.rollout_gate.making import rollout

NOW = 1_767_225_600_000
STORED = ReleaseChannel(
    channel=Channel.BETA,
    rollback_channel=Channel.STABLE,
    rollback_version="v1.3.2",
    set_unix_ms=NOW,
    by="ann",
)
DOCUMENT = json.loads(STORED.as_document())


def choose(
    channel: Channel = Channel.BETA,
    rollback_version: str = "1.3.2",
    *,
    rollback_channel: Channel | None = None,
    by: str = "ann",
    now_unix_ms: int = NOW,
) -> ReleaseChannel:
    """Return what `set` would store."""
    return chosen(
        channel,
        rollback_version=rollback_version,
        rollback_channel=rollback_channel,
        by=by,
        now_unix_ms=now_unix_ms,
    )


def test_the_target_is_on_the_same_channel_unless_another_is_named() -> None:
    """The version is kept as it was written, with the time and who set it."""
    assert choose().rollback_channel is Channel.BETA
    assert choose(rollback_version="v1.3.2", rollback_channel=Channel.STABLE) == STORED


@pytest.mark.parametrize(
    ("channel", "rollback_channel", "version", "is_taken"),
    [
        (Channel.STABLE, None, "1.3.2", True),
        (Channel.STABLE, None, "v1.3.2+build.7", True),
        (Channel.STABLE, None, "1.3.2-rc.1", False),
        (Channel.BETA, None, "1.3.2-rc.1", True),
        (Channel.BETA, Channel.STABLE, "1.3.2-rc.1", False),
        (Channel.STABLE, Channel.DEV, "1.3.2-rc.1", True),
        (Channel.DEV, None, "1.3", False),
        (Channel.DEV, None, "latest", False),
        (Channel.DEV, None, "", False),
        (Channel.DEV, None, "01.3.2", False),
    ],
)
def test_the_target_is_a_version_that_its_channel_can_have(
    channel: Channel, rollback_channel: Channel | None, version: str, *, is_taken: bool
) -> None:
    """Semantic, a leading `v` allowed, and no prerelease on stable; else the command is refused."""
    if is_taken:
        stored = choose(channel, version, rollback_channel=rollback_channel)
        assert stored.rollback_version == version
        return
    with pytest.raises(RefusedError, match=r"^--rollback-to: ") as raised:
        choose(channel, version, rollback_channel=rollback_channel)
    assert raised.value.exit_code is ExitCode.USAGE


def test_what_no_file_can_hold_is_refused() -> None:
    """Half a character and a time beyond all integers end in a refusal that names the field."""
    with pytest.raises(RefusedError, match=r"^by: "):
        choose(by="\udcff")
    with pytest.raises(RefusedError, match=r"^set_unix_ms: "):
        choose(now_unix_ms=2**63)
    assert choose(now_unix_ms=2**63 - 1).set_unix_ms == 2**63 - 1


@given(
    st.sampled_from(Channel),
    st.sampled_from(Channel),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.integers(0, 2**63 - 1),
)
def test_what_is_written_reads_back_equal(
    channel: Channel, target: Channel, by: str, now_unix_ms: int
) -> None:
    """Whatever is stored, it is the same when it is read."""
    stored = choose(channel, rollback_channel=target, by=by, now_unix_ms=now_unix_ms)
    assert parse_release_channel(stored.as_document(), path="f") == stored
    assert json.loads(as_json(stored, None))["stored"]["by"] == by


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "the whole: "),
        (b"\xff", "not UTF-8"),
        (b"{}", "channel: field required"),
        (json.dumps(DOCUMENT | {"schema_version": 2}).encode(), "schema_version: "),
        (json.dumps(DOCUMENT | {"schema_version": True}).encode(), "schema_version: "),
        (json.dumps(DOCUMENT | {"schema_version": 1.0}).encode(), "schema_version: "),
        (json.dumps(DOCUMENT | {"channel": "nightly"}).encode(), "channel: "),
        (json.dumps(DOCUMENT | {"rollback_version": ""}).encode(), "rollback_version: "),
        (json.dumps(DOCUMENT | {"set_unix_ms": "1"}).encode(), "set_unix_ms: "),
        (json.dumps(DOCUMENT | {"set_unix_ms": 1.0}).encode(), "set_unix_ms: "),
        (json.dumps(DOCUMENT | {"other": 1}).encode(), "other: "),
        (STORED.as_document().replace(b'"by"', b'"channel": "dev", "by"'), "the key 'channel'"),
    ],
)
def test_a_file_of_another_form_is_refused(raw: bytes, words: str) -> None:
    """Nothing is coerced; the file, the field and the way out are named."""
    with pytest.raises(RolloutUnusableError) as raised:
        parse_release_channel(raw, path="d/release-channel.json")
    assert str(raised.value).startswith(f"d/release-channel.json: {words}")
    assert str(raised.value).endswith("; set it anew with 'release-channel set'")
    assert raised.value.exit_code is ExitCode.CANNOT_ANSWER


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RolloutStatus.OPEN, "in canary-1"),
        (RolloutStatus.COMPLETE, "complete"),
        (RolloutStatus.ROLLED_BACK, "rolled back"),
    ],
)
def test_what_is_shown(status: RolloutStatus, words: str) -> None:
    """The stored target and the rollout's own, apart from each other, in text and in JSON."""
    of = rollout(status=status)
    assert as_text(STORED, of) == (
        "channel          beta\n"
        "rollback target  v1.3.2 (stable)\n"
        "set              2026-01-01T00:00:00Z by ann\n"
        f"rollout          1.4.0 (stable), {words}\n"
        "its own target   1.3.2 (stable), pinned at its start\n"
    )
    assert json.loads(as_json(STORED, of)) == {
        "schema_version": 1,
        "stored": {key: value for key, value in DOCUMENT.items() if key != "schema_version"},
        "rollout": {
            "release": "1.4.0",
            "channel": "stable",
            "status": status.value,
            "phase": "canary-1",
            "rollback_channel": "stable",
            "rollback_version": "1.3.2",
        },
    }


def test_what_is_shown_of_nothing() -> None:
    """It says that nothing is stored and what would store it; no value is made up."""
    assert as_text(None, None) == (
        "channel          nothing is stored; 'release-channel set' stores it\n"
        "rollout          none\n"
    )
    assert json.loads(as_json(None, None)) == {
        "schema_version": 1,
        "stored": None,
        "rollout": None,
    }


def test_text_of_the_file_cannot_act_on_a_terminal() -> None:
    """What somebody put into the file is escaped."""
    hostile = STORED.model_copy(update={"by": "a\x1b[2J\nrollout  9.9.9", "rollback_version": "\r"})
    text = as_text(hostile, None)
    assert "\x1b" not in text
    assert "\r" not in text
    assert len(text.splitlines()) == 4


def test_it_is_stored_with_care(tmp_path: Path) -> None:
    """0700 and 0600 whatever the umask, replaced as a whole, and no link is followed."""
    root = tmp_path / "a" / "b"
    assert read_release_channel(root) is None
    before = os.umask(0)
    try:
        write_release_channel(root, STORED)
    finally:
        os.umask(before)
    path = root / "release-channel.json"
    assert (root.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert read_release_channel(root) == STORED
    other = STORED.model_copy(update={"by": "eve"})
    write_release_channel(root, other)
    assert read_release_channel(root) == other
    assert sorted(each.name for each in root.iterdir()) == [".lock", "release-channel.json"]
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="symbolic link"):
        read_release_channel(root)
    write_release_channel(root, other)
    assert not (tmp_path / "elsewhere").exists()
    assert read_release_channel(root) == other


def test_many_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    """Writers wait for each other; who reads meanwhile sees one of the values, never half of it."""
    values = [STORED.model_copy(update={"by": name * 5000}) for name in "abcdef"]
    seen: list[ReleaseChannel | None] = []
    writers = [
        threading.Thread(target=write_release_channel, args=(tmp_path, value)) for value in values
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.append(read_release_channel(tmp_path))
    assert all(value is None or value in values for value in seen)
    assert read_release_channel(tmp_path) in values
