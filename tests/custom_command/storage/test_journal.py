"""The journal's form: what was committed is read back as it was, or not at all."""

import os
import time
from hashlib import sha256
from pathlib import Path
from unittest.mock import ANY

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tau_custom_command.contract.writes import AppendAt, Change, ReplaceFile
from tau_custom_command.errors import StateUnusableError
from tau_custom_command.storage.journal import commit, noting, opened
from tau_custom_command.storage.journal_format import Journal, NoteKind, encode, note, parse
from tau_custom_command.storage.sync import NOT_TO_DISK

Batches = list[list[Change]]

NAMES = st.sampled_from(["a", "log.jsonl", "state.json", "..a", "x-1_Y", "..."])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"end " + b"0" * 64 + b"\n", b"tau-custom-command journal 1 batch\n"]),
)
NUMBERS = st.integers(min_value=0, max_value=2**59)
APPENDS = st.builds(
    AppendAt,
    path=PATHS,
    offset=NUMBERS,
    torn=CONTENTS,
    content=CONTENTS,
    identity=NUMBERS,
    rotated=NUMBERS,
)
REPLACEMENTS = st.builds(ReplaceFile, path=PATHS, content=CONTENTS, instead_of=NUMBERS)
BATCHES = st.lists(st.lists(st.one_of(APPENDS, REPLACEMENTS), max_size=4), max_size=3)


def bytes_of(batches: Batches) -> bytes:
    """Return a journal to which these batches were committed."""
    return b"".join(piece for batch in batches for piece in encode(batch))


def parsed(raw: bytes) -> Journal:
    """Return what a journal of these bytes holds."""
    return parse(lambda position, length: raw[position : position + length], len(raw))


def batches_in(raw: bytes) -> Batches:
    """Return the batches that a journal holds."""
    return in_batches(parsed(raw))


def in_batches(journal: Journal) -> Batches:
    """Return the changes in a journal, batch by batch."""
    return [list(journal._replace(batches=(batch,)).changes()) for batch in journal.batches]


@given(BATCHES)
def test_what_is_committed_is_read_back(batches: Batches) -> None:
    """Every change of every batch comes back as it was, in its order, and nothing is left over."""
    journal = parsed(bytes_of(batches))
    assert in_batches(journal) == batches
    assert list(journal.changes()) == [change for batch in batches for change in batch]
    assert journal.end == journal.size


@given(BATCHES, st.data())
def test_a_journal_that_is_cut_off_holds_fewer_batches(
    batches: Batches, data: st.DataObject
) -> None:
    """Whatever length a crash leaves: the first batches, whole, and never a part of one."""
    raw = bytes_of(batches)
    length = data.draw(st.integers(min_value=0, max_value=len(raw)))
    kept = batches_in(raw[:length])
    assert kept == batches[: len(kept)]
    assert raw.startswith(bytes_of(kept))
    assert parsed(raw[:length]).end == len(bytes_of(kept))
    assert (len(kept) == len(batches)) == (length == len(raw))


@given(BATCHES.filter(bool), st.data())
@settings(max_examples=300)
def test_a_journal_that_was_altered_holds_no_other_batch(
    batches: Batches, data: st.DataObject
) -> None:
    """Whichever byte is another one: the batches before it, or a refusal; never different ones."""
    raw = bytearray(bytes_of(batches))
    place = data.draw(st.integers(min_value=0, max_value=len(raw) - 1))
    raw[place] ^= data.draw(st.integers(min_value=1, max_value=255))
    try:
        kept = batches_in(bytes(raw))
    except StateUnusableError:
        return
    assert kept == batches[: len(kept)]
    assert len(bytes_of(kept)) <= place


@given(BATCHES, st.binary(max_size=200))
def test_garbage_at_the_end_is_not_committed(batches: Batches, garbage: bytes) -> None:
    """What a torn write or a loss of power leaves after the last batch is left out."""
    raw = bytes_of(batches)
    journal = parsed(raw + garbage)
    assert in_batches(journal) == batches
    assert (journal.end, journal.size) == (len(raw), len(raw) + len(garbage))


NOTES = st.tuples(st.sampled_from(NoteKind), CONTENTS)
PARTS = st.lists(st.one_of(NOTES, st.lists(REPLACEMENTS, max_size=2)), max_size=6)
Parts = list[tuple[NoteKind, bytes] | list[Change]]


def with_notes(parts: Parts) -> bytes:
    """Return a journal of these notes and batches."""
    return b"".join(note(*part) if isinstance(part, tuple) else bytes_of([part]) for part in parts)


def unsettled(parts: Parts) -> list[tuple[NoteKind, bytes]]:
    """Return the notes after the last batch."""
    notes: list[tuple[NoteKind, bytes]] = []
    for part in parts:
        if isinstance(part, tuple):
            notes.append(part)
        else:
            notes.clear()
    return notes


