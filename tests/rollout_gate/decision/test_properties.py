"""What holds whatever happened: damage never helps, nothing is mute, stricter is never faster.

Each property was seen to fail with the code broken for it.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.errors import RefusedError, RolloutUnusableError
from tau_rollout_gate.evidence.history import RecordedHistory
from tau_rollout_gate.evidence.lines import LogPart
from tau_rollout_gate.evidence.surface import elsewhere
from tau_rollout_gate.evidence.values import CLOCK_TOLERANCE_MS, Evidence
from tau_rollout_gate.files.surface.state_directory import EVENT_LOG, STATE_FILE, read_surface
from tau_rollout_gate.formats.renderers import RENDERERS
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.rollout.ledger import Action
from tau_rollout_gate.rollout.ledger_check import standing
from tau_rollout_gate.rollout.simulation.replay import steps as replayed
from tau_rollout_gate.rollout.stops import frozen
from tau_rollout_gate.rollout.transitions import (
    adopted,
    reentered,
    resumed,
    stopped,
)
from tests.rollout_gate import making
from tests.rollout_gate.making import (
    ENTERED,
    MINUTE,
    SURFACE,
    History,
    digest,
    failed,
    malformed,
)
from tests.rollout_gate.recording import Gate, environment, frozen_by, led_to
from tests.rollout_gate.recording import answer as answer_of
from tests.rollout_gate.worlds import (
    QUICK,
    SIGNED_OFF,
    SOAKS,
    Step,
    World,
    altered,
    histories,
    history_of,
    rollout_of,
    state_of,
    world_of,
    worlds,
)

pytestmark = pytest.mark.exhaustive

GO = frozenset({Verdict.PROMOTE, Verdict.COMPLETE})
Files = dict[str, bytes]


def lines_in(files: Mapping[str, bytes]) -> list[bytes]:
    """Return the lines of a log, over its rotated files."""
    logs = sorted((name for name in files if name.startswith(EVENT_LOG)), reverse=True)
    return b"".join(files[name] for name in logs).splitlines(keepends=True)


def is_earlier_state(world: World, files: Mapping[str, bytes]) -> bool:
    """Tell whether nothing is changed but what follows the line that the state belongs to.

    The files then are, or might be, what a reader finds between two of the writer's writes.
    """
    covered = world.covered
    if not covered or len(world.lines) - covered > 1 or files.get(STATE_FILE) != world.state:
        return False
    return lines_in(files)[:covered] == list(world.lines[:covered])


def is_later(one: Answer, other: Answer) -> bool:
    """Tell whether the second answer lets a release go that the first did not."""
    return one.verdict not in GO and other.verdict in GO


# -------------------------------------------------------------------------- damage, age and clocks


TELLING = (
    b"processing_failed",
    b"inputs_observed",
    b"backpressure_applied",
    b"no JSON",
    b"1.3.9",
    b"degraded",
)
"""What lines of trouble have in them: taking such a line out is what somebody would do."""


@st.composite
def without_a_line(draw: st.DrawFn, files: Files) -> Files:
    """Take a line out of one of the log's files."""
    name = draw(st.sampled_from([name for name in files if name != STATE_FILE]))
    lines = files[name].splitlines(keepends=True)
    told = [at for at, line in enumerate(lines) if any(code in line for code in TELLING)]
    if lines:
        del lines[draw(st.sampled_from(told or [0]) | st.integers(0, len(lines) - 1))]
    return files | {name: b"".join(lines)}


@st.composite
def without_a_file(draw: st.DrawFn, files: Files) -> Files:
    """Take a file away, or two."""
    newest = st.just({STATE_FILE, EVENT_LOG})
    gone = draw(newest | st.sets(st.sampled_from(sorted(files)), min_size=1, max_size=2))
    return {name: content for name, content in files.items() if name not in gone}


@st.composite
def without_a_tail(draw: st.DrawFn, files: Files) -> Files:
    """Cut the log somewhere: behind a line, or within one."""
    log = files[EVENT_LOG]
    ends = [0, *accumulate(map(len, log.splitlines(keepends=True)))]
    end = draw(st.one_of(st.sampled_from(ends), st.integers(0, len(log))))
    return files | {EVENT_LOG: log[:end]}


