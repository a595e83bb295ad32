"""The output that a record cuts is kept beside it as it was, and forgotten when it has expired."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract.channel import ArtifactEntry
from tau_custom_command.contract.writes import AppendLines, ReplaceFile, Write
from tau_custom_command.cycle.artifacts import artifact_writes, retained
from tau_custom_command.cycle.execution import MOST_TEXT_BYTES, Ended, Stream

NOW = 1_767_225_600_000
DAY = 24 * 60 * 60 * 1000
LONG = b"\xff\0long\n" * MOST_TEXT_BYTES
FOLDER = "channel-store/custom-command/greet"


def writes(
    stdout: bytes = b"", stderr: bytes = b"", *, run_id: str = "1", days: int | None = 30
) -> tuple[Write, ...]:
    """Return the writes that keep this output."""
    ended = Ended(
        started=True,
        command_line="x",
        stdout=Stream(stdout, len(stdout)),
        stderr=Stream(stderr, len(stderr)),
    )
    return tuple(artifact_writes("greet", run_id, ended, now_unix_ms=NOW, days=days))


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
    is_cut = "truncated" in stream.text
    assert (writes(stream.kept) != ()) == is_cut


def test_each_stream_is_kept_as_it_was() -> None:
    """Undecoded, with the digest of the bytes in the file, and when it expires."""
    out, err, index = writes(LONG, LONG[1:], run_id="cycle/../1")
    assert isinstance(out, ReplaceFile)
    assert isinstance(err, ReplaceFile)
    assert isinstance(index, AppendLines)
    assert index.path == f"{FOLDER}/artifacts/index.jsonl"
    entries = [ArtifactEntry.parse(each) for each in index.lines]
    for write, entry, kind, content in zip(
        (out, err), entries, ("stdout", "stderr"), (LONG, LONG[1:]), strict=True
    ):
        assert write == ReplaceFile(path=f"{FOLDER}/{entry.relative_path}", content=content)
        assert (entry.artifact_type, entry.run_id) == (kind, "cycle/../1")
        assert (entry.bytes, entry.checksum_sha256) == (len(content), sha256(content).hexdigest())
        assert (entry.created_unix_ms, entry.expires_unix_ms) == (NOW, NOW + 30 * DAY)
    assert len({entry.id for entry in entries} | {entry.relative_path for entry in entries}) == 4


def test_without_days_it_never_expires() -> None:
    """Null says so."""
    index = writes(LONG, days=None)[-1]
    assert isinstance(index, AppendLines)
    assert ArtifactEntry.parse(index.lines[0]).expires_unix_ms is None
    assert retained(index.lines[0], now_unix_ms=2**63 - 1) == (index.lines[0], ())


@given(st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=9))
def test_every_run_has_files_of_its_own(one: str, other: str) -> None:
    """Whatever is in its id, the path is one that retention takes for an artifact's."""
    paths = [{write.path for write in writes(LONG, LONG, run_id=run)} for run in (one, other)]
    assert (paths[0] == paths[1]) == (one == other)
    index = writes(LONG, run_id=one)[-1]
    assert isinstance(index, AppendLines)
    path = ArtifactEntry.parse(index.lines[0]).relative_path
    assert retained(index.lines[0], now_unix_ms=NOW + 30 * DAY) == (b"", (path,))


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
    "kept",
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
def test_what_is_no_artifact_of_ours_is_never_removed(kept: bytes) -> None:
    """A path that leads elsewhere, a line of another form or a torn one stay as they are."""
    assert retained(kept, now_unix_ms=2**62) == (kept, ())
