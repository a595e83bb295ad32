"""What the page of a fleet draws: every host as a cell, and the comparison as a picture.

Values in, figures out; the template, fleet.html, gives them their places. A host is a cell by its
state, which has a sign beside its colour, so that a page in grey or on paper says the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.decision.fleet import Cohort, Comparison, HostState, WorstHost

MOST_CELLS = 20_000
"""How many hosts are drawn, the worst first; the page says how many more there are."""

LONGEST_WHY = 200
"""A longer reason is cut: the cells of a fleet that fails must not make a page that none opens."""

SIGNS = {
    HostState.FAILED: "✗",
    HostState.DAMAGED: "!",
    HostState.SILENT: "?",
    HostState.HOLDING: "=",
    HostState.NOT_UPGRADED: "↑",
    HostState.LEFT: "←",
    HostState.SOAKING: "…",
    HostState.JOINED: "+",
    HostState.CLEAN: "✓",
}
"""The sign of each state, the worst first: all differ, so that no colour is needed."""

KINDS = {
    HostState.FAILED: "bad",
    HostState.DAMAGED: "bad",
    HostState.SILENT: "unsure",
    HostState.HOLDING: "unsure",
    HostState.NOT_UPGRADED: "unsure",
    HostState.LEFT: "unsure",
    HostState.SOAKING: "busy",
    HostState.JOINED: "busy",
    HostState.CLEAN: "good",
}
"""The colour of each state, by its meaning."""

_CANARIES = frozenset({"canary", "joined"})
_LARGE, _MEDIUM = 400, 2_500
_TENTHS = 10
_DECADES = 2
_MOST_TICKS = 8
_FULL = Fraction(100)


class DrawnHost(NamedTuple):
    """A host as the page draws it.

    Args:
        named: Its name, group and state; why that is; and where to look.
        part: What it counts as: `canary`, `joined`, `control` or `outside`.
        is_failed: Whether it counts as failed.
        held_ms: How much of its own soak it has served, in milliseconds; None where none runs.
    """

    named: WorstHost
    part: str
    is_failed: bool = False
    held_ms: int | None = None


class Run(NamedTuple):
    """The hosts of a group that are in one state: a cell each, with what hovering tells."""

    state: HostState
    hosts: tuple[str, ...]


class Block(NamedTuple):
    """A group's cells: those that carry the release, and the others; how many are not drawn."""

    group: str
    canaries: tuple[Run, ...]
    others: tuple[Run, ...]
    counts: str
    left_out: int


class Tenth(NamedTuple):
    """How many canaries have served a tenth of the soak, and how high that is drawn."""

    label: str
    hosts: int
    height: str


class Used(NamedTuple):
    """How much of T is used: the shares of a bar in per cent, what is tolerated marked on it."""

    failed: str
    others: str
    mark: str
    failed_hosts: int
    other_hosts: int


class Picture(NamedTuple):
    """The comparison as bars in per cent of a line.

    Args:
        failed: How many hosts failed, of both sides.
        canaries: How long the bar of those that are canaries is.
        expected: Where the mark stands that chance alone would give.
        e: How long the bar of E is; its scale is logarithmic.
        e_if_failed: The same, if each unknown canary had failed.
        bar: Where the mark stands at which it fires.
        ticks: The scale: where, and the power of ten that stands there.
    """

    failed: int
    canaries: str
    expected: str
    e: str
    e_if_failed: str
    bar: str
    ticks: tuple[tuple[str, str], ...]


class FleetView(NamedTuple):
    """All that the page of a fleet draws beside what every page has.

    Args:
        states: The states that there are, the worst first, with how many hosts are in each: of
            those that carry the release, and of the others.
        blocks: The groups, by name.
        size: How large a cell is: `large`, `medium` or `small`.
        left_out: How many hosts are not drawn: none of them is worse than those that are.
        tenths: The canaries by how much of their soak they have served.
        unsoaked: The canaries whose soak does not run.
        used: How much of what is tolerated is used; None without an answer for the fleet.
        picture: The comparison; None without one.
    """

    states: tuple[tuple[HostState, int, int], ...]
    blocks: tuple[Block, ...]
    size: str
    left_out: int
    tenths: tuple[Tenth, ...]
    unsoaked: int
    used: Used | None
    picture: Picture | None


def fleet_view(answer: Answer, hosts: Sequence[DrawnHost]) -> FleetView:
    """Lay out a fleet's page: its cells by group, its soak, its budget and its comparison.

    Args:
        answer: What was judged; nothing of `answer.fleet` is needed once a rollout is over.
        hosts: Every host.
    """
    fleet = answer.fleet
    worst_first = sorted(hosts, key=lambda one: (one.named.state.rank, one.named.host))
    drawn = {one.named.host for one in worst_first[:MOST_CELLS]}
    canaries = [one for one in hosts if one.part in _CANARIES]
    required = answer.soak.required_ms
    return FleetView(
        states=tuple(_states(hosts)),
        blocks=tuple(_blocks(worst_first, drawn)),
        size="large" if len(drawn) <= _LARGE else "medium" if len(drawn) <= _MEDIUM else "small",
        left_out=len(worst_first) - len(drawn),
        tenths=tuple(_tenths(canaries, required)) if required else (),
        unsoaked=sum(one.held_ms is None for one in canaries),
        used=None if fleet is None else _used(fleet.cohort, sum(one.is_failed for one in hosts)),
        picture=None if fleet is None or fleet.comparison is None else _picture(fleet.comparison),
    )


