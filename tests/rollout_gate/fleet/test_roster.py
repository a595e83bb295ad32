"""`roster.tsv`: what is read, and what is refused by name."""

import re
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.errors import RosterRefusedError
from tau_rollout_gate.fleet.draw.roster import Mark, RosterEntry, parse_roster


def test_hosts_come_sorted_with_group_and_mark() -> None:
    """A host a line, its group and its mark behind tabs; the digest is of the bytes."""
    raw = b"web-2\tzone-a\tlast\nweb-10\tzone-b\nWeb_1.example.org\n10.0.0.7\tr@ck:1.b\tfirst"
    roster = parse_roster(raw, source="roster.tsv")
    assert roster.entries == (
        RosterEntry("10.0.0.7", "r@ck:1.b", Mark.FIRST),
        RosterEntry("Web_1.example.org", "default"),
        RosterEntry("web-10", "zone-b"),
        RosterEntry("web-2", "zone-a", Mark.LAST),
    )
    assert roster.sha256 == sha256(raw).hexdigest()
    (retired,) = parse_roster(b"a\tb\tretired\n", source="roster.tsv").entries
    assert retired.mark is Mark.RETIRED


REFUSED = {
    "nothing": (b"", "roster.tsv: names no host"),
    "an empty line": (b"\n", "line 1: is empty"),
    "a line between": (b"a\n\nb\n", "line 2: is empty"),
    "a byte order mark": (b"\xef\xbb\xbfa\n", "line 1: a byte order mark (BOM) comes first"),
    "CRLF": (b"a\nb\r\n", "line 2: a carriage return"),
    "no UTF-8": (b"a\nb\n\xff\n", "line 3: not UTF-8 text"),
    "twice": (b"a\nb\na\n", "line 3: a stands in line 1 already"),
    "twice, by case": (b"web\nWEB\n", "line 2: WEB stands in line 1 already (case does not count)"),
    "short beside full": (
        b"web-1.a.example\nweb-2\nWeb-1\n",
        "line 1: web-1.a.example: line 3 has the same host by a shorter name, web-1",
    ),
    "a slash": (b"a/b\n", "line 1: 'a/b' is no host's name"),
    "out of the tree": (b"a\n../etc\n", "line 2: '../etc' is no host's name"),
    "a dot": (b".\n", "line 1: '.' is no host's name"),
    "a dot-file": (b".git\n", "line 1: '.git' is no host's name"),
    "two dots": (b"a..b\n", "line 1: 'a..b' is no host's name"),
    "a dot at the end": (b"a.\n", "line 1: 'a.' is no host's name"),
    "an option": (b"-rf\n", "line 1: '-rf' is no host's name"),
    "a control character": (b"a\x1b[2J\n", r"line 1: 'a\x1b[2J' is no host's name"),
    "NUL": (b"a\0b\n", r"line 1: 'a\x00b' is no host's name"),
    "a blank": (b"a b\n", "line 1: 'a b' is no host's name"),
    "letters of another script": ("\u0430dmin\n".encode(), "is no host's name"),
    "digits of another script": ("web-٣\n".encode(), "is no host's name"),
    "too long": (b"a" * 254 + b"\n", "a host's name has at most 253 characters"),
    "no name before a group": (b"\tzone\n", "line 1: '' is no host's name"),
    "a group": (b"a\t../b\n", "line 1: a: '../b' is no group"),
    "no group": (b"a\t\tfirst\n", "line 1: a: '' is no group"),
    "a mark": (b"a\tb\tFirst\n", "line 1: a: 'First' is no mark: first, last and retired are"),
    "more fields": (b"a\tb\tlast\tc\n", "line 1: a: more than 3 fields between tabs"),
}


@pytest.mark.parametrize(("raw", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_two_could_read_in_two_ways_is_refused_with_its_line(raw: bytes, problem: str) -> None:
    """Each by what is wrong with it, and harmless on a terminal."""
    with pytest.raises(RosterRefusedError, match=re.escape(problem)) as refused:
        parse_roster(raw, source="roster.tsv")
    assert str(refused.value).startswith("roster.tsv: ")
    assert str(refused.value).isprintable()


@given(raw=st.binary(max_size=60) | st.text("ab.\t\n-", max_size=40).map(str.encode))
def test_any_bytes_give_safe_names_or_are_refused(raw: bytes) -> None:
    """No name leaves its folder, hides in it, or is taken for an option."""
    try:
        roster = parse_roster(raw, source="roster.tsv")
    except RosterRefusedError:
        return
    for host, _, _ in roster.entries:
        assert not host.startswith((".", "-"))
        assert not set(host) & set("/\\\0\t\r\n ")
        assert ".." not in host
    names = [host.lower() for host, _, _ in roster.entries]
    assert len(set(names)) == len(names)


@pytest.mark.exhaustive
@pytest.mark.unmeasured
def test_a_million_lines_are_read() -> None:
    """In seconds, and the last of them is found wrong as the first is."""
    lines = [f"edge-{index:07d}.example.org\tzone-{index % 40}\n" for index in range(1_000_000)]
    raw = "".join(lines).encode()
    assert len(parse_roster(raw, source="roster.tsv").entries) == 1_000_000
    with pytest.raises(RosterRefusedError, match="line 1000001: EDGE-0000000"):
        parse_roster(raw + b"EDGE-0000000.example.org\n", source="roster.tsv")
