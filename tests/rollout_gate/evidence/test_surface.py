"""The evidence of a surface from the bytes of its files: whole, in place, and back to its start."""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tau_rollout_gate.contract.json_text import AT_ONCE
from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.evidence.history import RecordedHistory
from tau_rollout_gate.evidence.lines import LogPart, ReadLog, Segment, event_of
from tau_rollout_gate.evidence.surface import ReadState, assemble, read_state
from tau_rollout_gate.evidence.values import Flaw, SurfaceEvidence
from tests.rollout_gate.making import (
    ENTERED,
    HOUR,
    MINUTE,
    History,
    Json,
    digest,
    failed,
    pin,
    read_parts,
)

LOG = "runtime-events.jsonl"
BEGINNING = LogPosition(cycle_number=None, event_sha256=None)
CHAIN_KEYS: Json = {"cycle_id": None, "cycle_number": None, "previous_sha256": None}


def unchained(count: int = 5, **changes: Any) -> History:  # noqa: ANN401 - any JSON
    """Return a history of a writer that does not chain its events."""
    return History().every(MINUTE, count, **(CHAIN_KEYS | changes))


def state_of(history: History, **changes: object) -> ReadState:
    """Return the state of a history; `...` leaves a key out."""
    line = {"cycle_id": "-", "cycle_number": 1} | history.last()
    chained = History(lines=[json.dumps(line).encode() + b"\n"])
    value = chained.state()
    if "cycle_number" in history.last():
        value["last_cycle"]["event_sha256"] = digest(history.lines[-1])
    else:
        del value["last_cycle"]
    value |= changes
    kept = {key: item for key, item in value.items() if item is not ...}
    return read_state("state.json", [json.dumps(kept).encode()])


def log_of(pinned: SurfacePin, *files: bytes, problem: str | None = None) -> ReadLog:
    """Return a log as it is read from the beginning of its files, oldest first."""
    parts = []
    for rotation, content in zip(reversed(range(len(files))), files, strict=True):
        *lines, torn = content.split(b"\n")
        name = f"{LOG}.{rotation}" if rotation else LOG
        segment = segment_of(name, lines)
        whole = tuple(line + b"\n" for line in lines)
        parts.append(LogPart(path=name, offset=0, blocks=whole, torn=torn, segment=segment))
    segments = tuple(part.segment for part in parts if part.segment is not None)
    read = read_parts(parts, pinned)
    return ReadLog(path=LOG, parts=read, segments=segments, problem=problem)


def segment_of(path: str, lines: Sequence[bytes]) -> Segment | None:
    """Return how a file of these lines looks; None of one without any."""
    if not lines:
        return None
    first = event_of(lines[0])
    return Segment(
        path=path,
        first_sha256=digest(lines[0]),
        first_number=first and first.cycle_number,
        continues_sha256=first and first.previous_sha256,
        last_sha256=digest(lines[-1]),
    )


def evidence(
    history: History,
    *files: bytes,
    since: LogPosition | None = BEGINNING,
    state: ReadState | None = None,
    problem: str | None = None,
    **changes: Any,  # noqa: ANN401 - any field
) -> SurfaceEvidence:
    """Return the evidence of a history, or of other bytes in the place of its log."""
    pinned: SurfacePin = pin(**({"evidence_from": since, "phase_from": since} | changes))
    log = log_of(pinned, *(files or (b"".join(history.lines),)), problem=problem)
    return assemble(pinned, state or state_of(history), log)


def flaws(found: SurfaceEvidence) -> list[Flaw]:
    """Return what is wrong, without the words."""
    return [one.flaw for one in found.flaws]


def at(history: History, number: int, *cuts: int) -> LogPosition:
    """Return where the log stood after its line of this number; it was rotated after others."""
    return History(lines=history.lines[:number]).position(*cuts)


SIX = History().every(MINUTE, 6)
LINES = SIX.lines


def test_a_sound_log() -> None:
    """Every line since the position is a cycle in its place; nothing else is said."""
    found = evidence(SIX, since=at(SIX, 2), phase_from=at(SIX, 4))
    assert (found.flaws, found.warnings, found.is_chained) == ((), (), True)
    assert [cycle.line for cycle in found.cycles] == [3, 4, 5, 6]
    assert [cycle.sha256 for cycle in found.cycles] == [digest(line) for line in LINES[2:]]
    assert [cycle.line for cycle in found.phase_cycles] == [5, 6]
    assert found.end == found.newest == SIX.position()
    assert found.snapshot is not None
    assert found.snapshot.health.state == "healthy"


