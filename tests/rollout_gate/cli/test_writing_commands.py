"""The commands that write, as people call them: what they record, refuse and print."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.files.record import load
from tau_rollout_gate.services.actor import CI_ACTORS
from tests.rollout_gate import making
from tests.rollout_gate.making import ENTERED, MINUTE, History, failed
from tests.rollout_gate.recording import ROLLOUT_DIR, Gate, Ledger, led_to

STATE_DIR = ".tau/custom-command"
REPORT = {"schema_version": 1, "total": 3, "passed": 3, "failed": 0}


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Return the command in an empty folder."""
    return Gate(tmp_path)


def promoted(gate: Gate, *options: str, now_unix_ms: int = ENTERED) -> None:
    """Have a rollout in canary-1, its evidence starting with an empty log."""
    gate.begin("--now-unix-ms", str(now_unix_ms - MINUTE), *options)
    (gate.folder / "report.json").write_text(json.dumps(REPORT))
    done = gate(
        "advance", "--validation", "report.json", "--now-unix-ms", str(now_unix_ms), "--by", "ci"
    )
    assert done.code == 0, done.out + done.err
    assert load(gate.root).rollout.phase == "canary-1"


class TestStart:
    """`start` opens, or refuses and writes nothing."""

    @pytest.mark.parametrize(
        ("options", "code"),
        [(("--rollout-dir", "circle"), 5), (("--surface", "custom-command=circle"), 0)],
    )
    def test_links_that_lead_in_a_circle(
        self, gate: Gate, options: tuple[str, str], code: int
    ) -> None:
        """As a directory of rollouts they are refused; as a surface they have no evidence."""
        (gate.folder / "circle").symlink_to("circle")
        done = gate("start", "--release", "1.4.0", "--rollback-to", "1.3.2", "--by", "a", *options)
        assert done.code == code, done
        assert ("circle" in done.err) == bool(code)

    def test_it_opens_at_preflight(self, gate: Gate) -> None:
        """With what the options said; the record says who and when."""
        done = gate(
            *("start", "--release", "v1.4.0-rc.1", "--rollback-to", "v1.3.2", "--by", "ada"),
            *("--channel", "beta", "--rollback-channel", "stable", "--cycle-interval", "90s"),
            *("--registry-changes-expected", "--now-unix-ms", str(ENTERED)),
            *("--expect", "voice:runtime_version=1=2", "--surface", "voice=.tau/voice"),
        )
        assert (done.code, done.err) == (0, "")
        rollout, token = load(gate.root).rollout, load(gate.root).decisions.token
        assert done.out == f"opened: v1.4.0-rc.1 in preflight (decision {token}, by ada)\n"
        assert rollout.cycle_interval_ms == 90_000
        assert rollout.registry_changes_expected
        assert (rollout.channel, rollout.rollback.rollback_channel) == ("beta", "stable")
        assert rollout.started_unix_ms == ENTERED
        (pin,) = rollout.surfaces
        assert (pin.name, pin.state_dir, pin.expected) == (
            "voice",
            str(gate.folder / ".tau/voice"),
            {"runtime_version": "1=2"},
        )

    def test_the_defaults(self, gate: Gate) -> None:
        """Stable, the custom command, the built-in policy and its interval, the clock's time."""
        gate.begin()
        rollout = load(gate.root).rollout
        assert (rollout.channel, rollout.rollback.rollback_channel) == ("stable", "stable")
        assert [(pin.name, pin.state_dir) for pin in rollout.surfaces] == [
            ("custom-command", str(gate.folder / STATE_DIR))
        ]
        assert rollout.cycle_interval_ms == 5 * MINUTE
        assert rollout.policy_file is None
        assert rollout.started_unix_ms > ENTERED

    @pytest.mark.parametrize(
        "options",
        [
            ["--release", "1.4"],
            ["--release", "1.3.2"],
            ["--release", "1.4.0-rc.1"],
            ["--release", "2.0.0"],
            ["--rollback-ref", "-x"],
            ["--rollback-ref", "a..b"],
            ["--rollback-ref", "a b"],
            ["--rollback-ref", ""],
            ["--cycle-interval", "soon"],
            ["--cycle-interval", "0s"],
            ["--surface", "voice"],
            ["--surface", b"voice=\xff"],
            ["--expect", "voice:runtime_version=1"],
            ["--expect", "custom-command:health=1"],
            ["--expect", "custom-command:release=1.4.1"],
            ["--surface", "voice=s", "--surface", "memory=./x/../s"],
            ["--by", b"\xff"],
            ["--channel", "nightly"],
            ["--now-unix-ms", str(2**63)],
            ["--rollout-dir", b"ro-\xe9"],
            ["--release", f"1.4.0+{'a' * 123}"],
            ["--rollback-to", f"1.3.2+{'a' * 123}"],
            ["--rollout-dir", ".tau"],
            ["--rollout-dir", ".tau/custom-command"],
            ["--rollout-dir", ".tau/../.tau/custom-command/ro"],
        ],
        ids=str,
    )
    def test_what_is_refused_writes_nothing(self, gate: Gate, options: list[str]) -> None:
        """Not even the directory is made; exit 2 and a message."""
        done = gate("start", "--release", "1.4.0", "--rollback-to", "1.3.2", *options)
        assert done.code == 2
        assert done.out == ""
        assert done.err
        assert gate.contents() == {}

    def test_a_file_in_the_place_of_the_directory(self, gate: Gate) -> None:
        """It is told as that: no rollout was ever there, and none is lost."""
        (gate.folder / "file").touch()
        done = gate(
            *("start", "--release", "1.4.0", "--rollback-to", "1.3.2", "--rollout-dir", "file")
        )
        assert done.code == 5
        assert done.err == "error: file/rollout.json: cannot read: Not a directory\n"

    def test_each_surface_has_a_directory_of_its_own(self, gate: Gate) -> None:
        """What one of them did is no evidence of the other, by whatever name it goes."""
        (gate.folder / "s").mkdir()
        (gate.folder / "link").symlink_to("s")
        surfaces = ("--surface", "voice=s", "--surface", "memory=link")
        done = gate("start", "--release", "1.4.0", "--rollback-to", "1.3.2", *surfaces)
        assert done.code == 2
        assert "is given for voice and for memory: each surface has a state dir" in done.err

    def test_a_policy_that_cannot_be_used(self, gate: Gate) -> None:
        """Exit 5, and nothing is written."""
        done = gate(
            "start", "--release", "1.4.0", "--rollback-to", "1.3.2", "--policy", "gone.toml"
        )
        assert done.code == 5
        assert "gone.toml" in done.err
        assert gate.contents() == {}

    def test_a_second_open_rollout_is_refused(self, gate: Gate) -> None:
        """The first one stays as it is, byte for byte."""
        gate.begin()
        before = gate.contents()
        done = gate("start", "--release", "1.5.0", "--rollback-to", "1.4.0")
        assert done.code == 2
        assert "1.4.0 is open, in preflight" in done.err
        assert "end it with 'cancel --reason WHY'" in done.err  # nobody has it: nothing goes back
        assert gate.contents() == before

    def test_after_a_rollback_the_next_one_starts(self, gate: Gate) -> None:
        """In the same directory and the same chain; the closed one is archived."""
        gate.begin()
        assert gate("rollback", "--reason", "bad").code == 0
        assert gate("start", "--release", "1.4.1", "--rollback-to", "1.3.2").code == 0
        assert load(gate.root).decisions.count == 4
        assert [path.name for path in (gate.root / "archive").iterdir()] == ["000003-1.4.0.json"]
        assert gate("verify").code == 0

    def test_without_a_target_it_goes_back_to_what_was_completed_last(self, gate: Gate) -> None:
        """Said on stderr and in the record; what was rolled back since does not count."""
        closed = self._closed("1.3.0", RolloutStatus.COMPLETE, "1.3.1", RolloutStatus.ROLLED_BACK)
        closed.write(gate.root)
        done = gate("start", "--release", "1.4.0", "--by", "ada")
        assert done.code == 0
        assert done.out.startswith("opened: 1.4.0 in preflight (decision 9:")
        why = "goes back to 1.3.0 on stable: completed here last, by decision 6"
        assert done.err == f"note: 1.4.0 {why}\n"
        assert load(gate.root).rollout.rollback.rollback_version == "1.3.0"
        assert load(gate.root).last.reason == why
        assert gate("verify").code == 0

    def test_without_a_target_where_none_was_completed(self, gate: Gate) -> None:
        """Refused by the option's name; not even the directory is made."""
        done = gate("start", "--release", "1.4.0")
        assert done.code == 2
        assert "--rollback-to: this rollout directory has completed no release yet" in done.err
        assert gate.contents() == {}
        self._closed("1.3.0", RolloutStatus.ROLLED_BACK).write(gate.root)
        assert gate("start", "--release", "1.4.0").code == 2

    def test_without_a_target_where_the_record_is_not_whole(self, gate: Gate) -> None:
        """What cannot be read is not known: refused by the option's name, which helps."""
        self._closed("1.3.0", RolloutStatus.COMPLETE, "1.3.1", RolloutStatus.COMPLETE).write(
            gate.root
        )
        path = gate.root / "decisions.jsonl"
        for damage in (b"x", b'{"schema_version":1}'):
            lines = path.read_bytes().splitlines()
            path.write_bytes(b"\n".join([lines[0], damage, *lines[2:], b""]))
            before = gate.contents()
            done = gate("start", "--release", "1.4.0")
            assert done.code == 2
            assert "--rollback-to: what this rollout directory completed last is not" in done.err
            assert gate.contents() == before
        assert gate("start", "--release", "1.4.0", "--rollback-to", "1.3.1").code == 0

    @staticmethod
    def _closed(*ends: str | RolloutStatus) -> Ledger:
        """Return the ledger of rollouts one after another: each a release, and how it ended."""
        ledger = Ledger()
        for release, status in zip(ends[::2], ends[1::2], strict=True):
            phase = "general-availability" if status is RolloutStatus.COMPLETE else "preflight"
            led_to(making.rollout(phase, release=release, status=status), ledger)
        return ledger

    def test_a_major_jump_that_is_allowed(self, gate: Gate) -> None:
        """A refusal with an option against it."""
        done = gate("start", "--release", "2.0.0", "--rollback-to", "1.3.2", "--allow-major")
        assert done.code == 0, done.err

    def test_a_newer_target_that_is_allowed(self, gate: Gate) -> None:
        """Named the wrong way round it is refused; who means it says so."""
        versions = ("--release", "1.3.2", "--rollback-to", "1.4.0")
        assert gate("start", *versions).code == 2
        assert gate.contents() == {}
        assert gate("start", *versions, "--allow-downgrade").code == 0

    def test_what_lint_finds_is_told(self, gate: Gate) -> None:
        """On stderr, for the interval and surfaces of this rollout; it opens all the same."""
        gate("policy", "init", "mine.toml")
        gate.begin("--policy", "mine.toml")
        assert gate("rollback", "--reason", "r").code == 0
        versions = ("--release", "1.4.0", "--rollback-to", "1.3.2")
        done = gate("start", *versions, "--policy", "mine.toml", "--cycle-interval", "10m")
        assert done.code == 0
        assert done.err == (
            "warning: policy: phases[1].soak: holds under 4 cycle intervals of 10 min: too few to "
            "tell work_advances\n"
        )


