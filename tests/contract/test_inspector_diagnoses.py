"""The inspector's `diagnose` and `channels` on state directories that the runtime really wrote.

Both run as processes; what was done to the files in between is what an operator may meet.
"""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import forking
from tests.contract.running import CONTRACTS, PATIENCE_SECONDS, run_fixture, start

INSPECTOR = Path(sys.executable).parent / "tau-transport-health"


def inspector(state_dir: Path, *words: str) -> tuple[int, Any]:
    """Run the inspector with `--json` on a state directory; return its exit code and answer."""
    words = (*words, "--json", "--state-dir", str(state_dir))
    done = forking.run(INSPECTOR, *words, cwd=Path.cwd(), env=os.environ, timeout=PATIENCE_SECONDS)
    assert b"Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def diagnosed(state_dir: Path) -> tuple[int, list[str], Any]:
    """Return the exit code of `diagnose`, the codes of the symptoms, and the whole answer."""
    code, report = inspector(state_dir, "diagnose", "custom-command")
    return code, [symptom["code"] for symptom in report["symptoms"]], report


def run(state_dir: Path, *cycles: tuple[str, ...]) -> Path:
    """Run cycles, each the name of a fixture and options; return the state directory."""
    for name, *options in cycles:
        run_fixture(CONTRACTS / f"{name}.json", state_dir, *options)
    return state_dir


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state directory after four good cycles, to be copied."""
    again = [("rollout-pass", f"--case-suffix=-{n}") for n in range(4)]
    return run(tmp_path_factory.mktemp("original") / "state", *again)


@pytest.fixture
def good(original: Path, tmp_path: Path) -> Path:
    """Return a state directory of the test's own after four good cycles."""
    return shutil.copytree(original, tmp_path / "state")


def test_good_cycles(good: Path) -> None:
    """After good cycles nothing is wrong, the chain is whole, and every channel is sound."""
    code, symptoms, report = diagnosed(good)
    assert (code, symptoms) == (0, [])
    assert report["chain"]["summary"] == "whole from cycle 1 to cycle 4"
    code, verification = inspector(good, "channels", "verify", "custom-command")
    assert (code, verification["problem_count"], verification["channels"]) == (0, 0, 6)


@pytest.mark.parametrize(
    ("cycles", "code", "symptoms"),
    [
        ([("drift",)], 3, ["case_processing_failed", "missing_commands"]),
        (
            [("mixed-outcomes",), ("mixed-outcomes",)],
            3,
            ["case_processing_failed", "repeated_retries", "missing_commands"],
        ),
        ([("rollout-pass",), ("rollout-pass",)], 0, ["nothing_but_duplicates"]),
        ([("bulk-1000", "--queue-limit=300")], 0, ["backlog_left"]),
        (
            [
                ("bulk-1000", f"--queue-limit={limit}", f"--case-suffix=-{limit}")
                for limit in (900, 800, 700)
            ],
            0,
            ["backlog_growing"],
        ),
    ],
    ids=["drift", "retries", "duplicates", "backlog", "growing-backlog"],
)
def test_what_the_fixtures_show(
    tmp_path: Path, cycles: list[tuple[str, ...]], code: int, symptoms: list[str]
) -> None:
    """What a fixture is made to show is what is diagnosed, and nothing else."""
    assert diagnosed(run(tmp_path / "state", *cycles))[:2] == (code, symptoms)


def test_drift_is_traced_to_its_line(tmp_path: Path) -> None:
    """The evidence of a drift is the very line of the channel that tells of it."""
    state_dir = run(tmp_path / "state", ("drift",))
    report = diagnosed(state_dir)[2]
    *_, evidence = report["symptoms"][0]["evidence"]
    line = state_dir.joinpath(evidence["file"]).read_bytes().splitlines()[evidence["line"] - 1]
    entry = json.loads(line)
    assert entry["payload"]["drift"]
    assert entry["payload"]["case_id"] in evidence["excerpt"]


def altered(lines: list[bytes]) -> list[bytes]:
    """Alter one figure in the second line."""
    lines[1] = lines[1].replace(b'"cycle_duration_ms":', b'"cycle_duration_ms":1')
    return lines


