"""The fast decoder is the slow rules, only faster: no line is valid to one and not to the other."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_transport_health.errors import TransportHealthError
from tau_transport_health.event import Event, parse_event
from tau_transport_health.event_stream import (
    OTHER_CODES,
    PROBLEMS_KEPT,
    REASON_CODES_TOLD,
    RuntimeLine,
    count_events,
    event_decoder,
)
from tests.transport_health.files import Json, chain, event, failed, line_of, minimal_event

LINE = line_of(event(number=2, previous=b"x", health_reason="as it should be"))
KEYS = sorted(event())
FAST = {chained: event_decoder(chained=chained) for chained in (True, False)}

ODD_LITERALS = (
    "NaN",
    "Infinity",
    "-1",
    "-0",
    "0",
    "1.0",
    "1e3",
    "1E400",
    "-0.0",
    "01",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    '""',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud83d\\ude00"',
    '"\\u0000"',
    '"\x00"',
    '"\x7f\u202e"',
    '"\\""',
    '"a\\\\"',
    '"\\x"',
    '"' + "a" * 64 + '"',
    '"' + "a" * 64 + '\\n"',
    '"' + "a" * 65 + '"',
    '"' + "A" * 64 + '"',
    '"healthy"',
    '"degraded"',
    '["case_processing_failed"]',
    '["malformed_inputs_observed","\\u0068"]',
    '["a","a"]',
    "[null]",
    "9" * 19,
    "9" * 25,
    "9" * 4301,
    "18446744073709551616",
    '"1"',
    '"record"',
    '"execute"',
)
LITERALS = st.sampled_from(ODD_LITERALS) | st.builds(
    lambda value, escape: json.dumps(value, ensure_ascii=escape),
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text()),
    st.booleans(),
)


def said(line: bytes, *, chained: bool, fast: bool) -> Json | str:
    """Return the fields of an event, or why there is none."""
    try:
        found = FAST[chained](line) if fast else parse_event(line, chained=chained)
    except TransportHealthError as error:
        return f"{type(error).__name__}: {error}"
    return {field.name: getattr(found, field.name) for field in fields(Event)}


def agree(line: bytes) -> None:
    """Hold the two readers against each other, for both kinds of writers."""
    for chained in (True, False):
        slow = said(line, chained=chained, fast=False)
        assert said(line, chained=chained, fast=True) == slow, line[:3000]


def joined(pairs: list[tuple[str, str]]) -> bytes:
    """Return an object of keys and literals, well formed or not."""
    text = ",".join(f"{json.dumps(key)}:{literal}" for key, literal in pairs)
    return f"{{{text}}}".encode("utf-8", "surrogatepass")


def pairs_of(value: Json) -> list[tuple[str, str]]:
    """Return an object as its keys and literals."""
    return [
        (key, json.dumps(item, ensure_ascii=False, separators=(",", ":")))
        for key, item in value.items()
    ]


@st.composite
def changed_lines(draw: st.DrawFn) -> bytes:
    """Return a runtime's line with some keys changed, left out, repeated, added or moved."""
    streak = draw(st.sampled_from([None, 0, 1, 2, 3]))
    base = event(**(failed(streak=streak, cases=max(streak, 1)) if streak is not None else {}))
    pairs = pairs_of(base)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(pairs) - 1))
        key, _ = pairs[place]
        match draw(st.sampled_from(["value", "value", "value", "drop", "repeat", "add", "move"])):
            case "value":
                pairs[place] = (key, draw(LITERALS))
            case "drop":
                del pairs[place]
            case "repeat":
                pairs.insert(draw(st.integers(0, len(pairs))), pairs[place])
            case "add":
                pairs.append((draw(st.sampled_from(KEYS) | st.text(max_size=5)), draw(LITERALS)))
            case _:
                pairs.append(pairs.pop(place))
    return joined(pairs) + draw(st.sampled_from([b"", b"\n", b" \r\n", b"x", b"\0", b"{}"]))


def test_a_line_of_the_runtime_takes_the_fast_way() -> None:
    """The lines that matter for speed are recognised by the typed decoder itself."""
    for line in (LINE, *chain(3), line_of(event(**failed(streak=3)))):
        assert isinstance(FAST[True](line), RuntimeLine)


def test_a_line_of_another_writer_is_read_by_the_rules() -> None:
    """Fewer keys, more keys or a quote in a text: valid all the same."""
    for value in (
        event(new=1),
        event(health_reason='a "quoted" word'),
        event(previous_sha256="a" * 64, fixture_name='"'),
    ):
        assert isinstance(FAST[True](line_of(value)), Event)
        agree(line_of(value))
    agree(line_of(minimal_event()))


