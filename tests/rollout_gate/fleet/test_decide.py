"""From the counts of many hosts to one answer, and what is refused on the way."""

import json
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest

from tau_rollout_gate.contract.rollout import FiredTrigger, RolloutStatus
from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult, Verdict
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.errors import ChunkRefusedError
from tau_rollout_gate.evidence.values import (
    Evidence,
    Flaw,
    FlawFound,
    ReportEvidence,
    ReportStatus,
    SurfaceEvidence,
)
from tau_rollout_gate.fleet.decide import decide
from tau_rollout_gate.fleet.partial import merge, partial_of, read_partial
from tau_rollout_gate.fleet.plan import Arm, Host
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.fleet import Compare, FleetRules
from tests.rollout_gate.fleet.fleets import Fleet, fleet_of, plan_of, policy_of, record_of
from tests.rollout_gate.making import (
    ENTERED,
    MINUTE,
    SHA,
    SURFACE,
    History,
    failed,
    rollout,
    surface_evidence,
)

NOW = ENTERED + 20 * MINUTE
RELEASE, TARGET = "1.4.0", "1.3.2"
GONE = History().every(MINUTE, 1, release=RELEASE)
"""Of a host that went: its files are there, and nothing follows."""

CLEAN = History().every(5 * MINUTE, 4, release=RELEASE)
BAD = History().every(5 * MINUTE, 3).add(NOW, release=RELEASE, **failed(streak=1))
SHORT = History().every(5 * MINUTE, 2, release=RELEASE)
UNTOLD = History().every(5 * MINUTE, 4)
OTHER = History().every(5 * MINUTE, 4, release=TARGET)
BAD_CONTROL = History().every(5 * MINUTE, 3).add(NOW, release=TARGET, **failed(streak=1))
Found = tuple[Host, SurfaceEvidence | None]


def a_host(
    name: str,
    lines: History | None = CLEAN,
    *,
    group: str = "default",
    **changes: Any,  # noqa: ANN401 - any field of the record
) -> Found:
    """Return a canary and what was read of it; nothing for None."""
    record = record_of(rollout(), **({"group": group} | changes))
    return Host(name, group, record=record), None if lines is None else surface_evidence(lines)


def a_control(name: str, lines: History | None = OTHER, *, group: str = "default") -> Found:
    """Return a host without the release."""
    return a_host(name, lines, group=group, drawn_unix_ms=None, arm=Arm.CONTROL)


def fleet(*found: Found, rules: FleetRules | None = None, **changes: Any) -> Fleet:  # noqa: ANN401
    """Return a fleet of these hosts; `changes` are those of its plan."""
    evidence = {host.name: {SURFACE: read} for host, read in found if read is not None}
    values = {"policy": policy_of(rules), "now_unix_ms": NOW} | changes
    return fleet_of([host for host, _ in found], evidence, **values)


def answered(*found: Found, rules: FleetRules | None = None, **changes: Any) -> Answer:  # noqa: ANN401
    """Return the answer for these hosts."""
    return fleet(*found, rules=rules, **changes).answer()


def gate(answer: Answer, name: str) -> GateResult:
    """Return a gate of an answer."""
    (found,) = (one for one in answer.gates if one.name == name)
    return found


def trigger(answer: Answer, name: str) -> TriggerResult:
    """Return a trigger of an answer."""
    (found,) = (one for one in answer.triggers if one.name == name)
    return found


def hosts(count: int, lines: History | None = CLEAN) -> list[Found]:
    """Return some canaries alike."""
    return [a_host(f"c{index:02d}", lines) for index in range(count)]


def controls(count: int, lines: History | None = OTHER, *, start: int = 0) -> list[Found]:
    """Return some hosts without the release alike."""
    return [a_control(f"x{index:02d}", lines) for index in range(start, start + count)]


