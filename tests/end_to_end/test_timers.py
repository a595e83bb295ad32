"""What the runbook gives for a timer works as it stands (custom-command-ops.md, "A timer").

Only paths are others here, and intervals shorter. What no test can have, a system that systemd has
booted, is checked as far as its own tools do.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.custom_command.execution.sandboxes import needs_bubblewrap

REPOSITORY = Path(__file__).parents[2]
RUNBOOK = REPOSITORY / "runbooks/custom-command-ops.md"
COMMAND = Path(sys.executable).parent / "tau-custom-command"
INSTALLED = "/usr/local/bin/tau-custom-command"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

ANALYZE = shutil.which("systemd-analyze") or ""
needs_systemd = pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")


def blocks(language: str) -> list[str]:
    """Return the code blocks of the runbook's section, of a language."""
    section = RUNBOOK.read_text().partition("\n## A timer\n")[2].partition("\n## ")[0]
    return [text for kind, text in _FENCE.findall(section) if kind == language]


def units() -> dict[str, str]:
    """Return the units by their names, which stand in their first lines."""
    return {Path(text.split()[1]).name: text for text in blocks("ini")}


def plain(text: str) -> str:
    """Return a text with its continued lines joined."""
    return re.sub(r" *\\\n *", " ", text)


def started_by(unit: str) -> str:
    """Return the command line that a unit starts."""
    found = re.search(r"^ExecStart=(.+)$", plain(units()[unit]), re.MULTILINE)
    assert found
    return found[1]


def container() -> str:
    """Return the command line of the container."""
    (text,) = [text for text in blocks("text") if text.startswith("docker run")]
    return plain(text).strip()


def crontab() -> str:
    """Return the command of the crontab, behind its times and its user."""
    (text,) = [text for text in blocks("text") if text.startswith("# /etc/cron.d/")]
    *_, line = text.strip().splitlines()
    minutes, hours, days, months, weekdays, user, command = line.split(maxsplit=6)
    assert (minutes, hours, days, months, weekdays, user) == ("*/5", "*", "*", "*", "*", "tau")
    return command


def seconds(text: str, option: str) -> int:
    """Return the seconds that stand behind an option or a setting."""
    found = re.search(rf"{option}[ =](\d+)", text)
    assert found, option
    return int(found[1])


def here(line: str, folder: Path) -> str:
    """Return a command line with the paths of this machine; the interval is short."""
    for there, path in (
        ("/etc/tau", folder),
        ("/var/lib/tau/smoke", folder / "state"),
        (INSTALLED, COMMAND),
    ):
        line = line.replace(str(there), shlex.quote(str(path)))
    return line.replace("--every 5m", "--every 300ms --jitter 0s")


def write(folder: Path, template: str, **policy: bool | str) -> None:
    """Write the fixture that the command lines name, and approve its command."""
    about = {
        "command_name": "probe",
        "template": template,
        "execution_policy": {"allow_shell": True, **policy},
    }
    cases = [
        {"case_id": "010-create", "operation": "CREATE", **about},
        {"case_id": "020-run", "operation": "RUN", "command_name": "probe"},
    ]
    (folder / "smoke.toml").write_text(
        "schema_version = 1\nname = 'smoke'\n"
        f"cases = [{', '.join(_inline(case) for case in cases)}]\n"
    )
    state = ("--state-dir", folder / "state")
    options = (*state, "--fresh", "--policy-allow-shell")
    subprocess.run([COMMAND, "run", folder / "smoke.toml", *options], check=True)
    subprocess.run([COMMAND, "approve", "probe", "--by", "alice", *state], check=True)


def _inline(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_inline(item)}' for key, item in value.items())} }}"
    return json.dumps(value)


def events(folder: Path) -> list[dict[str, Any]]:
    """Return the events of the cycles that executed, not of those that registered the command."""
    log = (folder / "state/runtime-events.jsonl").read_text()
    found = [json.loads(line) for line in log.splitlines()]
    return [event for event in found if event["run_mode"] == "execute"]


def until(wanted: Callable[[], object]) -> None:
    """Wait for something, a minute at most."""
    for _ in range(1_200):
        if wanted():
            return
        time.sleep(0.05)
    raise TimeoutError


