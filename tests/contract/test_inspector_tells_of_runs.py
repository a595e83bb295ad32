"""The inspector on state directories of commands that the runtime really executed."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import forking
from tests.contract.running import COMMAND, CONTRACTS, PATIENCE_SECONDS, run_fixture, start
from tests.contract.test_inspector_diagnoses import INSPECTOR, diagnosed, inspector, pasted
from tests.custom_command.execution.sandboxes import needs_bubblewrap

EXECUTE = ("--run-mode=execute", "--policy-sandbox-profile=unrestricted", "--policy-allow-shell")
UNASKED = (*EXECUTE, "--no-policy-require-approval")
UNCONFINED = {"allow_shell": True, "sandbox_profile": "unrestricted"}


def write(folder: Path, *commands: tuple[str, str], **of_runs: Any) -> Path:  # noqa: ANN401 - of a case
    """Write a fixture that registers commands, given as name and template, and runs each."""
    cases: list[dict[str, Any]] = []
    for name, template in commands:
        about = {"command_name": name, "template": template, "execution_policy": UNCONFINED}
        cases.append({"case_id": f"0-{name}", "operation": "CREATE", **about})
        cases.append({"case_id": f"1-{name}", "operation": "RUN", "command_name": name, **of_runs})
    path = folder / "fixture.json"
    path.write_text(json.dumps({"schema_version": 1, "name": "runs", "cases": cases}))
    return path


def symptom(state_dir: Path, code: str) -> Any:  # noqa: ANN401 - JSON
    """Return the one symptom of a code."""
    (found,) = [each for each in diagnosed(state_dir)[2]["symptoms"] if each["code"] == code]
    return found


def last_run(state_dir: Path, code: str) -> Any:  # noqa: ANN401 - JSON
    """Return what is told of the newest run that shows a symptom."""
    runs = [each["run"] for each in symptom(state_dir, code)["evidence"] if "run" in each]
    return runs[0]


def type_in(action: str, fixture: Path, place: int = 0, **words: str) -> Any:  # noqa: ANN401 - how it ended
    """Type a command of an advice, with what is left to fill in, and the options of before."""
    filled = [words.get(word, word) for word in pasted(action, place)]
    filled = [str(fixture) if word == "FIXTURE" else word for word in filled]
    return start(*filled, *(UNASKED[1:] if filled[0] == "run" else ()))


def asked(command: str, state_dir: Path) -> tuple[int, str]:
    """Ask the inspector in plain words; return its exit code and what it prints."""
    words = (command, "custom-command", "--state-dir", state_dir)
    done = forking.run(INSPECTOR, *words, cwd=Path.cwd(), env=os.environ, timeout=PATIENCE_SECONDS)
    return done.returncode, done.stdout.decode()


@contextmanager
def killed(fixture: Path, state_dir: Path, marks: Path) -> Iterator[None]:
    """Run a fixture until a command of it has left its mark; kill the runtime after the block."""
    with subprocess.Popen([COMMAND, "run", fixture, "--state-dir", state_dir, *UNASKED]) as process:
        until = time.monotonic() + PATIENCE_SECONDS
        while not marks.exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        yield
        process.send_signal(signal.SIGKILL)


def test_how_each_run_ended_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The command line, the exit code, and the last of its stderr, by cause."""
    commands = {
        "fails": "sh -c 'echo first >&2; echo \"disk {{x}} is full\" >&2; exit 3'",
        "slow": "sh -c 'echo waiting >&2; sleep 60'",
        "none": "no-such-program",
        "dies": "sh -c 'kill -9 $$'",
    }
    fixture = write(tmp_path, *commands.items(), timeout_ms=800, arguments={"x": "/srv"})
    run_fixture(fixture, tmp_path / "state", *UNASKED)
    code, symptoms, report = diagnosed(tmp_path / "state")
    assert (code, symptoms) == (
        3,
        ["case_processing_failed", "run_spawn_failures", "run_timeouts", "run_non_zero_exits"],
    )
    assert "Correct the fixture" not in report["symptoms"][0]["action"]
    evidence = symptom(tmp_path / "state", "run_non_zero_exits")["evidence"]
    by_code = {each["run"]["exit_code"]: each["run"] for each in evidence if "run" in each}
    assert by_code[3]["stderr"] == ["first", "disk /srv is full"]
    assert by_code[3]["command_line"].startswith("sh -c ")
    assert by_code[137]["signal"] == 9
    slow = last_run(tmp_path / "state", "run_timeouts")
    assert (slow["timed_out"], slow["stderr"]) == (True, ["waiting"])
    assert slow["duration_ms"] >= 800
    missing = last_run(tmp_path / "state", "run_spawn_failures")
    assert (missing["command_line"], missing["exit_code"]) == ("no-such-program", None)


