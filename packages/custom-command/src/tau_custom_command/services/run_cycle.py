"""One cycle, carried out: the shell around `cycle`, with the lock, the files and the clock."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeVar

from tau_custom_command import __version__
from tau_custom_command.contract.state import HealthSnapshot, RunMode, RuntimeEvent
from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.contract.writes import EVENT_LOG
from tau_custom_command.cycle import accounting, cycle
from tau_custom_command.cycle.accounting import CycleEnd, CycleIdentity
from tau_custom_command.cycle.channel_records import by_channel, channel_writes, logs_of
from tau_custom_command.cycle.cycle import CycleLimits, Settlement
from tau_custom_command.cycle.evaluation import Result, evaluate
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.errors import StorageError
from tau_custom_command.fixture.loading import LoadedFixture, load
from tau_custom_command.fixture.model import Case
from tau_custom_command.limits import LARGEST_FIXTURE_BYTES
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.storage import read
from tau_custom_command.storage.lock import HeldLock, locked
from tau_custom_command.storage.rotation import NEVER_ROTATED, RotationLimits
from tau_custom_command.storage.state_directory import OpenedState, open_state, write_cycle
from tau_custom_command.storage.sync import NOT_TO_DISK, TO_DISK, Syncing

Item = TypeVar("Item")


class Track(Protocol):
    """Passes a sequence through and shows, for people, how far it has come."""

    def __call__(self, label: str, items: Sequence[Item], /) -> Iterator[Item]:
        """Yield the items one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Where time comes from, in milliseconds: the wall, a stopwatch, and waiting."""

    wall_unix_ms: Callable[[], int]
    monotonic_ms: Callable[[], int]
    sleep_ms: Callable[[int], None]

    @classmethod
    def of_this_machine(cls, *, now_unix_ms: int | None) -> Clock:
        """Return the machine's clock; where `now_unix_ms` is given, the wall stands at it."""
        return cls(
            wall_unix_ms=lambda: (
                time.time_ns() // 1_000_000 if now_unix_ms is None else now_unix_ms
            ),
            monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
            sleep_ms=lambda duration_ms: time.sleep(duration_ms / 1000),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the operator asked for: a fixture, a state directory, limits, a policy.

    `fresh` has every case be new work, by a suffix of its own in the place of `case_suffix`.
    """

    fixture: Path
    state_dir: Path
    limits: CycleLimits
    default_policy: ExecutionPolicy
    run_mode: RunMode
    case_suffix: str
    wait_seconds: float
    fresh: bool = False
    fsync: bool = True
    rotation: RotationLimits = NEVER_ROTATED

    @property
    def syncing(self) -> Syncing:
        """Return how what is written reaches the disk."""
        return TO_DISK if self.fsync else NOT_TO_DISK


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a cycle did: its event, the health after it, and what is worth telling people."""

    event: RuntimeEvent
    health: HealthSnapshot
    failures: tuple[Settlement, ...]
    warnings: tuple[str, ...]

    @property
    def has_drifted(self) -> bool:
        """Tell whether a result differed from what its fixture expects."""
        return any(settlement.drifted for settlement in self.failures)


def read_fixture(path: Path) -> LoadedFixture:
    """Return the fixture in the file `path`.

    Raises:
        FixtureRefusedError: with every problem it has.
        StorageError: if it is not there or cannot be read.
    """
    raw = read.read_file(path, most_bytes=LARGEST_FIXTURE_BYTES)
    if raw is None:
        raise StorageError(f"{path}: there is no such file")
    return load(raw, named=str(path))


def run_cycle(request: RunRequest, *, clock: Clock, track: Track) -> RunReport:
    """Process a fixture in one cycle and leave the state files.

    Raises:
        CommandRuntimeError: if the fixture is refused, the directory is locked, the state cannot
            be continued, the lock is lost, or a file cannot be written. `state.json` is then as it
            was; a cycle that was already committed is completed by the next run.
    """
    loaded = read_fixture(request.fixture)
    with locked(request.state_dir, wait_seconds=request.wait_seconds) as lock:
        return _run_locked(request, loaded, lock, clock, track)


def _run_locked(
    request: RunRequest,
    loaded: LoadedFixture,
    lock: HeldLock,
    clock: Clock,
    track: Track,
) -> RunReport:
    opened = open_state(lock.root, request.syncing)
    started_ms, identity = clock.monotonic_ms(), _identity(request, loaded, opened, clock)
    before = opened.state
    registry = Registry.of(() if before is None else before.commands)
    suffix = request.case_suffix
    if request.fresh:
        number = identity.cycle_number
        suffix = cycle.fresh_suffix(loaded.fixture.cases, before, cycle_number=number)
    cases = cycle.in_order(loaded.fixture.cases, case_suffix=suffix)
    plan = cycle.plan(cases, before, queue_limit=request.limits.queue_limit)
    settlements = [
        cycle.settle(
            case,
            _attempts(case, registry, request, clock),
            registry,
            now_unix_ms=clock.wall_unix_ms(),
        )
        for case in track("cases", plan.queue)
    ]
    end = CycleEnd(
        ended_unix_ms=clock.wall_unix_ms(), duration_ms=clock.monotonic_ms() - started_ms
    )
    closed = accounting.close(
        plan,
        settlements,
        registry,
        accounting.event_of(plan, settlements, identity, end),
        processed_case_cap=request.limits.processed_case_cap,
    )
    channels = by_channel(settlements)
    writes = (
        write
        for channel in track("channels", tuple(channels))
        for write in channel_writes(channel, channels[channel], registry)
    )
    remarks = write_cycle(
        lock,
        closed,
        writes,
        request.syncing,
        rotated_past=dict(_rotated_past(request.rotation, channels)),
    )
    return RunReport(
        event=closed.event,
        health=closed.state.health,
        failures=tuple(s for s in settlements if s.disposition is cycle.Disposition.FAILED),
        warnings=(*opened.warnings, *remarks, *loaded.warnings),
    )


def _rotated_past(limits: RotationLimits, channels: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield each log that the cycle may append to and that is to be rotated past a size."""
    if limits.events_bytes is not None:
        yield EVENT_LOG, limits.events_bytes
    if limits.channel_log_bytes is not None:
        for path in chain.from_iterable(map(logs_of, channels)):
            yield path, limits.channel_log_bytes


def _attempts(case: Case, registry: Registry, request: RunRequest, clock: Clock) -> list[Result]:
    """Return the result of each attempt at a case, the last one last."""
    attempts: list[Result] = []
    while True:
        attempts.append(evaluate(case, registry, default_policy=request.default_policy))
        if (
            attempts[-1].outcome is not Outcome.RETRYABLE_FAILURE
            or len(attempts) >= request.limits.retry_max_attempts
        ):
            return attempts
        delay_ms = cycle.retry_delay_ms(
            failed_attempts=len(attempts), base_delay_ms=request.limits.retry_base_delay_ms
        )
        if delay_ms:
            clock.sleep_ms(delay_ms)


def _identity(
    request: RunRequest, loaded: LoadedFixture, opened: OpenedState, clock: Clock
) -> CycleIdentity:
    number = opened.chain_end.cycle_number + 1
    before_ms = 0 if opened.state is None else opened.state.health.updated_unix_ms
    # By time, also where the clock was set back; then by number; then by chance, so that it is
    # unique across state directories.
    time_ms = max(clock.wall_unix_ms(), before_ms)
    return CycleIdentity(
        cycle_id=f"{time_ms:013d}-{number:08d}-{secrets.token_hex(4)}",
        cycle_number=number,
        previous_sha256=opened.chain_end.sha256,
        run_mode=request.run_mode,
        fixture_name=loaded.fixture.name,
        fixture_sha256=loaded.sha256,
        runtime_version=__version__,
    )