def test_the_inputs_are_the_window_alone() -> None:
    """Of the log, offset, length and digest are those of the bytes since the position."""
    found = evidence(SIX, b"".join(LINES[:4]), b"".join(LINES[4:]), since=at(SIX, 2))
    state, older, newer = found.inputs
    assert (state.path, state.offset) == ("state.json", None)
    assert state.sha256 == state_of(SIX).sha256
    assert read_state("x", [b"{", b"not", b" JSON"]).sha256 == sha256(b"{not JSON").hexdigest()
    pieces = [b"{", b"!" * AT_ONCE, b"rest"]
    assert read_state("x", pieces).sha256 == sha256(b"".join(pieces)).hexdigest()
    window = b"".join(LINES[2:4])
    assert (older.path, older.offset, older.length) == (
        f"{LOG}.1",
        len(b"".join(LINES[:2])),
        len(window),
    )
    assert older.sha256 == sha256(window).hexdigest()
    assert (newer.path, newer.offset, newer.length) == (LOG, 0, len(b"".join(LINES[4:])))
    after = evidence(SIX, b"".join(LINES[:4]), b"".join(LINES[4:]), since=at(SIX, 6, 4))
    assert [(one.path, one.offset, one.length) for one in after.inputs[1:]] == [
        (LOG, len(b"".join(LINES[4:])), 0)
    ]
    later = evidence(SIX, b"".join(LINES[:4]), b"".join(LINES[4:]) + b"{", since=at(SIX, 4))
    assert [one.path for one in later.inputs] == ["state.json", LOG]
    assert later.inputs[1].sha256 == sha256(b"".join(LINES[4:]) + b"{").hexdigest()


def test_before_canary_1_there_is_no_evidence_but_the_end_of_the_log() -> None:
    """The position to record is known, and that the writer chains; no line is judged."""
    found = evidence(SIX, since=None, name="other", is_chained=False)
    assert (found.cycles, found.flaws, found.is_chained) == ((), (), True)
    assert found.end == found.newest == SIX.position()
    assert [one.path for one in found.inputs] == ["state.json"]


def test_the_end_of_the_log_may_be_an_invalid_line() -> None:
    """Then its digest is the position, and what follows has to follow it."""
    broken = b'{"not": "a cycle"}\n'
    found = evidence(SIX, b"".join(LINES) + broken, since=at(SIX, 5))
    assert found.end is not None
    assert (found.end.event_sha256, found.end.cycle_number) == (digest(broken), None)
    since = found.end
    history = History(lines=[*LINES, broken]).add(ENTERED + 9 * MINUTE)
    assert evidence(history, since=since).flaws == ()
    other = [*LINES, broken, History(lines=[*LINES, b"x\n"]).add(ENTERED + 9 * MINUTE).lines[-1]]
    assert flaws(evidence(history, b"".join(other), since=since))[0] is Flaw.CHAIN_BROKEN


BAD_STATE = read_state("state.json", [b"{}"])
NO_STATE = ReadState(path="state.json")
NO_RIGHTS = ReadState(path="state.json", problem="cannot be read: Permission denied")
OTHER = History().every(MINUTE, 6, cycle_duration_ms=99)


def health(**changes: object) -> ReadState:
    """Return the state of the six cycles with something else in its health."""
    return state_of(SIX, health=SIX.state()["health"] | changes)


def last_cycle(**changes: object) -> ReadState:
    """Return the state of the six cycles with something else in its last cycle."""
    return state_of(SIX, last_cycle=SIX.state()["last_cycle"] | changes)


