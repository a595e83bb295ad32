"""The comparison of a fleet's canaries with the rest, as its counts and its policy have it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.fleet import Comparison
from tau_rollout_gate.fleet.counts import GroupCount, Partial
from tau_rollout_gate.fleet.draw.cohort import PhaseDraw
from tau_rollout_gate.fleet.split_test import (
    CANARY,
    CONTROL,
    GroupFailures,
    bar_of,
    expected_canaries,
    least_to_fire,
    likelihood,
)
from tau_rollout_gate.policy.policy import Policy

_ALL = 100  # per cent


def bar_for(policy: Policy) -> Fraction | None:
    """What the comparison fires at; None where the policy asks for none.

    Its `alpha` is for all phases that have hosts without the release together.
    """
    compare = None if policy.fleet is None else policy.fleet.compare
    if compare is None:
        return None
    return bar_of(compare.level, sum(0 < one.canary_percent < _ALL for one in policy.phases))


class Reach(NamedTuple):
    """What the comparison can see in a phase, before it is entered.

    Args:
        phase: The phase.
        canaries: How many hosts of groups with both sides have the release there.
        controls: How many of them do not.
        fires_from: How many canaries have to fail, and no other host, until it fires, as if all
            were one group; None where all of them are too few. One fewer may be silent.
    """

    phase: str
    canaries: int
    controls: int
    fires_from: int | None

    @property
    def words(self) -> str:
        """It in a sentence."""
        sides = f"{self.phase}: of {counted(self.canaries, 'canary', 'canaries')}, and "
        sides += f"{counted(self.controls, 'host')} without"
        if self.fires_from is None:
            return f"{sides}, the comparison cannot fire: there are too few of them"
        return (
            f"{sides}, the comparison can fire from {self.fires_from} failed canaries on, and no "
            f"other host; {counted(self.fires_from - 1, 'silent one')} it lets pass"
        )


def reaches(policy: Policy, draws: Iterable[PhaseDraw]) -> Iterator[Reach]:
    """Yield what it can see in each phase that has two sides; nothing where nobody asks for it."""
    bar = bar_for(policy)
    for phase, draw, *_ in draws if bar is not None else ():
        both = [one for one in draw.groups.values() if 0 < one.drawn < one.hosts]
        canaries = sum(one.drawn for one in both)
        controls = sum(one.hosts for one in both) - canaries
        if bar is not None and draw.percent < _ALL and canaries:
            yield Reach(phase, canaries, controls, least_to_fire(canaries, controls, bar))


def compared(
    policy: Policy, partial: Partial, groups: Mapping[str, GroupCount]
) -> Comparison | None:
    """How the two sides compare; None where the policy does not ask, or there are not two.

    Args:
        policy: The policy.
        partial: All chunks together.
        groups: The counts of each group, with all that are unknown.
    """
    bar = bar_for(policy)
    has_two = any(one.arm_canaries and one.arm_controls for one in groups.values())
    if bar is None or not has_two:
        return None
    letters: dict[str, str] = defaultdict(str)
    for one in partial.failures:
        letters[one.group] += one.letters
    found = [
        GroupFailures(count.arm_canaries, count.arm_controls, letters[name])
        for name, count in sorted(groups.items())
    ]
    worst = [
        group._replace(failures=CANARY * count.unknown + group.failures)
        for group, (_, count) in zip(found, sorted(groups.items()), strict=True)
    ]
    e, e_if_failed = likelihood(found), likelihood(worst)
    return Comparison(
        failed_canary=sum(group.failures.count(CANARY) for group in found),
        failed_control=sum(group.failures.count(CONTROL) for group in found),
        expected_canary=expected_canaries(found),
        e=e.exact,
        e_rounded=e.rounded,
        bar=f"{bar.numerator}/{bar.denominator}",
        fired=e.reaches(bar),
        undecided=sum(count.unknown for count in groups.values()),
        e_if_failed=e_if_failed.rounded,
        is_decided=not e_if_failed.reaches(bar),
    )
