"""What the comparison of a fleet can see: false alarms of a harmless release, and power.

Fleets are made by chance, drawn by the product's own quota and judged by the product's own E, look
by look, as `advance` does. Printed are the tables of runbooks/rollout-gate-ops.md, "The
comparison". A rate is of so many runs as `--runs` says: at 400, one in a thousand shows as 0 or as
0.25 %.
"""

import argparse
import math
import random
from collections.abc import Callable, Sequence
from fractions import Fraction

from tau_rollout_gate.fleet.draw.cohort import draw
from tau_rollout_gate.fleet.draw.roster import RosterEntry
from tau_rollout_gate.fleet.split_test import (
    CANARY,
    CONTROL,
    GroupFailures,
    bar_of,
    least_to_fire,
    likelihood,
)

LOOKS = 24
ALPHA = Fraction("0.01")
PHASES = 3
Fleet = Sequence[tuple[int, int]]
"""Of each group: its canaries, and its hosts without the release."""

Happens = Callable[[random.Random, int, int, int], float]
"""How likely a host of a group fails at a look: the look, the group, and how large that is."""


def fleet_of(sizes: Sequence[int], percent: int) -> Fleet:
    """Return how many canaries each group of these sizes gives."""
    hosts = [
        RosterEntry(f"{index}-{host}", f"g{index}")
        for index, size in enumerate(sizes)
        for host in range(size)
    ]
    drawn = draw(hosts, salt="bench", percent=percent)
    groups = [drawn.groups[f"g{index}"] for index in range(len(sizes))]
    return [(group.drawn, group.hosts - group.drawn) for group in groups]


def fires(
    chance: random.Random, fleet: Fleet, happens: Happens, times: float, bar: Fraction
) -> bool:
    """Tell whether E reaches the bar at any look; a canary is `times` as likely to fail."""
    left = [list(group) for group in fleet]
    failures = ["" for _ in fleet]
    for look in range(LOOKS):
        is_worse = False
        for index, (canaries, controls) in enumerate(left):
            rate = happens(chance, look, index, sum(fleet[index]))
            failed = [drawn(chance, canaries, rate * times), drawn(chance, controls, rate)]
            letters = list(CANARY * failed[0] + CONTROL * failed[1])
            chance.shuffle(letters)  # of one look they are taken by name, which is blind, too
            failures[index] += "".join(letters)
            left[index] = [canaries - failed[0], controls - failed[1]]
            is_worse |= failed[0] > 0
        if not is_worse:
            continue  # E grows with a canary's failure only
        groups = [
            GroupFailures(*sizes, letters) for sizes, letters in zip(fleet, failures, strict=True)
        ]
        if likelihood(groups).reaches(bar):
            return True
    return False


def drawn(chance: random.Random, hosts: int, rate: float) -> int:
    """Return how many of some hosts fail: as many draws as it takes, and no more."""
    found, at = 0, 0
    while rate > 0:
        # How many hosts pass until the next one that fails: a geometric step.
        at += 1 + int(math.log(1 - chance.random()) / math.log(1 - rate)) if rate < 1 else 1
        if at > hosts:
            break
        found += 1
    return found


def independent(_: random.Random, look: int, group: int, size: int) -> float:
    """Each host fails by itself, two in a thousand a look."""
    del look, group, size
    return 0.002


def outage(_: random.Random, look: int, group: int, size: int) -> float:
    """Four in five hosts of the first group fail at one look, whatever they run."""
    del size
    return 0.8 if (look, group) == (5, 0) else 0.0


def bad_days(chance: random.Random, look: int, group: int, size: int) -> float:
    """Looks in which a group fails much more than in others, as by load or weather."""
    del look, group, size
    return 0.02 if chance.random() < 0.1 else 0.0005  # noqa: PLR2004 - a tenth of the looks


def rate_of(runs: int, fleet: Fleet, happens: Happens, times: float, bar: Fraction) -> str:
    """Return in how many of the runs it fires."""
    chance = random.Random(2)  # noqa: S311 - the same numbers each time, of no secret
    hits = sum(fires(chance, fleet, happens, times, bar) for _ in range(runs))
    return f"{hits * 100 / runs:.2f} %"


def false_alarms(runs: int) -> None:
    """Print in how many harmless releases it fires: at most alpha, by theory."""
    print("| hosts a group | canaries | each by itself | a group's outage | bad days |")
    print("| --- | --- | --- | --- | --- |")
    for name, sizes, percent in (
        ("50 x 13, 50 x 7", [13] * 50 + [7] * 50, 5),
        ("4 x 100", [100] * 4, 25),
        ("20 x 50", [50] * 20, 5),
        ("400, 90, 7, 3", [400, 90, 7, 3], 5),
    ):
        fleet = fleet_of(sizes, percent)
        rates = [
            rate_of(runs, fleet, happens, 1, 1 / ALPHA)
            for happens in (independent, outage, bad_days)
        ]
        print(f"| {name} | {percent} % | {' | '.join(rates)} |", flush=True)


def power(runs: int) -> None:
    """Print in how many releases it finds that canaries fail more often than the others."""
    bar = bar_of(ALPHA, PHASES)

    def rare(_: random.Random, look: int, group: int, size: int) -> float:
        del look, group, size
        return 0.0005

    print("| hosts | canaries | 3 times worse | 5 times | 10 times | fires from |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, sizes, percent in (
        ("10,000 in 1 group", [10_000], 5),
        ("10,000 in 20 groups", [500] * 20, 5),
        ("10,000 in 100 groups", [100] * 100, 5),
        ("1,000 in 1 group", [1_000], 5),
        ("1,000 in 1 group", [1_000], 25),
        ("1,000 in 10 groups", [100] * 10, 25),
        ("400 in 1 group", [400], 5),
        ("100 in 1 group", [100], 25),
    ):
        fleet = fleet_of(sizes, percent)
        rates = [rate_of(runs, fleet, rare, times, bar) for times in (3, 5, 10)]
        least = least_to_fire(sum(sizes) * percent // 100, sum(sizes) * (100 - percent) // 100, bar)
        canaries = sum(group[0] for group in fleet)
        print(
            f"| {name} | {canaries} ({percent} %) | {' | '.join(rates)} | {least} canaries |",
            flush=True,
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400, help="fleets a figure (default: 400)")
    runs: int = parser.parse_args().runs
    print(f"False alarms of a harmless release, alpha 1 %, {LOOKS} looks, {runs} runs:\n")
    false_alarms(runs)
    print("\nPower at alpha 1 % over three phases; others fail at 0.05 % a look:\n")
    power(runs)


if __name__ == "__main__":
    main()
