"""Lines of any layout are recognised, and none that the rules refuse, or read otherwise."""

import json
from itertools import islice
from random import Random

import pytest

from tau_transport_health.contract.event import Event, parse_event
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.log.decode import event_of, read_blocks
from tau_transport_health.log.layouts import LONGEST_RECOGNISED, MOST_LAYOUTS, Layouts
from tests.transport_health.log.hostile_lines import hostile_log
from tests.transport_health.state_files import CHAIN_KEYS, Json, chain, event, line_of

WHOLE = event(number=2, previous=b"x")
OTHER_ORDER = dict(sorted(WHOLE.items()))
UNCHAINED = {key: value for key, value in WHOLE.items() if key not in CHAIN_KEYS}
FEWER = {key: value for key, value in WHOLE.items() if not key.startswith(("run", "fixture"))}
OTHER_KEYS = WHOLE | {
    "release": "2026.01",
    "load": 0.25,
    "note": None,
    "": [1, "a", True, {"b": "c"}],
    "labels": {"host": "a", "zones": ["x", "y"], "é": "ü"},
    "other_0": 1,
}


def spaced(value: Json) -> bytes:
    """Return a line with white space, as most writers' libraries have it by default."""
    return json.dumps(value).encode() + b"\n"


def learned(*lines: bytes) -> Layouts:
    """Return what was learnt of valid lines."""
    layouts = Layouts()
    for line in lines:
        parse_event(line, chained=False)
        layouts.learn(line)
    return layouts


def found(layouts: Layouts, *lines: bytes) -> list[Event | None]:
    """Return the events of the lines that are recognised, one by one; None in the others' place."""
    each = layouts.each([line.removesuffix(b"\n") for line in lines])
    return [None if line is None else event_of(line) for line in each]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(WHOLE, id="the runtime's"),
        pytest.param(OTHER_ORDER, id="another order"),
        pytest.param(UNCHAINED, id="unchained"),
        pytest.param(FEWER, id="optional keys left out"),
        pytest.param(OTHER_KEYS, id="other keys"),
        pytest.param(WHOLE | {"health_reason": 'a "b" \\ \\" é \U0001f600 :, {}'}, id="escapes"),
    ],
)
def test_any_layout_is_recognised_once_its_keys_are_known(value: Json) -> None:
    """With and without white space, in its order and in another, also with escapes."""
    backwards = dict(reversed(value.items()))
    lines = [line_of(value), spaced(value), line_of(backwards), spaced(backwards)]
    lines += [b" " + lines[0][:-1] + b"\t\r\n", lines[1].replace(b": ", b"  :\t")]
    layouts = learned(lines[0])
    expected = [parse_event(line, chained=False) for line in lines]
    assert found(layouts, *lines) == expected
    assert [[one] for one in expected] == [found(layouts, line) for line in lines]
    assert layouts.whole(lines[0] + lines[1]) is None, "one by one"


@pytest.mark.parametrize("value", [WHOLE, UNCHAINED, FEWER, OTHER_KEYS])
def test_lines_without_white_space_are_recognised_together(value: Json) -> None:
    """What matters for speed: the runtime's, and those of whoever leaves keys out or has others."""
    line = line_of(value)
    lines = learned(line).whole(line * 3)
    assert lines is not None
    assert list(map(event_of, lines)) == [parse_event(line, chained=False)] * 3


def test_lines_of_many_writers_are_recognised_in_turn() -> None:
    """Whoever wrote the line before, and whatever stands in between."""
    lines = [line_of(WHOLE), spaced(FEWER), line_of(OTHER_KEYS), spaced(OTHER_ORDER)] * 3
    events = [parse_event(line, chained=True) for line in lines]
    layouts = learned(*lines)
    assert found(layouts, *lines) == events
    odd = lines[1].replace(b"{", b'{"failed_cases": 0, ', 1)
    mixed = [each for line in lines for each in (line, odd)]
    assert found(layouts, *mixed) == [each for one in events for each in (one, None)]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param('"failed_cases":0,', id="the same value twice"),
        pytest.param('"failed_c\\u0061ses":0,', id="written with an escape"),
        pytest.param('"labels":{},', id="a key that the rules do not know"),
        pytest.param('"health_reason":"\\\\",', id="with escapes"),
    ],
)
@pytest.mark.parametrize("before", [b"", line_of(WHOLE), spaced(OTHER_KEYS)])
def test_a_repeated_key_is_never_recognised(odd: str, before: bytes) -> None:
    """Alone, or after others; with a string that has as many quotes as the other keys lack."""
    layouts = learned(line_of(OTHER_KEYS), line_of(FEWER))
    for good in (line_of(OTHER_KEYS), spaced(OTHER_KEYS)):
        line = good.replace(b"{", b"{" + odd.encode(), 1)
        with pytest.raises(TransportHealthError):
            parse_event(line, chained=True)
        assert found(layouts, *[before] * 2, line)[-1] is None
        assert layouts.whole(before * 2 + line) is None
        assert layouts.whole(line) is None


