"""`report` and `watch`: all there is to show of a rollout, and the page about it."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.decision.decide import judged_surfaces
from tau_rollout_gate.decision.fold import folded
from tau_rollout_gate.decision.soak import Restart
from tau_rollout_gate.files.policy import pinned_policy
from tau_rollout_gate.files.record import entries
from tau_rollout_gate.formats.context import Surroundings
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.services.context import surroundings
from tau_rollout_gate.services.evaluate import Question, evaluate_news, load_pinned


class Sight(NamedTuple):
    """One look at a rollout: the answer, and what is known beside it.

    `decisions` are those of the rollout, oldest first; `restarts` those of each surface's soak.
    """

    answer: Answer
    around: Surroundings
    policy: Policy
    decisions: Sequence[Entry]
    restarts: Mapping[str, Sequence[Restart]]


def look(question: Question, *, default_rollout_dir: Path) -> Sight:
    """Judge the rollout as `evaluate` does; nothing is written.

    Raises:
        RolloutGateError: as `evaluate` does, and if the record of decisions cannot be read.
    """
    standing = load_pinned(question)
    rollout = standing.rollout
    found = evaluate_news(question, standing)
    surfaces = found.evidence.surfaces
    policy = pinned_policy(question.policy, rollout, question.rollout_dir)
    decisions = entries(question.rollout_dir)
    begun = max(at for at, one in enumerate(decisions) if one.action is Action.START)
    return Sight(
        found.answer,
        surroundings(question, standing.last, surfaces, default_rollout_dir=default_rollout_dir),
        policy,
        decisions[begun:],
        {
            pin.name: tuple(folded(policy, rollout, pin, surfaces[pin.name]).restarts)
            for pin in judged_surfaces(policy, rollout)
        },
    )


def page_of(sight: Sight) -> str:
    """The page about one look."""
    from tau_rollout_gate.formats.page.page import page  # noqa: PLC0415 - watch has no use for it

    return page(*sight, template=template())


def template() -> str:
    """The template of the page, wherever the package is installed."""
    return files("tau_rollout_gate.formats.page").joinpath("report.html").read_text("utf-8")