@st.composite
def with_a_byte_damaged(draw: st.DrawFn, files: Files) -> Files:
    """Have another byte somewhere; digits and line breaks more often than chance has it."""
    name = draw(st.sampled_from(sorted(name for name in files if files[name])))
    raw = bytearray(files[name])
    digits = [index for index, byte in enumerate(raw) if chr(byte).isdigit() or byte == 0x0A]
    told = [raw.find(code) for code in TELLING if code in raw]
    at = draw(st.integers(0, len(raw) - 1) | st.sampled_from(digits or [0]))
    at = draw(st.sampled_from([at, *told]))
    byte = draw(st.one_of(st.sampled_from(b"0129\n }"), st.integers(0, 255)))
    assume(raw[at] != byte)
    raw[at] = byte
    return files | {name: bytes(raw)}


@st.composite
def with_two_lines_swapped(draw: st.DrawFn, files: Files) -> Files:
    """Swap two lines, perhaps of two files."""
    logs = sorted((name for name in files if name != STATE_FILE), reverse=True)
    places = [
        (name, at) for name in logs for at in range(len(files[name].splitlines(keepends=True)))
    ]
    assume(len(places) > 1)
    one, other = draw(st.lists(st.sampled_from(places), min_size=2, max_size=2, unique=True))
    lines = {name: files[name].splitlines(keepends=True) for name in logs}
    first, second = lines[one[0]][one[1]], lines[other[0]][other[1]]
    lines[one[0]][one[1]], lines[other[0]][other[1]] = second, first
    return files | {name: b"".join(each) for name, each in lines.items()}


