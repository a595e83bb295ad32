"""Gathers what is known beside an answer, so that an explanation can give whole commands."""

from collections.abc import Iterator, Mapping
from os.path import lexists
from pathlib import Path

from tau_rollout_gate.evidence.report import parse_named
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
    state_dirs = pinned_state_dirs(question, rollout)
    return Surroundings(
        rollout=rollout,
        rollout_dir=str(question.rollout_dir),
        state_dirs=state_dirs,
        place=()
        if question.rollout_dir == default_rollout_dir
        else ("--rollout-dir", str(question.rollout_dir)),
        options=tuple(_options(question)),
        reports={parse_named(each)[0]: each for each in question.reports},
        signoff=None if question.signoff is None else str(question.signoff),
        surfaces=surfaces or {},
        archive=last.archive,
        lacking=last.reasons if last.action is Action.CAPTURE else (),
        gone=tuple(one for one in state_dirs.values() if not lexists(one)),
    )


def _options(question: Question) -> Iterator[str]:
    for name, state_dir in question.surfaces.items():
        yield from ("--surface", f"{name}={state_dir}")
    if question.policy is not None:
        yield from ("--policy", str(question.policy))
