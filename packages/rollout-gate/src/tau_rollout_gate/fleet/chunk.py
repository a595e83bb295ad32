"""What a worker gives back for a chunk: lines of strict JSON, and what they are read into.

The first line is the partial. Where each host is asked for, a second one has the rows; where it is
to be recorded, what is recorded of each. A worker that could not do it says so instead.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from tau_rollout_gate.contract.forms import json_of
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.errors import ChunkRefusedError, FormRefusedError, StoreError
from tau_rollout_gate.fleet.counts import Partial
from tau_rollout_gate.fleet.partial import read_partial
from tau_rollout_gate.fleet.plan import Host, HostRecord, HostRow, Plan, chunk_of
from tau_rollout_gate.fleet.rows import read_rows
from tau_rollout_gate.printable import printable

_LONGEST_WORDS = 1000
_LONGEST_PROBLEM = 300


class Wanted(StrEnum):
    """What is asked of a chunk beside its counts.

    `rows`: how each host stands. `look`: what is recorded of each after the look, and where the
    next phase is entered. `reentry` and `lossy_reentry`: the same where this phase is entered anew,
    lost lines accepted or not.
    """

    COUNTS = "counts"
    ROWS = "rows"
    LOOK = "look"
    REENTRY = "reentry"
    LOSSY_REENTRY = "lossy_reentry"


class Recorded(NamedTuple):
    """What is recorded of a host.

    Args:
        host: Its name.
        state: How it stands.
        reason: Why, in a word.
        after: What is recorded after the look, also on a hold.
        entry: What is pinned where a phase is entered; None where it is pinned no more.
    """

    host: str
    state: HostState
    reason: str
    after: HostRecord
    entry: HostRecord | None


class Job(NamedTuple):
    """What a worker needs beside the hosts of a chunk.

    Args:
        plan: What they are judged by.
        store: Where their files are, as `fleet.toml` has it.
        store_id: The id of that store's sentinel.
        wanted: What is asked.
        cutoffs: The cut-offs of the phase that may be entered.
    """

    plan: Plan
    store: str
    store_id: str
    wanted: Wanted
    cutoffs: dict[str, str]


class ChunkResult(NamedTuple):
    """What came back for a chunk, by its index, as far as it was asked for."""

    number: int
    partial: Partial
    rows: tuple[HostRow, ...] = ()
    recorded: tuple[Recorded, ...] = ()


def refusal(text: str) -> bytes:
    """What a worker gives back that could not judge its chunk."""
    return msgspec.json.encode({"refused": text[:_LONGEST_WORDS]})


def read_chunk(job: Job, hosts: Sequence[Host], index: int, raw: object) -> ChunkResult:
    """Read what came back for a chunk.

    Args:
        job: What was asked.
        hosts: All hosts, as they were dealt out.
        index: Which chunk it was.
        raw: What came back.

    Raises:
        StoreError: if the worker could not read the store.
        ChunkRefusedError: if it is not what was asked for; the text names the chunk.
    """
    plan = job.plan
    own = chunk_of(plan, hosts, index)
    what = f"chunk {index} ({own[0].name} to {own[-1].name})"
    if not isinstance(raw, bytes):
        raise ChunkRefusedError(f"{what}: what came back is no bytes, but {type(raw).__name__}")
    first, *rest = raw.split(b"\n")
    words = _refused(first)
    if words is not None:
        raise StoreError(f"{what}: {printable(words)}")
    partial = read_partial(plan, hosts, index, first)
    if len(rest) != int(job.wanted is not Wanted.COUNTS):
        raise ChunkRefusedError(f"{what}: has {len(rest)} lines more than its counts")
    if job.wanted is Wanted.COUNTS:
        return ChunkResult(index, partial)
    if job.wanted is Wanted.ROWS:
        return ChunkResult(index, partial, rows=read_rows(plan, hosts, index, rest[0]))
    return ChunkResult(index, partial, recorded=_recorded(rest[0], own, what))


def _refused(line: bytes) -> str | None:
    """The words of a worker that could not judge; None where it says nothing of the kind."""
    if not line.startswith(b'{"refused":'):
        return None
    try:
        return str(json_of(line)["refused"])
    except FormRefusedError as error:
        return str(error)


def _recorded(raw: bytes, own: Sequence[Host], what: str) -> tuple[Recorded, ...]:
    try:
        found = msgspec.json.decode(raw, type=tuple[Recorded, ...])
    except (ValueError, msgspec.MsgspecError) as error:
        raise ChunkRefusedError(f"{what}: {printable(str(error)[:_LONGEST_PROBLEM])}") from None
    if [one.host for one in found] != [host.name for host in own]:
        raise ChunkRefusedError(f"{what}: the records are of other hosts")
    return found
