"""`report` and `watch`: all there is to show of a rollout, and the page about it."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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

if TYPE_CHECKING:
    from tau_rollout_gate.formats.page.fleet import DrawnHost
    from tau_rollout_gate.formats.page.page import Templates


class Sight(NamedTuple):
    """One look at a rollout: the answer, and what is known beside it.

    `decisions` are those of the rollout, oldest first; `restarts` those of each surface's soak,
    where it is not of a fleet; `hosts` are a fleet's, where they were asked for.
    """

    answer: Answer
    around: Surroundings
    policy: Policy
    decisions: Sequence[Entry]
    restarts: Mapping[str, Sequence[Restart]]
    hosts: "Sequence[DrawnHost]" = ()


def look(question: Question, *, default_rollout_dir: Path, with_hosts: bool = False) -> Sight:
    """Judge the rollout as `evaluate` does; nothing is written.

    Args:
        question: What is asked.
        default_rollout_dir: The directory that commands take where no option names one.
        with_hosts: Whether each host of a fleet is asked for. Of a rollout that is over they are as
            they were recorded last.

    Raises:
        RolloutGateError: as `evaluate` does, and if the record of decisions cannot be read.
    """
    standing = load_pinned(question)
    rollout = standing.rollout
    is_fleet = rollout.fleet is not None
    hosts: Sequence[DrawnHost] = ()
    if is_fleet and with_hosts:
        from tau_rollout_gate.services.fleet.drawn import evaluate_hosts  # noqa: PLC0415 - few are

        found, hosts = evaluate_hosts(question, standing)
    else:
        found = evaluate_news(question, standing)
    surfaces = found.evidence.surfaces
    policy = pinned_policy(question.policy, rollout, question.rollout_dir)
    decisions = entries(question.rollout_dir)
    begun = max(at for at, one in enumerate(decisions) if one.action is Action.START)
    pins = () if is_fleet else judged_surfaces(policy, rollout)
    return Sight(
        found.answer,
        surroundings(question, standing.last, surfaces, default_rollout_dir=default_rollout_dir),
        policy,
        decisions[begun:],
        {
            pin.name: tuple(folded(policy, rollout, pin, surfaces[pin.name]).restarts)
            for pin in pins
        },
        hosts,
    )


def page_of(sight: Sight) -> str:
    """The page about one look."""
    from tau_rollout_gate.formats.page.page import page  # noqa: PLC0415 - watch has no use for it

    return page(*sight, templates=templates())


def templates() -> "Templates":
    """The templates of the page, wherever the package is installed."""
    from tau_rollout_gate.formats.page.page import Templates  # noqa: PLC0415 - as above

    folder = files("tau_rollout_gate.formats.page")
    return Templates(
        *(folder.joinpath(f"{name}.html").read_text("utf-8") for name in Templates._fields)
    )