DAMAGES: list[Callable[[Files], st.SearchStrategy[Files]]] = [
    without_a_line,
    without_a_file,
    without_a_tail,
    with_a_byte_damaged,
    with_two_lines_swapped,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@settings(max_examples=70, deadline=None)
@given(world=worlds(), data=st.data())
def test_damage_never_lets_a_release_go(
    damage: Callable[[Files], st.SearchStrategy[Files]], world: World, data: st.DataObject
) -> None:
    """What holds or goes back does so, or worse, with any part of its evidence gone or altered."""
    answer = world.answer()
    assume(answer.verdict not in GO)
    files = data.draw(damage(world.files()))
    assume(not is_earlier_state(world, files))
    event(f"from {answer.verdict}")
    assert not is_later(answer, world.answer(files))


CLEAN: list[Step] = [(5 * MINUTE, {})] * 4


def as_it_was(world: World, end: int) -> Files:
    """Return the files as they were after so many lines."""
    lines = world.lines[:end]
    return replace(world, lines=lines, state=state_of(lines), torn=b"").files()


def moved_about(draw: st.DrawFn, files: Files) -> Files:
    """Rename, swap or drop the log's files."""
    names = sorted(name for name in files if name != STATE_FILE)
    targets = draw(st.permutations([*names, f"{EVENT_LOG}.7", f"{EVENT_LOG}.bak"]))
    moved = {to: files[name] for name, to in zip(names, targets, strict=False)}
    return {STATE_FILE: files[STATE_FILE]} | moved


@st.composite
def put_back(draw: st.DrawFn, world: World) -> Files:
    """Put files back from a copy: over what is there, or instead; or lines, or move files."""
    files, end = world.files(), draw(st.integers(1, len(world.lines)))
    copy = as_it_was(world, end)
    start = draw(st.integers(0, end - 1))
    ways: dict[str, Callable[[], Files]] = {
        "whole": lambda: copy,
        "over what is there": lambda: files | copy,
        "state": lambda: files | {STATE_FILE: copy[STATE_FILE]},
        "log": lambda: copy | {STATE_FILE: files[STATE_FILE]},
        "log over what is there": lambda: files | copy | {STATE_FILE: files[STATE_FILE]},
        "log and state alone": lambda: (
            files | {STATE_FILE: copy[STATE_FILE], EVENT_LOG: copy[EVENT_LOG]}
        ),
        "lines appended": lambda: (
            files | {EVENT_LOG: files[EVENT_LOG] + b"".join(world.lines[start:end])}
        ),
        "lines appended, and the state": lambda: (
            files
            | {
                EVENT_LOG: files[EVENT_LOG] + b"".join(world.lines[start:end]),
                STATE_FILE: copy[STATE_FILE],
            }
        ),
        "files moved": lambda: moved_about(draw, files),
    }
    way = draw(st.sampled_from(sorted(ways)))
    event(way)
    return ways[way]()


def is_from_before(world: World, files: Mapping[str, bytes]) -> bool:
    """Tell whether the files are as they were once, with all that was seen, and nothing else."""
    (pin,) = world.rollout.surfaces
    assert pin.seen is not None
    digests = [digest(line) for line in world.lines]
    wanted = pin.seen.position.event_sha256
    seen = digests.index(wanted) + 1 if wanted in digests else 0
    return any(as_it_was(world, end) == files for end in range(max(seen, 1), len(digests) + 1))


def gone_on(files: Files, now: int) -> Files:
    """Have the writer run clean cycles from a time on: it goes on with what its state names."""
    last = json.loads(files[STATE_FILE]).get("last_cycle")
    log = files.get(EVENT_LOG, b"")
    assume(last is not None and log.endswith(b"\n"))
    history, before = History(lines=log.splitlines(keepends=True)), last["event_sha256"]
    for index in range(1, 7):
        time, number = now + index * 5 * MINUTE, last["cycle_number"] + index
        cycle_id = f"{time:013d}-{number:08d}-c"
        history.add(time, cycle_number=number, cycle_id=cycle_id, previous_sha256=before)
        before = digest(history.lines[-1])
    state = json.dumps(history.state()).encode()
    return files | {EVENT_LOG: b"".join(history.lines), STATE_FILE: state}


@settings(max_examples=150, deadline=None)
@given(world=worlds() | worlds(goes_wrong=True), data=st.data(), goes_on=st.booleans())
def test_what_is_put_back_from_a_copy_lets_no_release_go(
    world: World, data: st.DataObject, *, goes_on: bool
) -> None:
    """Whole, state only, log only, over newer files, lines of it; or files renamed or swapped.

    At once, and after the writer went on from there. But for a whole copy that is newer than what
    `advance` saw last: nobody can tell it.
    """
    before, files = world.files(), data.draw(put_back(world))
    assume(not is_earlier_state(world, files) and not is_from_before(world, files))
    if goes_on:
        before, files = gone_on(before, world.now), gone_on(files, world.now)
        world = replace(world, now=world.now + 30 * MINUTE)
    answer = world.answer(before)
    assume(answer.verdict not in GO)
    event(f"goes on: {goes_on}, from {answer.verdict}")
    assert not is_later(answer, world.answer(files))


@settings(max_examples=60, deadline=None)
@given(world=worlds(), end=st.integers(0, 40))
def test_a_copy_from_before_what_was_seen_holds(world: World, end: int) -> None:
    """However sound it is; going on from it, cycle after cycle, does not help."""
    looked = world.advance()
    assume(looked.answer().verdict in GO or looked.answer().verdict is Verdict.HOLD)
    (pin,) = looked.rollout.surfaces
    assert pin.seen is not None
    digests = [digest(line) for line in world.lines]
    assume(pin.seen.position.event_sha256 in digests)
    end = min(end, digests.index(str(pin.seen.position.event_sha256)))
    assume(end > 0)
    history = History(lines=list(world.lines[:end]))
    assume(history.lines[-1].startswith(b"{"))
    history.every(
        5 * MINUTE, 6, after=history.last()["timestamp_unix_ms"], health_reason="after the copy"
    )
    lines = tuple(history.lines)
    anew = replace(looked, lines=lines, state=state_of(lines), torn=b"", cuts=())
    later = replace(anew, now=history.last()["timestamp_unix_ms"])
    assert later.answer().verdict not in GO


@settings(max_examples=60, deadline=None)
@example(world=world_of(CLEAN), other=world_of(CLEAN), is_chained=False)
@example(world=world_of(CLEAN), other=world_of(CLEAN), is_chained=True)
@given(world=worlds(), other=worlds(), is_chained=st.booleans())
def test_another_directory_is_no_evidence(world: World, other: World, *, is_chained: bool) -> None:
    """Whatever stands there; unless it has the pinned line where that stood, in a chain."""
    (pin,) = world.rollout.surfaces
    with tempfile.TemporaryDirectory() as folder:
        other.write(Path(folder))
        read = read_surface(pin, Path(folder), sleep=lambda _: None)
    found = elsewhere(read._replace(is_chained=is_chained), pin, "elsewhere", read)
    assume(not (is_chained and found.is_same_log))
    evidence = Evidence(surfaces={pin.name: found}, signoff=SIGNED_OFF)
    answer = decide(world.policy, world.rollout, evidence, now_unix_ms=other.now)
    assert answer.verdict not in GO


@settings(max_examples=200, deadline=None)
@given(
    phase=st.sampled_from(making.rollout().phases),
    kept=st.integers(0, 6),
    action=st.sampled_from(Action),
    verdict=st.sampled_from([None, *Verdict]),
    changes=st.fixed_dictionaries(
        {},
        optional={
            "phase": st.sampled_from(making.rollout().phases),
            "status": st.sampled_from(RolloutStatus),
            "fired_triggers": st.just(()),
            "frozen": st.sampled_from([None, frozen_by("eve")]),
            "release": st.just("9.9.9"),
        },
    ),
    is_named=st.booleans(),
)
def test_a_forged_or_cut_end_of_the_ledger_lets_no_release_go(  # noqa: PLR0913 - what can be forged
    phase: str,
    kept: int,
    action: Action,
    verdict: Verdict | None,
    changes: dict[str, Any],
    *,
    is_named: bool,
) -> None:
    """Cut, nothing is decided on it; an entry ahead of rollout.json only ever holds back.

    One that rollout.json names, which somebody would have to write too, is at least one that a
    command could have made.
    """
    before = making.rollout(phase, frozen=frozen_by("ada"))
    ledger = led_to(making.rollout(phase))
    ledger.add(before, Action.FREEZE)
    lines, file = ledger.lines(), ledger.file()
    if kept < len(lines):
        with pytest.raises(RolloutUnusableError):
            standing(file, lines[:kept])
    after = before.replaced(**changes)
    said = None if verdict is None else answer_of(verdict, phase=phase)
    ledger.add(after, action, answer=said)
    try:
        found = standing(ledger.file() if is_named else file, ledger.lines())
    except RolloutUnusableError:
        return
    assert found is not None
    assert found.rollout.status is not RolloutStatus.COMPLETE
    assert (found.rollout.phase, found.rollout.release) == (phase, "1.4.0")
    assert found.rollout.frozen is not None or (is_named and action is Action.RESUME)


@settings(max_examples=70, deadline=None)
@example(world=world_of([(5 * MINUTE, {})] * 4, later_ms=20 * MINUTE), later_ms=10**9)
@given(world=worlds(), later_ms=st.sampled_from([0, MINUTE, 5 * MINUTE, 10**9, 10**11]))
def test_waiting_alone_never_lets_a_release_go(world: World, later_ms: int) -> None:
    """The same files later say no more, but for what was dated in the future before."""
    answer = world.answer()
    assume(not any(name.endswith("_in_future") for name in answer.held_by))
    assert not is_later(answer, replace(world, now=world.now + later_ms).answer())


@settings(max_examples=70, deadline=None)
@given(world=worlds(), back_ms=st.sampled_from([1, MINUTE, 6 * MINUTE, 20 * MINUTE, 60 * MINUTE]))
def test_a_clock_set_back_mends_nothing_but_age(world: World, back_ms: int) -> None:
    """Evidence is as young again as it was; nothing else that was in the way goes away."""
    answer = world.answer()
    assume(any(not name.endswith(":evidence_fresh") for name in answer.held_by))
    assert not is_later(answer, replace(world, now=world.now - back_ms).answer())


@settings(max_examples=70, deadline=None)
@given(world=worlds())
def test_a_clock_that_stands_still_lets_nothing_go(world: World) -> None:
    """A phase is left once its soak went by on the evaluator's clock too, but for the tolerance."""
    answer = world.answer()
    still = replace(world, now=world.rollout.phase_entered_unix_ms)
    assert still.answer().verdict not in GO
    if answer.verdict in GO:
        served = world.now - world.rollout.phase_entered_unix_ms + CLOCK_TOLERANCE_MS
        assert served >= answer.soak.required_ms


SERVED: list[Step] = [(5 * MINUTE, {})] * 4
"""Clean cycles that serve the soak of the first phase."""

WITHOUT_A_CHAIN: dict[str, Callable[[Files], Files]] = {
    "no state": lambda files: {EVENT_LOG: files[EVENT_LOG]},
    "no log": lambda files: {STATE_FILE: files[STATE_FILE]},
    "nothing": lambda _: {},
    "an empty log": lambda files: files | {EVENT_LOG: b""},
    "torn": lambda files: files | {EVENT_LOG: files[EVENT_LOG][:-1]},
    "torn far": lambda files: files | {EVENT_LOG: files[EVENT_LOG][:-40]},
    "a bad line": lambda files: files | {EVENT_LOG: files[EVENT_LOG] + b"{}\n"},
}


@settings(max_examples=70, deadline=None)
@example(
    world=world_of([*SERVED, (MINUTE, malformed())], is_chained=False),
    damage="torn",
)
@given(world=worlds(is_chained=False), damage=st.sampled_from(sorted(WITHOUT_A_CHAIN)))
def test_without_a_chain_missing_files_and_torn_tails_still_hold(world: World, damage: str) -> None:
    """Of a writer that does not chain: state, log, the bytes at its end, a line that is bad."""
    whole = replace(world, cuts=())
    answer = whole.answer()
    assume(answer.verdict not in GO)
    assert not is_later(answer, whole.answer(WITHOUT_A_CHAIN[damage](whole.files())))


@pytest.mark.parametrize("at", [1, 3])
def test_no_digit_of_a_line_can_be_changed(at: int) -> None:
    """Not one of a queue that is too long, be it in the middle of the log or at its end."""
    steps = list(SERVED)
    steps[at] = (5 * MINUTE, {"backlog_cases": 2})
    world, clean = world_of(steps), world_of(SERVED)
    assert (clean.answer().verdict, world.answer().verdict) == (Verdict.PROMOTE, Verdict.HOLD)
    files = world.files()
    start = sum(map(len, world.lines[:at]))
    for index, byte in enumerate(world.lines[at], start=start):
        if chr(byte).isdigit():
            log = bytearray(files[EVENT_LOG])
            log[index] = ord("0") if byte == ord("1") else ord("1")
            assert world.answer(files | {EVENT_LOG: bytes(log)}).verdict is not Verdict.PROMOTE


def test_state_and_newest_file_gone_together() -> None:
    """What the rotated file alone would let go holds."""
    world = replace(world_of([*SERVED, (MINUTE, malformed())]), cuts=(len(SERVED),))
    rotated = f"{EVENT_LOG}.1"
    assert world_of(SERVED).answer().verdict is Verdict.PROMOTE
    assert world.answer().verdict is Verdict.ROLLBACK
    assert world.answer({rotated: world.files()[rotated]}).verdict is Verdict.HOLD


# ----------------------------------------------------------------------------------- the same bytes

EVERY_FORMAT = """
import sys
from typer.testing import CliRunner
from tau_rollout_gate.cli.app import app
for words in [["explain"], *(["evaluate", "--format", one] for one in sys.argv[2:])]:
    done = CliRunner().invoke(app, [*words, "--now-unix-ms", sys.argv[1]])
    print(words, done.exit_code, done.stdout, done.stderr)
"""


@settings(max_examples=40, deadline=None)
@given(world=worlds())
def test_the_same_files_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, world: World
) -> None:
    """Written and read anew, every format prints the same."""
    state_dir = tmp_path_factory.mktemp("same")
    printed = []
    for _ in range(2):
        world.write(state_dir)
        answer = world.found_in(state_dir).answer
        printed.append([render(answer) for render in RENDERERS.values()])
        assert replace(world, now=world.now + 1).found_in(state_dir).answer != answer
    assert printed[0] == printed[1]


