"""How one host stands: each state, why, and where to look."""

from typing import Any

import pytest

from tau_rollout_gate.contract.forms import Milliseconds
from tau_rollout_gate.contract.pin import Carried, LogPosition, Seen, SurfacePin, Tie
from tau_rollout_gate.contract.rollout import FiredTrigger, RolloutStatus
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.evidence.values import Evidence, Flaw, FlawFound, SurfaceEvidence
from tau_rollout_gate.fleet.draw.roster import Mark
from tau_rollout_gate.fleet.host_judgement import host_answer, judge_host
from tau_rollout_gate.fleet.plan import (
    Arm,
    Host,
    HostRecord,
    HostRow,
    Part,
    Plan,
    surfaces_of,
)
from tau_rollout_gate.policy.fleet import FleetRules
from tests.rollout_gate.fleet.fleets import plan_of, policy_of, record_of
from tests.rollout_gate.making import (
    ENTERED,
    HOUR,
    MINUTE,
    SURFACE,
    History,
    failed,
    pin,
    rollout,
    surface_evidence,
)

RELEASE, TARGET = "1.4.0", "1.3.2"
NOW = ENTERED + 20 * MINUTE
EVERY = {"default": "f" * 64}


def history(cycles: int = 4, **changes: Any) -> History:  # noqa: ANN401 - any JSON
    """Return a clean cycle every five minutes since the entry, but for `changes`."""
    return History().every(5 * MINUTE, cycles, **changes)


def canary(**changes: Any) -> Host:  # noqa: ANN401 - any field of the record
    """Return a host that canary-1 drew."""
    return Host("h", "default", record=record_of(rollout(), **changes))


def control(**changes: Any) -> Host:  # noqa: ANN401 - any field of the record
    """Return a host that was there and not drawn."""
    return canary(**({"drawn_unix_ms": None, "arm": Arm.CONTROL} | changes))


def judged(
    host: Host,
    found: SurfaceEvidence | None = None,
    **changes: Any,  # noqa: ANN401 - any field of the plan
) -> HostRow:
    """Return how a host stands, by what was read of its one surface."""
    plan = plan_of([host], **({"now_unix_ms": NOW} | changes))
    return judge_host(plan, host, Evidence(surfaces={} if found is None else {SURFACE: found}))


def flawed(flaw: Flaw, lines: History | None = None) -> SurfaceEvidence:
    """Return evidence that something is wrong with."""
    found = FlawFound(flaw=flaw, detail="it is wrong", file="log", line=7)
    return surface_evidence(lines or history(), flaws=(found,))


def test_clean_is_every_gate_and_its_own_soak() -> None:
    """Nothing to say of it but since when, and the digest of what was read."""
    row = judged(canary(), surface_evidence(history()))
    assert (row.part, row.state, row.reason, row.why) == (Part.CANARY, HostState.CLEAN, "", "")
    assert (row.since_unix_ms, row.held_ms) == (ENTERED, 20 * MINUTE)
    assert row.earliest_unix_ms == ENTERED + 12 * MINUTE
    assert not row.counts_as_unclean
    assert len(row.inputs_sha256) == 64
    assert row.inputs_sha256 != judged(canary()).inputs_sha256


def test_failed_is_a_trigger_that_fired_with_the_first_bad_cycle() -> None:
    """In evidence, or recorded: then nothing that is read takes it back."""
    lines = history(2).add(ENTERED + 15 * MINUTE, **failed(streak=1)).add(NOW)
    row = judged(canary(), surface_evidence(lines))
    assert (row.state, row.reason) == (HostState.FAILED, "hard_runtime_errors")
    assert (row.file, row.line, row.age_ms) == ("runtime-events.jsonl", 3, 5 * MINUTE)
    assert "fires at" in row.why
    assert (row.counts_as_failed, row.counts_as_unclean, row.failed_look) == (True, True, 1)
    assert [one.name for one in row.fired] == ["hard_runtime_errors"]
    again = judged(canary(fired=row.fired, failed_look=3))
    assert (again.state, again.failed_look, again.counts_as_failed) == (HostState.FAILED, 3, True)
    left = canary(fired=row.fired, failed_look=3, is_excused=True)._replace(is_on_roster=False)
    assert judged(left).counts_as_failed


