"""`recover`: rebuilds `rollout.json` from the decisions; the rollout comes back frozen."""

from pathlib import Path
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.errors import (
    DeniedError,
    FleetRefusedError,
    RefusedError,
    StorageError,
)
from tau_rollout_gate.files.host_table import read_table, write_table
from tau_rollout_gate.files.incident.capture import EVIDENCE_FOLDER
from tau_rollout_gate.files.inputs import INPUTS_FOLDER
from tau_rollout_gate.files.record import LEDGER_FILE, ROLLOUT_FILE, TO_READ
from tau_rollout_gate.files.stopping import Stop, stopping
from tau_rollout_gate.files.storage import read_whole
from tau_rollout_gate.rollout import transitions
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.services.evaluate import Question, evaluate, now_unix_ms

_WAYS_OUT = "put both files back from a copy, or end the rollout by 'rollback' or 'cancel'"
_REASON = "rollout.json rebuilt from the decisions"


class Recovered(NamedTuple):
    """The rollout as it comes back, what was wrong, and the decision; None where that is shown."""

    rollout: Rollout
    problem: str
    entry: Entry | None


def recover(question: Question, *, by: str, is_done: bool) -> Recovered:
    """Rebuild `rollout.json` from a whole ledger, or only tell what would come back.

    An open rollout comes back frozen, its phase entered anew: nothing proves that the ledger was
    not cut at its end. One of a fleet does so, too, where the table of what was seen of its hosts
    is not the one that `rollout.json` names.

    Raises:
        RefusedError: if nothing is wrong, the ledger is not whole or lacks a decision that is known
            of, or there is evidence or an input that no decision names.
        RolloutGateError: if the policy or the directory cannot be used.
    """
    now = now_unix_ms(question.now_unix_ms)
    root = question.rollout_dir
    _refuse_denied(root)
    with stopping(root, ends=False) as stop:
        problem = _problem(root, stop)
        _refuse_unproven(root, stop, question)
        after, table = _taken_up(question, stop, by)
        if not is_done:
            return Recovered(after, problem, None)
        if table is not None and stop.count is not None:
            write_table(root, stop.folder, stop.count.count + 1, table)
        entry = stop.record(
            Action.RECOVER,
            after,
            by=by,
            reason=_REASON,
            decided_unix_ms=now,
            reasons=() if stop.reasons else (problem,),
        )
        return Recovered(after, problem, entry)


def _problem(root: Path, stop: Stop) -> str:
    """What is lost of a record.

    Raises:
        RefusedError: if nothing is.
    """
    fleet = stop.rollout.fleet
    if stop.change is None:
        return stop.reasons[0]
    if fleet is not None and fleet.seen_sha256 is not None:
        try:
            read_table(root, fleet)
        except FleetRefusedError as error:
            return str(error)
    raise RefusedError(f"{root}: nothing is lost: rollout.json is what the decisions left")


def _taken_up(question: Question, stop: Stop, by: str) -> tuple[Rollout, bytes | None]:
    """The rollout as it comes back, and of a fleet the table of its hosts."""
    before = stop.rollout
    if not before.is_open:
        return before, None
    if before.fleet is None or stop.count is None:
        return transitions.recovered(before, evaluate(question, before), by=by), None
    from tau_rollout_gate.services.fleet.advance import taken_up  # noqa: PLC0415 - few are of one

    return taken_up(question, before, by=by, decision=stop.count.count + 1)


def _refuse_denied(root: Path) -> None:
    """Refuse where a file is there, and only not for this user to read: it is not lost."""
    for name in (ROLLOUT_FILE, LEDGER_FILE):
        try:
            read_whole(name, root)
        except DeniedError as error:
            raise RefusedError(f"{error}; nothing is lost: {TO_READ}") from None
        except StorageError:
            continue  # what else is wrong with it is no reason not to


def _refuse_unproven(root: Path, stop: Stop, question: Question) -> None:
    """Refuse where something tells that a decision is missing."""
    if stop.count is None:
        raise RefusedError(
            f"{root / LEDGER_FILE}: is not whole, or lacks a decision that rollout.json counts: "
            f"nothing is rebuilt from it; {_WAYS_OUT}"
        )
    lines = stop.lines if stop.change is None else stop.change.current.lines
    found = [Entry.parse(line) for line in lines]
    expected = question.expected
    if expected is not None and expected not in [one.counted for one in found]:
        raise RefusedError(f"--expect-decision {expected.token}: it is missing; {_WAYS_OUT}")
    named = {one.path.rpartition("/")[2] for entry in found for one in entry.inputs}
    digests = {one.sha256 for entry in found for one in entry.inputs}
    digests |= {entry.policy_sha256 for entry in found}
    for folder, known in ((EVIDENCE_FOLDER, named), (INPUTS_FOLDER, digests)):
        for name in _names(root / folder):
            if name not in known and name.removesuffix(".toml") not in known:
                raise RefusedError(
                    f"{root / folder / name}: no decision names it, so one is missing at the end; "
                    f"{_WAYS_OUT}"
                )


def _names(folder: Path) -> list[str]:
    """The names of a folder's files; what a write that was cut off left is none."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{folder}: cannot be read: {error.strerror or error}") from None
    return [name for name in names if not name.endswith(".new")]
