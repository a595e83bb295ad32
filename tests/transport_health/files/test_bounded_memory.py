"""Memory is bounded by what is asked for, not by what stands in the files of a target."""

import json
import sys
from pathlib import Path

import pytest

from tests.hostile import MIB, MOST_MIB, peak, with_nonsense
from tests.transport_health.state_files import NOW_UNIX_MS, StateDirectory, state_of

COMMAND = Path(sys.executable).parent / "tau-transport-health"
HUGE = 100 * MIB
ALL = ("inspect", "diagnose", "export", "check", "status", "report")


def ask(directory: StateDirectory, *commands: str) -> dict[str, tuple[int, str]]:
    """Ask each command, which must not take much memory; return its exit code and answer."""
    found = {}
    for command in commands:
        to = ("--output", directory.root.parent / "page") if command == "report" else ()
        place = ("custom-command", "--state-dir", directory.root)
        code, said, mib = peak(COMMAND, command, *place, "--now-unix-ms", str(NOW_UNIX_MS), *to)
        assert mib < MOST_MIB, (command, said[-400:])
        found[command] = code, said
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("kind", "size", "seen", "commands"),
    [
        ("text", HUGE, None, ALL),
        ("escapes", 5 * MIB, None, ("inspect",)),
        ("numbers", 5 * MIB, None, ("inspect",)),
        ("digits", HUGE, "holds more than 10,000,000 values", ("inspect",)),
        ("arrays", 5 * MIB, None, ("inspect",)),
        ("objects", 5 * MIB, None, ("inspect",)),
        ("depth", HUGE, "nested too deeply", ("inspect",)),
        ("bytes", HUGE, "not UTF-8 text", ("inspect", "diagnose", "export")),
    ],
)
def test_nonsense_in_a_state(
    directory: StateDirectory, kind: str, size: int, seen: str | None, commands: tuple[str, ...]
) -> None:
    """A key that nobody knows may hold anything: what is JSON is passed over, the rest holds."""
    lines = directory.good(20)
    before = json.dumps(state_of(lines[-1])).encode()[:-1] + b',"unknown":'
    with_nonsense(directory.state, kind, size, before=before, after=b"}")
    code, said = ask(directory, *commands)["inspect"]
    assert (code, str(seen or "") in said) == (0 if seen is None else 5, True), said[-400:]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("kind", "size", "inner"),
    [
        ("text", HUGE, False),
        ("bytes", HUGE, True),
        ("arrays", 15 * MIB, True),
        ("bytes", 15 * MIB, False),
    ],
)
def test_nonsense_in_lines_of_a_log(
    directory: StateDirectory,
    kind: str,
    size: int,
    inner: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Wherever it is: a line is held one at a time, and of one that is too long the beginning."""
    lines = directory.good(20)
    whole = b"".join(lines)
    before = lines[-1][:-2] + b',"unknown":'
    with_nonsense(directory.log, kind, size, before=before, after=b"}\n")
    nonsense = directory.log.read_bytes()
    directory.log.write_bytes(
        b"".join([whole, *[nonsense] * (1 if size == HUGE else 3), *([whole] if inner else [])])
    )
    found = ask(directory, "inspect", "diagnose", "status")
    assert found["inspect"][0] == (0 if inner else 3)
    assert found["diagnose"][0] == 3
    is_refused = size == HUGE or kind == "bytes"
    assert ("invalid" in found["status"][1]) is is_refused


@pytest.mark.exhaustive
@pytest.mark.parametrize("line", [b"z\n", b"\n", b"\xff" * 4000 + b"\n"], ids=["z", "none", "long"])
def test_very_many_lines_that_tell_of_nothing(directory: StateDirectory, line: bytes) -> None:
    """They are counted, and the first is told."""
    lines = directory.good(20)
    count = min(HUGE // len(line), 100_000)
    directory.log.write_bytes(b"".join([*lines[:9], *[line] * count, *lines[9:]]))
    found = ask(directory, "inspect", "diagnose", "status")
    assert [code for code, _ in found.values()] == [0, 3, 0]
    assert f"{count} lines are invalid" in found["status"][1]