# Cells


def _states(hosts: Iterable[DrawnHost]) -> Iterator[tuple[HostState, int, int]]:
    counts = Counter((one.named.state, one.part in _CANARIES) for one in hosts)
    for state in HostState:
        canaries, others = counts[state, True], counts[state, False]
        if canaries or others:
            yield state, canaries, others


def _blocks(worst_first: Iterable[DrawnHost], drawn: set[str]) -> Iterator[Block]:
    by_group: dict[str, list[DrawnHost]] = {}
    for one in worst_first:
        by_group.setdefault(one.named.group, []).append(one)
    for group, hosts in sorted(by_group.items()):
        canaries = [one for one in hosts if one.part in _CANARIES]
        others = [one for one in hosts if one.part not in _CANARIES]
        told = [f"{len(canaries)} with"] if canaries else []
        told += [f"{len(others)} without"] if others else []
        yield Block(
            group=group,
            canaries=tuple(_runs(canaries, drawn)),
            others=tuple(_runs(others, drawn)),
            counts=", ".join(told),
            left_out=sum(one.named.host not in drawn for one in hosts),
        )


def _runs(worst_first: Sequence[DrawnHost], drawn: set[str]) -> Iterator[Run]:
    shown = [one.named for one in worst_first if one.named.host in drawn]
    for state, hosts in groupby(shown, key=lambda one: one.state):
        yield Run(state, tuple(map(_hover, hosts)))


def _hover(host: WorstHost) -> str:
    """What hovering over a cell tells: the name, and why where it is not simply clean."""
    why = host.why if len(host.why) <= LONGEST_WHY else f"{host.why[:LONGEST_WHY]}…"
    return f"{host.host}: {why}" if why else host.host


# The soak, and what is tolerated


def _tenths(canaries: Iterable[DrawnHost], required_ms: int) -> Iterator[Tenth]:
    counts = [0] * (_TENTHS + 1)
    for one in canaries:
        if one.held_ms is not None:
            counts[min(_TENTHS * one.held_ms // required_ms, _TENTHS)] += 1
    most = max(counts)
    for tenth, hosts in enumerate(counts):
        label = f"{100 * tenth // _TENTHS}"
        yield Tenth(label, hosts, _percent(Fraction(100 * hosts, most or 1)))


def _used(cohort: Cohort, failed: int) -> Used:
    others = max(cohort.not_clean - failed, 0)
    whole = max(failed + others, cohort.tolerated, 1)
    return Used(
        failed=_percent(Fraction(100 * failed, whole)),
        others=_percent(Fraction(100 * others, whole)),
        mark=_percent(Fraction(100 * cohort.tolerated, whole)),
        failed_hosts=failed,
        other_hosts=others,
    )


# The comparison


def _picture(found: Comparison) -> Picture:
    failed = found.failed_canary + found.failed_control
    e, worst = _power(found.e_rounded), _power(found.e_if_failed)
    bar = _power(found.bar)
    # From a hundredth of 1, where it goes as others fail, to beyond E and the bar. What E would be
    # if unknown canaries had failed may be beyond all: it is drawn to the end, and told in words.
    low, high = -_DECADES, int(max(e, bar)) + _DECADES
    step = -(-(high - low) // _MOST_TICKS)
    ticks = range(low, high + 1, step)
    return Picture(
        failed=failed,
        canaries=_percent(Fraction(100 * found.failed_canary, failed or 1)),
        expected=_percent(min(100 * Fraction(found.expected_canary) / (failed or 1), _FULL)),
        e=_along(e, low, high),
        e_if_failed=_along(worst, low, high),
        bar=_along(bar, low, high),
        ticks=tuple((_along(Decimal(at), low, high), f"{at}") for at in ticks),
    )


def _power(number: str) -> Decimal:
    """The decimal logarithm of a number, `4.07e+12` or a fraction `300/1`."""
    above, _, below = number.partition("/")
    return (Decimal(above) / Decimal(below or "1")).log10()


def _along(power: Decimal, low: int, high: int) -> str:
    """Where a power of ten stands on a scale, in per cent."""
    share = 100 * (power - low) / (high - low)
    return f"{min(max(share, Decimal(0)), Decimal(100)):.2f}"


def _percent(share: Fraction) -> str:
    return f"{float(share):.2f}"
