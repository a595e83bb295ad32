"""Rollouts, histories and evidence to test with, built by hand as the runtime writes them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tau_rollout_gate.contract.event import parse_event
from tau_rollout_gate.contract.pin import Carried, LogPosition, SurfacePin
from tau_rollout_gate.contract.rollout import (
    Channel,
    RecordedInput,
    RollbackTarget,
    Rollout,
    RolloutStatus,
)
from tau_rollout_gate.evidence.lines import LogPart, ReadPart
from tau_rollout_gate.evidence.reading import read_part
from tau_rollout_gate.evidence.values import Cycle, Evidence, SurfaceEvidence

Json = dict[str, Any]

ENTERED = 1_767_225_600_000
"""When the phase of the rollouts made here was entered."""

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
SURFACE = "custom-command"
SHA = "ab" * 32
FIXTURE_SHA = "96cadce6ffe86639214994155523316bc3c19a94e04038fa9dd50d3eec8086a9"


def digest(line: bytes) -> str:
    """Return the digest of a line, its line break left out."""
    return sha256(line.removesuffix(b"\n")).hexdigest()


def failed(*, streak: int, cases: int = 1) -> Json:
    """Return what differs in the event of a cycle with failed cases, the `streak`th in a row."""
    return {
        "health_state": "failing" if streak >= 3 else "degraded",
        "health_reason": f"{cases} cases failed in the last cycle",
        "reason_codes": ["case_processing_failed"],
        "failed_cases": cases,
        "failure_streak": streak,
    }


def malformed(*, cases: int = 1) -> Json:
    """Return what differs in the event of a cycle in which cases were malformed, as expected."""
    return {
        "reason_codes": ["malformed_inputs_observed", "command_runs_recorded"],
        "malformed_cases": cases,
    }


def read_parts(parts: Sequence[LogPart], one: SurfacePin) -> tuple[ReadPart, ...]:
    """Return what decides of the parts of a log, oldest first, for a surface that is pinned so."""
    seen = None if one.seen is None else one.seen.position
    pinned = [place for place in (one.sound_from, one.phase_from, seen) if place is not None]
    return tuple(
        read_part(part, is_newest=part is parts[-1], evidence_from=one.evidence_from, pinned=pinned)
        for part in parts
    )


@dataclass(slots=True)
class History:
    """A chained event log that grows cycle by cycle, and the state that belongs to it."""

    lines: list[bytes] = field(default_factory=list)

    def add(self, timestamp_unix_ms: int, **changes: Any) -> "History":  # noqa: ANN401 - any JSON
        """Add a healthy cycle that ended at a time, but for `changes`; None leaves a key out."""
        number = len(self.lines) + 1
        event: Json = {
            "schema_version": 1,
            "timestamp_unix_ms": timestamp_unix_ms,
            "cycle_id": f"{timestamp_unix_ms:013d}-{number:08d}-9f86d081",
            "cycle_number": number,
            "previous_sha256": digest(self.lines[-1]) if self.lines else None,
            "run_mode": "record",
            "health_state": "healthy",
            "health_reason": "the last cycle ended without a failed case",
            "reason_codes": ["command_registry_mutated", "command_runs_recorded"],
            "discovered_cases": 5,
            "queued_cases": 5,
            "applied_cases": 5,
            "duplicate_skips": 0,
            "malformed_cases": 0,
            "unexpected_malformed_cases": 0,
            "retryable_failures": 0,
            "retry_attempts": 0,
            "failed_cases": 0,
            "upserted_commands": 2,
            "deleted_commands": 0,
            "executed_runs": 1,
            "run_timeout_failures": 0,
            "run_non_zero_exit_failures": 0,
            "run_spawn_failures": 0,
            "run_missing_command_failures": 0,
            "backlog_cases": 0,
            "failure_streak": 0,
            "recovered": False,
            "cycle_duration_ms": 12,
            "fixture_name": "rollout-pass",
            "fixture_sha256": FIXTURE_SHA,
            "runtime_version": "1.4.0",
        }
        event |= changes
        event = {
            key: value
            for key, value in event.items()
            if not (key in changes and changes[key] is None)
        }
        self.lines.append(json.dumps(event, separators=(",", ":")).encode() + b"\n")
        return self

    def every(
        self,
        interval_ms: int,
        count: int,
        *,
        after: int = ENTERED,
        **changes: Any,  # noqa: ANN401 - any JSON
    ) -> "History":
        """Add `count` cycles, the first one `interval_ms` after a time."""
        for index in range(1, count + 1):
            self.add(after + index * interval_ms, **changes)
        return self

    def last(self) -> Json:
        """Return the last event."""
        event: Json = json.loads(self.lines[-1])
        return event

    def state(self) -> Json:
        """Return the state that belongs to the last line."""
        last = self.last()
        return {
            "schema_version": 1,
            "processed_case_keys": [],
            "failed_case_keys": [],
            "commands": [],
            "health": {
                "updated_unix_ms": last["timestamp_unix_ms"],
                "cycle_duration_ms": last.get("cycle_duration_ms", 0),
                "queue_depth": last["backlog_cases"],
                "active_runs": 0,
                "failure_streak": last["failure_streak"],
                "last_cycle_discovered": last.get("discovered_cases", 0),
                "last_cycle_processed": last.get("queued_cases", 0),
                "last_cycle_completed": last.get("applied_cases", 0),
                "last_cycle_failed": last["failed_cases"],
                "last_cycle_duplicates": last.get("duplicate_skips", 0),
            },
            "last_cycle": {
                "cycle_id": last["cycle_id"],
                "cycle_number": last["cycle_number"],
                "event_sha256": digest(self.lines[-1]),
            },
        }

    def write(self, state_dir: Path) -> Path:
        """Write log and state into a state directory, which is made if it is not there."""
        state_dir.mkdir(parents=True, exist_ok=True)
        (state_dir / "runtime-events.jsonl").write_bytes(b"".join(self.lines))
        (state_dir / "state.json").write_text(json.dumps(self.state()))
        return state_dir

    def cycles(self) -> tuple[Cycle, ...]:
        """Return the lines as cycles."""
        return tuple(
            Cycle(
                file="runtime-events.jsonl",
                line=number,
                sha256=digest(line),
                event=parse_event(line),
            )
            for number, line in enumerate(self.lines, start=1)
        )

    def position(self, *cuts: int) -> LogPosition:
        """Return where the log stands now, which was rotated after these lines."""
        if not self.lines:
            return LogPosition(cycle_number=None, event_sha256=None)
        start = max((cut for cut in cuts if cut < len(self.lines)), default=0)
        return LogPosition(
            cycle_number=self.last().get("cycle_number"),
            event_sha256=digest(self.lines[-1]),
            segment_sha256=digest(self.lines[start]),
            offset=sum(map(len, self.lines[start:-1])),
            timestamp_unix_ms=self.last()["timestamp_unix_ms"],
        )


def surface_evidence(
    history: History,
    *,
    phase_start: int = 0,
    **changes: Any,  # noqa: ANN401 - any field
) -> SurfaceEvidence:
    """Return what a history says, sound but for `changes`."""
    values: dict[str, Any] = {
        "surface": SURFACE,
        "is_chained": True,
        "snapshot": None,
        "cycles": history.cycles(),
        "phase_start": phase_start,
        "end": history.position() if history.lines else None,
        "newest": history.position() if history.lines else None,
        "inputs": (RecordedInput(path="runtime-events.jsonl", sha256=SHA, offset=0, length=1),),
    }
    return SurfaceEvidence(**(values | changes))


def pin(**changes: Any) -> SurfacePin:  # noqa: ANN401 - any field
    """Return the pin of the surface, in a canary phase whose log was empty at its entry."""
    empty = LogPosition(cycle_number=None, event_sha256=None)
    values: dict[str, Any] = {
        "name": SURFACE,
        "state_dir": ".tau/custom-command",
        "is_chained": True,
        "expected": {"runtime_version": "1.4.0"},
        "evidence_from": empty,
        "phase_from": empty,
        "carried": Carried(),
    }
    return SurfacePin(**(values | changes))


def rollout(phase: str = "canary-1", **changes: Any) -> Rollout:  # noqa: ANN401 - any field
    """Return an open rollout in a phase that was entered at `ENTERED`, but for `changes`."""
    is_canary = phase != "preflight"
    values: dict[str, Any] = {
        "status": RolloutStatus.OPEN,
        "release": "1.4.0",
        "channel": Channel.STABLE,
        "started_unix_ms": ENTERED - MINUTE,
        "phases": ("preflight", "canary-1", "canary-2", "canary-3", "general-availability"),
        "phase": phase,
        "phase_entered_unix_ms": ENTERED,
        "canary_entered_unix_ms": ENTERED if is_canary else None,
        "cycle_interval_ms": 5 * MINUTE,
        "registry_changes_expected": False,
        "policy_sha256": SHA,
        "policy_file": None,
        "surfaces": (
            pin() if is_canary else pin(evidence_from=None, phase_from=None, is_chained=True),
        ),
        "rollback": RollbackTarget(rollback_channel=Channel.STABLE, rollback_version="1.3.2"),
    }
    return Rollout(**(values | changes))


def evidence_of(
    history: History,
    *,
    phase_start: int = 0,
    **changes: Any,  # noqa: ANN401 - any field
) -> Evidence:
    """Return the evidence of one surface alone."""
    return Evidence(
        surfaces={SURFACE: surface_evidence(history, phase_start=phase_start, **changes)}
    )
