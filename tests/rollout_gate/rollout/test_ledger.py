"""The chain of decisions: what is recorded reads back, and tampering shows where it breaks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.contract.event import line_digest
from tau_rollout_gate.contract.pin import LogPosition, Seen
from tau_rollout_gate.contract.rollout import (
    FiredTrigger,
    RecordedInput,
    RolloutFile,
    RolloutStatus,
    UsedReport,
)
from tau_rollout_gate.decision.answer import GateResult, Verdict
from tau_rollout_gate.errors import FormRefusedError, RolloutUnusableError
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.ledger_check import check, standing
from tests.rollout_gate import making
from tests.rollout_gate.making import ENTERED, SHA
from tests.rollout_gate.recording import Ledger, answer, decided, frozen_by, ledger_of, trigger

LENGTHS = st.integers(min_value=1, max_value=6)


FREEZE = frozen_by("ada")
FIRED = FiredTrigger(
    name="t",
    surface=None,
    observed="seen",
    threshold="t",
    action="a",
    file=None,
    line=None,
    cycle_id=None,
    timestamp_unix_ms=None,
)
OTHER = FIRED.replaced(name="u")


def begun() -> Ledger:
    """Return the ledger of a rollout that entered canary-1, judged by a report."""
    ledger = Ledger().add(making.rollout("preflight"), Action.START)
    report = UsedReport(release="1.4.0", sha256=SHA)
    canary = making.rollout("canary-1", used_reports=(report,))
    said = answer(Verdict.PROMOTE, phase="preflight")
    return ledger.add(canary, Action.ADVANCE, answer=said)


def add(
    ledger: Ledger,
    action: Action,
    said: Verdict | None,
    changes: dict[str, Any],
    *,
    held_by: tuple[str, ...] | None = None,
) -> None:
    """Add what an action leaves of the rollout, by a verdict, held by something if it is held."""
    before = ledger.entries[-1].rollout_after
    after = before.replaced(**changes).checked()
    judged = None if said is None else answer(said, phase=before.phase)
    entry = decided(after, action, before=ledger.count(), answer=judged)
    if held_by is None:
        held_by = ("x",) if said in {Verdict.HOLD, Verdict.ROLLBACK} else ()
    told = {"held_by": held_by, "phase": before.phase}
    ledger.entries.append(entry.replaced(**told))


def broken_at(ledger: Ledger, lines: list[bytes]) -> int | None:
    """Return the entry that is named when these lines stand where the ledger's were."""
    report = check(ledger.file(), lines, is_torn=False)
    assert report.broken is not None
    assert not report.is_whole
    return report.broken.decision_number


class TestEntry:
    """A line holds all of a decision, strictly."""

    def test_a_decision_reads_back_as_it_was(self) -> None:
        """All that was decided stands in the line, which is one line."""
        after = making.rollout()
        rests_on = (RecordedInput(path="e.jsonl", sha256=SHA, offset=1, length=2),)
        said = answer(Verdict.ROLLBACK, fired=[trigger()], phase="canary-9", inputs=rests_on)
        entry = decided(after, Action.ADVANCE, reason="because\nof this", answer=said)
        line = entry.as_line()
        assert line.count(b"\n") == 1
        assert Entry.parse(line) == entry
        assert entry.rollout_after == after
        assert (entry.verdict, entry.phase, entry.reasons) == (
            "rollback",
            "canary-9",
            ("so it is",),
        )
        assert (entry.held_by, entry.inputs) == (
            ("custom-command:failure_streak_breach",),
            rests_on,
        )
        assert entry.counted.sha256 == line_digest(line)
        assert (entry.decision_number, entry.previous_sha256) == (1, None)

    def test_the_next_entry_names_the_one_before(self) -> None:
        """Number and digest follow."""
        first, second = ledger_of(2).entries
        assert second.decision_number == 2
        assert second.previous_sha256 == line_digest(first.as_line())

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            (b"{", FormRefusedError),
            (b'{"a": 1, "a": 2}', FormRefusedError),
            (b"[]", FormRefusedError),
            (b"{}", FormRefusedError),
        ],
    )
    def test_what_is_no_entry_is_refused(self, line: bytes, error: type[Exception]) -> None:
        """Nothing is coerced, nothing is missing."""
        with pytest.raises(error):
            Entry.parse(line)

    @pytest.mark.parametrize("name", ["decision_number", "extra", "schema_version"])
    def test_a_key_of_another_form_is_refused(self, name: str) -> None:
        """`true` is not 1, and a key that is not known is not read over."""
        value = json.loads(ledger_of(1).lines()[0]) | {name: True}
        with pytest.raises(FormRefusedError, match=name):
            Entry.parse(json.dumps(value).encode())