class TestByHand:
    """Freeze, resume, reenter, adopt: recorded, or refused without a trace."""

    def test_freeze_and_resume(self, gate: Gate) -> None:
        """Each is recorded with who and why."""
        gate.begin()
        done = gate("freeze", "--reason", " look at it ", "--by", "ada")
        token = load(gate.root).decisions.token
        assert done.out == f"frozen: 1.4.0 in preflight (decision {token}, by ada)\n"
        assert gate("resume", "--reason", "fine").code == 0
        history = json.loads(gate("history", "--format", "json").out)["decisions"]
        assert [(one["action"], one["reason"]) for one in history] == [
            ("start", None),
            ("freeze", "look at it"),
            ("resume", "fine"),
        ]

    @pytest.mark.parametrize("variable", CI_ACTORS[:2])
    def test_who_asked_is_the_ci_s_actor(self, gate: Gate, variable: str) -> None:
        """Where nobody says."""
        gate.begin()
        done = gate("freeze", "--reason", "r", env={variable: "robot"})
        assert "by robot" in done.out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["resume", "--reason", "r"], "not frozen"),
            (["policy", "adopt", "--reason", "r"], "the policy the rollout has"),
            (["freeze", "--reason", " "], "--reason: is empty"),
            (["freeze", "--reason", b"\xff"], "--reason: is not UTF-8"),
            (["freeze"], "--reason"),
        ],
        ids=str,
    )
    def test_what_is_refused_writes_nothing(
        self, gate: Gate, arguments: list[str], message: str
    ) -> None:
        """Exit 2, and every file as it was."""
        gate.begin()
        before = gate.contents()
        done = gate(*arguments)
        assert done.code == 2
        assert message in done.err
        assert gate.contents() == before

    @pytest.mark.parametrize("command", ["resume", "reenter"])
    @pytest.mark.parametrize(
        "options",
        [["--surface", "voice=x"], ["--policy", "gone.toml"], ["--policy", "other.toml"]],
        ids=str,
    )
    def test_another_name_or_policy_is_refused(
        self, gate: Gate, command: str, options: list[str]
    ) -> None:
        """Exit 5: it is not the rollout that was meant."""
        gate.begin()
        assert gate("policy", "init", "other.toml", "--expected-malformed", "ignore").code == 0
        before = gate.contents()
        done = gate(command, "--reason", "r", *options)
        assert done.code == 5, done.err
        assert gate.contents() == before

    @pytest.mark.parametrize(
        "command", [["freeze"], ["resume"], ["reenter"], ["rollback"], ["policy", "adopt"]]
    )
    def test_without_a_rollout(self, gate: Gate, command: list[str]) -> None:
        """Exit 5, a hint, and no directory."""
        done = gate(*command, "--reason", "r")
        assert done.code == 5
        assert "open one with 'start'" in done.err
        assert gate.contents() == {}

    @pytest.mark.parametrize("command", ["resume", "reenter", "adopt"])
    @pytest.mark.parametrize("is_recorded", [True, False])
    def test_a_fired_trigger_refuses(self, gate: Gate, command: str, *, is_recorded: bool) -> None:
        """Also one that only the files tell; `rollback` is what is left."""
        promoted(gate)
        log = (
            History().every(MINUTE, 1).every(MINUTE, 2, after=ENTERED + MINUTE, **failed(streak=1))
        )
        log.write(gate.folder / STATE_DIR)
        now = ["--now-unix-ms", str(ENTERED + 4 * MINUTE)]
        if is_recorded:
            assert gate("advance", *now).code == 4
        else:
            assert gate("freeze", "--reason", "r", *now).code == 0
        assert gate("policy", "init", "other.toml", "--expected-malformed", "ignore").code == 0
        before = gate.contents()
        words = ["policy", "adopt", "--policy", "other.toml"] if command == "adopt" else [command]
        done = gate(*words, "--reason", "r", *now)
        assert done.code == 2
        assert "rollback trigger fired" in done.err
        assert gate.contents() == before

    def test_reenter_leaves_damage_behind(self, gate: Gate) -> None:
        """An invalid line holds for ever, and after it the phase counts anew."""
        promoted(gate)
        log = History().every(MINUTE, 2)
        log.lines[0] = b"no event\n"
        log.write(gate.folder / STATE_DIR)
        now = ["--now-unix-ms", str(ENTERED + 3 * MINUTE)]
        held = json.loads(gate("evaluate", "--format", "json", *now).out)["gates"]
        assert [one["status"] for one in held if one["name"] == "lines_valid"] == ["fail"]
        again = ("reenter", "--reason", "the disk was full", *now)
        assert "--accept-lost-evidence" in gate(*again).err
        assert gate(*again).code == 2
        done = gate(*again, "--accept-lost-evidence")
        assert done.code == 0, done.err
        assert done.out.startswith("entered anew: 1.4.0 in canary-1")
        rollout = load(gate.root).rollout
        assert rollout.phase_entered_unix_ms == ENTERED + 3 * MINUTE
        assert rollout.surfaces[0].phase_from is not None
        assert rollout.surfaces[0].phase_from.event_sha256 == log.position().event_sha256
        warnings = json.loads(gate("evaluate", "--format", "json", *now).out)["warnings"]
        assert any("1 or more lines of the evidence" in one for one in warnings)
        assert gate("verify").code == 0

    def test_adopt_changes_the_policy(self, gate: Gate) -> None:
        """From then on the rollout is judged by it, and by no other."""
        gate.begin()
        assert gate("policy", "init", "other.toml", "--expected-malformed", "ignore").code == 0
        done = gate("policy", "adopt", "--reason", "as agreed", "--policy", "other.toml")
        assert done.code == 0, done.err
        assert load(gate.root).rollout.policy_file == str(gate.folder / "other.toml")
        assert gate("evaluate").code == 3
        (gate.folder / "other.toml").unlink()
        assert gate("evaluate").code == 3  # it is kept
        assert gate("verify").code == 0


