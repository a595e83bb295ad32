"""What a fleet is judged by: the plan, the same for every host, and what is known of each host.

A plan goes to each worker as it is; a worker judges the hosts of a chunk by it, and nothing else.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from tau_rollout_gate.contract.pin import LogPosition, Seen, SurfacePin
from tau_rollout_gate.contract.rollout import FiredTrigger, Rollout
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.fleet.draw.roster import Mark
from tau_rollout_gate.policy.policy import Phase, Policy, policy_digest

CHUNK_HOSTS = 256
"""How many hosts of the sorted list are a chunk: one worker's work, the same on every engine."""


class Arm(StrEnum):
    """Which side of the comparison a host is on, as the lot of the phase's entry has it."""

    CANARY = "canary"
    CONTROL = "control"


class Part(StrEnum):
    """What a host counts as.

    `canary`: pinned with the release. `joined`: new since, and it belongs to them. `control`:
    pinned without the release. `outside`: nothing follows from it, such as a new host that is not
    in the cohort.
    """

    CANARY = "canary"
    JOINED = "joined"
    CONTROL = "control"
    OUTSIDE = "outside"


class HostRecord(NamedTuple):
    """What earlier decisions recorded of a host.

    Args:
        surfaces: Where its evidence starts and what was seen of it, as a rollout of this host alone
            has it: of a canary since the phase that drew it, of any other since this phase.
        group: Its group, which is the same for all of the rollout.
        drawn_unix_ms: When the phase that drew it was entered; None where none has. It is never
            taken back, also where the roster marks the host otherwise later.
        entered_unix_ms: When this host entered the phase anew; None if with the others.
        fired: The triggers that fired and were recorded; of a host that was not drawn, in this
            phase.
        failed_look: The look (`Plan.look`) of the phase at which it was first seen failed, for the
            comparison's order; None where it was not.
        arm: Its side of the comparison at the phase's first entry; None where it is on neither:
            it had failed before, was not drawn by lot, or joined.
        is_contaminated: Whether it showed the release, though it was not to have it.
        was_clean: Whether it was recorded as clean in this phase.
        is_excused: Whether it was excused since: it counts no more, unless it had failed.
        is_joined: Whether it was not there yet when the phase was entered.
    """

    surfaces: tuple[SurfacePin, ...]
    group: str
    drawn_unix_ms: int | None = None
    entered_unix_ms: int | None = None
    fired: tuple[FiredTrigger, ...] = ()
    failed_look: int | None = None
    arm: Arm | None = None
    is_contaminated: bool = False
    was_clean: bool = False
    is_excused: bool = False
    is_joined: bool = False


class Host(NamedTuple):
    """A host to judge: as the roster has it now, and what is recorded of it.

    Args:
        name: Its name.
        group: Its group on the roster; of one that left, the recorded one.
        mark: What the roster says of it beside that.
        record: What was recorded; None of one that no decision has seen.
        is_on_roster: Whether it is on the roster.
    """

    name: str
    group: str
    mark: Mark | None = None
    record: HostRecord | None = None
    is_on_roster: bool = True


class Plan(NamedTuple):
    """All that a chunk needs to be judged, beside its hosts and their files.

    Args:
        version: The version of this package.
        policy: The policy.
        rollout: The fleet's rollout. Its surfaces are those of every host; in `state_dir`,
            `{host}` stands for the host's name.
        now_unix_ms: When it is judged.
        name: The fleet's name.
        roster_sha256: The digest of the roster.
        hosts_sha256: The digest of the hosts that are judged, as `hosts_digest` gives it.
        hosts: How many these are.
        salt: What the scores are drawn with.
        cutoffs: The pinned score by group, up to which a host is in the cohort; a group without is
            not there. Before canary-1 those that canary-1 would draw.
        look: Which look of the phase this is: larger than any that was recorded.
        tells_release: The surfaces of which a canary's cycles were ever seen to tell a release.
        chunk_hosts: How many hosts a chunk has.
    """

    version: str
    policy: Policy
    rollout: Rollout
    now_unix_ms: int
    name: str
    roster_sha256: str
    hosts_sha256: str
    hosts: int
    salt: str
    cutoffs: Mapping[str, str]
    look: int = 1
    tells_release: tuple[str, ...] = ()
    chunk_hosts: int = CHUNK_HOSTS

    @property
    def phase(self) -> Phase:
        """The phase that the rollout is in."""
        return self.policy.phase(self.rollout.phase)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.hosts // self.chunk_hosts)

    @property
    def sha256(self) -> str:
        """The digest of what decides: two plans with one digest judge alike."""
        parts = (
            self.version,
            policy_digest(self.policy),
            self.rollout.release,
            self.rollout.phase,
            self.rollout.phase_entered_unix_ms,
            self.now_unix_ms,
            self.roster_sha256,
            self.hosts_sha256,
            self.salt,
            *(f"{group}={score}" for group, score in sorted(self.cutoffs.items())),
            self.look,
            *self.tells_release,
        )
        return sha256("\0".join(map(str, parts)).encode()).hexdigest()


