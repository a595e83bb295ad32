"""The one judgement that every command shows: the health, whether a rollout may pass, and why.

It follows from the snapshot and the end of the event log alone, so that `check`, which reads no
more, says the same as `status`, which reads all (runbooks/transport-health-ops.md, "The gate").
"""

import shlex
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from tau_transport_health.contract.event import Event
from tau_transport_health.contract.state import HealthSnapshot, HealthState
from tau_transport_health.durations import age
from tau_transport_health.errors import ExitCode, PluginCode
from tau_transport_health.health.reading import Problem, Reading
from tau_transport_health.health.remedies import (
    REMEDIES,
    FileSymptom,
    HistorySymptom,
    Hold,
    SymptomCode,
    symptom_of,
)
from tau_transport_health.health.targets import Target

DEFAULT_MAX_AGE_MS = 15 * 60 * 1000
"""How old a snapshot may be, unless the operator says otherwise."""

FUTURE_TOLERANCE_MS = 60 * 1000
"""How far a snapshot may lie ahead of the clock: clocks differ a little."""

CUT_OFF_MS = 2 * 60 * 1000
"""How old the journal of a cycle at work may be (runbooks/state-files.md, "A cycle at work")."""

CLOCK_PINNED = (
    "the clock is pinned by --now-unix-ms or TAU_TRANSPORT_HEALTH_NOW_UNIX_MS, so that a dead "
    "runtime may pass"
)
"""What every answer warns of that was given the time to judge at."""


class Gate(StrEnum):
    """Whether a rollout may go on, as far as this transport's health says."""

    PASS = "pass"  # noqa: S105 - the word of the contract, no secret
    HOLD = "hold"


class Assessment(NamedTuple):
    """The judgement of one target at one time."""

    health_state: HealthState
    health_reason: str
    gate: Gate
    holds: tuple[tuple[Hold, str], ...]
    warnings: tuple[str, ...]
    age_ms: int | None
    is_stale: bool
    snapshot: HealthSnapshot | None
    last_event: Event | None
    queue_depth: int

    @property
    def exit_code(self) -> ExitCode:
        """What `inspect`, `status` and `report` exit with."""
        if self.snapshot is None:
            return ExitCode.CANNOT_ANSWER
        return ExitCode.YES if self.gate is Gate.PASS else ExitCode.NO

    @property
    def is_cut_off(self) -> bool:
        """Whether the runtime was killed in the middle of a cycle that nothing has closed yet."""
        return any(hold is Hold.CUT_OFF for hold, _ in self.holds)

    @property
    def is_reliable(self) -> bool:
        """Whether nothing keeps the health that is on record from being that of now."""
        return all(hold is Hold.UNHEALTHY for hold, _ in self.holds)

    @property
    def plugin_code(self) -> PluginCode:
        """What `check` exits with: what is bad for certain, else unknown if anything makes it so.

        A state that nobody writes any more is bad for certain, and so is a runtime that was killed.
        """
        if self.is_stale or self.is_cut_off or self.health_state is HealthState.FAILING:
            return PluginCode.CRITICAL
        if not self.is_reliable:
            return PluginCode.UNKNOWN
        is_degraded = self.health_state is HealthState.DEGRADED
        return PluginCode.WARNING if is_degraded else PluginCode.OK


