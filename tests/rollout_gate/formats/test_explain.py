"""`explain`: what is wrong, where to look, what would change it, when, and what to type."""

from typing import Any

import pytest
from hypothesis import given, settings

from tau_rollout_gate.contract.rollout import Channel
from tau_rollout_gate.decision.answer import Answer, GateResult, Soak, TriggerResult, Verdict
from tau_rollout_gate.formats.context import Surroundings
from tau_rollout_gate.formats.explain import render
from tau_rollout_gate.formats.layout import Look
from tau_rollout_gate.formats.phrases import causes, headline, outlook, shown, soak_words
from tau_rollout_gate.policy.findings import NO_ROLLBACK_TRIGGER, GateStatus
from tests.rollout_gate.answers import (
    ENTERED,
    FROZEN_GATE,
    LOG,
    MINUTE,
    NOW,
    SOAK_GATE,
    WHERE,
    answer,
    answers,
    around,
    failing,
    fired,
    over,
    promoted,
    stuck,
    trigger,
)
from tests.rollout_gate.formats.drawn import FLEET
from tests.rollout_gate.making import History, failed, pin, rollout, surface_evidence

DIAGNOSE = "tau-transport-health diagnose"
ADOPT = "tau-rollout-gate policy adopt --policy FILE"
MALFORMED = "malformed_inputs_observed"
WAITING = failing(
    "command_runs_recorded",
    status=GateStatus.UNKNOWN,
    observed=None,
    evidence=None,
    remedy="wait for the next cycle",
    cycles_help=True,
)
NO_CYCLE = WAITING._replace(name="cycle_in_window", observed="none")
STALE = failing("evidence_fresh", remedy="see its timer")
DAMAGED = failing("lines_valid", remedy="find out what happened", command="reenter --reason 'WHY'")
SIGNOFF = failing(
    "signoff_checklist",
    surface=None,
    required="the sign-off checklist is complete",
    evidence=None,
    command="signoff init",
)


def explained(one: Answer, surroundings: Surroundings | None = None) -> str:
    """Return the explanation with its lines joined, so that breaks do not matter."""
    return " ".join(render(one, surroundings or around()).split())


def commands_of(one: Answer, surroundings: Surroundings | None = None) -> list[str]:
    """Return what the reader is told to type."""
    lines = (line.strip() for line in render(one, surroundings or around()).splitlines())
    return [line for line in lines if line.startswith("tau-")]


def when(*gates: GateResult, soak: Soak | None = None) -> str:
    """Return when a release that these gates hold can go on."""
    return " ".join(outlook(answer(gates=gates, soak=soak or answer().soak)))


def hard_error(observed: str = MALFORMED) -> TriggerResult:
    """Return the trigger that malformed inputs fire."""
    return trigger(
        "hard_runtime_errors",
        fired=True,
        observed=observed,
        threshold=f"a new case_processing_failed or {MALFORMED}",
        evidence=WHERE,
        action="roll back, capture events and artifacts",
    )


def at_a_cycle(one: TriggerResult, **changes: Any) -> str:  # noqa: ANN401 - any JSON
    """Return what is explained of a trigger that a cycle of these numbers fired."""
    history = History().every(MINUTE, 1, **changes)
    evidence = surface_evidence(history)
    (cycle,) = evidence.cycles
    place = WHERE._replace(
        file=cycle.file,
        line=cycle.line,
        cycle_id=cycle.event.cycle_id,
        fixture_name=cycle.event.fixture_name,
    )
    surroundings = around(surfaces={"custom-command": evidence})
    return explained(fired(triggers=(one._replace(evidence=place),)), surroundings)