@pytest.mark.parametrize("flaw", [Flaw.CHAIN_BROKEN, Flaw.INVALID_LINE, Flaw.CYCLE_GONE])
def test_damaged_is_what_no_cycle_mends(flaw: Flaw) -> None:
    """With the place."""
    row = judged(canary(), flawed(flaw))
    assert row.state is HostState.DAMAGED
    assert (row.file, row.line, row.is_unread) == ("log", 7, True)
    assert (row.counts_as_failed, row.counts_as_unclean) == (False, True)


def test_holding_is_any_other_gate() -> None:
    """Of the files, or of the policy."""
    torn = judged(canary(), flawed(Flaw.TORN_TAIL))
    assert (torn.state, torn.reason, torn.is_unread) == (HostState.HOLDING, "last_line_whole", True)
    lines = history(3).add(NOW, backlog_cases=2, reason_codes=["queue_backpressure_applied"])
    row = judged(canary(), surface_evidence(lines))
    assert (row.state, row.reason) == (HostState.HOLDING, "queue_depth")
    assert (row.line, row.is_unread) == (4, False)


def test_soaking_is_what_time_and_clean_cycles_mend() -> None:
    """With when its own soak is served."""
    row = judged(canary(), surface_evidence(history(2)), now_unix_ms=ENTERED + 11 * MINUTE)
    assert (row.state, row.reason) == (HostState.SOAKING, "soak")
    assert row.earliest_unix_ms == ENTERED + 12 * MINUTE


def test_not_upgraded_runs_without_the_release() -> None:
    """Its cycles tell another one; as soon as one tells this, gates and soak begin."""
    row = judged(canary(), surface_evidence(history(release=TARGET)))
    assert (row.state, row.reason) == (HostState.NOT_UPGRADED, "evidence_of_release")
    assert (row.told, row.untold, row.failed_look) == ((SURFACE,), (), None)
    upgraded = history(1, release=TARGET).every(
        5 * MINUTE, 3, after=ENTERED + 5 * MINUTE, release=RELEASE
    )
    assert judged(canary(), surface_evidence(upgraded)).state is HostState.SOAKING
    untold = judged(canary(), surface_evidence(history()))
    assert (untold.told, untold.untold) == ((), (SURFACE,))


def seen(tie: Tie, *, at: int = ENTERED) -> tuple[SurfacePin, ...]:
    """Return the surface of which a cycle was seen at a time."""
    place = LogPosition(cycle_number=4, event_sha256="cd" * 32, timestamp_unix_ms=at)
    return (pin(seen=Seen(position=place, tie=tie)),)


def test_silent_has_kinds_each_with_its_age() -> None:
    """Never seen, silent before the release, and after it."""
    never = judged(canary())
    assert (never.state, never.reason) == (HostState.SILENT, "never_seen")
    assert (never.age_ms, never.why) == (
        20 * MINUTE,
        "no files for 20 min; no cycle of it was ever seen",
    )
    before = judged(canary(surfaces=seen(Tie.AWAITED, at=ENTERED + MINUTE)))
    assert (before.reason, before.age_ms) == ("silent_before", 19 * MINUTE)
    after = judged(canary(surfaces=seen(Tie.SEEN)))
    assert (after.reason, after.age_ms, after.counts_as_failed) == (
        "silent_after",
        20 * MINUTE,
        False,
    )
    carried = pin(carried=Carried(tie=Tie.SEEN))
    assert judged(canary(surfaces=(carried,))).reason == "silent_after"