def test_another_process_prints_the_same_bytes(tmp_path: Path) -> None:
    """Whatever its hashes are seeded with: no set's order is in an answer."""
    gate, history = Gate(tmp_path), History()
    surfaces = ("custom-command", "voice")
    options = [word for one in surfaces for word in ("--surface", f"{one}={one}")]
    now = in_canary(gate, *options, *(f"--first-run={one}" for one in surfaces))
    codes = [f"code_{number}" for number in range(30)]
    history.every(5 * MINUTE, 3, reason_codes=codes).add(now, **failed(streak=1), run_mode=None)
    for surface in ("custom-command", "voice"):
        history.write(tmp_path / surface)
    printed = {
        subprocess.run(
            [sys.executable, "-c", EVERY_FORMAT, str(ENTERED + 20 * MINUTE), *RENDERERS],
            cwd=tmp_path,
            env=environment() | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2024")
    }
    (one,) = printed
    assert one.count(b"code_17") >= len(RENDERERS) - 2


# ------------------------------------------------------------------------- no trigger is ever muted

OTHER = altered(*SOAKS, ('name = "built-in"', 'name = "other"'))
GENTLE = QUICK.replaced(triggers=QUICK.triggers[:2])
"""Without the trigger that a single failed case fires: two in a row do."""

FAILING: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from([5 * MINUTE] * 5 + [20 * MINUTE, -1]),
        st.sampled_from([{}, failed(streak=1), failed(streak=1), b"no JSON\n"]),
    ),
    min_size=2,
    max_size=8,
)
TOOTHLESS = QUICK.replaced(triggers=())