class TestRollback:
    """The record first, then the evidence, then what is left to do."""

    def test_it_captures_and_closes(self, gate: Gate) -> None:
        """State, rollout, policy, report and attachments are in it; the steps name real things."""
        promoted(gate, "--rollback-ref", "v1.3.2")
        History().every(MINUTE, 2).write(gate.folder / STATE_DIR)
        (gate.folder / "screen.png").write_bytes(b"png")
        now = str(ENTERED + 3 * MINUTE)
        done = gate(
            *("rollback", "--reason", "users see errors", "--by", "ada"),
            *("--attach", "screen.png", "--now-unix-ms", now),
        )
        assert (done.code, done.err) == (0, "")
        rollout = load(gate.root).rollout
        assert rollout.status == "rolled_back"
        assert rollout.frozen is not None
        assert rollout.rollback.rollback_reason == "users see errors"
        assert rollout.rollback.rollback_reference_unix_ms == int(now)
        incident = "20260101T000300Z-1.4.0"
        archive, state_dir = gate.root / "evidence" / f"{incident}.tar.gz", gate.folder / STATE_DIR
        for expected in (
            f"evidence: {gate.root}/evidence/{incident}.tar.gz",
            f"tau-custom-command pause --reason '1.4.0 is rolled back' --state-dir {state_dir}",
            f"tau-custom-command unpause --state-dir {state_dir}",
            f"cp -a {state_dir} {state_dir}.{incident}",
            "2026-01-01T00:03:00Z",
            "1.3.2 on stable",
            "git revert --no-edit v1.3.2..HEAD",
            "Validate again",
            "start --release VERSION --rollback-to 1.3.2 --channel stable",
            f"--rollout-dir {gate.root} --surface custom-command={state_dir} --cycle-interval 5m",
        ):
            assert expected in done.out
        explained = gate("explain", "--now-unix-ms", now)
        assert explained.code == 4
        for again in (
            str(archive),
            f"--rollout-dir {gate.root} ",
            f"cp -a {state_dir} ",
            "git revert --no-edit v1.3.2..HEAD",
        ):
            assert again in explained.out
        assert f"evidence        {archive}" in gate("status").out
        elsewhere = Gate(gate.folder / "elsewhere")
        elsewhere.folder.mkdir()
        where = ("--rollout-dir", f"../{ROLLOUT_DIR}")
        assert f"{ROLLOUT_DIR}/evidence/{archive.name}" in elsewhere("status", *where).out
        assert f"--rollout-dir {elsewhere.folder}/../{ROLLOUT_DIR} " in (
            elsewhere("explain", *where, "--now-unix-ms", now).out
        )
        subprocess.run(["tar", "-xzf", archive], cwd=gate.folder, check=True)  # noqa: S607 - found by PATH
        top = gate.folder / incident
        subprocess.run(
            ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],  # noqa: S607 - as above
            cwd=top,
            check=True,
        )
        state = top / "state" / "custom-command"
        assert (state / "runtime-events.jsonl").read_bytes()
        assert (top / "rollout" / "decisions.jsonl").read_bytes().count(b"\n") == 3
        assert b"phases" in (top / "policy.toml").read_bytes()
        assert json.loads((top / "judged" / "1-report.json").read_text()) == REPORT
        assert (top / "attached" / "1-screen.png").read_bytes() == b"png"
        assert stat.S_IMODE(archive.stat().st_mode) == 0o600
        (recorded,) = load(gate.root).last.inputs
        digest = subprocess.run(["sha256sum", archive], capture_output=True, check=True)  # noqa: S607 - as above
        assert digest.stdout.decode().startswith(recorded.sha256)

    def test_what_is_left_out_is_told(self, gate: Gate) -> None:
        """On stderr: stdout is the steps."""
        gate.begin()
        done = gate("rollback", "--reason", "bad")
        assert f"note: state/custom-command was not there: {gate.folder / STATE_DIR}" in done.err