@pytest.mark.parametrize(
    ("release", "kind"),
    [(None, "silent_after"), (RELEASE, "silent_after"), (TARGET, "silent_before")],
)
def test_stale_is_silent(release: str | None, kind: str) -> None:
    """Where no cycle tells a release, one since the entry is taken for it."""
    found = surface_evidence(history(2, release=release))
    row = judged(canary(), found, now_unix_ms=ENTERED + 26 * MINUTE)
    assert (row.state, row.reason, row.age_ms) == (HostState.SILENT, kind, 16 * MINUTE)
    assert row.why.startswith("no cycle for 16 min; ")
    fresh = judged(canary(), found, now_unix_ms=ENTERED + 25 * MINUTE)
    assert fresh.state is not HostState.SILENT


def test_a_log_without_a_cycle_is_silent() -> None:
    """Files are there, and nothing in them."""
    row = judged(canary(), surface_evidence(History()))
    assert (row.state, row.reason, row.file) == (HostState.SILENT, "never_seen", None)


@pytest.mark.parametrize(
    ("limit", "is_failed"), [(16 * MINUTE, True), (17 * MINUTE, False), (None, False)]
)
def test_a_host_that_falls_silent_with_the_release_may_count_as_failed(
    limit: int | None, *, is_failed: bool
) -> None:
    """A bricked one does not report. It is not latched, and unknown to the comparison."""
    policy = policy_of(FleetRules(fail_silent_after=None if limit is None else Milliseconds(limit)))
    found = surface_evidence(history(2, release=RELEASE))
    row = judged(canary(), found, now_unix_ms=ENTERED + 26 * MINUTE, policy=policy)
    assert (row.state, row.counts_as_failed) == (HostState.SILENT, is_failed)
    assert (row.fired, row.failed_look) == ((), None)
    other = surface_evidence(history(2, release=TARGET))
    before = judged(canary(), other, now_unix_ms=ENTERED + 26 * MINUTE, policy=policy)
    assert not before.counts_as_failed
    plain = judged(canary(), found, now_unix_ms=ENTERED + 26 * MINUTE, policy=policy_of(None))
    assert not plain.counts_as_failed


def test_what_counts_as_failed_is_a_rollback_of_that_host_alone() -> None:
    """Its answer says so, though it fired no trigger of the policy; without the limit it holds."""
    found = Evidence(surfaces={SURFACE: surface_evidence(history(2, release=RELEASE))})
    rules = FleetRules(fail_silent_after=Milliseconds(16 * MINUTE))
    for policy, verdict in ((policy_of(rules), "rollback"), (policy_of(), "hold")):
        plan = plan_of([canary()], now_unix_ms=ENTERED + 26 * MINUTE, policy=policy)
        answer = host_answer(plan, canary(), found)
        assert answer.verdict == verdict
    plan = plan_of([canary()], now_unix_ms=ENTERED + 26 * MINUTE, policy=policy_of(rules))
    answer = host_answer(plan, canary(), found)
    assert answer.causes_of_rollback == ("fail_silent_after",)
    assert (answer.next_phase, answer.soak.earliest_promotion_unix_ms) == (None, None)
    assert answer.reasons == ("fail_silent_after: no cycle for 16 min; it had the release",)


def test_a_host_without_the_release_that_falls_silent_is_not_said_to_have_had_it() -> None:
    """Nor is its answer of the version that it goes on with."""
    found = surface_evidence(history(2, release=TARGET))
    row = judged(control(), found, now_unix_ms=ENTERED + 26 * MINUTE)
    assert (row.state, row.reason) == (HostState.SILENT, "silent_before")
    plan = plan_of([control()], now_unix_ms=ENTERED + 26 * MINUTE)
    assert host_answer(plan, control(), Evidence(surfaces={SURFACE: found})).release == RELEASE