def by_hand(world: World, command: str) -> World:
    """Return the world after a command given by hand, or as it is where that is refused."""
    found, before, now = world.found(), world.rollout, world.now
    policy = OTHER if policy_digest(world.policy) != policy_digest(OTHER) else TOOTHLESS
    try:
        if command == "freeze":
            return replace(world, rollout=frozen(before, reason="r", by="b", now_unix_ms=now))
        if command == "resume":
            return replace(world, rollout=resumed(before, found))
        if command == "reenter":
            return replace(world, rollout=reentered(before, found, accepts_lost=True))
        if command == "adopt":
            after = adopted(before, found, policy, policy_file=None)
            return replace(world, rollout=after, policy=policy)
        return replace(world, rollout=stopped(before, found, by="b"))
    except RefusedError:
        return world


BY_HAND = st.sampled_from(["freeze", "resume", "reenter", "adopt"])


@settings(max_examples=40, deadline=None)
@given(
    world=worlds(goes_wrong=True),
    commands=st.lists(st.one_of(BY_HAND, st.just("record")), min_size=1, max_size=6),
)
def test_no_command_mutes_a_trigger_that_fired(world: World, commands: list[str]) -> None:
    """Recorded or not; once recorded, not even with all of its evidence gone."""
    fired = {one.name for one in world.answer().fired_triggers}
    assume(fired)
    for command in commands:
        world = by_hand(world, command)
        answer = world.answer()
        assert answer.verdict is Verdict.ROLLBACK
        assert {one.name for one in answer.fired_triggers} == fired
    if "record" in commands:
        without = world.answer({})
        assert without.verdict is Verdict.ROLLBACK
        assert {one.name for one in without.fired_triggers} == fired
        other = replace(world, policy=TOOTHLESS).answer()
        assert {one.name for one in other.fired_triggers} == fired


