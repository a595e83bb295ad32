"""There is always a way out: what stops a rollout works whatever is wrong, and nothing is lost."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

import tau_rollout_gate
from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.files.archive import NOTES
from tau_rollout_gate.files.rollout_directory import load
from tests.rollout_gate import making
from tests.rollout_gate.cli.test_writing_commands import STATE_DIR, promoted
from tests.rollout_gate.making import MINUTE, History
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
        (gate.root / "evidence").write_text("in the way")
        done = gate(*BACK)
        assert done.code == 5
        assert "not captured: " in done.out
        assert STEPS in done.out
        assert load(gate.root).rollout.status is RolloutStatus.ROLLED_BACK
        assert "evidence: none" in gate("explain").out
        (gate.root / "evidence").unlink()
        assert gate(*BACK).code == 0
        assert gate("verify").code == 0

    def test_a_disk_that_cannot_be_written(self, gate: Gate) -> None:
        """Nothing is recorded, which is said first; the steps are printed all the same."""
        promoted(gate)
        (gate.root / "rollout.json.new").mkdir()
        done = gate(*BACK)
        assert done.code == 5
        assert done.out.startswith("NOT RECORDED")
        assert "rollout.json.new" in done.out
        assert STEPS in done.out
        assert f"{STATE_DIR} {gate.folder / STATE_DIR}.incident" in done.out
        assert load(gate.root).rollout.is_open

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

    def test_another_built_in_policy_strands_nobody(self, gate: Gate) -> None:
        """A newer version goes on by the policy that the rollout has, and can adopt its own."""
        gate.begin()
        shutil.copytree(PACKAGE, gate.folder / "new" / PACKAGE.name)
        path = gate.folder / "new" / PACKAGE.name / "default_policy.toml"
        text = path.read_text()
        path.write_text(text.replace("roll back at once", "roll back immediately"))
        assert path.read_text() != text
        for command, code in (("evaluate", 3), ("policy adopt --reason newer", 0)):
            done = subprocess.run(
                [sys.executable, "-m", PACKAGE.name, *command.split()],
                cwd=gate.folder,
                env=environment() | {"PYTHONPATH": str(gate.folder / "new")},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code, done.stderr
        assert gate("evaluate").code == 3  # and the older one goes on by what was adopted

    def test_it_grows_with_what_was_judged_alone(self, gate: Gate) -> None:
        """The same policy is kept once, however often it is judged by."""
        for release in ("1.4.0", "1.4.1", "1.4.2"):
            start = ("start", "--release", release, "--rollback-to", "1.3.2")
            assert gate(*start).code == 0
            assert gate("cancel", "--reason", "r").code == 0
        assert len(list((gate.root / "inputs").iterdir())) == 1


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