@contextmanager
def running(*words: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Give a process that is at work, and is gone in the end whatever comes of the test."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@needs_systemd
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """It finds nothing to say of any of them, the one that it was told to start being there."""
    paths = []
    for name, text in units().items():
        paths.append(tmp_path / name)
        paths[-1].write_text(text.replace(INSTALLED, str(COMMAND)))
    assert [path.name for path in paths] == [
        "tau-smoke.service",
        "tau-smoke-once.service",
        "tau-smoke-once.timer",
    ]
    done = subprocess.run(
        [ANALYZE, "verify", "--man=no", *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if "tau-smoke" in line]
    assert (done.returncode, done.stdout, told) == (0, "", []), done.stderr


def test_each_is_given_longer_to_stop_than_the_runtime_gives_its_commands() -> None:
    """Else what runs is cut off."""
    for unit in ("tau-smoke.service", "tau-smoke-once.service"):
        text = plain(units()[unit])
        assert seconds(text, "TimeoutStopSec") > seconds(started_by(unit), "--stop-timeout")
        assert "KillMode=mixed" in text
    outer, _, inner = container().partition(" IMAGE ")
    assert seconds(outer, "--stop-timeout") > seconds(inner, "--stop-timeout")


@needs_bubblewrap
def test_the_service_goes_on_until_sigterm(tmp_path: Path) -> None:
    """It executes cycle after cycle, and ends with 0."""
    write(tmp_path, "sh -c 'echo fine'")
    with running(*shlex.split(here(started_by("tau-smoke.service"), tmp_path))) as service:
        until(lambda: len(events(tmp_path)) >= 2)
        service.terminate()
        assert service.wait(timeout=60) == 0
    assert {event["executed_runs"] for event in events(tmp_path)} == {1}


@needs_bubblewrap
def test_the_oneshot_answers_and_is_stopped_with_143(tmp_path: Path) -> None:
    """0 where all is well, 3 where it is not; stopped, it lets the run at work come to its end."""
    line = shlex.split(here(started_by("tau-smoke-once.service"), tmp_path))
    write(tmp_path, "sh -c 'sleep 1'")
    with running(*line) as stopped:
        until((tmp_path / "state/.journal").exists)
        time.sleep(0.3)
        stopped.terminate()
        assert stopped.wait(timeout=60) == 143
    assert subprocess.run(line, check=False, stdout=subprocess.DEVNULL).returncode == 0
    first, second = events(tmp_path)
    assert (first["executed_runs"], first["failed_cases"]) == (1, 0)
    assert (second["executed_runs"], second["failed_cases"]) == (1, 0)
    assert "SuccessExitStatus=143" in units()["tau-smoke-once.service"]


@needs_bubblewrap
def test_cron_tells_of_what_is_not_as_expected_and_of_nothing_else(tmp_path: Path) -> None:
    """What cron would send by mail is empty where all is well; two at a time come one by one."""
    write(tmp_path, "sh -c 'sleep 1'")
    words = ["/bin/sh", "-c", here(crontab(), tmp_path)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SHELL": "/bin/sh"}

    def start() -> "subprocess.Popen[bytes]":
        out = subprocess.PIPE
        return subprocess.Popen(
            words, env=environment, cwd="/", stdout=out, stderr=subprocess.STDOUT
        )

    pair = [start(), start()]
    ends = [(process.communicate(timeout=60)[0], process.returncode) for process in pair]
    assert ends == [(b"", 0)] * 2
    assert [event["executed_runs"] for event in events(tmp_path)] == [1, 1]

    write(tmp_path, "sh -c 'echo no disk >&2; exit 1'")
    failing = start()
    mail = failing.communicate(timeout=60)[0].decode()
    assert failing.returncode == 3
    assert "020-run" in mail
    assert "no disk" in mail


@needs_bubblewrap
def test_the_container_is_stopped_with_0_and_keeps_no_orphans(tmp_path: Path) -> None:
    """As process 1 it reaps what commands leave behind, and SIGTERM ends it after the cycle."""
    line = here(container().partition(" IMAGE ")[2], tmp_path)
    line = line.replace("tau-custom-command", str(COMMAND), 1)
    # What left its session goes on for a moment after its command, and then belongs to process 1.
    write(tmp_path, "sh -c 'setsid sleep 0.2 >/dev/null 2>&1 &'", sandbox_profile="unrestricted")
    boxed = (
        "bwrap",
        "--dev-bind",
        "/",
        "/",
        "--unshare-pid",
        "--die-with-parent",
        "--as-pid-1",
        "--proc",
        "/proc",
    )
    reading, writing = os.pipe()
    words = [*boxed, "--info-fd", str(writing), "--", *shlex.split(line)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, pass_fds=[writing]) as box:
        os.close(writing)
        with os.fdopen(reading) as said:
            first = json.load(said)["child-pid"]
        try:
            until(lambda: len(events(tmp_path)) >= 8)
            # The one of the last cycle, and of one that has just begun.
            assert len(dead_children(first)) <= 3
            os.kill(first, signal.SIGTERM)
            assert box.wait(timeout=60) == 0
        finally:
            box.kill()
    found = events(tmp_path)
    assert [event["executed_runs"] for event in found] == [1] * len(found)


def dead_children(pid: int) -> list[int]:
    """Return the children of a process that have ended and wait to be reaped."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split() if state_of(int(child)) == "Z"]


def state_of(pid: int) -> str:
    """Return the letter of a process's state; none if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
