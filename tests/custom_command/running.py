"""How tests run the command runtime: in process with a clock of their own, or as real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.run_cycle import RunReport, RunRequest, run_cycle
from tau_custom_command.storage.rotation import NEVER_ROTATED, RotationLimits
from tests import forking

COMMAND = Path(sys.executable).parent / "tau-custom-command"
START_UNIX_MS = 1_767_225_600_000
PATIENCE_SECONDS = 60.0
"""How long a test waits for a process before it gives up."""

Json = dict[str, Any]
Item = TypeVar("Item")


@dataclass(slots=True)
class StandingClock:
    """A clock that stands until a test moves it, and remembers what was waited for."""

    now_unix_ms: int = START_UNIX_MS
    monotonic_ms: int = 5_000
    waits_ms: list[int] = field(default_factory=list)

    def as_clock(self) -> Clock:
        """Return it as the runtime takes it; waiting moves the stopwatch, not the wall."""
        return Clock(
            wall_unix_ms=lambda: self.now_unix_ms,
            monotonic_ms=lambda: self.monotonic_ms,
            sleep_ms=self._sleep_ms,
        )

    def _sleep_ms(self, duration_ms: int) -> None:
        self.waits_ms.append(duration_ms)
        self.monotonic_ms += duration_ms


def untracked(_label: str, items: Sequence[Item]) -> Iterator[Item]:
    """Pass a sequence through, without a progress bar."""
    yield from items


@dataclass(slots=True)
class StateFiles:
    """A state directory as another program sees it: bytes and JSON, no code of the runtime's."""

    root: Path

    def state(self) -> Json:
        """Return what `state.json` holds."""
        value: Json = json.loads((self.root / "state.json").read_bytes())
        return value

    def event_lines(self) -> list[bytes]:
        """Return the lines of the event log, of its rotated files first, with line breaks."""
        log = self._path("runtime-events.jsonl")
        rotated = log.parent.glob(f"{log.name}.[0-9]*")
        files = [*sorted(rotated, key=lambda path: -int(path.suffix[1:])), log]
        return b"".join(map(Path.read_bytes, filter(Path.exists, files))).splitlines(keepends=True)

    def events(self) -> list[Json]:
        """Return the events, oldest first."""
        return [json.loads(line) for line in self.event_lines()]

    def channels(self) -> set[str]:
        """Return the names of the channels."""
        return {path.name for path in self._path("channel-store/custom-command").iterdir()}

    def channel(self, name: str) -> Path:
        """Return the folder of a channel."""
        return self._path("channel-store/custom-command") / name

    def entries(self, channel: str, file: str = "log.jsonl") -> list[Json]:
        """Return the entries of a channel's log or context; none if there is no such file."""
        path = self.channel(channel) / file
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def contents(self) -> dict[str, bytes]:
        """Return every file's bytes by its path, but for lock and journals."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.name not in {".lock", ".journal", ".journal.done"}
        }

    def _path(self, relative: str) -> Path:
        return self.root / relative


@dataclass(slots=True)
class Runtime:
    """The runner, in process, on a state directory of its own; state is read from disk each cycle.

    Options keep their value from one cycle to the next; `run` changes them for one.
    """

    folder: Path
    time: StandingClock = field(default_factory=StandingClock)
    queue_limit: int = 64
    processed_case_cap: int = 10_000
    retry_max_attempts: int = 4
    retry_base_delay_ms: int = 0
    fsync: bool = False
    rotation: RotationLimits = NEVER_ROTATED
    policy: ExecutionPolicy = field(default_factory=ExecutionPolicy)

    @property
    def state_dir(self) -> Path:
        """Return the state directory."""
        return self.folder / "state"

    @property
    def files(self) -> StateFiles:
        """Return what the cycles have left."""
        return StateFiles(self.state_dir)

    def run(
        self, *cases: Json, case_suffix: str = "", fresh: bool = False, **header: object
    ) -> RunReport:
        """Run one cycle of a fixture with these cases, a second after the one before."""
        fixture = {"schema_version": 1, "name": "demo", "cases": list(cases)} | header
        return self.run_file(json.dumps(fixture).encode(), case_suffix=case_suffix, fresh=fresh)

    def run_file(self, content: bytes, *, case_suffix: str = "", fresh: bool = False) -> RunReport:
        """Run one cycle of a fixture with this content."""
        path = self.folder / "fixture.json"
        path.write_bytes(content)
        self.time.now_unix_ms += 1_000
        request = RunRequest(
            fixture=path,
            state_dir=self.state_dir,
            limits=CycleLimits(
                queue_limit=self.queue_limit,
                processed_case_cap=self.processed_case_cap,
                retry_max_attempts=self.retry_max_attempts,
                retry_base_delay_ms=self.retry_base_delay_ms,
            ),
            default_policy=self.policy,
            case_suffix=case_suffix,
            wait_seconds=0,
            fresh=fresh,
            fsync=self.fsync,
            rotation=self.rotation,
        )
        return run_cycle(request, clock=self.time.as_clock(), track=untracked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a process ended, and what it said where."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """Return stdout as JSON, which must be all of it."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Command:
    """The installed `tau-custom-command`, as a process in a folder; never with a traceback."""

    folder: Path

    def __call__(
        self,
        *arguments: str | bytes | Path,
        env: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run the command to its end."""
        done = forking.run(
            COMMAND, *arguments, cwd=self.folder, env=environment(env), timeout=PATIENCE_SECONDS
        )
        err = done.stderr.decode(errors="backslashreplace")
        assert "Traceback" not in err, err
        assert "Exception ignored" not in err, err
        return Finished(code=done.returncode, out=done.stdout.decode(), err=err)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start the command; the test ends it."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write(self, name: str, value: object) -> Path:
        """Write a fixture, or anything else that is JSON, into the folder."""
        path = self.folder / name
        path.write_text(json.dumps(value), encoding="utf-8")
        return path


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without the runtime's variables, and with `extra`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TAU_CUSTOM_COMMAND_")}
    kept.pop("PYTHONUNBUFFERED", None)  # it hides what is left to be written at the end
    return kept | {"COLUMNS": "200"} | dict(extra or {})


def rotate(log: Path) -> None:
    """Rename a log as logrotate does, and those before it."""
    numbers = [0, *(n for n in range(1, 9) if log.with_name(f"{log.name}.{n}").exists())]
    for number in reversed(numbers):
        old = log.with_name(f"{log.name}.{number}") if number else log
        if old.exists():
            old.rename(log.with_name(f"{log.name}.{number + 1}"))