def test_a_clean_cohort_promotes() -> None:
    """All canaries are clean, whatever the others do: the answer says how the fleet stands."""
    answer = answered(*hosts(3), *controls(2), a_control("x9", BAD_CONTROL), a_control("x8", None))
    assert answer.verdict is Verdict.PROMOTE
    assert answer.failing_gates == ()
    found = answer.fleet
    assert found is not None
    assert (found.hosts, found.cohort.hosts, found.cohort.not_clean) == (7, 3, 0)
    assert found.canaries == ((HostState.CLEAN, 3),)
    assert found.control == ((HostState.FAILED, 1), (HostState.SILENT, 1), (HostState.CLEAN, 2))
    assert (found.worst, found.more, found.reasons) == ((), 0, ())
    assert found.comparison is None
    assert (answer.soak.held_ms, answer.soak.since_unix_ms) == (15 * MINUTE, ENTERED + 5 * MINUTE)
    assert answer.warnings == ()


def test_a_failed_canary_rolls_back_where_none_is_tolerated() -> None:
    """With its file and line."""
    answer = answered(*hosts(2), a_host("c9", BAD))
    assert answer.verdict is Verdict.ROLLBACK
    fired = trigger(answer, "failed_hosts")
    assert fired.observed == "1 of 3 hosts failed; 0 tolerated"
    assert fired.evidence is not None
    assert (fired.evidence.file, fired.evidence.line) == ("runtime-events.jsonl", 4)
    assert trigger(answer, "failed_hosts_in_group").fired
    assert answer.fleet is not None
    (worst,) = answer.fleet.worst
    assert (worst.host, worst.state, worst.reason) == (
        "c9",
        HostState.FAILED,
        "hard_runtime_errors",
    )
    assert answer.reasons[0].startswith("failed_hosts: 1 of 3 hosts failed")


def test_one_budget_is_for_everything_that_is_not_clean() -> None:
    """Failed or silent alike: it promotes up to it, holds past it, and says how much is used."""
    rules = FleetRules(tolerate="50%")
    both = answered(*hosts(3), a_host("c8", BAD), a_host("c9", None), rules=rules)
    assert both.verdict is Verdict.PROMOTE
    assert trigger(both, "failed_hosts").observed == "1 of 5 hosts failed; 1 of 2 tolerated"
    more = answered(
        *hosts(2), a_host("c7", None), a_host("c8", BAD), a_host("c9", BAD), rules=rules
    )
    assert more.verdict is Verdict.HOLD
    assert trigger(more, "failed_hosts").observed == (
        "2 of 5 hosts failed; 2 of 2 tolerated: one more rolls back"
    )
    held = gate(more, "hosts_clean")
    assert held.observed == "3 of 5 not clean (2 failed, 1 silent)"
    assert held.required == "at most 2 of 5 hosts are not clean"
    assert held.remedy.startswith("see to c8 first (")
    assert not held.cycles_help


def test_soaking_is_waited_for() -> None:
    """With when it can be over, where time and clean cycles are all that is missing."""
    answer = answered(*hosts(2, SHORT), now_unix_ms=ENTERED + 11 * MINUTE)
    held = gate(answer, "hosts_clean")
    assert (held.status, held.cycles_help) == (GateStatus.FAIL, True)
    assert held.remedy == "go on running clean cycles on every host"
    assert answer.soak.earliest_promotion_unix_ms == ENTERED + 17 * MINUTE
    silent = answered(a_host("c1", SHORT), a_host("c2", None), now_unix_ms=ENTERED + 11 * MINUTE)
    assert silent.soak.earliest_promotion_unix_ms is None


def test_a_group_has_a_limit_of_its_own() -> None:
    """At least one where any may be: else no small group could ever have one."""
    rules = FleetRules(tolerate=2, group_tolerate="10%")
    fine = [a_host(f"a{index}", group="a") for index in range(4)]
    one = answered(*fine, a_host("b1", None, group="b"), rules=rules)
    assert one.verdict is Verdict.PROMOTE
    two = answered(*fine, a_host("b1", None, group="b"), a_host("b2", None, group="b"), rules=rules)
    assert two.verdict is Verdict.HOLD
    held = gate(two, "hosts_clean_in_group")
    assert held.observed == "2 of 2 not clean in b"
    assert held.required == "at most 1 of 2 hosts are not clean in b"
    assert held.command == "hosts --group b"
    failing = answered(
        *fine, a_host("b1", BAD, group="b"), a_host("b2", BAD, group="b"), rules=rules
    )
    assert failing.verdict is Verdict.ROLLBACK
    assert trigger(failing, "failed_hosts_in_group").observed == (
        "2 of 2 hosts failed in b, where 1 tolerated"
    )
    assert not trigger(failing, "failed_hosts").fired
    several = answered(a_host("a1", None, group="a"), a_host("b1", None, group="b"))
    assert gate(several, "hosts_clean_in_group").observed == (
        "1 of 1 not clean in a, and too many in 1 more group"
    )
    assert several.fleet is not None
    assert [(one.name, one.not_clean, one.tolerated) for one in several.fleet.groups] == [
        ("a", 1, 0),
        ("b", 1, 0),
    ]


