"""Replays: what a recorded history comes to, and where two policies part."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from tau_rollout_gate.cli.app import app
from tau_rollout_gate.contract.pin import LogPosition
from tau_rollout_gate.decision.answer import Found, Verdict
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.errors import NamedFileError
from tau_rollout_gate.evidence.history import RecordedHistory
from tau_rollout_gate.evidence.lines import LogPart
from tau_rollout_gate.evidence.values import Cycle, Evidence, SignoffEvidence, SurfaceEvidence
from tau_rollout_gate.files.policy import built_in_policy_text, load_policy
from tau_rollout_gate.formats.layout import Look
from tau_rollout_gate.formats.simulation.replay import replays_text
from tau_rollout_gate.policy.gates.signal import SignalGate
from tau_rollout_gate.policy.policy import Policy, parse_policy
from tau_rollout_gate.rollout.simulation.replay import Step, side_by_side, stances, steps
from tau_rollout_gate.rollout.transitions import advanced
from tau_rollout_gate.services.replay import Recording, replays, watched
from tests.rollout_gate import worlds
from tests.rollout_gate.making import ENTERED, MINUTE, SURFACE, History, failed, pin, rollout
from tests.rollout_gate.worlds import QUICK, histories

ROOT = Path(__file__).resolve().parents[3]
HISTORIES = ROOT / "fixtures/histories"
BUILT_IN = load_policy(None)


def part(lines: Sequence[bytes], path: str = "log", torn: bytes = b"") -> LogPart:
    """Return lines as a file that was read whole."""
    whole = tuple(line.removesuffix(b"\n") + b"\n" for line in lines)
    return LogPart(path=path, offset=0, blocks=whole, torn=torn)


def recorded(lines: Sequence[bytes], torn: bytes = b"") -> RecordedHistory:
    """Return lines as a recorded history."""
    return RecordedHistory(SURFACE, [part(lines, torn=torn)])


def replayed(lines: Sequence[bytes], policy: Policy = BUILT_IN, **changes: Any) -> list[Step]:  # noqa: ANN401
    """Return what is decided at each of the lines."""
    return list(steps(policy, recorded(lines), **changes))


def altered(*changes: tuple[str, str]) -> Policy:
    """Return the built-in policy with some of its text replaced."""
    text = built_in_policy_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_policy(text.encode(), source="altered")


def run(*arguments: object) -> Result:
    """Run the program."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def gists(taken: Sequence[Step]) -> list[tuple[object, ...]]:
    """Return what steps say, without where their cycles are."""
    return [(one.number, one.phase, one.verdict, one.held_by, one.reasons) for one in taken]