def test_what_cannot_be_read_hides_no_trigger(gate: Gate) -> None:
    """A checklist that is being filled in, a broken report: exit 4 and recorded all the same."""
    promoted(gate)
    History().every(MINUTE, 2, **failed(streak=1)).write(gate.folder / STATE_DIR)
    now = ("--now-unix-ms", str(ENTERED + 3 * MINUTE))
    (gate.root / "signoff.toml").write_text('owner = "Ann')
    (gate.folder / "report.json").write_text('{"total": 1')
    assert gate("explain", *now).code == 4
    done = gate("advance", "--validation", "report.json", *now)
    assert done.code == 4
    assert "report.json: not a validation report" in " ".join(done.out.split())
    assert load(gate.root).last.verdict == "rollback"


@pytest.mark.parametrize("named", [True, False])
def test_a_sign_off_that_cannot_be_read_holds_where_it_is_needed(
    gate: Gate, *, named: bool
) -> None:
    """No error of the question: the gate is unknown, and says why; before, nobody reads it."""
    promoted(gate)
    History().every(MINUTE, 2).write(gate.folder / STATE_DIR)
    now = ("--now-unix-ms", str(ENTERED + 2 * MINUTE))
    path = gate.folder / "mine.toml" if named else gate.root / "signoff.toml"
    path.write_text('owner = "Ann')
    question = ("evaluate", "--json", *(("--signoff", str(path)) if named else ()), *now)
    gates = json.loads(gate(*question).out)["gates"]
    assert "signoff_checklist" not in {one["name"] for one in gates}
    last = load(gate.root).rollout.replaced(phase="general-availability")
    ledger = led_to(last)
    shutil.rmtree(gate.root)
    ledger.write(gate.root)
    if not named:
        path.write_text('owner = "Ann')
    done = gate(*question)
    (checklist,) = (g for g in json.loads(done.out)["gates"] if g["name"] == "signoff_checklist")
    assert (done.code, checklist["status"]) == (3, "unknown")
    assert str(path.name) in checklist["observed"]
    assert "not TOML" in checklist["observed"]