def test_too_few_hosts_hold() -> None:
    """As many as the policy wants, or all that there are; and never none."""
    rules = FleetRules(min_hosts=3)
    few = answered(*hosts(2), *controls(2), rules=rules)
    assert gate(few, "cohort_size").observed == "2 hosts have the release"
    assert (few.verdict, few.failing_gates[0].name) == (Verdict.HOLD, "cohort_size")
    assert answered(*hosts(2), rules=rules).verdict is Verdict.PROMOTE
    assert gate(answered(*controls(2)), "cohort_size").status is GateStatus.FAIL


def test_canaries_that_fail_while_others_do_not_roll_back() -> None:
    """The comparison fires below what is tolerated, and says what chance would do."""
    rules = FleetRules(tolerate=10, compare=Compare(alpha="0.01"))
    bad = [a_host(f"b{index}", BAD) for index in range(4)]
    answer = answered(*hosts(6), *bad, *controls(90), rules=rules)
    assert answer.verdict is Verdict.ROLLBACK
    assert [one.name for one in answer.fired_triggers] == ["worse_than_control"]
    found = answer.fleet
    assert found is not None
    assert found.comparison is not None
    assert (found.comparison.failed_canary, found.comparison.failed_control) == (4, 0)
    assert (found.comparison.expected_canary, found.comparison.bar) == ("0.34", "300/1")
    assert trigger(answer, "worse_than_control").observed.startswith(
        "4 of the 4 failed hosts are canaries; 0.34 would be by chance"
    )
    both = answered(
        *hosts(6), *bad, *controls(50), *controls(40, BAD_CONTROL, start=50), rules=rules
    )
    assert not trigger(both, "worse_than_control").fired


def test_unknown_canaries_leave_the_comparison_undecided() -> None:
    """They are put first, as failed: what goes missing counts against the release."""
    rules = FleetRules(tolerate=10, compare=Compare(alpha="0.01"))
    silent = [a_host(f"s{index}", None) for index in range(4)]
    answer = answered(*hosts(6), *silent, *controls(90), rules=rules)
    held = gate(answer, "comparison_undecided")
    assert (answer.verdict, held.status) == (Verdict.HOLD, GateStatus.UNKNOWN)
    assert (held.observed or "").startswith("4 unknown: if all had failed, E would be ")
    assert answer.failing_gates == (held,)
    fewer = answered(*hosts(8), *silent[:2], *controls(90), rules=rules)
    assert fewer.verdict is Verdict.PROMOTE
    excused = [a_host(f"s{index}", GONE, is_excused=True) for index in range(4)]
    assert answered(*hosts(6), *excused, *controls(90), rules=rules).verdict is Verdict.PROMOTE
    alone = answered(*hosts(6), rules=rules)
    assert gate(alone, "comparison_undecided").status is GateStatus.NOT_APPLICABLE
    assert trigger(alone, "worse_than_control").observed == "there is nothing to compare with"


def test_failures_are_taken_in_the_order_of_looks() -> None:
    """Those recorded before come first, however their hosts are called."""
    rules = FleetRules(tolerate=10, compare=Compare(alpha="0.01"))
    first = answered(
        *hosts(3),
        a_host("z", BAD, failed_look=1),
        *controls(3),
        a_control("a", BAD_CONTROL),
        rules=rules,
        look=5,
    )
    last = answered(
        *hosts(3), a_host("z", BAD), *controls(3), a_control("a", BAD_CONTROL), rules=rules, look=5
    )
    assert first.fleet is not None
    assert last.fleet is not None
    assert first.fleet.comparison != last.fleet.comparison