class Inspection(NamedTuple):
    """One look at a target: where its files are, what they held, and the judgement.

    Every format is made from this one value, so that all say the same. `state_dir` is absolute,
    and `targets_file` too, None for a target that is built in: a command may be typed anywhere.
    `max_age` is how old a state may be, as it was asked for; None where that is the usual.
    """

    target: Target
    state_path: str
    events_log_path: str
    state_dir: str
    targets_file: str | None
    reading: Reading
    assessment: Assessment
    judged_unix_ms: int
    max_age: str | None = None

    @property
    def is_chained(self) -> bool:
        """Whether the chain keys are required of this target's lines."""
        return self.target.is_chained or self.reading.is_chained

    @property
    def look(self) -> str:
        """The words that name this target to a command, whatever the current folder is."""
        targets = () if self.targets_file is None else ("--targets", self.targets_file)
        return shlex.join((self.target.name, "--state-dir", self.state_dir, *targets))

    @property
    def _judged(self) -> str:
        """The same, for a command that judges it: by the same age as here."""
        return self.look + ("" if self.max_age is None else f" --max-age {self.max_age}")

    @property
    def recommendation(self) -> str:
        """What to do about what the gate holds for first, or about a backlog."""
        if self.assessment.holds:
            return self.remedy(symptom_of(self.assessment.holds[0][0]))
        if self.reading.pause is not None:
            return self.remedy(FileSymptom.PAUSED)
        if self.assessment.queue_depth:
            return self.remedy(HistorySymptom.BACKLOG_LEFT)
        return "nothing to do"

    def remedy(self, code: SymptomCode) -> str:
        """What to do about a symptom: words, and between backticks commands that can be pasted."""
        if code is FileSymptom.STALE and self.reading.pause is not None:
            code = FileSymptom.PAUSED
        return self.advice(REMEDIES[code])

    def advice(self, template: str, **more: str) -> str:
        """A text of `remedies` with the target's names and paths in it, quoted for a shell."""
        folder, reading = shlex.quote(self.state_dir), self.reading
        event = reading.last_event
        is_of_runtime = self.is_chained or (isinstance(event, Event) and event.cycle_id is not None)

        def runtime(words: str, before: str = ": ", after: str = "") -> str:
            command = f"{before}`tau-custom-command {words}`{after}"
            return command if is_of_runtime else ""

        is_executed = isinstance(event, Event) and event.run_mode == "execute"
        run = f"run FIXTURE --state-dir {folder}{' --run-mode execute' if is_executed else ''}"
        problem, health = reading.state_problem or reading.log_problem, self.assessment.snapshot
        owner = None if problem is None else problem.owner
        return template.format(
            **more,
            name=self.target.name,
            look=self._judged,
            where=self.look,
            dir=folder,
            old_dir=shlex.quote(f"{self.state_dir}.old"),
            state=shlex.quote(f"{self.state_dir}/state.json"),
            log=shlex.quote(f"{self.state_dir}/runtime-events.jsonl"),
            run=runtime(run),
            by_hand=runtime(run, ". By hand: "),
            run_all=runtime(f"{run} --queue-limit {health.last_cycle_discovered if health else 1}"),
            run_fresh=runtime(f"{run} --fresh"),
            recover=runtime(
                f"recover --state-dir {folder}",
                "have it back whole, since a run changes nothing here: ",
                " shows what it would do; or ",
            ),
            as_owner=f"give yourself the right: `chmod -R u+rwX {folder}`"
            if owner is None
            else f"run it as {owner}, whose files these are: "
            f"`sudo -u {shlex.quote(owner)} tau-transport-health inspect {self._judged}`",
        )


def assess(
    reading: Reading, *, now_unix_ms: int, max_age_ms: int | None, is_clock_pinned: bool = False
) -> Assessment:
    """Judge a reading.

    Args:
        reading: What was read.
        now_unix_ms: The time to judge at.
        max_age_ms: How old a state may be; None where any age will do.
        is_clock_pinned: Whether the time was given, rather than read from the clock.
    """
    state = reading.state
    if state is None:
        age_ms, is_stale = None, False
        reason = _problem_of(reading).reason
    else:
        age_ms = now_unix_ms - state.health.updated_unix_ms
        is_stale = max_age_ms is not None and age_ms > max_age_ms
        reason = _reason(reading, state.health)
    holds = tuple(_holds(reading, age_ms, now_unix_ms, is_stale=is_stale))
    judged = reading.judged_event
    return Assessment(
        health_state=reading.health_state,
        health_reason=reason,
        gate=Gate.HOLD if holds else Gate.PASS,
        holds=holds,
        warnings=(
            *filter(None, [reading.pause_told(now_unix_ms)]),
            *_warnings(reading, max_age_ms, is_clock_pinned=is_clock_pinned),
        ),
        age_ms=age_ms,
        is_stale=is_stale,
        snapshot=None if state is None else state.health,
        last_event=reading.last_event if isinstance(reading.last_event, Event) else None,
        queue_depth=max(
            0 if state is None else state.health.queue_depth,
            0 if judged is None else judged.backlog_cases,
        ),
    )


