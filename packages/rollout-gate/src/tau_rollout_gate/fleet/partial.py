"""What is kept of a chunk of hosts, and of several together: counts, the worst, digests."""

from collections.abc import Sequence
from typing import NamedTuple

from tau_rollout_gate.fleet.plan import Host, HostRow, Plan


class Partial(NamedTuple):
    """A chunk's counts, or those of several chunks together."""


def partial_of(plan: Plan, index: int, rows: Sequence[HostRow]) -> bytes:
    """What a chunk comes to, as strict JSON: the same bytes on every engine."""
    raise NotImplementedError(plan, index, rows)


def read_partial(plan: Plan, hosts: Sequence[Host], index: int, raw: bytes) -> Partial:
    """Read what came back for chunk `index`.

    Raises:
        ChunkRefusedError: if it is not that: another chunk, version, policy, plan or other hosts.
    """
    raise NotImplementedError(plan, hosts, index, raw)


def merge(one: Partial, other: Partial) -> Partial:
    """Both together; in which order does not matter.

    Raises:
        ChunkRefusedError: if a chunk is in both.
    """
    raise NotImplementedError(one, other)
