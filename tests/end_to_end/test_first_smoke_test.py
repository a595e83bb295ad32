"""The README's "Your first smoke test" works as it stands, and prints what it says.

Only the port is another one here, and the interval is shorter.
"""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.custom_command.execution.sandboxes import needs_bubblewrap

REPOSITORY = Path(__file__).parents[2]
COMMANDS = Path(sys.executable).parent
FIXTURE = REPOSITORY / "fixtures/contracts/execute-smoke-http.toml"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r" +# exit (\d+)$")


def section() -> str:
    """Return the section of the README."""
    text = (REPOSITORY / "packages/custom-command/README.md").read_text()
    return text.partition("\n## Your first smoke test\n")[2].partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    """Return the section's code blocks of a language."""
    return [text for kind, text in _FENCE.findall(section()) if kind == language]


def typed() -> list[tuple[str, str]]:
    """Return what is to be typed, each with what it prints, in their order."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, printed = part.partition("\n")
            found.append((line, printed))
    return found


def as_pattern(printed: str) -> "re.Pattern[str]":
    """Return what matches an output in which `…` stands for any text of a line."""
    return re.compile("[^\n]*".join(re.escape(part) for part in printed.split("…")))


@pytest.fixture
def port() -> str:
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture
def background() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Return a list for what is started in the background, which is ended with the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_the_fixture_is_the_one_that_is_kept() -> None:
    """What the README has is the fixture, whole, but for what stands before its first key."""
    (shown,) = blocks("toml")
    kept = FIXTURE.read_text()
    assert shown == kept[kept.index("schema_version") :]


@needs_bubblewrap
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_newcomer_types_it_and_sees_what_it_says(
    tmp_path: Path, port: str, background: list["subprocess.Popen[bytes]"]
) -> None:
    """Each command prints what the README shows, and exits with 0 or what stands behind it."""
    environment = {"PATH": f"{COMMANDS}:/usr/bin:/bin", "HOME": str(tmp_path)}
    (fixture,) = blocks("toml")
    (tmp_path / "smoke.toml").write_text(fixture.replace("8080", port))
    lines = typed()
    assert len(lines) >= 11
    for line, printed in lines:
        code = int(found[1]) if (found := _EXIT.search(line)) else 0
        text = _EXIT.sub("", line).replace("8080", port)
        if text.endswith("&"):
            words = ["/bin/sh", "-c", f"exec {text.removesuffix('&')}"]
            background.append(
                subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
            )
            continue
        if "--every" in text:
            assert runs_by_itself(text, tmp_path, environment) == 0
            continue
        ran = subprocess.run(
            ["/bin/sh", "-c", text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, f"{line}\n{ran.stdout}{ran.stderr}"
        wanted = as_pattern(printed.replace("8080", port))
        shown = re.sub(" +$", "", ran.stdout, flags=re.MULTILINE)  # as editors save documents
        assert wanted.fullmatch(shown), f"{line}\n{ran.stdout}{ran.stderr}"
        assert ran.stderr == ""
    events = (tmp_path / ".tau/custom-command/runtime-events.jsonl").read_text().splitlines()
    assert '"failed_cases":0' in events[-1]
    assert '"executed_runs":4' in events[-1]


def runs_by_itself(line: str, folder: Path, environment: dict[str, str]) -> int:
    """Run a loop for some cycles, and return how it ends when it is stopped."""
    log = folder / ".tau/custom-command/runtime-events.jsonl"
    before = len(log.read_text().splitlines())
    words = ["/bin/sh", "-c", f"exec {line.replace('5m', '500ms')}"]
    with subprocess.Popen(words, cwd=folder, env=environment) as loop:
        try:
            for _ in range(1_200):
                if len(log.read_text().splitlines()) >= before + 2:
                    break
                time.sleep(0.05)
            loop.send_signal(signal.SIGTERM)
            return loop.wait(timeout=60)
        finally:
            loop.kill()