@pytest.mark.parametrize(
    ("name", "changes", "exit_code"),
    [
        (
            "clean-rollout",
            [
                (7, "canary-1", "promote"),
                (19, "canary-2", "promote"),
                (43, "canary-3", "promote"),
                (187, "general-availability", "complete"),
            ],
            0,
        ),
        ("failure-streak", [(7, "canary-1", "promote"), (10, "canary-2", "rollback")], 4),
        ("gap", [(6, "canary-1", "hold"), (12, "canary-1", "promote")], 3),
        (
            "queue-backlog",
            [
                (5, "canary-1", "hold"),
                (7, "canary-1", "hold"),
                (13, "canary-1", "promote"),
                (14, "canary-2", "hold"),
            ],
            3,
        ),
    ],
)
def test_the_shipped_histories_come_to_what_their_readme_says(
    name: str, changes: list[tuple[int, str, str]], exit_code: int
) -> None:
    """They are the runtime's own, and sound; their README names these cycles."""
    path = HISTORIES / f"{name}.jsonl"
    done = run("replay", "--events", path, "--format", "json")
    assert done.exit_code == exit_code, done.output
    (found,) = json.loads(done.stdout)["replays"]
    shown = [(one["cycle"], one["phase"], one["verdict"]) for one in found["changes"]]
    assert [one for one in shown if one in changes] == changes
    assert {one[2] for one in shown} == {"hold", *(one[2] for one in changes)}
    lines = path.read_bytes().splitlines(keepends=True)
    assert not any(flaws for _, flaws in recorded(lines).moments())
    readme = (HISTORIES / "README.md").read_text("utf-8")
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}.jsonl`"))
    assert f"exit {exit_code}" in row


def test_the_histories_stay_small() -> None:
    """They are in the repository for good."""
    assert sum(path.stat().st_size for path in HISTORIES.iterdir()) < 300_000


def by_the_commands(lines: Sequence[bytes], folder: Path) -> Iterator[tuple[str, str, int]]:
    """Yield the verdict, the phase and the exit code of `advance` after each line was written."""
    state_dir, rollout_dir = folder / "state", folder / "rollout"
    first = json.loads(lines[0])
    entered = first["timestamp_unix_ms"] - first["cycle_duration_ms"]
    report = folder / "report.json"
    report.write_text('{"total": 1, "passed": 1, "failed": 0}')
    place = ("--rollout-dir", rollout_dir, "--surface", f"{SURFACE}={state_dir}")
    version = ("--release", "1.1.0", "--rollback-to", "1.0.0", "--first-run", SURFACE)
    started = run("start", *version, *place, "--now-unix-ms", entered)
    assert started.exit_code == 0, started.output
    given = ("--validation", report, "--now-unix-ms", entered)
    assert run("advance", *place, *given).exit_code == 0
    for number in range(1, len(lines) + 1):
        history = History(lines=list(lines[:number]))
        history.write(state_dir)
        now = history.last()["timestamp_unix_ms"]
        done = run("advance", *place, "--now-unix-ms", now, "--format", "json")
        answer = json.loads(done.stdout)
        yield answer["verdict"], answer["phase"], done.exit_code


@pytest.mark.parametrize("name", ["failure-streak", "gap", "queue-backlog"])
def test_a_replay_agrees_with_the_commands(name: str, tmp_path: Path) -> None:
    """`start` and `advance` over the same files, cycle by cycle, say what the replay says."""
    lines = (HISTORIES / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
    expected = [(one.verdict, one.phase, one.verdict.exit_code) for one in replayed(lines)]
    assert list(by_the_commands(lines[: len(expected)], tmp_path)) == expected


CLEAN: dict[str, Any] = {}
ODD: list[dict[str, Any]] = [
    {"backlog_cases": 1},
    {"backlog_cases": 2},
    {"reason_codes": ["healthy_cycle"]},
    {"retry_attempts": 2},
    failed(streak=1),
]
CYCLES = st.lists(
    st.tuples(
        st.sampled_from([1, 5, 5, 5, 10, 15, 16, 40]),
        st.sampled_from([*[CLEAN] * 6, *ODD]),
    ),
    min_size=1,
    max_size=60,
)


def history_of(cycles: Sequence[tuple[int, dict[str, Any]]]) -> History:
    """Return a history of cycles, each some minutes after the one before."""
    history, now = History(), ENTERED
    for minutes, changes in cycles:
        now += minutes * MINUTE
        history.add(now, **changes)
    return history


def by_whole_decisions(lines: Sequence[bytes], policy: Policy) -> list[tuple[object, ...]]:
    """Return what decisions over all the cycles say, each made as if it were the only one."""
    moments, phase_start = list(recorded(lines).moments()), 0
    said: list[tuple[object, ...]] = []
    start = LogPosition(cycle_number=None, event_sha256=None)
    first = moments[0][0].event
    entered = first.timestamp_unix_ms - first.cycle_duration_ms
    now_rollout = rollout(
        phase_entered_unix_ms=entered,
        canary_entered_unix_ms=entered,
        surfaces=(pin(expected={}, evidence_from=start, phase_from=start),),
        cycle_interval_ms=policy.cycle_interval_ms,
    )
    for number, (last, _) in enumerate(moments, start=1):
        found = SurfaceEvidence(
            surface=SURFACE,
            is_chained=True,
            snapshot=None,
            cycles=tuple(cycle for cycle, _ in moments[:number]),
            phase_start=phase_start,
            end=LogPosition(cycle_number=number, event_sha256=last.sha256),
            flaws=tuple(flaw for _, flaws in moments[:number] for flaw in flaws),
        )
        signoff = SignoffEvidence(path="s", problems=(), items=(), inputs=())
        evidence = Evidence(surfaces={SURFACE: found}, signoff=signoff)
        now = last.event.timestamp_unix_ms
        answer = decide(policy, now_rollout, evidence, now_unix_ms=now)
        said.append((number, answer.phase, answer.verdict, answer.held_by, answer.reasons))
        if answer.verdict is Verdict.PROMOTE:
            done = Found(answer=answer, evidence=evidence)
            now_rollout, phase_start = advanced(now_rollout, done), number
        elif answer.verdict is not Verdict.HOLD:
            break
    return said


SHORT = altered(('soak = "30m"', 'soak = "10m"'), ('soak = "60m"', 'soak = "20m"'))
LONG_ROW = altered(
    ("consecutive = 2", "consecutive = 4"), ('"case_processing_failed", "mal', '"mal')
)


@settings(max_examples=60, deadline=None)
@given(cycles=CYCLES, policy=st.sampled_from([BUILT_IN, SHORT, LONG_ROW]))
def test_a_replay_agrees_with_decisions_over_all_cycles(
    cycles: list[tuple[int, dict[str, Any]]], policy: Policy
) -> None:
    """Going on from the decision before says what looking at every cycle again would say."""
    lines = history_of(cycles).lines
    assert gists(replayed(lines, policy)) == by_whole_decisions(lines, policy)


def test_a_row_of_cycles_fires_in_a_replay_as_it_does_for_real() -> None:
    """It is looked for in as many of the last cycles as it takes, and in no fewer."""
    lines = history_of([(5, {}), *[(5, failed(streak=1))] * 4]).lines
    assert by_whole_decisions(lines, LONG_ROW)[-1][2] is Verdict.ROLLBACK
    assert gists(replayed(lines, LONG_ROW)) == by_whole_decisions(lines, LONG_ROW)


def test_a_replay_takes_each_cycle_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of a cycle a minute would else be a million looks at each gate."""
    looks: list[int] = []
    holds = SignalGate.holds

    def counted(gate: SignalGate, cycle: Cycle) -> bool | None:
        looks.append(cycle.line or 0)
        return holds(gate, cycle)

    monkeypatch.setattr(SignalGate, "holds", counted)
    in_force = sum(isinstance(one, SignalGate) for one in BUILT_IN.gates_in_force("canary-1"))
    held = altered(('soak = "30m"', 'soak = "30d"'))
    assert len(replayed(History().every(5 * MINUTE, 60).lines, held)) == 60
    # Once to say how the last cycle stands, and again where its gist may be new; the first, which
    # the others are like, when it is taken as well.
    expected = dict.fromkeys(range(1, 61), in_force) | {1: 3 * in_force, 2: 2 * in_force}
    assert Counter(looks) == expected


@settings(max_examples=200, deadline=None)
@given(
    cycles=histories(),
    policy=st.sampled_from([QUICK, BUILT_IN, SHORT, LONG_ROW]),
    interval_ms=st.sampled_from([None, MINUTE]),
    torn=st.sampled_from([b"", b"{"]),
)
def test_a_gist_that_was_not_worked_out_anew_is_that_of_the_whole_answer(
    cycles: list[tuple[int, dict[str, Any] | bytes]],
    policy: Policy,
    interval_ms: int | None,
    torn: bytes,
) -> None:
    """Where nothing changed that it depends on, it is the last one's; clocks may go backwards."""
    history = recorded(worlds.history_of(cycles).lines, torn=torn)
    for stance in stances(policy, history, cycle_interval_ms=interval_ms):
        assert stance.gist == stance.told().gist


def test_nor_is_it_where_a_clock_goes_back_behind_the_entry() -> None:
    """The entry is in the future then, whatever else is as before; later it is not."""
    cycles: list[worlds.Step] = [(5 * MINUTE, {})] * 4
    cycles += [(-2 * MINUTE, {}), (MINUTE, {}), (MINUTE, {}), (MINUTE, {})]
    history = recorded(worlds.history_of(cycles).lines)
    taken = [(stance.gist, stance.told()) for stance in stances(QUICK, history)]
    assert taken[3][0].verdict is Verdict.PROMOTE
    assert "entry_not_in_future" in taken[4][0].held_by
    assert "entry_not_in_future" not in taken[7][0].held_by
    assert all(gist == step.gist for gist, step in taken)


def test_what_release_a_cycle_tells_is_passed_over() -> None:
    """A replay is about no release."""
    told = History().every(5 * MINUTE, 8, release="1.3.2").lines
    assert gists(replayed(told)) == gists(replayed(History().every(5 * MINUTE, 8).lines))


@settings(max_examples=100, deadline=None)
@given(cycles=histories(goes_wrong=True), other=st.sampled_from([QUICK, SHORT, LONG_ROW]))
def test_what_is_told_late_is_what_was_decided(
    cycles: list[tuple[int, dict[str, Any] | bytes]], other: Policy
) -> None:
    """News, the last step and where two policies part are those of every step told at once."""
    policies = [("ours", QUICK), ("theirs", other)]
    history = recorded(worlds.history_of(cycles).lines)
    late = [stances(policy, history) for _, policy in policies]
    at_once = [steps(policy, history) for _, policy in policies]
    assume(any(not isinstance(what, bytes) for _, what in cycles))
    assert side_by_side(policies, zip_longest(*late)) == side_by_side(
        policies, zip_longest(*at_once)
    )


@settings(max_examples=60, deadline=None)
@given(cycles=CYCLES, cut=st.integers(min_value=1, max_value=60), bad=st.booleans())
def test_the_replay_of_a_prefix_is_a_prefix_of_the_replay(
    cycles: list[tuple[int, dict[str, Any]]], cut: int, *, bad: bool
) -> None:
    """What comes later changes nothing of what was decided."""
    lines = history_of(cycles).lines
    if bad:
        lines.insert(len(lines) // 2, b"{}\n")
    whole = gists(replayed(lines))
    early = [line for line in lines if line in set(lines[:cut])]
    while early and early[-1] == b"{}\n":
        early.pop()
    if early and lines[len(early) : len(early) + 1] != [b"{}\n"]:
        short = gists(replayed(early))
        assert short == whole[: len(short)]


STRICTER = [
    altered(('soak = "30m"', 'soak = "35m"')),
    altered(("at_most = 1", "at_most = 0")),
    altered(('cycle_interval = "5m"', 'cycle_interval = "4m"')),
    altered(("consecutive = 2", "consecutive = 1")),
]


@settings(max_examples=80, deadline=None)
@given(cycles=CYCLES, stricter=st.sampled_from(STRICTER))
def test_a_stricter_policy_never_promotes_earlier(
    cycles: list[tuple[int, dict[str, Any]]], stricter: Policy
) -> None:
    """Up to where the built-in one promotes first, it has not."""
    lines = history_of(cycles).lines

    def first(policy: Policy) -> float:
        taken = replayed(lines, policy)
        return next((one.number for one in taken if one.next_phase is not None), float("inf"))

    assert first(stricter) >= first(BUILT_IN)


@pytest.mark.unmeasured
@pytest.mark.parametrize("stricter", STRICTER)
def test_nor_over_the_shipped_histories(stricter: Policy) -> None:
    """Each phase is left no earlier."""
    for path in sorted(HISTORIES.glob("*.jsonl")):
        lines = path.read_bytes().splitlines(keepends=True)
        ours = {one.phase: one.number for one in replayed(lines) if one.next_phase}
        for step in replayed(lines, stricter):
            if step.next_phase is not None:
                assert step.number >= ours[step.phase]


LINES = History().every(5 * MINUTE, 12).lines


@pytest.mark.parametrize(
    ("lines", "gate"),
    [
        ([*LINES[:3], b"not json\n", *LINES[3:]], "lines_valid"),
        ([*LINES[:3], *LINES[4:]], "chain_whole"),
        (
            History().every(5 * MINUTE, 6).every(5 * MINUTE, 8, after=ENTERED + 20 * MINUTE).lines,
            "clock_forward",
        ),
    ],
)
def test_damage_holds_to_the_end(lines: list[bytes], gate: str) -> None:
    """What no cycle mends is not mended by a replay."""
    found = replayed(lines)
    assert found[-1].verdict is Verdict.HOLD
    assert f"{SURFACE}:{gate}" in found[-1].held_by
    assert all(one.next_phase is None for one in found)


def test_a_torn_end_holds_at_the_last_cycle() -> None:
    """It would have held then; the cycles before it are as they were."""
    *before, last = steps(BUILT_IN, recorded(LINES[:7], torn=b'{"half'))
    assert f"{SURFACE}:last_line_whole" in last.held_by
    assert gists(before) == gists(replayed(LINES[:6]))


def test_a_file_that_ends_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """What is torn is no cycle, and holds."""
    log = tmp_path / "log"
    log.write_bytes(b"".join(LINES[:7])[:-1])
    done = run("replay", "--events", log)
    assert done.exit_code == 3
    shown = " ".join(done.stdout.split())
    assert "custom-command: last_line_whole: the last line has no line break" in shown


def test_an_excerpt_of_a_rotated_log(tmp_path: Path) -> None:
    """It may start anywhere and lie in several files, the oldest one first."""
    older, newer = tmp_path / "runtime-events.jsonl.1", tmp_path / "runtime-events.jsonl"
    older.write_bytes(b"".join(LINES[2:6]))
    newer.write_bytes(b"".join(LINES[6:]))
    done = run("replay", "--events", older, "--events", newer, "--format", "json")
    (found,) = json.loads(done.stdout)["replays"]
    promoted = next(one for one in found["changes"] if one["verdict"] == "promote")
    assert (promoted["cycle"], promoted["file"], promoted["line"]) == (7, str(newer), 3)
    swapped = run("replay", "--events", newer, "--events", older, "--format", "json")
    assert "custom-command:chain_whole" in swapped.stdout


def test_the_options_reach_the_rollout(tmp_path: Path) -> None:
    """Interval, expectation and surface are those of the operator."""
    log = tmp_path / "log"
    log.write_bytes(b"".join(LINES))
    quick = run("replay", "--events", log, "--cycle-interval", "1m", "--format", "json")
    assert '"verdict": "promote"' not in quick.stdout
    voice = run("replay", "--events", log, "--surface-name", "voice")
    assert "voice: wake_word_detected" in voice.stdout
    lines = History().every(5 * MINUTE, 50, reason_codes=["command_runs_recorded"]).lines
    assert replayed(lines)[-1].phase == "general-availability"
    expecting = replayed(lines, registry_changes_expected=True)
    assert expecting[-1].held_by == (f"{SURFACE}:command_registry_mutated",)


def test_where_two_policies_part(tmp_path: Path) -> None:
    """The first cycle at which verdict or phase differ, and what each says; exit 3."""
    longer = tmp_path / "longer.toml"
    longer.write_text(built_in_policy_text().replace('soak = "30m"', 'soak = "35m"'))
    history = HISTORIES / "clean-rollout.jsonl"
    done = run("replay", "--events", history, "--against", longer)
    assert done.exit_code == 3
    assert "PART  at cycle 7, " in done.stdout
    assert "hold in canary-1" in done.stdout
    assert "soak: 30 min; required: at least 35 min" in " ".join(done.stdout.split())
    as_json = run("replay", "--events", history, "--against", longer, "--format", "json")
    parted = json.loads(as_json.stdout)["parting"]
    assert parted["cycle"] == 7
    assert [one["verdict"] for one in parted["steps"]] == ["promote", "hold"]


def test_one_of_two_rollouts_may_be_over_before_the_other() -> None:
    """Each comes to what it would alone, and they part at most once."""
    lines = history_of([(5, {}), (5, failed(streak=1)), *[(5, {})] * 3]).lines
    alone = [replayed(lines, policy) for policy in (BUILT_IN, LONG_ROW)]
    policies = [("ours", BUILT_IN), ("theirs", LONG_ROW)]
    found = side_by_side(policies, zip_longest(*alone))
    assert [one.last for one in found.replays] == [taken[-1] for taken in alone]
    assert [one.last.number for one in found.replays] == [2, 5]
    assert found.parting is not None
    assert (found.parting.ours, found.parting.theirs) == (alone[0][1], alone[1][1])


def test_two_policies_that_agree() -> None:
    """A difference that the history does not touch is none; exit 0."""
    for name in ("clean-rollout", "failure-streak"):
        history = HISTORIES / f"{name}.jsonl"
        done = run("replay", "--events", history, "--against", "built-in")
        assert done.exit_code == 0
        assert "AGREE  at all" in done.stdout


def test_the_text_says_what_was_assumed() -> None:
    """What a log does not tell is not passed over; colours only add to the words."""
    plain = run("replay", "--events", HISTORIES / "failure-streak.jsonl")
    assert "preflight passed" in plain.stdout
    assert "the sign-off checklist is complete" in plain.stdout
    assert "ROLLBACK  in canary-2 after 10 cycles" in plain.stdout
    assert "canary-2 is entered" in plain.stdout
    found = side_by_side([("tried", BUILT_IN)], [(step,) for step in replayed(LINES)])
    coloured = replays_text(found, look=Look(width=80, is_coloured=True))
    assert "\x1b[33mHOLD\x1b[0m  in canary-2" in coloured


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no valid cycle: it is empty"),
        (b"{}\n", "holds no valid cycle: line 1: "),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used(content: bytes | None, message: str, tmp_path: Path) -> None:
    """It exits with 5 and says what is wrong with which file."""
    log = tmp_path / "log"
    if content is not None:
        log.write_bytes(content)
    done = run("replay", "--events", log)
    assert done.exit_code == 5
    assert message in done.stderr
    assert str(log) in done.stderr
    recording = Recording(
        files=[log], surface=SURFACE, cycle_interval_ms=None, registry_changes_expected=False
    )
    with pytest.raises(NamedFileError, match="log"):
        replays(recording, ["built-in"])


def test_a_policy_that_cannot_be_used(tmp_path: Path) -> None:
    """Neither of the two goes unread."""
    history = HISTORIES / "gap.jsonl"
    assert run("replay", "--events", history, "--policy", tmp_path / "none").exit_code == 5
    assert run("replay", "--events", history, "--against", tmp_path / "none").exit_code == 5
    assert run("replay", "--events", history, "--cycle-interval", "5").exit_code == 2


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((0.0, 0.3, 0.6), ""), ((0.0, 0.5, 1.5), "\r2 of 9 lines\r\x1b[K")],
)
def test_who_waits_is_told_how_far_it_is(seconds: Sequence[float], expected: str) -> None:
    """After a second, at a terminal; and the line is gone at the end."""
    taken = tuple(replayed(LINES[:2]))
    terminal, times = Terminal(), iter(seconds)
    assert tuple(watched(taken, 9, stream=terminal, clock=lambda: next(times))) == taken
    assert terminal.getvalue() == expected
