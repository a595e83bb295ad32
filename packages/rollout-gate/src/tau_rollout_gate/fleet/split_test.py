"""The comparison of canaries with the hosts that do not have the release: are theirs the failures?

If the release changes nothing, which of a group's hosts fail has nothing to do with the lot that
was drawn there. Before each failure, in the order in which they were recorded, its group has `a`
canaries and `b` control hosts that have not failed. Then

    E = mean over t in {2, 4, 8, 16, 32} of
        the product over failures of (t if a canary, else 1) * (a + b) / (t * a + b)

is the likelihood of "a canary's odds to fail are t times a control host's" against the blind draw.
Whatever hosts have in common, and however often one looks, it reaches 1 / alpha in at most alpha of
all harmless releases (Ville's inequality for an e-process; runbooks/rollout-gate-ops.md, "The
comparison"). All is exact: fractions of integers.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

ODDS = (2, 4, 8, 16, 32)
"""How many times as likely a canary fails, in the alternatives that are averaged."""

CANARY, CONTROL = "c", "o"
"""Whose a failure is, in the texts of `GroupFailures`."""


_DIGITS = 3
_LONGEST_BITS = 1024  # about 300 digits
_MILLION = 10**6


class GroupFailures(NamedTuple):
    """The two arms of a group as they were drawn, and who failed since, in order.

    Args:
        canaries: How many canaries there are, failed or not.
        controls: How many hosts without the release.
        failures: Who failed: a text of `CANARY` and `CONTROL`.
    """

    canaries: int
    controls: int
    failures: str


def product(numbers: Sequence[int]) -> int:
    """The product of many numbers, halves first: so few factors are long."""
    if len(numbers) <= 8:  # noqa: PLR2004 - what is short is quick anyway
        found = 1
        for number in numbers:
            found *= number
        return found
    middle = len(numbers) // 2
    return product(numbers[:middle]) * product(numbers[middle:])


class Likelihood(NamedTuple):
    """E as `numerator / denominator`, not in lowest terms: those cost more than they tell."""

    numerator: int
    denominator: int

    def reaches(self, bar: Fraction) -> bool:
        """Tell whether it is at least `bar`."""
        return self.numerator * bar.denominator >= bar.numerator * self.denominator

    @property
    def exact(self) -> str | None:
        """It in lowest terms, `n/d`; None where that is too long to be of use to anybody."""
        if self.denominator.bit_length() > _LONGEST_BITS:
            return None
        value = Fraction(self.numerator, self.denominator)
        return f"{value.numerator}/{value.denominator}"

    @property
    def rounded(self) -> str:
        """It for people, rounded down: `1.63`, or `4.07e+12`."""
        power = (self.numerator.bit_length() - self.denominator.bit_length()) * 3 // 10
        while (digits := self._digits(power)) >= 10**_DIGITS:
            power += 1
        while (digits := self._digits(power)) < 10 ** (_DIGITS - 1):
            power -= 1
        text = str(digits)
        if 0 <= power < _DIGITS:
            return f"{text[: power + 1]}.{text[power + 1 :]}".rstrip(".")
        return f"{text[0]}.{text[1:]}e{power:+03d}"

    def _digits(self, power: int) -> int:
        """Its first digits, if it is at least 10**power and less than ten times that."""
        shift = _DIGITS - 1 - power
        above: int = self.numerator * 10 ** max(shift, 0)
        below: int = self.denominator * 10 ** max(-shift, 0)
        return above // below


def likelihood(groups: Iterable[GroupFailures]) -> Likelihood:
    """E of all groups together; 1 where nothing failed.

    Raises:
        ValueError: if more hosts of an arm failed than there are.
    """
    totals: list[int] = []
    weighted: list[tuple[int, int]] = []
    canaries_failed = 0
    for group in groups:
        a, b = group.canaries, group.controls
        for one in group.failures:
            totals.append(a + b)
            weighted.append((a, b))
            if one == CANARY:
                canaries_failed += 1
                a -= 1
            else:
                b -= 1
        if a < 0 or b < 0:
            raise ValueError(f"more hosts of an arm failed than there are: {group}")
    return _mean(canaries_failed, totals, weighted)


def expected_canaries(groups: Iterable[GroupFailures]) -> str:
    """How many of the failures would be of canaries, if the release changed nothing: `1.20`."""
    millionths = 0
    for group in groups:
        a, b = group.canaries, group.controls
        for one in group.failures:
            millionths += _MILLION * a // (a + b)
            a, b = (a - 1, b) if one == CANARY else (a, b - 1)
    whole, rest = divmod((millionths + 5_000) // 10_000, 100)
    return f"{whole}.{rest:02d}"


def bar_of(alpha: Fraction, phases: int) -> Fraction:
    """What E fires at, where `alpha` is for so many phases together."""
    return phases / alpha


def least_to_fire(canaries: int, controls: int, bar: Fraction) -> int | None:
    """How many canaries of one group have to fail, and no other host, until it fires.

    None where even all of them do not. One less may be silent, and it is decided.
    """
    for failed in range(1, canaries + 1):
        if likelihood([GroupFailures(canaries, controls, CANARY * failed)]).reaches(bar):
            return failed
    return None


def _mean(
    canaries_failed: int, totals: Sequence[int], weighted: Sequence[tuple[int, int]]
) -> Likelihood:
    """The mean over the odds; what they have in common, the product of totals, is taken once."""
    numerator, denominator = 0, 1
    for odds in ODDS:
        below = product([odds * a + b for a, b in weighted])
        numerator = numerator * below + odds**canaries_failed * denominator
        denominator *= below
    return Likelihood(numerator=numerator * product(totals), denominator=denominator * len(ODDS))
