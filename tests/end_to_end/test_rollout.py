"""Releases that are rolled out and rolled back: the real runtime runs, and the gate decides."""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from tau_custom_command import __version__
from tests.contract.running import closed, errors_of, schema_of, values_in
from tests.end_to_end.rolling_out import (
    HOUR,
    MINUTE,
    PATIENCE_SECONDS,
    STATE_DIR,
    Browser,
    Release,
    every_file,
    fired,
    in_the_way,
)

LIST_THAT_DRIFTS = {
    "operation": "LIST",
    "expected": {"outcome": "success", "status_code": 201},
}
CREATE_THAT_IS_MALFORMED = {
    "operation": "CREATE",
    "command_name": "restart-service",
    "template": " ",
    "expected": {
        "outcome": "malformed_input",
        "status_code": 422,
        "error_code": "custom_command_invalid_template",
    },
}
BROWSER = (
    *("--surface", f"custom-command={STATE_DIR}", "--surface", "browser-automation=browser"),
    *("--first-run", "browser-automation"),
)


def test_a_release_from_start_to_complete(tmp_path: Path) -> None:
    """Every phase is held a millisecond too early, and left as soon as its soak is served."""
    expected = ("--expect", f"custom-command:runtime_version={__version__}")
    release = Release(tmp_path, "--registry-changes-expected", *expected)
    release.holds("preflight", by={"validation_report"})
    release.enters_canary_1()

    release.cycle(after_ms=10 * MINUTE)
    release.cycle(after_ms=20 * MINUTE - 1)
    release.holds("canary-1", by={"soak"})
    release.cycle(after_ms=1)
    release.moves_on("canary-2", 25)

    release.cycle(after_ms=20 * MINUTE)
    release.cycle(after_ms=40 * MINUTE - 1)
    release.holds("canary-2", by={"soak"})
    release.cycle(after_ms=1)
    release.moves_on("canary-3", 50)

    release.cycle(after_ms=50 * MINUTE)
    release.cycle(after_ms=70 * MINUTE - 1)
    release.holds("canary-3", by={"soak"})
    release.cycle(after_ms=1)
    release.moves_on("general-availability", 100)

    for _ in range(3):
        release.cycle(after_ms=6 * HOUR)
    release.cycle(after_ms=6 * HOUR - 1)
    release.holds("general-availability", by={"soak", "signoff_checklist"})
    release.cycle(after_ms=1)
    release.holds("general-availability", by={"signoff_checklist"})
    release.sign_off("2026-01-02")
    answer = release.answer("advance", code=0)

    assert (answer["verdict"], answer["next_phase"]) == ("complete", None)
    pinned, untied = answer["warnings"]
    assert "the clock is pinned" in pinned
    assert "the evidence is not tied to the release" in untied
    assert release.rollout["status"] == "complete"
    assert [entry["verdict"] for entry in release.decisions] == [
        None,  # the start
        *("hold", "promote") * 4,
        *("hold", "hold", "complete"),
    ]
    read = {one["path"] for one in release.decisions[-1]["inputs"]}
    assert {"reviews/harness_passed.txt", str(tmp_path / STATE_DIR / "state.json")} <= read
    release.gate("verify", code=0)
    assert conforms(release)


def conforms(release: Release) -> bool:
    """Expect all that the gate wrote to be of the published forms, without a key that they lack."""
    found = {"rollout": [release.root / "rollout.json", *release.root.glob("archive/*.json")]}
    found["decision"] = [release.root / "decisions.jsonl"]
    for form, paths in found.items():
        validator = Draft202012Validator(closed(schema_of(form)))
        for value in (value for path in paths for value in values_in(path)):
            assert errors_of(validator, value) == []
    return True


def run_case(release: Release, case: dict[str, Any], *, code: int = 0) -> None:
    """Let five minutes pass, then let the runtime process a fixture of one case."""
    path = release.folder / "one-case.json"
    case = {"schema_version": 1, "case_id": "a", **case}
    path.write_text(json.dumps({"schema_version": 1, "name": "one-case", "cases": [case]}))
    release.cycle(after_ms=5 * MINUTE, fixture=path, code=code)


