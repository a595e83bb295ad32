"""The forms of a partial: counts of hosts, and the few of them that are named."""

from typing import Annotated

import msgspec

from tau_rollout_gate.decision.fleet import HostState, WorstHost

Count = Annotated[int, msgspec.Meta(ge=0)]
Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value of a partial: frozen, no key that is not known."""


class GroupCount(_Form, frozen=True):
    """How many hosts of a group are what.

    Args:
        pinned: How many were pinned at the phase's entry.
        drawn: How many of these carry the release.
        joined: How many joined since, and belong to these.
        left: How many of the pinned ones with the release left the roster.
        excused: How many of these do not count any more.
        failed: How many count as failed.
        unclean: How many count as not clean, those among them.
        contaminated: How many show the release, though they are not to have it.
        arm_canaries: How many are on the canaries' side of the comparison.
        arm_controls: How many are on the other.
        unknown: How many on the canaries' side are neither clean nor failed nor excused.
    """

    pinned: Count = 0
    drawn: Count = 0
    joined: Count = 0
    left: Count = 0
    excused: Count = 0
    failed: Count = 0
    unclean: Count = 0
    contaminated: Count = 0
    arm_canaries: Count = 0
    arm_controls: Count = 0
    unknown: Count = 0

    def __add__(self, other: "GroupCount") -> "GroupCount":
        """Both together."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return GroupCount(*(one + two for one, two in pairs))


class Chunk(_Form, frozen=True):
    """Which hosts were judged, and on what: the digests of their names and of what was read."""

    index: Count
    hosts_sha256: Digest
    inputs_sha256: Digest


class Failures(_Form, frozen=True):
    """Who failed in a group, as one look saw it in one chunk: a text for `split_test`, by name."""

    group: str
    look: Count
    chunk: Count
    letters: str


class Untold(_Form, frozen=True):
    """Hosts that nothing is wrong with, but whose cycles tell no release on these surfaces.

    As long as nobody's do, they count as they are; else they are without the release. `in_arm` are
    those of the clean ones that are on the canaries' side of the comparison.
    """

    group: str
    surfaces: tuple[str, ...]
    soaking: Count = 0
    clean: Count = 0
    in_arm: Count = 0


class Soaks(_Form, frozen=True):
    """The soaks of canaries that are clean or soaking: the latest start, and the shortest."""

    since_unix_ms: int
    held_ms: int
    earliest_unix_ms: int


class Partial(_Form, frozen=True):
    """A chunk's counts, or those of several chunks together.

    Args:
        version: The version of the package that judged.
        policy_sha256: The digest of the policy.
        plan_sha256: The digest of the plan.
        chunks: The chunks, by index.
        groups: The counts of each group.
        canaries: How many of the hosts that are to have the release are in each state.
        control: How many of the others are.
        outside: How many hosts count for nothing.
        reasons: Why canaries are not clean: how many for each reason.
        failures: Who failed of the two sides of the comparison, by group, look and chunk.
        untold: Canaries whose cycles tell no release, by group and surfaces.
        told: The surfaces of which a canary's cycles do.
        unread: How many canaries there are of which that cannot be read.
        worst: The worst hosts that count as not clean.
        untold_hosts: The first of `untold`, by name.
        contaminated_hosts: The first contaminated hosts, by name.
        soaks: The canaries' soaks; None where none is clean or soaking.
        schema_version: The form.
    """

    version: str
    policy_sha256: Digest
    plan_sha256: Digest
    chunks: tuple[Chunk, ...]
    groups: dict[str, GroupCount]
    canaries: dict[HostState, Count]
    control: dict[HostState, Count]
    outside: Count
    reasons: dict[str, Count]
    failures: tuple[Failures, ...]
    untold: tuple[Untold, ...]
    told: tuple[str, ...]
    unread: Count
    worst: tuple[WorstHost, ...]
    untold_hosts: tuple[WorstHost, ...]
    contaminated_hosts: tuple[str, ...]
    soaks: Soaks | None
    schema_version: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1
