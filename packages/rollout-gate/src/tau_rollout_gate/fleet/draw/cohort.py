"""Which hosts get the release: a lot that anyone can check, and that moves nobody else.

A host's score is SHA-256(salt NUL host). Each group gives its lowest scores; what is pinned is one
cut-off a group, up to which its hosts are in. So the cohorts of later phases hold those of earlier
ones, and a host that comes or goes changes nothing for another one
(runbooks/rollout-gate-ops.md, "A fleet").
"""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from typing import NamedTuple

from tau_rollout_gate.fleet.draw.roster import Mark, RosterEntry
from tau_rollout_gate.policy.policy import Policy

EVERY_SCORE = "f" * 64
"""The cut-off at 100 %: no score is above it, also not of a host that is still to come."""

_ALL = 100  # per cent


class GroupDraw(NamedTuple):
    """What a draw takes of a group.

    Args:
        hosts: How many of its hosts the lot is drawn among.
        wanted: How many it gives, by the largest remainder.
        drawn: How many are up to the cut-off: more, where an earlier cut-off was higher.
        cutoff: The score up to which its hosts are in the cohort; None where none is.
    """

    hosts: int
    wanted: int
    drawn: int
    cutoff: str | None


class Draw(NamedTuple):
    """A phase's draw.

    Args:
        percent: The share that was asked for, in per cent.
        groups: What it takes of each group.
        wanted: How many hosts that share is: rounded up, or more for the least number of hosts.
        first: How many are in the cohort without a lot: those marked `first`, at 100 % `last` too.
        is_raised: Whether it is the least number of hosts that makes it more.
    """

    percent: Fraction
    groups: Mapping[str, GroupDraw]
    wanted: int
    first: int
    is_raised: bool

    @property
    def drawn(self) -> int:
        """How many hosts are drawn."""
        return sum(group.drawn for group in self.groups.values())

    @property
    def cutoffs(self) -> dict[str, str]:
        """The cut-off of each group that has one."""
        return {
            name: group.cutoff for name, group in self.groups.items() if group.cutoff is not None
        }


def score(salt: str, host: str) -> str:
    """The score of a host, in hex: SHA-256 of the salt, a NUL, and its name."""
    return sha256(f"{salt}\0{host}".encode()).hexdigest()


