"""How a rollout changes, and each refusal; nothing ever mutes a trigger."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.contract.pin import Carried, LogPosition, Seen
from tau_rollout_gate.contract.rollout import (
    Channel,
    RollbackTarget,
    Rollout,
    RolloutStatus,
    UsedReport,
)
from tau_rollout_gate.decision.answer import Found, Verdict
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.evidence.values import Evidence, Flaw, FlawFound, ReportEvidence, ReportStatus
from tau_rollout_gate.files.policy import built_in_policy_text, load_policy
from tau_rollout_gate.policy.policy import Policy, parse_policy, policy_digest
from tau_rollout_gate.rollout.start import Opening, expected_in, opened
from tau_rollout_gate.rollout.stops import cancelled, frozen, rolled_back, with_fired
from tau_rollout_gate.rollout.transitions import (
    adopted,
    advanced,
    recovered,
    reentered,
    resumed,
    stopped,
)
from tau_rollout_gate.services.recorded import surfaces_in
from tests.rollout_gate import making
from tests.rollout_gate.making import (
    ENTERED,
    HOUR,
    MINUTE,
    SHA,
    SURFACE,
    History,
    failed,
    malformed,
)
from tests.rollout_gate.recording import answer, frozen_by, trigger

NOW = ENTERED + 40 * MINUTE
POLICY = load_policy(None)
OTHER = POLICY.replaced(name="another")

Step = Callable[[Rollout], Rollout]


def found(verdict: Verdict = Verdict.HOLD, *, log: History | None = None, **changes: Any) -> Found:  # noqa: ANN401 - any field of an answer
    """Return what the files of a sound history said."""
    return Found(answer=answer(verdict, **changes), evidence=making.evidence_of(log or History()))


def damaged(log: History, *flaws: Flaw) -> Found:
    """Return what the files of a history with these flaws said."""
    flawed = tuple(FlawFound(flaw=flaw, detail="it is so") for flaw in flaws)
    return Found(answer=answer(Verdict.HOLD), evidence=making.evidence_of(log, flaws=flawed))


def begin(
    one: Opening, before: Rollout | None = None, *, completed: Rollout | None = None
) -> Rollout:
    """Open a rollout by the built-in policy."""
    return opened(one, POLICY, before=before, completed=completed, now_unix_ms=NOW)


def opening(**changes: Any) -> Opening:  # noqa: ANN401 - any field
    """Return what a sound start asks for, but for `changes`."""
    values: dict[str, Any] = {
        "release": "1.4.0",
        "channel": Channel.STABLE,
        "rollback_version": "1.3.2",
        "rollback_channel": None,
        "rollback_ref": None,
        "surfaces": {SURFACE: ".tau/custom-command"},
        "expected": [],
        "cycle_interval_ms": None,
        "registry_changes_expected": False,
        "allows_major": False,
        "allows_downgrade": False,
        "first_run": (),
        "policy_file": None,
    }
    return Opening(**(values | changes))


BY_HAND: dict[str, Step] = {
    "freeze": lambda one: frozen(one, reason="r", by="ada", now_unix_ms=NOW),
    "resume": lambda one: resumed(one, found()),
    "reenter": lambda one: reentered(one, found()),
    "adopt": lambda one: adopted(one, found(), OTHER, policy_file=None),
    "advance": lambda one: advanced(one, found(Verdict.PROMOTE)),
    "stop": lambda one: stopped(one, found(fired=[trigger()]), by="ada"),
    "cancel": cancelled,
}


class TestOpening:
    """`start` pins what the rollout is, or refuses."""

    def test_it_starts_at_the_first_phase(self) -> None:
        """Release, target, names, expectations and policy are pinned; nothing is judged yet."""
        after = begin(
            opening(
                release="v1.4.0",
                surfaces={SURFACE: "s", "voice": "v"},
                expected=["voice:runtime_version=2"],
            )
        )
        assert after.is_open
        assert (after.release, after.phase, after.phase_entered_unix_ms) == (
            "v1.4.0",
            "preflight",
            NOW,
        )
        assert after.started_unix_ms == NOW
        assert after.canary_entered_unix_ms is None
        custom, voice = after.surfaces
        assert (custom.is_chained, voice.is_chained) == (True, False)
        assert (custom.expected, voice.expected) == ({}, {"runtime_version": "2"})
        assert custom.evidence_from is None
        assert custom.phase_from is None
        assert after.rollback.rollback_version == "1.3.2"
        assert after.frozen is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"release": "v1.4.0", "rollback_version": "v1.3.2"},
            {"release": "1.4.0-rc.1", "channel": Channel.BETA},
            {"rollback_version": "1.3.2-rc.1", "rollback_channel": Channel.DEV},
            {"release": "2.0.0", "allows_major": True},
            {"release": "1.4.0+build.5"},
            {"release": "1.3.1", "allows_downgrade": True},
            {"surfaces": {"mine": "s"}, "first_run": ["mine"]},
            {"expected": [f"{SURFACE}:fixture_sha256={SHA}"]},
        ],
        ids=str,
    )
    def test_what_is_allowed(self, changes: dict[str, Any]) -> None:
        """A leading v, build metadata, a prerelease off stable, an allowed major jump."""
        assert begin(opening(**changes)).is_open

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"release": "1.4"}, "--release: '1.4' is not a semantic version"),
            ({"release": "V1.4.0"}, "not a semantic version"),
            ({"release": "01.4.0"}, "not a semantic version"),
            ({"release": "1.4.0 "}, "not a semantic version"),
            ({"release": "1.4.0\n"}, "not a semantic version"),
            ({"release": "vv1.4.0"}, "not a semantic version"),
            ({"release": "1.4\u0661.0"}, "not a semantic version"),
            ({"release": ""}, "not a semantic version"),
            ({"rollback_version": "latest"}, "--rollback-to: 'latest' is not"),
            ({"release": "1.4.0-rc.1"}, "--release: 1.4.0-rc.1 is a prerelease"),
            ({"rollback_version": "1.3.2-rc.1"}, "--rollback-to: 1.3.2-rc.1 is a prerelease"),
            ({"rollback_version": "1.4.0"}, "is the release itself"),
            ({"rollback_version": "v1.4.0"}, "is the release itself"),
            ({"rollback_version": "1.4.0+other"}, "is the release itself"),
            ({"release": "2.0.0"}, "major jump: pass --allow-major"),
            ({"release": "0.9.0"}, "major jump"),
            ({"release": "1.3.1"}, "1.3.2 is newer than the release 1.3.1: were the two"),
            ({"release": "1.3.2-rc.1", "channel": Channel.BETA}, "pass --allow-downgrade"),
            ({"surfaces": {"voices": "s"}}, "'voices' is not known, but 'voice' is"),
            ({"surfaces": {"custom_command": "s"}}, "but 'custom-command' is"),
            ({"first_run": ["voice"]}, "--first-run: there is no surface 'voice'"),
            ({"surfaces": {"a/b": "s"}}, "not a surface's name"),
            ({"surfaces": {"..": "s"}}, "not a surface's name"),
            ({"expected": ["voice:runtime_version=1"]}, "there is no surface 'voice'"),
            ({"expected": [f"{SURFACE}:health=1"]}, "cannot be expected"),
            ({"expected": [f"{SURFACE}:runtime_version= "]}, "the value is empty"),
            ({"expected": [f"{SURFACE}:fixture_sha256=AB"]}, "64 lower-case hex digits"),
        ],
    )
    def test_what_is_refused(self, changes: dict[str, Any], message: str) -> None:
        """Each refusal says which option, what, and what to do."""
        with pytest.raises(RefusedError) as refused:
            begin(opening(**changes))
        assert message.lower() in str(refused.value).lower()

    def test_a_name_that_the_policy_has_may_be_close_to_another(self) -> None:
        """Whoever means another surface says so in a line of the policy."""
        text = built_in_policy_text().replace('surfaces = ["memory"]', 'surfaces = ["voices"]')
        policy = parse_policy(text.encode(), source="policy.toml")
        one = opening(surfaces={"voices": "s"})
        after = opened(one, policy, before=None, completed=None, now_unix_ms=NOW)
        assert after.surfaces[0].name == "voices"

    def test_a_second_open_rollout_is_refused(self) -> None:
        """One at a time in a directory; the message names the one that is open."""
        with pytest.raises(RefusedError, match=r"open, in canary-1: .* 'rollback --reason WHY'"):
            begin(opening(release="1.5.0"), making.rollout())

    @pytest.mark.parametrize("status", [RolloutStatus.COMPLETE, RolloutStatus.ROLLED_BACK])
    def test_after_a_closed_one_the_next_may_start(self, status: RolloutStatus) -> None:
        """What it was frozen for and fired by is gone; the reports that it used are not."""
        used = (UsedReport(release="1.4.0", sha256=SHA),)
        before = making.rollout(status=status, frozen=frozen_by("ada"), used_reports=used)
        before = with_fired(before, answer(Verdict.ROLLBACK, fired=[trigger()]))
        after = begin(opening(release="1.5.0"), before)
        assert after.frozen is None
        assert after.fired_triggers == ()
        assert after.used_reports == ()

    def test_a_target_that_is_not_named_is_what_was_completed_last(self) -> None:
        """With the channel that it was published to, unless another one is named."""
        completed = making.rollout(release="1.3.9", channel=Channel.BETA)
        one = opening(rollback_version=None, channel=Channel.DEV)
        assert begin(one, completed=completed).rollback == RollbackTarget(
            rollback_version="1.3.9", rollback_channel=Channel.BETA
        )
        other = opening(rollback_version=None, rollback_channel=Channel.STABLE)
        assert begin(other, completed=completed).rollback.rollback_channel is Channel.STABLE

    def test_no_target_at_all_is_refused(self) -> None:
        """Nothing is guessed; the message names the option."""
        with pytest.raises(RefusedError, match=r"--rollback-to: .* completed no release yet"):
            begin(opening(rollback_version=None))

    def test_the_release_that_was_completed_last_is_no_target_of_its_own(self) -> None:
        """Rolled out once more, it needs a target that somebody names."""
        with pytest.raises(RefusedError, match="is the release itself"):
            begin(opening(rollback_version=None), completed=making.rollout(release="1.4.0"))

    def test_options_of_surfaces_and_expectations(self) -> None:
        """NAME=STATE_DIR and SURFACE:FIELD=VALUE, the value with whatever signs it has."""
        assert surfaces_in(["a=x=y", "b=z"]) == {"a": "x=y", "b": "z"}
        assert expected_in(["a:runtime_version=1=2", "a:fixture_sha256=x"]) == {
            "a": {"runtime_version": "1=2", "fixture_sha256": "x"}
        }

    @pytest.mark.parametrize("options", [["a"], ["a="], ["a=x", "a=y"]])
    def test_surfaces_that_say_nothing_are_refused(self, options: list[str]) -> None:
        """No directory, or two for one name."""
        with pytest.raises(RefusedError, match="--surface"):
            surfaces_in(options)

    @pytest.mark.parametrize("options", [["a=1"], ["a:=1"], ["a:f"], ["a:f=1", "a:f=2"]])
    def test_expectations_that_say_nothing_are_refused(self, options: list[str]) -> None:
        """No field, no value, or two for one field."""
        with pytest.raises(RefusedError, match="--expect"):
            expected_in(options)


class TestAdvancing:
    """A promotion enters the next phase after the last line that was decided on."""

    def test_entering_the_first_canary_starts_the_evidence(self) -> None:
        """Evidence of the canary and of the phase both start at the log's end."""
        log = History().every(MINUTE, 3)
        before = making.rollout("preflight")
        after = advanced(
            before, found(Verdict.PROMOTE, log=log, next_phase="canary-1", next_canary_percent=5)
        )
        (pin,) = after.surfaces
        assert after.phase == "canary-1"
        assert after.phase_entered_unix_ms == after.canary_entered_unix_ms == NOW
        assert pin.evidence_from == pin.phase_from == log.position()

    def test_entering_a_later_phase_keeps_where_the_evidence_starts(self) -> None:
        """Triggers are judged since canary-1, gates since the phase."""
        log = History().every(MINUTE, 3)
        before = making.rollout()
        after = advanced(before, found(Verdict.PROMOTE, log=log))
        (pin,) = after.surfaces
        assert after.phase == "canary-2"
        assert after.canary_entered_unix_ms == before.canary_entered_unix_ms
        assert pin.evidence_from == before.surfaces[0].evidence_from
        assert pin.phase_from == log.position()

    def test_entering_a_phase_without_a_canary_starts_no_evidence(self) -> None:
        """A second phase in which nobody gets the release is judged without cycles."""
        after = advanced(
            making.rollout("preflight"),
            found(Verdict.PROMOTE, next_phase="dark", next_canary_percent=0),
        )
        assert after.canary_entered_unix_ms is None
        assert after.surfaces == making.rollout("preflight").surfaces

    def test_a_log_without_lines_is_a_position_too(self) -> None:
        """Where nothing was written yet, everything written later counts; when that was is kept."""
        after = advanced(making.rollout("preflight"), found(Verdict.PROMOTE))
        assert after.surfaces[0].phase_from == LogPosition(
            cycle_number=None, event_sha256=None, timestamp_unix_ms=NOW
        )

    def test_a_chain_that_was_seen_is_kept_to(self) -> None:
        """A writer that once chained its events must always."""
        pin = making.pin(name="voice", is_chained=False)
        evidence = Evidence(surfaces={"voice": making.surface_evidence(History(), surface="voice")})
        after = advanced(
            making.rollout(surfaces=(pin,)),
            Found(answer=answer(Verdict.PROMOTE), evidence=evidence),
        )
        assert after.surfaces[0].is_chained

    def test_complete_closes(self) -> None:
        """The last phase is not left; the rollout is closed in it."""
        after = advanced(
            making.rollout("general-availability"), found(Verdict.COMPLETE, next_phase=None)
        )
        assert after.status is RolloutStatus.COMPLETE
        assert after.phase == "general-availability"

    @pytest.mark.parametrize("verdict", [Verdict.HOLD, Verdict.ROLLBACK])
    def test_no_other_verdict_advances(self, verdict: Verdict) -> None:
        """Only promote and complete do."""
        with pytest.raises(RefusedError, match=f"the verdict is {verdict}"):
            advanced(making.rollout(), found(verdict))

    def test_the_reports_it_rests_on_are_used(self) -> None:
        """They serve no later release; what did not count is not used up."""
        reports = {
            name: ReportEvidence(
                name=name,
                path=name,
                sha256=letter * 64,
                status=status,
                detail="",
                total=1,
                passed=1,
                failed=0,
            )
            for name, letter, status in (
                ("a", "a", ReportStatus.PASSED),
                ("b", "b", ReportStatus.FAILED),
                ("c", "c", ReportStatus.OTHER_RELEASE),
                ("d", "d", ReportStatus.USED_BEFORE),
            )
        }
        evidence = making.evidence_of(History())._replace(reports=reports)
        seen = Found(answer=answer(Verdict.PROMOTE), evidence=evidence)
        after = advanced(making.rollout(), seen)
        assert [one.sha256[0] for one in after.used_reports] == ["a", "b"]
        again = advanced(after, seen)
        assert again.used_reports == after.used_reports


