"""Logs that were put back, cut, moved or made anew, by the commands themselves.

What holds never goes on by itself, and there is always a command that gets out.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tau_rollout_gate.files.record import load
from tests.rollout_gate.making import ENTERED, MINUTE, SURFACE, History, digest, failed
from tests.rollout_gate.recording import Gate
from tests.rollout_gate.worlds import state_of

LOG = "runtime-events.jsonl"
ACCEPT = ("reenter", "--reason", "looked into it", "--accept-lost-evidence")
Q = 5 * MINUTE


class Canary:
    """A rollout in canary-1 since `ENTERED`, whose log had a line then."""

    def __init__(self, folder: Path, *, name: str = SURFACE, **changes: Any) -> None:  # noqa: ANN401 - any JSON
        self.gate, self.state_dir, self.now = Gate(folder), folder / "s", ENTERED
        self.changes, self.surface = changes, name
        self.history = History()
        self.state_dir.mkdir()
        self.cycle(after=-MINUTE)
        report = {"schema_version": 1, "total": 3, "passed": 3, "failed": 0}
        (folder / "r.json").write_text(json.dumps(report))
        self.gate.begin("--surface", f"{name}=s", "--now-unix-ms", str(self.now))
        self.now = ENTERED
        assert self("advance", "--validation", "r.json") == 0

    def __call__(self, *arguments: str) -> int:
        """Run a command now; return its exit code."""
        self.said = self.gate(*arguments, "--now-unix-ms", str(self.now))
        return self.said.code

    @property
    def state(self) -> bytes:
        """The `state.json` that belongs to the last line."""
        return state_of(self.history.lines, is_chained=self.surface == SURFACE)

    def cycle(self, count: int = 1, *, after: int = Q, **changes: Any) -> None:  # noqa: ANN401 - any JSON
        """Run cycles, appended to the log as it is."""
        for _ in range(count):
            self.now += after
            self.history.add(self.now, **(self.changes | changes))
            with (self.state_dir / LOG).open("ab") as log:
                log.write(self.history.lines[-1])
        (self.state_dir / "state.json").write_bytes(self.state)

    def rotate(self) -> None:
        """Rotate the log by rename."""
        files = sorted(self.state_dir.glob(f"{LOG}.*"), key=lambda path: int(path.suffix[1:]))
        for path in reversed(files):
            path.rename(self.state_dir / f"{LOG}.{int(path.suffix[1:]) + 1}")
        (self.state_dir / LOG).rename(self.state_dir / f"{LOG}.1")

    def put_back(self, history: History, *, over: bool = False) -> None:
        """Put log and state back from a copy: over what is there, or instead of it."""
        if not over:
            shutil.rmtree(self.state_dir)
        self.history = History(lines=list(history.lines))
        self.state_dir.mkdir(exist_ok=True)
        (self.state_dir / LOG).write_bytes(b"".join(history.lines))
        (self.state_dir / "state.json").write_bytes(self.state)

    @property
    def held_by(self) -> set[str]:
        """The gates in the way, of the surface; what cycles mend left out."""
        assert self("evaluate", "--json") == 3
        gates = json.loads(self.said.out)["gates"]
        waits = {"soak", "work_advances", "command_runs_recorded"}
        return {
            one["name"]
            for one in gates
            if one["status"] in {"fail", "unknown"}
            and one["observed"] is not None
            and one["name"] not in waits
        }

    def gets_out(self) -> None:
        """Check that the phase, entered anew, is served and left, with what was lost in view."""
        self.cycle(8)
        assert self("advance", "--json") == 0, self.said.out
        assert any("lost" in one for one in json.loads(self.said.out)["warnings"])
        assert load(self.gate.root).rollout.phase == "canary-2"


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    """Return a rollout in canary-1."""
    return Canary(tmp_path)


def copied(history: History) -> History:
    """Return a history as it is now."""
    return History(lines=list(history.lines))


@pytest.mark.parametrize("is_bad", [True, False])
def test_a_copy_put_back_over_rotated_files(canary: Canary, *, is_bad: bool) -> None:
    """Cycles since the entry still stand in the rotated file: they count, and the log holds."""
    copy = copied(canary.history)
    canary.cycle(**(failed(streak=1) if is_bad else {}))
    canary.rotate()
    canary.cycle()
    canary.put_back(copy, over=True)
    canary.cycle(8)
    if is_bad:
        assert canary("advance") == 4
        return
    assert "log_continues" in canary.held_by
    assert canary("reenter", "--reason", "restored") in {0, 2}
    assert canary(*ACCEPT) == 0
    canary.cycle(8)
    assert canary("advance") == 0


def test_lines_appended_from_a_copy(canary: Canary) -> None:
    """They stand twice, however sound what follows them is; what stands before them counts."""
    entry = canary.history.lines[0]
    canary.cycle(2)
    with (canary.state_dir / LOG).open("ab") as log:
        log.write(entry)
    canary.history = History(lines=[entry])
    canary.cycle(8)
    assert canary.held_by == {"log_continues", "clock_forward"}
    assert canary(*ACCEPT) == 0
    canary.cycle(8)
    assert canary("advance") == 0


@pytest.mark.parametrize("name", [SURFACE, "voice"])
def test_a_whole_directory_put_back_lacks_what_advance_saw(tmp_path: Path, name: str) -> None:
    """Also of a writer that does not chain; a hold was enough to see it, without a decision."""
    unchained = dict.fromkeys(("cycle_id", "cycle_number", "previous_sha256"))
    canary = Canary(tmp_path, **(unchained if name == "voice" else {}), name=name)
    if name == "voice":
        canary.changes |= {"reason_codes": ["turns_handled", "wake_word_detected"]}
    copy = copied(canary.history)
    canary.cycle()
    assert canary("advance") == 3
    decisions = load(canary.gate.root).decisions
    canary.cycle(backlog_cases=2, reason_codes=["queue_backpressure_applied"])
    assert canary("advance") == 3
    canary.cycle(backlog_cases=2, reason_codes=["queue_backpressure_applied"])
    assert canary("advance") == 3
    assert load(canary.gate.root).decisions.count <= decisions.count + 1
    assert canary("verify") == 2
    assert canary.gate("verify").code == 0
    canary.put_back(copy)
    canary.cycle(8, health_reason="after the copy")
    assert canary.held_by == {"seen_cycles_present"}
    assert canary("advance") == 3
    assert canary("reenter", "--reason", "restored") == 2
    assert "--accept-lost-evidence" in canary.said.err
    assert canary(*ACCEPT) == 0
    canary.gets_out()


def test_the_row_that_was_seen_before_the_loss_goes_on(tmp_path: Path) -> None:
    """A cycle that `advance` saw was degraded; gone, the next bad one is the second in a row."""
    canary = Canary(tmp_path)
    policy = tmp_path / "p.toml"
    assert canary.gate("policy", "init", "p.toml").code == 0
    kept, *triggers = policy.read_text().split("[[triggers]]")
    (row,) = (one for one in triggers if '"health_regression"' in one)
    policy.write_text(f"{kept}[[triggers]]{row}")
    assert canary("policy", "adopt", "--policy", "p.toml", "--reason", "gentler") == 0
    copy = copied(canary.history)
    canary.cycle(**failed(streak=1))
    assert canary("advance") == 3
    canary.put_back(copy)
    canary.cycle()
    assert canary(*ACCEPT) == 0
    canary.cycle(**failed(streak=1))
    assert canary("advance") == 4


def test_a_log_that_was_cut_is_left_at_once(canary: Canary) -> None:
    """Before the next cycle, which goes on with what `state.json` names: no second break."""
    canary.cycle(4)
    lines = canary.history.lines
    (canary.state_dir / LOG).write_bytes(b"".join(lines[:3]))
    assert canary.held_by == {"log_matches_state"}
    assert "--accept-lost-evidence" in canary.said.out
    assert canary("reenter", "--reason", "cut") == 2
    assert canary(*ACCEPT) == 0
    assert load(canary.gate.root).rollout.surfaces[0].carried.lost_lines == 2
    canary.gets_out()


def test_what_the_state_tells_of_a_cut_line_is_carried(tmp_path: Path) -> None:
    """Its cycle is gone, but not that it was the first bad one in a row."""
    canary = Canary(tmp_path)
    canary.cycle(**failed(streak=1))
    (canary.state_dir / LOG).write_bytes(b"".join(canary.history.lines[:-1]))
    assert canary(*ACCEPT) == 0
    assert load(canary.gate.root).rollout.surfaces[0].carried.unhealthy_row == 1


def test_a_host_that_was_made_anew(canary: Canary) -> None:
    """Its numbers start again; the old log is nowhere, and that is accepted."""
    canary.cycle(2)
    assert canary("advance") == 3
    canary.put_back(History().add(canary.now + 1))
    canary.cycle(8)
    assert canary.held_by == {"log_continues"}
    assert canary(*ACCEPT) == 0
    assert canary.held_by == {"cycle_in_window"}
    canary.gets_out()


def test_a_rotated_file_that_is_lost(canary: Canary) -> None:
    """The evidence starts in it; what is left of the log goes on."""
    canary.cycle(2)
    canary.rotate()
    canary.cycle(2)
    (canary.state_dir / f"{LOG}.1").unlink()
    assert canary.held_by == {"segments_present"}
    assert canary(*ACCEPT) == 0
    canary.gets_out()


class TestAnotherDirectory:
    """Believed only if its log has the pinned line where it stood."""

    def test_a_directory_that_moved_becomes_the_pin(self, canary: Canary) -> None:
        """With the first command that decides on it; later ones need no option."""
        canary.cycle(8)
        canary.state_dir = canary.state_dir.rename(canary.gate.folder / "new")
        assert canary("evaluate", "--surface", f"{SURFACE}=new") == 0
        assert "files_present" in canary.held_by
        assert canary("advance", "--surface", f"{SURFACE}=new") == 0
        (pin,) = load(canary.gate.root).rollout.surfaces
        assert pin.state_dir == str(canary.state_dir)
        canary.cycle()
        assert canary.held_by == set()

    @pytest.mark.parametrize("is_there", [False, True])
    def test_before_canary_1_a_place_without_files_is_refused(
        self, tmp_path: Path, *, is_there: bool
    ) -> None:
        """A slip of the pen is not pinned; another directory that has files is."""
        gate, now = Gate(tmp_path), str(ENTERED)
        History().every(Q, 2).write(tmp_path / "s")
        started = ("start", "--release", "1.4.0", "--rollback-to", "1.3.2", "--now-unix-ms", now)
        assert gate(*started, "--surface", f"{SURFACE}=s").code == 0
        if is_there:
            (tmp_path / "new").mkdir()
        to_new = ("--surface", f"{SURFACE}=new", "--now-unix-ms", now)
        before = gate.contents()
        assert gate("freeze", "--reason", "x").code == 0
        frozen = gate.contents()
        for command in (("advance",), ("resume", "--reason", "x"), ("reenter", "--reason", "x")):
            done = gate(*command, *to_new)
            assert done.code == 2
            assert "there is neither a state.json nor an event log" in done.err
            assert f"in place of {tmp_path / 's'}" in done.err
        assert gate.contents() == frozen != before
        (tmp_path / "s").rename(tmp_path / "new/s" if is_there else tmp_path / "new")
        where = f"{SURFACE}={tmp_path / 'new'}" + ("/s" if is_there else "")
        assert gate("advance", "--surface", where, "--now-unix-ms", now).code == 3
        assert load(gate.root).rollout.surfaces[0].state_dir == where.partition("=")[2]

    def test_one_that_never_ran_may_be_to_run_elsewhere(self, tmp_path: Path) -> None:
        """It has no files anywhere."""
        gate = Gate(tmp_path)
        started = ("start", "--release", "1.4.0", "--rollback-to", "1.3.2")
        assert gate(*started, "--first-run", SURFACE).code == 0
        assert gate("advance", "--surface", f"{SURFACE}=new").code == 3
        assert load(gate.root).rollout.surfaces[0].state_dir == str(tmp_path / "new")

    def test_every_command_works_from_elsewhere(self, canary: Canary, tmp_path: Path) -> None:
        """What was pinned are absolute paths; a link to the same directory is the same."""
        canary.cycle(8)
        (tmp_path / "link").symlink_to("s")
        assert canary("evaluate", "--surface", f"{SURFACE}=link") == 0
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        away = Gate(elsewhere)
        now = ("--now-unix-ms", str(canary.now))
        assert away("evaluate", "--rollout-dir", str(canary.gate.root), *now).code == 0
        assert away("advance", "--rollout-dir", str(canary.gate.root), *now).code == 0

    @pytest.mark.parametrize("command", ["advance", "resume", "reenter", "adopt"])
    def test_another_log_is_refused(self, canary: Canary, command: str) -> None:
        """Nothing is written, `evaluate` holds; `reenter` sees that the pinned one is there."""
        History().every(Q, 9, fixture_name="other").write(canary.gate.folder / "other")
        canary.cycle(2)
        assert canary("freeze", "--reason", "x") == 0
        (canary.gate.folder / "mine.toml").write_text(
            canary.gate("policy", "show").out.replace('name = "built-in"', 'name = "mine"')
        )
        other = ("--surface", f"{SURFACE}=other")
        options = {
            "advance": ("advance",),
            "resume": ("resume", "--reason", "x"),
            "reenter": ACCEPT,
            "adopt": ("policy", "adopt", "--reason", "x", "--policy", "mine.toml"),
        }
        before = canary.gate.contents()
        assert canary("evaluate", *other) == 3
        assert "is not the pinned" in " ".join(canary.said.out.split())
        assert canary(*options[command], *other) == 2
        assert canary.gate.contents() == before

    def test_a_trigger_in_the_pinned_one_is_not_left_behind(self, canary: Canary) -> None:
        """Though nobody recorded it, and the log is not the pinned one any more."""
        canary.cycle(**failed(streak=1))
        History().every(Q, 9).write(canary.gate.folder / "other")
        (canary.state_dir / LOG).write_bytes(b"".join(canary.history.lines[1:]))
        assert canary(*ACCEPT, "--surface", f"{SURFACE}=other") == 2
        assert "a rollback trigger fired" in canary.said.err

    def test_a_copy_that_lacks_what_the_pinned_one_has_is_refused(self, canary: Canary) -> None:
        """It has the pinned line where it stood; while the pinned one is there, that shows."""
        canary.cycle()
        shutil.copytree(canary.state_dir, canary.gate.folder / "copy")
        copy = ("--surface", f"{SURFACE}=copy")
        canary.cycle(**failed(streak=1))
        assert canary("evaluate", *copy) == 3
        assert "lacks cycles that are there" in " ".join(canary.said.out.split())
        assert canary("advance", *copy) == 2
        assert canary(*ACCEPT, *copy) == 2
        assert canary("advance") == 4

    def test_the_pinned_one_is_gone_for_good(self, canary: Canary) -> None:
        """`reenter` takes the new place, recorded, and what was lost is told."""
        canary.cycle(3)
        assert canary("advance") == 3
        shutil.rmtree(canary.state_dir)
        canary.history = History().add(canary.now + 1)
        canary.state_dir = canary.history.write(canary.gate.folder / "other")
        other = ("--surface", f"{SURFACE}=other")
        assert canary("advance", *other) == 2
        assert "--accept-lost-evidence" in canary.said.err
        assert canary("reenter", "--reason", "new host", *other) == 2
        assert canary(*ACCEPT, *other) == 0
        (pin,) = load(canary.gate.root).rollout.surfaces
        assert (pin.state_dir, pin.carried.lost_lines) == (str(canary.state_dir), 3)
        canary.gets_out()

    def test_without_a_chain_another_place_proves_nothing(self, tmp_path: Path) -> None:
        """Not even one with every line; only `reenter` takes it, once the pinned one is gone."""
        unchained = dict.fromkeys(("cycle_id", "cycle_number", "previous_sha256"))
        canary = Canary(tmp_path, name="voice", **unchained)
        canary.cycle(2)
        shutil.copytree(canary.state_dir, tmp_path / "copy")
        copy = ("--surface", "voice=copy")
        assert canary("evaluate", *copy) == 3
        assert "does not chain its events" in " ".join(canary.said.out.split())
        assert canary("advance", *copy) == 2
        assert canary(*ACCEPT, *copy) == 2
        shutil.rmtree(canary.state_dir)
        assert canary(*ACCEPT, *copy) == 0
        assert load(canary.gate.root).rollout.surfaces[0].state_dir == str(tmp_path / "copy")


def test_a_decision_that_somebody_held_on_to(canary: Canary) -> None:
    """A rollout directory put back with its logs shows by it alone: what does not stop refuses."""
    before = canary.gate.folder / "before"
    shutil.copytree(canary.gate.root, before)
    assert canary("freeze", "--reason", "do not go on") == 0
    token = load(canary.gate.root).decisions.token
    assert f"decision {token}" in canary.said.out
    hold = ("--expect-decision", token)
    assert canary("evaluate", *hold) == 3
    for word in ("status", "history", "verify"):
        assert canary.gate(word, *hold).code == 0
    shutil.rmtree(canary.gate.root)
    shutil.copytree(before, canary.gate.root)
    canary.cycle(8)
    contents = canary.gate.contents()
    commands: tuple[tuple[str, ...], ...] = (
        ("evaluate",),
        ("explain",),
        ("advance",),
        ("resume", "--reason", "x"),
        ("reenter", "--reason", "x"),
        ("start", "--release", "1.5.0", "--rollback-to", "1.4.0"),
    )
    for words in commands:
        assert canary(*words, *hold) == 2, words
        assert "put back from a copy" in canary.said.err
    assert canary.gate("status", env={"TAU_ROLLOUT_GATE_EXPECT_DECISION": token}).code == 2
    assert canary.gate.contents() == contents
    assert canary.gate("status", "--expect-decision", "7:x").code == 2
    assert canary("advance") == 0
    assert canary("freeze", "--reason", "what stops depends on nothing", *hold) == 0


def test_a_forged_completion_is_refused_by_every_command(canary: Canary) -> None:
    """Appended, or named by rollout.json as well; what was forged is not archived as complete."""
    root = canary.gate.root
    entry = load(root).last
    done = json.loads(entry.as_line()) | {
        "decision_number": 3,
        "previous_sha256": entry.counted.sha256,
        "verdict": "complete",
        "phase": "canary-1",
        "inputs": [],
    }
    done["rollout_after"]["status"] = "complete"
    line = json.dumps(done, separators=(",", ":")).encode()
    with (root / "decisions.jsonl").open("ab") as ledger:
        ledger.write(line + b"\n")
    start = ("start", "--release", "1.5.0", "--rollback-to", "1.4.0")
    for _ in range(2):
        for words in (("evaluate",), ("advance",), ("explain",), start):
            assert canary(*words) == 5
            assert "no command leaves this" in canary.said.err
        assert canary.gate("status").code == 5
        assert canary.gate("history").code == 5
        assert canary.gate("verify").code == 3
        named = done["rollout_after"] | {"decisions": {"count": 3, "sha256": digest(line)}}
        (root / "rollout.json").write_text(json.dumps(named))


def test_a_surface_whose_directory_became_that_of_another_holds(tmp_path: Path) -> None:
    """Before canary-1 and after it; what its files say is still judged, and there is a way out."""
    canary = Canary(tmp_path)
    other = tmp_path / "other"
    shutil.copytree(canary.state_dir, other)
    assert canary("rollback", "--reason", "for the next one") == 0
    canary.now += MINUTE
    surfaces = ("--surface", "custom-command=s", "--surface", "memory=other")
    assert canary("start", "--release", "1.5.0", "--rollback-to", "1.3.2", *surfaces) == 0
    other.rename(tmp_path / "away")
    other.symlink_to("s")
    (tmp_path / "r2.json").write_text('{"total": 1, "passed": 1, "failed": 0}')
    assert canary("advance", "--validation", "r2.json") == 3
    told = f"{other} is the directory of custom-command: each surface has its own"
    assert told in " ".join(canary.said.out.split())
    elsewhere = ("--surface", "memory=away")
    assert canary("advance", "--validation", "r2.json", *elsewhere) == 0
    canary.cycle(2, **failed(streak=1))
    assert canary("evaluate", "--surface", "memory=s") == 4
    assert "memory" in canary.said.out