@settings(max_examples=40, deadline=None)
@given(steps=FAILING, before=st.integers(0, 2), data=st.data())
def test_no_command_before_it_delays_a_trigger(
    steps: list[Step], before: int, data: st.DataObject
) -> None:
    """Where it fires in a rollout that nobody touched, it fires in one that was, at that cycle."""
    early: list[Step] = [(0, {})] * before
    lines = tuple(history_of([*early, *steps]).lines)
    left_alone = World(
        lines=lines[:before],
        state=b"",
        rollout=rollout_of(lines[:before]),
        now=ENTERED,
        policy=GENTLE,
    )
    touched = left_alone
    for end, (pause, _) in enumerate(steps, start=before + 1):
        now = left_alone.now + max(pause, 0)
        state = state_of(lines[:end])
        left_alone = replace(left_alone, lines=lines[:end], now=now, state=state)
        touched = replace(touched, lines=lines[:end], now=now, state=state)
        fired = {one.name for one in left_alone.answer().fired_triggers}
        assert fired <= {one.name for one in touched.answer().fired_triggers}
        if fired:
            break
        left_alone = left_alone.advance()
        touched = touched.advance()
        for command in data.draw(st.lists(BY_HAND, max_size=2)):
            policy = touched.policy
            touched = replace(by_hand(touched, command), policy=policy)


