"""Fleets to draw: rows that are made, and the answer that the gate's own code gives to them."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.fleet.decide import decide
from tau_rollout_gate.fleet.partial import merge, named_host, partial_of, read_partial
from tau_rollout_gate.fleet.plan import Arm, Host, HostRow, Part, chunk_of
from tau_rollout_gate.formats.context import Surroundings
from tau_rollout_gate.formats.page.fleet import DrawnHost
from tau_rollout_gate.policy.fleet import Compare, FleetRules
from tests.rollout_gate.answers import around
from tests.rollout_gate.fleet.fleets import plan_of, policy_of
from tests.rollout_gate.making import ENTERED, MINUTE, SHA, rollout
from tests.rollout_gate.worlds import SIGNED_OFF

FLEET = FleetPin(
    name="edge",
    roster="/srv/roster.tsv",
    roster_sha256=SHA,
    store="/srv/fleet/{host}/{surface}/",
    store_id="ab",
    lock_id="cd" * 16,
    hosts=40,
)
COMPARED = FleetRules(tolerate="10%", compare=Compare(alpha="0.01"))
WHY: Mapping[HostState, tuple[str, str]] = {
    HostState.FAILED: ("failure_streak_breach", "failure_streak is 3; fires at >= 3"),
    HostState.DAMAGED: ("lines_valid", "line 12 is not JSON"),
    HostState.SILENT: ("silent_after", "no cycle for 2 h 5 min; it had the release"),
    HostState.HOLDING: ("queue_depth", "queue_depth is 7; required: 0"),
    HostState.NOT_UPGRADED: ("evidence_of_release", "its cycles tell the release 1.3.2"),
    HostState.LEFT: ("left", "it is not on the roster any more"),
    HostState.SOAKING: ("soak", "8 min of 10 min"),
}


class Drawn(NamedTuple):
    """A fleet to draw: the answer, its hosts, and what surrounds them."""

    answer: Answer
    hosts: Sequence[DrawnHost]
    where: Surroundings


def row_of(name: str, group: str, state: HostState, **changes: Any) -> HostRow:  # noqa: ANN401 - any field
    """Return the row of a canary in a state, but for `changes`."""
    reason, why = WHY.get(state, ("", ""))
    is_fine = state in {HostState.CLEAN, HostState.SOAKING, HostState.JOINED}
    is_failed = state is HostState.FAILED
    is_placed = is_failed or state in {HostState.DAMAGED, HostState.HOLDING}
    values: dict[str, Any] = {
        "host": name,
        "group": group,
        "part": Part.CANARY,
        "state": state,
        "reason": reason,
        "why": why,
        "file": f"/srv/fleet/{name}/custom-command/runtime-events.jsonl" if is_placed else None,
        "line": 12 if is_placed else None,
        "counts_as_failed": is_failed,
        "counts_as_unclean": state not in {HostState.CLEAN, HostState.JOINED},
        "arm": Arm.CANARY,
        "failed_look": 1 if is_failed else None,
        "told": ("custom-command",),
        "since_unix_ms": ENTERED if is_fine else None,
        "held_ms": 10 * MINUTE if state is HostState.CLEAN else 0,
        "earliest_unix_ms": ENTERED + 10 * MINUTE if is_fine else None,
        "inputs_sha256": SHA,
    }
    return HostRow(**(values | changes))


def control_of(name: str, group: str, state: HostState = HostState.CLEAN) -> HostRow:
    """Return the row of a host without the release."""
    return row_of(
        name,
        group,
        state,
        part=Part.CONTROL,
        arm=Arm.CONTROL,
        counts_as_failed=False,
        counts_as_unclean=False,
        told=(),
        since_unix_ms=None,
    )


def drawn(rows: Sequence[HostRow], rules: FleetRules = COMPARED, phase: str = "canary-2") -> Drawn:
    """Return what the page is made of, of these rows; they are sorted by host."""
    hosts = [Host(row.host, row.group) for row in rows]
    here = rollout(phase, fleet=FLEET)
    plan = plan_of(hosts, policy=policy_of(rules), rollout=here)
    by_name = {row.host: row for row in rows}
    partials = []
    for index in range(plan.chunks):
        own = [by_name[host.name] for host in chunk_of(plan, hosts, index)]
        partials.append(read_partial(plan, hosts, index, partial_of(plan, index, own)))
    answer = decide(plan, reduce(merge, partials), Evidence(signoff=SIGNED_OFF))
    seen = [
        DrawnHost(
            named_host(row),
            row.part,
            is_failed=row.counts_as_failed,
            held_ms=None if row.since_unix_ms is None else row.held_ms,
        )
        for row in rows
    ]
    return Drawn(answer, seen, around(rollout=here))


_SHARES = (
    *(HostState.FAILED, HostState.DAMAGED, HostState.SILENT, HostState.SILENT),
    *(HostState.HOLDING, HostState.NOT_UPGRADED, HostState.LEFT, HostState.JOINED),
)


def many(count: int, *, groups: int = 4, clean_of_100: int = 88) -> list[HostRow]:
    """Return the rows of so many hosts: a quarter has the release, and of that some are not clean.

    All states are there; nearly all failures are of canaries, and of the first groups.
    """
    rows = []
    for number in range(count):
        name, group = f"web-{number:05d}", f"zone-{number % groups:03d}"
        at = number * 37 % 100
        if number // groups % 4:
            state = HostState.FAILED if number % 997 == 5 else HostState.CLEAN
            rows.append(control_of(name, group, state))
        elif at < clean_of_100 - 30 * (number % groups == 1):
            held = number * 13 % 11 * MINUTE
            state = HostState.CLEAN if held >= 10 * MINUTE else HostState.SOAKING
            rows.append(row_of(name, group, state, held_ms=held))
        else:
            state = _SHARES[number // groups // 4 % len(_SHARES)]
            part = Part.JOINED if state is HostState.JOINED else Part.CANARY
            arm = None if part is Part.JOINED else Arm.CANARY
            rows.append(row_of(name, group, state, part=part, arm=arm))
    return rows
