"""Fleets of made hosts on disk, gone through phases with a clock that is stepped."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.files.policy import policy_text
from tau_rollout_gate.files.record import load
from tau_rollout_gate.policy.fleet import FleetRules
from tests.rollout_gate.fleet.fleets import policy_of
from tests.rollout_gate.making import ENTERED, MINUTE, SURFACE, History, Json, failed
from tests.rollout_gate.recording import ROLLOUT_DIR, Finished, Gate
from tests.rollout_gate.worlds import SOAKS, altered

RELEASE, TARGET = "1.4.0", "1.3.2"
NEVER_SIGNED = altered(
    *SOAKS,
    ('\ngates = [\n  { kind = "checklist_complete", name = "signoff_checklist" },\n]\n', "\n"),
)
"""The built-in policy with short soaks, and no checklist at its end."""

STORE = "srv/{host}/{surface}/"


def fleet_toml(store: str = STORE, **changes: Any) -> str:  # noqa: ANN401 - any value of TOML
    """Return a `fleet.toml`."""
    values = {
        "schema_version": 1,
        "name": "edge",
        "surfaces": [SURFACE],
        "roster": "roster.tsv",
        "store": store,
    } | changes
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


@dataclass(slots=True)
class MadeFleet:
    """Hosts with the logs of three cycles of the version before, and what the gate is asked.

    Args:
        folder: Where everything is.
        names: The hosts.
        groups: The group of each; all are in `default` otherwise.
        rules: The `[fleet]` table of the policy.
        now: The time.
        put: Writes a file of a host; below `srv` otherwise.
    """

    folder: Path
    names: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    rules: FleetRules = field(default_factory=FleetRules)
    now: int = ENTERED - MINUTE
    put: Callable[[str, Mapping[str, bytes]], None] | None = None
    logs: dict[str, History] = field(default_factory=dict)
    carrying: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Write the files."""
        self.write_roster()
        (self.folder / "fleet.toml").write_text(fleet_toml())
        policy = policy_of(self.rules, NEVER_SIGNED)
        (self.folder / "policy.toml").write_text(policy_text(policy))
        report = {"schema_version": 1, "total": 3, "passed": 3, "failed": 0}
        (self.folder / "report.json").write_text(json.dumps(report))
        for name in self.names:
            self.logs[name] = History()
        for back in (20, 15, 10):
            self.run(at=ENTERED - back * MINUTE)
        for name in self.names:
            self.write(name)

    def write_roster(self, *more: str, without: tuple[str, ...] = ()) -> None:
        """Write the roster anew, with more lines, or without some hosts."""
        lines = [
            f"{name}\t{self.groups.get(name, 'default')}"
            for name in self.names
            if name not in without
        ]
        text = "".join(f"{line}\n" for line in (*lines, *more))
        (self.folder / "roster.tsv").write_text(text)

    def cycle(self, *, at: int, bad: tuple[str, ...] = (), silent: tuple[str, ...] = ()) -> None:
        """Run a cycle on every host, and write what it left."""
        for name in self.run(at=at, bad=bad, silent=silent):
            self.write(name)

    def run(self, *, at: int, bad: tuple[str, ...] = (), silent: tuple[str, ...] = ()) -> list[str]:
        """Run a cycle on every host: those that carry the release tell it, `bad` ones fail."""
        loud = [name for name in self.logs if name not in silent]
        for name in loud:
            log = self.logs[name]
            release = RELEASE if name in self.carrying else TARGET
            streak = 1 + (log.last()["failure_streak"] if log.lines else 0)
            trouble: Json = failed(streak=streak) if name in bad else {}
            log.add(at, release=release, runtime_version=release, **trouble)
        return loud

    def write(self, name: str) -> None:
        """Write the files of a host."""
        log = self.logs[name]
        if self.put is None:
            log.write(self.folder / "srv" / name / SURFACE)
            return
        state = json.dumps(log.state()).encode()
        self.put(name, {"state.json": state, "runtime-events.jsonl": b"".join(log.lines)})

    def __call__(self, *arguments: str | Path, process: bool = False) -> Finished:
        """Ask the gate at the present time."""
        gate = Gate(self.folder)
        run = gate.process if process else gate
        return run(*arguments, "--now-unix-ms", str(self.now))

    def begin(self, *arguments: str) -> None:
        """Mark the store, open a rollout, and enter canary-1."""
        assert Gate(self.folder)("fleet", "init").code == 0
        self.start(*arguments)
        self.now = ENTERED
        self.advance("--validation", "report.json", code=0)
        self.upgrade()

    def start(self, *arguments: str, code: int = 0) -> Finished:
        """Open a rollout."""
        done = self(
            *("start", "--release", RELEASE, "--rollback-to", TARGET, "--by", "ada"),
            *("--fleet", "fleet.toml", "--policy", "policy.toml", *arguments),
        )
        assert done.code == code, done
        return done

    def upgrade(self) -> None:
        """Give the release to the present cohort."""
        self.carrying |= set(self.cohort())

    def cohort(self, *arguments: str) -> list[str]:
        """Return the hosts that the gate names."""
        return self("cohort", *arguments).out.split()

    def step(self, cycles: int = 1, **trouble: tuple[str, ...]) -> None:
        """Run cycles on every host, five minutes apart."""
        for _ in range(cycles):
            self.now += 5 * MINUTE
            self.cycle(at=self.now, **trouble)

    def advance(self, *arguments: str, code: int) -> Json:
        """Advance, which ends with a code, and return the answer."""
        done = self("advance", "--json", "--by", "ada", *arguments)
        assert done.code == code, done
        answer: Json = json.loads(done.out)
        return answer

    def evaluate(self, *arguments: str, code: int | None = None) -> Json:
        """Evaluate, and return the answer."""
        done = self("evaluate", "--json", *arguments)
        assert code is None or done.code == code, done
        answer: Json = json.loads(done.out)
        return answer

    @property
    def rollout(self) -> Rollout:
        """Return the rollout."""
        return load(self.folder / ROLLOUT_DIR).rollout


def hosts(count: int) -> tuple[str, ...]:
    """Return names of hosts."""
    return tuple(f"web-{number:02d}" for number in range(count))