def test_a_hold_by_the_soak_is_told_whole() -> None:
    """Nothing is missing, and nothing else is said: the page as it is read at 3 a.m."""
    assert render(answer(), around(), look=Look(width=80)) == (
        "HOLD  1.4.0 stays in canary-1 (5 %)\n"
        "Judged at 2026-01-01T00:18:00Z.\n"
        "\n"
        "WHAT IS WRONG, AND WHAT WOULD CHANGE IT\n"
        "  - Gate soak does not hold.\n"
        "    seen       16 min\n"
        "    needed     at least 30 min of clean cycles without a gap\n"
        "    to do      go on running clean cycles for 14 min more\n"
        "    waiting    helps, as long as every cycle is clean\n"
        "\n"
        "WHAT IT MEANS\n"
        "  - Leave everything as it is, at 5 %. Nothing has to be undone.\n"
        "  - A cycle is one run of the runtime, a line of its event log. The soak is the\n"
        "    time for which every cycle has to be clean, without a gap; waiting without\n"
        "    cycles is no soak.\n"
        "\n"
        "WHEN IT CAN GO ON\n"
        "  - Soak of this phase: 16 min of 30 min held, since 2026-01-01T00:00:00Z.\n"
        "  - To canary-2 (25 %): at the earliest 2026-01-01T00:30:00Z (in 12 min), if\n"
        "    every cycle until then is clean.\n"
        "\n"
        "WHAT TO TYPE NEXT\n"
        "  tau-rollout-gate advance\n"
        "      asks once; moves on if the answer is yes, else changes nothing.\n"
    )


def test_what_is_no_news_says_so() -> None:
    """So that nobody looks for what changed."""
    said = explained(answer(changed=False))
    assert (
        "Judged at 2026-01-01T00:18:00Z. Nothing has changed since the last recorded decision."
    ) in said
    assert "Nothing has changed" not in explained(answer())


def test_a_window_says_when_it_opens_and_a_deadline_that_somebody_has_to_act() -> None:
    """What each means, and whether waiting helps."""
    at = NOW + 60 * MINUTE
    closed = failing(
        "promotion_window",
        surface=None,
        status=GateStatus.FAIL,
        observed="closed by 'night'",
        required="no window",
        remedy="wait until it opens",
        cycles_help=True,
        from_unix_ms=at,
    )
    said = explained(answer(gates=(closed,)))
    assert "waiting helps, until 2026-01-01T01:18:00Z" in said
    assert "The policy lets nothing be promoted at this time." in said
    assert "at the earliest 2026-01-01T01:18:00Z" in said
    never = closed._replace(cycles_help=False, from_unix_ms=None)
    assert "waiting does not help" in explained(answer(gates=(never,)))
    late = closed._replace(name="phase_deadline", cycles_help=False, from_unix_ms=None)
    assert "The phase took longer than the policy lets it." in explained(answer(gates=(late,)))


def test_the_cause_is_told_and_what_follows_is_named() -> None:
    """The soak follows from what broke it: with where to look and what to do for the cause."""
    said = explained(stuck())
    assert (
        "seen queue_depth is 7 needed queue_depth = 0 "
        f"look at {LOG} line 4, 2 min 5 s ago to do mend queue_depth waiting does not help "
        "- These follow from it, and need nothing of their own: soak."
    ) in said
    assert "The soak is the time" not in said


def test_an_echo_is_no_cause() -> None:
    """A damaged line breaks the chain of the next one, and the state may not fit: one damage."""
    echoes = (failing("chain_whole"), failing("log_matches_state"))
    other = failing("chain_whole", surface="voice")
    found = causes(answer(gates=(DAMAGED, *echoes, other, SOAK_GATE)))
    assert found.causes == (DAMAGED, other)
    assert found.following == (*echoes, SOAK_GATE)
    assert causes(answer(gates=echoes)).causes == echoes


def test_what_waits_for_a_cycle_is_named_under_the_cause() -> None:
    """A directory without a cycle is one thing that is wrong, not ten; a stopped runtime too."""
    assert causes(answer(gates=(NO_CYCLE, WAITING))).causes == (NO_CYCLE,)
    assert causes(answer(gates=(STALE, NO_CYCLE, WAITING))).causes == (STALE,)
    assert causes(answer(gates=(WAITING, SOAK_GATE))).causes == (WAITING, SOAK_GATE)


