"""Where crash tests start from, and what runs make of it that nothing disturbs."""

import re
import shutil
import stat
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tau_custom_command.contract.vocabulary import ErrorCode
from tau_custom_command.storage.journal import DONE_FILE, state_in
from tests.custom_command.cases import case_object, fixture_bytes, malformed, retryable, success
from tests.custom_command.one_cycle import cycle
from tests.custom_command.running import StateFiles
from tests.custom_command.tracing import CHANGING, OPENING, Call, Forks

CASES = (
    case_object("010", "CREATE", "kept"),
    case_object("020", "CREATE", "gone"),
    case_object("030", "UPDATE", "kept", template="echo again {{who}}"),
    case_object("040", "RUN", "kept", arguments={"who": "you"}),
    case_object("050", "DELETE", "gone"),
    case_object("060", "LIST", ""),
    case_object("070", "RUN", "gone", expected=malformed(404)),
    case_object("080", "LIST", "", expected=success("LIST", status_code=299)),
    case_object("090", "LIST", "", simulate_retryable_failure=True, expected=retryable()),
    case_object("100", "NOSUCH", "", expected=malformed(400, ErrorCode.INVALID_OPERATION.value)),
)


def empty(folder: Path, _forks: Forks) -> None:
    """Start from nothing but a fixture."""
    folder.mkdir()
    (folder / "fixture.json").write_bytes(fixture_bytes(*CASES))


def torn(folder: Path, forks: Forks) -> None:
    """Start after a cycle, with torn ends of an earlier time in three files."""
    empty(folder, forks)
    cycle(folder, "-earlier")
    kept = "channel-store/custom-command/kept/log.jsonl"
    for name in ("runtime-events.jsonl", kept, f"{kept}.corrupt"):
        with (folder / "state" / name).open("ab") as file:
            file.write(b'{"timestamp_unix_ms":1')
    (folder / "state" / f"{kept}.corrupt").chmod(0o600)


def committed(folder: Path, forks: Forks) -> None:
    """Start where a runner was killed when its cycle was committed and nothing else was done."""
    torn(folder, forks)
    clean = shutil.copytree(folder, folder.with_suffix(".clean"))
    _, calls = forks.run_traced(clean, calls=["pwrite64"])
    after = 1 + next(n for n, call in enumerate(calls) if call.label.endswith("/.journal"))
    kill(folder, calls[after], forks)


def rotating(folder: Path, forks: Forks) -> None:
    """Start after cycles that rotated their logs, as the next ones will; a gap is among them."""
    empty(folder, forks)
    (folder / "rotates").touch()
    for number in range(3):
        cycle(folder, f"-{number}")
    (folder / "state/channel-store/custom-command/kept/log.jsonl.1").unlink()


def half_made(folder: Path, forks: Forks) -> None:
    """Start where a runner was killed while it made a channel, and one of its files was there."""
    empty(folder, forks)
    clean = shutil.copytree(folder, folder.with_suffix(".clean"))
    _, calls = forks.run_traced(clean, calls=["pwrite64"])
    kill(folder, next(call for call in calls if call.label.endswith(".kept.new/log.jsonl")), forks)
    assert [*folder.rglob(".kept.new/log.jsonl")]


STARTS = {
    "empty": empty,
    "torn": torn,
    "committed": committed,
    "rotating": rotating,
    "half made": half_made,
}


def kill(folder: Path, point: Call, forks: Forks) -> None:
    """Have a runner killed just before one system call, and hold that it was that one."""
    inject = f"{point.name}:signal=SIGKILL:when={point.ordinal}"
    code, seen = forks.run_traced(folder, calls=[point.name], inject=inject)
    assert (code, seen[-1]) == (-9, point)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A start, the calls of a run from there, and what undisturbed runs make of it."""

    start: Path
    points: tuple[Call, ...]
    undisturbed: tuple[dict[str, tuple[int, bytes | None]], ...]

    @property
    def commit(self) -> int:
        """Return which point it is whose call puts the run's own batch into the journal."""
        return max(
            n for n, c in enumerate(self.points) if c.label == "pwrite64 FOLDER/state/.journal"
        )


@dataclass(frozen=True, slots=True)
class Scenarios:
    """The scenarios, each made once in a process that tests, and what runs them."""

    folder: Path
    forks: Forks
    made: dict[str, Scenario] = field(default_factory=dict)

    def get(self, name: str) -> Scenario:
        """Return a scenario."""
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def _make(self, name: str) -> Scenario:
        start = self.folder / name
        STARTS[name](start, self.forks)
        undisturbed = []
        again = shutil.copytree(start, self.folder / f"{name}-undisturbed")
        for _ in range(3):
            cycle(again)
            undisturbed.append(files_of(again / "state"))
        clean = shutil.copytree(start, self.folder / f"{name}-clean")
        code, calls = self.forks.run_traced(clean, calls=[*CHANGING, *OPENING])
        assert (code, files_of(clean / "state")) == (0, undisturbed[0])
        points = tuple(call for call in calls if "FOLDER" in call.label)
        assert points == tuple(calls), "nothing else is changed"
        return Scenario(start=start, points=points, undisturbed=tuple(undisturbed))


def files_of(state_dir: Path) -> dict[str, tuple[int, bytes | None]]:
    """Return every file and folder with its mode and content, less durations, ids and digests.

    The digests depend on those; that they make a whole chain is held here instead, as is that the
    journal is put by and has the state.
    """
    assert_chain_is_whole(state_dir)
    found: dict[str, tuple[int, bytes | None]] = {}
    for path in sorted(state_dir.rglob("*")):
        content = None if path.is_dir() else without_chance(path.read_bytes())
        if path.name not in {".lock", ".journal.done"}:
            found[str(path.relative_to(state_dir))] = (stat.S_IMODE(path.stat().st_mode), content)
    kept = state_dir / ".journal.done"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert state_in(state_dir, DONE_FILE) == (state_dir / "state.json").read_bytes()
    assert ".journal" not in found
    return found


def without_chance(content: bytes) -> bytes:
    """Return a file's content without what differs from run to run."""
    content = re.sub(rb'("cycle_duration_ms": ?)\d+', rb"\1", content)
    content = re.sub(rb'("cycle_id": ?"[0-9]+-[0-9]+)-[0-9a-f]{8}', rb"\1", content)
    return re.sub(rb'("(?:previous|event)_sha256": ?)"[0-9a-f]{64}"', rb"\1", content)


def assert_chain_is_whole(state_dir: Path) -> None:
    """Follow the chain from the first event to the state, as an outsider would."""
    files, previous = StateFiles(state_dir), None
    events = files.events()
    for number, line in enumerate(files.event_lines(), start=1):
        event = events[number - 1]
        assert (event["cycle_number"], event["previous_sha256"]) == (number, previous)
        previous = sha256(line.removesuffix(b"\n")).hexdigest()
    assert files.state()["last_cycle"]["event_sha256"] == previous
