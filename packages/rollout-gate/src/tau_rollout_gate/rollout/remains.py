"""What is left of a rollout whose record is not sound, what was lost of it, and the way out.

Source of the rules: runbooks/rollout-gate-ops.md, "Ways out".
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from tau_rollout_gate.contract.rollout import Rollout, RolloutFile
from tau_rollout_gate.durations import utc
from tau_rollout_gate.errors import RolloutGateError, RolloutUnusableError
from tau_rollout_gate.printable import printable
from tau_rollout_gate.rollout.ledger import Entry
from tau_rollout_gate.rollout.ledger_check import break_in
from tau_rollout_gate.rollout.salvage import salvaged


def remains(
    file: RolloutFile | None, lines: Sequence[bytes] | None, *, where: str
) -> Iterator[str]:
    """Yield what is there, what is lost, and what to type; a sentence each.

    Args:
        file: What `rollout.json` holds; None if it is not there, or cannot be used.
        lines: The whole lines of `decisions.jsonl`; None if that is not there, or cannot be read.
        where: The options that name the directory, as a shell reads them.
    """
    # On one line, whatever the files hold: what is to be typed is of this program alone.
    yield printable(f"there is: {_of_ledger(lines, file)}; {_of_file(file)}")
    try:
        found = salvaged(file, lines or ())
    except RolloutUnusableError:
        yield "lost: all that there was; put both files back from a copy"
        yield "without one: move the directory away, and open a rollout anew by 'start'"
        return
    command = f"tau-rollout-gate recover {where}"
    if found.decisions is not None:
        yield "lost: nothing but rollout.json as it was: put it back from a copy, or rebuild it"
        yield f"to type: {command}; it shows what would come back, --yes does it"
    else:
        yield "lost: decisions, or that they are what was decided; put both files back from a copy"
    yield f"to end the rollout all the same: tau-rollout-gate {_end(found.rollout)} {where}"


def _end(rollout: Rollout) -> str:
    word = "cancel" if rollout.canary_entered_unix_ms is None else "rollback"
    return f"{word} --reason 'WHAT HAPPENED'"


def _of_file(file: RolloutFile | None) -> str:
    if file is None:
        return "no rollout.json that can be used"
    rollout = file.rollout
    return f"rollout.json after entry {file.decisions.count}: {rollout.release} in {rollout.phase}"


def _of_ledger(lines: Sequence[bytes] | None, file: RolloutFile | None) -> str:
    if not lines:
        return "no decisions.jsonl to read" if lines is None else "decisions.jsonl without a line"
    broken = break_in(lines, file)
    sound = len(lines) if broken is None else (broken.decision_number or 1) - 1
    count = f"{len(lines)} {'entry' if len(lines) == 1 else 'entries'}"
    words = f"decisions.jsonl of {count}, " + (
        "all sound" if sound == len(lines) else f"the first {sound} sound"
    )
    with suppress(RolloutGateError):
        last = Entry.parse(lines[-1])
        words += (
            f"; the last: {last.action} of {last.release} in {last.rollout_after.phase}, "
            f"{utc(last.decided_unix_ms)}, by {last.by}"
        )
    return words
