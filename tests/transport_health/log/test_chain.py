"""The chain of events: whole, absent, or broken at the first line that does not continue it."""

import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_transport_health.contract.event import Event, parse_event
from tau_transport_health.contract.state import State, parse_state
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.log.chain import IDS_KEPT, ChainVerifier
from tau_transport_health.log.chain_verdict import BreakKind, ChainBreak, ChainState, ChainVerdict
from tests.transport_health.running import UNHURRIED
from tests.transport_health.state_files import (
    chain,
    digest,
    event,
    failed,
    line_of,
    minimal_event,
    minimal_state,
    state_of,
)

LOG = "runtime-events.jsonl"
LINES = chain(6)


def state_at(line: bytes) -> State:
    """Return the state that belongs to a line."""
    return parse_state([json.dumps(state_of(line)).encode()], chained=True)


def with_last_cycle(line: bytes, **changes: object) -> State:
    """Return the state of a line, its last cycle changed."""
    value = state_of(line)
    value["last_cycle"] |= changes
    return parse_state([json.dumps(value).encode()], chained=True)


UNCHAINED_STATE = parse_state([json.dumps(minimal_state()).encode()], chained=False)


def read(line: bytes) -> Event | None:
    """Return the event in a line, or None where there is none."""
    try:
        return parse_event(line, chained=False)
    except TransportHealthError:
        return None


def verdict_on(
    lines: Iterable[bytes], state: State | None, afterwards: State | None = None
) -> ChainVerdict:
    """Return the verdict on the lines of one file: taken one by one, and those that are valid.

    However many of the valid ones are taken together, the verdict is the same.
    """
    lines = list(lines)
    verdicts = []
    for together in (1, 2, 3, len(lines)):
        verifier = ChainVerifier(state)
        for begin in range(0, len(lines), together or 1):
            take(verifier, lines[begin : begin + together], begin + 1)
        verdicts.append(verifier.verdict(afterwards or state))
    verifier = ChainVerifier(state)
    for number, line in enumerate(lines, start=1):
        verifier.take(LOG, number, line, read(line))
    verdict = verifier.verdict(afterwards or state)
    assert verdicts == [verdict] * len(verdicts)
    return verdict


def take(verifier: ChainVerifier, lines: Sequence[bytes], first_line: int) -> None:
    """Take lines, together if all are valid."""
    events = list(map(read, lines))
    if None not in events:
        raw = [line.removesuffix(b"\n") for line in lines]
        verifier.take_all(LOG, first_line, raw, events)
        return
    for number, (line, found) in enumerate(zip(lines, events, strict=True), start=first_line):
        verifier.take(LOG, number, line, found)


def break_in(lines: Sequence[bytes], state: State | None = None) -> ChainBreak:
    """Return where a log breaks that belongs to the six lines' state."""
    broken = verdict_on(lines, state or state_at(LINES[-1])).broken_at
    assert broken is not None
    return broken


@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_whole_chain(count: int) -> None:
    """What the runtime wrote is whole, from its first cycle to the state."""
    verdict = verdict_on(LINES[:count], state_at(LINES[count - 1]))
    assert (verdict.state, verdict.lines) == (ChainState.WHOLE, count)
    assert (verdict.first_cycle, verdict.last_cycle, verdict.missing_before) == (1, count, None)
    assert verdict.sentence == f"whole from cycle 1 to cycle {count}"


def test_it_goes_on_over_rotated_segments() -> None:
    """The chain is one over all files, oldest first; a break is named by its own file and line."""
    for lines, broken_at in (
        (LINES, None),
        ([*LINES[:3], LINES[4], LINES[5]], (LOG, 1)),
        ([LINES[0], LINES[2], LINES[3], LINES[4], LINES[5]], (f"{LOG}.2", 2)),
    ):
        verifier = ChainVerifier(state_at(LINES[-1]))
        segments = ((f"{LOG}.2", lines[:2]), (f"{LOG}.1", lines[2:3]), (LOG, lines[3:]))
        for file, segment in segments:
            for number, line in enumerate(segment, start=1):
                verifier.take(file, number, line, read(line))
        broken = verifier.verdict(None).broken_at
        assert (broken and (broken.file, broken.line)) == broken_at


