"""Each named reason to hold, as the only thing wrong: it holds by its name, its remedy helps.

Real files and the command line's own code. The policy is the built-in one, but that cycles have to
run in the mode `record`, and the first canary phase soaks for ten minutes, or not at all where the
reason has to stand alone (a cycle that breaks a gate starts the soak anew by its nature).
"""

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES
from tau_rollout_gate.evidence.values import UNPACKERS
from tau_rollout_gate.files.policy import built_in_policy_text
from tau_rollout_gate.files.record import load
from tests.rollout_gate.making import (
    ENTERED,
    FIXTURE_SHA,
    MINUTE,
    SECOND,
    SHA,
    SURFACE,
    History,
    digest,
    failed,
)
from tests.rollout_gate.recording import Finished, Gate

LOG = "runtime-events.jsonl"
REENTER = ("reenter", "--reason", "looked into it", "--accept-lost-evidence")
INTERVAL = 5 * MINUTE
NOW = ENTERED + 2 * INTERVAL
"""When the last cycle of the phase ended."""

BEFORE_ENTRY = 3
LONGEST_PAUSE = 3 * INTERVAL + 12
"""Three intervals and what a cycle of these histories takes."""


@dataclass(slots=True)
class Canary:
    """A rollout in canary-1, whose log had three lines at its entry and got four clean ones since.

    `soak` is canary-1's.
    """

    gate: Gate
    soak: str = "0s"
    now: int = NOW
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        """Bring the rollout there."""
        policy = built_in_policy_text()
        for old, new in (
            ('cycle_interval = "5m"', 'required_run_mode = "record"\ncycle_interval = "5m"'),
            ('soak = "30m"', f'soak = "{self.soak}"'),
        ):
            assert policy.count(old) == 1
            policy = policy.replace(old, new)
        (self.gate.folder / "policy.toml").write_text(policy)
        report = {"schema_version": 1, "total": 3, "passed": 3, "failed": 0}
        (self.gate.folder / "report.json").write_text(json.dumps(report))
        self.history.every(INTERVAL, BEFORE_ENTRY, after=ENTERED - BEFORE_ENTRY * INTERVAL - 1)
        self.history.write(self.state_dir)
        self.gate.begin(
            *("--policy", "policy.toml", "--now-unix-ms", str(ENTERED - MINUTE)),
            *("--expect", f"{SURFACE}:runtime_version=1.4.0"),
            *("--expect", f"{SURFACE}:fixture_sha256={FIXTURE_SHA}"),
        )
        self.run("advance", "--validation", "report.json", now=ENTERED, expected=0)
        assert self.phase == "canary-1"
        self.history.every(INTERVAL // 2, 4)
        self.history.write(self.state_dir)

    @property
    def state_dir(self) -> Path:
        """Return the runtime's state directory."""
        return self.gate.folder / ".tau/custom-command"

    @property
    def log(self) -> Path:
        """Return the event log."""
        return self.state_dir / LOG

    @property
    def phase(self) -> str:
        """Return the phase that the rollout is in."""
        return load(self.gate.root).rollout.phase

    def run(self, *arguments: str, now: int | None = None, expected: int) -> Finished:
        """Run a command at a time, the canary's unless told."""
        at = self.now if now is None else now
        done = self.gate(*arguments, "--now-unix-ms", str(at))
        assert done.code == expected, done.out + done.err
        return done

    def answer(self, *arguments: str, expected: int) -> Any:  # noqa: ANN401 - the answer's JSON
        """Return the answer to `evaluate`, which has to exit so."""
        return json.loads(
            self.run("evaluate", "--format", "json", *arguments, expected=expected).out
        )

    def held_by(self, *arguments: str) -> dict[str, str]:
        """Return the remedies of what holds, by the names of the gates.

        Where no cycle is in the window, the gates of a cycle saw nothing: they are left out.
        """
        answer = self.answer(*arguments, expected=3)
        assert answer["verdict"] == "hold"
        in_the_way = [one for one in answer["gates"] if one["status"] in {"fail", "unknown"}]
        assert len(answer["reasons"]) == len(in_the_way)
        for one in in_the_way:
            assert any(f"{one['name']}: " in reason for reason in answer["reasons"])
        if any(one["name"] == "cycle_in_window" for one in in_the_way):
            in_the_way = [one for one in in_the_way if one["observed"] is not None]
        return {one["name"]: one["remedy"] for one in in_the_way}

    def next_cycles(self, count: int) -> None:
        """Run clean cycles at the runtime's interval, from now on; the runtime mends its tail."""
        self.history.every(INTERVAL, count, after=self.now)
        self.now += count * INTERVAL
        self.history.write(self.state_dir)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Return the command in an empty folder."""
    return Gate(tmp_path)


Spoil = Callable[[Canary], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason to hold.

    Args:
        spoil: Makes it so, and nothing else.
        gate: The gate that names it.
        follows: Other gates that cannot hold then either.
        heals: Whether the next clean cycle of an untouched runtime mends it.
        needs_reenter: Whether nothing but `reenter` does.
        typed: What `explain` says to type; None for `reenter`.
    """

    spoil: Spoil
    gate: str
    follows: frozenset[str] = frozenset()
    heals: bool = False
    needs_reenter: bool = False
    typed: str | None = None


def last_cycle(**changes: Any) -> Spoil:  # noqa: ANN401 - any JSON
    """Have the last cycle be otherwise."""

    def spoil(canary: Canary) -> None:
        time = canary.history.last()["timestamp_unix_ms"]
        canary.history.lines.pop()
        canary.history.add(time, **changes)
        canary.history.write(canary.state_dir)

    return spoil


def one_more_cycle(later_ms: int, **changes: Any) -> Spoil:  # noqa: ANN401 - any JSON
    """Have one more cycle, so much later than the last, which the clock does not go along with."""

    def spoil(canary: Canary) -> None:
        canary.history.add(canary.now + later_ms, **changes)
        canary.history.write(canary.state_dir)

    return spoil


def then_a_clean_one(line: bytes) -> Spoil:
    """Have a line, and behind it a cycle that continues the chain over it."""

    def spoil(canary: Canary) -> None:
        canary.history.lines.insert(-1, line)
        time = canary.history.last()["timestamp_unix_ms"]
        canary.history.lines.pop()
        canary.history.add(time)
        canary.history.write(canary.state_dir)

    return spoil


def removed(*names: str) -> Spoil:
    """Have files removed."""

    def spoil(canary: Canary) -> None:
        for name in names:
            (canary.state_dir / name).unlink()

    return spoil


def no_cycle(canary: Canary) -> None:
    """Have no cycle since the entry."""
    del canary.history.lines[BEFORE_ENTRY:]
    canary.history.write(canary.state_dir)


def stale(canary: Canary) -> None:
    """Have no cycle for a millisecond too long."""
    canary.now = NOW + LONGEST_PAUSE + 1


def evaluator_before_entry(canary: Canary) -> None:
    """Have the evaluator's clock a second before the entry, and its cycles not yet ahead of it."""
    del canary.history.lines[BEFORE_ENTRY:]
    canary.history.every(20 * SECOND, 2)
    canary.history.write(canary.state_dir)
    canary.now = ENTERED - SECOND


def older_state(canary: Canary) -> None:
    """Have a `state.json` of three cycles ago."""
    old = History(lines=canary.history.lines[:-2]).state()
    (canary.state_dir / "state.json").write_text(json.dumps(old))


def other_number(canary: Canary) -> None:
    """Have a `state.json` of the last cycle with another queue."""
    state = canary.history.state()
    state["health"]["queue_depth"] = 1
    (canary.state_dir / "state.json").write_text(json.dumps(state))


def no_state(canary: Canary) -> None:
    """Have something else in `state.json`."""
    (canary.state_dir / "state.json").write_text("{}")


def torn(canary: Canary) -> None:
    """Have a writer cut off in a line."""
    with canary.log.open("ab") as log:
        log.write(b'{"schema_version":1,"timest')


def line_removed(canary: Canary) -> None:
    """Have the first line of the phase taken out."""
    del canary.history.lines[BEFORE_ENTRY]
    canary.history.write(canary.state_dir)


def truncated(canary: Canary) -> None:
    """Have log and state put back, together, to what they were before the entry."""
    del canary.history.lines[BEFORE_ENTRY - 1 :]
    canary.history.write(canary.state_dir)


def rewritten(canary: Canary) -> None:
    """Have log and state written anew, together, the line of the entry among them."""
    times = [json.loads(line)["timestamp_unix_ms"] for line in canary.history.lines]
    canary.history.lines.clear()
    for time in times:
        canary.history.add(time, fixture_name="another")
    canary.history.write(canary.state_dir)


def rotate(canary: Canary, *ends: int) -> None:
    """Have the log rotated after these lines."""
    starts = (0, *ends)
    for rotation, (start, end) in enumerate(zip(starts, (*ends, None), strict=True)):
        name = f"{LOG}.{len(ends) - rotation}" if rotation < len(ends) else LOG
        (canary.state_dir / name).write_bytes(b"".join(canary.history.lines[start:end]))


def segment_missing(canary: Canary) -> None:
    """Have the log rotated after the phase's first cycle, and that file lost."""
    rotate(canary, BEFORE_ENTRY + 1)
    (canary.state_dir / f"{LOG}.1").rename(canary.state_dir / "lost")


STATE_DIR_OPTION = "--state-dir .tau/custom-command"
RUN = f"tau-custom-command run FIXTURE --fresh {STATE_DIR_OPTION}"
RECOVER = f"tau-custom-command recover {STATE_DIR_OPTION}"
DIAGNOSE = f"tau-transport-health diagnose {SURFACE} {STATE_DIR_OPTION}"
MOVED = f"tau-rollout-gate advance --surface {SURFACE}=WHERE_IT_IS_NOW"
WAIT = "tau-rollout-gate advance"
REENTERS = "tau-rollout-gate reenter --reason 'THE CLOCK WAS WRONG'"

NO_LOG = frozenset({"cycle_in_window"})
"""Without a log there is no cycle in it."""

REASONS = {
    "no state": Reason(
        spoil=removed("state.json"), gate="files_present", heals=True, typed=RECOVER
    ),
    "no log": Reason(spoil=removed(LOG), gate="files_present", follows=NO_LOG, typed=DIAGNOSE),
    "no files": Reason(
        spoil=removed(LOG, "state.json"), gate="files_present", follows=NO_LOG, typed=MOVED
    ),
    "unusable state": Reason(spoil=no_state, gate="state_valid", heals=True, typed=RECOVER),
    "no cycle": Reason(spoil=no_cycle, gate="cycle_in_window", heals=True, typed=WAIT),
    "stale": Reason(spoil=stale, gate="evidence_fresh", heals=True, typed=RUN),
    "future": Reason(spoil=one_more_cycle(60_001), gate="evidence_not_in_future", typed=WAIT),
    "clock of the log": Reason(spoil=one_more_cycle(-1), gate="clock_forward", needs_reenter=True),
    "clock of the evaluator": Reason(
        spoil=evaluator_before_entry, gate="entry_not_in_future", typed=REENTERS
    ),
    "an older state": Reason(spoil=older_state, gate="log_matches_state", heals=True, typed=RUN),
    "another number": Reason(spoil=other_number, gate="log_matches_state", heals=True, typed=RUN),
    "torn": Reason(spoil=torn, gate="last_line_whole", heals=True, typed=RUN),
    "no JSON": Reason(spoil=then_a_clean_one(b"no JSON\n"), gate="lines_valid", needs_reenter=True),
    "contradiction": Reason(
        spoil=last_cycle(health_state="degraded"), gate="lines_valid", needs_reenter=True
    ),
    "chain": Reason(spoil=last_cycle(previous_sha256=SHA), gate="chain_whole", needs_reenter=True),
    "line removed": Reason(spoil=line_removed, gate="chain_whole", needs_reenter=True),
    "truncated": Reason(spoil=truncated, gate="log_continues", follows=NO_LOG, needs_reenter=True),
    "rewritten": Reason(spoil=rewritten, gate="log_continues", needs_reenter=True),
    "segment": Reason(spoil=segment_missing, gate="segments_present", needs_reenter=True),
    "run mode": Reason(
        spoil=last_cycle(run_mode="execute"),
        gate="run_mode",
        heals=True,
        typed=RUN.replace("E ", "E --run-mode record "),
    ),
    "no run mode": Reason(
        spoil=last_cycle(run_mode=None),
        gate="run_mode",
        heals=True,
        typed=RUN.replace("E ", "E --run-mode record "),
    ),
    "release": Reason(
        spoil=last_cycle(runtime_version="1.3.2"),
        gate="evidence_of_release:runtime_version",
        heals=True,
        typed=RUN,
    ),
    "fixture": Reason(
        spoil=last_cycle(fixture_sha256=SHA),
        gate="evidence_of_release:fixture_sha256",
        heals=True,
        typed=RUN,
    ),
}


def these(*, heal: bool = False, need_reenter: bool = False) -> list[str]:
    """Return the names of the reasons that heal, or need `reenter`."""
    return [
        name
        for name, reason in REASONS.items()
        if reason.heals >= heal and reason.needs_reenter >= need_reenter
    ]


@pytest.mark.parametrize("soak", ["0s", "10m"])
def test_nothing_wrong(gate: Gate, soak: str) -> None:
    """What all of these start from goes on; otherwise none of them were the only thing wrong."""
    assert Canary(gate, soak=soak).answer(expected=0)["next_phase"] == "canary-2"


@pytest.mark.parametrize("name", REASONS)
def test_it_alone_holds_by_its_name(gate: Gate, name: str) -> None:
    """Exit 3, and the gate of that name is the one in the way; nothing is written by the asking."""
    reason, canary = REASONS[name], Canary(gate)
    reason.spoil(canary)
    files = gate.contents()
    held_by = canary.held_by()
    assert held_by.keys() == {reason.gate} | reason.follows
    assert all(held_by.values())
    assert ("reenter --reason" in held_by[reason.gate]) == reason.needs_reenter
    assert gate.contents() == files


@pytest.mark.parametrize("name", REASONS)
def test_what_to_type_next_is_what_helps(gate: Gate, name: str) -> None:
    """One command for each reason; `advance` only where time or clean cycles alone help."""
    reason, canary = REASONS[name], Canary(gate)
    reason.spoil(canary)
    reenter = "tau-rollout-gate reenter --reason 'WHAT HAPPENED TO THE LOG'"
    expected = reenter if reason.needs_reenter else reason.typed
    (command,) = typed_next(canary)
    assert command.removesuffix(" --accept-lost-evidence") == expected


def test_what_to_type_next_of_a_policy_s_gates(gate: Gate) -> None:
    """What the last cycle shows is diagnosed; what nobody did yet is named with its blank.

    A rollout that is frozen is told to resume once nothing else is to be done.
    """
    canary = Canary(gate)
    last_cycle(backlog_cases=2, reason_codes=["queue_backpressure_applied"])(canary)
    assert typed_next(canary)[0] == DIAGNOSE
    canary.run("freeze", "--reason", "the hall is moved", expected=0)
    assert typed_next(canary) == [DIAGNOSE]  # to resume is no help yet
    canary.next_cycles(1)
    assert typed_next(canary) == ["tau-rollout-gate resume --reason 'WHY IT MAY GO ON'"]
    canary.run("rollback", "--reason", "anew", expected=0)
    assert typed_next(canary, expected=4) == []  # its steps are listed instead
    gate.begin("--now-unix-ms", str(canary.now))
    asked = "tau-rollout-gate advance --validation validation=REPORT"
    assert typed_next(canary) == [asked]


@pytest.mark.parametrize("end", UNPACKERS)
def test_a_compressed_file_of_the_log_is_unpacked(gate: Gate, end: str) -> None:
    """Where lines are missing, the command that brings them back is told, and `reenter` after it.

    Also where the newest file is the compressed one, and where no file but it is there.
    """
    canary = Canary(gate)
    rotate(canary, BEFORE_ENTRY + 1)
    expected = f"{UNPACKERS[end]} .tau/custom-command/{LOG}"
    rotated = canary.log.with_name(f"{LOG}.1")
    rotated.rename(f"{rotated}.{end}")
    assert "reenter --reason" in canary.held_by()["segments_present"]
    assert typed_next(canary, starts=UNPACKERS[end]) == [f"{expected}.1.{end}"]
    canary.log.rename(f"{canary.log}.{end}")
    assert typed_next(canary, starts=UNPACKERS[end]) == [
        f"{expected}.1.{end} .tau/custom-command/{LOG}.{end}"
    ]
    Path(f"{rotated}.{end}").rename(rotated)
    assert typed_next(canary, starts=UNPACKERS[end]) == [f"{expected}.{end}"]
    Path(f"{canary.log}.{end}").rename(canary.log)
    canary.answer(expected=0)


def test_what_is_compressed_is_no_matter_where_nothing_is_missing(gate: Gate) -> None:
    """A compressed file from before the evidence holds nothing, and is no cause of another hold."""
    canary = Canary(gate)
    canary.log.with_name(f"{LOG}.7.gz").write_bytes(b"older")
    canary.answer(expected=0)
    removed("state.json")(canary)
    assert "gunzip" not in canary.held_by()["files_present"]
    assert typed_next(canary) == [RECOVER]


def test_what_cannot_be_read_is_the_first_reason(gate: Gate) -> None:
    """Causes come before what was seen, and that before what nothing was seen of."""
    canary = Canary(gate, soak="10m")
    removed(LOG, "state.json")(canary)
    reasons = canary.answer(expected=3)["reasons"]
    assert "files_present" in reasons[0]
    unseen = ["nothing seen" in reason for reason in reasons]
    assert unseen == sorted(unseen)
    assert any(unseen)


def test_a_place_that_was_given_is_asked_for_anew(gate: Gate) -> None:
    """Where files are gone from a directory that --surface named, that option is not said twice."""
    canary = Canary(gate)
    removed(LOG, "state.json")(canary)
    assert typed_next(canary, "--surface", f"{SURFACE}={canary.state_dir}") == [MOVED]


def typed_next(canary: Canary, *options: str, expected: int = 3, starts: str = "tau-") -> list[str]:
    """Return the commands that `explain` says to type."""
    said = canary.run("explain", *options, expected=expected).out.splitlines()
    below = itertools.dropwhile(lambda line: line != "WHAT TO TYPE NEXT", said)
    commands = (line.strip() for line in below if line.startswith(f"  {starts}"))
    return [command.replace(f"{canary.gate.folder}/", "") for command in commands]


@pytest.mark.parametrize("name", these(need_reenter=True))
def test_no_clean_cycle_mends_it_but_reenter_does(gate: Gate, name: str) -> None:
    """Hours of clean cycles do not; after `reenter` the soak is served anew, then it goes on."""
    reason, canary = REASONS[name], Canary(gate, soak="10m")
    reason.spoil(canary)
    canary.next_cycles(12)
    if name == "segment":  # the helper wrote the whole log again
        rotate(canary, BEFORE_ENTRY + 1)
        (canary.state_dir / f"{LOG}.1").unlink()
    assert canary.held_by().keys() == {reason.gate}
    canary.run(*REENTER, expected=0)
    assert canary.held_by().keys() == {"cycle_in_window", "soak"}
    append_cycle(canary)
    assert canary.held_by().keys() == {"soak", "work_advances"}
    append_cycle(canary)
    canary.run("advance", expected=0)
    assert canary.phase == "canary-2"


def append_cycle(canary: Canary) -> None:
    """Run a clean cycle that leaves the log before it alone."""
    canary.now += INTERVAL
    canary.history.add(canary.now)
    with canary.log.open("ab") as log:
        log.write(canary.history.lines[-1])
    (canary.state_dir / "state.json").write_text(json.dumps(canary.history.state()))


@pytest.mark.parametrize("name", these(heal=True))
def test_clean_cycles_mend_it(gate: Gate, name: str) -> None:
    """The next one does; where it moved the soak's start, so many more as the soak takes."""
    reason, canary = REASONS[name], Canary(gate, soak="10m")
    reason.spoil(canary)
    canary.held_by()
    canary.next_cycles(1)
    code = gate("evaluate", "--now-unix-ms", str(canary.now)).code
    if code:
        assert canary.held_by().keys() <= {"soak", "work_advances"}
    canary.next_cycles(3)
    canary.run("advance", expected=0)
    assert canary.phase == "canary-2"


class TestWhatIsToldHelps:
    """The remedies of what neither a cycle nor `reenter` mends, and the second of two ways."""

    def test_the_files_are_elsewhere(self, gate: Gate) -> None:
        """`--surface` names their directory; the chain shows that it is the same log."""
        canary = Canary(gate)
        canary.state_dir.rename(gate.folder / "elsewhere")
        assert "--surface" in canary.held_by()["files_present"]
        canary.answer("--surface", f"{SURFACE}=elsewhere", expected=0)

    def test_a_log_that_is_lost_for_good(self, gate: Gate) -> None:
        """The runtime goes on with a new one, whose beginning is missing; then it is `reenter`."""
        canary = Canary(gate)
        canary.log.unlink()
        append_cycle(canary)
        assert canary.held_by().keys() == {"segments_present", "work_advances"}
        canary.run(*REENTER, expected=0)
        append_cycle(canary)
        append_cycle(canary)
        canary.answer(expected=0)

    def test_the_segment_is_put_back(self, gate: Gate) -> None:
        """Then there is nothing wrong any more."""
        canary = Canary(gate)
        segment_missing(canary)
        assert "put the rotated file back" in canary.held_by()["segments_present"]
        (canary.state_dir / "lost").rename(canary.state_dir / f"{LOG}.1")
        canary.answer(expected=0)

    @pytest.mark.parametrize("ends", [(3,), (4,), (5,), (3, 4), (3, 5), (3, 4, 5)])
    def test_a_rotated_log_is_no_reason(self, gate: Gate, ends: tuple[int, ...]) -> None:
        """Wherever it was cut, and also right after the rename, before there is a new file."""
        canary = Canary(gate)
        rotate(canary, *ends)
        if canary.log.stat().st_size == 0:
            canary.answer(expected=0)
            canary.log.unlink()
        canary.answer(expected=0)

    def test_what_is_older_than_the_entry_may_go(self, gate: Gate) -> None:
        """A rotated file that ends with the line of the entry is needed no more."""
        canary = Canary(gate)
        rotate(canary, BEFORE_ENTRY)
        (canary.state_dir / f"{LOG}.1").unlink()
        canary.answer(expected=0)

    def test_the_clock_gets_there(self, gate: Gate) -> None:
        """A cycle in the future holds until it is none; a minute ahead is none yet."""
        canary = Canary(gate)
        one_more_cycle(60_001)(canary)
        canary.held_by()
        canary.now += 1
        canary.answer(expected=0)

    def test_the_writers_clock_is_set(self, gate: Gate) -> None:
        """The next cycle is dated before the one in the future then; that is for `reenter`."""
        canary = Canary(gate)
        canary.history.add(canary.now + 60 * MINUTE).write(canary.state_dir)
        canary.held_by()
        append_cycle(canary)
        assert canary.held_by().keys() == {"evidence_not_in_future", "clock_forward"}
        canary.run("reenter", "--reason", "the clock was an hour ahead", expected=0)
        append_cycle(canary)
        append_cycle(canary)
        canary.answer(expected=0)

    def test_the_evaluators_clock_is_set(self, gate: Gate) -> None:
        """Entered before now again, it goes on; before that no command moves it on."""
        canary = Canary(gate)
        evaluator_before_entry(canary)
        canary.run("advance", expected=3)
        canary.now = ENTERED + 40 * SECOND
        canary.answer(expected=0)

    @pytest.mark.parametrize("others", [0, 2])
    def test_a_compressed_file_is_named(self, gate: Gate, others: int) -> None:
        """It is no missing file, and unpacking it helps."""
        canary = Canary(gate)
        segment_missing(canary)
        packed = canary.state_dir / f"{LOG}.1.gz"
        (canary.state_dir / "lost").rename(packed)
        for number in range(others):
            (canary.state_dir / f"{LOG}.{number + 2}.xz").write_bytes(b"packed")
        more = f" and {others} more" if others else ""
        answer = canary.answer(expected=3)
        told = f"{LOG}.1.gz{more} beside it is compressed, and not read: unpack it"
        assert any(told in reason for reason in answer["reasons"])
        packed.rename(canary.state_dir / f"{LOG}.1")
        canary.answer(expected=0)

    def test_a_pause_as_long_as_may_be(self, gate: Gate) -> None:
        """Three intervals and the cycle's duration are not stale yet."""
        canary = Canary(gate)
        canary.now = NOW + LONGEST_PAUSE
        canary.answer(expected=0)

    def test_the_torn_bytes_are_cut(self, gate: Gate) -> None:
        """Without them nothing is wrong; the whole lines are as they were."""
        canary = Canary(gate)
        whole = canary.log.read_bytes()
        torn(canary)
        canary.held_by()
        canary.log.write_bytes(whole)
        canary.answer(expected=0)

    def test_a_state_a_cycle_behind_is_no_reason(self, gate: Gate) -> None:
        """A writer appends the line first; one that was killed there leaves this."""
        canary = Canary(gate)
        behind = History(lines=canary.history.lines[:-1]).state()
        (canary.state_dir / "state.json").write_text(json.dumps(behind))
        canary.answer(expected=0)


def test_reenter_is_recorded_with_what_held(gate: Gate) -> None:
    """Who left damaged evidence behind, why, and what held then, stays in the chain."""
    canary = Canary(gate)
    line_removed(canary)
    canary.run(*REENTER, "--by", "ada", expected=0)
    entry = load(gate.root).last
    assert (entry.action, entry.by, entry.reason) == ("reenter", "ada", "looked into it")
    assert entry.held_by == (f"{SURFACE}:chain_whole",)
    (pin,) = entry.rollout_after.surfaces
    assert pin.sound_from is not None
    assert pin.sound_from.event_sha256 == digest(canary.history.lines[-1])
    assert pin.carried.lost_lines == 1
    assert gate("verify").code == 0
    shutil.rmtree(canary.state_dir)
    assert "files_present" in canary.held_by()


def a_log_that_is_a_folder(canary: Canary) -> None:
    """Put something in the log's place that cannot be read."""
    canary.log.rename(canary.gate.folder / "kept")
    canary.log.mkdir()


def a_log_that_was_moved_away(canary: Canary) -> None:
    """Leave a state without its log."""
    canary.log.rename(canary.gate.folder / "kept")


def a_log_that_was_cut(canary: Canary) -> None:
    """Leave a log that ends before the cycle that the state names."""
    canary.log.rename(canary.gate.folder / "kept")
    canary.log.write_bytes(canary.history.lines[0])


@pytest.mark.parametrize(
    "spoil",
    [a_log_that_is_a_folder, a_log_that_was_moved_away, a_log_that_was_cut],
    ids=lambda one: one.__name__,
)
def test_where_the_log_ends_is_not_known_before_canary_1(gate: Gate, spoil: Spoil) -> None:
    """All its lines would later look like evidence; mended, the evidence starts at its end."""
    canary = Canary(gate)
    canary.run("rollback", "--reason", "anew", expected=0)
    gate.begin("--now-unix-ms", str(NOW))
    spoil(canary)
    missing = ["files_present"] if not canary.log.is_file() else []
    assert list(canary.held_by("--validation", "report.json")) == [*missing, "log_end_known"]
    canary.run("advance", "--validation", "report.json", expected=3)
    if canary.log.is_dir():
        canary.log.rmdir()
    (gate.folder / "kept").rename(canary.log)
    canary.run("advance", "--validation", "report.json", expected=0)
    assert canary.phase == "canary-1"
    assert load(gate.root).rollout.surfaces[0].evidence_from == canary.history.position()


@pytest.mark.parametrize(
    ("files", "first_run", "held_by"),
    [
        (["state.json", LOG], False, []),
        ([], False, ["files_present"]),
        ([], True, []),
        (["state.json"], False, ["files_present", "log_end_known"]),
        (["state.json"], True, ["files_present", "log_end_known"]),
        ([LOG], False, ["files_present"]),
        ([LOG], True, ["files_present"]),
        (["state.json", LOG], True, []),
    ],
)
def test_in_preflight_every_surface_is_there(
    gate: Gate, files: list[str], held_by: list[str], *, first_run: bool
) -> None:
    """Or was started as one that never ran, which ends once any state or log is there."""
    canary = Canary(gate)
    canary.run("rollback", "--reason", "anew", expected=0)
    for name in {"state.json", LOG}.difference(files):
        (canary.state_dir / name).unlink()
    new = ("--first-run", SURFACE) if first_run else ()
    start = ("start", "--release", "1.4.0", "--rollback-to", "1.3.2", *new)
    canary.run(*start, expected=0)
    report = ("--validation", "report.json")
    if held_by:
        assert list(canary.held_by(*report)) == held_by
    else:
        canary.answer(*report, expected=0)
        (canary.state_dir / "state.json").write_text("{}")
        assert "state_valid" in canary.held_by(*report)


def test_a_surface_that_no_line_names_is_warned_of(gate: Gate) -> None:
    """What is only for others judges it nowhere, and every answer says so."""
    (gate.folder / "mine").mkdir()
    gate.begin("--surface", "mine=mine", "--first-run", "mine")
    answer = json.loads(gate("evaluate", "--json").out)
    assert "mine: no gate or trigger of the policy names it" in " ".join(answer["warnings"])


def test_another_directory_s_cycles_are_no_evidence(gate: Gate) -> None:
    """A surface that was misspelt had no log; what the right one held before does not count."""
    canary = Canary(gate)
    canary.run("rollback", "--reason", "anew", expected=0)
    real = str(canary.state_dir)
    start = ("start", "--release", "1.4.0", "--rollback-to", "1.3.2", "--first-run", SURFACE)
    canary.run(*start, "--surface", f"{SURFACE}=typo", expected=0)
    canary.now += MINUTE + 1
    canary.run("advance", "--validation", "report.json", expected=0)
    canary.next_cycles(3)
    answer = canary.answer("--surface", f"{SURFACE}={real}", expected=3)
    statuses = {one["name"]: one["status"] for one in answer["gates"]}
    assert statuses["log_continues"] == "fail"
    canary.run("reenter", "--reason", "misspelt", "--surface", f"{SURFACE}={real}", expected=0)
    canary.next_cycles(2)
    answer = canary.answer("--surface", f"{SURFACE}={real}", expected=3)
    assert {one["name"] for one in answer["gates"] if one["status"] == "fail"} == {"soak"}
    assert answer["soak"]["held_ms"] == 2 * INTERVAL


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_line_that_is_too_long_hides_no_trigger_that_was_recorded(
    gate: Gate, *, is_recorded: bool
) -> None:
    """One that was not recorded is behind it, out of sight: that holds, and does not promote."""
    canary = Canary(gate)
    canary.history.add(NOW + INTERVAL, **failed(streak=3))
    canary.now += INTERVAL
    canary.history.write(canary.state_dir)
    assert canary.answer(expected=4)["verdict"] == "rollback"
    if is_recorded:
        canary.run("advance", expected=4)
    with canary.log.open("ab") as log:
        log.write(b"x" * (LONGEST_LINE_BYTES + 1) + b"\n")
    answer = canary.answer(expected=4 if is_recorded else 3)
    statuses = {one["name"]: one["status"] for one in answer["gates"]}
    assert statuses["segments_present"] == "fail"
    refused = "a rollback trigger fired" if is_recorded else "it is not known after which line"
    assert refused in canary.run("reenter", "--reason", "r", expected=2).err


@pytest.mark.parametrize(
    "spoil", [a_log_that_is_a_folder, a_log_that_was_moved_away], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("is_state_kept", [True, False])
def test_a_phase_is_not_entered_anew_at_an_end_that_is_not_known(
    gate: Gate, spoil: Spoil, *, is_state_kept: bool
) -> None:
    """As before canary-1; nothing is written."""
    canary = Canary(gate)
    spoil(canary)
    if not is_state_kept:
        (canary.state_dir / "state.json").unlink()
    before = gate.contents()
    done = canary.run("reenter", "--reason", "r", expected=2)
    assert "it is not known after which line the phase would start" in done.err
    assert gate.contents() == before
