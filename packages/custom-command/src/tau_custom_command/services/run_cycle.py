"""`run`: reads fixture and state, has the cycle decided, and writes what it leaves."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import UNSET

from tau_custom_command import __version__
from tau_custom_command.contract.state import HealthSnapshot, RunMode, RuntimeEvent
from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.cycle.accounting import close
from tau_custom_command.cycle.artifacts import Attempt
from tau_custom_command.cycle.evaluation import evaluate
from tau_custom_command.cycle.execution import Ended
from tau_custom_command.cycle.plan import (
    CycleIdentity,
    CycleLimits,
    CyclePlan,
    fresh_suffix,
    in_order,
    plan,
    suffix_of,
)
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.cycle.settle import Settlement, settle, tried
from tau_custom_command.errors import FixtureRefusedError, Problem, StorageError
from tau_custom_command.fixture.loading import LoadedFixture, load
from tau_custom_command.limits import LARGEST_FIXTURE_BYTES, MIB, NO_RELEASE, is_release
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.close_interrupted import close_interrupted
from tau_custom_command.services.executed_keys import with_executed_keys
from tau_custom_command.services.pause import refuse_paused
from tau_custom_command.services.write_closed import Track, write_closed
from tau_custom_command.storage import artifacts, read
from tau_custom_command.storage.journal import noting
from tau_custom_command.storage.lock import HeldLock, locked
from tau_custom_command.storage.rotation import NEVER_ROTATED, RotationLimits
from tau_custom_command.storage.state_directory import OpenedState, open_state
from tau_custom_command.storage.sync import NOT_TO_DISK, TO_DISK, Syncing

if TYPE_CHECKING:
    from tau_custom_command.services.execute.prepare import Executing


class RunRequest(NamedTuple):
    """What the operator asked for: a fixture, a state directory, limits, a policy.

    `fresh` has every case be new work, by a suffix of its own in the place of `case_suffix`. The
    event tells the `release`, or what the file `release_file` holds when the cycle runs. RUNs are
    executed as `executing` says, else only recorded; `rerun` names keys of executed ones to be run
    once more. Where the state was put back and a channel's log cannot be read, what it executed is
    not known, which `accept_lost_keys` takes. Output is kept for `artifact_days`; None for ever.
    """

    fixture: Path
    state_dir: Path
    limits: CycleLimits
    default_policy: ExecutionPolicy
    case_suffix: str
    wait_seconds: float
    fresh: bool = False
    fsync: bool = True
    rotation: RotationLimits = NEVER_ROTATED
    release: str | None = None
    release_file: Path | None = None
    executing: "Executing | None" = None
    rerun: tuple[str, ...] = ()
    accept_lost_keys: bool = False
    artifact_days: int | None = None


class RunReport(NamedTuple):
    """What a cycle did: its event, the health after it, and what is worth telling people."""

    event: RuntimeEvent
    health: HealthSnapshot
    settlements: tuple[Settlement, ...]
    warnings: tuple[str, ...]

    @property
    def has_drifted(self) -> bool:
        """Whether a result differed from what its fixture expects."""
        return any(settlement.drifted for settlement in self.settlements)


def read_fixture(path: Path) -> LoadedFixture:
    """Read the fixture in the file `path`.

    Raises:
        FixtureRefusedError: with every problem it has.
        StorageError: if it is not there or cannot be read.
    """
    raw = read.read_file(path, most_bytes=LARGEST_FIXTURE_BYTES)
    if raw is None:
        raise StorageError(f"{path}: there is no such file")
    return load(raw, named=str(path))


def read_release(path: Path) -> str:
    """Read which release runs here: one line, such as `1.4.0`.

    Raises:
        StorageError: if the file cannot be read, or holds anything else.
    """
    raw = read.read_file(path, most_bytes=MIB)
    if raw is None:
        raise StorageError(f"{path}: there is no such file; it has to say which release runs here")
    release = raw.decode("utf-8-sig", errors="replace").strip()
    if not is_release(release):
        raise StorageError(f"{path}: {NO_RELEASE}")
    return release


def read_inputs(request: RunRequest) -> tuple[RunRequest, LoadedFixture]:
    """Read the files that a request names: itself with the release that one tells, and the fixture.

    Raises:
        FixtureRefusedError: as `read_fixture`; and if it holds a secret of the commands, since its
            cases are written to the state as they are.
        StorageError: as `read_fixture` and `read_release`.
    """
    loaded = read_fixture(request.fixture)
    if request.release_file is not None:
        request = request._replace(release=read_release(request.release_file))
    if request.executing is not None:
        secrets = request.executing.barred_from_fixtures()
        if secrets.environment and (name := secrets.name_in(loaded.fixture)):
            reason = f"holds the value of {name}, which is a secret: leave it out"
            raise FixtureRefusedError(str(request.fixture), (Problem(None, None, reason),))
    return request, loaded


def run_cycle(request: RunRequest, *, clock: Clock, track: Track) -> RunReport:
    """Process a fixture in one cycle and leave the state files.

    Raises:
        CommandRuntimeError: if the fixture is refused, the directory is locked, the state cannot
            be continued, the lock is lost, or a file cannot be written. `state.json` is then as it
            was; a cycle that was already committed is completed by the next run.
    """
    request, loaded = read_inputs(request)
    syncing = _syncing(request)
    with locked(request.state_dir, wait_seconds=request.wait_seconds) as lock:
        refuse_paused(lock.root)
        opened = _opened(request, lock, syncing, clock, track)
        registry = Registry.of(() if opened.state is None else opened.state.commands)
        planned = planned_cycle(request, loaded, opened, clock)
        never_run = tuple(_never_run(planned))
        started_ms = clock.monotonic_ms()
        if request.executing is None:
            settled = _recorded(planned, registry, request, clock, track)
        else:
            settled = _executed(planned, registry, request, request.executing, lock, clock, track)
        closed = close(
            planned,
            settled,
            registry,
            ended_unix_ms=clock.wall_unix_ms(),
            duration_ms=clock.monotonic_ms() - started_ms,
        )
        del registry, planned  # they hold much in a large cycle, and the state has what counts
        remarks = write_closed(lock, closed, syncing, rotation=request.rotation, track=track)
    return RunReport(
        event=closed.event,
        health=closed.state.health,
        settlements=closed.settlements,
        warnings=(*opened.warnings, *remarks, *loaded.warnings, *never_run),
    )


def _never_run(planned: CyclePlan) -> Iterator[str]:
    """Tell which RUNs an executing cycle passed over though none was ever started."""
    if planned.identity.run_mode is RunMode.EXECUTE:
        executed = frozenset(planned.executed_before)
        runs = [key for key in planned.skipped if key.startswith(f"{Operation.RUN}:")]
        if recorded := sum(key not in executed for key in runs):
            runs_were = "1 RUN was" if recorded == 1 else f"{recorded:,} RUNs were"
            yield f"{runs_were} recorded by an earlier cycle, and never run: --fresh runs all anew"


def _opened(
    request: RunRequest, lock: HeldLock, syncing: Syncing, clock: Clock, track: Track
) -> OpenedState:
    """Read the state, once a cycle that a crash ended is closed, and what has expired removed."""
    opened = open_state(lock.root, syncing)
    told = close_interrupted(lock, opened, syncing, rotation=request.rotation, track=track)
    if told:
        opened = open_state(lock.root, syncing)._replace(warnings=(*opened.warnings, *told))
    if request.executing is None:  # the only mode that leaves artifacts
        return opened
    told = artifacts.remove_expired(lock, syncing, now_unix_ms=clock.wall_unix_ms())
    state = opened.state
    if state is not None and opened.chain_end.warning is not None:
        # The state may be older than what was executed, and no RUN is silently run again.
        state = with_executed_keys(lock.root, state, accept_lost=request.accept_lost_keys)
    return opened._replace(state=state, warnings=(*opened.warnings, *told))


def planned_cycle(
    request: RunRequest, loaded: LoadedFixture, opened: OpenedState, clock: Clock
) -> CyclePlan:
    """Name the cycle that comes next, and choose which cases of a fixture it takes.

    Raises:
        FixtureRefusedError: if it has no case of a key that is to run once more: the key would be
            forgotten, and a later cycle of its own fixture would run it unasked.
        StateUnusableError: as `plan`.
    """
    cases = loaded.fixture.cases
    number, suffix = opened.chain_end.cycle_number + 1, request.case_suffix
    identity = CycleIdentity(
        cycle_id=_cycle_id(number, clock.wall_unix_ms(), after_ms=opened.updated_unix_ms),
        cycle_number=number,
        previous_sha256=opened.chain_end.sha256,
        run_mode=RunMode.RECORD if request.executing is None else RunMode.EXECUTE,
        fixture_name=loaded.fixture.name,
        fixture_sha256=loaded.sha256,
        runtime_version=__version__,
        release=request.release or UNSET,
    )
    if request.rerun and not suffix and opened.state is not None:
        # Else a key as it was told would be refused, since it says nothing of where the id ends.
        suffix = suffix_of(cases, request.rerun, opened.state.executed_run_keys or ())
    if request.fresh:
        suffix = fresh_suffix(cases, opened.state, cycle_number=number)
    ordered = in_order(cases, case_suffix=suffix)
    keys = {case.key for case in ordered} if request.rerun else set()
    if strange := [key for key in request.rerun if key not in keys]:
        what = "--rerun takes OPERATION:name:id of one, with its --case-suffix if it had one"
        reason = f"no case has the key {strange[0]!r}; {what}"
        raise FixtureRefusedError(str(request.fixture), (Problem(None, None, reason),))
    return plan(
        ordered,
        opened.state,
        identity,
        request.limits,
        is_fresh=request.fresh,
        rerun=request.rerun,
    )


def _recorded(
    planned: CyclePlan, registry: Registry, request: RunRequest, clock: Clock, track: Track
) -> tuple[Settlement, ...]:
    """Settle the cases one after the other; RUNs are recorded, and nothing is written yet."""
    settlements: list[Settlement] = []
    for case in track("cases", planned.queue):
        attempt = partial(evaluate, case, registry, default_policy=request.default_policy)
        results = tried(attempt, request.limits, sleep_ms=clock.sleep_ms)
        settlements.append(settle(case, results, registry, now_unix_ms=clock.wall_unix_ms()))
    return tuple(settlements)


def _executed(  # noqa: PLR0913, PLR0917 - what was planned, what was asked for, and two seams
    planned: CyclePlan,
    registry: Registry,
    request: RunRequest,
    executing: "Executing",
    lock: HeldLock,
    clock: Clock,
    track: Track,
) -> tuple[Settlement, ...]:
    """Settle the cases, RUNs by running them; the journal notes how far it is."""
    from tau_custom_command.services.execute.cycle import execute  # noqa: PLC0415 - record mode has no use
    from tau_custom_command.services.execute.hidden import make_hidden  # noqa: PLC0415 - as above

    syncing = _syncing(request)

    def keep(channel: str, attempt: Attempt, ended: Ended) -> Ended:
        now_unix_ms, days = clock.wall_unix_ms(), request.artifact_days
        return artifacts.store(
            lock, channel, attempt, ended, syncing, now_unix_ms=now_unix_ms, days=days
        )

    make_hidden(executing.hidden, executing.workspace)
    progress = iter(track("cases", planned.queue))
    with noting(lock.root, syncing) as notebook:
        settlements = execute(
            planned, registry, executing, notebook, clock=clock, keep=keep, progress=progress
        )
    next(progress, None)  # what was taken last is done only when the next is asked for
    return settlements


def _syncing(request: RunRequest) -> Syncing:
    return TO_DISK if request.fsync else NOT_TO_DISK


def _cycle_id(number: int, now_unix_ms: int, *, after_ms: int) -> str:
    """Name a cycle by time, also where the clock was set back; then by number; then by chance.

    So names sort as the cycles do, and are unique across state directories.
    """
    return f"{max(now_unix_ms, after_ms):013d}-{number:08d}-{os.urandom(4).hex()}"