def fails_twice(release: Release) -> None:
    """Let two neighbouring cycles of canary-1 end with a failed case."""
    release.enters_canary_1()
    run_case(release, LIST_THAT_DRIFTS, code=3)
    run_case(release, LIST_THAT_DRIFTS, code=3)


def fails_for_the_third_time(release: Release) -> None:
    """Let a streak that began before canary-1 reach three in its first cycle."""
    run_case(release, LIST_THAT_DRIFTS, code=3)
    run_case(release, LIST_THAT_DRIFTS, code=3)
    release.enters_canary_1()
    run_case(release, LIST_THAT_DRIFTS, code=3)


def fails_once(release: Release) -> None:
    """Let one cycle of canary-1 end with a failed case."""
    release.enters_canary_1()
    run_case(release, LIST_THAT_DRIFTS, code=3)


def is_malformed(release: Release) -> None:
    """Let a case of canary-1 end as malformed input, as its fixture expects."""
    release.enters_canary_1()
    run_case(release, CREATE_THAT_IS_MALFORMED)


def fails_in_the_browser(release: Release) -> None:
    """Let a step of the browser's second cycle fail; the runtime's own cycle is in order."""
    release.enters_canary_1()
    browser = Browser(release.folder / "browser")
    browser.cycle(release.now_unix_ms + MINUTE, {"status": "ok", "error_code": None})
    release.cycle(after_ms=5 * MINUTE)
    timed_out = {"status": "failed", "error_code": "navigation_timeout"}
    browser.cycle(release.now_unix_ms, {"status": "ok"}, timed_out)


