"""Many lines are read at once as the rules read each: none is valid to one and not the other."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_transport_health.contract.event import LONGEST_LINE_BYTES, Event, parse_event
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.log.layouts import Layouts
from tests.transport_health.reading import read_lines
from tests.transport_health.running import UNHURRIED
from tests.transport_health.state_files import Json, chain, event, failed, line_of, minimal_event

LINE = line_of(event(number=2, previous=b"x", health_reason="as it should be"))
KEYS = sorted(event())
recognised = Layouts().whole
Said = Json | str

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


def fields_of(found: object) -> Json:
    """Return the fields of an event, and of which types they are."""
    assert isinstance(found, Event)
    return {key: (type(value), value) for key, value in found._asdict().items()}


def ruled(line: bytes, *, chained: bool) -> Said:
    """Return the fields of the event that the rules see in a line, or why there is none."""
    try:
        return fields_of(parse_event(line, chained=chained))
    except TransportHealthError as error:
        return str(error)


def said(blocks: list[bytes], *, chained: bool) -> list[tuple[int, bytes, Said]]:
    """Return each line of blocks as they are read: its number, its bytes, and what it holds."""
    return [
        (number, line, found if isinstance(found, str) else fields_of(found))
        for number, line, found in read_lines(blocks, chained=chained)
    ]


def agree(*blocks: bytes) -> None:
    """Hold the reading of whole lines against the rules, for both kinds of writers."""
    lines = b"".join(blocks).split(b"\n")[:-1]
    for chained in (True, False):
        expected = [
            (number, line, ruled(line, chained=chained))
            for number, line in enumerate(lines, start=1)
        ]
        assert said(list(blocks), chained=chained) == expected


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
    return joined(pairs) + draw(st.sampled_from([b"", b"", b" \r", b"x", b"\0", b"{}"]))


@st.composite
def changed_bytes(draw: st.DrawFn, of: bytes = LINE) -> bytes:
    """Return bytes of which some were overwritten, removed, inserted or doubled."""
    raw = bytearray(of)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(raw)))
        end = start + draw(st.sampled_from([0, 1, 1, 2, 30]))
        new = draw(
            st.binary(max_size=3)
            | st.sampled_from([b'"', b"\\", b"\xed\xa0\x80", b"\xc0\x80", b"\x00", b'":"', b","])
            | st.sampled_from([b"\n", b" \n", b"}\n{", b"{", b"}", b"\r\n", b"\n\n"])
            | st.just(bytes(raw[start:end]) * 2)
        )
        raw[start:end] = new
    return bytes(raw)


def test_lines_of_the_runtime_are_recognised_together() -> None:
    """What matters for speed: healthy, failing and with every kind of text, all at once."""
    lines = [
        *chain(3),
        line_of(event(**failed(streak=3))),
        line_of(event(fixture_name='a "b" \\ \u00e9\u2028\U0001f600 \x7f', health_reason="")),
        line_of(event(reason_codes=["unheard_of"])),
    ]
    assert recognised(b"".join(lines))
    agree(b"".join(lines))
    assert all(map(recognised, lines)), "also one by one, beside a line that is not"


def test_a_line_of_another_writer_is_read_by_the_rules() -> None:
    """Fewer keys, more keys, another order, spaces, escapes: valid all the same."""
    spaced = json.dumps(event()).encode() + b"\n"
    for line in (
        line_of(event(new=1)),
        line_of(dict(sorted(event().items()))),
        line_of(minimal_event()),
        LINE.replace(b"rollout", b"\\u0072ollout"),
        spaced,
    ):
        assert not recognised(line)
        agree(line)
        assert not isinstance(ruled(line, chained=False), str)
        agree(LINE + line + LINE)


@UNHURRIED
@given(changed_lines())
def test_lines_changed_key_by_key_are_read_by_the_rules(line: bytes) -> None:
    """Valid with the same fields, or refused for the same reason; alone and among others."""
    agree(line + b"\n")
    agree(LINE + line + b"\n" + LINE)


@pytest.mark.parametrize("key", KEYS)
def test_each_odd_value_is_read_by_the_rules(key: str) -> None:
    """Every key with every value that some reader might take for another."""
    for literal in ODD_LITERALS:
        agree(joined([(k, literal if k == key else v) for k, v in pairs_of(event())]) + b"\n")


@UNHURRIED
@given(key=st.sampled_from(KEYS), literal=LITERALS)
@example(key="previous_sha256", literal='"' + "a" * 64 + '\\n"')
@example(key="fixture_sha256", literal='"' + "a" * 64 + '\\n"')
@example(key="cycle_id", literal='""')
@example(key="cycle_number", literal="0")
@example(key="reason_codes", literal="[]")
@example(key="run_mode", literal='"dry"')
def test_each_value_is_read_by_the_rules(key: str, literal: str) -> None:
    """One odd value in an otherwise good line."""
    agree(joined([(k, literal if k == key else v) for k, v in pairs_of(event())]) + b"\n")


@UNHURRIED
@given(key=st.sampled_from(KEYS), literal=LITERALS, at_end=st.booleans())
def test_a_repeated_key_is_refused(key: str, literal: str, at_end: bool) -> None:  # noqa: FBT001 - both places
    """Whichever value stands twice, before or after: no reader picks one of them."""
    pairs = pairs_of(event())
    line = joined([*pairs, (key, literal)] if at_end else [(key, literal), *pairs]) + b"\n"
    agree(line)
    assert isinstance(said([line], chained=True)[0][2], str)


@UNHURRIED
@given(
    parts=st.lists(
        st.sampled_from(chain(4)) | changed_bytes() | changed_lines().map(lambda raw: raw + b"\n"),
        max_size=6,
    ),
    data=st.data(),
)
def test_any_log_in_any_blocks_is_read_by_the_rules(
    parts: list[bytes], data: st.DataObject
) -> None:
    """However a log was changed and wherever blocks of it end: line by line what the rules say."""
    lines = (b"".join(parts) + b"\n").split(b"\n")[:-1]
    ends = data.draw(st.lists(st.integers(0, len(lines)), max_size=3).map(sorted))
    bounds = [0, *ends, len(lines)]
    blocks = [
        b"".join(line + b"\n" for line in lines[start:end]) for start, end in pairwise(bounds)
    ]
    agree(*blocks)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(LINE[:-1] + LINE, id="two objects on a line"),
        pytest.param(LINE[:-1] + b" " + LINE, id="two objects on a line, apart"),
        pytest.param(LINE + b"\n", id="a blank line"),
        pytest.param(b"\n" + LINE, id="a blank line before"),
        pytest.param(LINE.replace(b",", b",\n", 1), id="an object over two lines"),
        pytest.param(LINE.replace(b",", b",\n", 1)[:-1] + LINE, id="as many objects as lines"),
        pytest.param(b" " + LINE, id="a space before"),
        pytest.param(LINE[:-1] + b"\r\n", id="a carriage return"),
        pytest.param(line_of(event(reason_codes=[])), id="no code"),
        pytest.param(line_of(event(fixture_sha256="a" * 62 + "  ")), id="spaces in a digest"),
        pytest.param(line_of(event(previous_sha256="A" * 64)), id="upper case in a digest"),
        pytest.param(line_of(event(health_state="degraded")), id="another health"),
        pytest.param(line_of(event(failed_cases=1)), id="failed cases alone"),
        pytest.param(line_of(event(failure_streak=1)), id="a streak alone"),
        pytest.param(line_of(event(malformed_cases=1)), id="malformed cases alone"),
        pytest.param(line_of(event(unexpected_malformed_cases=1)), id="unexpected ones alone"),
        pytest.param(line_of(event(reason_codes=["case_processing_failed"])), id="a code alone"),
    ],
)
def test_what_a_lenient_decoder_lets_pass_is_not_recognised(odd: bytes) -> None:
    """Each by itself and between good lines, whose numbers it does not move."""
    assert not recognised(odd)
    agree(odd)
    agree(LINE + odd + LINE, odd + LINE)


def test_a_line_beyond_the_longest_is_not_recognised() -> None:
    """However good it is otherwise."""
    long = line_of(event(health_reason="x" * LONGEST_LINE_BYTES))
    assert isinstance(said([LINE + long], chained=True)[1][2], str)
    assert len(said([LINE + long], chained=True)) == 2


def test_arrays_nested_beyond_reason_are_refused() -> None:
    """In a key of the runtime's and in another: an answer, and no traceback."""
    for key in ("cycle_number", "reason_codes", "new"):
        deep = "[" * 100_000 + "]" * 100_000
        agree(line_of(event() | {key: "DEEP"}).replace(b'"DEEP"', deep.encode()))