@pytest.mark.parametrize(
    ("came", "is_skewed"),
    [
        (-15 * MINUTE, True),
        (-15 * MINUTE - 1, False),  # it is silent: its store has had nothing for as long
        (MINUTE, True),
        (MINUTE + 1, False),  # the store's clock is none to go by
        (None, False),
    ],
)
def test_a_clock_that_is_behind_is_no_silence(came: int | None, *, is_skewed: bool) -> None:
    """It runs: its cycles come, dated wrongly. That holds, and never counts as failed."""
    now = ENTERED + 2 * HOUR
    lines = surface_evidence(history(2, release=RELEASE))
    found = lines._replace(stored_unix_ms=None if came is None else now + came)
    policy = policy_of(FleetRules(fail_silent_after=Milliseconds(16 * MINUTE)))
    row = judged(canary(), found, now_unix_ms=now, policy=policy)
    assert row.counts_as_unclean
    assert row.counts_as_failed is not is_skewed
    state = (HostState.HOLDING, "clock") if is_skewed else (HostState.SILENT, "silent_after")
    assert (row.state, row.reason) == state
    without = judged(control(), found, now_unix_ms=now)
    assert (without.reason == "clock") is is_skewed
    if came == MINUTE:
        assert row.age_ms == 111 * MINUTE
        assert row.why == "its clock is behind: its last cycle is dated 1 h 51 min before it came"
    nothing = surface_evidence(History())._replace(stored_unix_ms=now)
    assert judged(canary(), nothing, now_unix_ms=now).reason == "never_seen"


@pytest.mark.parametrize("hours", [2, -2])
def test_a_new_host_with_another_clock_counts_at_once(hours: int) -> None:
    """As a silent one does: what a mirror dates anew may be of a host that is dead."""
    now = ENTERED + hours * HOUR
    found = surface_evidence(history(2, release=RELEASE))._replace(stored_unix_ms=now)
    new = Host("h1", "default")
    row = judged(new, found, now_unix_ms=now, cutoffs={"default": "f" * 64})
    assert (row.part, row.state, row.reason) == (Part.JOINED, HostState.HOLDING, "clock")
    assert row.counts_as_unclean


def test_a_clock_that_is_ahead_is_named() -> None:
    """Whatever else does not hold meanwhile."""
    ahead = history(4, backlog_cases=5, reason_codes=["queue_backpressure_applied"])
    row = judged(canary(), surface_evidence(ahead), now_unix_ms=ENTERED + 10 * MINUTE)
    assert (row.state, row.reason) == (HostState.HOLDING, "clock")
    assert row.why.startswith("a cycle is dated 10 min ahead of the clock")


def test_a_host_enters_with_its_own_clock() -> None:
    """Triggers since the phase that drew it, gates since its own entry."""
    late = record_of(rollout(), entered_unix_ms=ENTERED + 6 * MINUTE)
    row = judged(Host("h", "default", record=late), surface_evidence(history()))
    assert (row.state, row.since_unix_ms) == (HostState.CLEAN, ENTERED + 6 * MINUTE)


def test_control_is_judged_by_triggers_only() -> None:
    """Of the version it has, which is the rollback target: no gate of the release counts."""
    lines = history(release=TARGET, backlog_cases=5, reason_codes=["queue_backpressure_applied"])
    row = judged(control(), surface_evidence(lines))
    assert (row.part, row.state) == (Part.CONTROL, HostState.CLEAN)
    assert (row.counts_as_unclean, row.is_contaminated) == (False, False)
    lines.add(NOW, release=TARGET, **failed(streak=1))
    bad = judged(control(), surface_evidence(lines))
    assert (bad.state, bad.failed_look, bad.arm) == (HostState.FAILED, 1, Arm.CONTROL)
    assert (bad.counts_as_failed, bad.counts_as_unclean) == (False, False)
    assert judged(control()).state is HostState.SILENT
    assert judged(control(), flawed(Flaw.CHAIN_BROKEN)).state is HostState.DAMAGED


