"""How a fleet stands, as an answer tells it: counts by state, the worst hosts, the comparison.

The rules are the runbook's (rollout-gate-ops.md, "A fleet").
"""

from enum import StrEnum
from typing import NamedTuple

from tau_rollout_gate.counted import counted

MOST_GROUPS = 200
"""How many groups an answer tells of, those first that have hosts which are not clean."""

MOST_WORST = 20
"""How many of the worst hosts an answer names."""


class HostState(StrEnum):
    """How a host stands, the worst first."""

    FAILED = "failed"
    DAMAGED = "damaged"
    SILENT = "silent"
    HOLDING = "holding"
    NOT_UPGRADED = "not_upgraded"
    LEFT = "left"
    SOAKING = "soaking"
    JOINED = "joined"
    CLEAN = "clean"

    @property
    def rank(self) -> int:
        """Where it stands among the states, from 0, the worst."""
        return tuple(HostState).index(self)


class WorstHost(NamedTuple):
    """A host that is not clean, and where to look: its first bad cycle, with file and line.

    Args:
        host: Its name.
        group: Its group.
        state: How it stands.
        reason: Why, in a word: the trigger, the gate, or the kind of silence.
        why: Why, in a sentence.
        file: The file to look at; None where there is none.
        line: The line in it; None where that is not known.
        cycle_id: The cycle in that line.
        age_ms: How long ago that was, or how long the host has been silent.
    """

    host: str
    group: str
    state: HostState
    reason: str
    why: str
    file: str | None = None
    line: int | None = None
    cycle_id: str | None = None
    age_ms: int | None = None


class StateCount(NamedTuple):
    """How many hosts are in a state."""

    state: HostState
    hosts: int


class ReasonCount(NamedTuple):
    """How many canaries are not clean for a reason."""

    reason: str
    hosts: int


class GroupStanding(NamedTuple):
    """How a group's canaries stand, and how much of its tolerance they use.

    Args:
        name: The group.
        hosts: How many of its hosts are pinned.
        cohort: How many of these carry the release.
        cutoff: The score up to which its hosts are in the cohort; None where none is.
        failed: How many count as failed.
        not_clean: How many count as not clean, those among them.
        tolerated: How many may be.
    """

    name: str
    hosts: int
    cohort: int
    cutoff: str | None
    failed: int
    not_clean: int
    tolerated: int


class Cohort(NamedTuple):
    """The hosts that carry the release: how many, which share that is, and how much is tolerated.

    Args:
        hosts: How many were pinned at the phase's entry.
        percent: The phase's share, in per cent.
        not_clean: How many count as not clean.
        tolerated: How many may be: the policy's `tolerate`, of these hosts.
        joined: How many joined since, and belong to it.
        left: How many left the roster since.
        excused: How many of the pinned ones do not count any more.
    """

    hosts: int
    percent: int
    not_clean: int
    tolerated: int
    joined: int
    left: int
    excused: int


class Comparison(NamedTuple):
    """The canaries beside the hosts that do not have the release.

    Args:
        failed_canary: How many canaries failed since the phase was entered.
        failed_control: How many of the others did.
        expected_canary: How many canaries would have, if the release changed nothing, to two
            decimals.
        e: The evidence against the release, as an exact fraction; None where that is too long.
        e_rounded: The same, rounded down to three digits.
        bar: What it fires at, as an exact fraction.
        fired: Whether it does.
        undecided: How many canaries are unknown.
        e_if_failed: As `e_rounded`, if each of these were the first to fail.
        is_decided: Whether it would stay below the bar even then.
    """

    failed_canary: int
    failed_control: int
    expected_canary: str
    e: str | None
    e_rounded: str
    bar: str
    fired: bool
    undecided: int
    e_if_failed: str
    is_decided: bool


class FleetStanding(NamedTuple):
    """How a fleet stands.

    Args:
        name: The fleet's name.
        roster_sha256: The digest of the roster that was read.
        hosts: How many hosts are on it, or pinned.
        cohort: The hosts that carry the release.
        canaries: How these stand: how many in each state.
        control: How the others stand; theirs are triggers alone.
        contaminated: How many of these show the release.
        groups: The groups, by name: at most `MOST_GROUPS`.
        more_groups: How many more there are, all of their canaries clean where that is possible.
        reasons: Why canaries are not clean, the most frequent first.
        worst: The worst hosts that count against the release.
        more: How many more there are.
        comparison: The comparison; None where the policy asks for none or there is no control.
        root_sha256: The digest over the digests of all that was read, by chunk.
    """

    name: str
    roster_sha256: str
    hosts: int
    cohort: Cohort
    canaries: tuple[StateCount, ...]
    control: tuple[StateCount, ...]
    contaminated: int
    groups: tuple[GroupStanding, ...]
    more_groups: int
    reasons: tuple[ReasonCount, ...]
    worst: tuple[WorstHost, ...]
    more: int
    comparison: Comparison | None
    root_sha256: str

    @property
    def soaking_words(self) -> str:
        """By how many canaries a soak is held, where that is not all of them; empty where it is."""
        everyone = sum(one.hosts for one in self.canaries)
        soaks = {HostState.SOAKING, HostState.CLEAN}
        soaking = sum(one.hosts for one in self.canaries if one.state in soaks)
        of_all = counted(everyone, "canary", "canaries")
        return "" if soaking == everyone else f" by {soaking} of {of_all}"
