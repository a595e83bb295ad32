"""What a command writes is taken in masked, cut and counted, and costs hardly any memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.cycle.execution import MOST_KEPT_BYTES, Stream
from tau_custom_command.execution.output import STDERR, STDOUT, Capture

MIB = 1024 * 1024


def captured(content: bytes, *secrets: bytes, at_once: int = 65_536) -> Stream:
    """Capture the content, as it comes from a pipe."""
    capture = Capture(secrets)
    for start in range(0, len(content), at_once):
        capture.feed(STDOUT, content[start : start + at_once])
    return capture.streams()[0]


def test_both_streams_are_taken_in_apart() -> None:
    """Neither shows in the other, and a secret that is cut between two reads is masked in each."""
    capture = Capture([b"hunter22"])
    capture.feed(STDOUT, b"out hunt")
    capture.feed(STDERR, b"err hunter2")
    capture.feed(STDOUT, b"er22\n")
    capture.feed(STDERR, b"2\n")
    assert capture.streams() == (Stream(b"out ***\n", 13), Stream(b"err ***\n", 13))


def test_a_command_that_writes_nothing() -> None:
    """Nothing was kept, nothing is missing."""
    assert Capture([]).streams() == (Stream(), Stream())


@pytest.mark.parametrize("more", [-1, 0, 1, 65_537])
def test_the_first_mib_is_kept_and_the_rest_counted(more: int) -> None:
    """To the byte, on both sides of the limit."""
    stream = captured((b"0123456789abcdef" * (MOST_KEPT_BYTES // 8))[: MOST_KEPT_BYTES + more])
    assert (len(stream.kept), stream.size) == (
        min(MOST_KEPT_BYTES, MOST_KEPT_BYTES + more),
        MOST_KEPT_BYTES + more,
    )
    assert (stream.left_out, stream.is_whole) == (max(0, more), more <= 0)


@given(st.integers(min_value=20_000, max_value=2_000_000), st.integers(min_value=0, max_value=9))
def test_a_secret_at_the_cut_is_masked_however_it_is_read(at_once: int, shift: int) -> None:
    """Masked first and cut then: no beginning of a value is kept, and each read gives the same."""
    content = b"x" * (MOST_KEPT_BYTES - shift) + b"hunter22 and more"
    stream = captured(content, b"hunter22", at_once=at_once)
    kept = (b"x" * (MOST_KEPT_BYTES - shift) + b"*** and more")[:MOST_KEPT_BYTES]
    assert stream == Stream(kept, len(content), MOST_KEPT_BYTES - shift + 12 - len(kept))


IN_A_PROCESS = """
import json, subprocess, sys, time
from pathlib import Path
from tau_custom_command.execution.output import BLOCK_BYTES, STDERR, STDOUT, Capture

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

command = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, bufsize=0)
capture = Capture([secret.encode() for secret in json.loads(sys.argv[1])])
before, started = peak(), time.monotonic()
number = 0
while chunk := command.stdout.read(BLOCK_BYTES):
    number += 1
    capture.feed(STDOUT if number % 2 else STDERR, chunk)
command.wait()
streams = capture.streams()
print(json.dumps({
    "memory": peak() - before,
    "seconds": time.monotonic() - started,
    "size": sum(stream.size for stream in streams),
    "kept": [len(stream.kept) for stream in streams],
    "left_out": sum(stream.left_out for stream in streams),
}))
"""


def measured(secrets: list[str], *command: str) -> dict[str, Any]:
    """Capture what the command writes, in a process of its own; tell what that took."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, json.dumps(secrets), *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    print(command, figures)  # noqa: T201 - pytest -rP shows it
    return figures


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs Linux's /proc"
)


@needs_proc
@pytest.mark.parametrize("secrets", [[], ["hunter22", "a\nlonger secret\nof several lines\n"]])
def test_300_mb_cost_less_than_5_mb_of_memory(secrets: list[str]) -> None:
    """Through a real pipe, both streams full, with and without secrets; and fast."""
    figures = measured(secrets, "head", "-c", "300000000", "/dev/zero")
    assert (figures["size"], figures["kept"]) == (300_000_000, [MIB, MIB])
    assert figures["left_out"] == 300_000_000 - 2 * MIB
    assert figures["memory"] < 5_000_000


@needs_proc
def test_a_command_that_writes_its_secret_for_ever_costs_no_memory() -> None:
    """The worst there is: a value that overlaps itself at each byte."""
    script = "import sys\nfor _ in range(100): sys.stdout.write('a' * 100_000)"
    figures = measured(["aaaaaa"], sys.executable, "-c", script)
    assert figures["memory"] < 5_000_000