def test_what_cannot_be_read_is_the_cause_of_what_is_unknown() -> None:
    """Work that is not known for want of lines needs nothing of its own; what was seen does."""
    work = WAITING._replace(name="work_advances", command="run FIXTURE --fresh")
    assert causes(answer(gates=(DAMAGED, work, SOAK_GATE))).following == (work, SOAK_GATE)
    assert "--fresh" not in explained(answer(gates=(DAMAGED, work)))
    for other in (work._replace(status=GateStatus.FAIL), work._replace(surface="voice")):
        assert other in causes(answer(gates=(DAMAGED, other))).causes


def test_what_is_unknown_is_no_pass() -> None:
    """An unknown gate says so, and that it holds the release."""
    unknown = failing("sign_off", surface=None, status=GateStatus.UNKNOWN, observed=None)
    said = explained(stuck(gates=(unknown,), reasons=("x",)))
    assert "Gate sign_off is unknown (counts as no). seen nothing yet" in said


def test_after_too_long_a_gap_the_soak_begins_anew() -> None:
    """The time that was served is not promised."""
    assert when(STALE, SOAK_GATE) == (
        "The soak begins anew with the next clean cycle, after too long a gap: 30 min from then."
    )
    assert "16 min of 30 min" not in explained(answer(gates=(STALE, SOAK_GATE)))


def test_work_that_began_late_is_waited_for_or_the_phase_is_entered_anew() -> None:
    """When the first half has it, which is later than the soak; sooner is said to be sooner."""
    late = WAITING._replace(from_unix_ms=ENTERED + 40 * MINUTE, status=GateStatus.FAIL)
    at = "At the earliest 2026-01-01T00:40:00Z (in 22 min), if every cycle until then is clean."
    assert when(late, SOAK_GATE) == at
    sooner = late._replace(command="reenter --reason 'WHAT HAPPENED'")
    assert when(sooner) == f"{at} Sooner is 'reenter', which starts the phase and its soak anew."
    assert "tau-rollout-gate reenter" in explained(answer(gates=(sooner,)))


def test_after_damage_the_soak_begins_anew() -> None:
    """With the command that leaves it behind, and no word of the time that was served."""
    one = answer(gates=(DAMAGED, FROZEN_GATE, SOAK_GATE))
    assert " ".join(outlook(one)) == (
        "The soak begins anew after 'reenter': 30 min from then. And not before it is resumed."
    )
    assert soak_words(one) == "begins anew after 'reenter': 30 min"
    assert commands_of(one)[0] == "tau-rollout-gate reenter --reason 'WHY'"


def test_what_runs_beside_the_soak_is_told_with_its_time() -> None:
    """Frozen, or a sign-off: both are needed, in whichever order."""
    served = answer().soak._replace(held_ms=30 * MINUTE, since_unix_ms=NOW - 30 * MINUTE)
    assert when(FROZEN_GATE, SOAK_GATE) == (
        "Not before 2026-01-01T00:30:00Z (in 12 min), and not before it is resumed."
    )
    assert when(FROZEN_GATE, soak=served) == (
        "As soon as it is resumed: nothing else is in the way."
    )
    assert when(SIGNOFF, FROZEN_GATE, soak=served) == (
        "As soon as the sign-off checklist is complete and it is resumed."
    )
    assert when(failing("last_line_whole"), SOAK_GATE).endswith(
        "and not before last_line_whole of custom-command passes."
    )
    assert when(WAITING._replace(required="x"), soak=served).startswith(
        "As soon as the next cycles show x"
    )


def test_a_time_that_has_passed_wants_a_cycle() -> None:
    """The soak counts to the last cycle: no time is missing, but a cycle is."""
    late = answer().soak._replace(held_ms=13 * MINUTE, since_unix_ms=ENTERED - 20 * MINUTE)
    assert when(SOAK_GATE, soak=late) == (
        "2026-01-01T00:10:00Z has passed, but no cycle has run since 2025-12-31T23:53:00Z: the "
        "next clean cycle lets it go on."
    )
    assert when(FROZEN_GATE, SOAK_GATE, soak=late).endswith(
        "completes the soak. And not before it is resumed."
    )


