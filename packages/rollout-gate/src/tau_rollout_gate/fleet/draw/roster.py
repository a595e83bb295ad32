"""`roster.tsv`: the hosts of a fleet, one a line: `host[TAB group[TAB first|last|retired]]`.

What two readers could take for two different lists is refused, with its line: a host is found by
its name in a path, and nobody should have to guess which one was meant
(runbooks/rollout-gate-ops.md, "A fleet").
"""

import codecs
import re
from collections.abc import Iterator
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple, NoReturn

from tau_rollout_gate.errors import RosterRefusedError
from tau_rollout_gate.printable import printable

DEFAULT_GROUP = "default"
"""The group of a host whose line names none."""

_LONGEST_QUOTE = 80
_LINE = re.compile(
    r"""([A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)*)
        (?:\t([A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}) (?:\t(first|last|retired))? )?""",
    re.VERBOSE | re.ASCII,
)
_LONGEST_NAME = 253  # as a name in the DNS
_HOST_RULE = (
    "a host's name is letters, digits, '-' and '_' of ASCII, in parts between single dots, each "
    "with a letter or digit first"
)
_GROUP_RULE = "a group's name is up to 64 letters, digits and any of '_.:@-' of ASCII"


class Mark(StrEnum):
    """What a roster says of a host beside its group.

    `first` is in the cohort from canary-1 on, `last` at 100 % only, both without a lot; `retired`
    is about to go.
    """

    FIRST = "first"
    LAST = "last"
    RETIRED = "retired"


class RosterEntry(NamedTuple):
    """A line of a roster."""

    host: str
    group: str
    mark: Mark | None = None


class Roster(NamedTuple):
    """The hosts of a fleet, sorted by name, and the digest of the file's bytes."""

    entries: tuple[RosterEntry, ...]
    sha256: str


def parse_roster(raw: bytes, *, source: str) -> Roster:
    """The hosts that the bytes of a roster name.

    Args:
        raw: The file's bytes.
        source: The file's name, for messages.

    Raises:
        RosterRefusedError: if it names none, or a line cannot be used; the text says which, and for
            two lines that stand for one host both.
    """
    text = _text_of(raw, source)
    lines: dict[str, int] = {}
    groups: dict[str | None, str | None] = {}  # a million lines hold few different ones
    entries = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line and number > text.count("\n"):
            break  # what follows the last line break
        found = _LINE.fullmatch(line)
        if found is None or found.end(1) > _LONGEST_NAME:
            _refuse(source, number, _problem(line))
        host, group, mark = found.groups()
        other = lines.setdefault(host.lower(), number)
        if other != number:
            _refuse(source, number, f"{host} stands in line {other} already (case does not count)")
        known = groups.setdefault(group, group) or DEFAULT_GROUP
        entries.append(RosterEntry(host, known, Mark(mark) if mark else None))
    if not entries:
        raise RosterRefusedError(f"{source}: names no host")
    for short, at, host, number in _beside_short(entries, lines):
        _refuse(source, number, f"{host}: line {at} has the same host by a shorter name, {short}")
    return Roster(entries=tuple(sorted(entries)), sha256=sha256(raw).hexdigest())


def _text_of(raw: bytes, source: str) -> str:
    if raw.startswith(codecs.BOM_UTF8):
        _refuse(source, 1, "a byte order mark (BOM) comes first; save the file without")
    at = raw.find(b"\r")
    if at >= 0:
        number = raw.count(b"\n", 0, at) + 1
        _refuse(source, number, "a carriage return; save the file with line feeds alone (LF)")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        _refuse(source, raw.count(b"\n", 0, error.start) + 1, "not UTF-8 text")


def _beside_short(
    entries: list[RosterEntry], lines: dict[str, int]
) -> Iterator[tuple[str, int, str, int]]:
    """Yield the hosts that have a line by a shorter name, too, as `a` beside `a.example`."""
    for host, _, _ in entries:
        name = host.lower()
        end = name.find(".")
        while end >= 0:
            if name[:end] in lines:
                yield host[:end], lines[name[:end]], host, lines[name]
            end = name.find(".", end + 1)


def _problem(line: str) -> str:
    """What is wrong with a line that is of no host."""
    fields = line.split("\t")
    host = printable(fields[0][:_LONGEST_QUOTE])
    if not line:
        return "is empty"
    if not _is_host(fields[0]):
        if len(fields[0]) > _LONGEST_NAME:
            return f"{host}…: a host's name has at most {_LONGEST_NAME} characters"
        return f"'{host}' is no host's name: {_HOST_RULE}"
    if len(fields) > 1 and not _LINE.fullmatch(f"h\t{fields[1]}"):
        return f"{host}: '{printable(fields[1][:_LONGEST_QUOTE])}' is no group: {_GROUP_RULE}"
    if len(fields) > len(RosterEntry._fields):
        return f"{host}: more than {len(RosterEntry._fields)} fields between tabs"
    mark = printable(fields[2][:_LONGEST_QUOTE])
    return f"{host}: '{mark}' is no mark: first, last and retired are"


def _is_host(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and "\t" not in text and _LINE.fullmatch(text) is not None


def _refuse(source: str, number: int, problem: str) -> NoReturn:
    raise RosterRefusedError(f"{source}: line {number}: {problem}")