@pytest.mark.parametrize(
    ("state", "expected", "words"),
    [
        (NO_STATE, [Flaw.NO_FILES], "does not exist"),
        (NO_RIGHTS, [Flaw.INVALID_STATE], "Permission denied"),
        (BAD_STATE, [Flaw.INVALID_STATE], "schema_version"),
        (state_of(SIX, last_cycle=...), [Flaw.INVALID_STATE], "last_cycle"),
        (state_of(OTHER), [Flaw.DISAGREES], "names cycle 6"),
        (state_of(History(lines=LINES[:4])), [Flaw.DISAGREES], "names cycle 4"),
        (state_of(History(lines=LINES[:5])), [], ""),
        (health(failure_streak=1), [Flaw.DISAGREES], "health.failure_streak is 1, but 0"),
        (health(queue_depth=1), [Flaw.DISAGREES], "health.queue_depth"),
        (health(last_cycle_failed=1), [Flaw.DISAGREES], "health.last_cycle_failed"),
        (health(last_cycle_duplicates=1), [Flaw.DISAGREES], "health.last_cycle_duplicates"),
        (health(updated_unix_ms=1), [Flaw.DISAGREES], "health.updated_unix_ms"),
        (health(active_runs=1, last_cycle_discovered=9), [], ""),
        (last_cycle(cycle_number=5), [Flaw.DISAGREES], "last_cycle.cycle_number is 5, but 6"),
        (last_cycle(cycle_id="other"), [Flaw.DISAGREES], "last_cycle.cycle_id"),
    ],
)
def test_a_state_that_does_not_belong_to_its_log(
    state: ReadState, expected: list[Flaw], words: str
) -> None:
    """It may name either of the last two lines; the numbers of the last one are its own."""
    found = evidence(SIX, state=state)
    assert flaws(found) == expected
    assert words in "".join(one.detail for one in found.flaws)
    assert (found.snapshot is None) is bool({Flaw.NO_FILES, Flaw.INVALID_STATE} & set(expected))


@pytest.mark.parametrize("last", [[5, 5], [5, 4]], ids=["twice", "swapped"])
def test_a_line_ahead_continues_the_one_that_the_state_names(last: list[int]) -> None:
    """Any other was not written after it: the last line twice, or the last two swapped."""
    log = b"".join([*LINES[:4], *(LINES[at] for at in last)])
    found = evidence(SIX, log, state=state_of(SIX))
    (told,) = (one.detail for one in found.flaws if one.flaw is Flaw.DISAGREES)
    assert told == "the log's last line does not continue the one that last_cycle names"


def test_agreement_just_after_a_rotation() -> None:
    """The last two lines may lie in the rotated file, or in both."""
    older = state_of(History(lines=LINES[:5]))
    assert evidence(SIX, b"".join(LINES), b"").flaws == ()
    assert evidence(SIX, b"".join(LINES[:5]), LINES[5], state=older).flaws == ()


def test_the_last_line_may_be_ahead_without_its_duplicates_told() -> None:
    """A key that a line need not have is not compared."""
    history = History().every(MINUTE, 3, duplicate_skips=None)
    state = state_of(history, health=history.state()["health"] | {"last_cycle_duplicates": 7})
    assert evidence(history, state=state).flaws == ()


def edited(lines: Sequence[bytes], index: int, old: bytes, new: bytes) -> bytes:
    """Return a log in which some bytes of a line are others."""
    assert old in lines[index]
    return b"".join((*lines[:index], lines[index].replace(old, new), *lines[index + 1 :]))


