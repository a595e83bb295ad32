"""The sign-off checklist has nothing open."""

from collections.abc import Sequence

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.evidence.values import Evidence, SignoffEvidence
from tau_rollout_gate.policy.findings import EvidenceRef, GateStatus
from tau_rollout_gate.policy.gates.interface import Finding, RolloutGate

_MOST_SHOWN = 3


class ChecklistCompleteGate(RolloutGate, frozen=True, kw_only=True, tag="checklist_complete"):
    """Every field and item of the sign-off stands; without one that can be read it is unknown."""

    @property
    def required(self) -> str:
        """What has to be seen."""
        return "the sign-off checklist is complete"

    def judge(self, rollout: Rollout, evidence: Evidence) -> Finding:
        """How it stands."""
        del rollout  # the sign-off was read against it
        signoff = evidence.signoff
        if signoff is None:
            return Finding(
                status=GateStatus.UNKNOWN,
                observed="no sign-off",
                remedy="write the checklist with 'signoff init', fill it in, and give it with "
                "--signoff FILE",
                command="signoff init",
            )
        where = EvidenceRef(file=signoff.path)
        if signoff.is_complete:
            return Finding(
                status=GateStatus.PASS,
                observed=f"all {len(signoff.items)} items have evidence",
                evidence=where,
            )
        return Finding(
            status=GateStatus.FAIL if signoff.is_readable else GateStatus.UNKNOWN,
            observed=_open_in_words(signoff) if signoff.is_readable else _first(signoff.problems),
            evidence=where,
            remedy="fill in what is open; 'signoff verify' lists it item by item (paths in it "
            "count from the repository's root: run it there)",
            command="signoff verify",
        )


def _open_in_words(signoff: SignoffEvidence) -> str:
    problems = [*signoff.problems]
    problems += [f"{item.key}: {item.problem}" for item in signoff.items if item.problem]
    return f"{len(problems)} open: {_first(problems)}"


def _first(problems: Sequence[str]) -> str:
    more = len(problems) - _MOST_SHOWN
    return "; ".join(problems[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
