"""What is recorded of each host, so that nothing that was seen is forgotten."""

import pickle
from typing import Any

from tau_rollout_gate.contract.pin import LogPosition, Seen
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.evidence.values import Evidence, SurfaceEvidence
from tau_rollout_gate.fleet.cohort import EVERY_SCORE
from tau_rollout_gate.fleet.host_judgement import judge_host
from tau_rollout_gate.fleet.plan import Arm, Host, HostRecord, HostRow, Part
from tau_rollout_gate.fleet.record import (
    hosts_of,
    is_excusable,
    record_after,
    record_at_entry,
    roster_changes,
)
from tau_rollout_gate.fleet.roster import Mark, RosterEntry
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