def test_the_clock_mends_what_lies_in_the_future() -> None:
    """Waiting helps there, and so does setting the clock."""
    future = failing("evidence_not_in_future", passes_from_unix_ms=NOW + 20 * MINUTE)
    assert when(future) == (
        "At the earliest 2026-01-01T00:38:00Z (in 20 min), when the clock reaches it; or set the "
        "clock right."
    )
    assert "waiting helps, until 2026-01-01T00:38:00Z" in explained(answer(gates=(future,)))


def test_a_hold_without_a_cause_has_a_sentence() -> None:
    """Whatever the answer is."""
    none = Soak(required_ms=0, held_ms=0, since_unix_ms=None, earliest_promotion_unix_ms=None)
    assert (
        when(failing("a", status=GateStatus.PASS), soak=none)
        == "As soon as what is listed above holds."
    )


def test_a_frozen_rollout_says_what_that_means() -> None:
    """Who froze it and why, what goes on meanwhile, and the command that ends it."""
    one = stuck(gates=(FROZEN_GATE,))
    said = explained(one)
    assert "frozen by ann: the hall is moved" in said
    assert "Promotion was frozen" in said
    assert commands_of(one) == ["tau-rollout-gate resume --reason 'WHY IT MAY GO ON'"]
    assert "frozen" not in explained(stuck())


def test_a_rollback_says_that_it_lasts() -> None:
    """What fired and where, that nothing mutes it, and the one command to type; no gate."""
    one = fired(gates=(*fired().gates, failing("queue_depth"), FROZEN_GATE, SOAK_GATE, WAITING))
    said = explained(one)
    assert "ROLLBACK 1.4.0 must go back from canary-1 (5 %)" in said
    assert (
        "Rollback trigger failure_streak_breach of custom-command fired. "
        "seen failure_streak is 3 fires at failure_streak >= 3 look at "
    ) in said
    assert "do not mute it; only the rollback ends it." in said
    assert "Not in this rollout." in said
    for name in (NO_ROLLBACK_TRIGGER, "queue_depth", "Promotion was frozen"):
        assert name not in said
    assert commands_of(one) == ["tau-rollout-gate rollback --reason 'WHAT HAPPENED'"]


def test_a_trigger_recorded_earlier_says_so() -> None:
    """Its evidence may be gone by now; the record is not."""
    latched = trigger("health_regression", fired=True, is_latched=True)
    said = explained(fired(triggers=(latched,)))
    assert "Rollback trigger health_regression of custom-command fired, recorded earlier." in said


def test_cases_that_failed_are_counted_and_found() -> None:
    """How many, which fixture, which cases, and where expected and observed stand."""
    said = at_a_cycle(
        hard_error(),
        **failed(streak=1, cases=7)
        | {
            "fixture_name": "drift",
            "unexpected_malformed_cases": 2,
            "reason_codes": [MALFORMED, "case_processing_failed"],
        },
    )
    assert "failed, 2 malformed that were not expected (fixture 'drift')" in said
    assert "cases 7 " in said
    assert ".tau/custom-command/state.json, failed_case_keys: which cases" in said
    assert "grep -r '\"drift\"' .tau/custom-command/channel-store" in said
    assert "policy init" not in said


def test_of_executed_runs_the_inspector_tells() -> None:
    """A RUN that was started and failed is settled: it stands in no `failed_case_keys`."""
    executed = failed(streak=1, cases=1) | {"run_mode": "execute"}
    said = at_a_cycle(hard_error(), **executed)
    assert "tau-transport-health diagnose custom-command --state-dir .tau/custom-command" in said
    assert "failed_case_keys" not in said
    assert "cut off" not in said
    said = at_a_cycle(hard_error(), **executed, recovered=True)
    assert "it was cut off while it ran, and closed by the next run" in said