def _problem_of(reading: Reading) -> Problem:
    return reading.state_problem or Problem(Hold.NO_STATE, "there is no state.json")


def _reason(reading: Reading, health: HealthSnapshot) -> str:
    """The last event's own words, if it has the health that is judged, else the numbers'."""
    event = reading.last_event
    if isinstance(event, Event) and event.health_state is reading.health_state:
        if event.health_reason:
            return event.health_reason
        if health.state is not event.health_state:
            return _classified(event.failed_cases, event.failure_streak)
    return _classified(health.last_cycle_failed, health.failure_streak)


def _classified(failed: int, streak: int) -> str:
    if failed == 0 and streak == 0:
        return "the last cycle ended without a failed case"
    return f"{failed} failed in the last cycle, cycles in a row with failures: {streak}"


def _holds(
    reading: Reading, age_ms: int | None, now_unix_ms: int, *, is_stale: bool
) -> Iterator[tuple[Hold, str]]:
    if reading.state is None or age_ms is None:
        yield _problem_of(reading)[:2]
        return
    health = reading.state.health
    if reading.health_state is not health.state:
        said = f"the event log's last line says {reading.health_state}, and the state"
        yield Hold.UNHEALTHY, f"{said} {health.state}: the worse of them counts"
    elif health.state is not HealthState.HEALTHY:
        numbers = _classified(health.last_cycle_failed, health.failure_streak)
        yield Hold.UNHEALTHY, f"the health is {health.state}: {numbers}"
    if reading.journal_unix_ms is not None:
        yield from _holds_of_journal(now_unix_ms - reading.journal_unix_ms)
    if is_stale:
        yield Hold.STALE, f"the state is stale: written {age(age_ms)}"
    if -age_ms > FUTURE_TOLERANCE_MS:
        yield Hold.FUTURE, f"the state is dated {age(age_ms)}"
    yield from _holds_of_log(reading)


def _holds_of_journal(heard_ms: int) -> Iterator[tuple[Hold, str]]:
    if heard_ms > CUT_OFF_MS:
        yield Hold.CUT_OFF, f"a cycle was cut off: it began, and was last heard of {age(heard_ms)}"
    if -heard_ms > FUTURE_TOLERANCE_MS:  # whether it is still at work, that does not tell
        yield Hold.FUTURE, f"the journal of a cycle is dated {age(heard_ms)}"


def _holds_of_log(reading: Reading) -> Iterator[tuple[Hold, str]]:
    if reading.log_problem is not None:
        yield reading.log_problem[:2]
    if reading.is_log_torn:
        yield Hold.LOG_TORN, "the last line of the event log is torn"
    if isinstance(reading.last_event, str):
        yield Hold.LOG_INVALID, f"the last line of the event log is invalid: {reading.last_event}"
    if reading.disagreement is not None:
        is_gone = not (reading.is_log_present or reading.last_lines)
        yield (
            (Hold.NO_LOG, "there is no event log, though the state names a cycle of it")
            if is_gone
            else (Hold.LOG_DISAGREES, reading.disagreement)
        )


def _warnings(reading: Reading, max_age_ms: int | None, *, is_clock_pinned: bool) -> Iterator[str]:
    if is_clock_pinned:
        yield CLOCK_PINNED
    if max_age_ms is None:
        yield "no limit on the state's age was asked for, so that a dead runtime passes"
    if reading.state is not None and reading.state.last_cycle is None:
        yield "the writer does not chain its events: state and log are not compared"
        if not reading.is_log_present:
            yield "there is no event log"