@pytest.mark.parametrize("is_recorded", [True, False])
def test_no_command_line_mutes_a_trigger(tmp_path: Path, *, is_recorded: bool) -> None:
    """The same by the commands themselves: refused with exit 2, the verdict as it was."""
    gate, history = Gate(tmp_path), History()
    in_canary(gate)
    history.every(5 * MINUTE, 3).add(ENTERED + 20 * MINUTE, **failed(streak=1))
    history.every(5 * MINUTE, 2, after=ENTERED + 20 * MINUTE)
    history.write(tmp_path / ".tau/custom-command")
    now = ("--now-unix-ms", str(ENTERED + 30 * MINUTE))
    assert gate("policy", "init", "mine.toml", "--expected-malformed", "ignore").code == 0
    if is_recorded:
        assert gate("advance", *now).code == 4
        for file in (tmp_path / ".tau/custom-command").iterdir():
            file.unlink()
    else:
        assert gate("freeze", "--reason", "r", *now).code == 0
    for words in (
        ("resume",),
        ("reenter",),
        ("policy", "adopt", "--policy", "mine.toml"),
        ("resume",),
    ):
        done = gate(*words, "--reason", "r", *now)
        assert done.code == 2
        assert "hard_runtime_errors" in done.err
        assert gate("evaluate", *now).code == 4
    assert gate("advance", *now).code == 4


def in_canary(gate: Gate, *arguments: str) -> int:
    """Have a rollout enter canary-1; return when its third cycle's next is due."""
    report = {"schema_version": 1, "total": 3, "passed": 3, "failed": 0}
    (gate.folder / "report.json").write_text(json.dumps(report))
    gate.begin("--now-unix-ms", str(ENTERED - MINUTE), *arguments)
    done = gate("advance", "--validation", "report.json", "--now-unix-ms", str(ENTERED))
    assert done.code == 0, done.out + done.err
    return ENTERED + 20 * MINUTE


# ----------------------------------------------------------------------- stricter is never faster

GATES_OF_CYCLES_ALONE = (
    ('signal = "queue_depth", at_most = 1 },\n', 'signal = "queue_depth", at_most = 0 },\n'),
    (
        'name = "health_state",',
        (
            'name = "no_retries", signal = "retry_attempts", at_most = 0 },\n'
            '  { kind = "signal", name = "health_state",'
        ),
    ),
    ('name = "built-in"', 'name = "built-in"\nrequired_run_mode = "record"'),
    ('name = "built-in"', 'name = "built-in"\nrequired_run_mode = "execute"'),
)
SOAKS_AND_TRIGGERS = (
    ('soak = "12m"', 'soak = "13m"'),
    ('soak = "10m"', 'soak = "21m"'),
    ('soak = "15m"', 'soak = "24m"'),
    ("consecutive = 2", "consecutive = 1"),
    ("at_least = 3", "at_least = 1"),
    (
        '[[triggers]]\nkind = "report_fails"',
        (
            '[[triggers]]\nkind = "new_reason_code"\nname = "backlog"\naction = "roll back"\n'
            'codes = ["queue_backpressure_applied"]\n\n[[triggers]]\nkind = "report_fails"'
        ),
    ),
)
GATES_OF_WINDOWS = (
    (
        '{ kind = "signal", name = "health_state",',
        (
            '{ kind = "reason_code_advances", name = "work", code = "command_runs_recorded" },\n'
            '  { kind = "signal", name = "health_state",'
        ),
    ),
    (
        '{ kind = "signal", name = "health_state",',
        (
            '{ kind = "pressure_does_not_rise", name = "queue", counters = ["backlog_cases"] },\n'
            '  { kind = "signal", name = "health_state",'
        ),
    ),
)


