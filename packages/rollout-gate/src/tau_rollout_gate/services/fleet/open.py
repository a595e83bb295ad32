"""`start --fleet`: opens a rollout of all hosts of a roster, under the fleet's lock."""

from dataclasses import replace
from pathlib import Path

from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.counted import counted
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.files.policy import load_policy
from tau_rollout_gate.files.record import find
from tau_rollout_gate.fleet.table import is_given
from tau_rollout_gate.policy.lint import LintFinding
from tau_rollout_gate.rollout.ledger import Entry
from tau_rollout_gate.rollout.start import Opening
from tau_rollout_gate.services.evaluate import Question
from tau_rollout_gate.services.fleet.foretell import foretold
from tau_rollout_gate.services.fleet.look import named, table_of
from tau_rollout_gate.services.fleet.start import find_fleet
from tau_rollout_gate.services.fleet.store_lock import release_lock, take_lock
from tau_rollout_gate.services.start import start


def open_fleet(
    question: Question, opening: Opening, path: Path, *, by: str, reason: str | None
) -> tuple[Entry, tuple[LintFinding, ...], tuple[str, ...]]:
    """Open a rollout of a fleet, and say what is to be known of it.

    Args:
        question: What is asked.
        opening: What `start` was told.
        path: The `fleet.toml`.
        by: Who asks.
        reason: Why the lock of another rollout is taken; None where it is not.

    Raises:
        RolloutGateError: if it is refused, another rollout has the fleet, or something of it cannot
            be used.
    """
    fleet = find_fleet(path)
    told = foretold(load_policy(question.policy), fleet.roster.entries)
    notes = tuple(_still_carrying(question.rollout_dir, fleet.pin))
    is_taken = False

    def take() -> None:
        nonlocal is_taken
        take_lock(
            fleet.store,
            fleet.pin,
            release=opening.release,
            root=question.rollout_dir,
            by=by,
            takes_over=reason is not None,
        )
        is_taken = True

    of_fleet = replace(opening, surfaces=fleet.surfaces, fleet=fleet.pin)
    try:
        entry, findings = start(question, of_fleet, by=by, reason=reason, lock=take)
    except RolloutGateError:
        if is_taken:  # what was not recorded has no lock
            release_lock(fleet.pin)
        raise
    of_reach = tuple(one.words for one in told.reaches)
    return entry, told.beside(findings).findings, (*notes, *of_reach)


def _still_carrying(root: Path, pin: FleetPin) -> list[str]:
    """Name the hosts that the last rollout here gave a release that was taken back."""
    try:
        before = find(root)
        last = None if before is None else before.rollout
        if last is None or last.is_open or last.fleet is None or last.fleet.name != pin.name:
            return []
        given = [
            row.host for row in table_of(root, last.fleet).rows.values() if is_given(row.record)
        ]
    except RolloutGateError as error:
        return [f"which hosts the rollout before gave its release is not known: {error}"]
    if last.status != "rolled_back" or not given:
        return []
    hosts = f"{counted(len(given), 'host was', 'hosts were')} given it: {named(sorted(given))}"
    return [f"{last.release} was rolled back, and {hosts}; have all been reverted?"]