def test_a_host_that_tells_no_release_is_without_it_as_soon_as_another_tells_one() -> None:
    """Or did once; where none does, each counts as it is, with a warning."""
    untold = hosts(2, UNTOLD)
    alone = answered(*untold)
    warning = (
        "the evidence of 2 hosts is not tied to the release, since no cycle of any canary tells "
        "it: 'tau-custom-command run --release', or --release-file"
    )
    assert (alone.verdict, alone.warnings) == (Verdict.PROMOTE, (warning,))
    told = answered(*untold, a_host("c9"))
    assert told.verdict is Verdict.HOLD
    assert told.fleet is not None
    assert told.fleet.canaries == ((HostState.NOT_UPGRADED, 2), (HostState.CLEAN, 1))
    assert [(one.host, one.state, one.reason) for one in told.fleet.worst] == [
        ("c00", HostState.NOT_UPGRADED, "evidence_of_release"),
        ("c01", HostState.NOT_UPGRADED, "evidence_of_release"),
    ]
    assert told.fleet.reasons == (("evidence_of_release", 2),)
    assert told.fleet.worst[0].why.startswith("no cycle of it tells the release yet")
    assert answered(*untold, tells_release=(SURFACE,)).verdict is Verdict.HOLD
    assert answered(*untold, tells_release=("voice",)).verdict is Verdict.PROMOTE
    control = a_control("x", OTHER)
    assert answered(*untold, control).verdict is Verdict.PROMOTE


def test_what_cannot_be_read_might_have_told_a_release() -> None:
    """So that a log which goes missing never makes others clean."""
    rules = FleetRules(tolerate=1)
    answer = answered(*hosts(3, UNTOLD), a_host("c9", None), rules=rules)
    assert answer.verdict is Verdict.HOLD
    assert answer.warnings == (
        "3 hosts tell no release, and of 1 that cannot be read: they count as without it",
    )
    known = answered(*hosts(3), a_host("c9", None), rules=rules)
    assert (known.verdict, known.warnings) == (Verdict.PROMOTE, ())


def test_contaminated_hosts_are_warned_of_and_hold_nothing() -> None:
    """By name."""
    answer = answered(*hosts(2), a_control("x1", CLEAN), a_control("x2"))
    assert answer.verdict is Verdict.PROMOTE
    assert gate(answer, "contaminated").observed == "1 host: x1"
    assert answer.warnings == ("1 host shows the release, though not drawn for it: x1",)


def test_new_and_excused_hosts_are_counted() -> None:
    """A new one that is bad counts at once; T is of the pinned ones."""
    new = Host("n", "default"), surface_evidence(BAD)
    answer = answered(
        *hosts(3),
        new,
        a_host("c9", GONE, is_excused=True),
        rules=FleetRules(tolerate="25%"),
        cutoffs={"default": "f" * 64},
    )
    assert answer.fleet is not None
    assert answer.fleet.cohort[2:] == (1, 1, 1, 0, 1)
    assert (answer.fleet.cohort.hosts, answer.verdict) == (4, Verdict.PROMOTE)


def test_damage_to_a_new_or_a_control_host_never_helps() -> None:
    """A new host counts as long as it cannot be read whole; a failure there speaks for nobody."""
    torn = FlawFound(flaw=Flaw.TORN_TAIL, detail="it is cut off", file="log")
    new, cutoffs = Host("n", "default"), {"default": "f" * 64}
    bad = answered(*hosts(3), (new, surface_evidence(BAD)), cutoffs=cutoffs)
    assert bad.verdict is Verdict.ROLLBACK
    damaged = surface_evidence(SHORT, flaws=(torn,))
    assert answered(*hosts(3), (new, damaged), cutoffs=cutoffs).verdict is Verdict.HOLD
    rules = FleetRules(tolerate=10, compare=Compare(alpha="0.01"))
    failing = [a_host(f"b{index}", BAD) for index in range(3)]
    others = [a_control(f"y{index}")[0] for index in range(30)]
    shown = History(lines=list(OTHER.lines)).add(NOW, release=RELEASE, **failed(streak=1))
    hidden = surface_evidence(BAD_CONTROL, flaws=(torn,))
    for evidence in (surface_evidence(shown), hidden):
        found = [(host, evidence) for host in others]
        answer = answered(*hosts(17), *failing, *controls(350), *found, rules=rules)
        assert [one.name for one in answer.fired_triggers] == ["worse_than_control"]
    sound = [(host, surface_evidence(BAD_CONTROL)) for host in others]
    answer = answered(*hosts(17), *failing, *controls(350), *sound, rules=rules)
    assert not answer.fired_triggers