def made_stricter(
    *groups: tuple[tuple[str, str], ...],
) -> st.SearchStrategy[Policy]:
    """Draw the built-in policy, soaks shortened, made stricter in a way or two of those given."""
    ways = [way for group in groups for way in group]
    return st.lists(
        st.sampled_from(ways), min_size=1, max_size=2, unique_by=lambda way: way[0]
    ).map(lambda chosen: altered(*SOAKS, *chosen))


INTERVALS = st.sampled_from([5 * MINUTE, 5 * MINUTE, 4 * MINUTE, MINUTE])


@settings(max_examples=150, deadline=None)
@given(
    world=worlds(),
    policy=made_stricter(GATES_OF_CYCLES_ALONE, SOAKS_AND_TRIGGERS, GATES_OF_WINDOWS),
    cycle_interval_ms=INTERVALS,
)
def test_what_a_stricter_policy_lets_go_the_policy_does_too(
    world: World, policy: Policy, cycle_interval_ms: int
) -> None:
    """Of the same rollout and files at the same time."""
    pinned = world.rollout.replaced(cycle_interval_ms=cycle_interval_ms)
    stricter = replace(world, policy=policy, rollout=pinned).answer()
    answer = world.answer()
    assert not is_later(answer, stricter)
    assert stricter.verdict is Verdict.ROLLBACK or answer.verdict is not Verdict.ROLLBACK


def reached(policy: Policy, steps: list[Step], **changes: Any) -> list[int]:  # noqa: ANN401
    """Return how many phases a replay has left after each cycle of a history."""
    lines = history_of(steps).lines
    part = LogPart(path="log", offset=0, blocks=[b"".join(lines)])
    left, found = 0, []
    for step in replayed(policy, RecordedHistory(SURFACE, [part]), **changes):
        left += step.verdict in GO
        found.append(left)
    return found + [left] * (len(lines) - len(found))


@settings(max_examples=250, deadline=None)
@given(
    steps=histories(),
    policy=made_stricter(GATES_OF_CYCLES_ALONE, SOAKS_AND_TRIGGERS),
    cycle_interval_ms=INTERVALS,
)
def test_a_stricter_policy_leaves_no_phase_earlier(
    steps: list[Step], policy: Policy, cycle_interval_ms: int
) -> None:
    """Stepped through the same history, every phase; the gates are of single cycles.

    A gate over a window sees another window where the phase was entered later; of such the first
    phase alone is compared (below).
    """
    ours = reached(without_windows(QUICK), steps)
    theirs = reached(without_windows(policy), steps, cycle_interval_ms=cycle_interval_ms)
    event(f"{ours[-1]} and {theirs[-1]} phases")
    assert all(their <= our for our, their in zip(ours, theirs, strict=True))


@settings(max_examples=100, deadline=None)
@given(
    steps=histories(),
    policy=made_stricter(GATES_OF_CYCLES_ALONE, SOAKS_AND_TRIGGERS, GATES_OF_WINDOWS),
    cycle_interval_ms=INTERVALS,
)
def test_a_stricter_policy_leaves_the_first_phase_no_earlier(
    steps: list[Step], policy: Policy, cycle_interval_ms: int
) -> None:
    """Whatever its gates are."""
    ours = reached(QUICK, steps)
    theirs = reached(policy, steps, cycle_interval_ms=cycle_interval_ms)
    assert all(bool(their) <= bool(our) for our, their in zip(ours, theirs, strict=True))


def without_windows(policy: Policy) -> Policy:
    """Return a policy without its gates over windows."""
    names = {"command_runs_recorded", "retry_pressure"}
    return policy.replaced(
        phases=tuple(
            phase.replaced(gates=tuple(gate for gate in phase.gates if gate.name not in names))
            for phase in policy.phases
        )
    )
