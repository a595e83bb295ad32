"""`policy test`: reads the unit tests of policies, and runs them."""

from collections.abc import Sequence
from pathlib import Path

from tau_rollout_gate.errors import PolicyRefusedError
from tau_rollout_gate.files.named import read_named_file
from tau_rollout_gate.files.policy import named_policy
from tau_rollout_gate.formats.simulation.cases import TestedFile
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.rollout.simulation.cases import Case, parse_cases, refuse_misfits
from tau_rollout_gate.rollout.simulation.outcome import CaseOutcome, outcome_of


def run_cases(paths: Sequence[Path]) -> list[TestedFile]:
    """What came of the cases of each file.

    Raises:
        RolloutGateError: if a file, or the policy that it names, cannot be used.
    """
    return [_tested(path) for path in paths]


def _tested(path: Path) -> TestedFile:
    source = str(path)
    file = parse_cases(read_named_file(path), source=source)
    policy = named_policy(file.policy, beside=path.parent)
    refuse_misfits(file, policy, source=source)
    outcomes = tuple(
        _outcome(case, policy, f"{source}: cases[{index}]") for index, case in enumerate(file.cases)
    )
    return TestedFile(path=source, policy=file.policy, outcomes=outcomes)


def _outcome(case: Case, policy: Policy, place: str) -> CaseOutcome:
    try:
        return outcome_of(case, policy)
    except PolicyRefusedError as error:
        raise PolicyRefusedError(f"{place}.{error}") from None