def fails_validation(release: Release) -> None:
    """Let the validation of the release fail, in preflight."""
    release.report(passed=15, failed=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a release fails: what happens, which triggers that fires, and what the first tells."""

    happens: Callable[[Release], None]
    fires: tuple[str, ...]
    observed: str
    phase: str = "canary-1"
    surface: str | None = "custom-command"
    start: tuple[str, ...] = ()
    advance: tuple[str, ...] = ()
    explained: str = "roll back"


FAILURES = {
    "health-regression": Failure(
        happens=fails_twice,
        fires=("health_regression", "hard_runtime_errors"),
        observed="health_state = degraded; 2 such in a row",
    ),
    "failure-streak": Failure(
        happens=fails_for_the_third_time,
        fires=("failure_streak_breach", "hard_runtime_errors"),
        observed="failure_streak = 3",
    ),
    "case-failed": Failure(
        happens=fails_once, fires=("hard_runtime_errors",), observed="case_processing_failed"
    ),
    "malformed-input": Failure(
        happens=is_malformed,
        fires=("hard_runtime_errors",),
        observed="malformed_inputs_observed",
        explained="the fixture 'one-case'",
    ),
    "browser": Failure(
        happens=fails_in_the_browser,
        fires=("browser_execution_failure",),
        observed="navigation_timeout",
        surface="browser-automation",
        start=BROWSER,
        explained="last good browser lane",
    ),
    "validation": Failure(
        happens=fails_validation,
        fires=("validation_gate_failure",),
        observed="1 of 16 failed",
        phase="preflight",
        surface=None,
        advance=("--validation", "report.json"),
        explained="block the release",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_release_that_goes_back(name: str, tmp_path: Path) -> None:
    """A trigger freezes the release for good; then come the evidence, the steps, a new start."""
    failure = FAILURES[name]
    release = Release(tmp_path, "--rollback-ref", "v1.3.2", *failure.start)
    failure.happens(release)

    answer = release.answer("advance", *failure.advance, code=4)
    assert (answer["verdict"], answer["phase"]) == ("rollback", failure.phase)
    assert fired(answer) == set(failure.fires)
    first = next(
        one for one in answer["triggers"] if one["name"] == failure.fires[0] and one["fired"]
    )
    assert failure.observed in first["observed"]
    assert first["surface"] == failure.surface
    goes_back_for_good(release, failure)
    rolls_back(release, failure)
    starts_anew(release)


def goes_back_for_good(release: Release, failure: Failure) -> None:
    """Expect the release frozen and on record, whatever is tried or follows."""
    recorded = release.rollout
    assert release.decisions[-1]["verdict"] == "rollback"
    assert {one["name"] for one in recorded["fired_triggers"]} == set(failure.fires)
    assert failure.fires[0] in recorded["frozen"]["reason"]
    release.cycle(after_ms=5 * MINUTE)
    for command in ("resume", "reenter"):
        refused = release.gate(command, "--reason", "it looks well again", code=2)
        assert failure.fires[0] in refused.err
    assert failure.explained in release.gate("explain", code=4).out
    assert release.answer("advance", code=4)["phase"] == failure.phase
    for rollout in (now := release.rollout, recorded):
        rollout["decisions"] = None
        for surface in rollout["surfaces"]:
            surface["seen"] = None  # the newest cycle, which is looked for from now on
    assert now == recorded


def rolls_back(release: Release, failure: Failure) -> None:
    """Roll back, and expect the evidence as an archive, the record, and the steps on stdout."""
    before = every_file(release.folder / STATE_DIR)
    printed = release.gate("rollback", "--reason", "a trigger fired", code=0).out
    assert every_file(release.folder / STATE_DIR) == before
    (archive,) = release.root.glob("evidence/*.tar.gz")
    for told in (archive.name, STATE_DIR, "git revert --no-edit v1.3.2..HEAD", "1.3.2 on stable"):
        assert told in printed
    unpacked = release.folder / "unpacked"
    unpacked.mkdir()
    unpack = 'tar -xzf "$0" && cd -- * && sha256sum --check --quiet SHA256SUMS'
    subprocess.run(["/bin/sh", "-c", unpack, archive], cwd=unpacked, check=True)
    (top,) = unpacked.iterdir()
    captured = top / "state/custom-command/state.json"
    assert captured.read_bytes() == (release.folder / STATE_DIR / "state.json").read_bytes()
    rollout, (rolled_back, last) = release.rollout, release.decisions[-2:]
    assert (rollout["status"], rollout["phase"]) == ("rolled_back", failure.phase)
    assert rollout["rollback"] == {
        "rollback_channel": "stable",
        "rollback_version": "1.3.2",
        "rollback_ref": "v1.3.2",
        "rollback_reason": "a trigger fired",
        "rollback_reference_unix_ms": release.now_unix_ms,
    }
    assert [each["action"] for each in (rolled_back, last)] == ["rollback", "capture"]
    assert (rolled_back["by"], last["by"]) == ("ann", "ann")
    assert release.folder / last["inputs"][0]["path"] == archive


def starts_anew(release: Release) -> None:
    """Start the next release, and expect the one that went back in the archive."""
    closed = release.rollout
    release.start("1.4.1", "1.3.2")
    (archived,) = release.root.glob("archive/*-1.4.0.json")
    assert json.loads(archived.read_bytes()) == closed
    rollout = release.rollout
    assert (rollout["release"], rollout["phase"]) == ("1.4.1", "preflight")
    assert (rollout["frozen"], rollout["fired_triggers"]) == (None, [])
    release.gate("verify", code=0)
    assert conforms(release)


def served_canary_1(folder: Path) -> Release:
    """Return a release whose first canary phase may be left."""
    release = Release(folder)
    release.enters_canary_1()
    release.cycle(after_ms=15 * MINUTE)
    release.cycle(after_ms=15 * MINUTE)
    return release


@contextmanager
def lock_held(release: Release) -> Iterator[Path]:
    """Hold the lock of the rollout directory, as a process does that changes it."""
    lock = release.root / ".lock"
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield lock


def has_open(process: subprocess.Popen[str], path: Path) -> bool:
    """Tell whether a process has a file open."""
    descriptors = Path(f"/proc/{process.pid}/fd").iterdir()
    return path.resolve() in {Path(os.path.realpath(one)) for one in descriptors}


@pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="what a process has open is told by Linux alone"
)
def test_two_advances_at_once(tmp_path: Path) -> None:
    """Both wait for the same lock: one moves, the other says that it moved, and writes nothing."""
    release = served_canary_1(tmp_path)
    before = release.rollout["decisions"]["count"]
    with lock_held(release) as lock:
        running = [release.popen("advance") for _ in range(2)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(has_open(each, lock) for each in running):
            assert time.monotonic() < deadline, "they never came to the lock"
            time.sleep(0.02)
    ended = [(*each.communicate(timeout=PATIENCE_SECONDS), each.returncode) for each in running]
    (moved, _, go), (nothing, refused, moved_before) = sorted(ended, key=lambda one: one[2])
    assert (go, moved_before) == (0, 2), ended
    assert moved.startswith("PROMOTE  1.4.0")
    assert nothing == ""
    assert f"decision {before + 1}" in refused
    assert "canary-2" in refused
    assert release.rollout["decisions"]["count"] == before + 1
    assert release.rollout["phase"] == "canary-2"
    release.gate("verify", code=0)


def text_says(printed: str, answer: dict[str, Any]) -> bool:
    """Tell whether a text has the verdict and every reason, however its lines are broken."""
    words = " ".join(printed.split())
    return answer["verdict"] in words.lower() and all(why in words for why in answer["reasons"])


def test_asking_in_every_format_writes_nothing(tmp_path: Path) -> None:
    """Whatever reads only leaves every file as it was; each form is read by its own reader."""
    release = served_canary_1(tmp_path)
    run_case(release, LIST_THAT_DRIFTS, code=3)
    before = every_file(tmp_path)

    answer = release.answer("evaluate", code=4)
    printed = {
        name: release.gate("evaluate", "--format", name, code=4).out
        for name in ("text", "junit", "github", "markdown", "openmetrics")
    }
    for command in ("status", "history", "verify"):
        release.gate(command, code=0)
    release.gate("explain", code=4)

    assert every_file(tmp_path) == before
    assert errors_of(Draft202012Validator(closed(schema_of("answer"))), answer) == []
    assert text_says(printed["text"], answer)
    assert text_says(printed["markdown"].replace("\\", "").replace("`", ""), answer)
    assert printed["github"].startswith("::error title=rollout gate%3A rollback::")
    suites = ET.fromstring(printed["junit"])  # noqa: S314 - of our own making
    judged = len(answer["gates"]) + len(answer["triggers"])
    assert len(list(suites.iter("testcase"))) == judged
    in_trouble = len(in_the_way(answer)) + len(fired(answer))
    assert len([*suites.iter("failure"), *suites.iter("error")]) == in_trouble
    assert printed["openmetrics"].endswith("# EOF\n")


def test_a_github_job_learns_the_verdict(tmp_path: Path) -> None:
    """Outputs for later steps and the job's summary are appended to the files that are named."""
    release = Release(tmp_path)
    output, summary = tmp_path / "output", tmp_path / "summary.md"
    output.write_text("before=1\n")
    env = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    release.gate("evaluate", "--format", "github", code=3, env=env)

    answer = release.answer("evaluate", code=3)
    told = outputs_in(output.read_text())
    assert told["before"] == "1"
    assert (told["verdict"], told["release"], told["phase"]) == ("hold", "1.4.0", "preflight")
    assert (told["next_phase"], told["next_canary_percent"]) == ("canary-1", "5")
    assert told["reasons"].splitlines() == answer["reasons"]
    assert text_says(summary.read_text().replace("\\", "").replace("`", ""), answer)


def outputs_in(text: str) -> dict[str, str]:
    """Return the outputs by name, read as GitHub's runner reads its file."""
    outputs, lines = {}, iter(text.splitlines())
    for line in lines:
        name, mark, end = line.partition("<<")
        if mark:
            outputs[name] = "\n".join(iter(lambda: next(lines), end))
        else:
            name, _, outputs[name] = line.partition("=")
    return outputs
