"""The table of a fleet's hosts that is kept beside `rollout.json`: what is recorded of each.

A line a host, between tabs: its name, its group, its state and the reason when it was looked at
last, and its record as JSON. What the phase has drawn comes first, a line a group. The file is
compressed; its digest is in the decision (runbooks/state-files.md, "A fleet's rollout").
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import NamedTuple

import msgspec

from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.errors import FleetRefusedError
from tau_rollout_gate.fleet.plan import HostRecord

_TITLE = b"#tau-fleet-hosts\t1"
_CUTOFF = b"#cutoff"
_CUTOFF_FIELDS, _HOST_FIELDS = 3, 5
_LEVEL = 6  # of zlib: the digests in a line do not shrink however long it tries


class TableRow(NamedTuple):
    """A host in the table.

    Args:
        host: Its name.
        state: How it stood when it was looked at last.
        reason: Why, in a word.
        record: What is recorded of it.
    """

    host: str
    state: HostState
    reason: str
    record: HostRecord


class Table(NamedTuple):
    """The hosts that are recorded, by name, and the cut-offs of the phase, by group."""

    rows: Mapping[str, TableRow]
    cutoffs: Mapping[str, str]

    @property
    def records(self) -> dict[str, HostRecord]:
        """What is recorded of each host."""
        return {name: row.record for name, row in self.rows.items()}


NO_TABLE = Table({}, {})
"""That of a rollout before its first canary phase."""


def table_bytes(rows: Iterable[TableRow], cutoffs: Mapping[str, str]) -> bytes:
    """The file of a table: the same bytes for the same hosts, in their order."""
    packed = BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_LEVEL, filename="", mtime=0) as to:
        to.write(_TITLE + b"\n")
        for group, score in sorted(cutoffs.items()):
            to.write(b"\t".join((_CUTOFF, group.encode(), score.encode())) + b"\n")
        for row in rows:
            to.write(_line(row))
    return packed.getvalue()


def parse_table(raw: bytes, *, source: str) -> Table:
    """Read the file of a table.

    Raises:
        FleetRefusedError: if it is none; the text names the line.
    """
    try:
        text = gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as error:
        raise FleetRefusedError(f"{source}: is no table of hosts: {error}") from None
    title, *lines = text.split(b"\n")
    if title != _TITLE or lines[-1:] != [b""]:
        raise FleetRefusedError(f"{source}: is no table of hosts")
    rows: dict[str, TableRow] = {}
    cutoffs: dict[str, str] = {}
    for number, line in enumerate(lines[:-1], start=2):
        fields = line.split(b"\t")
        try:
            if fields[0] == _CUTOFF and len(fields) == _CUTOFF_FIELDS:
                cutoffs[fields[1].decode()] = fields[2].decode()
                continue
            row = _row(fields)
        except (ValueError, msgspec.MsgspecError):
            raise FleetRefusedError(f"{source}: line {number} is not of a host") from None
        rows[row.host] = row
    return Table(rows, cutoffs)


def with_failures(table: Table, seen: Table) -> Table:
    """The table of a decision, with what canaries and new hosts have failed of since, as seen.

    When a host was drawn tells that it is of one rollout, and so are the new ones beside it. What
    a host without the release failed of is left out: it would speak for the release.
    """
    rows = dict(table.rows)
    drawn = {host: row.record.drawn_unix_ms for host, row in rows.items()}
    same = {
        host
        for host, row in seen.rows.items()
        if row.record.drawn_unix_ms is not None and row.record.drawn_unix_ms == drawn.get(host)
    }
    new = {
        host
        for host, row in seen.rows.items()
        if same and row.record.is_joined and rows.get(host, row).record.is_joined
    }
    for host in sorted(same | new):
        row = seen.rows[host]
        own = rows.get(host, row)
        known = {(one.name, one.surface) for one in own.record.fired}
        more = [one for one in row.record.fired if (one.name, one.surface) not in known]
        rows[host] = own._replace(record=own.record._replace(fired=(*own.record.fired, *more)))
    return table._replace(rows=rows)


def worst_of(table: Table, most: int) -> Iterator[TableRow]:
    """Yield the hosts that were given the release and were not clean, the worst first."""
    fine = {HostState.CLEAN, HostState.JOINED}
    bad = [row for row in table.rows.values() if is_given(row.record) and row.state not in fine]
    yield from sorted(bad, key=lambda row: (row.state.rank, row.host))[:most]


def is_given(record: HostRecord) -> bool:
    """Tell whether a host was given the release, or shows it."""
    return record.drawn_unix_ms is not None or record.is_contaminated


def _line(row: TableRow) -> bytes:
    told = (row.host, row.record.group, row.state, row.reason)
    return "\t".join(told).encode() + b"\t" + msgspec.json.encode(row.record) + b"\n"


def _row(fields: list[bytes]) -> TableRow:
    if len(fields) != _HOST_FIELDS:
        raise ValueError("another number of fields")
    host, group, state, reason = (field.decode() for field in fields[:4])
    record = msgspec.json.decode(fields[4], type=HostRecord)
    if record.group != group:
        raise ValueError("another group")
    return TableRow(host, HostState(state), reason, record)