class HostRow(NamedTuple):
    """How one host stands.

    Args:
        host: Its name.
        group: Its group.
        part: What it counts as.
        state: How it stands.
        reason: Why, in a word: a trigger, a gate, a kind of silence; empty where it is clean.
        why: Why, in a sentence; empty where it is clean.
        file: Where to look: the file of its first bad cycle; None where there is none.
        line: The line there.
        cycle_id: The cycle there.
        age_ms: How long ago that was; of one that is silent, for how long it has been.
        counts_as_failed: Whether it counts as failed against what is tolerated.
        counts_as_unclean: Whether it counts as not clean, as one that failed does.
        arm: Its side of the comparison.
        failed_look: Of one on a side that failed: the look at which that was first seen.
        told: The surfaces whose cycles tell a release.
        untold: Those whose cycles tell none, where there is nothing wrong with them.
        newest: The release that the newest cycle of each surface tells; None where none does, or a
            newer one was seen than is there.
        is_unread: Whether its files do not tell all, so that neither does `told`.
        is_contaminated: Whether it shows the release, though it is not to have it.
        is_excused: Whether it counts no more.
        since_unix_ms: Since when it is clean; None where it is not.
        held_ms: For how long it is, to its last cycle.
        earliest_unix_ms: When its own soak can be served at the earliest; None where time alone
            does not help.
        inputs_sha256: The digest of the digests of what was read of it.
        fired: The triggers that fired, for the record; those of earlier decisions among them.
        surfaces: Its pins, with what was seen now, for the record.
    """

    host: str
    group: str
    part: Part
    state: HostState
    reason: str
    why: str
    file: str | None = None
    line: int | None = None
    cycle_id: str | None = None
    age_ms: int | None = None
    counts_as_failed: bool = False
    counts_as_unclean: bool = False
    arm: Arm | None = None
    failed_look: int | None = None
    told: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    newest: tuple[str | None, ...] = ()
    is_unread: bool = False
    is_contaminated: bool = False
    is_excused: bool = False
    since_unix_ms: int | None = None
    held_ms: int = 0
    earliest_unix_ms: int | None = None
    inputs_sha256: str = ""
    fired: tuple[FiredTrigger, ...] = ()
    surfaces: tuple[SurfacePin, ...] = ()


def hosts_digest(names: Sequence[str]) -> str:
    """The digest of the names of hosts, in their order: a line each."""
    return sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()


def chunk_of(plan: Plan, hosts: Sequence[Host], index: int) -> Sequence[Host]:
    """The hosts of a chunk, of all those that are judged, sorted by name."""
    return hosts[index * plan.chunk_hosts : (index + 1) * plan.chunk_hosts]


def group_of(host: Host) -> str:
    """The group of a host, which is the same for all of the rollout, whatever the roster says."""
    return host.group if host.record is None else host.record.group


def surfaces_of(plan: Plan, host: Host) -> tuple[SurfacePin, ...]:
    """The surfaces of a host, each with its directory and where its evidence starts.

    Of a host that joined since the phase was entered, all that it has is evidence. Before canary-1
    there is none yet.
    """
    if host.record is not None:
        return host.record.surfaces
    own = tuple(
        pin.replaced(state_dir=state_dir(pin.state_dir, host.name)) for pin in plan.rollout.surfaces
    )
    return tuple(map(with_whole_log, own)) if plan.phase.canary_percent > 0 else own


def with_whole_log(pin: SurfacePin) -> SurfacePin:
    """The pin of a surface of which all that there is is evidence."""
    whole = LogPosition(cycle_number=None, event_sha256=None)
    return pin.replaced(
        evidence_from=whole, sound_from=whole, phase_from=whole, seen=Seen(position=whole)
    )


def state_dir(template: str, host: str) -> str:
    """The state directory of a host: the fleet's, with the host's name in it."""
    return template.replace("{host}", host)
