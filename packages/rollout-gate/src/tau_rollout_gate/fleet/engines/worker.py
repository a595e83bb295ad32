"""Judges a chunk, wherever that is: what a worker does.

The store is opened here, in the process that uses it: an object store does not outlive a fork.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from tau_rollout_gate import __version__
from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.decision.soak import longest_pause_ms
from tau_rollout_gate.errors import RolloutGateError, StoreError
from tau_rollout_gate.evidence.values import Evidence, SurfaceEvidence
from tau_rollout_gate.files.stores.host import read_host, stored_unix_ms
from tau_rollout_gate.files.stores.interface import Store
from tau_rollout_gate.files.stores.local import LocalStore
from tau_rollout_gate.files.stores.opening import open_store
from tau_rollout_gate.fleet.chunk import Job, Recorded, Wanted, refusal
from tau_rollout_gate.fleet.host_judgement import judge_host
from tau_rollout_gate.fleet.partial import partial_of
from tau_rollout_gate.fleet.plan import Host, HostRow, Plan, surfaces_of
from tau_rollout_gate.fleet.record import record_after, record_at_entry, record_at_reentry
from tau_rollout_gate.fleet.rows import rows_document

_READERS = 16
"""How many hosts of an object store are read at once: that waits, and costs no processor."""


class _Judged(NamedTuple):
    row: HostRow
    recorded: Recorded | None


def judge_chunk(job: Job, index: int, hosts: Sequence[Host]) -> bytes:
    """Judge the hosts of a chunk: lines of strict JSON, as `read_chunk` reads them.

    Whatever can be expected to go wrong is told in what comes back, which names the chunk there.
    """
    try:
        return _judge_chunk(job, index, hosts)
    except RolloutGateError as error:
        return refusal(str(error))


def read_of(job: Job, store: Store, host: Host) -> Evidence:
    """Read what the files of a host say.

    Raises:
        StoreError: if the store cannot answer, which says nothing of the host.
    """
    pins = surfaces_of(job.plan, host)
    return Evidence(surfaces={pin.name: _read(job.plan, pin, store) for pin in pins})


def _read(plan: Plan, pin: SurfacePin, store: Store) -> SurfaceEvidence:
    """Read a surface; where it looks silent, also when the store got its state."""
    found = read_host(pin, store)
    newest = None if found.newest is None else found.newest.timestamp_unix_ms
    longest = longest_pause_ms(plan.rollout.cycle_interval_ms, 0)
    if newest is None or plan.now_unix_ms - newest <= longest:
        return found
    return found._replace(stored_unix_ms=stored_unix_ms(pin, store))


def opened_store(job: Job) -> Store:
    """Open the store, and see that it is the one that was pinned.

    Raises:
        StoreError: if it is not, or cannot answer.
    """
    store = open_store(job.store)
    sentinel = store.sentinel()
    if sentinel.id != job.store_id:
        raise StoreError(
            f"{store.root}: is another store than at the start: its sentinel has the id "
            f"{sentinel.id}, and {job.store_id} is pinned"
        )
    return store


def _judge_chunk(job: Job, index: int, hosts: Sequence[Host]) -> bytes:
    if job.plan.version != __version__:
        raise StoreError(f"the worker has version {__version__}, and this is {job.plan.version}")
    store = opened_store(job)

    def judged(host: Host) -> _Judged:
        return _judged(job, host, read_of(job, store, host))

    if isinstance(store, LocalStore):
        found = list(map(judged, hosts))
    else:
        with ThreadPoolExecutor(_READERS) as readers:
            found = list(readers.map(judged, hosts))
    rows = [one.row for one in found]
    partial = partial_of(job.plan, index, rows)
    if job.wanted is Wanted.COUNTS:
        return partial
    if job.wanted is Wanted.ROWS:
        return b"\n".join((partial, rows_document(rows)))
    recorded = msgspec.json.encode([one.recorded for one in found])
    return b"\n".join((partial, recorded))


def _judged(job: Job, host: Host, evidence: Evidence) -> _Judged:
    plan, cutoffs = job.plan, job.cutoffs
    row = judge_host(plan, host, evidence)
    if job.wanted in {Wanted.COUNTS, Wanted.ROWS}:
        return _Judged(row, None)
    if job.wanted is Wanted.LOOK:
        entry = record_at_entry(plan, host, row, evidence, cutoffs)
    else:
        is_lossy = job.wanted is Wanted.LOSSY_REENTRY
        entry = record_at_reentry(plan, host, row, evidence, cutoffs, accepts_lost=is_lossy)
    after = record_after(host, row)
    return _Judged(row, Recorded(host.name, row.state, row.reason, after, entry))
