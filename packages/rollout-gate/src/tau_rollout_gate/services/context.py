"""Gathers what is known beside an answer, so that an explanation can give whole commands."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tau_rollout_gate.evidence.values import SurfaceEvidence
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

    `default_rollout_dir` is the directory that commands take where no option names one.
    """
    rollout = last.rollout_after
    return Surroundings(
        rollout=rollout,
        rollout_dir=str(question.rollout_dir),
        state_dirs=pinned_state_dirs(question, rollout),
        options=tuple(_options(question, default_rollout_dir)),
        asked_with=tuple(_asked_with(question)),
        surfaces=surfaces or {},
        archive=last.archive,
        lacking=last.reasons if last.action is Action.CAPTURE else (),
    )


def _options(question: Question, default_rollout_dir: Path) -> Iterator[str]:
    if question.rollout_dir != default_rollout_dir:
        yield from ("--rollout-dir", str(question.rollout_dir))
    for name, state_dir in question.surfaces.items():
        yield from ("--surface", f"{name}={state_dir}")
    if question.policy is not None:
        yield from ("--policy", str(question.policy))


def _asked_with(question: Question) -> Iterator[str]:
    for report in question.reports:
        yield from ("--validation", report)
    if question.signoff is not None:
        yield from ("--signoff", str(question.signoff))
