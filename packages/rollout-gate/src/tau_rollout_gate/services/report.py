"""`report`: judges a rollout, and makes the page about it; nothing is written."""

from importlib.resources import files
from pathlib import Path

from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.decision.decide import judged_surfaces
from tau_rollout_gate.decision.fold import folded
from tau_rollout_gate.files.policy import pinned_policy
from tau_rollout_gate.files.rollout_directory import entries
from tau_rollout_gate.formats.page.page import page
from tau_rollout_gate.rollout.ledger import Action
from tau_rollout_gate.services.context import surroundings
from tau_rollout_gate.services.evaluate import Question, evaluate, load_pinned


def report(question: Question, *, default_rollout_dir: Path) -> tuple[Answer, str]:
    """Judge the rollout as `evaluate` does; give the answer, and the page.

    Raises:
        RolloutGateError: as `evaluate` does, and if the record of decisions cannot be read.
    """
    standing = load_pinned(question)
    rollout = standing.rollout
    found = evaluate(question, rollout)
    surfaces = found.evidence.surfaces
    policy = pinned_policy(question.policy, rollout, question.rollout_dir)
    decisions = entries(question.rollout_dir)
    begun = max(at for at, one in enumerate(decisions) if one.action is Action.START)
    text = page(
        found.answer,
        surroundings(question, standing.last, surfaces, default_rollout_dir=default_rollout_dir),
        policy,
        decisions[begun:],
        {
            pin.name: tuple(folded(policy, rollout, pin, surfaces[pin.name]).restarts)
            for pin in judged_surfaces(policy, rollout)
        },
        template=template(),
    )
    return found.answer, text


def template() -> str:
    """The template of the page, wherever the package is installed."""
    return files("tau_rollout_gate.formats.page").joinpath("report.html").read_text("utf-8")