def test_a_control_host_that_shows_the_release_is_contaminated() -> None:
    """A warning; a failure of it speaks for nobody, but one that was recorded before stays."""
    lines = history(3, release=TARGET).add(NOW, release=RELEASE, **failed(streak=1))
    row = judged(control(), surface_evidence(lines))
    assert (row.is_contaminated, row.state, row.failed_look) == (True, HostState.FAILED, None)
    recorded = judged(control(failed_look=2), surface_evidence(lines))
    assert (recorded.is_contaminated, recorded.failed_look) == (True, 2)
    once = judged(control(is_contaminated=True), surface_evidence(history()))
    assert once.is_contaminated
    assert not judged(canary(), surface_evidence(history(release=RELEASE))).is_contaminated


def test_a_failure_of_a_control_host_that_cannot_be_read_whole_speaks_for_nobody() -> None:
    """It may have had the release; a canary's counts in any case."""
    lines = history(3).add(NOW, **failed(streak=1))
    assert judged(control(), flawed(Flaw.CHAIN_BROKEN, lines)).failed_look is None
    assert judged(canary(), flawed(Flaw.CHAIN_BROKEN, lines)).failed_look == 1
    assert judged(canary(arm=None), surface_evidence(lines)).failed_look is None


NEW = Host("h", "default")


def test_a_new_host_belongs_by_its_score() -> None:
    """Bad it counts at once; clean it has to be from the next phase on."""
    fine = judged(NEW, surface_evidence(history(2)), cutoffs=EVERY)
    assert (fine.part, fine.state, fine.counts_as_unclean) == (Part.JOINED, HostState.JOINED, False)
    lines = history(3).add(NOW, **failed(streak=1))
    bad = judged(NEW, surface_evidence(lines), cutoffs=EVERY)
    assert (bad.part, bad.state, bad.counts_as_failed) == (Part.JOINED, HostState.FAILED, True)
    assert (bad.arm, bad.failed_look) == (None, None)
    assert judged(NEW, cutoffs=EVERY).counts_as_unclean
    torn = judged(NEW, flawed(Flaw.TORN_TAIL), cutoffs=EVERY)
    assert (torn.state, torn.counts_as_unclean) == (HostState.HOLDING, True)
    pinned = Host("h", "x", record=record_of(rollout(), is_joined=True, drawn_unix_ms=None))
    known = judged(pinned, surface_evidence(history(2)), cutoffs=EVERY)
    assert (known.part, known.group) == (Part.JOINED, "default")


def test_a_new_host_that_does_not_belong_is_nobodys_matter() -> None:
    """Unless it came with the release, or cannot be read."""
    outside = judged(NEW, surface_evidence(history()))
    assert (outside.part, outside.state, outside.counts_as_unclean) == (
        Part.OUTSIDE,
        HostState.JOINED,
        False,
    )
    lines = history(3, release=RELEASE).add(NOW, release=RELEASE, **failed(streak=1))
    image = judged(NEW, surface_evidence(lines))
    assert (image.part, image.counts_as_failed, image.is_contaminated) == (Part.JOINED, True, False)
    assert judged(NEW).part is Part.JOINED
    retired = judged(NEW._replace(mark=Mark.RETIRED), surface_evidence(history()), cutoffs=EVERY)
    assert retired.part is Part.OUTSIDE


def test_a_host_that_left_is_not_clean_until_it_is_excused() -> None:
    """Whatever its files say."""
    gone = canary()._replace(is_on_roster=False)
    row = judged(gone, surface_evidence(history()))
    assert (row.state, row.reason, row.counts_as_unclean) == (HostState.LEFT, "left", True)
    excused = canary(is_excused=True)._replace(is_on_roster=False)
    row = judged(excused, surface_evidence(history()))
    assert (row.state, row.is_excused, row.counts_as_unclean) == (HostState.LEFT, True, False)
    row = judged(excused)  # what it left has to be there, or its failure could be deleted
    assert (row.state, row.is_excused, row.counts_as_unclean) == (HostState.LEFT, False, True)