@given(changed_lines())
def test_both_readers_agree_on_lines_changed_key_by_key(line: bytes) -> None:
    """Accepted by both with the same fields, or refused by both for the same reason."""
    agree(line)


@pytest.mark.parametrize("key", KEYS)
def test_both_readers_agree_on_each_odd_value(key: str) -> None:
    """Every key with every value that some reader might take for another."""
    for literal in ODD_LITERALS:
        agree(joined([(k, literal if k == key else v) for k, v in pairs_of(event())]))


@given(
    key=st.sampled_from(KEYS),
    literal=LITERALS,
)
@example(key="previous_sha256", literal='"' + "a" * 64 + '\\n"')
@example(key="fixture_sha256", literal='"' + "a" * 64 + '\\n"')
@example(key="cycle_id", literal='""')
@example(key="cycle_number", literal="0")
@example(key="reason_codes", literal="[]")
@example(key="run_mode", literal='"dry"')
def test_both_readers_agree_on_each_value(key: str, literal: str) -> None:
    """One odd value in an otherwise good line."""
    agree(joined([(k, literal if k == key else v) for k, v in pairs_of(event())]))


@given(key=st.sampled_from(KEYS), literal=LITERALS, at_end=st.booleans())
def test_both_readers_refuse_a_repeated_key(key: str, literal: str, at_end: bool) -> None:  # noqa: FBT001 - both places
    """Whichever value stands twice, before or after: no reader picks one of them."""
    pairs = pairs_of(event())
    line = joined([*pairs, (key, literal)] if at_end else [(key, literal), *pairs])
    agree(line)
    assert isinstance(said(line, chained=True, fast=True), str)


@given(data=st.data())
def test_both_readers_agree_on_lines_changed_byte_by_byte(data: st.DataObject) -> None:
    """Bytes overwritten, removed, inserted or doubled, wherever it is."""
    line = bytearray(LINE)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(line)))
        end = start + data.draw(st.sampled_from([0, 1, 1, 2, 30]))
        new = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b'"', b"\\", b"\xed\xa0\x80", b"\xc0\x80", b"\x00", b'":"', b","])
            | st.just(bytes(line[start:end]) * 2)
        )
        line[start:end] = new
    agree(bytes(line))


def test_a_log_adds_up() -> None:
    """Valid and invalid lines are counted, codes once a line, the first problems kept by number."""
    codes = ["healthy_cycle", "healthy_cycle", "unheard_of"]
    lines = [
        *chain(2),
        b"broken",
        line_of(event(number=4, previous=b"", reason_codes=codes)),
        line_of(minimal_event()),
    ]
    counts = count_events(lines, chained=True)
    assert (counts.valid, counts.invalid) == (3, 2)
    assert counts.last_reason_codes == tuple(codes)
    assert counts.reason_code_counts == {
        "command_registry_mutated": 2,
        "command_runs_recorded": 2,
        "healthy_cycle": 1,
        "unheard_of": 1,
    }
    assert [number for number, _ in counts.problems] == [3, 5]
    assert count_events(lines, chained=False).valid == 4


def test_an_empty_log_adds_up_to_nothing() -> None:
    """No line, no count, no code."""
    counts = count_events([], chained=True)
    assert (counts.valid, counts.invalid, counts.last_reason_codes) == (0, 0, ())


def test_few_problems_are_kept_of_many() -> None:
    """Memory does not grow with a log of nothing but broken lines; the count is right."""
    counts = count_events((b"{" for _ in range(1000)), chained=False)
    assert (counts.valid, counts.invalid) == (0, 1000)
    assert len(counts.problems) == PROBLEMS_KEPT


def test_endless_codes_take_no_endless_memory() -> None:
    """Of a log whose every line names a new code all lines count, and some codes are told."""
    template = line_of(event(reason_codes=["healthy_cycle", "code-X"]))
    lines = (template.replace(b"code-X", b"code-%d" % number) for number in range(10_050))
    counts = count_events(lines, chained=True)
    assert (counts.valid, counts.invalid) == (10_050, 0)
    assert counts.reason_code_counts["healthy_cycle"] == 10_050
    assert len(counts.reason_code_counts) == REASON_CODES_TOLD + 1
    assert counts.reason_code_counts[OTHER_CODES] == 10_050 - (REASON_CODES_TOLD - 1)
