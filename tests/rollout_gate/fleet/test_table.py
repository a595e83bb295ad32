"""The table of hosts: what is written is read again, and anything else is refused."""

import gzip

import pytest

from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.errors import FleetRefusedError
from tau_rollout_gate.fleet.table import TableRow, parse_table, table_bytes, worst_of
from tests.rollout_gate.fleet.fleets import record_of
from tests.rollout_gate.making import rollout

RECORD = record_of(rollout())
ROWS = (
    TableRow("a", HostState.CLEAN, "", RECORD),
    TableRow("b", HostState.SOAKING, "soak", RECORD),
    TableRow("c", HostState.FAILED, "hard_runtime_errors", RECORD),
    TableRow("d", HostState.FAILED, "x", RECORD._replace(drawn_unix_ms=None)),
    TableRow("e", HostState.SILENT, "y", RECORD._replace(drawn_unix_ms=None, is_contaminated=True)),
)


def test_what_is_written_is_read_again() -> None:
    """The same bytes for the same hosts."""
    raw = table_bytes(ROWS, {"z": "2" * 64, "default": "1" * 64})
    assert raw == table_bytes(iter(ROWS), {"default": "1" * 64, "z": "2" * 64})
    found = parse_table(raw, source="t")
    assert tuple(found.rows.values()) == ROWS
    assert found.records["a"] == RECORD
    assert found.cutoffs == {"default": "1" * 64, "z": "2" * 64}
    assert [row.host for row in worst_of(found, 20)] == ["c", "e", "b"]
    assert [row.host for row in worst_of(found, 1)] == ["c"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "is no table of hosts"),
        (b"hosts\n", "is no table of hosts"),
        (b"#tau-fleet-hosts\t1\na\tdefault", "is no table of hosts"),
        (b"#tau-fleet-hosts\t1\na\tdefault\n", "line 2 is not of a host"),
        (b"#tau-fleet-hosts\t1\na\tdefault\tclean\t\t{}\n", "line 2 is not of a host"),
        (b"#tau-fleet-hosts\t1\na\tdefault\tfine\t\t{}\n", "line 2 is not of a host"),
        (b"#tau-fleet-hosts\t1\n\xff\tdefault\tclean\t\t{}\n", "line 2 is not of a host"),
    ],
)
def test_anything_else_is_refused(text: bytes | None, problem: str) -> None:
    """With the line."""
    raw = b"no gzip" if text is None else gzip.compress(text)
    with pytest.raises(FleetRefusedError, match=problem):
        parse_table(raw, source="t")


def test_a_host_of_two_groups_is_refused() -> None:
    """Its line says one, and its record another."""
    raw = gzip.decompress(table_bytes(ROWS[:1], {})).replace(b"a\tdefault", b"a\tother")
    with pytest.raises(FleetRefusedError, match="line 2"):
        parse_table(gzip.compress(raw), source="t")