class TestLooking:
    """Status, history, verify."""

    def test_status_says_where_it_stands(self, gate: Gate) -> None:
        """As text for people and as JSON for programs; terminal escapes are made harmless."""
        gate.begin()
        assert "not frozen" in gate("status").out
        assert "not judged here; 'tau-rollout-gate evaluate' does" in gate("status").out
        assert gate("freeze", "--reason", "look \x1b[31mat it", "--by", "ada").code == 0
        text = gate("status").out
        assert "1.4.0 on stable, open since" in text
        assert r"frozen by ada since" in text
        assert "\x1b" not in text
        assert r"look \x1b[31mat it" in text
        value = json.loads(gate("status", "--format", "json").out)
        assert (value["release"], value["phase"], value["decisions"]["count"]) == (
            "1.4.0",
            "preflight",
            2,
        )

    def test_status_of_what_fired_and_went_back(self, gate: Gate) -> None:
        """Triggers with what was seen, the target with the reason."""
        promoted(gate)
        History().every(MINUTE, 2, **failed(streak=1)).write(gate.folder / STATE_DIR)
        assert gate("advance", "--now-unix-ms", str(ENTERED + 3 * MINUTE)).code == 4
        assert gate("rollback", "--reason", "as told").code == 0
        text = gate("status").out
        assert "not judged here" not in text
        history = gate("history").out.splitlines()
        assert history[2].endswith("ci")  # a promotion needs no reason
        assert history[3].endswith("  health_regression, hard_runtime_errors")
        assert "rolled back" in text
        assert "custom-command: health_regression: " in text
        assert "1.3.2 on stable: as told" in text

    def test_a_hold_in_the_history_names_its_gates(self, gate: Gate) -> None:
        """Not the sentences, which the JSON has; one surface needs no name."""
        promoted(gate)
        History().every(MINUTE, 2).write(gate.folder / STATE_DIR)
        assert gate("advance", "--now-unix-ms", str(ENTERED + 3 * MINUTE)).code == 3
        assert gate("history").out.splitlines()[-1].endswith("  soak")

    def test_explain_gives_commands_to_copy(self, gate: Gate) -> None:
        """With the directory, the surfaces and the files as they were given."""
        (gate.folder / "report.json").write_text(json.dumps(REPORT))
        at = ["--rollout-dir", "there"]
        gate.begin(*at, "--surface", "custom-command=x")
        policy = gate("policy", "show").out
        (gate.folder / "my.toml").write_text(policy)
        History().every(MINUTE, 1).write(gate.folder / "y")
        asked = ["--surface", "custom-command=y", "--policy", "my.toml"]
        done = gate("explain", *at, *asked, "--validation", "report.json")
        assert (
            "  tau-rollout-gate advance --rollout-dir there --surface custom-command=y --policy "
            "my.toml --validation report.json\n"
        ) in done.out

    def test_history_is_a_table(self, gate: Gate) -> None:
        """Columns begin where their headings do."""
        gate.begin()
        assert gate("freeze", "--reason", "look at it", "--by", "somebody").code == 0
        heading, first, second = gate("history").out.splitlines()
        column = heading.index("DECISION")
        assert first[column:].startswith("start")
        assert second[column:].startswith("freeze")
        assert second.endswith("look at it")

    def test_verify_of_a_whole_chain(self, gate: Gate) -> None:
        """Exit 0, with the number of decisions."""
        gate.begin()
        done = gate("verify")
        assert (done.code, done.out) == (
            0,
            "whole: 1 decision, none altered, removed or reordered\n",
        )
        value = json.loads(gate("verify", "--format", "json").out)
        assert value == {
            "schema_version": 1,
            "is_whole": True,
            "decisions": 1,
            "broken_at": None,
            "remarks": [],
        }

    def test_verify_names_where_the_chain_breaks(self, gate: Gate) -> None:
        """Exit 3, in both forms."""
        gate.begin("--by", "ada")
        assert gate("freeze", "--reason", "r").code == 0
        ledger = gate.root / "decisions.jsonl"
        ledger.write_bytes(ledger.read_bytes().replace(b'"by":"ada"', b'"by":"eve"', 1))
        done = gate("verify")
        why = (
            "it does not follow the one before it: one of the two was altered, or entries were "
            "removed or moved"
        )
        assert (done.code, done.out) == (3, f"broken at entry 2: {why}\n")
        value = json.loads(gate("verify", "--json").out)
        assert value["broken_at"] == {"decision_number": 2, "detail": why}

    def test_verify_tells_an_edited_rollout_file(self, gate: Gate) -> None:
        """A phase written by hand is not where the rollout stands, and nothing decides on it."""
        gate.begin()
        file = gate.root / "rollout.json"
        file.write_bytes(file.read_bytes().replace(b'"preflight"', b'"canary-3"'))
        done = gate("verify")
        assert done.code == 3
        assert "rollout.json was edited" in done.out
        for command in (["status"], ["evaluate"], ["resume", "--reason", "r"]):
            assert gate(*command).code == 5

    @pytest.mark.parametrize("command", ["status", "history", "verify"])
    def test_nothing_there(self, gate: Gate, command: str) -> None:
        """Exit 5, and a hint."""
        done = gate(command)
        assert done.code == 5
        assert "open one with 'start'" in done.err