def test_the_worst_are_named_and_the_others_counted() -> None:
    """Twenty of them, the worst first."""
    answer = answered(*hosts(25, None), a_host("z", BAD), rules=FleetRules(tolerate=30))
    assert answer.fleet is not None
    assert [one.host for one in answer.fleet.worst] == ["z", *(f"c{at:02d}" for at in range(19))]
    assert answer.fleet.more == 6


def test_many_groups_are_told_of_in_part() -> None:
    """Those that have hosts which are not clean come first."""
    many = [a_host(f"h{index:03d}", group=f"g{index:03d}") for index in range(201)]
    answer = answered(*many, a_host("z", None, group="z"))
    assert answer.fleet is not None
    assert (len(answer.fleet.groups), answer.fleet.more_groups) == (200, 2)
    assert answer.fleet.groups[-1].name == "z"


def test_the_rollouts_own_gates_and_triggers_are_judged_once() -> None:
    """A report that fails rolls back, a latched trigger stays, a closed rollout is closed."""
    report = ReportEvidence("validation", "r.json", SHA, ReportStatus.FAILED, "1 failed", 2, 1, 1)
    one = fleet(*hosts(1))
    plan = one.plan
    partial = reduce(merge, one.partials())
    answer = decide(plan, partial, Evidence(reports={"validation": report}))
    assert [each.name for each in answer.fired_triggers] == ["validation_gate_failure"]
    assert [each.path for each in answer.inputs] == ["r.json"]
    latched = FiredTrigger(
        name="failed_hosts",
        surface=None,
        observed="3",
        threshold="t",
        action="a",
        file=None,
        line=None,
        cycle_id=None,
        timestamp_unix_ms=None,
    )
    fired = answered(*hosts(1), rollout=rollout(fired_triggers=(latched,)))
    assert (fired.verdict, trigger(fired, "failed_hosts").is_latched) == (Verdict.ROLLBACK, True)
    closed = answered(*hosts(1), rollout=rollout(status=RolloutStatus.COMPLETE))
    assert (closed.verdict, closed.gates, closed.triggers) == (Verdict.COMPLETE, (), ())


def test_before_canary_1_those_count_that_it_would_draw() -> None:
    """Others may be away."""
    at, cutoffs = rollout("preflight"), {"a": "f" * 64}
    there = surface_evidence(CLEAN, cycles=())
    one, other = (Host("h", "a"), there), (Host("x", "b"), None)
    answer = answered(one, other, rollout=at, cutoffs=cutoffs)
    assert gate(answer, "hosts_clean").status is GateStatus.PASS
    gone = answered((Host("h", "a"), None), other, rollout=at, cutoffs=cutoffs)
    assert gate(gone, "hosts_clean").observed == "1 of 1 not clean (1 silent)"


# ------------------------------------------------------------------------------ what comes back


def chunked() -> tuple[Fleet, list[bytes]]:
    """Return a fleet of two chunks and the bytes of each."""
    one = fleet(*hosts(3), *controls(1))
    one = replace(one, plan=one.plan._replace(chunk_hosts=2))
    raws = []
    for index in range(2):
        rows = [one.row(host) for host in one.hosts[index * 2 : index * 2 + 2]]
        raws.append(partial_of(one.plan, index, rows))
    return one, raws


