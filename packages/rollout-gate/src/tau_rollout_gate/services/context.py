"""Gathers what is known beside an answer, so that an explanation can give whole commands."""

from collections.abc import Iterator, Mapping
from os.path import lexists
from pathlib import Path

from tau_rollout_gate.evidence.report import parse_named
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.files.incident.capture import EVIDENCE_FOLDER
from tau_rollout_gate.files.policy import pinned_policy
from tau_rollout_gate.formats.context import Surroundings
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.services.evaluate import Question, pinned_state_dirs


def surroundings(
    question: Question,
    last: Entry,
    surfaces: Mapping[str, SurfaceEvidence] | None = None,
    *,
    default_rollout_dir: Path,
) -> Surroundings:
    """Gather what surrounds a question about the rollout that the last decision left.

    Its paths are absolute, since what is left to do may be done from anywhere.
    `default_rollout_dir` is the directory that commands take where no option names one.

    Raises:
        RolloutGateError: if the policy cannot be used; who has judged by it has read it before.
    """
    rollout = last.rollout_after
    state_dirs = pinned_state_dirs(question, rollout)
    policy = pinned_policy(question.policy, rollout, question.rollout_dir)
    return Surroundings(
        rollout=rollout,
        rollout_dir=str(question.rollout_dir.absolute()),
        state_dirs=state_dirs,
        place=()
        if question.rollout_dir == default_rollout_dir
        else ("--rollout-dir", str(question.rollout_dir)),
        options=tuple(_options(question)),
        reports={parse_named(each)[0]: each for each in question.reports},
        signoff=None if question.signoff is None else str(question.signoff),
        surfaces=surfaces or {},
        required_run_mode=policy.required_run_mode,
        archive=archive_of(last, question.rollout_dir),
        lacking=last.reasons if last.action is Action.CAPTURE else (),
        gone=tuple(one for one in state_dirs.values() if not lexists(one))
        if rollout.fleet is None
        else (),
    )


def archive_of(last: Entry, root: Path) -> str | None:
    """The evidence that a rollback captured, wherever it was asked for; None without any."""
    if last.archive is None:
        return None
    return str(root.absolute() / EVIDENCE_FOLDER / Path(last.archive).name)


def _options(question: Question) -> Iterator[str]:
    for name, state_dir in question.surfaces.items():
        yield from ("--surface", f"{name}={state_dir}")
    if question.policy is not None:
        yield from ("--policy", str(question.policy))
