"""What is shipped is decided by the chain: nothing twice, nothing lowered, closed for good."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tau_custom_command.contract.shipped import TakenOver
from tau_custom_command.shipping import segments
from tau_custom_command.shipping.segments import chain_up_to, shipment, why_not_continued
from tests.custom_command.shipping.chains import There, chain, end_of

MIB = 1024 * 1024


def ship(lines: Sequence[bytes], there: There, *, log: Sequence[bytes] | None = None) -> list[str]:
    """Ship lines up to the last one, and return the keys that were written."""
    state = end_of(list(lines))
    found = chain_up_to(state, reversed(list(lines) if log is None else list(log)), there.state)
    assert found is not None
    assert there.state is None or found.known is not None
    shipped = shipment(state, found, there.state)
    there.objects |= dict(shipped.segments)
    if shipped.segments:
        there.objects["state.json"] = shipped.state.as_document()
    return [key for key, _ in shipped.segments]


def test_the_first_time_all_of_it_is_shipped() -> None:
    """A segment is named by its first cycle, and the state names it and its length."""
    there = There()
    assert ship(chain(3), there) == ["segments/1.jsonl"]
    assert there.log == b"".join(chain(3))


def test_the_newest_segment_is_replaced_until_it_is_full() -> None:
    """From 1 MiB on it is closed for good, and the next cycle begins another one."""
    there = There()
    lines = chain(9, pad=MIB // 3)
    written = [ship(lines[:count], there) for count in range(1, 10)]
    keys = [f"segments/{number}.jsonl" for number in (1, 1, 1, 4, 4, 4, 7, 7, 7)]
    assert written == [[key] for key in keys]
    assert there.log == b"".join(lines)


def test_what_is_there_is_not_shipped_again() -> None:
    """Where the store has the last cycle, there is nothing to do."""
    there = There()
    ship(chain(3), there)
    assert ship(chain(3), there) == []


def test_many_cycles_at_once_fill_segments_as_one_by_one() -> None:
    """Who ships rarely leaves the same segments as who ships after each cycle."""
    lines = chain(8, pad=MIB // 3)
    once, often = There(), There()
    assert ship(lines, once) == ["segments/1.jsonl", "segments/4.jsonl", "segments/7.jsonl"]
    for count in range(1, 9):
        ship(lines[:count], often)
    assert once.objects == often.objects


def test_lines_after_the_one_of_the_state_are_left_for_the_next_time() -> None:
    """A log may be ahead of the state by what is being written."""
    there = There()
    ship(chain(3), there, log=chain(4))
    assert there.log == b"".join(chain(3))


def test_a_log_without_the_line_of_the_state_is_not_shipped() -> None:
    """Nothing tells then that they belong together."""
    assert chain_up_to(end_of(chain(3)), reversed(chain(3, mark="other")), None) is None
    assert chain_up_to(end_of(chain(1)), reversed(chain(99)), None) is None
    assert chain_up_to(end_of(chain(1)), [], None) is None
    assert chain_up_to(end_of([b"no event\n"]), [b"no event\n"], None) is None


@pytest.mark.parametrize("left", [2, 3])
def test_a_log_that_was_rotated_away_is_continued_in_a_new_segment(left: int) -> None:
    """The lines of the newest segment are no longer here, so it cannot be filled up.

    The store's last cycle need not be here any more either: the next one names its digest.
    """
    there = There()
    lines = chain(6)
    ship(lines[:4], there)
    assert ship(lines, there, log=lines[-left:]) == ["segments/5.jsonl"]
    assert there.log == b"".join(lines)


def test_a_segment_of_another_length_than_its_lines_is_left_as_it_is() -> None:
    """Whoever changed the state by hand, what it names is not replaced by what it is not."""
    there = There()
    lines = chain(4)
    ship(lines[:3], there)
    there.objects["state.json"] = there.objects["state.json"].replace(
        str(len(b"".join(lines[:3]))).encode(), b"7"
    )
    assert ship(lines, there) == ["segments/4.jsonl"]


def test_what_the_chain_does_not_continue_is_told() -> None:
    """Another machine of the same name, a clone that went on, a copy that was put back."""
    there = There()
    ship(chain(5), there)
    for lines in (chain(6, mark="other"), chain(4), chain(5, mark="other"), chain(9)):
        found = chain_up_to(end_of(lines), reversed(lines[-3:]), there.state)
        assert found is not None
        assert found.known is None
    known = there.state
    assert known is not None
    older = end_of(chain(4)).last_cycle
    assert "a copy was put back" in why_not_continued(known.last_cycle, older)
    assert "made anew" in why_not_continued(known.last_cycle, end_of(chain(6)).last_cycle)


def test_a_broken_chain_is_shipped_from_the_break_on() -> None:
    """What stands before it is not proven to belong to what comes after."""
    there = There()
    lines = chain(6)
    assert ship(lines, there, log=[*lines[:3], *lines[4:]]) == ["segments/5.jsonl"]
    other = There()
    assert ship(lines, other, log=[*lines[:3], b"{}\n", *lines[4:]]) == ["segments/5.jsonl"]


def test_the_first_time_no_more_is_shipped_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded however long the log is."""
    lines = chain(6)
    monkeypatch.setattr(segments, "MOST_SHIPPED_BYTES", len(b"".join(lines[-2:])))
    there = There()
    assert ship(lines, there) == ["segments/5.jsonl"]


