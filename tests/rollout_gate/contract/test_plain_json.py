"""What is read fast is what the rules read: the same value, or it is left to them."""

import json
import random
from typing import Any
from unittest.mock import patch

import pytest

from tau_rollout_gate.contract import event as event_module
from tau_rollout_gate.contract import plain_json
from tau_rollout_gate.contract.event import parse_event
from tau_rollout_gate.contract.plain_json import LONGEST_BYTES, plain_object
from tau_rollout_gate.contract.strict_json import DEEPEST_NESTING, JsonRefusedError, decode
from tau_rollout_gate.errors import FormRefusedError
from tests.rollout_gate.making import ENTERED, History, failed

CLEAN = History().add(ENTERED).add(ENTERED + 1, release="1.4.0", note={"a": [1, 2.5, None]})
LINES = [
    *(line.removesuffix(b"\n") for line in CLEAN.lines),
    History().add(ENTERED, **failed(streak=3)).lines[0].strip(),
    History().add(ENTERED, timeline=[{"status": "ok"}, {"status": "no", "n": 1}]).lines[0].strip(),
]
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, -0.0, 1e300, 2**63 - 1, 2**63, 2**64, 10**40, "", "a", "é"),
    *(
        "AB" * 32,
        "ab" * 32,
        "ab" * 32 + "\n",
        "\x00",
        "\u2028",
        "\U0001f600",
        [],
        {},
        [[]],
        {"": 1},
    ),
    *(["healthy_cycle"], ["a", "a"], [1], "healthy", "failing", "execute", [{"status": "ok"}]),
]
TOKENS = [
    *(b"NaN", b"-Infinity", b"1e999", b"1E2", b"01", b"+1", b"-0", b"1.", b".5", b"0x1", b"nul"),
    *(b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0061"', b'"\\/"', b'"\x01"', b'"\x7f"', b'"\xff"'),
    *(b'"\xed\xa0\x80"', b"9" * 30, b"9" * 5000, b"[" * 90 + b"]" * 90, b"[" * 101 + b"]" * 101),
    *(b'{"a":1,"a":1}', b'{"a":1,"\\u0061":1}', b'{"a":{"b":"\\"","b":1}}', b"1e-999", b"// x"),
]
WHERE = [
    b",",
    b":",
    b"{",
    b"}",
    b'"',
    b"\\",
    b" ",
    b"\t",
    b"\r",
    b"\x0b",
    b"\xef\xbb\xbf",
    b"[",
    b"1",
]


def spelled(rng: random.Random, value: dict[str, Any]) -> bytes:
    """Return a value as some writer would write it."""
    separators = rng.choice([(",", ":"), (", ", ": "), (" ,\t", " :\n"), (",\r", ":")])
    text = json.dumps(value, separators=separators, ensure_ascii=rng.random() < 0.3)
    return rng.choice(["", "", " ", "\t"]).encode() + text.encode("utf-8", "surrogatepass")


def with_a_key_twice(rng: random.Random, raw: bytes) -> bytes:
    """Return a line with a key of it once more, maybe written with an escape."""
    key = rng.choice([*json.loads(raw)]) if raw.lstrip().startswith(b"{") else "a"
    if rng.random() < 0.5 and key:
        key = f"\\u{ord(key[0]):04x}{key[1:]}"
    at = raw.index(b"{") + 1 if rng.random() < 0.5 else raw.rindex(b"}")
    more = f'"{key}":1'.encode()
    return raw[:at] + (more + b"," if at < len(raw) // 2 else b"," + more) + raw[at:]


def made(rng: random.Random) -> bytes:
    """Return a line: right, wrong in its values, in its writing, or in its bytes."""
    value = json.loads(rng.choice(LINES))
    keys = [*value]
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        key = rng.choice(keys)
        what = rng.randrange(3)
        if what == 0:
            value.pop(key, None)
        elif what == 1:
            value[key] = rng.choice(ODD)
        else:
            value[rng.choice(["x", "é", "", 'q"', "a b"])] = rng.choice(ODD)
    if rng.random() < 0.3:
        rng.shuffle(keys)
        value = {key: value[key] for key in keys if key in value}
    raw = spelled(rng, value)
    kind = rng.randrange(8)
    if kind == 0 and value:
        raw = with_a_key_twice(rng, raw)
    elif kind == 1:
        token = rng.choice(TOKENS)
        written = rng.choice([b'"x":%s', b'"cycle_number":%s', b'"release":%s']) % token
        raw = raw[:-1] + b"," + written + b"}"
    elif kind == 2:
        at = rng.randrange(len(raw) + 1)
        raw = raw[:at] + rng.choice(WHERE) + raw[at + rng.randrange(2) :]
    return raw


def outcome(line: bytes) -> object:
    """Return the event of a line, or that it is refused; types count."""
    try:
        return repr(parse_event(line))
    except FormRefusedError:
        return "refused"


def check(count: int, seed: int) -> None:
    """Hold as many lines against the rules."""
    rng = random.Random(seed)  # noqa: S311 - lines, no secrets
    fast = 0
    for _ in range(count):
        line = made(rng)
        found = plain_object(line)
        fast += found is not None
        if found is not None:
            assert repr(decode(line)) == repr(found), line
        with patch.object(event_module, "plain_object", return_value=None):
            by_the_rules = outcome(line)
        assert outcome(line) == by_the_rules, line
    assert 0.3 < fast / count < 0.95


def test_random_and_hostile_lines_are_read_as_by_the_rules() -> None:
    """No line is valid, or another event, for being read fast."""
    check(3000, 1)


@pytest.mark.exhaustive
@pytest.mark.unmeasured
def test_very_many_of_them_are() -> None:
    """A hundred thousand."""
    check(100_000, 2)


@pytest.mark.parametrize("line", LINES)
def test_what_a_writer_writes_is_read_fast(line: bytes) -> None:
    """With white space, in any order, with escapes, with keys more and keys less."""
    value = json.loads(line)
    spellings = [
        line,
        json.dumps(value).encode(),
        json.dumps(value, indent=1).encode(),
        json.dumps(value | {"more": "é\u2028", "q": 'a"b\\'}).encode(),
        json.dumps(dict(reversed(value.items()))).encode(),
    ]
    assert [plain_object(one) is not None for one in spellings] == [True] * 5


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":1}',
        b'{"a":{"b":"","b":""}}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"a":1e999}',
        b"[]",
        b"{" * 2,
        b'{"a":' + b"[" * DEEPEST_NESTING + b"]" * DEEPEST_NESTING + b"}",
        b'{"a":"' + b"x" * LONGEST_BYTES + b'"}',
    ],
)
def test_what_is_not_plainly_strict_is_left_to_the_rules(line: bytes) -> None:
    """They say whether it is an object, and what is wrong with it."""
    assert plain_object(line) is None


def test_the_rules_are_asked_for_the_rest() -> None:
    """Whatever is too long to be held against the rules at once."""
    with pytest.raises(JsonRefusedError):
        decode(b'{"a":1,"a":1}')
    long = LINES[0][:-1] + b',"more":"' + b"x" * plain_json.LONGEST_BYTES + b'"}'
    assert parse_event(long) == parse_event(LINES[0])