class TestTriggers:
    """What fired stays fired."""

    def test_a_verdict_to_roll_back_latches_and_freezes(self) -> None:
        """With what was seen, where, and when."""
        seen = found(Verdict.ROLLBACK, fired=[trigger(), trigger(surface=None, evidence=None)])
        after = stopped(making.rollout(), seen, by="ada")
        first, second = after.fired_triggers
        assert (first.name, first.file, first.line) == ("failure_streak_breach", "e.jsonl", 4)
        assert first.timestamp_unix_ms == answer(Verdict.HOLD).evaluated_unix_ms - MINUTE
        assert (second.surface, second.file, second.timestamp_unix_ms) == (None, None, None)
        assert after.frozen is not None
        assert after.frozen.reason == "rollback trigger fired: failure_streak_breach"
        assert after.status is RolloutStatus.OPEN

    def test_what_was_frozen_stays_frozen_by_whom_it_was(self) -> None:
        """A trigger does not take over who froze first."""
        before = making.rollout(frozen=frozen_by("bob"))
        after = stopped(before, found(fired=[trigger()]), by="ada")
        assert after.frozen == before.frozen

    def test_a_trigger_is_latched_once(self) -> None:
        """As it was seen first."""
        once = with_fired(making.rollout(), answer(Verdict.ROLLBACK, fired=[trigger()]))
        twice = with_fired(once, answer(Verdict.ROLLBACK, fired=[trigger(observed="later")]))
        assert twice == once

    @given(steps=st.lists(st.sampled_from(sorted(BY_HAND)), max_size=8))
    def test_nothing_by_hand_mutes_one(self, steps: list[str]) -> None:
        """Whatever is done in whatever order, what fired is still recorded."""
        rollout = with_fired(making.rollout(), answer(Verdict.ROLLBACK, fired=[trigger()]))
        fired = rollout.fired_triggers
        for step in steps:
            try:
                rollout = BY_HAND[step](rollout)
            except RefusedError:
                continue
            assert set(fired) <= set(rollout.fired_triggers)

    @pytest.mark.parametrize("is_recorded", [True, False])
    @pytest.mark.parametrize("step", ["resume", "reenter", "adopt"])
    def test_a_fired_trigger_refuses(self, step: str, *, is_recorded: bool) -> None:
        """Also one that the files show and nobody recorded yet."""
        before = making.rollout(frozen=frozen_by("ada"))
        seen = found(Verdict.ROLLBACK, fired=[trigger()])
        if is_recorded:
            before, seen = with_fired(before, seen.answer), found()
        steps: dict[str, Callable[[], Rollout]] = {
            "resume": lambda: resumed(before, seen),
            "reenter": lambda: reentered(before, seen),
            "adopt": lambda: adopted(before, seen, OTHER, policy_file=None),
        }
        with pytest.raises(RefusedError, match="a rollback trigger fired: failure_streak_breach"):
            steps[step]()