@pytest.mark.parametrize(
    ("tamper", "symptoms", "line"),
    [
        (altered, ["chain_broken"], 3),
        (lambda lines: [lines[0], *lines[2:]], ["chain_broken"], 2),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], ["chain_broken"], 2),
        (lambda lines: [*lines[:2], b"{}\n", *lines[2:]], ["chain_broken", "invalid_lines"], 4),
        (lambda lines: lines[:2], ["log_disagrees"], 2),
        (lambda _: [], ["log_disagrees"], None),
        (lambda lines: [*lines, b'{"torn'], ["torn_line"], None),
    ],
    ids=["altered", "removed", "swapped", "inserted", "cut-off", "emptied", "torn"],
)
def test_a_log_that_was_tampered_with(
    good: Path, tamper: Callable[[list[bytes]], list[bytes]], symptoms: list[str], line: int | None
) -> None:
    """Whatever is done to a line shows, at the first line that breaks the chain, and is no yes."""
    log = good / "runtime-events.jsonl"
    log.write_bytes(b"".join(tamper(log.read_bytes().splitlines(keepends=True))))
    code, found, report = diagnosed(good)
    # The cycles may end in one millisecond: then swapped ones are not dated back.
    assert (code, [each for each in found if each != "clock_backwards"]) == (3, symptoms)
    broken = report["chain"]["broken_at"]
    assert (None if broken is None else broken["line"]) == line


def pasted(action: str, place: int = 0) -> list[str]:
    """Return the words of a command in an advice, without the program's name."""
    return shlex.split(re.findall("`(tau-[^`]+)`", action)[place])[1:]


def test_the_advice_on_a_lost_state_brings_it_back(good: Path) -> None:
    """What it has to be pasted shows the way, and `--yes`, as that says, goes it."""
    (good / "state.json").unlink()
    code, symptoms, report = diagnosed(good)
    assert (code, symptoms) == (5, ["lost_state"])
    words = pasted(report["symptoms"][0]["action"])
    shown = start(*words)
    assert (shown.exit_code, "--yes does it" in shown.stdout) == (3, True)
    assert start(*words, "--yes").exit_code == 0
    assert diagnosed(good)[:2] == (0, [])


def test_the_advice_on_a_pause_ends_it(good: Path) -> None:
    """What the runtime writes is read; who did it and why is told, and cycles run again."""
    said = ("--reason", "the hall is moved", "--by", "Ann")
    assert start("pause", *said, "--state-dir", good).exit_code == 0
    code, symptoms, report = diagnosed(good)
    assert (code, symptoms) == (0, ["paused"])
    assert report["symptoms"][0]["summary"].endswith(" by Ann: the hall is moved")
    assert start(*pasted(report["symptoms"][0]["action"])).exit_code == 0
    assert diagnosed(good)[:2] == (0, [])


def test_the_advice_on_a_backlog_drains_it(tmp_path: Path) -> None:
    """With the limit that it names, nothing is left over."""
    state_dir = run(tmp_path / "it's a state", ("bulk-1000", "--queue-limit=300"))
    (symptom,) = diagnosed(state_dir)[2]["symptoms"]
    fixture = str(CONTRACTS / "bulk-1000.json")
    start(*(fixture if word == "FIXTURE" else word for word in pasted(symptom["action"])))
    code, symptoms, _ = diagnosed(state_dir)
    assert (code, "backlog_left" in symptoms) == (0, False)


def test_a_backend_that_is_not_available_is_no_fault_of_the_fixture(tmp_path: Path) -> None:
    """After a case that failed in a passing way to its last attempt, again and again."""
    fixture = tmp_path / "f.json"
    expected = {"outcome": "success", "status_code": 201}
    case = {"schema_version": 1, "case_id": "a", "operation": "CREATE", "command_name": "greet"}
    case |= {"template": "hi", "simulate_retryable_failure": True, "expected": expected}
    fixture.write_text(json.dumps({"schema_version": 1, "name": "f", "cases": [case]}))
    for _ in range(3):
        run_fixture(fixture, tmp_path / "state")
    code, symptoms, report = diagnosed(tmp_path / "state")
    assert (code, symptoms[:2]) == (3, ["case_processing_failed", "repeated_retries"])
    action = report["symptoms"][0]["action"]
    assert "not available" in action
    assert "Correct the fixture" not in action
    assert pasted(action, 1)[:2] == ["channels", "show"]


def test_a_log_that_was_rotated(good: Path) -> None:
    """Over rotated logs the chain is whole, right after a rotation and after the next cycle."""
    log = good / "runtime-events.jsonl"
    log.rename(good / "runtime-events.jsonl.1")
    assert diagnosed(good)[:2] == (0, [])
    run(good, ("rollout-pass", "--case-suffix=-new"))
    code, symptoms, report = diagnosed(good)
    assert (code, symptoms) == (0, [])
    assert report["chain"]["summary"] == "whole from cycle 1 to cycle 5"
    good.joinpath("runtime-events.jsonl.1").unlink()
    code, symptoms, report = diagnosed(good)
    assert (code, symptoms, report["chain"]["missing_before"]) == (0, [], 5)