def chain_with(timestamp_unix_ms: int = ENTERED + 4 * MINUTE, **changes: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Return a log whose fourth line has something else, and whose digests fit all the same."""
    history = History().every(MINUTE, 3).add(timestamp_unix_ms, **changes)
    return b"".join(history.every(MINUTE, 2, after=ENTERED + 4 * MINUTE).lines)


@pytest.mark.parametrize(
    ("log", "expected", "lines"),
    [
        (edited(LINES, 3, b'"1.4.0"', b'"9.9.9"'), [Flaw.CHAIN_BROKEN], [5]),
        (b"".join((*LINES[:3], *LINES[4:])), [Flaw.CHAIN_BROKEN], [4]),
        (edited(LINES, 3, b"{", b"["), [Flaw.INVALID_LINE, Flaw.CHAIN_BROKEN], [4, 5]),
        (chain_with(cycle_number=9), [Flaw.CHAIN_BROKEN] * 2, [4, 5]),
        (chain_with(cycle_id=SIX.last()["cycle_id"]), [Flaw.LOG_REWRITTEN], [6]),
        (chain_with(cycle_id=json.loads(LINES[1])["cycle_id"]), [Flaw.LOG_REWRITTEN], [4]),
        (chain_with(**CHAIN_KEYS), [Flaw.CHAIN_BROKEN], [4]),
        (chain_with(timestamp_unix_ms=ENTERED), [Flaw.CLOCK_BACKWARDS], [4]),
        (chain_with(failed_cases=1), [Flaw.INVALID_LINE], [4]),
        (chain_with(cycle_id=""), [Flaw.INVALID_LINE], [4]),
        (b"".join(LINES) + b'{"to', [Flaw.TORN_TAIL], [7]),
        (b"".join(LINES)[:-1], [Flaw.TORN_TAIL, Flaw.DISAGREES], [6, None]),
        (b"", [Flaw.DISAGREES], [None]),
    ],
)
def test_a_line_that_is_wrong(log: bytes, expected: list[Flaw], lines: list[int | None]) -> None:
    """Each kind of damage is told as itself, with the line to look at."""
    *_, last = log.split(b"\n")[:-1] or [b""]
    is_end_known = expected[-1:] != [Flaw.DISAGREES] and last.endswith(b"}")
    state = state_of(History(lines=[last + b"\n"])) if is_end_known else state_of(SIX)
    found = evidence(SIX, log, state=state)
    assert flaws(found) == expected
    assert [one.line for one in found.flaws] == lines
    assert all(one.detail for one in found.flaws)


def test_a_flaw_says_which_cycle_it_is() -> None:
    """The cycle and its time are told, where the line tells them."""
    (found,) = evidence(SIX, b"".join((*LINES[:3], *LINES[4:]))).flaws
    fifth = json.loads(LINES[4])
    assert (found.cycle_id, found.timestamp_unix_ms) == (fifth["cycle_id"], ENTERED + 5 * MINUTE)
    assert digest(LINES[3])[:12] in found.detail
    assert digest(LINES[2])[:12] in found.detail


def test_a_line_that_breaks_the_chain_is_still_a_cycle() -> None:
    """It may fire a trigger."""
    log = edited(LINES, 3, b'"1.4.0"', b'"9.9.9"')
    assert len(evidence(SIX, log).cycles) == 6


def test_the_clock_is_held_to_the_line_before_the_evidence() -> None:
    """The first cycle may not be earlier than the line of the position."""
    history = History().every(MINUTE, 3).add(ENTERED)
    assert flaws(evidence(history, since=at(history, 3))) == [Flaw.CLOCK_BACKWARDS]
    around = b"".join((*LINES[:3], b"x\n", history.lines[3]))
    last = [Flaw.INVALID_LINE, Flaw.CHAIN_BROKEN, Flaw.CLOCK_BACKWARDS]
    assert flaws(evidence(history, around)) == last
    same = History().every(MINUTE, 3).add(ENTERED + 3 * MINUTE)
    assert evidence(same, since=at(same, 3)).flaws == ()


@pytest.mark.parametrize(
    ("files", "since", "expected", "cycles"),
    [
        ([LINES[2:]], BEGINNING, Flaw.SEGMENT_MISSING, 4),
        ([LINES[2:]], at(SIX, 2), None, 4),
        ([LINES[3:]], at(SIX, 2), Flaw.SEGMENT_MISSING, 3),
        ([LINES[:2] + LINES[3:]], at(SIX, 3), Flaw.LOG_REWRITTEN, 3),
        ([LINES], at(OTHER, 3), Flaw.LOG_REWRITTEN, 3),
        ([LINES[:2], LINES[2:]], at(SIX, 4, 2), None, 2),
        ([LINES[:2], LINES[2:]], at(SIX, 4), Flaw.LOG_REWRITTEN, 2),
        ([LINES[:4], LINES[4:]], at(SIX, 2), None, 4),
        ([LINES[:4], [], LINES[4:]], at(SIX, 2), None, 4),
    ],
)
def test_where_the_evidence_starts(
    files: list[list[bytes]], since: LogPosition, expected: Flaw | None, cycles: int
) -> None:
    """It starts after its line, wherever that was rotated to; a gap before the first line shows."""
    found = evidence(SIX, *(b"".join(lines) for lines in files), since=since)
    assert flaws(found) == ([] if expected is None else [expected])
    assert len(found.cycles) == cycles


def test_a_log_that_was_begun_anew_is_judged_as_a_whole() -> None:
    """Its numbers start over: by them alone its cycles would count as older than the evidence."""
    anew = History().every(MINUTE, 3, after=ENTERED + HOUR, **failed(streak=1))
    found = evidence(anew, since=at(SIX, 5))
    assert (flaws(found), len(found.cycles)) == ([Flaw.LOG_REWRITTEN], 3)


def test_the_time_before_the_evidence_outlives_its_line() -> None:
    """Where the pinned line is damaged, the next one is held to the time that was pinned."""
    log = b"".join((*LINES[:3], b"x\n"))
    since = LogPosition(
        cycle_number=None, event_sha256=digest(b"x"), timestamp_unix_ms=ENTERED + 3 * MINUTE
    )
    found = evidence(SIX, log + LINES[0], since=since)
    assert Flaw.CLOCK_BACKWARDS in flaws(found)
    end = evidence(SIX, log, since=since).end
    assert end is not None
    assert end.timestamp_unix_ms == ENTERED + 3 * MINUTE


def test_the_end_of_a_log_without_a_chain_cannot_be_cut() -> None:
    """The state takes over the time of the last line: a newer one tells of lines that are gone."""
    history = unchained()
    cut = b"".join(history.lines[:-1])
    found = evidence(history, cut, is_chained=False, name="voice")
    assert flaws(found) == [Flaw.DISAGREES]
    assert "lines are missing at its end" in found.flaws[0].detail
    ahead = History(lines=history.lines[:-1])
    assert flaws(evidence(history, state=state_of(ahead), is_chained=False, name="voice")) == []


def test_a_position_without_a_number_that_is_lost() -> None:
    """Where nothing tells which lines are older, all may be evidence."""
    found = evidence(SIX, since=LogPosition(cycle_number=None, event_sha256="0" * 64))
    assert (flaws(found), len(found.cycles)) == ([Flaw.LOG_REWRITTEN], 6)


@pytest.mark.parametrize("since", [BEGINNING, LogPosition(cycle_number=1, event_sha256="0" * 64)])
def test_older_lines_that_cannot_be_read(since: LogPosition) -> None:
    """What stopped the reading is said."""
    log = b"".join(LINES[3:])
    (found,) = evidence(SIX, log, since=since, problem="x.1 cannot be read: no").flaws
    assert (found.flaw, found.detail) == (Flaw.SEGMENT_MISSING, "x.1 cannot be read: no")
    reached = evidence(SIX, log, since=at(SIX, 5, 3), problem="x.1 cannot be read: no")
    assert reached.flaws == ()


def test_an_empty_log_was_rewritten() -> None:
    """Emptied since the entry, the line of the position is gone."""
    expected = [Flaw.LOG_REWRITTEN, Flaw.DISAGREES]
    assert flaws(evidence(SIX, b"", since=at(SIX, 2))) == expected


def test_an_invalid_first_line() -> None:
    """It is told as such; nothing is known of what it followed."""
    found = flaws(evidence(SIX, b"x\n" + b"".join(LINES)))
    assert found == [Flaw.INVALID_LINE, Flaw.CHAIN_BROKEN]


def test_a_first_line_that_follows_something() -> None:
    """Number 1 follows nothing."""
    log = edited(LINES[:1], 0, b'"previous_sha256":null', b'"previous_sha256":"' + b"0" * 64 + b'"')
    history = History(lines=[log])
    assert flaws(evidence(history)) == [Flaw.CHAIN_BROKEN]


def test_a_state_that_names_an_invalid_line() -> None:
    """The line is told as such; there is nothing in it to compare."""
    named = last_cycle(event_sha256=digest(b"x"))
    assert flaws(evidence(SIX, b"".join(LINES) + b"x\n", state=named)) == [Flaw.INVALID_LINE]


def test_a_phase_whose_line_is_gone() -> None:
    """The phase's position has to be in the window as well; it may be an invalid line."""
    assert flaws(evidence(SIX, since=at(SIX, 2), phase_from=at(OTHER, 4))) == [Flaw.LOG_REWRITTEN]
    found = evidence(SIX, b"".join(LINES) + b"x\n", since=at(SIX, 2))
    assert found.end is not None
    assert found.end.event_sha256 == digest(b"x")
    found = evidence(SIX, b"".join(LINES) + b"x\n", since=at(SIX, 2), phase_from=found.end)
    assert (found.phase_start, flaws(found)) == (4, [Flaw.INVALID_LINE])


def test_of_many_invalid_lines_in_a_row_all_are_told() -> None:
    """The first and the last are kept, and how many; one that is pinned is found among them."""
    junk = [b"%d\n" % number for number in range(50)]
    lines = [*LINES[:3], *junk, *LINES[3:]]
    found = evidence(SIX, b"".join(lines))
    invalid = [one for one in found.flaws if one.flaw is Flaw.INVALID_LINE]
    assert [(one.line, one.times, one.lost) for one in invalid] == [
        (4, 49, 49),
        (53, 1, 1),
    ]
    assert [cycle.line for cycle in found.cycles] == [1, 2, 3, 54, 55, 56]
    pinned = evidence(SIX, b"".join(lines[:24])).end
    assert pinned is not None
    raw = b"".join(lines)
    accepted = evidence(SIX, raw, phase_from=pinned, sound_from=pinned)
    for later in (accepted, evidence(SIX, raw, since=pinned)):
        invalid = [one for one in later.flaws if one.flaw is Flaw.INVALID_LINE]
        assert (invalid[0].line, sum(one.times for one in invalid)) == (25, 29)
        assert len(later.phase_cycles) == 3


def test_no_log_at_all() -> None:
    """No file is one flaw, and nothing else follows from it."""
    state = state_of(SIX)
    nothing = ReadLog(path=LOG, parts=())
    (found,) = assemble(pin(evidence_from=at(SIX, 2)), state, nothing).flaws
    assert (found.flaw, found.detail, found.file) == (Flaw.NO_FILES, f"{LOG} does not exist", LOG)
    unreadable = ReadLog(path=LOG, parts=(), problem="cannot be read: no")
    (found,) = assemble(pin(), state, unreadable).flaws
    assert (found.flaw, found.detail) == (Flaw.NO_FILES, "cannot be read: no")
    both = assemble(pin(), NO_STATE, nothing)
    assert [(one.flaw, one.file) for one in both.flaws] == [
        (Flaw.NO_FILES, "state.json"),
        (Flaw.NO_FILES, LOG),
    ]
    assert (both.end, both.inputs) == (None, ())


def test_a_file_that_was_rotated_in_the_middle_of_a_line() -> None:
    """Nobody will complete or cut it: it is an invalid line, and the chain goes on around it."""
    found = evidence(SIX, b"".join(LINES[:4]) + b'{"to', b"".join(LINES[4:]))
    assert [(one.flaw, one.file, one.line) for one in found.flaws] == [
        (Flaw.INVALID_LINE, f"{LOG}.1", 5)
    ]
    older = evidence(SIX, b"".join(LINES[:4]) + b'{"to', b"".join(LINES[4:]), since=at(SIX, 5, 4))
    assert older.flaws == ()


def middle(first_number: int | None, *lines: bytes) -> SurfaceEvidence:
    """Return the evidence where the beginning of the file was not read."""
    segment = Segment(path=LOG, first_sha256=digest(LINES[0]), first_number=first_number)
    part = LogPart(path=LOG, offset=len(LINES[0]), blocks=[b"".join(lines)], segment=segment)
    since = at(SIX, 2)
    pinned = pin(evidence_from=since, phase_from=since)
    log = ReadLog(path=LOG, parts=read_parts([part], pinned), segments=(segment,))
    return assemble(pinned, state_of(SIX), log)


def test_lines_are_placed_by_number_where_the_beginning_was_not_read() -> None:
    """By the first line's number and that of the first one read; no guess without them."""
    assert [cycle.line for cycle in middle(1, *LINES[1:]).cycles] == [3, 4, 5, 6]
    rotated_late = History().every(MINUTE, 9)
    assert rotated_late.lines[:6] == LINES
    assert [cycle.line for cycle in middle(2, *LINES[1:]).cycles] == [None] * 4
    assert [cycle.line for cycle in middle(None, *LINES[1:]).cycles] == [None] * 4
    assert [cycle.line for cycle in middle(1, b"x\n", *LINES[2:]).cycles] == [None] * 4
    gap = middle(1, *LINES[1:3], *LINES[4:])
    assert [cycle.line for cycle in gap.cycles] == [3, 4, 5]
    doubled = middle(1, LINES[1], b"x\n", *LINES[2:])
    assert [one.line for one in doubled.flaws] == [3, 4]
    segment = Segment(path=LOG, first_sha256=digest(LINES[0]), first_number=1)
    torn = LogPart(path=LOG, offset=len(LINES[0]), blocks=LINES[1:2], torn=b"{", segment=segment)
    since = at(SIX, 2)
    pinned = pin(evidence_from=since, phase_from=since)
    log = ReadLog(path=LOG, parts=read_parts([torn], pinned))
    found = assemble(pinned, state_of(SIX), log)
    assert found.flaws[0].line == 3


def test_a_writer_that_does_not_chain() -> None:
    """Its answer says what is not seen; state and line are held to the same health only."""
    history = unchained()
    values: Json = {"name": "voice", "is_chained": False}
    found = evidence(history, since=at(history, 2), **values)
    assert (found.flaws, len(found.cycles), found.is_chained) == ((), 3, False)
    assert "voice: its writer does not chain its events" in found.warnings[0]
    ill = History(lines=list(history.lines)).add(
        ENTERED + 9 * MINUTE, **CHAIN_KEYS, **failed(streak=1)
    )
    (flaw,) = evidence(ill, state=state_of(history), **values).flaws
    assert flaw.flaw is Flaw.DISAGREES
    assert "healthy" in flaw.detail
    assert "degraded" in flaw.detail
    emptied = evidence(history, b"", **values)
    assert (emptied.flaws, emptied.warnings) == ((), ())
    damaged = evidence(history, b"".join(history.lines) + b"x\n", **values)
    assert flaws(damaged) == [Flaw.INVALID_LINE]
    lost = LogPosition(cycle_number=None, event_sha256="0" * 64)
    assert flaws(evidence(history, since=lost, **values)) == [Flaw.LOG_REWRITTEN]


@pytest.mark.parametrize(
    ("history", "state", "changes", "expected"),
    [
        (unchained(), None, {"is_chained": True, "name": "voice"}, Flaw.INVALID_STATE),
        (unchained(), None, {"is_chained": False, "name": "custom-command"}, Flaw.INVALID_STATE),
        (unchained(), state_of(SIX), {"is_chained": False, "name": "voice"}, Flaw.DISAGREES),
        (
            History(lines=[*LINES[:3]]).every(MINUTE, 3, after=ENTERED + 3 * MINUTE, **CHAIN_KEYS),
            None,
            {"is_chained": False, "name": "voice"},
            Flaw.INVALID_STATE,
        ),
    ],
    ids=["pinned", "by-name", "by-state", "by-line"],
)
def test_a_writer_that_once_chained_must_for_good(
    history: History, state: ReadState | None, changes: Json, expected: Flaw
) -> None:
    """Whatever tells that it does: lines without the keys break the chain."""
    found = evidence(history, state=state, **changes)
    assert found.is_chained
    assert {expected, Flaw.CHAIN_BROKEN} <= set(flaws(found))
    assert found.warnings == ()


def test_codes_that_are_not_known() -> None:
    """They are a warning for the custom command, whose codes are all known, and bounded."""
    codes = [f"code_{number:02}{'x' * 99}" for number in range(15)]
    history = History().every(MINUTE, 2, reason_codes=["healthy_cycle", *codes])
    (warning,) = evidence(history).warnings
    assert warning.startswith("custom-command: reason codes that are not known: code_00xxx")
    assert len(warning) < 800
    assert evidence(history, name="voice").warnings == ()


def recorded(lines: Sequence[bytes]) -> LogPart:
    """Return the lines as a file that was read whole."""
    return LogPart(path="recorded.jsonl", offset=0, blocks=tuple(line + b"\n" for line in lines))


def test_a_recorded_history_is_stepped_through() -> None:
    """With each cycle comes what is wrong up to the next; nothing is said of a state."""
    log = [line.removesuffix(b"\n") for line in (b"y", *LINES[:3], b"x\n", *LINES[3:])]
    history = RecordedHistory("custom-command", [recorded(log)])
    assert len(history) == 8
    assert history.is_chained
    moments = list(history.moments())
    assert [cycle.sha256 for cycle, _ in moments] == [digest(line) for line in LINES]
    told = [
        (number, one.flaw, one.line)
        for number, (_, found) in enumerate(moments, 1)
        for one in found
    ]
    assert told == [
        (1, Flaw.INVALID_LINE, 1),
        (1, Flaw.CHAIN_BROKEN, 2),
        (3, Flaw.INVALID_LINE, 5),
        (4, Flaw.CHAIN_BROKEN, 6),
    ]
    assert list(RecordedHistory("voice", [recorded([b"x"])]).moments()) == []


def test_a_recorded_history_may_start_anywhere() -> None:
    """An excerpt of a log is a history."""
    log = [line.removesuffix(b"\n") for line in LINES[3:]]
    excerpt = RecordedHistory("custom-command", [recorded(log)])
    assert [found for _, found in excerpt.moments()] == [[], [], []]
    late = RecordedHistory("voice", [recorded([unchained(1).lines[0][:-1], *log])])
    ((_, (lacking,)), *_) = late.moments()
    assert "chain keys are missing" in lacking.detail
    without = [line.removesuffix(b"\n") for line in unchained().lines]
    assert not RecordedHistory("voice", [recorded(without)]).is_chained


Damage = Callable[[list[bytes], int, int], bytes]


def removed(lines: list[bytes], index: int, _: int) -> bytes:
    """Remove a line."""
    return b"".join(lines[:index] + lines[index + 1 :])


def altered(lines: list[bytes], index: int, byte: int) -> bytes:
    """Alter a byte."""
    line = bytearray(lines[index])
    line[byte % len(line)] ^= 1 + byte % 255
    return b"".join([*lines[:index], bytes(line), *lines[index + 1 :]])


def swapped(lines: list[bytes], index: int, other: int) -> bytes:
    """Swap two lines."""
    other = (index + 1 + other % (len(lines) - 1)) % len(lines)
    lines = list(lines)
    lines[index], lines[other] = lines[other], lines[index]
    return b"".join(lines)


def cut(lines: list[bytes], _: int, byte: int) -> bytes:
    """Cut the tail."""
    whole = b"".join(lines)
    return whole[: byte % len(whole)]


@settings(max_examples=300, deadline=None)
@given(
    damage=st.sampled_from([removed, altered, swapped, cut]),
    index=st.integers(0, 7),
    byte=st.integers(0, 1_000_000),
    since=st.integers(0, 6),
    is_state_behind=st.booleans(),
)
def test_no_damage_to_the_evidence_goes_unseen(
    damage: Damage, index: int, byte: int, since: int, *, is_state_behind: bool
) -> None:
    """Whatever is done to a line shows, but for a last one that the state does not cover yet."""
    history = History().every(MINUTE, 8)
    covered = len(history.lines) - is_state_behind
    state = state_of(History(lines=history.lines[:covered]))
    before, lines = history.lines[:since], history.lines[since:]
    damaged = damage(lines, index % len(lines), byte)
    found = evidence(history, b"".join(before) + damaged, since=at(history, since), state=state)
    if not found.flaws:
        assert is_state_behind
        digests = [cycle.sha256 for cycle in found.cycles]
        assert digests[: covered - since] == [digest(line) for line in lines[: covered - since]]


@given(cuts=st.sets(st.integers(1, 7), max_size=4), since=st.integers(0, 8), gone=st.integers(0, 4))
def test_rotated_files_are_one_log_and_a_missing_one_shows(
    cuts: set[int], since: int, gone: int
) -> None:
    """However a log was rotated, the cycles are the same; one file less is a flaw."""
    history = History().every(MINUTE, 8)
    ends = [0, *sorted(cuts), 8]
    files = [b"".join(history.lines[start:end]) for start, end in pairwise(ends)]
    position = at(history, since, *cuts)
    found = evidence(history, *files, since=position)
    one = evidence(history, since=at(history, since))
    assert found.flaws == ()
    assert found.end == history.position(*cuts)
    assert [cycle.sha256 for cycle in found.cycles] == [cycle.sha256 for cycle in one.cycles]
    gone %= len(files)
    if ends[gone + 1] > since:  # a file that the evidence lies in
        left = files[:gone] + files[gone + 1 :] or [b""]
        assert evidence(history, *left, since=position).flaws != ()