def test_a_run_is_run_again_with_what_is_to_be_pasted(tmp_path: Path) -> None:
    """The state directory's name has a blank and a quote; once mended, the RUN succeeds."""
    state_dir, there = tmp_path / "it's a state", tmp_path / "there"
    fixture = write(tmp_path, ("look", f"cat {shlex.quote(str(there))}"))
    run_fixture(fixture, state_dir, *UNASKED)
    action = symptom(state_dir, "run_non_zero_exits")["action"]
    there.touch()
    assert type_in(action, fixture).exit_code == 0
    assert diagnosed(state_dir)[:2] == (0, ["run_non_zero_exits"])
    passed = symptom(state_dir, "run_non_zero_exits")
    assert passed["severity"] == "notice"
    assert "attempts at RUNs" in passed["summary"]
    assert "went well since" in passed["action"]
    assert [each["file"] for each in passed["evidence"]] == ["runtime-events.jsonl"]


def test_attempts_before_the_one_that_went_well_are_no_failures(tmp_path: Path) -> None:
    """Of retries and of retry_until alike; evidence and advice are of the RUN that failed."""
    state_dir, marks = tmp_path / "state", tmp_path / "marks"
    counted = "sh -c 'echo x >>{0}.$0; test $(wc -l <{0}.$0) -ge 3' {1}"
    fixture = write(tmp_path, *((name, counted.format(marks, name)) for name in ("again", "until")))
    written = json.loads(fixture.read_text())
    written["cases"] += [
        {"case_id": "0-no", "operation": "CREATE", "command_name": "no", "template": "false"},
        {"case_id": "1-no", "operation": "RUN", "command_name": "no"},
    ]
    written["cases"][2]["command_spec"] = {"read_only": True}
    written["cases"][3]["retry_until"] = {"attempts": 3, "every_ms": 1}
    written["cases"][4]["execution_policy"] = UNCONFINED
    fixture.write_text(json.dumps(written))
    run_fixture(fixture, state_dir, *UNASKED, "--retry-max-attempts=3")
    _, symptoms, report = diagnosed(state_dir)
    assert symptoms == ["case_processing_failed", "repeated_retries", "run_non_zero_exits"]
    for each in report["symptoms"]:
        places = {evidence["file"].split("/")[-2] for evidence in each["evidence"][1:]}
        assert places == {"no"}, each["code"]
    assert "--rerun RUN:no:1-no`" in symptom(state_dir, "run_non_zero_exits")["action"]
    written["cases"] = written["cases"][:-2]
    fixture.write_text(json.dumps(written))
    for mark in tmp_path.glob("marks.*"):
        mark.unlink()
    again = tmp_path / "again"
    run_fixture(fixture, again, *UNASKED, "--retry-max-attempts=3", "--fresh")
    for mark in tmp_path.glob("marks.*"):
        mark.unlink()
    run_fixture(fixture, again, *UNASKED, "--retry-max-attempts=3", "--fresh")
    _, symptoms, report = diagnosed(again)
    assert symptoms == ["repeated_retries", "run_non_zero_exits"]
    for each in report["symptoms"]:
        assert each["severity"] == "notice"
        assert "--re" not in each["action"]


def test_a_run_that_went_well_in_a_later_fresh_cycle_is_no_failure(tmp_path: Path) -> None:
    """Its key is another one then; until it does, a fresh cycle is what runs it again."""
    state_dir, there = tmp_path / "state", tmp_path / "there"
    fixture = write(tmp_path, ("look", f"cat {there}"), ("no", "false"))
    run_fixture(fixture, state_dir, *UNASKED, "--fresh")
    action = symptom(state_dir, "run_non_zero_exits")["action"]
    assert type_in(action, fixture).exit_code == 3
    assert "--fresh`" in action
    there.touch()
    run_fixture(fixture, state_dir, *UNASKED, "--fresh")
    evidence = symptom(state_dir, "run_non_zero_exits")["evidence"]
    assert [each["file"].split("/")[-2] for each in evidence if "run" in each] == ["no"]


def test_an_approval_is_given_with_what_is_to_be_pasted(tmp_path: Path) -> None:
    """First looked at, then given; then the next cycle runs it, and nothing is wrong any more."""
    fixture, state_dir = write(tmp_path, ("greet", "echo hello")), tmp_path / "state"
    run_fixture(fixture, state_dir, *EXECUTE)
    action = symptom(state_dir, "run_not_approved")["action"]
    shown = type_in(action, fixture, WHO="alice")
    assert (shown.exit_code, "echo" in shown.stdout) == (0, True)
    words = [word if word != "WHO" else "alice" for word in pasted(action)]
    assert start(*(word for word in words if word != "--dry-run")).exit_code == 0
    assert run_fixture(fixture, state_dir, *EXECUTE)[0].exit_code == 0
    assert diagnosed(state_dir)[:2] == (0, [])