def test_the_log_may_be_one_line_ahead() -> None:
    """A cycle that was cut off before its state was written is no break."""
    verdict = verdict_on(LINES, state_at(LINES[-2]))
    assert verdict.state is ChainState.WHOLE
    assert verdict.is_ahead
    assert verdict.sentence.endswith("the log is one cycle ahead of the state")


def test_older_history_may_be_gone() -> None:
    """A rotated log that is no longer there is said, and is no break."""
    verdict = verdict_on(LINES[3:], state_at(LINES[-1]))
    assert (verdict.state, verdict.missing_before) == (ChainState.WHOLE, 4)
    assert "history before cycle 4 is not here" in verdict.sentence


def test_without_a_state_the_end_is_not_compared() -> None:
    """Where there is no valid state, the lines are verified, and the answer says what is not."""
    verdict = verdict_on(LINES, None)
    assert verdict.state is ChainState.WHOLE
    assert not verdict.is_end_compared
    assert "its end cannot be compared" in verdict.sentence


def test_a_writer_that_does_not_chain() -> None:
    """Lines without chain keys are no chain, which is said, and nothing is broken."""
    verdict = verdict_on([line_of(minimal_event())] * 3, UNCHAINED_STATE)
    assert (verdict.state, verdict.broken_at) == (ChainState.NONE, None)
    assert "there is no chain" in verdict.sentence


def test_no_line_at_all() -> None:
    """An empty log of an unchained writer says that there is nothing to verify."""
    assert verdict_on([], UNCHAINED_STATE).sentence == "there is no line to verify"


@pytest.mark.parametrize("previous", [None, digest(line_of(minimal_event()))])
def test_a_writer_may_begin_to_chain(previous: str | None) -> None:
    """The first chained line may follow unchained ones, with or without their digest."""
    old = line_of(minimal_event())
    new = line_of(event(number=1) | {"previous_sha256": previous})
    verdict = verdict_on([old, new], state_at(new))
    assert (verdict.state, verdict.first_cycle) == (ChainState.WHOLE, 1)


def test_a_writer_may_not_stop_chaining() -> None:
    """A line without chain keys after chained ones is a break."""
    broken = break_in([*LINES[:2], line_of(minimal_event()), *LINES[2:]])
    assert (broken.kind, broken.line) == (BreakKind.UNCHAINED_LINE, 3)


def test_a_line_that_was_edited() -> None:
    """An altered line that still is valid shows at the next one, with both digests."""
    edited = LINES[2].replace(b'"applied_cases":3', b'"applied_cases":4')
    broken = break_in([*LINES[:2], edited, *LINES[3:]])
    assert (broken.kind, broken.file, broken.line) == (BreakKind.PREVIOUS_SHA256, LOG, 4)
    assert digest(edited)[:12] in broken.expected
    assert digest(LINES[2])[:12] in broken.found
    assert "altered" in broken.meaning
    assert broken.sentence.startswith(f"{LOG} line 4: expected previous_sha256 ")


def test_an_invalid_line_that_the_writer_wrote() -> None:
    """A line that breaks another rule, but has the digest that the next one names, is no break."""
    lines = chain(2, health_state="degraded")
    lines.append(line_of(event(number=3, previous=lines[-1])))
    assert read(lines[1]) is None
    assert verdict_on(lines, state_at(lines[-1])).state is ChainState.WHOLE


def test_an_invalid_first_line() -> None:
    """Where the first line cannot be read, the next one still vouches for its bytes."""
    lines = chain(1, health_state="degraded")
    lines.append(line_of(event(number=2, previous=lines[-1])))
    assert verdict_on(lines, state_at(lines[-1])).state is ChainState.WHOLE
    broken = break_in([b"altered\n", *LINES[1:]])
    assert (broken.kind, broken.line) == (BreakKind.PREVIOUS_SHA256, 2)


