"""The chain of events: where the next one continues it, and what shows when it is broken."""

import json
from hashlib import sha256

import pytest

from tau_custom_command.contract.state import LastCycle
from tau_custom_command.cycle.event_chain import chain_end, ends_with


def line(number: int, previous: str | None, **more: object) -> bytes:
    """Return a line of an event log, as far as the chain reads it."""
    return (
        json.dumps({"cycle_number": number, "previous_sha256": previous, **more}).encode() + b"\n"
    )


def digest(raw: bytes) -> str:
    """Return the digest of a line over its bytes without the line break."""
    return sha256(raw.removesuffix(b"\n")).hexdigest()


def named_by(raw: bytes, number: int) -> LastCycle:
    """Return what `state.json` says of a line when it was the last."""
    return LastCycle(cycle_id="x", cycle_number=number, event_sha256=digest(raw))


FIRST = line(1, None)
SECOND = line(2, digest(FIRST))
THIRD = line(3, digest(SECOND))


def test_the_log_ends_where_the_state_says() -> None:
    """The ordinary case: the next line follows the last one."""
    end = chain_end(named_by(SECOND, 2), [SECOND, FIRST])
    assert (end.cycle_number, end.sha256, end.warning) == (2, digest(SECOND), None)


def test_a_rotated_log_goes_on_from_the_state() -> None:
    """An empty log was rotated: the chain continues from what the state remembers."""
    end = chain_end(named_by(SECOND, 2), [])
    assert (end.cycle_number, end.sha256, end.warning) == (2, digest(SECOND), None)


@pytest.mark.parametrize(
    ("state", "last", "number"),
    [(named_by(SECOND, 2), THIRD, 3), (named_by(FIRST, 1), SECOND, 2)],
    ids=["the third", "the second"],
)
def test_a_log_one_line_ahead_is_continued_after_that_line(
    state: LastCycle, last: bytes, number: int
) -> None:
    """A cycle cut off between event and state: its line stays, the next follows it, and we warn."""
    end = chain_end(state, [last])
    assert (end.cycle_number, end.sha256) == (number, digest(last))
    assert f"cycle {number} was cut off" in (end.warning or "")


def test_a_log_several_lines_ahead_is_continued_after_its_last() -> None:
    """Several cycles without their state: as long as their lines chain, nothing is broken."""
    fourth = line(4, digest(THIRD))
    end = chain_end(named_by(FIRST, 1), iter([fourth, THIRD, SECOND, FIRST]))
    assert (end.cycle_number, end.sha256) == (4, digest(fourth))
    assert "the last 3 cycles were cut off" in (end.warning or "")


def test_lines_ahead_that_do_not_chain_are_a_break() -> None:
    """Of several lines ahead each is held against the one before it."""
    other_third = line(3, digest(SECOND), altered=True)
    end = chain_end(named_by(FIRST, 1), [line(4, digest(THIRD)), other_third, SECOND, FIRST])
    assert (end.cycle_number, end.sha256) == (1, digest(FIRST))
    assert "the chain shows a break there" in (end.warning or "")


@pytest.mark.parametrize(
    "last",
    [
        FIRST,
        line(4, digest(THIRD)),
        line(3, digest(FIRST)),
        line(4, digest(SECOND)),
        line(3, None),
        line(2, digest(FIRST), altered=True),
        b"not JSON\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b"\n",
        json.dumps({"cycle_number": 3.0, "previous_sha256": digest(SECOND)}).encode() + b"\n",
        json.dumps({"cycle_number": True, "previous_sha256": None}).encode() + b"\n",
        line(3, digest(SECOND).upper()),
        b'{"cycle_number":3,"cycle_number":3,"previous_sha256":"' + digest(SECOND).encode() + b'"}',
    ],
    ids=[
        "truncated",
        "two ahead",
        "ahead of another",
        "a number left out",
        "ahead of nothing",
        "altered",
        "no JSON",
        "no text",
        "an array",
        "no keys",
        "blank",
        "fraction",
        "boolean",
        "upper case",
        "key twice",
    ],
)
def test_anything_else_is_a_break_that_is_left_to_show(last: bytes) -> None:
    """The next line follows the state's cycle, so that the break stays visible; and we warn."""
    end = chain_end(named_by(SECOND, 2), [last, SECOND, FIRST])
    assert (end.cycle_number, end.sha256) == (2, digest(SECOND))
    assert "does not end with the cycle that state.json names" in (end.warning or "")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([SECOND, FIRST], True),
        ([b"not JSON\n", b"{}\n", SECOND, FIRST], True),
        ([THIRD, SECOND], False),
        ([FIRST], False),
        ([b"not JSON\n"], False),
        ([], False),
    ],
    ids=["the last", "the last event", "an earlier one", "a later one", "no event", "no line"],
)
def test_a_state_is_held_against_the_newest_event(lines: list[bytes], *, expected: bool) -> None:
    """What is no event says nothing; a state of another cycle than the last is told apart."""
    assert ends_with(named_by(SECOND, 2), lines) is expected
