"""`start`: opens a rollout, and archives the closed one before it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.errors import RefusedError, RolloutUnusableError
from tau_rollout_gate.files.policy import kept_policy, load_policy
from tau_rollout_gate.files.record import find, find_completed
from tau_rollout_gate.files.rollout_directory import changing
from tau_rollout_gate.files.surface.state_directory import which_folder
from tau_rollout_gate.policy.lint import LintFinding, lint
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.start import Opening, opened
from tau_rollout_gate.services.evaluate import Question, check_expected, now_unix_ms
from tau_rollout_gate.services.recorded import absolute


def start(
    question: Question,
    opening: Opening,
    *,
    by: str,
    reason: str | None = None,
    lock: Callable[[], None] | None = None,
) -> tuple[Entry, tuple[LintFinding, ...]]:
    """Open a rollout, and look for mistakes in its policy.

    Where no rollback target was named, its record says which was taken; else it has the reason that
    was given. The `lock` of a fleet is taken once nothing else is in the way.

    Raises:
        RolloutGateError: if it is refused, or the policy or the directory cannot be used.
    """
    root, policy = question.rollout_dir, load_policy(question.policy)
    is_fleet = opening.fleet is not None  # whose places are templates, and absolute
    opening = replace(
        opening,
        surfaces={
            name: path if is_fleet else absolute(path) for name, path in opening.surfaces.items()
        },
        policy_file=None if question.policy is None else absolute(question.policy),
    )
    _refuse_nesting(root, opening.surfaces)
    _refuse_sharing(opening.surfaces)
    now = now_unix_ms(question.now_unix_ms)
    # First without the lock, so that what is refused does not even make the directory.
    standing = find(root)
    check_expected(question, standing)
    _opened(root, opening, policy, standing.rollout if standing else None, now)
    with changing(root, may_begin=True) as change:
        before = change.standing.rollout if change.standing else None
        after, why = _opened(root, opening, policy, before, now)
        entry = Entry.following(
            change.count, Action.START, after, by=by, decided_unix_ms=now, reason=why or reason
        )
        if lock is not None:
            lock()
        return change.commit(entry, judged=kept_policy(policy)), lint(
            policy, surfaces=opening.surfaces, cycle_interval_ms=after.cycle_interval_ms
        )


def _opened(
    root: Path, opening: Opening, policy: Policy, before: Rollout | None, now: int
) -> tuple[Rollout, str | None]:
    """Open a rollout, and say why it goes back to what it does where nobody said so."""
    completed = None if opening.rollback_version is not None else _completed(root)
    after = opened(
        opening,
        policy,
        before=before,
        completed=None if completed is None else completed.rollout_after,
        now_unix_ms=now,
    )
    if completed is None:
        return after, None
    return after, (
        f"goes back to {completed.release} on {after.rollback.rollback_channel}: completed here "
        f"last, by decision {completed.decision_number}"
    )


def _refuse_nesting(root: Path, surfaces: Mapping[str, str]) -> None:
    """Refuse a rollout directory inside a state directory, or the reverse: one lock for two."""
    real = Path(os.path.realpath(root))
    for name, state_dir in surfaces.items():
        state = Path(os.path.realpath(state_dir))
        if real.is_relative_to(state) or state.is_relative_to(real):
            raise RefusedError(
                f"--rollout-dir: {root} and the state directory of {name}, {state_dir}, are one or "
                "lie one in the other: give each a place of its own"
            )


def _refuse_sharing(surfaces: Mapping[str, str]) -> None:
    """Refuse one directory for two surfaces: what one of them did would count for the other."""
    of_whom: dict[object, str] = {}
    for name, state_dir in surfaces.items():
        other = of_whom.setdefault(which_folder(state_dir), name)
        if other != name:
            raise RefusedError(
                f"--surface: {state_dir} is given for {other} and for {name}: each surface has a "
                "state directory of its own"
            )


def _completed(root: Path) -> Entry | None:
    try:
        return find_completed(root)
    except RolloutUnusableError as error:
        raise RefusedError(
            f"--rollback-to: what this rollout directory completed last is not known: {error}; "
            "name the version that runs now"
        ) from None
