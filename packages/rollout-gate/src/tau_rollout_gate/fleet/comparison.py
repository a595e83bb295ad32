"""The comparison of a fleet's canaries with the rest, as its counts and its policy have it."""

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

from tau_rollout_gate.decision.fleet import Comparison
from tau_rollout_gate.fleet.counts import GroupCount, Partial
from tau_rollout_gate.fleet.split_test import (
    CANARY,
    CONTROL,
    GroupFailures,
    bar_of,
    expected_canaries,
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
