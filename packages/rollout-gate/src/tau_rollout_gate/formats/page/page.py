"""The page of `report`: a rollout as one HTML file that needs nothing else.

The template decides how it looks; this module gives it words and figures. Whatever stands in the
files reaches the page through `written`, and is escaped after that.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from tau_rollout_gate import __version__
from tau_rollout_gate.contract.cycle import HealthState
from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.decision.soak import Restart
from tau_rollout_gate.durations import utc
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.formats import phrases
from tau_rollout_gate.formats.context import Surroundings, steps
from tau_rollout_gate.formats.decisions import did
from tau_rollout_gate.formats.fleet import standing
from tau_rollout_gate.formats.next_steps import next_steps
from tau_rollout_gate.formats.page.fleet import KINDS, SIGNS, DrawnHost, fleet_view
from tau_rollout_gate.formats.track import track_of
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.rollout.ledger import Entry

LONGEST_TEXT = 600
"""A longer text is cut: a file must not make the page too large to open."""

MOST_BARS = 120
MOST_DECISIONS = 200

_WORST_LAST = tuple(HealthState)
_STATUSES = (GateStatus.FAIL, GateStatus.UNKNOWN, GateStatus.PASS, GateStatus.NOT_APPLICABLE)
"""Those of gates, in the order in which they are read."""


class Templates(NamedTuple):
    """The texts of the templates: the page, and what it is where the rollout is a fleet's."""

    report: str
    fleet: str


class Bar(NamedTuple):
    """Neighbouring cycles by the worst of them: its health, how high it is drawn, and words."""

    health: HealthState
    height: int
    says: str


class Strip(NamedTuple):
    """The health of a surface's cycles since the phase was entered, in words and as bars."""

    surface: str
    summary: str
    bars: tuple[Bar, ...]


def page(  # noqa: PLR0913, PLR0917 - all that is known of a rollout
    answer: Answer,
    around: Surroundings,
    policy: Policy,
    decisions: Sequence[Entry],
    restarts: Mapping[str, Sequence[Restart]],
    hosts: Sequence[DrawnHost] = (),
    *,
    templates: Templates,
) -> str:
    """The page about a rollout, as it was judged once.

    Args:
        answer: What may be done, and everything that led to it.
        around: The rollout, its files and its evidence.
        policy: The policy that it is judged by.
        decisions: Those of this rollout, oldest first.
        restarts: What restarted the soak of each surface in this phase, oldest first.
        hosts: Every host of a fleet, in any order.
        templates: The page's templates.
    """
    is_back = around.rollout.status is RolloutStatus.ROLLED_BACK
    environment = _compiled(templates)
    fleet: dict[str, object] = {}
    if around.rollout.fleet is not None:
        fleet = {"view": fleet_view(answer, hosts), "standing": standing}
    return environment.get_template("fleet" if fleet else "report").render(
        answer=answer,
        cycles=tuple(_strips(around)),
        decisions=decisions[-MOST_DECISIONS:],
        did=did,
        gates=sorted(answer.gates, key=lambda gate: _STATUSES.index(gate.status)),
        is_closed=phrases.is_closed(answer),
        left_out=max(len(decisions) - MOST_DECISIONS, 0),
        left_to_do=tuple(steps(around)) if is_back else (),
        next_steps=() if is_back else tuple(next_steps(answer, around)),
        outlook=" ".join(phrases.outlook(answer)),
        phrases=phrases,
        restarts=restarts,
        rollout=around.rollout,
        rollout_dir=around.rollout_dir,
        track=tuple(track_of(around.rollout, policy, decisions)),
        triggers=sorted(answer.triggers, key=lambda one: not one.fired),
        version=__version__,
        **fleet,
    )


@lru_cache(maxsize=1)  # compiling takes many times as long as a page
def _compiled(templates: Templates) -> Environment:
    environment = Environment(
        autoescape=True,
        finalize=written,
        loader=DictLoader(templates._asdict()),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(utc=utc, span=phrases.seconds)
    environment.globals.update(signs_of_hosts=SIGNS, kinds_of_hosts=KINDS)
    return environment


def written(value: object) -> object:
    """What a value comes to on a page; texts are made printable, and are not escaped yet."""
    if isinstance(value, Markup):
        return value
    text = str(value)
    return phrases.shown(text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…")


def _strips(around: Surroundings) -> Iterator[Strip]:
    for surface, read in around.surfaces.items():
        cycles = read.phase_cycles
        counts = Counter(cycle.event.health_state for cycle in cycles)
        told = [f"{counts[each]} {each}" for each in _WORST_LAST if counts[each]]
        size = -(-len(cycles) // MOST_BARS) or 1
        count = counted(len(cycles), "cycle")
        yield Strip(
            surface=surface,
            summary=f"{count}: {', '.join(told)}" if cycles else "no cycle yet",
            bars=tuple(_bar(cycles[start : start + size]) for start in range(0, len(cycles), size)),
        )


def _bar(cycles: Sequence[Cycle]) -> Bar:
    worst = max((cycle.event.health_state for cycle in cycles), key=_WORST_LAST.index)
    last = utc(cycles[-1].event.timestamp_unix_ms)
    many = f"{len(cycles)} cycles to " if len(cycles) > 1 else ""
    return Bar(worst, 1 + _WORST_LAST.index(worst), f"{worst}: {many}{last}")
