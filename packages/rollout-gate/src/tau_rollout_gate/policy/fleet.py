"""The `[fleet]` table of a policy: how many hosts may not be clean, and how canaries are compared.

Where the hosts are stands elsewhere: this is what they are judged by
(runbooks/rollout-gate-ops.md, "A fleet").
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from tau_rollout_gate.contract.forms import Count, Form, Location, Milliseconds, Number, Text

SALT_OF_RELEASE = "release"
"""The salt that stands for the release: the next one has other canaries."""

_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,6}))?%")
_DECIMAL = re.compile(r"0\.[0-9]{1,9}")
_ALL = 100  # per cent


class Share(NamedTuple):
    """How many hosts there may be of a kind: a count, or a share of what was pinned.

    `text` is as the policy has it.
    """

    text: str
    number: int | None = None
    percent: Fraction = Fraction(0)

    def within(self, hosts: int) -> int:
        """How many that is, of so many hosts: rounded down."""
        return int(hosts * self.percent / _ALL) if self.number is None else self.number


class Compare(Form, frozen=True, kw_only=True):
    """How canaries are compared with the hosts that do not have the release.

    Args:
        alpha: How likely a harmless release may be rolled back by it, over all phases: `"0.01"`.
    """

    alpha: Text

    @property
    def level(self) -> Fraction:
        """`alpha` as a number."""
        return Fraction(self.alpha)


class FleetRules(Form, frozen=True, kw_only=True):
    """What a fleet is judged by.

    Args:
        tolerate: How many hosts of a cohort may be anything but clean: a count, or `"2%"` of it.
        group_tolerate: How many of one group may; None for as many as of all.
        min_hosts: How many hosts a cohort has to have.
        salt: What the cohorts are drawn with: `release`, or a text that is the same for each.
        compare: How canaries are compared with the others; None for not at all.
        fail_silent_after: After which silence a host that had the release counts as failed; None
            for never.
    """

    tolerate: Count | Text = 0
    group_tolerate: Count | Text | None = None
    min_hosts: Number = 1
    salt: Text = SALT_OF_RELEASE
    compare: Compare | None = None
    fail_silent_after: Milliseconds | None = None

    @property
    def tolerated(self) -> Share:
        """How many hosts of a cohort may be anything but clean."""
        return share(self.tolerate)

    @property
    def tolerated_in_group(self) -> Share | None:
        """How many of one group may; None for as many as of all."""
        return None if self.group_tolerate is None else share(self.group_tolerate)

    @property
    def fail_silent_after_ms(self) -> int | None:
        """After which silence a host that had the release counts as failed; None for never."""
        return None if self.fail_silent_after is None else int(self.fail_silent_after)

    def salt_of(self, release: str) -> str:
        """What the cohorts of a release are drawn with."""
        return release if self.salt == SALT_OF_RELEASE else self.salt


def share(value: int | str) -> Share:
    """How many `3` or `"2.5%"` are.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, int):
        return Share(text=str(value), number=value)
    found = _PERCENT.fullmatch(value)
    percent = None if found is None else Fraction(value.removesuffix("%"))
    if percent is None or percent > _ALL:
        raise ValueError(f'{value!r} is no share: write a count such as 3, or "2%" or "0.5%"')
    return Share(text=value, percent=percent)


def misfits(rules: FleetRules) -> Iterator[tuple[Location, str]]:
    """Yield what is wrong in the table, beyond the types of its fields, each with its place."""
    for name, value in (("tolerate", rules.tolerate), ("group_tolerate", rules.group_tolerate)):
        try:
            share(value or 0)
        except ValueError as error:
            yield ("fleet", name), str(error)
    if not rules.salt.isprintable():
        yield ("fleet", "salt"), "has line breaks, control or invisible characters"
    alpha = "0.5" if rules.compare is None else rules.compare.alpha
    if not _DECIMAL.fullmatch(alpha) or not Fraction(alpha):
        problem = f'{alpha!r} is no probability above 0 and below 1: write "0.01"'
        yield ("fleet", "compare", "alpha"), problem
