"""What is recorded of each host, so that nothing that was seen is forgotten."""

import pickle
from typing import Any

import pytest

from tau_rollout_gate.contract.pin import LogPosition, Seen
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.evidence.values import Evidence, Flaw, FlawFound, SurfaceEvidence
from tau_rollout_gate.fleet.draw.cohort import EVERY_SCORE
from tau_rollout_gate.fleet.draw.roster import Mark, RosterEntry
from tau_rollout_gate.fleet.host_judgement import judge_host
from tau_rollout_gate.fleet.plan import Arm, Host, HostRecord, HostRow, Part
from tau_rollout_gate.fleet.record import (
    hosts_of,
    is_absent,
    is_excusable,
    record_after,
    record_at_entry,
    record_at_reentry,
    record_made_anew,
    record_of_absent,
    roster_changes,
)
from tests.rollout_gate.fleet.fleets import plan_of, record_of
from tests.rollout_gate.making import (
    ENTERED,
    MINUTE,
    SURFACE,
    History,
    failed,
    pin,
    rollout,
    surface_evidence,
)

NOW = ENTERED + 20 * MINUTE
RELEASE, TARGET = "1.4.0", "1.3.2"
EVERY = {"default": EVERY_SCORE}
CLEAN = History().every(5 * MINUTE, 4, release=RELEASE)
BAD = History().every(5 * MINUTE, 3).add(NOW, release=RELEASE, **failed(streak=1))
OTHER = History().every(5 * MINUTE, 4, release=TARGET)


def canary(**changes: Any) -> Host:  # noqa: ANN401 - any field of the record
    """Return a host that canary-1 drew."""
    return Host("h", "default", record=record_of(rollout(), **changes))


def control(**changes: Any) -> Host:  # noqa: ANN401 - any field of the record
    """Return a host without the release."""
    return canary(**({"drawn_unix_ms": None, "arm": Arm.CONTROL} | changes))


def evidence_of(lines: History | SurfaceEvidence | None) -> Evidence:
    """Return what was read of a host's one surface."""
    if lines is None:
        return Evidence()
    found = surface_evidence(lines) if isinstance(lines, History) else lines
    return Evidence(surfaces={SURFACE: found})


def row_of(host: Host, lines: History | None, **changes: Any) -> HostRow:  # noqa: ANN401
    """Return how a host stands."""
    plan = plan_of([host], **({"now_unix_ms": NOW} | changes))
    return judge_host(plan, host, evidence_of(lines))


def entered(
    host: Host,
    lines: History | SurfaceEvidence | None,
    cutoffs: dict[str, str],
    **changes: Any,  # noqa: ANN401 - any field of the plan
) -> HostRecord:
    """Return what is pinned of a host when the next phase is entered."""
    plan = plan_of([host], **({"now_unix_ms": NOW} | changes))
    evidence = evidence_of(lines)
    row = judge_host(plan, host, evidence)
    found = record_at_entry(plan, host, row, evidence, cutoffs)
    assert found is not None
    return found


def test_all_hosts_are_those_on_the_roster_and_the_pinned_ones_that_left() -> None:
    """Sorted by name; a new one that goes again is nobody's matter."""
    record = record_of(rollout(), group="a")
    entries = [RosterEntry("b", "a"), RosterEntry("c", "z", Mark.LAST), RosterEntry("e", "a")]
    records = {
        "a": record,
        "b": record,
        "c": record,
        "d": record._replace(is_joined=True),
        "e": record._replace(is_joined=True),
    }
    hosts = hosts_of([*entries, RosterEntry("f", "a")], records)
    assert [(host.name, host.is_on_roster) for host in hosts] == [
        ("a", False),
        ("b", True),
        ("c", True),
        ("e", True),
        ("f", True),
    ]
    assert hosts[2].mark is Mark.LAST
    assert roster_changes(hosts) == (("e", "f"), ("a",), ("c",))


