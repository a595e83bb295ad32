"""Logs of writers of many layouts, in which lines were changed in every way that may be missed."""

import json
from collections.abc import Iterator
from random import Random

from tests.transport_health.state_files import CHAIN_KEYS, REQUIRED_EVENT_KEYS, Json, event, failed

Pairs = list[tuple[str, str]]
"""The keys and values of an object, each as it is written."""

OTHER_KEYS = ("release", "labels", "", "other_0", "keys", "é", 'a "b"', "\\", "\x00", "failed")
LITERALS = (
    *("NaN", "Infinity", "-1", "-0", "0", "1", "2", "3", "1.0", "1e3", "0.5", "-0.0", "01", "1."),
    *("1E400", "-1e999", "1.7976931348623157e308", "1.7976931348623158e308", "5e-324", "1e-400"),
    *("1.797693134862315807e308", "1.797693134862315808e308", "1.7976931348623159e308"),
    *(
        "9" * 18,
        "9" * 19,
        "9" * 25,
        "9" * 400,
        "9" * 4301,
        "-" + "9" * 4300,
        "18446744073709551616",
    ),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "0x1", "1_0", "+1"),
    *("true", "false", "null", "nul", "True", '""', '"x"', '"1"', '"a:b"', '":"', '"{"', '"]"'),
    *('"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\ud83d\\u0041"', '"\\uD83D"'),
    *('"\\u0000"', '"\x00"', '"\t"', '"\x7f\u202e"', '"\\""', '"a\\\\"', '"\\\\\\""', '"\\x"'),
    *('"\\u00"', '"\\u22"', '"\\u0022"', '"\ud800"', '"\\/\\b\\f\\n\\r\\t"'),
    *(f'"{digit * 64}"' for digit in ("a", "A", "g", "\u0661", " ")),
    *('"' + "a" * 64 + '\\n"', '"' + "a" * 65 + '"', '"' + "a" * 63 + '"'),
    *('"healthy"', '"degraded"', '"failing"', '"unknown"', '"record"', '"execute"', '"dry"'),
    *("[]", "{}", "[null]", '["a"]', '["a","a"]', '["case_processing_failed"]', "[[]]", "[1,]"),
    *('["malformed_inputs_observed","\\u0068"]', '["case_processing_\\u0066ailed"]', '"a""b"'),
    *('{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"a":{"b":[]}}', '[{"a":"b"}]', '{"a":[NaN]}'),
    *('{"a":{"b":1,"b":1}}', '{"a":"b"} ', "{1:2}", '{"a"}', "[" * 99 + "]" * 99),
    *("[" * 100 + "]" * 100, '{"a":' * 99 + "1" + "}" * 99, "[" * 2000 + "]" * 2000),
)
SPACES = ("", "", "", " ", "  ", "\t", "\r", " \t")
NO_SPACES = ("\x0b", "\x0c", "\xa0", "\x00", "\n", "/**/", "\ufeff", ",", "}")


def hostile_log(random: Random) -> Iterator[bytes]:
    """Yield the lines of a log without end: some writers in turn, some of their lines changed."""
    layouts = [_layout(random) for _ in range(random.choice((1, 1, 1, 2, 4)))]
    share = random.choice((0.02, 0.05, 0.1, 0.5))
    length = random.choice((1, 5, 40))
    while True:
        keys, comma, colon = random.choice(layouts)
        for _ in range(length):
            pairs = [(_literal(key), _literal(value)) for key, value in _values(keys, random)]
            if random.random() < share:
                yield _changed(pairs, comma, colon, random)
            else:
                yield _joined(pairs, comma, colon)


def _layout(random: Random) -> tuple[list[str], str, str]:
    keys = list(event())
    if random.random() < 0.5:
        random.shuffle(keys)
    if random.random() < 0.5:
        gone = {key for key in keys if random.random() < 0.2} - {*REQUIRED_EVENT_KEYS, *CHAIN_KEYS}
        keys = [key for key in keys if key not in gone]
    if random.random() < 0.2:
        keys = [key for key in keys if key not in CHAIN_KEYS]
    for key in random.sample(OTHER_KEYS, random.choice((0, 0, 1, 3))):
        keys.insert(random.randrange(len(keys)), key)
    spaces = random.random() < 0.3
    return keys, random.choice(SPACES) * spaces, random.choice(SPACES) * spaces


def _values(keys: list[str], random: Random) -> Iterator[tuple[str, object]]:
    """Yield the keys and values of a valid event."""
    streak = random.choice((0, 0, 0, 1, 3))
    value: Json = event(number=random.randrange(1, 99), previous=random.choice((None, b"x")))
    value |= failed(streak=streak) if streak else {}
    value["health_reason"] = random.choice(("as it is", 'a "b"', "\\", "é\u2028", ":,{}", ""))
    if random.random() < 0.2:
        value["malformed_cases"] = random.randrange(1, 10**12)
        value["reason_codes"] = [*value["reason_codes"], "malformed_inputs_observed"]
    others: tuple[object, ...] = (
        1,
        0.5,
        None,
        True,
        "text",
        '"',
        "\\",
        [],
        ["a", 1],
        {"a": "b"},
        {"a": ["b", {}]},
    )
    for key in keys:
        yield key, value[key] if key in value else random.choice(others)


def _literal(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _joined(pairs: Pairs, comma: str, colon: str) -> bytes:
    text = f",{comma}".join(f"{key}{comma}:{colon}{literal}" for key, literal in pairs)
    return f"{{{text}}}".encode("utf-8", "surrogatepass")


def _changed(pairs: Pairs, comma: str, colon: str, random: Random) -> bytes:
    """A line with something in it that is odd, and may be wrong."""
    for _ in range(random.choice((1, 1, 1, 2))):
        _change(pairs, random)
    line = _joined(pairs, comma, colon)
    match random.randrange(12):
        case 0:
            at = random.randrange(len(line))
            byte = random.choice((b'"', b"\\", b"}", b",", b":", b"\xff", b"\xed\xa0\x80", b"0"))
            return line[:at] + byte + line[at + random.randrange(2) :]
        case 1:
            return line[: random.randrange(len(line))]
        case 2:
            return line + random.choice((line, b" " + line, b"{}", b"x", b"\x00", b"]", b" \r\t"))
        case 3:
            return random.choice((b"", b" ", b"[]", b"null", b"{}", b"[" + line + b"]", b"\xff"))
        case _:
            return line


def _change(pairs: Pairs, random: Random) -> None:
    at, to = random.randrange(len(pairs)), random.randrange(len(pairs))
    key, literal = pairs[at]
    match random.randrange(9):
        case 0 | 1 | 2:
            pairs[at] = key, random.choice(LITERALS)
        case 3:
            del pairs[at]
        case 4:
            pairs.insert(to, (random.choice((key, _escaped(key))), literal))
        case 5:
            pairs.insert(to, (key, random.choice(LITERALS)))
        case 6:
            pairs.insert(to, (json.dumps(random.choice(OTHER_KEYS)), random.choice(LITERALS)))
        case 7:
            space = random.choice((*SPACES, *NO_SPACES)).replace("\n", "\r")
            pairs[at] = random.choice(((space + key, literal), (key, space + literal)))
        case _:
            pairs[at] = _escaped(key), literal


def _escaped(key: str) -> str:
    """A key written otherwise: its first character as an escape."""
    return f'"\\u{ord(key[1]):04x}{key[2:]}' if key[1:2].isalpha() else key