def test_malformed_cases_on_purpose_name_the_way_out() -> None:
    """Only where no case failed and none was unexpected: then it is the fixture."""
    on_purpose = {
        "malformed_cases": 2,
        "unexpected_malformed_cases": 0,
        "reason_codes": [MALFORMED],
    }
    said = at_a_cycle(hard_error(), fixture_name="nightly", **on_purpose)
    assert "the fixture 'nightly' has malformed cases, as it expects." in said
    assert "'tau-rollout-gate policy init --expected-malformed ignore'" in said
    assert "the fixture of that cycle has" in at_a_cycle(
        hard_error(), fixture_name=None, **on_purpose
    )
    assert "policy init" not in at_a_cycle(hard_error("failure_streak = 3"), **on_purpose)
    assert "policy init" not in explained(fired(triggers=(hard_error(),)))
    assert "policy init" not in explained(
        fired(triggers=(hard_error(),)),
        around(surfaces={"custom-command": surface_evidence(History())}),
    )


def test_cases_of_a_fixture_without_a_name_or_of_another_surface() -> None:
    """What is not known is left out."""
    said = at_a_cycle(hard_error(), **failed(streak=1) | {"fixture_name": None})
    assert "cases 1 of" in said
    assert "failed_case_keys" in said
    assert "grep" not in said
    evidence = surface_evidence(History().every(MINUTE, 1, **failed(streak=1)))
    (cycle,) = evidence.cycles
    counters = {k: v for k, v in cycle.event.counters.items() if k != "discovered_cases"}
    told = cycle.event.told._replace(counters=counters)
    bare = cycle._replace(event=cycle.event._replace(told=told))
    place = WHERE._replace(file=cycle.file, line=cycle.line, cycle_id=cycle.event.cycle_id)
    surroundings = around(surfaces={"voice": evidence._replace(cycles=(bare,))})
    voice = hard_error()._replace(surface="voice", evidence=place)
    said = explained(fired(triggers=(voice,)), surroundings)
    assert "cases 1 failed" in said
    assert "failed_case_keys" not in said


def test_a_promotion_says_what_is_left_to_do() -> None:
    """That nothing is wrong, that the gate moves no traffic, and the command that records it."""
    one = promoted()
    said = explained(one)
    assert "PROMOTE 1.4.0 may go on from canary-1 (5 %) to canary-2 (25 %)" in said
    assert "WHY - every gate of canary-1 holds, and no rollback trigger fired" in said
    assert "The gate moves no traffic" in said
    assert "- Now." in said
    assert commands_of(one) == ["tau-rollout-gate advance"]
    assert "records the new phase." in said


def test_the_last_phase_ends_with_a_record() -> None:
    """A rollout that passed its last phase is complete once that is recorded."""
    one = promoted(verdict=Verdict.COMPLETE, next_phase=None, next_canary_percent=None)
    assert "every phase is behind this release" in explained(one)
    assert "records the rollout as complete." in explained(one)
    assert "To complete: not before" in explained(
        answer(gates=(SIGNOFF, SOAK_GATE), next_phase=None, next_canary_percent=None)
    )


def test_commands_are_whole() -> None:
    """With the options that they were asked with, to be copied; each says what it does."""
    where = around(
        rollout_dir="my dir",
        place=("--rollout-dir", "my dir"),
        options=("--surface", "voice=x"),
        reports={"validation": "r.json", "load": "load=l.json"},
        signoff="s.toml",
    )
    place, options = "--rollout-dir 'my dir'", "--surface voice=x"
    reports = "--validation r.json --validation load=l.json"
    assert commands_of(answer(), where) == [
        f"tau-rollout-gate advance {place} {options} {reports} --signoff s.toml"
    ]
    gates = (SIGNOFF, failing("items", command="signoff verify"), TARGET)
    assert commands_of(answer(gates=gates), where) == [
        f"tau-rollout-gate signoff init {place}",
        f"tau-rollout-gate signoff verify {place} s.toml",
        f"tau-rollout-gate rollback --reason 'WHY' {place} {options}",
    ]
    said = explained(answer(gates=gates), where)
    assert "fill in my dir/signoff.toml" in said
    assert "lists what is open" in said


