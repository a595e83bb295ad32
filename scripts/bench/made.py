"""Makes what is measured: fixtures, and state directories with event logs of many layouts.

The events of a log are of several kinds in a fixed random order, and chained as the contract says
(runbooks/state-files.md), so that nothing is measured that only one kind of line is fast for.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

START_UNIX_MS = 1_767_225_600_000
MINUTE_MS = 60_000

Event = dict[str, Any]
Case = dict[str, Any]


def creates(count: int) -> list[Case]:
    """Cases that create so many commands."""
    return [
        {
            "schema_version": 1,
            "case_id": f"{number:06d}",
            "operation": "CREATE",
            "command_name": f"restart-{number:06d}",
            "template": f"systemctl restart unit-{number}@{{{{instance}}}}",
            "expected": {"outcome": "success", "status_code": 201},
        }
        for number in range(count)
    ]


def lists(count: int) -> list[Case]:
    """Cases that list the commands so many times."""
    return [
        {
            "schema_version": 1,
            "case_id": f"list-{number:06d}",
            "operation": "LIST",
            "expected": {"outcome": "success", "status_code": 200},
        }
        for number in range(count)
    ]


def write_fixture(path: Path, cases: Iterable[Mapping[str, Any]]) -> Path:
    """Write a fixture of these cases, and return its path."""
    document = {"schema_version": 1, "name": path.stem, "cases": list(cases)}
    path.write_text(json.dumps(document))
    return path


class Layout(NamedTuple):
    """How the lines of a log stand: which keys, in which order, with what between them."""

    name: str
    arranged: Callable[[Event], Event] = dict
    separators: tuple[str, str] = (",", ":")
    broken_every: int = 0


_MAY_BE_LEFT_OUT = frozenset(
    {
        "run_mode",
        "health_reason",
        "queued_cases",
        "upserted_commands",
        "deleted_commands",
        "run_spawn_failures",
        "run_missing_command_failures",
        "fixture_name",
        "fixture_sha256",
        "runtime_version",
    }
)


def _other_order(event: Event) -> Event:
    return {key: event[key] for key in sorted(event)}


def _extra_key(event: Event) -> Event:
    return {**event, "region": {"name": "north", "zones": [1, 2]}}


def _few_keys(event: Event) -> Event:
    return {key: value for key, value in event.items() if key not in _MAY_BE_LEFT_OUT}


AS_WRITTEN = Layout("as the runtime writes them")
OTHER_LAYOUTS = (
    Layout("another order of keys", _other_order),
    Layout("with white space", separators=(", ", ": ")),
    Layout("with an extra key", _extra_key),
    Layout("optional keys left out", _few_keys),
    Layout("1 % of the lines invalid", broken_every=100),
)


class Log:
    """A state directory with an event log that grows by a cycle a minute."""

    def __init__(
        self, state_dir: Path, example: Path, layout: Layout = AS_WRITTEN, *, seed: int = 1
    ) -> None:
        """Begin in a new directory, after the example of a state directory of one cycle."""
        state_dir.mkdir(parents=True)
        self.state_dir, self._layout = state_dir, layout
        self.path = state_dir / "runtime-events.jsonl"
        lines = (example / self.path.name).read_bytes().splitlines()
        self._kinds = _kinds(json.loads(lines[0]))
        self._state = json.loads((example / "state.json").read_bytes())
        self._chance = random.Random(seed)  # noqa: S311 - the same log each time is what is wanted
        self._previous: str | None = None
        self._number, self._now = 0, START_UNIX_MS

    @property
    def now_unix_ms(self) -> int:
        """When its last cycle ended."""
        return self._now

    def grow(self, events: int) -> "Log":
        """Add so many cycles, and the state that belongs to the last; return itself."""
        event: Event = {}
        with self.path.open("ab") as log:
            for _ in range(events):
                event = self._next()
                line = json.dumps(event, separators=self._layout.separators).encode()
                every = self._layout.broken_every
                if every and self._number % every == every // 2:
                    log.write(line[:-1].replace(b'"health_state"', b'"health"') + b',"x":]}\n')
                self._previous = sha256(line).hexdigest()
                log.write(line + b"\n")
        self._state["health"] |= {
            "updated_unix_ms": self._now,
            "cycle_duration_ms": event["cycle_duration_ms"],
            "failure_streak": event["failure_streak"],
            "queue_depth": event["backlog_cases"],
            "last_cycle_discovered": event["discovered_cases"],
            "last_cycle_failed": event["failed_cases"],
            "last_cycle_duplicates": event["duplicate_skips"],
        }
        self._state["last_cycle"] = {
            "cycle_id": event["cycle_id"],
            "cycle_number": self._number,
            "event_sha256": self._previous,
        }
        (self.state_dir / "state.json").write_text(json.dumps(self._state))
        return self

    def _next(self) -> Event:
        self._number += 1
        self._now += MINUTE_MS
        event = self._chance.choice(self._kinds) | {
            "cycle_number": self._number,
            "cycle_id": f"{self._now:013d}-{self._number:08d}-00000000",
            "timestamp_unix_ms": self._now,
            "previous_sha256": self._previous,
            "cycle_duration_ms": self._chance.randrange(5_000),
        }
        return self._layout.arranged(event)


def _kinds(first: Event) -> list[Event]:
    """Events of several kinds, the usual ones more than once; none of them depends on another."""
    zero = {
        key: 0 for key, value in first.items() if type(value) is int and key != "schema_version"
    }
    quiet = first | zero | {"reason_codes": ["healthy_cycle"]}
    taken = {"discovered_cases": 6, "queued_cases": 6, "applied_cases": 6}
    runs = quiet | taken | {"reason_codes": ["command_runs_recorded"], "executed_runs": 6}
    changed = runs | {
        "reason_codes": ["command_registry_mutated", "command_runs_recorded"],
        "upserted_commands": 2,
        "deleted_commands": 1,
        "executed_runs": 3,
    }
    again = quiet | {
        "reason_codes": ["duplicate_cases_skipped"],
        "discovered_cases": 6,
        "duplicate_skips": 6,
    }
    failed = runs | {
        "health_state": "degraded",
        "health_reason": "1 case failed in the last cycle",
        "reason_codes": ["case_processing_failed", "command_runs_recorded"],
        "applied_cases": 5,
        "executed_runs": 5,
        "failed_cases": 1,
        "failure_streak": 1,
    }
    return [*[runs] * 12, *[changed] * 4, *[again] * 3, *[quiet] * 2, failed]