def test_a_drift_of_output_has_the_difference(tmp_path: Path) -> None:
    """What was expected and what was there is told, and `accept` as advised takes it over."""
    expected = {"outcome": "success", "status_code": 200, "stdout": {"equals": "hallo"}}
    fixture = write(tmp_path, ("greet", "echo hello"), expected=expected)
    run_fixture(fixture, tmp_path / "state", *UNASKED)
    found = symptom(tmp_path / "state", "run_output_drift")
    assert "stdout.equals: expected 'hallo', observed 'hello\\n'" in found["evidence"][0]["excerpt"]
    accepted = type_in(found["action"], fixture)
    assert (accepted.exit_code, '"hello' in accepted.stdout) == (3, True)
    assert type_in(found["action"], fixture, 1).exit_code == 3, "it is run again, and drifts again"
    shown = inspector(tmp_path / "state", "channels", "show", "custom-command", "greet")[1]
    (difference,) = shown["entries"][-1]["drift"]["differences"]
    assert difference["field"] == "stdout.equals"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take away what confines")
@needs_bubblewrap
def test_where_nothing_can_be_confined_the_advice_is_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without bubblewrap in PATH nothing is started, and `doctor` is the command to type."""
    fixture = write(tmp_path, ("greet", "echo hello"))
    cases = json.loads(fixture.read_text())
    cases["cases"][0]["execution_policy"] = {"sandbox_profile": "restricted"}
    fixture.write_text(json.dumps(cases))
    programs = tmp_path / "programs"
    programs.mkdir()
    programs.joinpath("echo").symlink_to("/bin/echo")
    monkeypatch.setenv("PATH", str(programs))
    run_fixture(fixture, tmp_path / "state", "--run-mode=execute", "--no-policy-require-approval")
    action = symptom(tmp_path / "state", "run_not_confined")["action"]
    doctor = start(*pasted(action))
    assert (doctor.exit_code, "bubblewrap" in doctor.stdout) == (3, True)


def test_why_a_run_was_refused_is_shown_by_what_is_to_be_pasted(tmp_path: Path) -> None:
    """The rule, or what an earlier RUN was to capture; and what captures it is run once more."""
    state_dir, there = tmp_path / "a state", tmp_path / "there"
    fixture = write(tmp_path, ("dash", "echo {{x}}"), ("give", f"cat {there}"), ("use", "true"))
    written = json.loads(fixture.read_text())
    dash, give, use = written["cases"][1::2]
    dash["arguments"] = {"x": "-v"}
    give |= {"capture": {"v": {"stdout": "matches", "pattern": "(.+)"}}}
    written["cases"][4]["template"] = "echo {{capture.v}}"
    use["case_id"] = "2-use"
    fixture.write_text(json.dumps(written))
    run_fixture(fixture, state_dir, *UNASKED)
    rules = {"run_refused": "it begins with -", "run_capture_missing": "there is no {{capture.v}}"}
    for code, rule in rules.items():
        look = pasted(symptom(state_dir, code)["action"])
        done = forking.run(INSPECTOR, *look, cwd=tmp_path, env=os.environ, timeout=PATIENCE_SECONDS)
        assert (done.returncode, rule in done.stdout.decode()) == (0, True), done
    there.write_text("7")
    action = symptom(state_dir, "run_capture_missing")["action"]
    run_fixture(fixture, state_dir, *UNASKED)  # the earlier RUN is skipped, so this does not help
    assert symptom(state_dir, "run_capture_missing")
    type_in(action, fixture, 1)
    assert "run_capture_missing" not in diagnosed(state_dir)[1]


def test_an_interrupted_run_is_run_again_with_what_is_to_be_pasted(tmp_path: Path) -> None:
    """A runtime that was killed: its cycle is told as recovered, the RUN as interrupted."""
    state_dir, marks = tmp_path / "state", tmp_path / "marks"
    template = f"sh -c 'echo x >>{marks}; test -e {marks}.quick || sleep 3'"
    fixture = write(tmp_path, ("work", template))
    with killed(fixture, state_dir, marks):
        pass
    run_fixture(fixture, state_dir, *UNASKED)
    _, symptoms, report = diagnosed(state_dir)
    assert symptoms == ["run_interrupted", "nothing_but_duplicates", "closed_after_a_crash"]
    assert "closed after a crash" in report["symptoms"][-1]["evidence"][0]["excerpt"]
    Path(f"{marks}.quick").touch()
    assert type_in(report["symptoms"][0]["action"], fixture).exit_code == 0
    assert marks.read_text() == "x\nx\n"
    assert "run_interrupted" not in diagnosed(state_dir)[1]


def test_a_runtime_that_was_killed_is_told_before_its_next_run(tmp_path: Path) -> None:
    """Its state is healthy and fresh; what it left begun is a hold, and the advice closes it."""
    state_dir, marks = tmp_path / "a state", tmp_path / "marks"
    run_fixture(write(tmp_path, ("fine", "true")), state_dir, *UNASKED)
    fixture = write(tmp_path, ("work", f"sh -c 'echo x >>{marks}; sleep 60'"))
    with killed(fixture, state_dir, marks):
        assert "a cycle is at work" in asked("inspect", state_dir)[1]
    journal = state_dir / ".journal"
    heard_of = journal.stat().st_mtime
    assert asked("inspect", state_dir)[0] == 0
    os.utime(journal, (heard_of - 121, heard_of - 121))
    code, symptoms, report = diagnosed(state_dir)
    assert (code, symptoms) == (3, ["cut_off"])
    code, line = asked("check", state_dir)
    assert (code, "a cycle was cut off" in line) == (2, True), line
    closed = start(*pasted(report["symptoms"][0]["action"]))
    assert closed.exit_code == 0, closed
    assert diagnosed(state_dir)[1][:1] == ["case_processing_failed"]
    assert not journal.exists()


def test_what_commands_write_is_harmless_everywhere(tmp_path: Path) -> None:
    """Escape sequences, markup and a CI system's commands in stderr, on the screen and the page."""
    template = (
        r"""sh -c 'printf "\033[2J::error::owned\n<script>x</script>`reboot`\n" >&2; exit 1'"""
    )
    run_fixture(write(tmp_path, ("evil", template)), tmp_path / "state", *UNASKED)
    page = tmp_path / "page.html"
    for words in (
        ("diagnose", "custom-command"),
        ("diagnose", "custom-command", "--json"),
        ("channels", "show", "custom-command", "evil"),
        ("channels", "show", "custom-command", "evil", "--json"),
        ("report", "custom-command", f"--output={page}"),
    ):
        done = forking.run(
            INSPECTOR,
            *(*words, f"--state-dir={tmp_path / 'state'}"),
            cwd=tmp_path,
            env=os.environ,
            timeout=PATIENCE_SECONDS,
        )
        assert b"\x1b" not in done.stdout
        assert b" ::error" not in done.stdout
        assert done.stderr in {b"", b"wrote %s\n" % str(page).encode()}
    text = page.read_text()
    assert "\x1b" not in text
    assert "<script>" not in text
    assert "&lt;script&gt;x&lt;/script&gt;" in text