RUN = "tau-custom-command run FIXTURE"


@pytest.mark.parametrize(
    ("words", "surface", "expected"),
    [
        ("run FIXTURE", "custom-command", f"{RUN} --fresh --state-dir 'a b'"),
        ("run FIXTURE --fresh", "custom-command", f"{RUN} --fresh --state-dir 'a b'"),
        ("recover", "custom-command", "tau-custom-command recover --state-dir 'a b'"),
        ("diagnose", "custom-command", f"{DIAGNOSE} custom-command --state-dir 'a b'"),
        ("run FIXTURE", "voice", f"{DIAGNOSE} voice --state-dir v"),
        ("diagnose", "doorbell", "tau-rollout-gate evaluate --surface voice=v --policy p.toml"),
        ("policy adopt --policy FILE", "voice", f"{ADOPT} --surface voice=v"),
        ("reenter", "voice", "tau-rollout-gate reenter --surface voice=v --policy p.toml"),
    ],
)
def test_what_helps_a_surface(words: str, surface: str, expected: str) -> None:
    """The runtime that is known, else the inspector that knows the surface, else to ask again."""
    where = around(
        state_dirs={"custom-command": "a b", "voice": "v"},
        options=("--surface", "voice=v", "--policy", "p.toml"),
    )
    gate = failing("a", surface=surface, command=words)
    assert commands_of(stuck(gates=(gate, gate)), where) == [expected]


@pytest.mark.parametrize(
    ("told", "option"), [(None, ""), ("1.4.0", " --release 1.4.0"), ("1.3.2", " --release 1.4.0")]
)
def test_a_cycle_to_type_is_told_its_release_where_others_are(
    told: str | None, option: str
) -> None:
    """Without it the cycle would begin the soak anew; it is said once, and with --fresh."""
    evidence = surface_evidence(History().every(MINUTE, 1, release=told))
    gates = (
        failing("a", surface="custom-command", command="run FIXTURE"),
        failing("b", surface="custom-command", command="run FIXTURE --release 1.4.0"),
        failing("c", surface="custom-command", command="run FIXTURE --fresh"),
    )
    where = around(surfaces={"custom-command": evidence})
    typed = set(commands_of(stuck(gates=gates[::2] if told is None else gates), where))
    assert typed == {f"{RUN}{option} --fresh --state-dir .tau/custom-command"}


@pytest.mark.parametrize(
    ("required", "seen", "option"),
    [
        (None, "record", ""),
        (None, "execute", " --run-mode execute"),
        ("execute", "record", " --run-mode execute"),
        ("execute", None, " --run-mode execute"),
        ("record", "execute", ""),
    ],
)
def test_a_cycle_to_type_is_executed_where_it_has_to_be(
    required: str | None, seen: str | None, option: str
) -> None:
    """As the policy requires; where that says nothing, as the others are. It is said once."""
    gates = [
        failing("a", surface="custom-command", command="run FIXTURE"),
        failing("c", surface="custom-command", command="run FIXTURE --fresh"),
    ]
    if option:
        words = "run FIXTURE --run-mode execute"
        gates.append(failing("b", surface="custom-command", command=words))
    surfaces = {"custom-command": surface_evidence(History().every(MINUTE, 1, run_mode=seen))}
    where = around(surfaces=surfaces if seen else {}, required_run_mode=required)
    typed = set(commands_of(stuck(gates=tuple(gates)), where))
    assert typed == {f"{RUN}{option} --fresh --state-dir .tau/custom-command"}


