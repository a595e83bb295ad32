"""Streams that take nothing, and signals: the exit codes are the same, and no traceback is shown.

The rules are the README's ("Exit codes").
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.contract.running import CONTRACTS
from tests.contract.test_commands import PACKAGES

RUNTIME, GATE, INSPECTOR = PACKAGES

COMMANDS = {
    "help": (RUNTIME, "--help", 0),
    "help of a command": (GATE, "evaluate --help", 0),
    "version": (INSPECTOR, "--version", 0),
    "nothing": (RUNTIME, "", 2),
    "usage": (GATE, "evaluate --nope", 2),
    "usage of check": (INSPECTOR, "check --nope", 3),
    "no such file": (RUNTIME, "validate /nope.json", 5),
    "no such target": (INSPECTOR, "inspect nope", 2),
    "no such target of check": (INSPECTOR, "check nope", 3),
    "a run": (RUNTIME, f"run {CONTRACTS}/drift.json --state-dir {{}}/new", 3),
    "a refusal": (GATE, "start --release x --rollback-to 1.3.2 --rollout-dir {}/ro", 2),
    "a start": (GATE, "start --release 1.4.0 --rollback-to 1.3.2 --rollout-dir {}/ro", 0),
    "a policy": (GATE, "policy show", 0),
    "a replay": (GATE, "replay --events {}/state/runtime-events.jsonl", 4),
    "metrics": (INSPECTOR, "export custom-command --state-dir {}/state", 0),
    "a check": (INSPECTOR, "check custom-command --state-dir {}/state --max-age none", 0),
}
"""A command of each kind, `{}` being a folder, and its exit code where both streams take it."""

ANSWERS_ON_STDERR = {"nothing", "usage", "no such file", "no such target", "a refusal"}

REFUSALS = ("full stdout", "full stderr", "closed", "reader gone")

FORKS = """
import importlib, json, os, sys
for package in ("tau_custom_command", "tau_rollout_gate", "tau_transport_health"):
    importlib.import_module(f"{package}.cli.app")
for line in sys.stdin:
    package, words, refusal, folder = json.loads(line)
    sys.stdout.flush()
    child = os.fork()
    if child:
        print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])), flush=True)
        continue
    full, kept = os.open("/dev/full", os.O_WRONLY), os.open(f"{folder}/said", os.O_WRONLY)
    gone, writable = os.pipe()
    os.close(gone)
    os.dup2({"full stdout": full, "reader gone": writable}.get(refusal, kept), 1)
    os.dup2({"full stderr": full}.get(refusal, kept), 2)
    if refusal == "closed":
        sys.stdin = sys.stdout = sys.stderr = None
        os.closerange(0, 3)
    sys.argv = [package, *words.split()]
    importlib.import_module(f"{package}.cli.main").main()
"""
"""Starts each command in a process of its own whose streams are as told; imports once for all."""


@pytest.fixture(scope="module")
def forks() -> Iterator["subprocess.Popen[str]"]:
    """Return the process that starts the others."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=pipe, stdout=pipe, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_stream_that_takes_nothing(
    name: str, refusal: str, forks: "subprocess.Popen[str]", state_dir: Path, tmp_path: Path
) -> None:
    """An answer that cannot be written is 5, a reader that is gone 141; stderr changes nothing."""
    assert forks.stdin is not None
    assert forks.stdout is not None
    package, words, code = COMMANDS[name]
    (tmp_path / "state").symlink_to(state_dir)
    (tmp_path / "said").touch()
    row = [package, words.format(tmp_path), refusal, str(tmp_path)]
    forks.stdin.write(json.dumps(row) + "\n")
    forks.stdin.flush()
    is_check = words.startswith("check")
    if name not in ANSWERS_ON_STDERR:
        code = {"full stdout": 3 if is_check else 5, "reader gone": 141}.get(refusal, code)
    assert json.loads(forks.stdout.readline()) == code
    said = (tmp_path / "said").read_text()
    assert "Traceback" not in said
    assert "Exception" not in said
    assert ("the answer cannot be written" in said) == (
        refusal == "full stdout" and name not in ANSWERS_ON_STDERR
    )


@pytest.mark.parametrize(
    ("program", "words", "number"),
    [
        ("tau-custom-command", "validate", signal.SIGTERM),
        ("tau-rollout-gate", "policy lint", signal.SIGHUP),
        ("tau-transport-health", "inspect x --targets", signal.SIGQUIT),
    ],
)
def test_a_request_to_end_is_followed(
    program: str, words: str, number: signal.Signals, tmp_path: Path
) -> None:
    """By a handler of our own, as the first process of a container needs one, and without noise."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [str(Path(sys.executable).parent / program), *words.split(), str(pipe)]
    # One that is ignored stays so; and what a shell starts in the background ignores SIGQUIT.
    with (
        with_default(number),
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
    ):
        writable = opened_by_the_other_end(pipe)
        said = ""
        while process.returncode is None:
            # One that comes between Python's last look for signals and its call to read is acted
            # on when that call ends, which here only another signal brings about.
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                _, said = process.communicate(timeout=1)
        os.close(writable)
    assert (process.returncode, said) == (128 + number, "")


@contextmanager
def with_default(number: signal.Signals) -> Iterator[None]:
    """Have a signal do what it does by default, also in what is started meanwhile."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def opened_by_the_other_end(pipe: Path) -> int:
    """Wait until somebody reads a pipe; return it, open for writing."""
    for _ in range(6_000):
        with suppress(OSError):  # nobody does yet
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.01)
    raise TimeoutError


UNFORESEEN = """
import sys
from {package}.cli import app, main

class Group(app.app.info.cls):
    def invoke(self, ctx):
        with self.border(ctx):
            open("/no/such/folder", "rb")

app.app.info.cls = Group
main.main()
"""


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("tau_custom_command", ("validate", "x")),
        ("tau_rollout_gate", ("policy", "lint")),
        ("tau_transport_health", ("targets", "list")),
    ],
)
def test_what_is_refused_to_a_command_is_not_said_of_its_answer(
    package: str, words: tuple[str, ...]
) -> None:
    """A file that nobody expected to be missing is told by its name, and the answer is 5."""
    done = subprocess.run(
        [sys.executable, "-c", UNFORESEEN.format(package=package), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == "error: /no/such/folder: No such file or directory\n"