def test_the_page_has_runs_and_durations(tmp_path: Path) -> None:
    """Also where none failed: the last runs with exit code and duration, and both over time."""
    fixture = write(tmp_path, ("good", "sh -c 'sleep 0.05; echo fine >&2'"))
    run_fixture(fixture, tmp_path / "state", *UNASKED)
    assert diagnosed(tmp_path / "state")[:2] == (0, [])
    page = tmp_path / "page.html"
    forking.run(
        INSPECTOR,
        *("report", "custom-command", f"--output={page}", f"--state-dir={tmp_path / 'state'}"),
        cwd=tmp_path,
        env=os.environ,
        timeout=PATIENCE_SECONDS,
    )
    text = page.read_text()
    for words in ("Last runs", "<strong>good</strong>", "<code>fine</code>", "Duration of a cycle"):
        assert words in text, words
    recorded = tmp_path / "recorded"
    run_fixture(CONTRACTS / "rollout-pass.json", recorded)
    forking.run(
        INSPECTOR,
        *("report", "custom-command", f"--output={page}", f"--state-dir={recorded}"),
        cwd=tmp_path,
        env=os.environ,
        timeout=PATIENCE_SECONDS,
    )
    assert "Last runs" not in page.read_text()
    assert " recorded</td>" in page.read_text()


def test_show_has_exit_code_and_duration(tmp_path: Path) -> None:
    """For people in the remark, for programs each by its key."""
    run_fixture(write(tmp_path, ("fails", "sh -c 'exit 7'")), tmp_path / "state", *UNASKED)
    words = ("channels", "show", "custom-command", "fails", f"--state-dir={tmp_path / 'state'}")
    done = forking.run(INSPECTOR, *words, cwd=tmp_path, env=os.environ, timeout=PATIENCE_SECONDS)
    audit = inspector(tmp_path / "state", *words[:4])[1]["entries"][-1]["run_audit"]
    assert audit["exit_code"] == 7
    assert f"exit 7 after {audit['duration_ms']} ms" in done.stdout.decode()
