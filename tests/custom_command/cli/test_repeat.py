"""`run --every`: a cycle so often, until it is asked to stop (custom-command-ops.md, "A timer")."""

import fcntl
import itertools
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.services.repeat import Pace
from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.running import (
    COMMAND,
    PATIENCE_SECONDS,
    Command,
    Json,
    environment,
)

EVERY = ("run", "fixture.json", "--state-dir", "state", "--every")
EXECUTE = ("--run-mode", "execute", "--no-policy-require-approval", "--stop-timeout", "10s")
UNCONFINED = ("--policy-sandbox-profile", "unrestricted")
STOPS = int(os.environ.get("TAU_TEST_STOPS", "6"))
"""How often a loop is stopped at a random moment; 200 where there is time."""


def write(folder: Path, *cases: Json) -> None:
    """Write a fixture."""
    (folder / "fixture.json").write_bytes(fixture_bytes(*cases))


def events(folder: Path) -> list[Json]:
    """Return the lines of the event log, which must be chained, and end with what the state is."""
    log = folder / "state/runtime-events.jsonl"
    raw = log.read_bytes().splitlines() if log.exists() else []
    lines = [json.loads(line) for line in raw]
    digests = [None, *(sha256(line).hexdigest() for line in raw)]
    assert [line["previous_sha256"] for line in lines] == digests[:-1]
    return lines


def until(wanted: Callable[[], object]) -> None:
    """Wait for something, a minute at most."""
    for _ in range(6_000):
        if wanted():
            return
        time.sleep(0.01)
    raise TimeoutError


def has_more_events(folder: Path, count: int) -> bool:
    """Tell whether the event log has more lines than so many."""
    return len(events(folder)) > count