def test_before_canary_1_the_files_of_those_have_to_be_there_that_it_would_draw() -> None:
    """Nothing else is asked of anybody yet."""
    at = rollout("preflight")
    there = surface_evidence(history(), cycles=())
    fine = judged(NEW, there, rollout=at, cutoffs=EVERY)
    assert (fine.part, fine.state) == (Part.CANARY, HostState.CLEAN)
    later = judged(NEW, there, rollout=at, cutoffs=EVERY, now_unix_ms=NOW + 60 * MINUTE)
    assert (later.state, later.reason) == (HostState.SILENT, "silent_before")
    assert not later.counts_as_unclean  # which is told before anything changed, and holds nothing
    gone = judged(NEW, rollout=at, cutoffs=EVERY)
    assert (gone.part, gone.state, gone.counts_as_unclean) == (
        Part.CANARY,
        HostState.SILENT,
        True,
    )
    unknown = surface_evidence(History(), end_problem="it ends in the middle")
    row = judged(NEW, unknown, rollout=at, cutoffs=EVERY)
    assert (row.state, row.reason) == (HostState.HOLDING, "log_end_known")
    other = judged(NEW, rollout=at)
    assert (other.part, other.counts_as_unclean) == (Part.CONTROL, False)


def test_of_a_closed_rollout_nothing_is_judged() -> None:
    """But that is of no host."""
    closed = rollout(status=RolloutStatus.ROLLED_BACK)
    row = judged(canary(), surface_evidence(history()), rollout=closed)
    assert (row.state, row.told) == (HostState.CLEAN, ())


def test_the_surfaces_of_a_host_have_its_own_directories() -> None:
    """As recorded, or the fleet's with the host's name in it."""
    surface = pin(state_dir="/srv/fleet/{host}/custom-command/", evidence_from=None)
    plan: Plan = plan_of([NEW], rollout=rollout(surfaces=(surface,)))
    (found,) = surfaces_of(plan, NEW)
    assert found.state_dir == "/srv/fleet/h/custom-command/"
    assert found.evidence_from == LogPosition(cycle_number=None, event_sha256=None)
    before = plan._replace(rollout=rollout("preflight", surfaces=(surface,)))
    (early,) = surfaces_of(before, NEW)
    assert early.evidence_from is None
    assert surfaces_of(plan, canary()) == canary_record().surfaces


def canary_record() -> HostRecord:
    """Return the record of a canary."""
    record = canary().record
    assert record is not None
    return record


def test_the_whole_answer_for_one_host_is_given() -> None:
    """As for a rollout of it alone: of a new host too."""
    evidence = Evidence(surfaces={SURFACE: surface_evidence(history(release=RELEASE))})
    assert host_answer(plan_of([canary()]), canary(), evidence).release == RELEASE
    assert host_answer(plan_of([NEW]), NEW, evidence).release == RELEASE
    assert host_answer(plan_of([control()]), control(), evidence).release == RELEASE


def test_a_host_without_the_release_is_not_said_to_be_named_by_no_line() -> None:
    """The policy does name its surface; only the gates are left out for it."""
    evidence = Evidence(surfaces={SURFACE: surface_evidence(history(release=TARGET))})
    warnings = host_answer(plan_of([control()]), control(), evidence).warnings
    assert not [one for one in warnings if "of the policy names it" in one]


def test_latched_triggers_of_no_surface_are_the_rollouts() -> None:
    """What a report did is no host's doing."""
    report = FiredTrigger(
        name="validation_gate_failure",
        surface=None,
        observed="1 failed",
        threshold="1",
        action="roll back",
        file=None,
        line=None,
        cycle_id=None,
        timestamp_unix_ms=None,
    )
    host = replace_record(canary(), fired=(report,))
    row = judged(host, surface_evidence(history()))
    assert (row.state, row.fired) == (HostState.CLEAN, ())


def replace_record(host: Host, **changes: Any) -> Host:  # noqa: ANN401 - any field
    """Return a host with other values in its record."""
    assert host.record is not None
    return host._replace(record=host.record._replace(**changes))
