"""What a cycle does with the files of RUNs that wrote much, in one thread.

So each of its system calls can be tried by itself. The commands are not run: what came of them is
given.
"""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

from tau_custom_command.contract.state import RunMode
from tau_custom_command.cycle import notes
from tau_custom_command.cycle.accounting import close
from tau_custom_command.cycle.artifacts import Attempt
from tau_custom_command.cycle.attempt import Execution, result_of
from tau_custom_command.cycle.execution import MOST_TEXT_BYTES, Ended, FailureReason, Stream
from tau_custom_command.cycle.plan import CycleIdentity, CycleLimits, CyclePlan, plan
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.cycle.settle import Settlement, settle
from tau_custom_command.fixture.model import Case
from tau_custom_command.services.write_closed import write_closed
from tau_custom_command.storage.artifacts import remove_expired, store
from tau_custom_command.storage.journal import noting
from tau_custom_command.storage.journal_format import NoteKind
from tau_custom_command.storage.lock import HeldLock, locked
from tau_custom_command.storage.rotation import NEVER_ROTATED
from tau_custom_command.storage.state_directory import open_state
from tau_custom_command.storage.sync import TO_DISK
from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.running import START_UNIX_MS, StateFiles, untracked

DAY_MS = 24 * 60 * 60 * 1000
LONG = b"x" * (MOST_TEXT_BYTES + 1)
FIXTURE = fixture_bytes(case_object("a", "CREATE", "greet"))
CASES = tuple(Case(case_id=str(n), operation="RUN", command_name="greet") for n in range(3))


class Storing:
    """A cycle of RUNs on a day: the first succeeds at once, the second fails twice."""

    def __init__(self, lock: HeldLock, *, day: int) -> None:
        opened = open_state(lock.root, TO_DISK)
        assert opened.state is not None
        self._lock, self._now_unix_ms = lock, START_UNIX_MS + day * DAY_MS
        self._registry = Registry.of(opened.state.commands)
        number = opened.chain_end.cycle_number + 1
        identity = CycleIdentity(
            cycle_id=f"{self._now_unix_ms}-{number:08}-0a1b2c3d",
            cycle_number=number,
            previous_sha256=opened.chain_end.sha256,
            run_mode=RunMode.EXECUTE,
            fixture_name="x",
            fixture_sha256="0" * 64,
            runtime_version="1",
        )
        limits = CycleLimits(
            queue_limit=64, processed_case_cap=10, retry_max_attempts=2, retry_base_delay_ms=0
        )
        self._plan: CyclePlan = plan(CASES, None, identity, limits)
        self._settlements: list[Settlement] = []

    def all(self, *, until: int = 3) -> tuple[str, ...]:
        """Do all that such a cycle writes, or the beginning of it; return what was told."""
        remove_expired(self._lock, TO_DISK, now_unix_ms=self._now_unix_ms)
        with noting(self._lock.root, TO_DISK) as notebook:

            def starts(place: int, *before: Execution) -> None:
                note = notes.Starts(place, CASES[place], self._now_unix_ms, "x", before)
                notebook.add(NoteKind.STARTS, notes.encode(note))
                notebook.sync()

            def settled(place: int, *attempts: Execution) -> None:
                settlement = settle(
                    CASES[place],
                    [attempt.result for attempt in attempts],
                    self._registry,
                    now_unix_ms=self._now_unix_ms,
                    executions=attempts,
                )
                note = notes.Settled(place, settlement)
                notebook.add(NoteKind.SETTLED, notes.encode(note))
                self._settlements.append(settlement)

            began = notes.Began.of(self._plan, unix_ms=self._now_unix_ms)
            notebook.add(NoteKind.BEGAN, notes.encode(began))
            starts(0)
            settled(0, self._attempt(0, 1, None))
            starts(1)
            first = self._attempt(1, 1, FailureReason.NON_ZERO_EXIT)
            starts(1, first)
            second = self._attempt(1, 2, FailureReason.NON_ZERO_EXIT)
            if until < 3:
                starts(2)
                return ()
            settled(1, first, second)
            notebook.sync()
        closed = close(
            self._plan,
            self._settlements,
            self._registry,
            ended_unix_ms=self._now_unix_ms,
            duration_ms=0,
        )
        return write_closed(self._lock, closed, TO_DISK, rotation=NEVER_ROTATED, track=untracked)

    def _attempt(self, place: int, number: int, failure: FailureReason | None) -> Execution:
        ended = Ended(
            started=True,
            command_line="x",
            failure=failure,
            exit_code=int(failure is not None),
            stdout=Stream(LONG, len(LONG)),
        )
        attempt = Attempt(self._plan.identity.cycle_id, place, CASES[place].key, number)
        kept = store(
            self._lock, "greet", attempt, ended, TO_DISK, now_unix_ms=self._now_unix_ms, days=1
        )
        return Execution(kept, result_of(CASES[place], kept), self._now_unix_ms)


def store_on(folder: Path, day: int, *, until: int = 3) -> tuple[str, ...]:
    """Have such a cycle run on a day; return what was told."""
    with locked(folder / "state", wait_seconds=0) as lock:
        return Storing(lock, day=day).all(until=until)


def assert_artifacts_are_those_of_the_records(state_dir: Path, *, since_unix_ms: int = 0) -> int:
    """Hold that each long output has its artifact, and that nothing else is there; count them.

    Records older than `since_unix_ms` may have lost theirs.
    """
    found = 0
    for channel in StateFiles(state_dir).channels():
        folder = StateFiles(state_dir).channel(channel)
        index = folder / "artifacts/index.jsonl"
        lines = (
            [json.loads(line) for line in index.read_bytes().splitlines()] if index.exists() else []
        )
        for line in lines:
            content = (folder / line["relative_path"]).read_bytes()
            assert line["checksum_sha256"] == sha256(content).hexdigest()
            assert line["bytes"] == len(content)
        files = {f"artifacts/{path.name}" for path in folder.glob("artifacts/*")}
        named = [line["relative_path"] for line in lines]
        assert sorted([*named, "artifacts/index.jsonl"] if files else []) == sorted(files)
        expected = Counter(
            entry["event_key"]
            for entry in StateFiles(state_dir).entries(channel)
            if entry["timestamp_unix_ms"] >= since_unix_ms
            for stream in ("stdout", "stderr")
            if "...<truncated:" in (entry["payload"].get("run_audit") or {}).get(stream, "")
        )
        about = Counter(line["run_id"].split(" ")[1] for line in lines)
        assert about == expected
        found += len(lines)
    return found
