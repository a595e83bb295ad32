"""`evaluate`: reads what a verdict rests on, and decides; nothing is written."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import DecisionCount, Rollout
from tau_rollout_gate.decision.answer import Answer, Found, Verdict
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.errors import NamedFileError, RefusedError, RolloutUnusableError
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.files.policy import pinned_policy
from tau_rollout_gate.files.record import load
from tau_rollout_gate.files.surface.evidence import read_evidence
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.rollout.ledger_check import Standing
from tau_rollout_gate.services.recorded import absolute

NOW_VARIABLE = "TAU_ROLLOUT_GATE_NOW_UNIX_MS"
"""The environment variable that pins the clock."""

SIGNOFF_FILE = "signoff.toml"
"""Where the sign-off of a rollout is, in its directory, unless another file is named."""


class Question(NamedTuple):
    """What is asked, as the command line has it.

    `surfaces` are state directories by name, those that were given; `reports` are `[NAME=]FILE`;
    `expected` is a decision that the ledger has to have; `policy`, `signoff`, `expected` and
    `now_unix_ms` are None where nothing was said. `engine` and `is_insecure` say where the hosts of
    a fleet are judged, and `progress` is told how many of how many chunks are done.
    """

    rollout_dir: Path
    surfaces: Mapping[str, str] = MappingProxyType({})
    policy: Path | None = None
    reports: Sequence[str] = ()
    signoff: Path | None = None
    expected: DecisionCount | None = None
    now_unix_ms: int | None = None
    engine: str = "pool"
    is_insecure: bool = False
    progress: Callable[[int, int], None] | None = None


FleetJudge = Callable[[Question, Rollout, Policy, Evidence, int], Answer]
"""Looks at the hosts of a rollout's fleet, and decides; the last is the time to decide at."""


def now_unix_ms(given: int | None) -> int:
    """Tell the time to decide at: the one given, else the clock's. The clock is read here."""
    return time.time_ns() // 1_000_000 if given is None else given


def evaluate(question: Question, rollout: Rollout, judge_fleet: FleetJudge | None = None) -> Found:
    """Judge a rollout by what its files say now.

    `judge_fleet` looks at the hosts of a fleet; unless given, for their counts alone.

    Raises:
        RolloutGateError: if the policy or a report that was named cannot be used; not where a
            trigger fired, which no report may hide. What is wrong with the evidence of a surface
            is no error: it holds.
    """
    try:
        return _evaluated(question, rollout, judge_fleet or _counted)
    except NamedFileError as error:
        found = _evaluated(question._replace(reports=()), rollout, judge_fleet or _counted)
        if found.answer.verdict is not Verdict.ROLLBACK:
            raise
        return found._replace(answer=_warned(found.answer, str(error)))


def evaluate_news(
    question: Question, standing: Standing, judge_fleet: FleetJudge | None = None
) -> Found:
    """Judge a rollout as `evaluate` does, and say whether that is news against the last decision.

    Raises:
        RolloutGateError: as that does.
    """
    found = evaluate(question, standing.rollout, judge_fleet)
    changed = standing.is_news(found.answer)
    return found._replace(answer=found.answer._replace(changed=changed))


def _evaluated(question: Question, rollout: Rollout, judge_fleet: FleetJudge) -> Found:
    now = now_unix_ms(question.now_unix_ms)
    policy = pinned_policy(question.policy, rollout, question.rollout_dir)
    evidence = evidence_for(question, rollout, policy, now)
    if rollout.is_open and rollout.fleet is not None:
        answer = judge_fleet(question, rollout, policy, evidence, now)
    else:
        answer = decide(policy, rollout, evidence, now_unix_ms=now)
    return Found(answer=_warned(answer, *clock_warning(question.now_unix_ms)), evidence=evidence)


def _counted(
    question: Question, rollout: Rollout, policy: Policy, evidence: Evidence, now: int
) -> Answer:
    from tau_rollout_gate.services.fleet.look import look  # noqa: PLC0415 - few are of a fleet

    return look(question, rollout, policy, evidence, now).answer


def evidence_for(question: Question, rollout: Rollout, policy: Policy, now: int) -> Evidence:
    """Read what a verdict rests on; of a fleet, what no host tells.

    Raises:
        RolloutGateError: if a report that was named cannot be used.
    """
    usual = question.rollout_dir / SIGNOFF_FILE
    return read_evidence(
        rollout,
        policy,
        root=question.rollout_dir,
        state_dirs=pinned_state_dirs(question, rollout),
        reports=question.reports,
        signoff=question.signoff or (usual if usual.exists() else None),
        now_unix_ms=now,
    )


def _warned(answer: Answer, *warnings: str) -> Answer:
    return answer._replace(warnings=(*warnings, *answer.warnings))


def clock_warning(given: int | None) -> tuple[str, ...]:
    """Warn of a clock that an option or the environment pins; the real one needs no word."""
    pinned = f"the clock is pinned at {given} by --now-unix-ms or {NOW_VARIABLE}"
    return () if given is None else (pinned,)


def pinned_state_dirs(question: Question, rollout: Rollout) -> dict[str, str]:
    """Tell where each surface's files are: as given now, else as pinned; absolute paths.

    Raises:
        RolloutUnusableError: if a surface is named that the rollout does not have.
        RefusedError: if a path is not UTF-8 text.
    """
    found = {pin.name: pin.state_dir for pin in rollout.surfaces}
    if rollout.fleet is not None and question.surfaces:
        raise RolloutUnusableError("--surface: the rollout is of a fleet, whose store is pinned")
    for name in question.surfaces:
        if name not in found:
            raise RolloutUnusableError(
                f"--surface {name}: the rollout's surfaces are {', '.join(found)}"
            )
    return found | {
        name: absolute(given)
        for name, given in question.surfaces.items()
        if os.path.realpath(given) != os.path.realpath(found[name])
    }


def load_pinned(question: Question) -> Standing:
    """Read where the rollout stands, as `check_pinned` lets it be.

    Raises:
        RolloutGateError: as that does, and if the directory cannot be used.
    """
    found = load(question.rollout_dir)
    check_pinned(question, found)
    return found


def check_pinned(question: Question, standing: Standing) -> None:
    """Check that what was given of surfaces, policy and decisions is the rollout's own.

    Raises:
        RolloutGateError: if it is not, or the policy cannot be used.
    """
    check_expected(question, standing)
    pinned_state_dirs(question, standing.rollout)
    if question.policy is not None:
        pinned_policy(question.policy, standing.rollout, question.rollout_dir)


def check_expected(question: Question, standing: Standing | None) -> None:
    """Check that the ledger has the decision that it has to have.

    Raises:
        RefusedError: if it does not.
    """
    expected = question.expected
    if expected is not None and (standing is None or not standing.has(expected)):
        raise RefusedError(
            f"--expect-decision {expected.token}: {question.rollout_dir} does not have that "
            "decision: the directory was put back from a copy, or is another one"
        )