def test_channel_logs_that_were_rotated(good: Path) -> None:
    """Over rotated logs no entry is passed over."""
    name = "disk-usage"
    before = inspector(good, "channels", "show", "custom-command", name)[1]["entry_count"]
    options = ("rollout-pass", "--max-channel-log-bytes=1")
    run(good, *((*options, f"--case-suffix=-{n}") for n in "abc"))
    assert good.joinpath(f"channel-store/custom-command/{name}/log.jsonl.2").is_file()
    code, shown = inspector(good, "channels", "show", "custom-command", name, "--last=99")
    assert (code, shown["entry_count"]) == (0, before // 4 * 7)
    assert len(shown["entries"]) == shown["entry_count"]
    times = [entry["timestamp_unix_ms"] for entry in shown["entries"]]
    assert times == sorted(times)
    assert inspector(good, "channels", "verify", "custom-command")[0] == 0


def test_a_cycle_after_a_break_does_not_hide_it(good: Path) -> None:
    """The runtime goes on after a break, and the break stays to be seen."""
    log = good / "runtime-events.jsonl"
    log.write_bytes(b"".join(altered(log.read_bytes().splitlines(keepends=True))))
    run(good, ("rollout-pass", "--case-suffix=-new"))
    assert diagnosed(good)[:2] == (3, ["chain_broken"])


def test_the_channels_are_listed_and_shown(good: Path) -> None:
    """Each command has its channel, and its entries are those of its cases."""
    rows = inspector(good, "channels", "list", "custom-command")[1]
    state = json.loads(good.joinpath("state.json").read_bytes())
    names = {row["channel"] for row in rows}
    assert {command["command_name"] for command in state["commands"]} <= names
    assert "registry" in names
    assert all(row["entries"] > 0 and row["invalid_lines"] == 0 for row in rows)
    shown = inspector(good, "channels", "show", "custom-command", "registry", "--last=3")[1]
    assert [entry["operation"] for entry in shown["entries"]] == ["list"] * 3
    assert shown["entry_count"] == 8


def test_a_channel_that_was_damaged(good: Path) -> None:
    """A damaged line of a channel is named by `channels verify`; the diagnosis is of the log."""
    log = good / "channel-store/custom-command/disk-usage/log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"status_code":201', b'"status_code":"201"', 1))
    code, verification = inspector(good, "channels", "verify", "custom-command", "disk-usage")
    assert code == 3
    (problem,) = verification["problems"]
    assert (problem["file"], problem["line"]) == ("log.jsonl", 1)
    assert "status_code" in problem["reason"]
    assert diagnosed(good)[:2] == (0, [])


def test_a_fixture_without_a_list(tmp_path: Path) -> None:
    """Without a LIST the registry's channel has no entry yet, and is sound all the same."""
    fixture = json.loads(CONTRACTS.joinpath("rollout-pass.json").read_bytes())
    fixture["cases"] = [case for case in fixture["cases"] if case["operation"] == "CREATE"]
    path = tmp_path / "creates.json"
    path.write_text(json.dumps(fixture))
    run_fixture(path, tmp_path / "state")
    store = tmp_path / "state/channel-store/custom-command"
    assert not store.joinpath("registry/log.jsonl").exists()
    assert inspector(tmp_path / "state", "channels", "verify", "custom-command")[0] == 0
    rows = inspector(tmp_path / "state", "channels", "list", "custom-command")[1]
    assert {row["entries"] for row in rows if row["channel"] == "registry"} == {0}


def test_a_drift_of_a_very_large_body(tmp_path: Path) -> None:
    """A line as long as only a channel's can be is sound, shown, and no reason to repair."""
    fixture = json.loads(CONTRACTS.joinpath("rollout-pass.json").read_bytes())
    (*_, case) = (each for each in fixture["cases"] if each["operation"] == "CREATE")
    case["expected"]["response_body"] = {"text": "x" * 17 * 1024 * 1024}
    fixture["cases"] = [case]
    path = tmp_path / "drift.json"
    path.write_text(json.dumps(fixture))
    state_dir, name = tmp_path / "state", case["command_name"]
    assert run_fixture(path, state_dir)[0].exit_code == 3
    log = state_dir / f"channel-store/custom-command/{name}/log.jsonl"
    assert log.stat().st_size > 17 * 1024 * 1024
    assert inspector(state_dir, "channels", "verify", "custom-command")[0] == 0
    code, shown = inspector(state_dir, "channels", "show", "custom-command", name)
    assert (code, shown["entry_count"], shown["invalid_lines"]) == (0, 1, 0)
    assert start("channels", "repair", "--state-dir", state_dir).exit_code == 0