class TestByHand:
    """Freeze, resume, reenter, adopt, rollback."""

    @pytest.mark.parametrize("step", sorted(BY_HAND))
    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (RolloutStatus.COMPLETE, "is complete"),
            (RolloutStatus.ROLLED_BACK, "was rolled back"),
            (RolloutStatus.CANCELLED, "was cancelled"),
        ],
    )
    def test_a_closed_rollout_refuses(self, step: str, status: RolloutStatus, words: str) -> None:
        """Nothing changes it any more; the message says what opens the next."""
        before = making.rollout(status=status, frozen=frozen_by("ada"))
        with pytest.raises(RefusedError, match=f"{words}; 'start' opens the next"):
            BY_HAND[step](before)

    def test_freezing_and_resuming_leave_all_else(self) -> None:
        """The soak too: neither entry nor position moves."""
        before = making.rollout()
        after = frozen(before, reason="r", by="ada", now_unix_ms=NOW)
        assert after.frozen is not None
        assert (after.frozen.reason, after.frozen.by) == ("r", "ada")
        assert after.frozen.since_unix_ms == NOW
        assert resumed(after, found()) == before

    def test_freezing_twice_is_refused(self) -> None:
        """The message says who did, and why."""
        with pytest.raises(RefusedError, match="frozen already, by ada: look at it"):
            frozen(making.rollout(frozen=frozen_by("ada")), reason="r", by="b", now_unix_ms=NOW)

    def test_resuming_what_is_not_frozen_is_refused(self) -> None:
        """There is nothing to resume."""
        with pytest.raises(RefusedError, match="not frozen"):
            resumed(making.rollout(), found())

    def test_a_phase_is_not_left_before_it_was_entered(self) -> None:
        """A clock that went back would make the window longer than it was."""
        before = making.rollout(phase_entered_unix_ms=NOW + 1)
        with pytest.raises(RefusedError, match="set the clock"):
            advanced(before, found(Verdict.PROMOTE))

    @pytest.mark.parametrize("step", ["reenter", "adopt"])
    @pytest.mark.parametrize("phase", ["preflight", "canary-1"])
    def test_an_entry_in_the_future_is_dated_anew(self, step: str, phase: str) -> None:
        """That of canary-1 too: the clock was wrong then, and nobody has to wait for it."""
        dates = {"phase_entered_unix_ms": NOW + HOUR}
        if phase == "canary-1":
            dates["canary_entered_unix_ms"] = NOW + HOUR
        after = BY_HAND[step](making.rollout(phase, **dates))
        assert after.phase_entered_unix_ms == NOW
        assert after.canary_entered_unix_ms == (NOW if phase == "canary-1" else None)

    def test_a_log_without_a_line_is_dated_anew_with_the_entry(self) -> None:
        """Its time alone tells what came before; one from the future would tell it of all."""
        for noted, dated in ((NOW + HOUR, NOW), (NOW - HOUR, NOW - HOUR), (None, None)):
            empty = LogPosition(cycle_number=None, event_sha256=None, timestamp_unix_ms=noted)
            pin = making.pin(evidence_from=empty, sound_from=empty)
            (after,) = reentered(making.rollout(surfaces=(pin,)), found()).surfaces
            for position in (after.evidence_from, after.sound_from):
                assert position is not None
                assert position.timestamp_unix_ms == dated

    def test_an_interval_is_adopted_with_a_policy_or_alone(self) -> None:
        """What is the same in both is refused."""
        before = making.rollout(policy_sha256=policy_digest(OTHER))
        after = adopted(before, found(), OTHER, policy_file=None, cycle_interval_ms=HOUR)
        assert (after.cycle_interval_ms, after.policy_sha256) == (HOUR, before.policy_sha256)
        with pytest.raises(RefusedError, match="nothing to adopt"):
            adopted(after, found(), OTHER, policy_file=None, cycle_interval_ms=HOUR)

    def test_what_is_recovered_is_frozen_and_entered_anew(self) -> None:
        """A trigger that fires in the files stays fired; the first freeze stays; over is over."""
        after = recovered(making.rollout(), found(fired=[trigger()]), by="ada")
        assert after.phase_entered_unix_ms == NOW
        assert after.frozen is not None
        assert "not proven" in after.frozen.reason
        assert [one.name for one in after.fired_triggers] == [trigger().name]
        freeze = frozen_by("bob")
        assert recovered(making.rollout(frozen=freeze), found(), by="ada").frozen == freeze
        complete = making.rollout(status=RolloutStatus.COMPLETE)
        assert recovered(complete, found(), by="ada") is complete

    def test_rolling_back_closes(self) -> None:
        """Frozen, closed, with reason and time; the target and the triggers stay."""
        before = with_fired(making.rollout(), answer(Verdict.ROLLBACK, fired=[trigger()]))
        after = rolled_back(before, reason="bad", by="ada", now_unix_ms=NOW)
        assert after.status is RolloutStatus.ROLLED_BACK
        assert after.frozen is not None
        assert after.rollback.rollback_reason == "bad"
        assert after.rollback.rollback_reference_unix_ms == NOW
        assert after.rollback.rollback_version == before.rollback.rollback_version
        assert after.fired_triggers == before.fired_triggers

    def test_what_is_complete_may_go_back_too(self) -> None:
        """What went back already stays as it is; nobody had what was cancelled."""
        complete = making.rollout(status=RolloutStatus.COMPLETE)
        after = rolled_back(complete, reason="bad", by="ada", now_unix_ms=NOW)
        assert after.status is RolloutStatus.ROLLED_BACK
        assert rolled_back(after, reason="x", by="b", now_unix_ms=NOW + 1) is after
        nobody_s = making.rollout("preflight", status=RolloutStatus.CANCELLED)
        with pytest.raises(RefusedError, match="was cancelled"):
            rolled_back(nobody_s, reason="x", by="b", now_unix_ms=NOW)

    def test_only_what_nobody_has_is_cancelled(self) -> None:
        """Once a canary has it, there is something to roll back."""
        assert cancelled(making.rollout("preflight")).status is RolloutStatus.CANCELLED
        with pytest.raises(RefusedError, match=r"given to a canary.*rollback"):
            cancelled(making.rollout())