@pytest.mark.parametrize(
    "literal",
    [
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":1}}',
        '{"a":1,"\\u0061":1}',
        '["\\ud800"]',
        "[" * 101 + "]" * 101,
        "1E400",
        "NaN",
        "9" * 4301,
    ],
)
def test_other_keys_have_strict_values(literal: str) -> None:
    """What the rules refuse in a key that they do not know is not recognised either."""
    layouts = learned(line_of(WHOLE | {"new": "x"}))
    line = line_of(WHOLE | {"new": "VALUE"}).replace(b'"VALUE"', literal.encode())
    with pytest.raises(TransportHealthError):
        parse_event(line, chained=True)
    assert found(layouts, line) == [None]
    assert layouts.whole(line) is None


def test_what_is_learnt_is_bounded() -> None:
    """Few sets of keys, none with very many, none of a long line; the rules decide of the rest."""
    many = [line_of(WHOLE | {f"new{number}": 1}) for number in range(MOST_LAYOUTS)]
    layouts = learned(many[0], *many)
    assert found(layouts, many[-1], many[-2])[0] is None
    assert None not in found(layouts, *many[:-1])
    long = "x" * LONGEST_RECOGNISED
    for value in (
        WHOLE | dict.fromkeys(map(str, range(100)), 1),
        WHOLE | {"new": long},
        WHOLE | {'a "quoted" key': 1},
        WHOLE | {"new": -int("9" * 4300)},
    ):
        assert found(learned(line_of(value)), line_of(value)) == [None]
    assert found(Layouts(), line_of(WHOLE | {"health_reason": long})) == [None]
    assert Layouts().whole(line_of(WHOLE) * 1000) is None


def test_what_was_judged_before_is_bounded() -> None:
    """Whatever combinations of numbers and codes a log has, and however long the codes are."""
    layouts = Layouts()
    for number in range(0, 12_000, 100):
        lines = [
            line_of(event(malformed_cases=1 + at, reason_codes=["malformed_inputs_observed"]))
            for at in range(number, number + 100)
        ]
        assert layouts.whole(b"".join(lines))
    odd = [line_of(event(reason_codes=["malformed_inputs_observed", code])) for code in "ab"]
    assert found(layouts, *odd) == [None, None]
    assert None not in found(layouts, line_of(event(reason_codes=["a"] * 99)), *chain(2))


def test_hostile_lines_are_read_by_the_rules() -> None:
    """Each line of logs of many layouts, some changed: valid with the same fields, or refused."""
    hold_against_the_rules(lines=5_000, seed=1)


@pytest.mark.exhaustive
@pytest.mark.unmeasured
def test_very_many_hostile_lines_are_read_by_the_rules() -> None:
    """A hundred thousand."""
    hold_against_the_rules(lines=100_000, seed=2)


def hold_against_the_rules(*, lines: int, seed: int) -> None:
    """Read logs in blocks, and each of their lines by the rules."""
    random = Random(seed)  # noqa: S311 - for tests that can be repeated
    recognised = valid = 0
    while lines > 0:
        log = list(islice(hostile_log(random), 50))
        lines -= len(log)
        chained = random.random() < 0.7
        for read in read_blocks(blocks_of(log, random), chained=chained):
            by_number = dict(zip(read.numbers, read.valid, strict=True))
            for number, line in enumerate(read.lines, start=read.first_line):
                given = by_number.get(number)
                said = read.refusals.get(number) if given is None else fields_of(event_of(given))
                assert (said, line) == (ruled(line, chained=chained), line)
            recognised += sum(not isinstance(line, Event) for line in read.valid)
            valid += len(read.valid)
    assert recognised > valid / 3, "the lines are not so odd that nothing is tried"


def blocks_of(lines: list[bytes], random: Random) -> list[bytes]:
    """Return lines in blocks of any length."""
    rest, blocks = iter(lines), []
    while block := list(islice(rest, random.choice((1, 2, 10, 50)))):
        blocks.append(b"".join(line + b"\n" for line in block))
    return blocks


def ruled(line: bytes, *, chained: bool) -> object:
    """Return the fields of the event that the rules see in a line, or why there is none."""
    try:
        return fields_of(parse_event(line, chained=chained))
    except TransportHealthError as error:
        return str(error)


def fields_of(found: Event) -> Json:
    """Return the fields of an event, and of which types they are."""
    return {key: (type(value), value) for key, value in found._asdict().items()}
