"""A log over time: every valid line in one bin of its time, in bounded memory."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_transport_health.contract.event import KNOWN_REASON_CODES
from tau_transport_health.contract.state import HealthState
from tau_transport_health.log.codes import LONGEST_CODE, MOST_UNKNOWN_CODES, OTHER_CODES
from tau_transport_health.log.decode import PROBLEMS_KEPT, InvalidLine
from tau_transport_health.log.timeline import MOST_BINS, RECENT_CYCLES, Bin, Timeline
from tests.transport_health.reading import read_timeline
from tests.transport_health.running import UNHURRIED
from tests.transport_health.state_files import NOW_UNIX_MS, event, failed, line_of, minimal_event

DAY_MS = 86_400_000


def over(*times: int, **changes: object) -> Timeline:
    """Return the timeline of events at these times, in the order given."""
    return read_timeline(
        [line_of(minimal_event(timestamp_unix_ms=time) | changes) for time in times], chained=False
    )


def filled(timeline: Timeline) -> list[tuple[int, Bin]]:
    """Return the bins that there are, with their starts."""
    return [(start, held) for start, held in timeline.slots() if held is not None]


def test_an_empty_log_has_no_slots() -> None:
    """Nothing is made up where there is nothing."""
    timeline = over()
    assert timeline.slots() == []
    assert (timeline.total.cycles, timeline.invalid.total, len(timeline.recent)) == (0, 0, 0)


def test_one_event_is_one_bin() -> None:
    """The figures of a single line stand in the one bin, and in the total."""
    line = line_of(
        event(number=7, retry_attempts=3, malformed_cases=1, unexpected_malformed_cases=2)
        | {"reason_codes": ["malformed_inputs_observed", "retry_attempted"]}
    )
    timeline = read_timeline([line], chained=True)
    ((start, held),) = filled(timeline)
    assert start <= NOW_UNIX_MS < start + timeline.bin_length_ms
    assert (held.cycles, held.worst_health) == (1, HealthState.HEALTHY)
    assert (held.max_queue_depth, held.failed_cases, held.retry_attempts) == (1, 0, 3)
    assert (held.duplicate_skips, held.malformed_cases) == (1, 3)
    assert held == timeline.total
    assert timeline.recent[0].cycle_number == 7


@pytest.mark.parametrize("count", [2, 500])
def test_equal_times_share_a_bin(count: int) -> None:
    """Many events at one moment are many cycles in one bin, and no step back."""
    timeline = over(*[NOW_UNIX_MS] * count)
    assert [held.cycles for _, held in filled(timeline)] == [count]
    assert timeline.steps_back == 0


def test_a_gap_stays_a_gap() -> None:
    """A stretch without a cycle has a slot and no bin."""
    timeline = over(NOW_UNIX_MS, NOW_UNIX_MS + 5000)
    slots = [held is not None for _, held in timeline.slots()]
    assert slots == [True, False, False, False, False, True]


def test_times_that_run_backwards_are_counted_and_named() -> None:
    """Each event dated before the line above counts; the first such line is known."""
    timeline = over(*(NOW_UNIX_MS + second * 1000 for second in (5, 6, 2, 3, 1)))
    assert (timeline.steps_back, timeline.first_step_back) == (2, 3)
    assert (timeline.first_unix_ms, timeline.last_unix_ms) == (
        NOW_UNIX_MS + 1000,
        NOW_UNIX_MS + 6000,
    )
    assert timeline.total.cycles == 5


def test_the_worst_health_of_a_bin_wins() -> None:
    """One failing cycle among healthy ones shows, and so does a degraded one."""
    healthy = minimal_event()
    degraded, failing = healthy | failed(streak=1), healthy | failed(streak=3)
    for events, worst in (
        ([healthy, degraded], HealthState.DEGRADED),
        ([degraded, failing, healthy], HealthState.FAILING),
    ):
        timeline = read_timeline(map(line_of, events), chained=False)
        assert [held.worst_health for _, held in filled(timeline)] == [worst]


@UNHURRIED
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40 * DAY_MS) | st.integers(0, 10**16),
            st.sampled_from([0, 1, 3]),
            st.integers(0, 9),
            st.integers(0, 99),
        ),
        max_size=300,
    ),
    st.randoms(use_true_random=False),
)
def test_bins_hold_every_event_whatever_its_time(
    drawn: list[tuple[int, int, int, int]], shuffler: random.Random
) -> None:
    """At most so many bins, each with just the events of its time; the order changes no bin."""
    events = [
        minimal_event(timestamp_unix_ms=time, retry_attempts=retries, backlog_cases=backlog)
        | (failed(streak=streak) if streak else {})
        for time, streak, retries, backlog in drawn
    ]
    timeline = read_timeline(map(line_of, events), chained=False)
    assert len(timeline.slots()) <= MOST_BINS
    for start, held in filled(timeline):
        inside = [e for e in events if 0 <= e["timestamp_unix_ms"] - start < timeline.bin_length_ms]
        codes = Counter(code for e in inside for code in set(e["reason_codes"]))
        assert held.cycles_by_health == Counter(e["health_state"] for e in inside)
        assert held.max_queue_depth == max(e["backlog_cases"] for e in inside)
        assert held.failed_cases == sum(e["failed_cases"] for e in inside)
        assert held.retry_attempts == sum(e["retry_attempts"] for e in inside)
        assert held.reason_code_counts == codes
    assert timeline.total.cycles == len(events)
    shuffler.shuffle(events)
    assert read_timeline(map(line_of, events), chained=False).slots() == timeline.slots()


@pytest.mark.parametrize("step_ms", [1, 1000, 61_000, 30 * DAY_MS])
def test_a_long_log_uses_its_bins(step_ms: int) -> None:
    """Bins are no longer than they need be: many, and none too many, at any rate of cycles."""
    timeline = over(*(NOW_UNIX_MS + index * step_ms for index in range(3000)))
    assert min(MOST_BINS // 5, 3) <= len(timeline.slots()) <= MOST_BINS
    assert timeline.total.cycles == 3000
    assert len(timeline.recent) == RECENT_CYCLES
    assert timeline.recent[-1].timestamp_unix_ms == NOW_UNIX_MS + 2999 * step_ms


def test_the_last_time_there_can_be_is_only_far_away() -> None:
    """A hostile date makes the bins long, and breaks nothing."""
    timeline = over(NOW_UNIX_MS, 2**63 - 1)
    assert timeline.total.cycles == 2
    assert len(timeline.slots()) <= MOST_BINS


def test_invalid_lines_are_counted_and_nothing_else() -> None:
    """The first are kept with their number and reason; none reaches a bin."""
    lines = [b"{}\n" if index % 2 else line_of(minimal_event()) for index in range(100)]
    timeline = read_timeline(lines, chained=False)
    assert (timeline.invalid.total, timeline.total.cycles) == (50, 50)
    assert len(timeline.invalid.first) == PROBLEMS_KEPT
    assert timeline.invalid.first[0] == InvalidLine(
        "runtime-events.jsonl", 2, "timestamp_unix_ms: is missing; must be an integer from 0 on"
    )


def test_a_code_counts_once_a_cycle() -> None:
    """A code that a line names twice stood in one cycle."""
    timeline = over(NOW_UNIX_MS, reason_codes=["healthy_cycle", "healthy_cycle", "mine"])
    assert timeline.total.reason_code_counts == {"healthy_cycle": 1, "mine": 1}
    assert timeline.recent[0].reason_codes == ("healthy_cycle", "mine")


def test_endless_codes_share_one_name() -> None:
    """Unknown codes are counted by name up to a limit: memory does not grow with the log."""
    lines = [
        line_of(minimal_event(reason_codes=[f"code-{index}", f"{index:{LONGEST_CODE + 1}}"]))
        for index in range(3000)
    ]
    timeline = read_timeline(lines, chained=False)
    counts = timeline.total.reason_code_counts
    assert len(counts) == MOST_UNKNOWN_CODES + 1
    assert counts[OTHER_CODES] == 3000
    assert not counts.keys() & KNOWN_REASON_CODES