@pytest.mark.parametrize(
    ("kept", "line", "meaning"),
    [
        ([0, 1, 3, 4, 5], 3, "1 line is missing before it"),
        ([0, 4, 5], 2, "3 lines are missing before it"),
        ([0, 2, 1, 3, 4, 5], 2, "1 line is missing before it"),
        ([0, 1, 2, 2, 3, 4, 5], 4, "cycle 3 stands after cycle 3: lines were moved or put back"),
    ],
)
def test_lines_removed_moved_or_repeated(kept: list[int], line: int, meaning: str) -> None:
    """The first line that does not follow is named, and what seems to have happened."""
    broken = break_in([LINES[index] for index in kept])
    assert (broken.kind, broken.line) == (BreakKind.PREVIOUS_SHA256, line)
    assert broken.meaning == meaning


def test_only_the_first_break_is_named() -> None:
    """After a break everything is doubtful, so later ones are not told."""
    assert break_in([LINES[0], LINES[2], LINES[4], LINES[5]]).line == 2


@pytest.mark.parametrize(
    "first",
    [
        event(number=1) | {"previous_sha256": "0" * 64},
        event(number=2) | {"previous_sha256": None},
    ],
)
def test_a_beginning_that_is_none(first: dict[str, object]) -> None:
    """Only cycle 1 has no line before it, and it has none."""
    line = line_of(first)
    assert break_in([line]).kind is BreakKind.BEGINNING


def test_a_number_that_does_not_follow() -> None:
    """A writer that links rightly, but counts wrongly, is named as that."""
    line = line_of(event(number=4, previous=LINES[1]))
    broken = break_in([*LINES[:2], line])
    assert (broken.kind, broken.expected, broken.found) == (
        BreakKind.CYCLE_NUMBER,
        "cycle_number 3",
        "4",
    )


def test_an_id_that_stands_twice() -> None:
    """No two cycles have one id, as far back as they are remembered."""
    again = line_of(
        event(number=3, previous=LINES[1]) | {"cycle_id": json.loads(LINES[0])["cycle_id"]}
    )
    assert break_in([*LINES[:2], again]).kind is BreakKind.CYCLE_ID


def test_ids_are_remembered_in_bounded_memory() -> None:
    """What is remembered does not grow with the log."""
    lines = chain(IDS_KEPT + 1)
    again = {"cycle_id": json.loads(lines[0])["cycle_id"]}
    lines.append(line_of(event(number=IDS_KEPT + 2, previous=lines[-1]) | again))
    assert verdict_on(lines, state_at(lines[-1])).state is ChainState.WHOLE


@pytest.mark.parametrize(
    ("index", "state", "unread"),
    [(4, ChainState.UNREAD, (f"{LOG}.1",)), (3, ChainState.WHOLE, ()), (1, ChainState.BROKEN, ())],
)
def test_a_file_that_was_not_read(index: int, state: ChainState, unread: tuple[str, ...]) -> None:
    """It may hold the cycles that are missing, or none; a line of an older cycle cannot follow."""
    verifier = ChainVerifier(state_at(LINES[index]))
    for number, line in enumerate(LINES[:3], start=1):
        verifier.take(f"{LOG}.2", number, line, read(line))
    verifier.take_unread(f"{LOG}.1")
    verifier.take(LOG, 1, LINES[index], read(LINES[index]))
    verdict = verifier.verdict(None)
    assert (verdict.state, verdict.unread) == (state, unread)


def test_a_line_too_long_to_read() -> None:
    """A line of which only the beginning was read cannot be vouched for."""
    verifier = ChainVerifier(state_at(LINES[-1]))
    verifier.take(LOG, 1, LINES[0], read(LINES[0]))
    verifier.take_too_long(LOG, 2)
    verifier.take_too_long(LOG, 3)
    broken = verifier.verdict(None).broken_at
    assert broken is not None
    assert (broken.kind, broken.line) == (BreakKind.LINE_TOO_LONG, 2)


def test_a_last_line_that_was_edited() -> None:
    """An altered last line is not the one that the state names."""
    broken = break_in([*LINES[:5], LINES[5].replace(b'"recovered":false', b'"recovered":true')])
    assert (broken.kind, broken.line) == (BreakKind.END, 6)
    assert broken.meaning == "the last line was altered, or the state was"
    assert digest(LINES[5])[:12] in broken.expected


