"""Looks at a fleet: what is known of its hosts, then what the engine's workers say, together."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tau_rollout_gate import __version__
from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.errors import FleetRefusedError
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.files.fleet import read_roster_file
from tau_rollout_gate.files.host_table import read_table
from tau_rollout_gate.fleet.chunk import ChunkResult, Job, Wanted
from tau_rollout_gate.fleet.counts import Partial
from tau_rollout_gate.fleet.decide import decide
from tau_rollout_gate.fleet.draw.cohort import draw
from tau_rollout_gate.fleet.draw.roster import Roster, RosterEntry, parse_roster
from tau_rollout_gate.fleet.partial import merge
from tau_rollout_gate.fleet.plan import Host, HostRow, Plan, group_of, hosts_digest
from tau_rollout_gate.fleet.record import hosts_of, is_absent, roster_changes
from tau_rollout_gate.fleet.table import NO_TABLE, Table, is_given, parse_table
from tau_rollout_gate.policy.fleet import FleetRules
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.services.fleet.engine import results

if TYPE_CHECKING:
    from tau_rollout_gate.services.evaluate import Question

_MOST_NAMED = 10


class Ground(NamedTuple):
    """What is known of a fleet before anything of its hosts is read.

    Args:
        pin: What the rollout has pinned of it.
        plan: What its hosts are judged by.
        hosts: These, sorted by name.
        roster: The roster as it is now.
        table: What is recorded of the hosts.
    """

    pin: FleetPin
    plan: Plan
    hosts: tuple[Host, ...]
    roster: Roster
    table: Table

    @property
    def in_lot(self) -> list[RosterEntry]:
        """The hosts that a lot is drawn among: each in the group that it had at first."""
        return [
            RosterEntry(host.name, group_of(host), host.mark)
            for host in self.hosts
            if host.is_on_roster and not is_absent(host.record)
        ]

    def drawn(self, percent: int) -> dict[str, str]:
        """The cut-offs, by group, where a share gets the release; none is ever lowered."""
        rules = self.plan.policy.fleet or FleetRules()
        return draw(
            self.in_lot,
            salt=self.plan.salt,
            percent=percent,
            min_hosts=rules.min_hosts,
            earlier=self.table.cutoffs,
        ).cutoffs


class Look(NamedTuple):
    """What a look at a fleet gave.

    Args:
        ground: What was known before.
        cutoffs: Those of the phase that may be entered after it.
        partial: The counts of all chunks together.
        results: What was asked of the hosts of each chunk, in their order.
        answer: What follows.
    """

    ground: Ground
    cutoffs: dict[str, str]
    partial: Partial
    results: tuple[ChunkResult, ...]
    answer: Answer


def look(  # noqa: PLR0913, PLR0917 - a question, and what was read for it
    question: "Question",
    rollout: Rollout,
    policy: Policy,
    evidence: Evidence,
    now_unix_ms: int,
    wanted: Wanted = Wanted.COUNTS,
    table: Table | None = None,
) -> Look:
    """Judge the hosts of an open rollout's fleet, and decide for it.

    Args:
        question: What is asked, and of which engine.
        rollout: The rollout.
        policy: Its policy.
        evidence: What no host tells: reports and the sign-off.
        now_unix_ms: When.
        wanted: What is asked of each host beside.
        table: What is recorded of the hosts; None for what the rollout has pinned.

    Raises:
        RolloutGateError: if the roster, the table of hosts or the store cannot be used, or a chunk
            cannot be judged.
    """
    known = ground_of(question.rollout_dir, rollout, policy, now_unix_ms, table)
    plan, cutoffs = known.plan, _cutoffs_after(known, wanted)
    job = Job(plan, known.pin.store, known.pin.store_id, wanted, cutoffs)
    partial, found = None, []
    for result in results(
        job,
        known.hosts,
        question.engine,
        is_insecure=question.is_insecure,
        progress=question.progress,
    ):
        partial = result.partial if partial is None else merge(partial, result.partial)
        if wanted is not Wanted.COUNTS:
            found.append(result)
    if partial is None:
        raise FleetRefusedError(f"{known.pin.roster}: there is no host to judge")
    answer = decide(plan, partial, evidence)
    answer = answer._replace(warnings=(*answer.warnings, *_roster_warnings(known)))
    return Look(known, cutoffs, partial, tuple(sorted(found, key=lambda one: one.number)), answer)


def looked_at(question: "Question", known: Ground, hosts: Sequence[Host]) -> Iterator[HostRow]:
    """Yield how some of a fleet's hosts stand, by name; nothing is decided.

    Raises:
        RolloutGateError: if the store cannot be used, or a chunk cannot be judged.
    """
    names = [host.name for host in hosts]
    plan = known.plan._replace(hosts=len(names), hosts_sha256=hosts_digest(names))
    job = Job(plan, known.pin.store, known.pin.store_id, Wanted.ROWS, {})
    found = results(
        job,
        hosts,
        question.engine,
        is_insecure=question.is_insecure,
        progress=question.progress,
    )
    for chunk in sorted(found, key=lambda one: one.number):
        yield from chunk.rows


def ground_of(
    root: Path, rollout: Rollout, policy: Policy, now_unix_ms: int, table: Table | None = None
) -> Ground:
    """Find what is known of a rollout's fleet; its table of hosts is read unless it is given.

    Raises:
        RolloutGateError: if the roster or the table of hosts cannot be used.
    """
    pin = rollout.fleet
    if pin is None:
        raise FleetRefusedError(f"{root}: the rollout is of no fleet: 'start --fleet' opens one")
    table = table or table_of(root, pin)
    roster = parse_roster(read_roster_file(pin.roster), source=pin.roster)
    hosts = hosts_of(roster.entries, table.records)
    plan = Plan(
        version=__version__,
        policy=policy,
        rollout=rollout,
        now_unix_ms=now_unix_ms,
        name=pin.name,
        roster_sha256=roster.sha256,
        hosts_sha256=hosts_digest([host.name for host in hosts]),
        hosts=len(hosts),
        salt=(policy.fleet or FleetRules()).salt_of(rollout.release),
        cutoffs=table.cutoffs,
        look=pin.look + 1,
        tells_release=pin.tells_release,
    )
    found = Ground(pin, plan, hosts, roster, table)
    if plan.phase.canary_percent == 0:
        first = found.drawn(policy.first_canary.canary_percent)
        found = found._replace(plan=plan._replace(cutoffs=first))
    return found


def table_of(root: Path, pin: FleetPin) -> Table:
    """What is recorded of the hosts of a rollout.

    Raises:
        FleetRefusedError: if the table is gone, or is not the one that is pinned.
    """
    found = read_table(root, pin)
    return NO_TABLE if found is None else parse_table(found[0], source=found[1])


def count_given(root: Path, pin: FleetPin) -> int:
    """How many hosts were given the release, as it is recorded; no host is looked at.

    Raises:
        FleetRefusedError: if the table is gone, or is not the one that is pinned.
    """
    return sum(is_given(row.record) for row in table_of(root, pin).rows.values())


def _cutoffs_after(known: Ground, wanted: Wanted) -> dict[str, str]:
    plan = known.plan
    if wanted is Wanted.LOOK:
        following = plan.policy.next_phase(plan.rollout.phase)
        return {} if following is None else known.drawn(following.canary_percent)
    is_entry = wanted in {Wanted.REENTRY, Wanted.LOSSY_REENTRY}
    return known.drawn(plan.phase.canary_percent) if is_entry else {}


def _roster_warnings(known: Ground) -> list[str]:
    if known.plan.phase.canary_percent == 0:
        if known.roster.sha256 == known.pin.roster_sha256:
            return []
        return [
            "the roster has changed since the start: the lot is drawn of it as it is at the entry"
        ]
    changes = roster_changes(known.hosts)
    words = (
        ("is", "are", "new on the roster since the phase was entered", changes.joined),
        ("has", "have", "left the roster since the phase was entered", changes.left),
        (
            *("has", "have"),
            "another group on the roster, which counts from the next rollout on",
            changes.regrouped,
        ),
    )
    return [
        f"{counted(len(names), f'host {one}', f'hosts {several}')} {what}: {named(names)}"
        for one, several, what, names in words
        if names
    ]


def named(names: tuple[str, ...] | list[str]) -> str:
    """The first few of many names."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