class TestStanding:
    """Where a directory stands follows from its two files, or they are not used at all."""

    def test_nothing_begun(self) -> None:
        """No file and no entry is no rollout."""
        assert standing(None, []) is None

    def test_the_last_entry_is_where_it_stands(self) -> None:
        """File and ledger agree."""
        ledger = ledger_of(3)
        found = standing(ledger.file(), ledger.lines())
        assert found is not None
        assert found.rollout == ledger.entries[-1].rollout_after
        assert found.decisions == ledger.entries[-1].counted
        assert not found.is_ahead

    @pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
    def test_a_ledger_one_ahead_counts_where_that_holds_back(self, length: int) -> None:
        """A freeze that a crash left unnamed by rollout.json counts; a start or a resume do not."""
        ledger = ledger_of(length)
        before = ledger_of(length - 1) if length > 1 else None
        found = standing(None if before is None else before.file(), ledger.lines())
        counts = ledger.entries[-1].action is Action.FREEZE
        if found is None:
            assert length == 1
            return
        assert found.is_ahead == counts
        assert found.decisions.count == length - (not counts)
        assert found.last == ledger.entries[found.decisions.count - 1]
        assert found.rollout == found.last.rollout_after

    def test_a_decision_is_found_by_its_digest(self) -> None:
        """Whoever held on to it learns whether it is still there."""
        ledger = ledger_of(3)
        found = standing(ledger.file(), ledger.lines())
        assert found is not None
        for entry in ledger.entries:
            assert found.has(entry.counted)
            assert not found.has(entry.counted.replaced(sha256=SHA))
        assert not found.has(ledger_of(4).entries[-1].counted)

    def test_what_does_not_belong_together_is_not_used(self) -> None:
        """Cut, altered, edited, missing: each is said, none is decided on."""
        ledger, other = ledger_of(3), ledger_of(3)
        lines, file = ledger.lines(), ledger.file()
        ahead = json.loads(ledger_of(4).lines()[-1]) | {"previous_sha256": SHA}
        cases: list[tuple[RolloutFile | None, list[bytes], str]] = [
            (None, lines, "rollout.json is missing"),
            (file, lines[:2], "removed: rollout.json counts 3"),
            (file, ledger_of(5).lines(), "older copy: it counts 3 of 5"),
            (file, [*lines[:2], lines[2].replace(b"ada", b"bob")], "not the one that rollout.json"),
            (file, [*lines[:2], b"{}"], "entry 3"),
            (file, [*lines, json.dumps(ahead).encode()], "does not follow"),
            (
                RolloutFile.after(making.rollout("canary-3"), other.entries[-1].counted),
                lines,
                "rollout.json was edited",
            ),
        ]
        for one, found, message in cases:
            with pytest.raises(RolloutUnusableError, match=message):
                standing(one, found)