def test_what_a_look_saw_is_remembered() -> None:
    """That it failed and when that was first seen, was clean, or showed what it was not to have."""
    clean = record_after(canary(), row_of(canary(), CLEAN))
    assert clean.was_clean
    assert is_excusable(clean)
    first = record_after(canary(), row_of(canary(), BAD, look=3))
    assert ([one.name for one in first.fired], first.failed_look) == (["hard_runtime_errors"], 3)
    later = Host("h", "default", record=first._replace(was_clean=True))
    again = record_after(later, row_of(later, None, look=9))
    assert (again.failed_look, again.fired) == (3, first.fired)
    assert not is_excusable(again)
    shown = record_after(control(), row_of(control(), CLEAN))
    assert shown.is_contaminated
    known = Host("h", "default", record=shown)
    assert record_after(known, row_of(known, OTHER)).is_contaminated


def test_a_new_host_is_recorded_as_new() -> None:
    """With what was seen of it, so that it cannot be unseen."""
    new = Host("h", "default")
    record = record_after(new, row_of(new, CLEAN, cutoffs=EVERY))
    assert (record.is_joined, record.drawn_unix_ms, record.arm) == (True, None, None)
    (surface,) = record.surfaces
    assert surface.seen is not None
    assert surface.seen.position == CLEAN.position()
    row = row_of(Host("h", "default", record=record), CLEAN, cutoffs=EVERY)
    assert (row.part, row.state) == (Part.JOINED, HostState.JOINED)


def test_a_canary_goes_on_into_the_next_phase() -> None:
    """Its triggers look as far back as before; it is on the canaries' side of the new lot."""
    record = entered(canary(is_excused=True), CLEAN, {})
    (surface,) = record.surfaces
    assert (record.drawn_unix_ms, record.arm, record.is_excused) == (ENTERED, Arm.CANARY, True)
    assert (surface.phase_from, surface.evidence_from) == (
        CLEAN.position(),
        LogPosition(cycle_number=None, event_sha256=None),
    )
    bad = entered(canary(), BAD, {})
    assert bad.arm is None  # it failed before
    assert [one.name for one in bad.fired] == ["hard_runtime_errors"]


def test_a_host_that_is_drawn_now_begins_at_the_end_of_its_log() -> None:
    """One that is not begins there too: its failures are of the phase alone."""
    drawn = entered(control(), OTHER, EVERY)
    (surface,) = drawn.surfaces
    assert (drawn.drawn_unix_ms, drawn.arm, surface.evidence_from) == (
        NOW,
        Arm.CANARY,
        OTHER.position(),
    )
    bad = History().every(5 * MINUTE, 3).add(NOW, release=TARGET, **failed(streak=1))
    stays = entered(control(), bad, {})
    assert (stays.drawn_unix_ms, stays.arm, stays.fired) == (None, None, ())
    assert entered(control(), OTHER, {}).arm is Arm.CONTROL
    first = Host("h", "default", Mark.FIRST, record=control().record)
    marked = entered(first, OTHER, {})
    assert (marked.drawn_unix_ms, marked.arm) == (NOW, None)
    last = entered(canary(), CLEAN, {}, rollout=rollout("general-availability"))
    assert last.drawn_unix_ms == ENTERED


def test_where_a_log_is_gone_or_its_end_unknown_nothing_is_forgotten() -> None:
    """The pins stay; where there never was one, all that comes is evidence, or all from now on."""
    known = (pin(seen=Seen(position=CLEAN.position())),)
    assert entered(canary(surfaces=known), None, {}).surfaces == known
    at = rollout("preflight")
    (empty,) = entered(Host("h", "default"), None, EVERY, rollout=at).surfaces
    assert empty.evidence_from == LogPosition(
        cycle_number=None, event_sha256=None, timestamp_unix_ms=NOW
    )
    torn = surface_evidence(History(), end_problem="it ends in the middle")
    (unknown,) = entered(Host("h", "default"), torn, EVERY, rollout=at).surfaces
    assert unknown.evidence_from == LogPosition(cycle_number=None, event_sha256=None)


def test_a_plan_goes_to_a_worker_as_it_is() -> None:
    """And so do hosts and rows."""
    host = canary()
    plan = plan_of([host])
    sent = pickle.loads(pickle.dumps((plan, host, row_of(host, CLEAN))))  # noqa: S301 - our own
    assert sent == (plan, host, row_of(host, CLEAN))


def test_an_excused_host_that_fails_counts_again() -> None:
    """At the very look that sees it: nobody is to leave before a failure is recorded.

    And one whose files went counts as well: there may have been a failure in them.
    """
    host = canary(is_excused=True, was_clean=True)
    assert not row_of(host, CLEAN).counts_as_unclean
    assert row_of(host, None).counts_as_unclean
    row = row_of(host, BAD)
    assert (row.counts_as_failed, row.counts_as_unclean, row.is_excused) == (True, True, False)


