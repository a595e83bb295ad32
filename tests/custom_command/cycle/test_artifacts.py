"""The output that a record cuts is kept beside it as it was, and forgotten when it has expired."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract.channel import ArtifactEntry
from tau_custom_command.contract.writes import AppendLines
from tau_custom_command.cycle.artifacts import (
    Attempt,
    artifacts_of,
    index_writes,
    retained,
    shortened,
)
from tau_custom_command.cycle.execution import MOST_TEXT_BYTES, Ended, Stream

NOW = 1_767_225_600_000
DAY = 24 * 60 * 60 * 1000
LONG = b"\xff\0long\n" * MOST_TEXT_BYTES
FOLDER = "channel-store/custom-command/greet"


ATTEMPT = Attempt("0000000000001-00000001-0a1b2c3d", 4, "RUN:greet:010", 2)


def ended_with(stdout: bytes = b"", stderr: bytes = b"") -> Ended:
    """Return the end of an attempt that wrote this."""
    return Ended(
        started=True,
        command_line="x",
        stdout=Stream(stdout, len(stdout)),
        stderr=Stream(stderr, len(stderr)),
    )


def kept(
    stdout: bytes, stderr: bytes = b"", *, attempt: Attempt = ATTEMPT, days: int | None = 30
) -> list[tuple[ArtifactEntry, bytes]]:
    """Return what is kept of an attempt that wrote this."""
    return list(artifacts_of(attempt, ended_with(stdout, stderr), now_unix_ms=NOW, days=days))


def line(path: str, expires_unix_ms: object = NOW, **more: object) -> bytes:
    """Return a line of an index that names a file."""
    fields: dict[str, object] = {
        "id": path,
        "run_id": "1",
        "artifact_type": "stdout",
        "relative_path": path,
        "bytes": 1,
        "checksum_sha256": "0" * 64,
        "created_unix_ms": 0,
        "expires_unix_ms": expires_unix_ms,
    }
    return ArtifactEntry(**fields | more).as_line()  # type: ignore[arg-type]  # wrong ones too


@given(st.integers(min_value=MOST_TEXT_BYTES - 2, max_value=MOST_TEXT_BYTES + 2))
def test_what_a_record_holds_whole_is_no_artifact(size: int) -> None:
    """And what is one byte longer is one."""
    stream = Stream(b"x" * size, size)
    assert (kept(stream.kept) != []) == ("truncated" in stream.text)


def test_each_stream_is_kept_as_it_was() -> None:
    """Undecoded, with the digest of the bytes in the file, and when it expires."""
    found = kept(LONG, LONG[1:])
    assert [entry.artifact_type for entry, _ in found] == ["stdout", "stderr"]
    for (entry, content), expected in zip(found, (LONG, LONG[1:]), strict=True):
        assert content == expected
        assert entry.run_id == "0000000000001-00000001-0a1b2c3d RUN:greet:010 2"
        assert (entry.bytes, entry.checksum_sha256) == (len(content), sha256(content).hexdigest())
        assert (entry.created_unix_ms, entry.expires_unix_ms) == (NOW, NOW + 30 * DAY)
        assert entry.relative_path == f"artifacts/{entry.id}.txt"
    assert found[0][0].id == "0000000000001-00000001-0a1b2c3d-4-2-stdout"


def test_without_days_it_never_expires() -> None:
    """Null says so."""
    entry = kept(LONG, days=None)[0][0]
    assert entry.expires_unix_ms is None
    assert retained(entry.as_line(), now_unix_ms=2**63 - 1) == (entry.as_line(), ())


def test_a_record_is_as_it_would_be_with_all_of_the_output() -> None:
    """What is stored beside it is no longer held in memory, and the text says the same."""
    ended = ended_with(LONG, b"short")
    short = shortened(ended, [entry for entry, _ in kept(LONG, b"short")])
    assert len(short.stdout.kept) <= MOST_TEXT_BYTES
    assert (short.stdout.text, short.stdout.size) == (ended.stdout.text, len(LONG))
    assert short.stderr == ended.stderr
    assert [entry.artifact_type for entry in short.artifacts] == ["stdout"]
    assert short._replace(stdout=ended.stdout, artifacts=()) == ended


def test_the_index_names_the_artifacts_of_all_attempts() -> None:
    """In their order; where there are none, there need be no index."""
    entries = [entry for entry, _ in kept(LONG, LONG)]
    attempts = [shortened(ended_with(LONG), [entry]) for entry in entries]
    lines = tuple(entry.as_line() for entry in entries)
    assert list(index_writes("greet", [ended_with(), *attempts])) == [
        AppendLines(path=f"{FOLDER}/artifacts/index.jsonl", lines=lines)
    ]
    assert list(index_writes("greet", [ended_with()])) == []


@given(st.lists(st.integers(min_value=0), min_size=4, max_size=4))
def test_every_attempt_has_files_of_its_own(numbers: list[int]) -> None:
    """They are known before it ends, and retention takes them for what they are."""
    attempts = [ATTEMPT._replace(place=a, number=b) for a, b in (numbers[:2], numbers[2:])]
    files = [{*attempt.files("greet")} for attempt in attempts]
    assert (files[0] == files[1]) == (attempts[0] == attempts[1])
    for attempt, of_it in zip(attempts, files, strict=True):
        for entry, _ in kept(LONG, LONG, attempt=attempt):
            path = f"{FOLDER}/{entry.relative_path}"
            assert {path, f"{path}.new"} <= of_it
            found = retained(entry.as_line(), now_unix_ms=NOW + 30 * DAY)
            assert tuple(found) == (b"", (entry.relative_path,))


def test_a_cycle_of_another_name_has_no_files() -> None:
    """Whatever a journal says that was tampered with, it leads nowhere."""
    assert ATTEMPT._replace(cycle_id="../../x").files("greet") == ()


def test_what_has_expired_goes_and_nothing_else() -> None:
    """To the millisecond; the order of the rest stays, and so does a torn end."""
    old, new = line("artifacts/a.txt"), line("artifacts/b.txt", NOW + 1)
    index = new + old + line("artifacts/c.txt", None) + b'{"torn'
    found = retained(index, now_unix_ms=NOW)
    assert tuple(found) == (index.replace(old, b""), ("artifacts/a.txt",))
    assert retained(found.rest, now_unix_ms=NOW) == (found.rest, ())


def test_a_file_that_another_line_names_stays() -> None:
    """It goes with the last line that names it."""
    index = line("artifacts/a.txt") + line("artifacts/a.txt", NOW + 1)
    first = retained(index, now_unix_ms=NOW)
    assert tuple(first) == (line("artifacts/a.txt", NOW + 1), ())
    assert retained(first.rest, now_unix_ms=NOW + 1) == (b"", ("artifacts/a.txt",))
    twice = line("artifacts/a.txt") * 2
    assert retained(twice, now_unix_ms=NOW) == (b"", ("artifacts/a.txt",))


@pytest.mark.parametrize(
    "line_kept",
    [
        line("artifacts/index.jsonl"),
        line("artifacts/.txt"),
        line("artifacts/../log.txt"),
        line("artifacts/a/b.txt"),
        line("artifacts/a\n.txt"),
        line("/etc/a.txt"),
        line("log.jsonl"),
        line("artifacts/ä.txt"),
        line("artifacts/a.txt", checksum_sha256="wrong"),
        line("artifacts/a.txt", bytes=True),
        line("artifacts/a.txt").replace(b'"id"', b'"id":"","id"'),
        line("artifacts/a.txt").replace(b"{", b'{"expires_unix_ms":1,'),
        line("artifacts/a.txt", expires_unix_ms="1"),
        b"no JSON\n",
        b"\xff\n",
        b"\n",
        b"[]\n",
        b"{}\n",
        line("artifacts/a.txt").rstrip(b"\n"),
    ],
)
def test_what_is_no_artifact_of_ours_is_never_removed(line_kept: bytes) -> None:
    """A path that leads elsewhere, a line of another form or a torn one stay as they are."""
    assert retained(line_kept, now_unix_ms=2**62) == (line_kept, ())