def test_reports_that_are_missing_are_asked_for_at_once() -> None:
    """In one command, with those that were given and pass; one that does not pass is left out."""
    asked = [f"--validation {name}=REPORT" for name in ("load", "validation")]
    missing = [failing(one, surface=None, command=f"advance {one}") for one in asked]
    where = around(reports={"smoke": "smoke=s.json", "load": "load=old.json"})
    assert commands_of(stuck(gates=missing), where) == [
        f"tau-rollout-gate advance {' '.join(asked)} --validation smoke=s.json"
    ]


def test_waiting_is_no_help_where_something_is_to_be_done() -> None:
    """Then no `advance` is named; nor for a cause that no command mends, which is asked again."""
    assert commands_of(answer(gates=(FROZEN_GATE, SOAK_GATE))) == [
        "tau-rollout-gate resume --reason 'WHY IT MAY GO ON'"
    ]
    # To resume is no help as long as something else is to be done.
    assert commands_of(answer(gates=(FROZEN_GATE, SIGNOFF, SOAK_GATE))) == [
        "tau-rollout-gate signoff init"
    ]
    assert commands_of(stuck(gates=(failing("a", surface=None),))) == ["tau-rollout-gate evaluate"]
    assert "asks again" in explained(stuck(gates=(failing("a", surface=None),)))


TARGET = failing("rollback_target", surface=None, command="rollback --reason 'WHY'")


def test_a_complete_rollout_leads_to_the_next() -> None:
    """From the release that is out now, on the same surfaces and pins."""
    one = over(Verdict.COMPLETE)
    assert "recorded as complete" in explained(one)
    assert "WHY - the rollout is over" in explained(one)
    assert "WHEN IT CAN GO ON" not in render(one, around())
    assert commands_of(one)[0] == "tau-rollout-gate history"
    expected = {"runtime_version": "1.4.0", "fixture_sha256": "ab" * 32}
    now = rollout(surfaces=(pin(expected=expected),), policy_file="my policy.toml")
    assert commands_of(one, around(rollout=now))[1] == (
        "tau-rollout-gate start --release VERSION --rollback-to 1.4.0 --channel stable "
        "--rollout-dir .tau/rollout/custom-command --surface custom-command=.tau/custom-command "
        "--cycle-interval 5m --expect custom-command:fixture_sha256=SHA256 "
        "--expect custom-command:runtime_version=VERSION --policy 'my policy.toml'"
    )
    assert "--rollback-channel beta" in around().next_start("1.3.2", Channel.BETA)


def test_what_is_typed_is_quoted() -> None:
    """A release that is no version cannot add a command to what is copied into a shell."""
    assert (
        "--rollback-to '1; reboot' " in commands_of(over(Verdict.COMPLETE, release="1; reboot"))[1]
    )


def test_a_rolled_back_rollout_has_its_steps() -> None:
    """They can be read again, each command on a line of its own, and where the evidence is."""
    archive = ".tau/rollout/custom-command/evidence/20260101T000300Z-1.4.0.tar.gz"
    built = rollout().rollback.replaced(rollback_ref="v1.3.2")
    now = around(archive=archive, rollout=rollout(rollback=built))
    lines = render(over(Verdict.ROLLBACK), now).splitlines()
    assert "  1. Set the share of 1.4.0 back to 0 % (it was in canary-1)." in lines
    assert "     cp -a .tau/custom-command .tau/custom-command.20260101T000300Z-1.4.0" in lines
    assert "     git revert --no-edit v1.3.2..HEAD" in lines
    assert any(line.startswith("     tau-rollout-gate start --release VERSION ") for line in lines)
    assert lines[-1] == f"  evidence: {archive}"


def test_a_fleet_that_is_rolled_back_has_steps_of_its_own() -> None:
    """Its hosts are named by `cohort --carrying`; no command has a `{host}` in it."""
    now = around(
        rollout=rollout(fleet=FLEET), state_dirs={"custom-command": "/srv/fleet/{host}/{surface}"}
    )
    page = render(over(Verdict.ROLLBACK), now)
    assert "tau-rollout-gate cohort --carrying --rollout-dir " in page
    assert " --fleet FILE " in page
    for absent in ("{host}", "--surface", "pause", "cp -a"):
        assert absent not in page