class TestReentering:
    """The phase anew; damage left behind, what was seen before it kept."""

    def test_sound_evidence_stays(self) -> None:
        """Only the phase moves: triggers are judged since canary-1 all the same."""
        log = History().every(MINUTE, 3)
        before = making.rollout()
        after = reentered(before, found(log=log))
        (pin,) = after.surfaces
        assert after.phase_entered_unix_ms == NOW
        assert after.canary_entered_unix_ms == before.canary_entered_unix_ms
        assert pin.phase_from == log.position()
        assert pin.evidence_from == before.surfaces[0].evidence_from
        assert pin.carried == Carried()

    @pytest.mark.parametrize("flaw", [Flaw.TORN_TAIL, Flaw.DISAGREES, Flaw.NO_FILES])
    def test_what_heals_by_itself_is_not_left_behind(self, flaw: Flaw) -> None:
        """The next cycle mends it, so its cycles go on counting."""
        after = reentered(making.rollout(), damaged(History().every(MINUTE, 3), flaw))
        assert after.surfaces[0].evidence_from == making.pin().evidence_from

    @pytest.mark.parametrize(
        "flaw",
        [
            Flaw.INVALID_LINE,
            Flaw.CHAIN_BROKEN,
            Flaw.CLOCK_BACKWARDS,
            Flaw.LOG_REWRITTEN,
            Flaw.SEGMENT_MISSING,
            Flaw.CYCLE_GONE,
        ],
    )
    def test_what_no_cycle_mends_is_left_behind(self, flaw: Flaw) -> None:
        """Nothing before the log's end has to be whole; triggers look from where they did."""
        log = History().add(ENTERED + 1, **malformed()).add(ENTERED + 2, **failed(streak=1))
        after = reentered(making.rollout(), damaged(log, Flaw.TORN_TAIL, flaw))
        (pin,) = after.surfaces
        assert pin.evidence_from == making.pin().evidence_from
        assert pin.sound_from == pin.phase_from == log.position()
        assert pin.seen == Seen(position=log.position(), unhealthy_row=1)
        assert pin.carried == Carried(unhealthy_row=1)

    @pytest.mark.parametrize(
        ("streaks", "carried", "row"),
        [((1, 2, 3), 0, 3), ((1, 2, 0), 0, 0), ((), 2, 2), ((1,), 2, 3), ((0, 1), 2, 1)],
    )
    def test_the_row_of_unhealthy_cycles_is_carried(
        self, streaks: tuple[int, ...], carried: int, row: int
    ) -> None:
        """As long as it is, over what was left behind before; a healthy cycle ends it."""
        log = History()
        for number, streak in enumerate(streaks):
            log.add(ENTERED + number, **(failed(streak=streak) if streak else {}))
        before = making.rollout(surfaces=(making.pin(carried=Carried(unhealthy_row=carried)),))
        after = reentered(before, damaged(log, Flaw.INVALID_LINE))
        assert after.surfaces[0].carried.unhealthy_row == row

    def test_lost_lines_have_to_be_accepted_and_are_counted(self) -> None:
        """Refused without the word; the row that was seen before counts, all losses add up."""
        log = History().every(MINUTE, 2)
        seen = Seen(position=log.position(), unhealthy_row=1)
        before = making.rollout(surfaces=(making.pin(seen=seen, carried=Carried(lost_lines=3)),))
        lost = FlawFound(flaw=Flaw.CYCLE_GONE, detail="cycle 7 is gone", lost=5)
        said = Found(answer=answer(Verdict.HOLD), evidence=making.evidence_of(log, flaws=(lost,)))
        with pytest.raises(RefusedError, match=r"cycle 7 is gone.*--accept-lost-evidence"):
            reentered(before, said)
        (pin,) = reentered(before, said, accepts_lost=True).surfaces
        assert pin.carried == Carried(unhealthy_row=1, lost_lines=8)

    def test_preflight_is_entered_anew_without_evidence(self) -> None:
        """No log counts there."""
        before = making.rollout("preflight")
        after = reentered(before, Found(answer=answer(Verdict.HOLD), evidence=Evidence()))
        assert after.phase_entered_unix_ms == NOW
        assert after.surfaces == before.surfaces