class TestCheck:
    """`verify` names the entry at which the chain breaks: the altered one, or the next."""

    @given(length=LENGTHS)
    def test_what_was_recorded_is_whole(self, length: int) -> None:
        """A ledger that nobody touched is whole, also where a crash left it ahead, or torn."""
        ledger = ledger_of(length)
        assert check(ledger.file(), ledger.lines(), is_torn=False).is_whole
        torn = check(ledger.file(), ledger.lines(), is_torn=True)
        assert torn.is_whole
        assert "torn" in torn.remarks[0]
        file = ledger_of(length - 1).file() if length > 1 else None
        ahead = check(file, ledger.lines(), is_torn=False)
        assert ahead.is_whole
        assert "ahead" in ahead.remarks[0]

    @given(data=st.data(), length=LENGTHS)
    def test_an_altered_byte_is_named(self, data: st.DataObject, length: int) -> None:
        """Whatever byte is changed to whatever else: that entry is named, or the one behind it."""
        ledger = ledger_of(length)
        lines = ledger.lines()
        index = data.draw(st.integers(0, length - 1), label="entry")
        at = data.draw(st.integers(0, len(lines[index]) - 1), label="byte")
        byte = data.draw(
            st.integers(0, 255).filter(lambda value: value not in {lines[index][at], 10}),
            label="value",
        )
        lines[index] = lines[index][:at] + bytes([byte]) + lines[index][at + 1 :]
        assert broken_at(ledger, lines) in {index + 1, min(index + 2, length)}

    @pytest.mark.parametrize(
        ("index", "change"),
        [
            (index, change)
            for index in range(5)
            for change in (
                {"by": "eve"},
                {"reason": "another"},
                {"decision_number": 9},
                {"decision_number": 2 if index != 1 else 1},
                {"previous_sha256": SHA},
                {"previous_sha256": None if index else SHA},
                {"by": "eve", "previous_sha256": SHA},
            )
        ],
        ids=str,
    )
    def test_an_altered_field_is_named(self, index: int, change: dict[str, object]) -> None:
        """Also where the altered entry is still of the right form, or claims another place."""
        ledger = ledger_of(5)
        lines = ledger.lines()
        value = json.loads(lines[index]) | change
        lines[index] = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        assert lines[index] != ledger.lines()[index]
        assert broken_at(ledger, lines) in {index + 1, min(index + 2, 5)}
        report = check(ledger.file(), lines, is_torn=False)
        assert report.broken is not None
        assert "was altered" in report.broken.detail

    def test_an_entry_that_cannot_be_read_is_named(self) -> None:
        """By its number, and with what is wrong with it."""
        ledger = ledger_of(3)
        lines = ledger.lines()
        lines[1] = b"{}"
        report = check(ledger.file(), lines, is_torn=False)
        assert report.broken is not None
        assert report.broken.decision_number == 2
        assert report.broken.detail.startswith("it cannot be read: decision_number: ")

    @given(data=st.data(), length=LENGTHS)
    def test_removed_entries_are_named(self, data: st.DataObject, length: int) -> None:
        """Whatever run of entries is removed, its first one is named; the tail too."""
        ledger = ledger_of(length)
        start = data.draw(st.integers(0, length - 1))
        end = data.draw(st.integers(start + 1, length))
        lines = ledger.lines()
        del lines[start:end]
        assert broken_at(ledger, lines) == start + 1
        report = check(ledger.file(), lines, is_torn=False)
        assert report.broken is not None
        assert "removed" in report.broken.detail

    @given(data=st.data(), length=st.integers(2, 6))
    def test_reordered_entries_are_named(self, data: st.DataObject, length: int) -> None:
        """Whatever the order, the first place that holds another entry than its own is named."""
        ledger = ledger_of(length)
        lines = ledger.lines()
        shuffled = data.draw(st.permutations(lines).filter(lambda found: found != lines))
        first = next(n for n in range(length) if shuffled[n] != lines[n])
        assert broken_at(ledger, shuffled) == first + 1
        report = check(ledger.file(), shuffled, is_torn=False)
        assert report.broken is not None
        assert "moved" in report.broken.detail

    @given(data=st.data(), length=st.integers(1, 5))
    def test_a_repeated_entry_is_named(self, data: st.DataObject, length: int) -> None:
        """An entry that stands once more is named where it stands."""
        ledger = ledger_of(length)
        lines = ledger.lines()
        which = data.draw(st.integers(0, length - 1))
        place = data.draw(st.integers(which + 1, length))
        lines.insert(place, lines[which])
        assert broken_at(ledger, lines) == place + 1

    def test_an_older_rollout_file_is_told(self) -> None:
        """A rollout.json put back from earlier does not pass for the state of things."""
        report = check(ledger_of(2).file(), ledger_of(5).lines(), is_torn=False)
        assert report.broken is not None
        assert report.broken.decision_number is None
        assert "older copy: it counts 2 of 5" in report.broken.detail

    def test_an_edited_rollout_file_is_told(self) -> None:
        """A phase that was written into rollout.json by hand shows."""
        ledger = ledger_of(2)
        edited = RolloutFile.after(making.rollout("canary-3"), ledger.entries[-1].counted)
        report = check(edited, ledger.lines(), is_torn=False)
        assert report.broken is not None
        assert "rollout.json was edited" in report.broken.detail

    def test_a_missing_rollout_file_is_told(self) -> None:
        """Only the very first decision can be ahead of a file that is not there yet."""
        assert check(None, ledger_of(1).lines(), is_torn=False).is_whole
        report = check(None, ledger_of(2).lines(), is_torn=False)
        assert report.broken is not None
        assert "missing" in report.broken.detail

    def test_an_ahead_entry_that_does_not_follow_is_named(self) -> None:
        """What stands behind the last known entry has to be chained to it."""
        lines = ledger_of(3).lines()
        lines.append(
            json.dumps(json.loads(ledger_of(4).lines()[3]) | {"previous_sha256": SHA}).encode()
        )
        report = check(ledger_of(3).file(), lines, is_torn=False)
        assert report.broken is not None
        assert report.broken.decision_number == 4

    @pytest.mark.parametrize(
        ("action", "said", "changes", "message"),
        [
            (Action.START, None, {}, "while another one is open"),
            (Action.FREEZE, None, {"frozen": FREEZE, "release": "1.5.0"}, "changes release"),
            (Action.FREEZE, None, {"frozen": FREEZE, "phase": "canary-2"}, "changes phase"),
            (Action.FREEZE, None, {}, "frozen, or free"),
            (Action.FREEZE, Verdict.HOLD, {"frozen": FREEZE}, "a verdict that does not fit"),
            (Action.RESUME, None, {}, "a verdict that does not fit"),
            (Action.RESUME, Verdict.HOLD, {"frozen": FREEZE}, "frozen, or free"),
            (Action.REENTER, Verdict.HOLD, {"policy_sha256": "0" * 64}, "changes policy_sha256"),
            (
                Action.REENTER,
                Verdict.HOLD,
                {"surfaces": (making.pin(), making.pin(name="voice"))},
                "what is judged",
            ),
            (Action.ADOPT, Verdict.HOLD, {"phases": ("preflight",)}, "without its phase"),
            (Action.ADVANCE, Verdict.HOLD, {"phase": "canary-2"}, "changes phase"),
            (Action.ADVANCE, Verdict.HOLD, {"held_by": ()}, "nothing that makes it a hold"),
            (Action.ADVANCE, Verdict.PROMOTE, {"phase": "canary-3"}, "does not follow canary-1"),
            (Action.ADVANCE, Verdict.PROMOTE, {}, "does not follow canary-1"),
            (
                Action.ADVANCE,
                Verdict.COMPLETE,
                {"status": RolloutStatus.COMPLETE},
                "not the last phase",
            ),
            (Action.ADVANCE, Verdict.HOLD, {"status": RolloutStatus.COMPLETE}, "changes status"),
            (Action.ADVANCE, Verdict.ROLLBACK, {"frozen": FREEZE}, "nothing that makes it a stop"),
            (Action.ROLLBACK, None, {"frozen": FREEZE}, "is open by rollback"),
            (Action.ROLLBACK, None, {"status": RolloutStatus.ROLLED_BACK}, "frozen, or free"),
            (Action.RECOVER, None, {}, "frozen, or free"),
            (Action.RECOVER, None, {"frozen": FREEZE, "phase": "canary-2"}, "changes phase"),
            (Action.CAPTURE, None, {}, "is open by capture"),
            (Action.ADVANCE, Verdict.PROMOTE, {"used_reports": ()}, "forgets a report"),
        ],
    )
    def test_what_no_command_leaves_is_told(
        self, action: Action, said: Verdict | None, changes: dict[str, Any], message: str
    ) -> None:
        """Digests that fit do not make a decision of it; neither is anything decided on it."""
        ledger = begun()
        held_by = changes.pop("held_by", ("x",) if said in {Verdict.HOLD, Verdict.ROLLBACK} else ())
        changes.setdefault("phase", "canary-2" if "used_reports" in changes else "canary-1")
        add(ledger, action, said, changes, held_by=held_by)
        self.assert_refused(ledger, message)

    def assert_refused(self, ledger: Ledger, message: str) -> None:
        """Check that the last entry is told of, also where it is ahead of `rollout.json`."""
        ahead = Ledger(entries=ledger.entries[:-1]).file() if len(ledger.entries) > 1 else None
        for file in (ledger.file(), ahead):
            report = check(file, ledger.lines(), is_torn=False)
            assert report.broken is not None, message
            assert message in report.broken.detail
            assert report.broken.decision_number == len(ledger.entries)
            with pytest.raises(RolloutUnusableError, match="no command leaves this"):
                standing(file, ledger.lines())

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"phase": "canary-1"}, "midway"),
            ({"canary_entered_unix_ms": ENTERED}, "midway"),
            ({"status": RolloutStatus.COMPLETE}, "midway"),
            ({"frozen": FREEZE}, "that is stopped"),
        ],
    )
    def test_a_start_that_is_none(self, changes: dict[str, Any], message: str) -> None:
        """Every rollout begins in its first phase, open and free."""
        after = making.rollout("preflight").replaced(**changes).checked()
        self.assert_refused(Ledger().add(after, Action.START), message)

    def test_what_goes_on_over_what_stops_it_is_told(self) -> None:
        """Over a closed rollout, a fired trigger, a freeze; and a trigger that is mute after."""
        after = making.rollout("preflight")
        self.assert_refused(Ledger().add(after, Action.FREEZE), "not open")
        held = begun()
        add(held, Action.ADVANCE, Verdict.ROLLBACK, {"frozen": FREEZE, "fired_triggers": (FIRED,)})
        for action, said, changes, message in (
            (Action.RESUME, Verdict.ROLLBACK, {"frozen": None}, "a rollback trigger had fired"),
            (Action.ADVANCE, Verdict.PROMOTE, {"phase": "canary-2"}, "goes on though held"),
            (Action.ADVANCE, Verdict.HOLD, {"fired_triggers": ()}, "changes fired_triggers"),
            (Action.ADVANCE, Verdict.ROLLBACK, {"fired_triggers": (OTHER,)}, "mutes"),
        ):
            ledger = Ledger(entries=list(held.entries))
            add(ledger, action, said, changes)
            self.assert_refused(ledger, message)
        entry = held.entries[-1].replaced(phase="canary-3")
        self.assert_refused(Ledger(entries=[*held.entries[:-1], entry]), "another release, phase")
        closed = begun()
        add(closed, Action.ROLLBACK, None, {"frozen": FREEZE, "status": RolloutStatus.ROLLED_BACK})
        add(closed, Action.FREEZE, None, {})
        self.assert_refused(closed, "not open")

    def test_a_new_chain_begins_with_what_stops(self) -> None:
        """It says why the chain before was set aside."""
        frozen = making.rollout(frozen=FREEZE)
        for reasons, is_whole in ((("it was not sound",), True), ((), False)):
            ledger = Ledger().add(frozen, Action.FREEZE, reasons=reasons)
            assert check(ledger.file(), ledger.lines(), is_torn=False).is_whole is is_whole
            with pytest.raises(RolloutUnusableError):  # nothing goes on without rollout.json
                standing(None, ledger.lines())

    def test_what_commands_make_is_possible(self) -> None:
        """Promotion, hold, adoption, completion, rollback and the next start pass."""
        ledger = begun()
        add(ledger, Action.ADVANCE, Verdict.HOLD, {})
        add(ledger, Action.ADOPT, Verdict.HOLD, {"policy_sha256": "0" * 64})
        add(ledger, Action.FREEZE, None, {"frozen": FREEZE})
        add(ledger, Action.REENTER, Verdict.HOLD, {"phase_entered_unix_ms": ENTERED + 1})
        add(ledger, Action.RESUME, Verdict.HOLD, {"frozen": None})
        for phase in ("canary-2", "canary-3", "general-availability"):
            add(ledger, Action.ADVANCE, Verdict.PROMOTE, {"phase": phase})
        add(ledger, Action.ADVANCE, Verdict.COMPLETE, {"status": RolloutStatus.COMPLETE})
        ledger.add(making.rollout("preflight", release="1.5.0"), Action.START)
        add(ledger, Action.FREEZE, None, {"frozen": FREEZE})
        add(ledger, Action.ROLLBACK, None, {"status": RolloutStatus.ROLLED_BACK})
        add(ledger, Action.CAPTURE, None, {})
        ledger.add(making.rollout("preflight", release="1.6.0"), Action.START)
        add(ledger, Action.RECOVER, None, {"frozen": FREEZE})
        add(ledger, Action.RESUME, Verdict.HOLD, {"frozen": None})
        add(ledger, Action.CANCEL, None, {"status": RolloutStatus.CANCELLED})
        add(ledger, Action.RECOVER, None, {})
        assert check(ledger.file(), ledger.lines(), is_torn=False).is_whole
        assert standing(ledger.file(), ledger.lines()) is not None

    @pytest.mark.parametrize("action", [Action.FREEZE, Action.ROLLBACK, Action.CANCEL])
    def test_what_was_seen_in_between_is_in_the_next_decision(self, action: Action) -> None:
        """'advance' notes the newest cycle without a decision; any next one takes it along."""
        ledger = begun()
        (pin,) = ledger.entries[-1].rollout_after.surfaces
        seen = Seen(position=LogPosition(cycle_number=9, event_sha256=SHA))
        frozen = {} if action is Action.CANCEL else {"frozen": FREEZE}
        ends = {
            Action.ROLLBACK: {"status": RolloutStatus.ROLLED_BACK},
            Action.CANCEL: {"status": RolloutStatus.CANCELLED},
        }.get(action, {})
        noted = {"surfaces": (pin.replaced(seen=seen),)}
        add(ledger, action, None, frozen | ends | noted)
        assert check(ledger.file(), ledger.lines(), is_torn=False).is_whole


