"""A chunk of hosts as counts, in strict JSON, and several chunks together.

Nothing in it depends on which engine made it, nor on the order in which chunks come together. What
comes back from a worker is believed only if it is of the very plan and hosts that it was asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from hashlib import sha256
from typing import TypeVar

import msgspec

from tau_rollout_gate.contract.forms import json_of
from tau_rollout_gate.decision.fleet import MOST_WORST, HostState, WorstHost
from tau_rollout_gate.errors import ChunkRefusedError, FormRefusedError
from tau_rollout_gate.fleet.counts import Chunk, Failures, GroupCount, Partial, Soaks, Untold
from tau_rollout_gate.fleet.plan import (
    Arm,
    Host,
    HostRow,
    Part,
    Plan,
    chunk_of,
    group_of,
    hosts_digest,
)
from tau_rollout_gate.fleet.split_test import CANARY, CONTROL
from tau_rollout_gate.policy.policy import policy_digest
from tau_rollout_gate.printable import printable

_LETTERS = {Arm.CANARY: CANARY, Arm.CONTROL: CONTROL}
_WITH_RELEASE = frozenset({Part.CANARY, Part.JOINED})
_FINE = frozenset({HostState.SOAKING, HostState.CLEAN})
_LONGEST_WHY = 300  # characters: twenty of them make a chunk's few kilobytes
_MOST_SHOWN = 10
Key = TypeVar("Key", bound=str)


def partial_of(plan: Plan, index: int, rows: Sequence[HostRow]) -> bytes:
    """What a chunk comes to, as strict JSON: the same bytes on every engine.

    Args:
        plan: What its hosts were judged by.
        index: Which chunk it is.
        rows: How its hosts stand, each once, in the order of their names.
    """
    names = [row.host for row in rows]
    read = "".join(f"{row.host} {row.inputs_sha256}\n" for row in rows)
    chunk = Chunk(index, hosts_digest(names), sha256(read.encode()).hexdigest())
    canaries = [row for row in rows if row.part in _WITH_RELEASE]
    counted = [row for row in canaries if not row.is_excused]
    unclean = [row for row in counted if row.counts_as_unclean]
    untold = [row for row in canaries if is_untold(row)]
    groups: dict[str, GroupCount] = defaultdict(GroupCount)
    for row in rows:
        groups[row.group] += _counted(row)
    return msgspec.json.encode(
        Partial(
            version=plan.version,
            policy_sha256=policy_digest(plan.policy),
            plan_sha256=plan.sha256,
            chunks=(chunk,),
            groups=dict(sorted(groups.items())),
            canaries=_sorted(Counter(row.state for row in canaries)),
            control=_sorted(Counter(row.state for row in rows if row.part is Part.CONTROL)),
            outside=sum(row.part is Part.OUTSIDE for row in rows),
            reasons=_sorted(Counter(row.reason for row in unclean)),
            failures=tuple(_failures(index, rows)),
            untold=_joint(map(_untold, untold)),
            told=tuple(sorted({name for row in counted for name in row.told})),
            unread=sum(row.is_unread for row in counted),
            worst=_worst(map(named_host, unclean)),
            untold_hosts=tuple(map(named_host, untold[:MOST_WORST])),
            contaminated_hosts=tuple(row.host for row in rows if row.is_contaminated)[:_MOST_SHOWN],
            soaks=reduce(_both_soaks, map(_soaks, counted), None),
        )
    )


def is_untold(row: HostRow) -> bool:
    """Tell whether nothing is wrong with a canary, but its cycles tell no release."""
    is_counted = row.part in _WITH_RELEASE and not row.is_excused
    return is_counted and bool(row.untold) and row.state in _FINE


def _counted(row: HostRow) -> GroupCount:
    is_canary, is_joined = row.part is Part.CANARY, row.part is Part.JOINED
    in_arm = row.arm is Arm.CANARY
    is_known = row.is_excused or row.state in {HostState.CLEAN, HostState.FAILED}
    return GroupCount(
        pinned=int(is_canary or row.part is Part.CONTROL),
        drawn=int(is_canary),
        joined=int(is_joined),
        left=int(is_canary and row.state is HostState.LEFT),
        excused=int(is_canary and row.is_excused),
        failed=int(row.counts_as_failed),
        unclean=int(row.counts_as_unclean),
        contaminated=int(row.is_contaminated),
        arm_canaries=int(in_arm),
        arm_controls=int(row.arm is Arm.CONTROL),
        unknown=int(in_arm and not is_known),
    )


def _failures(index: int, rows: Iterable[HostRow]) -> Iterator[Failures]:
    found: dict[tuple[str, int], str] = defaultdict(str)
    for row in rows:
        if row.arm is not None and row.failed_look is not None:
            found[row.group, row.failed_look] += _LETTERS[row.arm]
    for (group, look), letters in sorted(found.items()):
        yield Failures(group, look, index, letters)


def _untold(row: HostRow) -> Untold:
    is_clean = row.state is HostState.CLEAN
    return Untold(
        row.group,
        tuple(sorted(row.untold)),
        soaking=int(not is_clean),
        clean=int(is_clean),
        in_arm=int(is_clean and row.arm is Arm.CANARY),
    )


def _joint(several: Iterable[Untold]) -> tuple[Untold, ...]:
    found: dict[tuple[str, tuple[str, ...]], Untold] = {}
    for one in several:
        key = one.group, one.surfaces
        other = found.get(key, Untold(*key))
        found[key] = Untold(
            *key,
            soaking=one.soaking + other.soaking,
            clean=one.clean + other.clean,
            in_arm=one.in_arm + other.in_arm,
        )
    return tuple(found[key] for key in sorted(found))


def _soaks(row: HostRow) -> Soaks | None:
    if row.since_unix_ms is None or row.earliest_unix_ms is None:
        return None
    return Soaks(row.since_unix_ms, row.held_ms, row.earliest_unix_ms)


def _both_soaks(one: Soaks | None, other: Soaks | None) -> Soaks | None:
    if one is None or other is None:
        return one or other
    return Soaks(
        max(one.since_unix_ms, other.since_unix_ms),
        min(one.held_ms, other.held_ms),
        max(one.earliest_unix_ms, other.earliest_unix_ms),
    )


def named_host(row: HostRow) -> WorstHost:
    """A host as answers name it, its sentence cut to a few hundred characters."""
    return WorstHost(
        host=row.host,
        group=row.group,
        state=row.state,
        reason=row.reason,
        why=row.why[:_LONGEST_WHY],
        file=row.file,
        line=row.line,
        cycle_id=row.cycle_id,
        age_ms=row.age_ms,
    )


def worst_first(hosts: Iterable[WorstHost]) -> list[WorstHost]:
    """The hosts, the worst first, and by name."""
    return sorted(hosts, key=lambda one: (one.state.rank, one.host))


def _worst(hosts: Iterable[WorstHost]) -> tuple[WorstHost, ...]:
    return tuple(worst_first(hosts)[:MOST_WORST])


def _sorted(counts: "Counter[Key]") -> "dict[Key, int]":
    return {key: counts[key] for key in sorted(counts) if counts[key]}


def read_partial(plan: Plan, hosts: Sequence[Host], index: int, raw: bytes) -> Partial:
    """Read what came back for a chunk.

    Args:
        plan: What it was to be judged by.
        hosts: All hosts, as they were dealt out.
        index: Which chunk was asked for.
        raw: The bytes.

    Raises:
        ChunkRefusedError: if it is anything else: no partial, or of another chunk, version, policy,
            time or plan, or of other hosts.
    """
    own = chunk_of(plan, hosts, index)
    what = f"chunk {index} ({own[0].name} to {own[-1].name})"
    try:
        partial = msgspec.convert(json_of(raw), Partial)
    except (FormRefusedError, msgspec.ValidationError) as error:
        raise ChunkRefusedError(f"{what}: {printable(str(error)[:_LONGEST_WHY])}") from None
    problem = next(_problems(plan, own, index, partial), None)
    if problem is not None:
        raise ChunkRefusedError(f"{what}: {printable(problem)}")
    return partial


def _problems(plan: Plan, own: Sequence[Host], index: int, partial: Partial) -> Iterator[str]:
    """Yield what shows that a partial is not of this chunk and plan."""
    if partial.version != plan.version:
        yield f"was judged by version {partial.version}, and this is {plan.version}"
    if partial.policy_sha256 != policy_digest(plan.policy):
        yield "was judged by another policy"
    if partial.plan_sha256 != plan.sha256:
        yield "was judged by another plan: another time, roster or cohort"
    if [one.index for one in partial.chunks] != [index]:
        yield f"is chunk {', '.join(str(one.index) for one in partial.chunks) or 'none'}"
    names = [host.name for host in own]
    shown = {one.host for one in (*partial.worst, *partial.untold_hosts)}
    others = sorted(shown.union(partial.contaminated_hosts).difference(names))
    if others or partial.chunks[0].hosts_sha256 != hosts_digest(names):
        yield f"is of other hosts{f': {others[0]}' if others else ''}"
    groups = set(map(group_of, own))
    judged = sum((*partial.canaries.values(), *partial.control.values(), partial.outside))
    if judged != len(own) or not groups.issuperset(partial.groups):
        yield f"counts {judged} hosts in {', '.join(partial.groups)}, but has {len(own)}"
    failed = Counter((one.group, letter) for one in partial.failures for letter in one.letters)
    for (group, letter), count in failed.items():
        of = partial.groups.get(group, GroupCount())
        if count > {CANARY: of.arm_canaries, CONTROL: of.arm_controls}.get(letter, 0):
            yield f"has {count} failures {letter!r} in {group}, more than it has hosts"


def merge(one: Partial, other: Partial) -> Partial:
    """Both together; in which order does not matter.

    Raises:
        ChunkRefusedError: if a chunk is in both, or they are of two plans.
    """
    if (one.version, one.plan_sha256) != (other.version, other.plan_sha256):
        raise ChunkRefusedError("two chunks were judged by different versions or plans")
    twice = {chunk.index for chunk in one.chunks}.intersection(
        chunk.index for chunk in other.chunks
    )
    if twice:
        raise ChunkRefusedError(f"chunk {min(twice)} came back twice")
    groups = defaultdict(GroupCount, one.groups)
    for name, count in other.groups.items():
        groups[name] += count
    return Partial(
        version=one.version,
        policy_sha256=one.policy_sha256,
        plan_sha256=one.plan_sha256,
        chunks=tuple(sorted((*one.chunks, *other.chunks), key=lambda chunk: chunk.index)),
        groups=dict(sorted(groups.items())),
        canaries=_sorted(Counter(one.canaries) + Counter(other.canaries)),
        control=_sorted(Counter(one.control) + Counter(other.control)),
        outside=one.outside + other.outside,
        reasons=_sorted(Counter(one.reasons) + Counter(other.reasons)),
        failures=tuple(
            sorted(
                (*one.failures, *other.failures), key=lambda its: (its.group, its.look, its.chunk)
            )
        ),
        untold=_joint((*one.untold, *other.untold)),
        told=tuple(sorted({*one.told, *other.told})),
        unread=one.unread + other.unread,
        worst=_worst((*one.worst, *other.worst)),
        untold_hosts=tuple(
            sorted((*one.untold_hosts, *other.untold_hosts), key=lambda its: its.host)[:MOST_WORST]
        ),
        contaminated_hosts=tuple(
            sorted((*one.contaminated_hosts, *other.contaminated_hosts))[:_MOST_SHOWN]
        ),
        soaks=_both_soaks(one.soaks, other.soaks),
    )


def root_sha256(partial: Partial) -> str:
    """The digest over the digests of all chunks."""
    lines = [f"{one.index} {one.hosts_sha256} {one.inputs_sha256}\n" for one in partial.chunks]
    return sha256("".join(lines).encode()).hexdigest()
