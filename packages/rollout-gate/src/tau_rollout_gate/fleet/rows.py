"""The rows of a chunk's hosts in strict JSON, for whoever wants each host and not counts alone.

`hosts` and `report` show them; `advance` records what they say.
"""

from collections.abc import Iterator, Sequence

import msgspec

from tau_rollout_gate.contract.forms import json_of
from tau_rollout_gate.errors import ChunkRefusedError, FormRefusedError
from tau_rollout_gate.fleet.plan import Host, HostRow, Part, Plan, chunk_of
from tau_rollout_gate.printable import printable

_LONGEST_PROBLEM = 300
_PARTS = {
    Part.CANARY: "is to have {}",
    Part.JOINED: "is new since the phase was entered, and is to have {}, or has it",
    Part.CONTROL: "is not to have {}: of it the triggers alone are judged",
    Part.OUTSIDE: "is new since the phase was entered, and is not to have {}",
}


def rows_document(rows: Sequence[HostRow]) -> bytes:
    """The rows as strict JSON, in their order."""
    return msgspec.json.encode(rows)


def read_rows(plan: Plan, hosts: Sequence[Host], index: int, raw: bytes) -> tuple[HostRow, ...]:
    """Read the rows that came back for a chunk.

    Raises:
        ChunkRefusedError: if they are none, or not of that chunk's hosts in their order.
    """
    own = chunk_of(plan, hosts, index)
    what = f"chunk {index} ({own[0].name} to {own[-1].name})"
    try:
        rows = msgspec.convert(json_of(raw), tuple[HostRow, ...])
    except (FormRefusedError, msgspec.ValidationError) as error:
        raise ChunkRefusedError(f"{what}: {printable(str(error)[:_LONGEST_PROBLEM])}") from None
    if [row.host for row in rows] != [host.name for host in own]:
        raise ChunkRefusedError(f"{what}: the rows are of other hosts")
    return rows


def worst_rows(rows: Sequence[HostRow]) -> list[HostRow]:
    """The rows, the worst first; of one state those that count, and by name."""
    return sorted(rows, key=lambda row: (row.state.rank, not row.counts_as_unclean, row.host))


def sentences_of(row: HostRow, release: str) -> Iterator[str]:
    """Yield what one host is to the rollout, how it stands, and what it counts as."""
    yield f"{row.host} in {row.group} {_PARTS[row.part].format(release)}."
    yield f"It is {row.state.replace('_', ' ')}" + (f": {row.why}." if row.why else ".")
    if row.is_contaminated:
        yield f"It shows {release} all the same, so it is left out of the comparison."
    if row.is_excused:
        yield "It was taken out, and counts no more."
    elif row.counts_as_failed:
        yield "It counts as failed, and as not clean, against what the policy tolerates."
    elif row.counts_as_unclean:
        yield "It counts as not clean against what the policy tolerates."
    yield "What follows is judged as if it were all of the rollout; 'explain' is of the fleet."
