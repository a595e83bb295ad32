"""What a rollout was, as far as its two files still tell: for what stops it, whatever is wrong.

Nothing goes on from here: `rollout.json` is written again only by what ends the rollout, or by
`recover` (runbooks/rollout-gate-ops.md, "Ways out").
"""

from collections.abc import Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.event import line_digest
from tau_rollout_gate.contract.rollout import DecisionCount, Rollout, RolloutFile
from tau_rollout_gate.errors import RolloutGateError, RolloutUnusableError
from tau_rollout_gate.rollout.ledger import Entry
from tau_rollout_gate.rollout.ledger_check import break_in


class Salvaged(NamedTuple):
    """The newest rollout that is known, and the end of the decisions that lead to it.

    `decisions` is None where these are not whole: then a new chain begins.
    """

    rollout: Rollout
    decisions: DecisionCount | None


def salvaged(file: RolloutFile | None, lines: Sequence[bytes]) -> Salvaged:
    """Find the rollout.

    Args:
        file: What `rollout.json` holds; None if it is not there, or cannot be read.
        lines: The whole lines of `decisions.jsonl`; none if it cannot be read.

    Raises:
        RolloutUnusableError: if neither holds one.
    """
    last = next((entry for line in reversed(lines) if (entry := _entry(line)) is not None), None)
    is_newest = file is None or _has(lines, file.decisions)
    if last is not None and is_newest and break_in(lines) is None:
        return Salvaged(last.rollout_after, last.counted)
    if file is not None and (last is None or last.decision_number < file.decisions.count):
        return Salvaged(file.rollout, None)
    if last is None:
        raise RolloutUnusableError(
            "neither rollout.json nor decisions.jsonl tells of a rollout: put them back from a "
            "copy, or move the directory away, and open one by 'start'"
        )
    return Salvaged(last.rollout_after, None)


def _entry(line: bytes) -> Entry | None:
    try:
        return Entry.parse(line)
    except RolloutGateError:
        return None


def _has(lines: Sequence[bytes], decision: DecisionCount) -> bool:
    known = lines[decision.count - 1 : decision.count]
    return [line_digest(line) for line in known] == [decision.sha256]