def test_last_lines_that_were_removed() -> None:
    """A log that ends before the state's cycle has lost lines."""
    broken = break_in(LINES[:4])
    assert (broken.kind, broken.line) == (BreakKind.END, 4)
    assert broken.meaning == "lines at the end are missing"
    assert "cycle 6" in broken.expected


def test_a_log_without_a_line_that_the_state_names() -> None:
    """A state that names a cycle needs a log, even an empty one is a break."""
    broken = break_in([])
    assert (broken.kind, broken.line, broken.found) == (BreakKind.END, None, "no line")
    assert broken.sentence.startswith(f"{LOG}: expected cycle 6")


def test_an_older_state_that_was_put_back() -> None:
    """A log that goes on for more than one line after the state's cycle is a break."""
    broken = break_in(LINES, state_at(LINES[2]))
    assert (broken.kind, broken.found) == (BreakKind.END, "3 lines")


@pytest.mark.parametrize("changes", [{"cycle_number": 5}, {"cycle_id": "another"}])
def test_a_state_whose_keys_are_not_the_lines(changes: dict[str, object]) -> None:
    """Number and id in the state must be those of the line that its digest names."""
    broken = break_in(LINES, with_last_cycle(LINES[-1], **changes))
    assert (broken.kind, broken.meaning) == (BreakKind.END, "the state was altered")


def test_an_invalid_last_line_has_its_digest_compared() -> None:
    """Where the last line cannot be read, the state still vouches for its bytes."""
    lines = chain(3, **failed(streak=1) | {"health_state": "healthy"})
    assert read(lines[-1]) is None
    assert verdict_on(lines, state_at(lines[-1])).state is ChainState.WHOLE


def test_a_chained_log_whose_state_names_no_cycle() -> None:
    """Whoever once chained must go on: the state has to name the last line."""
    verdict = verdict_on(LINES, UNCHAINED_STATE)
    assert verdict.broken_at is not None
    assert verdict.broken_at.found == "a state without last_cycle"


@pytest.mark.parametrize("afterwards", [4, 5])
def test_cycles_written_while_the_log_was_read(afterwards: int) -> None:
    """A log that went on meanwhile is whole, if the state went on with it."""
    verdict = verdict_on(LINES, state_at(LINES[1]), state_at(LINES[afterwards]))
    assert verdict.state is ChainState.WHOLE


def test_the_state_may_be_beyond_what_was_read() -> None:
    """Cycles after the log was read are in the state that was read last, and no break."""
    verdict = verdict_on(LINES[:5], state_at(LINES[1]), state_at(LINES[5]))
    assert verdict.state is ChainState.WHOLE


def test_a_later_state_must_be_of_this_log() -> None:
    """A state that was written meanwhile excuses nothing if it names another line."""
    other = with_last_cycle(LINES[5], event_sha256="0" * 64)
    assert verdict_on(LINES, state_at(LINES[1]), other).state is ChainState.BROKEN
    assert verdict_on(LINES, state_at(LINES[1]), UNCHAINED_STATE).state is ChainState.BROKEN


@UNHURRIED
@given(data=st.data())
def test_any_one_change_shows(data: st.DataObject) -> None:
    """Whatever byte of a line is altered, or line is removed or moved: the chain is not whole."""
    lines = list(LINES)
    index = data.draw(st.integers(0, 5))
    match data.draw(st.sampled_from(["alter", "remove", "move"])):
        case "alter":
            at = data.draw(st.integers(0, len(lines[index]) - 2))
            byte = data.draw(
                st.integers(0, 255).filter(lambda new: new not in {lines[index][at], 10})
            )
            lines[index] = lines[index][:at] + bytes([byte]) + lines[index][at + 1 :]
        case "remove":
            del lines[index]
        case _:
            line = lines.pop(index)
            lines.insert(data.draw(st.integers(0, 5).filter(lambda to: to != index)), line)
    verdict = verdict_on(lines, state_at(LINES[-1]))
    # Without its first line a chain is one whose older part is not here.
    assert verdict.state is ChainState.BROKEN or verdict.missing_before == 2
