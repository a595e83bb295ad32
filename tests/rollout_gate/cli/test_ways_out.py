"""There is always a way out: what stops a rollout works whatever is wrong, and nothing is lost."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

import tau_rollout_gate
from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.files.incident.archive import NOTES
from tau_rollout_gate.files.record import load
from tests.rollout_gate import making
from tests.rollout_gate.cli.test_writing_commands import STATE_DIR, promoted
from tests.rollout_gate.making import ENTERED, HOUR, MINUTE, History, failed
from tests.rollout_gate.recording import ROLLOUT_DIR, Gate, environment, led_to

BACK = ("rollback", "--reason", "users see errors")
PACKAGE = Path(tau_rollout_gate.__file__).parent
STEPS = "Nothing is reverted yet. Now, in this order:"


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Return the command in an empty folder."""
    return Gate(tmp_path)


def _lost(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xff no JSON\n")


def _altered(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1.3.2", b"1.3.1", 1))


def _cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _folder_with_a_file(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def _dangling_link(path: Path) -> None:
    path.symlink_to(path.parents[3] / "nowhere")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Have every file end at `size` bytes, as on a disk that is full."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


DAMAGE: list[tuple[str, Callable[[Path], None]]] = [
    (name, damage)
    for name in ("rollout.json", "decisions.jsonl")
    for damage in (_lost, _empty, _garbage, _altered, _cut, _folder, _link)
]


class TestRollback:
    """`rollback` is recorded first, and captures what can be read."""

    def test_what_cannot_be_captured_is_told_and_it_is_rolled_back(self, gate: Gate) -> None:
        """By name and reason, in the answer, by `status` and by `explain`; again captures again."""
        promoted(gate)
        done = gate(*BACK, "--attach", "gone.log")
        assert done.code == 5
        missing = "attached/1-gone.log: cannot be read: No such file or directory"
        assert f"not captured: {missing}" in done.out
        assert STEPS in done.out
        standing = load(gate.root)
        assert standing.rollout.status is RolloutStatus.ROLLED_BACK
        assert standing.rollout.frozen is not None
        assert f"not captured    {missing}" in gate("status").out
        told = gate("explain")
        assert told.code == 4
        assert missing in told.out
        assert "Leave everything" not in told.out
        again = gate(*BACK)
        assert (again.code, "not captured" in again.out) == (0, False)
        assert len(list((gate.root / "evidence").iterdir())) == 2
        assert "not captured" not in gate("status").out
        assert load(gate.root).rollout == standing.rollout
        assert gate("verify").code == 0

    def test_many_things_that_are_lacking_are_counted(self, gate: Gate) -> None:
        """A decision names some, the archive all."""
        gate.begin()
        done = gate(*BACK, *(f"--attach=gone-{number}" for number in range(30)))
        assert done.out.count("not captured: ") == 30
        assert "and 10 more, which the archive names" in gate("status").out

    def test_an_archive_that_cannot_be_written(self, gate: Gate) -> None:
        """It is rolled back, the steps are printed, and it can be captured later."""
        gate.begin()
        (gate.folder / "noise").write_bytes(os.urandom(100_000))
        with files_of_at_most(50_000):
            done = gate(*BACK, "--attach", "noise")
        assert done.code == 5
        assert done.out.startswith("rolled back, no evidence captured: ")
        assert "not captured: " in done.out
        assert STEPS in done.out
        assert load(gate.root).rollout.status is RolloutStatus.ROLLED_BACK
        assert "evidence: none" in gate("explain").out
        assert gate(*BACK, "--attach", "noise").code == 0
        assert gate("verify").code == 0

    def test_a_disk_that_cannot_be_written(self, gate: Gate) -> None:
        """Nothing is recorded, which is said first; the steps are printed all the same."""
        promoted(gate)
        (gate.folder / STATE_DIR).mkdir(parents=True)
        with files_of_at_most(0):
            done = gate(*BACK)
        assert done.code == 5
        assert done.out.startswith("NOT RECORDED")
        assert "rollout.json" in done.out
        assert STEPS in done.out
        assert f"{STATE_DIR} {gate.folder / STATE_DIR}.incident" in done.out
        assert load(gate.root).rollout.is_open

    @pytest.mark.parametrize("put", [_folder_with_a_file, _dangling_link, os.mkfifo])
    @pytest.mark.parametrize(
        "name",
        [".lock", "rollout.json.new", "decisions.jsonl.corrupt", "evidence", "inputs", "archive"],
    )
    def test_what_stands_in_the_way_is_set_aside(
        self, gate: Gate, name: str, put: Callable[[Path], None]
    ) -> None:
        """In the place of a file or folder of the gate's: it is told, kept, and not followed."""
        promoted(gate)
        with (gate.root / "decisions.jsonl").open("ab") as ledger:
            ledger.write(b"half a li")
        path = gate.root / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        put(path)
        is_folder = name in {"evidence", "inputs", "archive"} and path.is_dir()
        done = gate(*BACK)
        assert done.code in {0, 5}, done.out  # what was in `inputs` is missing now
        assert "NOT RECORDED" not in done.out
        assert "evidence captured" in done.out
        next_one = gate("start", "--release", "1.4.1", "--rollback-to", "1.3.2")
        assert next_one.code == 0, next_one.err
        assert is_folder or f"note: {name} was no " in done.err + next_one.err
        assert is_folder or os.path.lexists(gate.root / f"{name}.1.corrupt")
        assert not (gate.folder / "nowhere").exists()

    def test_after_complete(self, gate: Gate) -> None:
        """Until the next one starts."""
        led_to(making.rollout("general-availability", status=RolloutStatus.COMPLETE)).write(
            gate.root
        )
        done = gate(*BACK)
        assert done.code == 0, done.out + done.err
        assert load(gate.root).rollout.status is RolloutStatus.ROLLED_BACK

    @pytest.mark.parametrize(
        "options", [["--surface=voice=x"], ["--policy=gone.toml"]], ids=["surface", "policy"]
    )
    def test_options_that_do_not_fit(self, gate: Gate, options: list[str]) -> None:
        """A policy is not needed; a surface that is none is told."""
        gate.begin()
        done = gate(*BACK, *options)
        assert load(gate.root).rollout.status is RolloutStatus.ROLLED_BACK
        assert done.code == (5 if "surface" in options[0] else 0)
        assert ("the rollout has no such surface" in done.out) == (done.code == 5)

    def test_names_that_are_not_utf_8(self, gate: Gate) -> None:
        """Of what is found: kept, and shown escaped."""
        promoted(gate)
        History().every(MINUTE, 2).write(gate.folder / STATE_DIR)
        odd = gate.folder / STATE_DIR / "odd-\udce9\n"
        odd.write_text("x")
        assert gate(*BACK, "--attach", b"gone-\xe9").code == 5
        assert "gone-%E9: cannot be read" in gate("status").out


class TestJudged:
    """What was judged is kept, so nothing that somebody edits later changes it or is in the way."""

    def unpacked(self, gate: Gate) -> Path:
        """Roll back, and return the top folder of the evidence."""
        done = gate(*BACK)
        assert done.code == 0, done.out
        (archive,) = (gate.root / "evidence").iterdir()
        subprocess.run(["tar", "-xzf", archive], cwd=gate.folder, check=True)  # noqa: S607 - found by PATH
        return gate.folder / archive.name.removesuffix(".tar.gz")

    @pytest.mark.parametrize("is_gone", [False, True])
    def test_a_policy_that_was_edited(self, gate: Gate, *, is_gone: bool) -> None:
        """The rollout is judged by it as it was; the evidence holds that, and says so."""
        assert gate("policy", "init", "p.toml").code == 0
        path = gate.folder / "p.toml"
        gate.begin("--policy", "p.toml")
        before = gate("evaluate", "--now-unix-ms", "0")
        text = path.read_text()
        path.write_text(text.replace('"30m"', '"1m"'))
        if is_gone:
            path.unlink()
        assert gate("evaluate", "--now-unix-ms", "0") == before
        top = self.unpacked(gate)
        assert (top / "policy.toml").read_text().count('"1m"') == 0
        assert f"policy.toml is as it was judged; {path} has changed" in (top / NOTES).read_text()

    def test_status_tells_of_a_policy_that_was_edited(self, gate: Gate) -> None:
        """Or is gone, while the rollout is open; the rollout goes on by what was kept."""
        assert gate("policy", "init", "p.toml").code == 0
        gate.begin("--policy", "p.toml")
        path, kept = gate.folder / "p.toml", "goes on by the policy as it was kept"
        assert kept not in gate("status").out
        text = path.read_text()
        path.write_text(text + "# a comment changes nothing\n")
        assert kept not in gate("status").out
        path.write_text(text.replace('"30m"', '"1m"'))
        assert f"warning         policy: {path} is another now: the rollout {kept};" in (
            gate("status").out
        )
        (warning,) = json.loads(gate("status", "--json").out)["warnings"]
        assert "'policy adopt' takes the other" in warning
        path.write_text("no policy")
        assert "is another now" in gate("status").out
        path.unlink()
        assert f"policy: {path} is gone: the rollout {kept}" in gate("status").out
        assert gate(*BACK).code == 0
        assert kept not in gate("status").out

    def test_a_policy_that_was_read_from_a_pipe_is_not_waited_for(self, gate: Gate) -> None:
        """Neither by `status` nor by the rollback: it is there no more, or another."""
        assert gate("policy", "init", "p.toml").code == 0
        pipe = gate.folder / "pipe"
        os.mkfifo(pipe)
        writing = os.open(pipe, os.O_RDWR)  # so that whoever opened it to read would wait for ever
        os.write(writing, (gate.folder / "p.toml").read_bytes())
        gate.begin("--policy", "p.toml")
        (gate.folder / "p.toml").unlink()
        pipe.rename(gate.folder / "p.toml")
        assert "is another now" in gate("status").out
        assert gate("evaluate").code == 3
        top = self.unpacked(gate)
        assert (top / "policy.toml").read_text().count('"30m"') == 1
        for kept in (gate.root / "inputs").iterdir():
            kept.unlink()
        done = gate("evaluate")
        assert done.code == 5
        assert "p.toml: is no file, and the policy was kept nowhere else" in done.err
        os.close(writing)

    def test_a_report_that_was_overwritten(self, gate: Gate) -> None:
        """The evidence holds the one that was judged; a file that is as it was needs no word."""
        promoted(gate)
        report = gate.folder / "report.json"
        judged = report.read_bytes()
        report.write_text('{"total": 9, "passed": 1, "failed": 8}')
        top = self.unpacked(gate)
        assert (top / "judged" / "1-report.json").read_bytes() == judged
        notes = (top / NOTES).read_text()
        assert "judged/1-report.json is as it was judged; report.json has changed" in notes
        assert "policy.toml is as it was judged" not in notes

    def test_without_what_was_kept_the_change_is_told(self, gate: Gate) -> None:
        """What is there now is captured, and said not to be what was judged."""
        promoted(gate)
        (gate.folder / "report.json").write_text("{}")
        for path in (gate.root / "inputs").iterdir():
            path.write_bytes(b"damaged")
        assert gate("evaluate").code == 3  # by the built-in policy, which is the same
        notes = (self.unpacked(gate) / NOTES).read_text()
        assert "judged/1-report.json is not as it was judged: report.json has changed" in notes

    def test_a_directory_that_is_gone_is_not_copied(self, gate: Gate) -> None:
        """The steps say that nothing is there, at once and in `explain`."""
        promoted(gate)
        for said in (gate(*BACK).out, gate("explain").out):
            assert "cp -a" not in said
            assert "Preserve the state directory:" not in said
            assert "Nothing can be seen at" in said

    def test_an_edited_policy_that_is_given_names_both_ways_out(self, gate: Gate) -> None:
        """Without the option the rollout goes on by what was kept; meaning it is `policy adopt`."""
        assert gate("policy", "init", "p.toml").code == 0
        gate.begin("--policy", "p.toml")
        policy = gate.folder / "p.toml"
        policy.write_text(policy.read_text().replace('"30m"', '"1m"'))
        done = gate("advance", "--policy", "p.toml")
        assert done.code == 5
        assert (
            "leave --policy out, and the rollout goes on by the policy as it was kept" in done.err
        )
        assert f"{ROLLOUT_DIR}/inputs/" in done.err
        assert "'policy adopt --policy FILE'" in done.err
        assert gate("advance").code == 3

    def test_another_built_in_policy_strands_nobody(self, gate: Gate) -> None:
        """A newer version goes on by the policy that the rollout has, and can adopt its own."""
        gate.begin()
        shutil.copytree(PACKAGE, gate.folder / "new" / PACKAGE.name)
        path = gate.folder / "new" / PACKAGE.name / "default_policy.toml"
        text = path.read_text()
        path.write_text(text.replace("roll back at once", "roll back immediately"))
        assert path.read_text() != text
        for command, code in (("evaluate", 3), ("policy adopt --reason newer", 0)):
            # It is a copy, which is not to be measured.
            env = {name: what for name, what in environment().items() if "COVERAGE" not in name}
            done = subprocess.run(
                [sys.executable, "-m", PACKAGE.name, *command.split()],
                cwd=gate.folder,
                env=env | {"PYTHONPATH": str(gate.folder / "new")},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code, done.stderr
        assert gate("evaluate").code == 3  # and the older one goes on by what was adopted

    def begin(self, gate: Gate, version: str) -> None:
        """Open a rollout of a surface that never ran."""
        first = ("--first-run", "custom-command")
        done = gate("start", "--release", version, "--rollback-to", "1.3.2", *first)
        assert done.code == 0, done.err

    def release(self, gate: Gate, number: int) -> int:
        """Return how far the ledger grows by a release that is judged by its report, and over."""
        ledger = gate.root / "decisions.jsonl"
        before = ledger.stat().st_size if ledger.exists() else 0
        self.begin(gate, f"1.4.{number}")
        report = gate.folder / f"{number}.json"
        report.write_text(json.dumps({"total": number + 1, "passed": number + 1, "failed": 0}))
        assert gate("advance", "--validation", report.name).code == 0
        assert gate(*BACK).code == 0
        return ledger.stat().st_size - before

    def test_it_grows_with_what_was_judged_alone(self, gate: Gate) -> None:
        """The same policy is kept once, and no decision names what other releases had."""
        sizes = [self.release(gate, number) for number in range(4)]
        assert sizes[3] - sizes[1] < 100
        assert len(list((gate.root / "inputs").iterdir())) == 1 + 4

    @pytest.mark.parametrize("lost", ["archive", "decisions.jsonl"])
    def test_a_report_serves_no_later_release(self, gate: Gate, lost: str) -> None:
        """The ledger tells of it, and the archive where that was set aside."""
        for number in range(2):
            self.release(gate, number)
        if lost == "archive":
            shutil.rmtree(gate.root / lost)
        else:
            _garbage(gate.root / lost)
            assert gate(*BACK).code == 0
        self.begin(gate, "1.5.0")
        held = gate("evaluate", "--validation", "0.json")
        assert held.code == 3
        assert "1.4.0" in held.out

    @pytest.mark.parametrize("name", ["decisions.jsonl", "archive/000004-1.4.0.json"])
    def test_what_tells_of_reports_is_whole_or_none_is_taken(self, gate: Gate, name: str) -> None:
        """Nobody knows then which served another release; `verify` says so of the ledger."""
        for number in range(2):
            self.release(gate, number)
        self.begin(gate, "1.5.0")
        path = gate.root / name
        path.write_bytes(path.read_bytes().replace(b'"used_reports"', b'"unused_reports"', 1))
        done = gate("evaluate", "--validation", "0.json")
        assert done.code == 5
        assert "which reports earlier releases were judged by is not known" in done.err
        assert gate("evaluate").code == 3


@pytest.mark.parametrize(("name", "damage"), DAMAGE, ids=lambda one: getattr(one, "__name__", one))
class TestDamagedRecord:
    """What stops a rollout is recorded over any record, and what was there is kept."""

    def kept(self, gate: Gate, before: bytes) -> None:
        """Check that the bytes still stand in a file, and the digest in the ledger if set aside."""
        files = [path for path in gate.root.rglob("*") if path.is_file() and not path.is_symlink()]
        holding = [path for path in files if before in path.read_bytes()]
        assert holding
        named = (gate.root / "decisions.jsonl").read_bytes()
        if not any(path.name == "decisions.jsonl" for path in holding):
            assert b".corrupt" in named

    def damaged(self, gate: Gate, name: str, damage: Callable[[Path], None]) -> bytes:
        """Damage a file of a rollout in canary-1, and return what the ledger holds then."""
        promoted(gate)
        damage(gate.root / name)
        ledger = gate.root / "decisions.jsonl"
        return ledger.read_bytes() if ledger.is_file() else b""

    def test_rollback(self, gate: Gate, name: str, damage: Callable[[Path], None]) -> None:
        """Rolled back, whole again, and the next one starts."""
        before = self.damaged(gate, name, damage)
        done = gate(*BACK)
        assert done.code in {0, 5}, done.out + done.err
        assert "NOT RECORDED" not in done.out
        assert load(gate.root).rollout.status is RolloutStatus.ROLLED_BACK
        assert load(gate.root).rollout.release == "1.4.0"
        assert gate("verify").code == 0
        self.kept(gate, before)
        assert gate("start", "--release", "1.4.1", "--rollback-to", "1.3.2").code == 0

    def test_freeze(self, gate: Gate, name: str, damage: Callable[[Path], None]) -> None:
        """Recorded; but the rollout goes on by no command until `recover`, or ends."""
        before = self.damaged(gate, name, damage)
        was_sound = gate("status").code == 0
        done = gate("freeze", "--reason", "look")
        assert done.code == 0, done.err
        self.kept(gate, before)
        if not was_sound:
            for command in (["resume", "--reason", "r"], ["advance"], ["reenter", "--reason", "r"]):
                assert gate(*command).code == 5
        assert gate(*BACK).code in {0, 5}
        assert gate("verify").code == 0


def test_a_ledger_that_is_set_aside_is_named(gate: Gate) -> None:
    """The next decision holds its digest, its new name and why."""
    promoted(gate)
    ledger = gate.root / "decisions.jsonl"
    _altered(ledger)
    before = ledger.read_bytes()
    assert gate(*BACK).code == 0
    first = json.loads(ledger.read_bytes().splitlines()[0])
    assert first["action"] == "rollback"
    assert first["inputs"] == [
        {
            "path": f"{ROLLOUT_DIR}/decisions.jsonl.1.corrupt",
            "sha256": sha256(before).hexdigest(),
            "offset": None,
            "length": None,
        }
    ]
    assert "set aside as" in first["reasons"][0]
    assert (gate.root / "decisions.jsonl.1.corrupt").read_bytes() == before


def test_without_a_trace_of_a_rollout(gate: Gate) -> None:
    """Nobody knows what to go back to: exit 5, and nothing is touched."""
    gate.begin()
    for name in ("rollout.json", "decisions.jsonl"):
        _garbage(gate.root / name)
    before = gate.contents()
    for command in ("rollback", "freeze", "cancel"):
        done = gate(command, "--reason", "r")
        assert done.code == 5
        assert "neither rollout.json nor decisions.jsonl tells of a rollout" in done.err
        assert "or move the directory away, and open one by 'start'" in done.err
    assert gate.contents() == before


class TestCancel:
    """`cancel` closes what nobody has yet."""

    def test_it_closes_and_the_next_starts(self, gate: Gate) -> None:
        """No steps; every answer holds, and says why."""
        gate.begin()
        done = gate("cancel", "--reason", "the wrong version", "--by", "ada")
        assert done.code == 0
        assert done.out.startswith("cancelled: 1.4.0 in preflight")
        assert STEPS not in done.out
        for command in ("evaluate", "explain", "advance"):
            told = gate(command)
            assert told.code == 3
            assert "HOLD  1.4.0 was cancelled in preflight" in told.out
            assert "Leave everything" not in told.out
        assert "--rollback-to 1.3.2" in gate("explain").out
        assert "cancelled" in gate("status").out
        assert gate("rollback", "--reason", "r").code == 2
        assert gate("cancel", "--reason", "r").code == 2
        assert gate("verify").code == 0
        assert gate("start", "--release", "1.4.1", "--rollback-to", "1.3.2").code == 0

    def test_what_a_canary_has_is_refused(self, gate: Gate) -> None:
        """And `rollback` named."""
        promoted(gate)
        before = gate.contents()
        done = gate("cancel", "--reason", "r")
        assert (done.code, "rollback --reason" in done.err) == (2, True)
        assert gate.contents() == before

    def test_it_needs_neither_record_nor_policy(self, gate: Gate) -> None:
        """Of a rollout whose files are gone."""
        assert gate("policy", "init", "p.toml").code == 0
        gate.begin("--policy", "p.toml")
        (gate.folder / "p.toml").unlink()
        (gate.root / "rollout.json").unlink()
        with (gate.root / "decisions.jsonl").open("ab") as ledger:
            ledger.write(b"{}\n")
        assert gate("cancel", "--reason", "r").code == 0
        assert gate("verify").code == 0
        assert load(gate.root).rollout.status is RolloutStatus.CANCELLED


class TestClock:
    """A clock that was wrong holds nobody for longer than it is."""

    @pytest.mark.parametrize("command", ["reenter", "policy adopt --cycle-interval 4m"])
    def test_an_entry_in_the_future(self, gate: Gate, command: str) -> None:
        """Whoever entered the phase a year ahead enters it anew; the release is not lost."""
        promoted(gate, now_unix_ms=ENTERED + 365 * 24 * HOUR)
        now = ("--now-unix-ms", str(ENTERED))
        held = gate("explain", *now)
        assert held.code == 3
        assert "reenter --reason 'THE CLOCK WAS WRONG'" in held.out
        done = gate(*command.split(), "--reason", "the clock was a year ahead", *now)
        assert done.code == 0, done.err
        History().every(5 * MINUTE, 7).write(gate.folder / STATE_DIR)
        done = gate("advance", "--now-unix-ms", str(ENTERED + 35 * MINUTE))
        assert done.code == 0, done.out
        assert gate("verify").code == 0

    def test_a_sign_off_after_a_start_in_the_future(self, gate: Gate) -> None:
        """Its date is held against the entry that was dated anew."""
        future, now = ENTERED + 365 * 24 * HOUR, str(ENTERED)
        gate.begin("--now-unix-ms", str(future))
        assert gate("reenter", "--reason", "the clock", "--now-unix-ms", now).code == 0
        assert gate("signoff", "init").code == 0
        path = gate.root / "signoff.toml"
        path.write_text(path.read_text().replace('date = ""', "date = 2026-01-01"))
        assert "date:" not in gate("signoff", "verify", "--now-unix-ms", now).out


class TestCycleInterval:
    """The interval of a running rollout can be corrected."""

    def hourly(self, gate: Gate, *adopt: str) -> int:
        """Return what a day of hourly cycles comes to, once something was adopted."""
        promoted(gate)
        now = ("--now-unix-ms", str(ENTERED))
        done = gate("policy", "adopt", "--reason", "hourly", *adopt, *now)
        assert done.code == 0, done.err
        assert "cycle interval  1 h" in gate("status").out
        History().every(HOUR, 24).write(gate.folder / STATE_DIR)
        return gate("advance", "--now-unix-ms", str(ENTERED + 24 * HOUR)).code

    def test_by_the_option_alone(self, gate: Gate) -> None:
        """The policy stays as it is."""
        assert self.hourly(gate, "--cycle-interval", "1h") == 0
        assert load(gate.root).rollout.policy_file is None

    @pytest.mark.parametrize("later", [0, HOUR], ids=["fresh", "stale"])
    def test_gaps_that_keep_restarting_the_soak_name_it(self, gate: Gate, later: int) -> None:
        """Two in a row do, with the longest; one does not, as the runner only stood still once."""
        promoted(gate)
        hourly = History().every(HOUR, 3)
        hourly.write(gate.folder / STATE_DIR)
        said = gate("explain", "--now-unix-ms", str(ENTERED + 3 * HOUR + later))
        command = "policy adopt --cycle-interval 1h --reason 'HOW OFTEN THE RUNNER RUNS'"
        assert f"\n  tau-rollout-gate {command}\n" in said.out
        assert "the soak begins anew after 'policy adopt'" in said.out
        assert "run FIXTURE" not in said.out
        if not later:
            seen = "a gap of 1 h without a cycle, the 3. in a row, at a cycle interval of 5 min"
            assert seen in " ".join(said.out.split())
        adopt = ["policy", "adopt", "--cycle-interval", "1h", "--reason", "it is hourly"]
        now = ("--now-unix-ms", str(ENTERED + 3 * HOUR))
        assert gate(*adopt, *now).code == 0
        hourly.every(HOUR, 3, after=ENTERED + 3 * HOUR).write(gate.folder / STATE_DIR)
        assert gate("advance", "--now-unix-ms", str(ENTERED + 6 * HOUR)).code == 0

    def test_a_single_gap_leaves_the_interval(self, gate: Gate) -> None:
        """Cycles at the pace of the interval before the next gap begin the count anew."""
        promoted(gate)
        history = History().every(HOUR, 1).every(5 * MINUTE, 1, after=ENTERED + HOUR)
        history.every(HOUR, 1, after=ENTERED + 65 * MINUTE).write(gate.folder / STATE_DIR)
        said = gate("explain", "--now-unix-ms", str(ENTERED + 125 * MINUTE))
        assert "policy adopt" not in said.out

    def test_by_a_policy_with_another_one(self, gate: Gate) -> None:
        """It brings its interval along."""
        assert gate("policy", "init", "p.toml").code == 0
        path = gate.folder / "p.toml"
        path.write_text(path.read_text().replace('cycle_interval = "5m"', 'cycle_interval = "1h"'))
        assert self.hourly(gate, "--policy", "p.toml") == 0

    def test_a_policy_with_the_same_one_leaves_it(self, gate: Gate) -> None:
        """What was said at the start stays said."""
        gate.begin("--cycle-interval", "10m")
        assert gate("policy", "init", "p.toml", "--expected-malformed", "ignore").code == 0
        assert gate("policy", "adopt", "--policy", "p.toml", "--reason", "r").code == 0
        assert load(gate.root).rollout.cycle_interval_ms == 10 * MINUTE


class TestRecover:
    """`recover` takes a rollout up from its decisions, stopped, or says why it cannot."""

    def lost(self, gate: Gate) -> None:
        """Lose the `rollout.json` of a rollout in canary-1."""
        promoted(gate)
        (gate.root / "rollout.json").unlink()

    @pytest.mark.parametrize("damage", [_lost, _garbage, _altered, _empty, _folder, _link])
    def test_it_shows_and_then_does_it(self, gate: Gate, damage: Callable[[Path], None]) -> None:
        """Frozen, in its phase entered anew; nothing is lost, and `resume` goes on."""
        promoted(gate)
        damage(gate.root / "rollout.json")
        before = gate.contents()
        later = ("--now-unix-ms", str(ENTERED + MINUTE))
        for command in ("status", "evaluate", "advance"):
            said = gate(command)
            assert said.code == 5
            assert (
                "there is: decisions.jsonl of 2 entries, all sound; the last: advance" in said.err
            )
            assert "lost: nothing but rollout.json as it was" in said.err
            assert f"tau-rollout-gate recover --rollout-dir {ROLLOUT_DIR};" in said.err
            assert f"rollback --reason 'WHAT HAPPENED' --rollout-dir {ROLLOUT_DIR}\n" in said.err
        shown = gate("recover", *later)
        assert shown.code == 0, shown.err
        assert "'verify'" not in shown.out
        assert "would come back: 1.4.0 in canary-1, frozen, its phase entered anew" in shown.out
        assert "not proven: that no decision is missing" in shown.out
        assert gate.contents() == before
        done = gate("recover", "--yes", "--by", "ada", *later)
        assert done.code == 0, done.err
        assert "came back: 1.4.0 in canary-1" in done.out
        rollout = load(gate.root).rollout
        assert rollout.frozen is not None
        assert "not proven" in rollout.frozen.reason
        assert rollout.phase_entered_unix_ms == ENTERED + MINUTE
        assert gate("verify").code == 0
        assert gate("advance", *later).code == 3
        assert gate("resume", "--reason", "it is right", *later).code == 0

    @pytest.mark.parametrize(
        "command", ["recover --yes", "cancel --reason r", "rollback --reason r"]
    )
    def test_of_a_rollout_that_was_only_opened(self, gate: Gate, command: str) -> None:
        """Its one decision tells of it."""
        gate.begin()
        (gate.root / "rollout.json").unlink()
        done = gate(*command.split())
        assert done.code == 0, done.err
        assert load(gate.root).rollout.release == "1.4.0"
        assert gate("verify").code == 0

    def test_where_nothing_is_lost(self, gate: Gate) -> None:
        """Refused."""
        promoted(gate)
        before = gate.contents()
        done = gate("recover", "--yes")
        assert (done.code, "nothing is lost" in done.err) == (2, True)
        assert gate.contents() == before

    def test_a_rollout_that_is_over(self, gate: Gate) -> None:
        """It comes back as it was, and the next one starts."""
        gate.begin()
        assert gate(*BACK).code == 0
        (gate.root / "rollout.json").unlink()
        done = gate("recover", "--yes")
        assert "came back: 1.4.0 in preflight, rolled back" in done.out
        assert gate("verify").code == 0
        assert gate("start", "--release", "1.4.1", "--rollback-to", "1.3.2").code == 0

    def test_a_trigger_that_fires_now(self, gate: Gate) -> None:
        """It stays fired: only `rollback` is left."""
        self.lost(gate)
        History().every(MINUTE, 1).add(ENTERED + 2 * MINUTE, **failed(streak=1)).write(
            gate.folder / STATE_DIR
        )
        now = ("--now-unix-ms", str(ENTERED + 2 * MINUTE))
        assert "then 'rollback --reason'" in gate("recover", "--yes", *now).out
        assert gate("resume", "--reason", "r", *now).code == 2
        assert gate("evaluate", *now).code == 4

    @pytest.mark.parametrize("cut", [1, 2])
    def test_a_ledger_that_was_cut_before_a_rollback(self, gate: Gate, cut: int) -> None:
        """Evidence that no decision names tells of one that is missing."""
        promoted(gate)
        assert gate(*BACK).code == 0
        ledger = gate.root / "decisions.jsonl"
        ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-cut]))
        (gate.root / "rollout.json").unlink()
        self.refused(gate, "no decision names it")
        assert gate("freeze", "--reason", "r").code in {0, 2}
        self.refused(gate, "no decision names it")
        assert gate("resume", "--reason", "r").code == 5

    def test_a_ledger_that_was_cut_before_a_promotion(self, gate: Gate) -> None:
        """An input that no decision names tells it."""
        gate.begin()
        assert gate("freeze", "--reason", "r").code == 0
        assert gate("resume", "--reason", "r").code == 0
        (gate.folder / "report.json").write_text('{"total": 1, "passed": 1, "failed": 0}')
        assert gate("advance", "--validation", "report.json").code == 0
        _cut(gate.root / "decisions.jsonl")
        (gate.root / "rollout.json").unlink()
        self.refused(gate, "no decision names it")

    def test_a_ledger_that_rollout_json_knows_to_be_longer(self, gate: Gate) -> None:
        """It counts a decision that is gone."""
        promoted(gate)
        assert gate("freeze", "--reason", "r").code == 0
        _cut(gate.root / "decisions.jsonl")
        self.refused(gate, "lacks a decision that rollout.json counts")

    def test_a_ledger_that_is_not_whole(self, gate: Gate) -> None:
        """Nothing is rebuilt from it."""
        self.lost(gate)
        _altered(gate.root / "decisions.jsonl")
        self.refused(gate, "is not whole")

    def test_a_decision_that_was_kept_elsewhere(self, gate: Gate) -> None:
        """It proves the end of the ledger, or that it was cut."""
        promoted(gate)
        token = load(gate.root).decisions.token
        (gate.root / "rollout.json").unlink()
        assert gate("recover", "--expect-decision", token).code == 0
        self.refused(gate, "it is missing", "--expect-decision", f"9:{'0' * 64}")

    def refused(self, gate: Gate, words: str, *options: str) -> None:
        """Check that it is refused in these words, with a way out, and that nothing is written."""
        before = gate.contents()
        done = gate("recover", "--yes", *options)
        assert done.code == 2, done.out
        assert words in done.err
        assert "end the rollout by 'rollback' or 'cancel'" in done.err
        assert gate.contents() == before