def test_a_host_that_enters_anew_alone() -> None:
    """Its soak begins then; one that failed, or has no release, has nothing to enter anew."""
    plan = plan_of([canary()], now_unix_ms=NOW)
    found = record_made_anew(plan, canary(was_clean=True), evidence_of(CLEAN), accepts_lost=False)
    assert found is not None
    assert (found.entered_unix_ms, found.was_clean) == (NOW, False)
    assert record_made_anew(plan, control(), evidence_of(OTHER), accepts_lost=False) is None
    new = Host("h", "default")
    assert record_made_anew(plan, new, evidence_of(CLEAN), accepts_lost=False) is None
    fired = record_after(canary(), row_of(canary(), BAD))
    host = Host("h", "default", record=fired)
    with pytest.raises(RefusedError, match=r"h: failed \(hard_runtime_errors\)"):
        record_made_anew(plan, host, evidence_of(BAD), accepts_lost=True)


def test_a_phase_that_is_entered_anew() -> None:
    """Sides and failures stay; lost evidence is left behind only where that is accepted."""
    flaw = FlawFound(flaw=Flaw.CYCLE_GONE, detail="cycles are gone", lost=2)
    torn = surface_evidence(CLEAN, flaws=(flaw,))

    def again(host: Host, lines: Any, *, accepts_lost: bool = False) -> HostRecord | None:  # noqa: ANN401
        plan, evidence = plan_of([host], now_unix_ms=NOW), evidence_of(lines)
        row = judge_host(plan, host, evidence)
        return record_at_reentry(plan, host, row, evidence, {}, accepts_lost=accepts_lost)

    host = canary(failed_look=2)
    for lines, accepts_lost, is_left in (
        (CLEAN, False, True),
        (torn, False, False),
        (torn, True, True),
        (None, True, False),
    ):
        found = again(host, lines, accepts_lost=accepts_lost)
        assert found is not None
        assert host.record is not None
        assert (found.surfaces != host.record.surfaces) == is_left
        assert (found.arm, found.failed_look) == (Arm.CANARY, 2)
    anew = again(control(), OTHER)
    assert anew is not None
    assert (anew.drawn_unix_ms, anew.arm) == (None, Arm.CONTROL)
    new = again(Host("h", "default"), CLEAN)
    assert new is not None
    assert new.drawn_unix_ms is None


def test_who_is_pinned_no_more() -> None:
    """A host that left, unless it failed; a retired one is not drawn any more."""
    gone = canary()._replace(is_on_roster=False)
    plan = plan_of([gone], now_unix_ms=NOW)
    row = judge_host(plan, gone, evidence_of(CLEAN))
    assert record_at_entry(plan, gone, row, evidence_of(CLEAN), EVERY) is None
    bad = judge_host(plan, gone, evidence_of(BAD))
    kept = record_at_entry(plan, gone, bad, evidence_of(BAD), EVERY)
    assert kept is not None
    assert (kept.arm, [one.name for one in kept.fired]) == (None, ["hard_runtime_errors"])
    retired = control()._replace(mark=Mark.RETIRED)
    assert entered(retired, OTHER, EVERY).drawn_unix_ms is None
    clean = canary()._replace(mark=Mark.RETIRED)
    assert record_after(clean, row_of(clean, CLEAN)).is_excused


def test_a_host_that_is_taken_out_before_the_draw() -> None:
    """It stays out as long as nothing is seen of it, and is as any new one then."""
    host = Host("h", "default")
    plan = plan_of([host], now_unix_ms=NOW)
    record = record_of_absent(plan, host)
    absent = host._replace(record=record)
    assert is_absent(record)
    assert is_absent(record_after(absent, row_of(absent, None, cutoffs=EVERY)))
    assert not is_absent(record_after(absent, row_of(absent, CLEAN, cutoffs=EVERY)))
    at_entry = entered(absent, None, EVERY)
    assert is_absent(at_entry)
    assert all(pin.evidence_from is not None for pin in at_entry.surfaces)
    assert not row_of(absent, None, cutoffs=EVERY).counts_as_unclean
    assert not is_absent(entered(absent, CLEAN, EVERY))