@contextmanager
def looping(command: Command, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Give a loop that runs; it ends well when it is asked to stop."""
    with command.start(*EVERY, *options) as process:
        yield process
        assert process.poll() is None, process.communicate()
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err


@given(
    interval=st.integers(1, 10**9),
    due=st.integers(0, 10**12),
    late=st.integers(-10, 10**12),
)
def test_what_is_late_is_left_out(interval: int, due: int, late: int) -> None:
    """The next cycle is due on the beat, after now, and not a beat later than it could be."""
    after = Pace(interval, 0).after(due, due + late)
    assert (after - due) % interval == 0
    assert after > due + late
    assert after - interval <= max(due, due + late)


def test_a_host_keeps_its_offset(tmp_path: Path) -> None:
    """Within the jitter, the same each time, and another one for another host or directory."""
    offsets = [
        Pace.of(1_000_000, 100_000, host=host, state_dir=tmp_path / name).offset_ms
        for host in ("a", "b", "c")
        for name in ("x", "y")
    ]
    assert all(0 <= offset <= 100_000 for offset in offsets)
    assert len(set(offsets)) == 6
    again = Pace.of(1_000_000, 100_000, host="a", state_dir=tmp_path / "z/../x")
    assert again.offset_ms == offsets[0]
    assert Pace.of(9, 0, host="a", state_dir=tmp_path).offset_ms == 0
    (tmp_path / "circle").symlink_to("circle")
    assert Pace.of(9, 0, host="a", state_dir=tmp_path / "circle").offset_ms == 0


def test_each_cycle_is_new_work_and_reads_the_fixture_anew(command: Command) -> None:
    """A fixture that is refused is told once, leaves no event, and the loop goes on after it."""
    write(command.folder, case_object())
    with looping(command, "100ms") as process:
        until(lambda: len(events(command.folder)) >= 2)
        (command.folder / "fixture.json").write_text("{")
        assert process.stderr is not None
        next(line for line in process.stderr if "fixture.json" in line)  # it is read by now
        count = len(events(command.folder))
        time.sleep(0.3)
        assert len(events(command.folder)) == count
        write(command.folder, case_object(), case_object("020", "LIST", ""))
        until(lambda: events(command.folder)[-1]["discovered_cases"] == 2)
        assert process.poll() is None
    assert {event["duplicate_skips"] for event in events(command.folder)} == {0}


def test_a_refusal_is_told_once(command: Command) -> None:
    """As long as it stays the same: here, while cycles are paused."""
    write(command.folder, case_object())
    assert command("run", "fixture.json", "--state-dir", "state").code == 0
    assert command("pause", "--reason", "x", "--state-dir", "state").code == 0
    with command.start(*EVERY, "50ms") as process:
        assert process.stderr is not None
        assert "paused since" in process.stderr.readline()
        time.sleep(0.5)
        assert len(events(command.folder)) == 1
        assert command("unpause", "--state-dir", "state").code == 0
        until(lambda: len(events(command.folder)) > 1)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("paused since")) == (0, 0)


def test_a_lock_that_is_held_skips_the_cycle(command: Command) -> None:
    """It is held for a cycle, and free between two."""
    write(command.folder, case_object())
    with looping(command, "100ms"):
        until(lambda: events(command.folder))
        with (command.folder / "state/.lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            count = len(events(command.folder))
            time.sleep(0.4)
            assert len(events(command.folder)) == count
        until(lambda: len(events(command.folder)) > count)


def test_a_cycle_that_takes_longer_skips_and_never_overlaps(command: Command) -> None:
    """The next one begins on a later beat."""
    policy = {"sandbox_profile": "unrestricted"}
    create = case_object("0", "CREATE", "a", template="sleep 0.5", execution_policy=policy)
    write(command.folder, create, case_object("1", "RUN", "a"))
    with looping(command, "200ms", *EXECUTE, *UNCONFINED):
        until(lambda: len(events(command.folder)) >= 3)
    found = events(command.folder)
    ends = [event["timestamp_unix_ms"] for event in found]
    assert all(later - earlier >= 500 for earlier, later in itertools.pairwise(ends))
    assert {event["failed_cases"] for event in found} == {0}


@pytest.mark.unmeasured
@pytest.mark.parametrize("mode", [(), (*EXECUTE, *UNCONFINED)], ids=["record", "execute"])
def test_it_is_stopped_at_any_moment_and_loses_nothing(
    command: Command, mode: tuple[str, ...]
) -> None:
    """What was begun is written; it ends well, and what comes next finds all in order."""
    policy = {"sandbox_profile": "unrestricted"}
    create = case_object("0", "CREATE", "a", template="sleep 0.02", execution_policy=policy)
    write(command.folder, create, *(case_object(f"{n}", "RUN", "a") for n in range(1, 4)))
    chance = random.Random()  # noqa: S311 - any moment will do
    for number in range(STOPS):
        before = len(events(command.folder))
        with command.start(*EVERY, "20ms", *mode) as process:
            if number % 2:  # else it may also be stopped while it starts
                until(partial(has_more_events, command.folder, before))
            time.sleep(chance.uniform(0, 0.3))
            process.terminate()
            _, err = process.communicate(timeout=60)
        # Before its handlers are there, the program ends as any other does.
        assert process.returncode in {0, 143, -15}, err
        assert "Traceback" not in err
    found = events(command.folder)
    assert len(found) >= STOPS // 2
    assert {event["failed_cases"] for event in found} == {0}
    assert not any(event["recovered"] for event in found)
    state = json.loads((command.folder / "state/state.json").read_bytes())
    assert state["last_cycle"]["cycle_number"] == len(found)
    assert command("recover", "--state-dir", "state").out == "state: nothing to recover\n"


def test_on_a_terminal_it_says_when_the_next_cycle_begins(command: Command) -> None:
    """Also before the first one, which the jitter may have wait for long; elsewhere it is quiet."""
    write(command.folder, case_object())
    waits = ("run", "fixture.json", "--state-dir", "state", "--every", "1h", "--jitter", "1h")
    shown, terminal = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *waits],
        cwd=command.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    said = os.read(shown, 200).decode()
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0
    os.close(shown)
    assert re.fullmatch(r"the next cycle begins in \d+ s, at [-0-9]+ [:0-9]+Z\r\n", said)
    with command.start(*waits) as quiet:
        time.sleep(0.5)
        quiet.terminate()
        assert quiet.communicate(timeout=60) == ("", "")


def test_an_interrupt_ends_it_with_0(command: Command) -> None:
    """As SIGTERM does, once it is at work: Ctrl-C is how people end it."""
    write(command.folder, case_object("0", "CREATE", "a", template="true"))
    with command.start(*EVERY, "20ms") as process:
        until(partial(has_more_events, command.folder, 0))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


SWALLOWED = """
import signal
from tau_custom_command.cli import app, main

asked_of = app.app

def swallow():
    try:
        signal.raise_signal(signal.{name})
    except BaseException:
        pass
    asked_of()

app.app = swallow
main.main()
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.parametrize("how", [("--every", "20ms"), EXECUTE], ids=["every", "execute"])
def test_a_stop_that_a_library_swallowed_at_the_start_counts(
    command: Command, name: str, code: int, how: tuple[str, ...]
) -> None:
    """No cycle begins: else a loop would go on for ever, and hear of no other SIGTERM."""
    write(command.folder, case_object())
    words = ("run", "fixture.json", "--state-dir", "state", *how)
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED.format(name=name), *words],
        cwd=command.folder,
        env=environment(),
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, events(command.folder)) == (code, [])


def test_what_is_asked_wrongly(command: Command) -> None:
    """No time, no unit, or what does not go together."""
    write(command.folder, case_object())
    for options in (("0s",), ("5",), ("5m", "--case-suffix=-x"), ("5m", "--now-unix-ms=1")):
        assert command(*EVERY, *options).code == 2
    assert command(*EVERY[: EVERY.index("--every")], "--jitter", "5s").code == 2