def changed(raw: bytes, **changes: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Return a partial with other values."""
    return json.dumps(json.loads(raw) | changes).encode()


GROUP = {"default": {"pinned": 1, "drawn": 1, "arm_canaries": 1}}
CHUNK = {"index": 0, "hosts_sha256": SHA, "inputs_sha256": SHA}
WORST = ["x99", "default", "silent", "r", "w", None, None, None, None]
FAILURES = {"group": "default", "look": 1, "chunk": 0, "letters": "ccc"}
GARBAGE = {
    "no JSON": (b"garbage", "not JSON"),
    "a key twice": (b'{"version": "1", "version": "2"}', "stands twice"),
    "another form": (b"[]", "Expected `object`"),
    "an unknown key": ({"more": 1}, "unknown field `more`"),
    "another type": ({"outside": "1"}, "Expected `int`"),
    "less than nothing": ({"outside": -1}, "Expected `int` >= 0"),
    "another version": ({"version": "9.9.9"}, "was judged by version 9.9.9, and this is 0.1.0"),
    "another policy": ({"policy_sha256": SHA}, "was judged by another policy"),
    "another plan": ({"plan_sha256": SHA}, "was judged by another plan"),
    "another chunk": ({"chunks": [CHUNK | {"index": 1}]}, "is chunk 1"),
    "no chunk": ({"chunks": []}, "is chunk none"),
    "other hosts": ({"chunks": [CHUNK]}, "is of other hosts"),
    "a host that is not its": ({"worst": [WORST]}, "is of other hosts: x99"),
    "more hosts": ({"outside": 7}, "counts 9 hosts in default, but has 2"),
    "another group": ({"groups": GROUP | {"z": {}}}, "counts 2 hosts in default, z"),
    "more failures than hosts": ({"failures": [FAILURES]}, "has 3 failures 'c' in default"),
    "failures of nobody": (
        {"failures": [FAILURES | {"letters": "\u001b"}]},
        r"has 1 failures '\x1b' in default",
    ),
    "failures of no group": ({"failures": [FAILURES | {"group": "y"}]}, "has 3 failures 'c' in y"),
}


@pytest.mark.parametrize(("what", "problem"), GARBAGE.values(), ids=GARBAGE)
def test_what_a_worker_makes_up_is_refused_by_the_name_of_its_chunk(
    what: bytes | dict[str, Any], problem: str
) -> None:
    """Garbage, another version, another policy, other hosts: nothing of it is believed."""
    one, (raw, _) = chunked()
    assert read_partial(one.plan, one.hosts, 0, raw).outside == 0
    bad = what if isinstance(what, bytes) else changed(raw, **what)
    with pytest.raises(ChunkRefusedError) as refused:
        read_partial(one.plan, one.hosts, 0, bad)
    assert str(refused.value).startswith("chunk 0 (c00 to c01): ")
    assert problem in str(refused.value)


def test_a_chunk_twice_or_missing_is_refused() -> None:
    """Or of another plan: each by name."""
    one, raws = chunked()
    first, second = (read_partial(one.plan, one.hosts, at, raw) for at, raw in enumerate(raws))
    with pytest.raises(ChunkRefusedError, match="chunk 1 came back twice"):
        merge(merge(first, second), second)
    with pytest.raises(ChunkRefusedError, match=r"chunks are missing: 1$"):
        decide(one.plan, first, Evidence())
    plan = one.plan._replace(hosts=100)
    with pytest.raises(ChunkRefusedError, match=r"missing: 1, 2, 3.*10 and 39 more"):
        decide(plan, first, Evidence())
    later = replace(one, plan=one.plan._replace(now_unix_ms=NOW + 1)).partials()
    with pytest.raises(ChunkRefusedError, match="different versions or plans"):
        merge(first, later[1])


def test_a_partial_is_small() -> None:
    """A few kilobytes for a chunk of 256 hosts, also where all of them are bad."""
    one = fleet(*(a_host(f"edge-{index:05d}.example.org", BAD) for index in range(256)))
    (raw,) = (partial_of(one.plan, 0, one.rows()),)
    assert len(raw) < 8_192


def test_a_plan_has_a_digest_of_what_decides() -> None:
    """Another time, look or cut-off makes another one."""
    plan = plan_of([Host("h", "g")])
    others = [
        plan._replace(now_unix_ms=1),
        plan._replace(look=2),
        plan._replace(cutoffs={"g": "0" * 64}),
        plan._replace(tells_release=("voice",)),
    ]
    assert len({one.sha256 for one in (plan, *others)}) == 5
    assert plan.chunks == 1