@given(PARTS, st.data())
def test_notes_are_read_back_until_a_batch_settles_them(parts: Parts, data: st.DataObject) -> None:
    """Whatever length a crash leaves: the first notes and batches, whole, never a part of one."""
    raw = with_notes(parts)
    length = data.draw(st.integers(min_value=0, max_value=len(raw)))
    for kept in range(len(parts), -1, -1):
        if len(with_notes(parts[:kept])) <= length:
            break
    journal = parsed(raw[:length])
    assert list(journal.notes()) == unsettled(parts[:kept])
    assert in_batches(journal) == [part for part in parts[:kept] if isinstance(part, list)]
    assert journal.end == len(with_notes(parts[:kept]))


@given(PARTS.filter(bool), st.data())
@settings(max_examples=300)
def test_a_note_that_was_altered_is_none(parts: Parts, data: st.DataObject) -> None:
    """Whichever byte is another one: nothing from there on counts, or the journal is refused."""
    raw = bytearray(with_notes(parts))
    place = data.draw(st.integers(min_value=0, max_value=len(raw) - 1))
    raw[place] ^= data.draw(st.integers(min_value=1, max_value=255))
    try:
        journal = parsed(bytes(raw))
    except StateUnusableError:
        return
    assert journal.end <= place
    assert parsed(bytes(raw)[: journal.end]) == journal._replace(read=ANY, size=journal.end)


@pytest.mark.parametrize(
    "line",
    [b"tau-custom-command journal 2 batch\n", b"tau-custom-command journal 1 intent\n"],
    ids=["form", "kind"],
)
@pytest.mark.parametrize("before", [[], [ReplaceFile(path="a", content=b"")]], ids=["", "after"])
def test_a_record_of_a_newer_version_is_refused(before: list[Change], line: bytes) -> None:
    """What a newer version committed is not taken for garbage, and thrown away."""
    with pytest.raises(StateUnusableError, match="does not know its 'tau-custom-command journal"):
        parsed((bytes_of([before]) if before else b"") + line)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "..", "../x", "a/../b", "a/./b", "a//b", "a/", "a\nb", "é", "a b"]
)
def test_no_path_leads_out_of_the_directory(path: str) -> None:
    """Neither is such a path ever committed, nor is it believed where a journal has it."""
    with pytest.raises(ValueError, match="no path in a state directory"):
        list(encode([ReplaceFile(path=path, content=b"x")]))
    forged = f"tau-custom-command journal 1 batch\nreplace 0 1 {path}\nx".encode()
    assert batches_in(forged + b"end %b\n" % sha256(forged).hexdigest().encode()) == []


@given(BATCHES)
def test_the_last_replacement_of_a_file_counts(batches: Batches) -> None:
    """Readers look through the journal: at the newest content that is committed."""
    expected = None
    for change in (change for batch in batches for change in batch):
        if isinstance(change, ReplaceFile) and change.path == "state.json":
            expected = change.content
    assert parsed(bytes_of(batches)).content_of("state.json") == expected


@pytest.mark.parametrize(
    ("found", "foreign"),
    [
        (b"", b""),
        (b"one\n", b""),
        (b"one\ntw", b""),
        (b"one\ntwo\n", b""),
        (b"one\ntwo\nthree\n", b""),
        (b"{torn", b""),
        (b"{torn and more", b"{torn and more"),
        (b"one\n\0\0\0\0", b"one\n\0\0\0\0"),
        (b"other\n", b"other\n"),
    ],
)
def test_what_somebody_else_wrote_is_told_apart(found: bytes, foreign: bytes) -> None:
    """Ours are any beginning of the lines, the torn end before them, and all of them with more."""
    change = AppendAt(path="log", offset=0, torn=b"{torn", content=b"one\ntwo\n")
    assert change.foreign(found) == foreign


def test_large_and_small_changes_are_committed_in_their_order(tmp_path: Path) -> None:
    """What is large is written as it is, and what is small together: each after the one before."""
    sizes = (10, 600_000, 10, 1_200_000, 300_000, 300_000, 500_000, 10)
    changes = [ReplaceFile(path=f"f{n}", content=b"%d" % n * m) for n, m in enumerate(sizes)]
    commit(tmp_path, changes, NOT_TO_DISK)
    commit(tmp_path, changes[:1], NOT_TO_DISK)
    with opened(tmp_path) as journal:
        assert tuple(journal.changes()) == (*changes, changes[0])


def test_the_time_of_a_journal_is_renewed_while_its_cycle_is_at_work(tmp_path: Path) -> None:
    """Also where nothing is noted, as while a command runs for long; and then no more.

    So a reader tells it from one whose runtime was killed (state-files.md, "A cycle at work").
    """
    journal, deadline = tmp_path / ".journal", time.monotonic() + 60
    with noting(tmp_path, NOT_TO_DISK, renewed_seconds=0.01):
        for _ in range(2):
            os.utime(journal, (1, 1))
            while journal.stat().st_mtime == 1:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    os.utime(journal, (1, 1))
    time.sleep(0.1)
    assert journal.stat().st_mtime == 1
