"""The unit tests of a policy, as TOML: small histories, and what the policy must say of them.

A file names its policy and holds cases; what a case may say is in the runbook
(rollout-gate-ops.md, "Trying a policy").
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from tau_rollout_gate.contract.event import HealthState
from tau_rollout_gate.contract.forms import (
    Count,
    Form,
    Location,
    Name,
    Number,
    Sentence,
    path,
    problems,
)
from tau_rollout_gate.contract.pin import CHAINED_SURFACE
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.durations import parse_duration
from tau_rollout_gate.evidence.values import ReportStatus
from tau_rollout_gate.policy.policy import Policy, json_of_toml, refused
from tau_rollout_gate.policy.signals import ReasonCodes, Signal

NEVER = "none"
"""The `earliest` of an answer that tells none, since time alone does not help."""

_MOST_CYCLES = 10_000
_COUNTERS: Mapping[str, str] = {signal.value: signal.key for signal in Signal if not signal.words}


def _duration(value: Any) -> Any:  # noqa: ANN401 - whatever a file holds
    if not isinstance(value, str):
        raise ValueError('must be a duration in quotes, such as "30m"')  # noqa: TRY004 - pydantic
    return parse_duration(value)


def _duration_or_never(text: str) -> str:
    if text != NEVER:
        parse_duration(text)
    return text


_Duration = Annotated[Count, BeforeValidator(_duration)]


class Run(Form):
    """One cycle or several alike, each the same time after the one before.

    Any counter of the contract may be given beside these by its name; the others are 0, but for
    one `executed_runs`. Streak, health and reason codes follow from the numbers unless given.

    Args:
        count: How many.
        every: How long after the one before each of them ends.
        after: The same, of a single one.
        cycle_duration: How long each takes.
        health_state: Its health.
        reason_codes: All its codes.
        run_mode: What it ran in.
        runtime_version: Which version it was of.
        release: Which release it tells; the rollout's is 1.0.0.
        timeline: What the browser did.
        counters: The counters that were given, by their names in the contract.
    """

    count: Annotated[Number, Field(le=_MOST_CYCLES)] = 1
    every: _Duration | None = None
    after: _Duration | None = None
    cycle_duration: _Duration = 0
    health_state: HealthState | None = None
    reason_codes: ReasonCodes | None = None
    run_mode: Literal["record", "execute"] = "record"
    runtime_version: str | None = None
    release: str | None = None
    timeline: tuple[dict[str, str], ...] | None = None
    counters: dict[str, Count] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a file holds
        """Put the counters together: `queue_depth` and `backlog_cases` are one and the same."""
        if not isinstance(value, dict):
            return value
        if "counters" in value:
            raise ValueError("counters: is no key; write each counter by its name")
        counters: dict[str, Any] = {}
        for name, key in _COUNTERS.items():
            if name in value and key in counters:
                raise ValueError(f"{key}: is given twice, by its two names")
            if name in value:
                counters[key] = value[name]
        # TOML has arrays and no tuples; what is in them is as strict as the rest.
        rest = {
            key: tuple(one) if isinstance(one, list) else one
            for key, one in value.items()
            if key not in _COUNTERS
        }
        return rest | {"counters": counters}

    @model_validator(mode="after")
    def _is_timed(self) -> Self:
        if (self.every is None) == (self.after is None):
            raise ValueError("needs exactly one of every and after")
        if self.after is not None and self.count > 1:
            raise ValueError("after is of one cycle; write every")
        return self

    @property
    def interval_ms(self) -> int:
        """How long after the one before each cycle ends."""
        return (self.every or 0) if self.after is None else self.after


class Expectation(Form):
    """What the answer must be. What is None is not looked at.

    Args:
        verdict: The verdict.
        held_by: The names of all gates in the way.
        fired: The names of all triggers that fired.
        next_phase: The phase that comes next.
        earliest: The earliest promotion, since the phase's entry, or `none`.
    """

    verdict: Verdict
    held_by: tuple[str, ...] | None = None
    fired: tuple[Name, ...] | None = None
    next_phase: Name | None = None
    earliest: Annotated[str, AfterValidator(_duration_or_never)] | None = None


class Case(Form):
    """A rollout in a phase, what was seen of it, and what is expected.

    Args:
        name: What the case is about.
        surface: The surface that the cycles are of.
        phase: The phase that the rollout is in; None for the first canary phase.
        cycle_interval: How often a cycle is to be expected; None for the policy's.
        registry_changes_expected: Whether the release changes the command registry.
        frozen: Whether promotion is frozen.
        before: The cycles from canary-1's entry to the phase's, which is when the last one ends.
        history: The cycles since the phase was entered.
        reports: The validation reports that are given, by name.
        signoff: The sign-off; None for none.
        rollback_to: The recorded version to go back to, from 1.0.0.
        recorded_triggers: Triggers that fired in an earlier decision.
        at: When it is decided, since the phase's entry; None for the last cycle's time.
        expect: What is expected.
    """

    name: Sentence
    surface: Name = CHAINED_SURFACE
    phase: Name | None = None
    cycle_interval: Annotated[_Duration, Field(ge=1)] | None = None
    registry_changes_expected: bool = False
    frozen: bool = False
    before: tuple[Run, ...] = ()
    history: tuple[Run, ...] = ()
    reports: dict[Name, ReportStatus] = Field(default_factory=dict)
    signoff: Literal["complete", "incomplete"] | None = None
    rollback_to: Annotated[str, Field(min_length=1)] = "0.9.0"
    recorded_triggers: tuple[Name, ...] = ()
    at: _Duration | None = None
    expect: Expectation

    @model_validator(mode="after")
    def _is_small(self) -> Self:
        if sum(run.count for run in (*self.before, *self.history)) > _MOST_CYCLES:
            raise ValueError(f"has more than {_MOST_CYCLES} cycles")
        return self


class CaseFile(Form):
    """A file of cases, and the policy that they are of: `built-in`, or a file beside this one."""

    schema_version: Literal[1] = 1
    policy: Annotated[str, Field(min_length=1)]
    cases: Annotated[tuple[Case, ...], Field(min_length=1)]


def parse_cases(raw: bytes, *, source: str) -> CaseFile:
    """The cases that a TOML file holds.

    Raises:
        PolicyRefusedError: if it cannot be used; the text names every problem with its place.
    """
    text = json_of_toml(raw, source)
    try:
        found = CaseFile.model_validate_json(text)
    except ValidationError as error:
        raise refused(source, problems(error, place=_place)) from None
    names: dict[str, int] = {}
    for index, case in enumerate(found.cases):
        if names.setdefault(case.name, index) != index:
            raise refused(source, [f"cases[{index}].name: is that of an earlier case"])
    return found


def refuse_misfits(cases: CaseFile, policy: Policy, *, source: str) -> None:
    """Refuse cases that a policy has no place for.

    Raises:
        PolicyRefusedError: if a case is in a phase that the policy lacks, or has cycles where
            none is judged; the text names every problem with its place.
    """
    if wrong := [f"{path(place)}: {what}" for place, what in _misfits(cases, policy)]:
        raise refused(source, wrong)


def _misfits(cases: CaseFile, policy: Policy) -> Iterator[tuple[Location, str]]:
    phases = {phase.name: phase for phase in policy.phases}
    for index, case in enumerate(cases.cases):
        phase = phases.get(case.phase or policy.first_canary.name)
        if phase is None:
            yield ("cases", index, "phase"), f"the policy has the phases {', '.join(phases)}"
        elif phase.canary_percent == 0 and (case.before or case.history):
            yield ("cases", index), f"no cycle is judged in {phase.name}: leave the history out"


def _place(location: Location) -> Location:
    """A place as the file has it, where counters stand beside the other keys."""
    return tuple(part for part in location if part != "counters")