def test_what_is_taken_over_is_told_from_then_on() -> None:
    """The reason goes along with every later state, so that the break can be explained."""
    there = There()
    ship(chain(5), there)
    known = there.state
    assert known is not None
    over = TakenOver(taken_over_unix_ms=1, reason="a new disk", last_cycle=known.last_cycle)
    lines = chain(2, mark="other")
    state = end_of(lines)
    found = chain_up_to(state, reversed(lines), None)
    assert found is not None
    shipped = shipment(state, found, None, over)
    assert shipped.state.taken_over == over
    more = chain(1, after=tuple(lines), mark="other")
    longer = chain_up_to(end_of(more), reversed(more), shipped.state)
    assert longer is not None
    assert shipment(end_of(more), longer, shipped.state).state.taken_over == over


def test_a_state_that_was_shipped_holds_nothing_of_the_commands() -> None:
    """What a command wrote stays on its host."""
    there = There()
    ship(chain(1), there)
    state = there.state
    assert state is not None
    assert set(state.__struct_fields__) == {
        *("schema_version", "health", "last_cycle", "segments", "taken_over")
    }
    assert state.taken_over is UNSET
    assert b"taken_over" not in there.objects["state.json"]


@given(
    pads=st.lists(st.integers(0, 1_000), min_size=1, max_size=12),
    stops=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4)), max_size=6),
)
def test_whenever_it_is_cut_off_the_next_time_mends_it(
    pads: list[int], stops: list[tuple[int, int]]
) -> None:
    """After each kill a reader finds the chain up to the state; closed segments never change."""
    lines: list[bytes] = []
    for pad in pads:
        lines = chain(1, after=tuple(lines), pad=pad)
    there, closed = There(), dict[str, bytes]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "SEGMENT_BYTES", 2_000)
        for count, writes in (*stops, (len(lines), 99)):
            known = there.state
            if known is not None and count < known.last_cycle.cycle_number:
                continue  # the log never gets shorter
            _cut_off(lines[:count], there, writes)
            if (after := there.state) is not None:
                assert there.log == b"".join(lines[: after.last_cycle.cycle_number])
                for segment in after.segments[:-1]:
                    content = there.objects[segment.key]
                    assert closed.setdefault(segment.key, content) == content
    assert there.log == b"".join(lines)


def _cut_off(lines: list[bytes], there: There, writes: int) -> None:
    """Ship, and stop after so many writes."""
    state = end_of(lines)
    found = chain_up_to(state, reversed(lines), there.state)
    assert found is not None
    shipped = shipment(state, found, there.state)
    all_writes = [*shipped.segments, ("state.json", shipped.state.as_document())]
    there.objects |= dict(all_writes[:writes])
