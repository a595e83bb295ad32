"""The unit tests of a policy, as TOML: small histories, and what the policy must say of them.

A file names its policy and holds cases; what a case may say is in the runbook
(rollout-gate-ops.md, "Trying a policy").
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from tau_rollout_gate.contract.cycle import HealthState
from tau_rollout_gate.contract.forms import (
    Count,
    Form,
    Location,
    Milliseconds,
    MisfitError,
    MistakenFormError,
    Name,
    Sentence,
    Text,
    Version,
    path,
    refuse_unprintable,
)
from tau_rollout_gate.contract.pin import CHAINED_SURFACE
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.durations import parse_duration
from tau_rollout_gate.evidence.values import ReportStatus
from tau_rollout_gate.policy.policy import Policy, form_of_toml, refused
from tau_rollout_gate.policy.signals import ReasonCodes, Signal

NEVER = "none"
"""The `earliest` of an answer that tells none, since time alone does not help."""

_MOST_CYCLES = 10_000
_COUNTERS: Mapping[str, str] = {signal.value: signal.key for signal in Signal if not signal.words}


class Run(Form, frozen=True, kw_only=True):
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

    count: Annotated[int, Meta(ge=1, le=_MOST_CYCLES)] = 1
    every: Milliseconds | None = None
    after: Milliseconds | None = None
    cycle_duration: Milliseconds = Milliseconds(0)
    health_state: HealthState | None = None
    reason_codes: ReasonCodes | None = None
    run_mode: Literal["record", "execute"] = "record"
    runtime_version: str | None = None
    release: str | None = None
    timeline: tuple[dict[str, str], ...] | None = None
    counters: dict[str, Count] = field(name="", default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse cycles that are at no time, or at two."""
        if (self.every is None) == (self.after is None):
            raise ValueError("needs exactly one of every and after")
        if self.after is not None and self.count > 1:
            raise ValueError("after is of one cycle; write every")

    @property
    def interval_ms(self) -> int:
        """How long after the one before each cycle ends."""
        return (self.every or 0) if self.after is None else self.after


class Expectation(Form, frozen=True, kw_only=True):
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
    earliest: str | None = None

    def __post_init__(self) -> None:
        """Refuse an earliest promotion that is no duration."""
        if self.earliest is not None and self.earliest != NEVER:
            try:
                parse_duration(self.earliest)
            except ValueError as error:
                raise MisfitError(str(error), "earliest") from None


class Case(Form, frozen=True, kw_only=True):
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
    cycle_interval: Milliseconds | None = None
    registry_changes_expected: bool = False
    frozen: bool = False
    before: tuple[Run, ...] = ()
    history: tuple[Run, ...] = ()
    reports: dict[Name, ReportStatus] = field(default_factory=dict)
    signoff: Literal["complete", "incomplete"] | None = None
    rollback_to: Text = "0.9.0"
    recorded_triggers: tuple[Name, ...] = ()
    at: Milliseconds | None = None
    expect: Expectation

    def __post_init__(self) -> None:
        """Refuse a name that is not one line, an interval that is none, and very many cycles."""
        refuse_unprintable(self.name, "name")
        if self.cycle_interval == 0:
            raise MisfitError("must be more than nothing", "cycle_interval")
        if sum(run.count for run in (*self.before, *self.history)) > _MOST_CYCLES:
            raise ValueError(f"has more than {_MOST_CYCLES} cycles")


class CaseFile(Form, frozen=True, kw_only=True):
    """A file of cases, and the policy that they are of: `built-in`, or a file beside this one."""

    schema_version: Version = 1
    policy: Text
    cases: Annotated[tuple[Case, ...], Meta(min_length=1)]


def parse_cases(raw: bytes, *, source: str) -> CaseFile:
    """The cases that a TOML file holds.

    Raises:
        PolicyRefusedError: if it cannot be used; the text names every problem with its place.
    """
    found = form_of_toml(raw, CaseFile, source, prepared=_gathered)
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


def _gathered(document: dict[str, Any]) -> dict[str, Any]:
    """A file of cases whose runs have their counters together, as the form has them."""
    cases = document.get("cases")
    if not isinstance(cases, list):
        return document
    return document | {"cases": [_gathered_in_case(at, case) for at, case in enumerate(cases)]}


def _gathered_in_case(index: int, case: Any) -> Any:  # noqa: ANN401 - whatever a file holds
    if not isinstance(case, dict):
        return case
    gathered = dict(case)
    for key in {"before", "history"} & case.keys():
        if isinstance(case[key], list):
            place = ("cases", index, key)
            gathered[key] = [_with_counters((*place, at), run) for at, run in enumerate(case[key])]
    return gathered


def _with_counters(place: Location, run: Any) -> Any:  # noqa: ANN401 - whatever a file holds
    """A run with its counters together: `queue_depth` and `backlog_cases` are one and the same."""
    if not isinstance(run, dict):
        return run
    counters: dict[str, Any] = {}
    for name, key in _COUNTERS.items():
        if name in run and key in counters:
            raise MistakenFormError((((*place, key), "is given twice, by its two names"),))
        if name in run:
            counters[key] = run[name]
    return {key: one for key, one in run.items() if key not in _COUNTERS} | {"": counters}
