"""Lines read many at a time are read as by the rules: the same events, the same refusals."""

import json
import random
from collections.abc import Sequence
from unittest.mock import patch

import pytest

from tau_rollout_gate.contract import layouts
from tau_rollout_gate.contract.event import parse_event
from tau_rollout_gate.contract.layouts import LONGEST_BYTES, MOST_LAYOUTS, EventReader
from tau_rollout_gate.errors import FormRefusedError
from tests.rollout_gate.contract.test_plain_json import made
from tests.rollout_gate.making import ENTERED, History, Json, failed, malformed

EVENT: Json = json.loads(History().add(ENTERED).add(ENTERED + 1).lines[1])


@pytest.fixture(autouse=True)
def _first_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test's log be the first that is read."""
    monkeypatch.setattr(layouts, "_usual", [])


def spelled(**changes: object) -> bytes:
    """Return the line of a cycle that differs so; what is None is left out."""
    return json.dumps({k: v for k, v in (EVENT | changes).items() if v is not None}).encode()


def check(reader: EventReader, lines: Sequence[bytes]) -> int:
    """Hold lines against the rules; return how many of them these had to be asked about."""
    with patch.object(layouts, "parse_event", side_effect=parse_event) as asked:
        events, refusals = reader.read(b"".join(line + b"\n" for line in lines), lines)
    for at, (line, event) in enumerate(zip(lines, events, strict=True)):
        expected: tuple[str, str | None]
        try:
            expected = repr(parse_event(line)), None
        except FormRefusedError as error:
            expected = "None", str(error)
        assert (repr(event), refusals.get(at)) == expected, line
    return asked.call_count


def hostile(count: int, seed: int) -> None:
    """Read as many lines, some of them together, each log with the same reader."""
    rng = random.Random(seed)  # noqa: S311 - lines, no secrets
    taken = asked = 0
    while taken < count:
        reader = EventReader()
        for _ in range(20):
            usual = [spelled(cycle_number=number + 1) for number in range(rng.choice([0, 8, 40]))]
            lines = [*usual, *(made(rng) for _ in range(rng.choice([0, 1, 8, 40])))]
            if rng.random() < 0.5:
                rng.shuffle(lines)
            taken += len(lines)
            asked += check(reader, lines)
    assert 0.1 < asked / taken < 0.7


def test_random_and_hostile_lines_are_read_as_by_the_rules() -> None:
    """In every mixture with those of a writer."""
    hostile(5_000, 1)


@pytest.mark.exhaustive
@pytest.mark.unmeasured
def test_very_many_of_them_are() -> None:
    """A hundred thousand."""
    hostile(100_000, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"region": {"name": 'no"rth', "zones": [1, 2.5, None]}, "q": "a\\"},
        {"cycle_id": None, "cycle_number": None, "previous_sha256": None},
        {"run_mode": None, "fixture_sha256": None, "health_reason": "\u2028 \\u0061 \n"},
        failed(streak=3),
        malformed(cases=2),
        {"release": "1.4.0", "executed_cases": 3, "artifact_records": 9},
    ],
)
def test_the_rules_are_asked_about_one_line_of_a_layout(changes: Json) -> None:
    """Whatever keys a writer has, in whatever order they stand, and what is between them."""
    lines = [spelled(**{**changes, "timestamp_unix_ms": ENTERED + at}) for at in range(20)]
    lines[3] = json.dumps(json.loads(lines[3]), indent=1).replace("\n", "\t").encode()
    lines[4] = json.dumps(dict(reversed(json.loads(lines[4]).items()))).encode()
    assert check(EventReader(), lines) == 1


def test_layouts_may_take_turns() -> None:
    """Of each one the first line is asked about, and few are learnt of one log."""
    reader = EventReader()
    kinds: list[Json] = [{}, {"region": 1}, {"run_mode": None}]
    assert check(reader, [spelled(**kinds[at % 3]) for at in range(9)]) == 7
    assert check(reader, [spelled(**kinds[at % 3]) for at in range(60)]) == 0
    many = [spelled(**{f"key_{at}": 1}) for at in range(MOST_LAYOUTS + 4)]
    check(reader, many)
    assert check(reader, many) == 7


@pytest.mark.parametrize(
    "line",
    [
        spelled(timeline=[{"status": "ok"}]),
        spelled(**{'a"b': 1}),
        spelled(**{f"key_{at}": 1 for at in range(33)}),
        spelled(note=[[[1]]]),
        spelled(note="x" * LONGEST_BYTES),
    ],
)
def test_what_is_valid_and_unusual_is_left_to_the_rules(line: bytes) -> None:
    """Each time."""
    assert check(EventReader(), [line] * 9) == 9


def test_a_few_lines_are_read_by_the_rules() -> None:
    """To learn their layout would take longer."""
    reader = EventReader()
    assert check(reader, [spelled()] * 7) == 7
    assert check(reader, []) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        spelled()[:-1] + b',"release":"1","release":"1"}',
        spelled().replace(b'"cycle_id"', b'"cycle\\u005fid": "x", "cycle_id"'),
        spelled(previous_sha256="AB" * 32),
        spelled(fixture_sha256="g" * 64),
        spelled(failed_cases=1),
        spelled(cycle_number=1.0),
        spelled(),
        b"",
    ],
)
def test_a_line_among_others(wrong: bytes) -> None:
    """What is wrong with it, if anything, is found and told; the others are not asked about."""
    reader = EventReader()
    usual = [spelled(cycle_number=number + 1) for number in range(40)]
    check(reader, usual)
    assert check(reader, [*usual, wrong, *usual]) == (wrong != spelled())


def test_what_cycles_tell_is_kept_for_few() -> None:
    """A log in which every cycle tells another, or very much, takes no memory for that."""
    reader = EventReader()
    with patch.object(layouts, "_MOST_TOLD", 4):
        check(reader, [spelled(applied_cases=number) for number in range(20)])
    long = [spelled(fixture_name="x" * 5000)] * 9
    events, _ = reader.read(b"\n".join([*long, b""]), long)
    assert len({id(event.told) for event in events if event is not None}) == 1


def test_a_log_like_the_one_before_is_read_like_it() -> None:
    """Of many hosts with short logs the rules are asked about the first line of the first."""
    lines = [spelled(cycle_number=number) for number in range(1, 20)]
    assert [check(EventReader(), lines) for _ in range(3)] == [1, 0, 0]
    other = [spelled(cycle_number=number, region="north") for number in range(1, 20)]
    assert [check(EventReader(), one) for one in (other, other, lines, other)] == [1, 0, 1, 1]


def test_what_is_unusual_in_a_usual_layout_is_left_to_the_rules() -> None:
    """A key twice among a few lines, a line that is too long, a value that nests too deep."""
    usual = [spelled(note=number) for number in range(8)]
    assert check(EventReader(), usual) == 1
    twice = usual[0][:-1] + b',"note":1}'
    assert check(EventReader(), [*usual, twice]) == 1
    assert check(EventReader(), [spelled(note="x" * LONGEST_BYTES)] * 9) == 9
    assert check(EventReader(), [spelled(note=[[[1]]])] * 9) == 9
