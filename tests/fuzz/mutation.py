"""Mutations of JSON, of logs and of bytes: the same random numbers give the same inputs."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

_RAW = "@raw@"
_TWICE = "@twice@"

HOSTILE: tuple[object, ...] = (
    *(None, True, False, 0, 1, -1, 2, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**30),
    *(0.0, 1.0, -0.5, 1e308, 5e-324),
    *("", " ", "\n", "\0", "0", "1", "null", "x" * 65, "x" * 20_000, "é\u0301", "\u202e", "😀"),
    *("..", "../x", "/etc/passwd", "registry", "a b", "{{", "{{a}}", "{{A}}{{a}}", "`", "$(x)"),
    *("'", '"', "\\", "sh -c x", "env -S x", "a|b", "-", "--", "|", "#", "\x1b[31m", "1e5"),
    *([], {}, [[]], [0] * 300, {"": {}}, {"a": {"a": {"a": 1}}}, ["a", "a"], {"__proto__": 1}),
)
"""Values that a reader may not have thought of."""

RAW: tuple[str, ...] = (
    *("NaN", "Infinity", "-Infinity", "-0", "1e999", "-1e999", "1.0", "1E0", "00", "+1", ".5"),
    *("9" * 5_000, "-" + "9" * 400, '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', "'a'", "tru", ""),
    *(
        "[" * 99 + "]" * 99,
        "[" * 101 + "]" * 101,
        "[" * 100_000,
        '{"a":' * 2_000 + "1" + "}" * 2_000,
    ),
    *('{"a":1,"a":2}', "[1,]", "{,}", '"\t"', '"\x7f"', "/**/1"),
)
"""What is JSON hardly or not at all, as it stands."""

TOKENS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
)


def mutated_json(raw: bytes, random: Random) -> bytes:
    """Return a JSON text with some of its values, keys or bytes changed."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return mutated_bytes(raw, random)
    if random.random() < 0.25:
        return mutated_bytes(raw, random)
    fragments: list[str] = []
    holder = [value]
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        _mutate_a_place(holder, random, fragments)
    indent = random.choice((None, 2))
    return _encoded(holder[0] if holder else None, fragments, indent)


def mutated_lines(raw: bytes, random: Random) -> bytes:
    """Return a text of JSON Lines with some of its lines changed, moved, doubled or torn."""
    lines = raw.split(b"\n")
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.randrange(len(lines))
        change = random.randrange(8)
        if change < 3:
            lines[place] = mutated_json(lines[place], random)
        elif change == 3:
            lines[place : place + 1] = []
        elif change == 4:
            lines.insert(place, lines[place])
        elif change == 5:
            other = random.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        elif change == 6:
            lines.insert(
                place, random.choice((b"", b" ", b"null", b"{}", b"\0" * 40, b"x" * 70_000))
            )
        else:
            lines[place] = mutated_bytes(lines[place], random)
        lines = lines or [b""]
    return b"\n".join(lines)


def mutated_bytes(raw: bytes, random: Random) -> bytes:
    """Return bytes with some of them changed, without regard to what they mean."""
    content = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        start = random.randrange(len(content) + 1)
        end = min(len(content), start + random.choice((1, 1, 2, 8, 64, 4096)))
        change = random.choice(_BYTE_CHANGES)
        content[start:end] = change(bytes(content[start:end]), random)
    if random.random() < 0.1:
        del content[random.randrange(len(content) + 1) :]
    return bytes(content)


_BYTE_CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    lambda old, random: bytes(byte ^ (1 << random.randrange(8)) for byte in old),
    lambda _old, random: random.randbytes(random.choice((1, 2, 9))),
    lambda old, random: old + random.choice(TOKENS),
    lambda _old, random: random.choice(TOKENS),
    lambda old, random: old + random.choice(RAW).encode(),
    lambda old, _random: old * 2,
    lambda old, _random: old[::-1],
    lambda _old, _random: b"",
)


def _places(value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Return each place in a value as its container and its key or index."""
    found: list[tuple[Any, Any]] = []
    containers = [value]
    while containers:
        container = containers.pop()
        keys = container.keys() if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], (dict, list)):
                containers.append(container[key])
    return found


def _mutate_a_place(holder: list[Any], random: Random, fragments: list[str]) -> None:
    places = _places(holder)
    if not places:
        return
    container, key = random.choice(places)
    change = random.randrange(10)
    if change < 4:
        container[key] = deepcopy(random.choice(HOSTILE))
    elif change < 6:
        fragments.append(random.choice(RAW))
        container[key] = f"{_RAW}{len(fragments) - 1}"
    elif change == 6:
        del container[key]
    elif change == 7:
        other, its_key = random.choice(places)
        container[key] = deepcopy(other[its_key]) if its_key in _keys(other) else 0
    elif isinstance(container, dict):
        name = random.choice((f"{key}{_TWICE}", f"{key}s", key.upper(), "", f"{_RAW}", "$schema"))
        container[name] = deepcopy(random.choice((container[key], *HOSTILE[:8])))
    else:
        container.insert(key, deepcopy(random.choice((container[key], *HOSTILE))))


def _keys(container: Any) -> Any:  # noqa: ANN401 - JSON
    return container if isinstance(container, dict) else range(len(container))


def _encoded(value: object, fragments: list[str], indent: int | None) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=indent).replace(_TWICE, "")
    text = re.sub(f'"{_RAW}(\\d+)"', lambda found: fragments[int(found[1])], text)
    return text.encode(errors="surrogatepass")