class TestTwoAtOnce:
    """Processes wait for one another; each decision is recorded once."""

    def test_two_freezes_at_once(self, gate: Gate) -> None:
        """One freezes, the other is told that it is frozen."""
        gate.begin()
        running = [gate.popen("freeze", "--reason", f"r{number}") for number in range(2)]
        codes = []
        for each in running:
            _, err = each.communicate(timeout=60)
            assert b"Traceback" not in err
            codes.append(each.returncode)
        assert sorted(codes) == [0, 2]
        assert load(gate.root).decisions.count == 2

    def test_two_starts_at_once(self, gate: Gate) -> None:
        """One opens, the other is refused."""
        running = [
            gate.popen("start", "--release", release, "--rollback-to", "1.3.2")
            for release in ("1.4.0", "1.5.0")
        ]
        for each in running:
            each.communicate(timeout=60)
        assert sorted(each.returncode for each in running) == [0, 2]
        assert load(gate.root).decisions.count == 1

    def test_two_advances_at_once(self, gate: Gate) -> None:
        """One moves, the other sees it moved: never two phases for one soak."""
        gate.begin()
        (gate.folder / "report.json").write_text(json.dumps(REPORT))
        running = [gate.popen("advance", "--validation", "report.json") for _ in range(2)]
        for each in running:
            _, err = each.communicate(timeout=60)
            assert b"Traceback" not in err
        assert 0 in [each.returncode for each in running]
        assert load(gate.root).rollout.phase == "canary-1"
        moves = [
            line
            for line in (gate.root / "decisions.jsonl").read_text().splitlines()
            if json.loads(line)["verdict"] == "promote"
        ]
        assert len(moves) == 1
        assert gate("verify").code == 0


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_whatever_the_umask(gate: Gate, mask: int) -> None:
    """All that a rollout leaves is private."""
    for arguments in (
        ["start", "--release", "1.4.0", "--rollback-to", "1.3.2"],
        ["rollback", "--reason", "bad"],
        ["start", "--release", "1.4.1", "--rollback-to", "1.3.2"],
    ):
        assert gate.process(*arguments, umask=mask).code == 0
    for path in gate.folder.rglob("*"):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.lstat().st_mode) == expected, path
    assert os.listdir(gate.root / "evidence")  # noqa: PTH208 - whether there is one at all