def test_one_host_of_a_fleet_is_mended_alone() -> None:
    """What lets it begin anew names it: without that all hosts would."""
    damaged = answer(gates=(DAMAGED,))
    page = " ".join(render(damaged, around(host="web-1")).split())
    assert "tau-rollout-gate reenter --reason 'WHY' --host web-1" in page
    assert "lets this host alone soak anew" in page
    assert "--host" not in render(damaged, around())


def test_one_host_of_a_fleet_is_mended_on_that_host() -> None:
    """The store has no state directory to run or recover anything in."""
    (pin,) = rollout().surfaces
    there = around(state_dirs={pin.name: "/srv/fleet/web-1/custom-command"})
    there = there.of_host("web-1", ("web-1 in zone-a is to have 1.4.0.",))
    stale = DAMAGED._replace(name="evidence_fresh", command="run FIXTURE", surface=pin.name)
    page = render(answer(gates=(stale,)), there)
    assert "THE HOST\n  - web-1 in zone-a is to have 1.4.0.\n" in page
    assert "/srv/fleet" not in page
    assert "  tau-custom-command run FIXTURE --fresh --state-dir STATE_DIR\n" in page
    assert "on web-1 itself, where STATE_DIR is its state directory: runs a cycle" in page


def test_one_host_of_a_fleet_decides_nothing_alone() -> None:
    """What follows for the fleet is asked of the fleet; that it fell silent is no latch."""
    there = around().of_host("web-1", ())
    for verdict in (Verdict.PROMOTE, Verdict.ROLLBACK):
        page = render(answer(verdict=verdict), there)
        assert page.endswith(
            "  tau-rollout-gate explain\n      says what follows for the whole fleet.\n"
        )
    silent = trigger("fail_silent_after", surface=None, fired=True)
    page = render(answer(verdict=Verdict.ROLLBACK, triggers=(silent,)), there)
    assert "It counts as failed for as long as it is silent" in page
    assert "stays fired" not in page


def test_evidence_that_is_lacking_is_told() -> None:
    """What and why; and what captures it again."""
    lines = render(over(Verdict.ROLLBACK), around(lacking=("state/s/log: cannot be read",)))
    for words in ("evidence: none", "not captured: state/s/log: cannot be read", "'rollback' once"):
        assert f"  {words}" in lines
    preflight = render(over(Verdict.ROLLBACK), around(rollout=rollout("preflight")))
    assert "Set the share" not in preflight
    assert "git" not in preflight  # no tag that nobody named


def test_warnings_are_good_to_know() -> None:
    """They stand below what matters now."""
    said = explained(answer(warnings=("the log is not chained",)))
    assert "GOOD TO KNOW - the log is not chained" in said


@given(answers())
@settings(deadline=None)
def test_the_verdict_and_every_thing_in_the_way_is_told(one: Answer) -> None:
    """Whatever the answer is: its verdict first, each name in the way, a command to type."""
    page = render(one, around(), look=Look(width=10**6))
    said = " ".join(page.split())
    start = " ".join(f"{one.verdict.upper()}  {shown(headline(one))}".split())
    assert said.startswith(start)
    in_the_way: list[GateResult | TriggerResult] = [*one.fired_triggers]
    if one.verdict is not Verdict.ROLLBACK:
        in_the_way += one.failing_gates
    for result in in_the_way:
        assert " ".join(shown(result.name).split()) in said
    assert commands_of(one)


def test_prose_stays_narrow_on_a_wide_screen() -> None:
    """Long lines are hard to read; colours are there if they are wanted, and say nothing alone."""
    wide = render(stuck(), around(), look=Look(width=200, is_coloured=True))
    assert wide.replace("\x1b[0m", "").count("\x1b[") > 3
    lines = render(stuck(), around(), look=Look(width=200)).splitlines()
    assert max(map(len, lines)) <= 100