class TestRolloutFile:
    """rollout.json reads back as it was, strictly."""

    def test_it_reads_back(self) -> None:
        """The rollout and the last decision."""
        file = RolloutFile.after(
            making.rollout(frozen=frozen_by("ada")), ledger_of(3).entries[-1].counted
        )
        assert RolloutFile.parse(file.as_document()) == file
        assert file.rollout == making.rollout(frozen=frozen_by("ada"))
        assert file.rollout.is_open

    @pytest.mark.parametrize(
        "damage",
        [
            lambda raw: raw[:-20],
            lambda raw: raw.replace(b'"release"', b'"releases"'),
            lambda raw: raw.replace(b'"status": "open"', b'"status": "open", "status": "open"'),
            lambda raw: raw.replace(b'"schema_version": 1', b'"schema_version": true'),
            lambda _raw: b"",
        ],
    )
    def test_damage_is_refused(self, damage: Callable[[bytes], bytes]) -> None:
        """Nothing is guessed."""
        raw = ledger_of(1).file().as_document()
        assert damage(raw) != raw
        with pytest.raises(FormRefusedError):
            RolloutFile.parse(damage(raw))


@pytest.mark.parametrize("verdict", Verdict)
def test_an_advance_that_does_not_go_on_counts_as_soon_as_it_is_written(verdict: Verdict) -> None:
    """One that holds or goes back only restrains; one that lets a release go does not."""
    entry = decided(making.rollout(), Action.ADVANCE, answer=answer(verdict))
    assert entry.restrains is (verdict in {Verdict.HOLD, Verdict.ROLLBACK})