class TestAdopting:
    """Another policy, and the phase anew."""

    def test_the_policy_changes_and_the_phase_starts_anew(self) -> None:
        """Digest and place are the new ones; evidence goes as in reenter."""
        log = History().every(MINUTE, 2)
        after = adopted(making.rollout(), found(log=log), OTHER, policy_file="p.toml")
        assert after.policy_sha256 == policy_digest(OTHER)
        assert after.policy_file == "p.toml"
        assert after.phase_entered_unix_ms == NOW
        assert after.surfaces[0].phase_from == log.position()

    def test_the_same_policy_is_refused(self) -> None:
        """It would restart the soak for nothing."""
        before = making.rollout(policy_sha256=policy_digest(POLICY))
        with pytest.raises(RefusedError, match="the policy the rollout has"):
            adopted(before, found(), POLICY, policy_file=None)

    def test_a_policy_without_the_phase_is_refused(self) -> None:
        """The message names the phases that it has."""
        with pytest.raises(RefusedError, match=r"no phase 'canary-9'.*it has preflight, canary-1"):
            adopted(making.rollout("canary-9"), found(), POLICY, policy_file=None)

    @pytest.mark.parametrize(
        ("phase", "percent"), [("canary-1", 0), ("preflight", 5)], ids=["stops", "starts"]
    )
    def test_a_policy_that_moves_the_first_canary_is_refused(
        self, phase: str, percent: int
    ) -> None:
        """Else a canary's evidence would count no more, and its triggers be mute."""
        with pytest.raises(RefusedError, match=f"{percent} % in {phase}"):
            adopted(making.rollout(phase), found(), _with_percent(phase, percent), policy_file=None)


def _with_percent(name: str, percent: int) -> Policy:
    phases = tuple(
        phase.replaced(canary_percent=percent) if phase.name == name else phase
        for phase in POLICY.phases
    )
    return POLICY.replaced(phases=phases)