def draw(
    entries: Iterable[RosterEntry],
    *,
    salt: str,
    percent: Fraction | int,
    min_hosts: int = 1,
    earlier: Mapping[str, str] | None = None,
) -> Draw:
    """Draw the cohort of a phase.

    Above 0 % it is at least `min_hosts`, if there are as many; at the first draw it is exact. Hosts
    marked `first` or `last` are no part of the lot, and one marked `retired` is not drawn any more.

    Args:
        entries: The hosts.
        salt: What the scores are drawn with.
        percent: The share that gets the release, in per cent.
        min_hosts: The least number of hosts.
        earlier: The cut-offs of the phase before; none is ever lowered.
    """
    share, before = Fraction(percent), earlier or {}
    scores: dict[str, list[str]] = defaultdict(list)
    marked: Counter[Mark] = Counter()
    for host, group, mark in entries:
        if mark is None:
            scores[group].append(score(salt, host))
        else:
            marked[mark] += 1
    total = sum(map(len, scores.values()))
    exact = -(-total * share.numerator // (share.denominator * _ALL))
    wanted = max(exact, min(min_hosts, total)) if share else 0
    seats = _seats({name: len(of_group) for name, of_group in scores.items()}, wanted, salt)
    groups = {
        name: _group_draw(sorted(scores[name]), seats[name], before.get(name), is_all=share == _ALL)
        for name in sorted(scores)
    }
    first = marked[Mark.FIRST] if share else 0
    return Draw(
        percent=share,
        groups=groups,
        wanted=wanted,
        first=first + (marked[Mark.LAST] if share == _ALL else 0),
        is_raised=wanted > exact,
    )


def _seats(sizes: Mapping[str, int], wanted: int, salt: str) -> dict[str, int]:
    """How many each group gives, by the largest remainder.

    Equal remainders are drawn by lot as well: by name, the same small groups would always go first.
    """
    total = sum(sizes.values())
    parts = {name: divmod(size * wanted, total) for name, size in sizes.items()}
    left = wanted - sum(whole for whole, _ in parts.values())
    by_remainder = sorted(parts, key=lambda name: (-parts[name][1], score(salt, name)))
    more = set(by_remainder[:left])
    return {name: whole + (name in more) for name, (whole, _) in parts.items()}


def _group_draw(
    scores: Sequence[str], seats: int, earlier: str | None, *, is_all: bool
) -> GroupDraw:
    computed = EVERY_SCORE if is_all else scores[seats - 1] if seats else None
    cutoff = max(filter(None, (computed, earlier)), default=None)
    drawn = 0 if cutoff is None else sum(one <= cutoff for one in scores)
    return GroupDraw(hosts=len(scores), wanted=seats, drawn=drawn, cutoff=cutoff)


def is_member(
    entry: RosterEntry, cutoffs: Mapping[str, str], *, salt: str, percent: Fraction | int
) -> bool:
    """Tell whether a host is in the cohort that has these cut-offs, at this share."""
    if entry.mark in {Mark.FIRST, Mark.LAST}:
        return bool(percent) if entry.mark is Mark.FIRST else percent == _ALL
    cutoff = cutoffs.get(entry.group)
    return cutoff is not None and score(salt, entry.host) <= cutoff


class PhaseDraw(NamedTuple):
    """What a preview says of a phase: its draw, the groups without a canary, and who comes new.

    Args:
        phase: The phase.
        draw: Its draw.
        without: The groups that have hosts, but give none.
        added: How many hosts it adds to the phase before.
    """

    phase: str
    draw: Draw
    without: tuple[str, ...]
    added: int


def preview(policy: Policy, entries: Sequence[RosterEntry], *, salt: str) -> tuple[PhaseDraw, ...]:
    """What each phase of a policy would draw of a roster, if it stayed as it is."""
    found: list[PhaseDraw] = []
    cutoffs: Mapping[str, str] = {}
    size = 0
    min_hosts = 1 if policy.fleet is None else policy.fleet.min_hosts
    for phase in policy.phases:
        one = draw(
            entries,
            salt=salt,
            percent=phase.canary_percent,
            min_hosts=min_hosts,
            earlier=cutoffs,
        )
        without = [name for name, group in one.groups.items() if not group.drawn]
        found.append(
            PhaseDraw(
                phase=phase.name,
                draw=one,
                without=tuple(without) if phase.canary_percent else (),
                added=one.drawn + one.first - size,
            )
        )
        cutoffs, size = one.cutoffs, one.drawn + one.first
    return tuple(found)


def first_phase(entry: RosterEntry, phases: Iterable[PhaseDraw], *, salt: str) -> str | None:
    """The first phase of a preview in whose cohort a host is; None where it is in none."""
    return next(
        (
            one.phase
            for one in phases
            if is_member(entry, one.draw.cutoffs, salt=salt, percent=one.draw.percent)
        ),
        None,
    )


class Why(NamedTuple):
    """Why a host is in a cohort, or not.

    Args:
        is_member: Whether it is.
        sentence: Why, in a sentence.
        check: The line that prints its score, to type in a shell; empty where no lot decides.
    """

    is_member: bool
    sentence: str
    check: str


def why(
    entry: RosterEntry, cutoffs: Mapping[str, str], *, salt: str, percent: Fraction | int
) -> Why:
    """Why a host is in the cohort that has these cut-offs, or not, and how to check that."""
    member = is_member(entry, cutoffs, salt=salt, percent=percent)
    if entry.mark in {Mark.FIRST, Mark.LAST}:
        when = "from the first canary phase on" if entry.mark is Mark.FIRST else "at 100 % only"
        sentence = f"{entry.host} is marked {entry.mark} on the roster: it is in {when}"
        return Why(is_member=member, sentence=sentence, check="")
    its, cutoff = score(salt, entry.host), cutoffs.get(entry.group)
    if cutoff is None:
        sentence = f"the group {entry.group} has no cut-off: none of its hosts is in the cohort"
    else:
        sentence = (
            f"the score of {entry.host}, {its}, is {'at most' if member else 'above'} the cut-off "
            f"of its group {entry.group}, {cutoff}"
        )
    check = f"printf '%s\\0%s' {shlex.quote(salt)} {shlex.quote(entry.host)} | sha256sum"
    return Why(is_member=member, sentence=sentence, check=check)