def test_an_answer_is_news_unless_the_last_decision_says_the_same() -> None:
    """Of the same phase, for the same causes; once a trigger fired only another one is."""
    ledger = begun()
    gate = GateResult(
        name="soak", surface=None, status=GateStatus.FAIL, observed="0 s", required="30 min"
    )
    held = answer(Verdict.HOLD, gates=(gate,))
    add(ledger, Action.ADVANCE, Verdict.HOLD, {}, held_by=held.held_by)
    now = standing(ledger.file(), ledger.lines())
    assert now is not None
    assert not now.is_news(held)
    assert now.is_news(held._replace(phase="canary-2"))
    assert now.is_news(held._replace(verdict=Verdict.PROMOTE))
    assert now.is_news(held._replace(gates=(gate, gate._replace(name="x"))))
    fired = held._replace(verdict=Verdict.ROLLBACK, triggers=(trigger("t", surface=None),))
    assert now.is_news(fired)
    entry = now.last.replaced(verdict=Verdict.ROLLBACK, held_by=("t", "soak"))
    latched = now._replace(last=entry)
    assert not latched.is_news(fired)
    assert latched.is_news(fired._replace(triggers=(*fired.triggers, trigger("u"))))
    over = now.rollout.replaced(status=RolloutStatus.ROLLED_BACK)
    assert not now._replace(rollout=over).is_news(fired)
