"""Memory is bounded by what is needed, not by what stands in the files of a surface."""

import json
import sys
from pathlib import Path

import pytest

from tests.hostile import MIB, MOST_MIB, peak, with_nonsense
from tests.rollout_gate.making import MINUTE, History

COMMAND = Path(sys.executable).parent / "tau-rollout-gate"
HUGE = 100 * MIB
BEGUN = 1_767_225_600_000
NOW = BEGUN + 31 * MINUTE


class Surface:
    """A surface of a rollout in canary-1: ten cycles from before it, and twenty since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state/state.json"
        self.log = folder / "state/runtime-events.jsonl"
        self.history = History().every(MINUTE, 10, after=BEGUN)
        self.history.write(folder / "state")
        (folder / "report.json").write_text('{"total": 1, "passed": 1, "failed": 0}')
        place = ("--surface", f"custom-command={folder / 'state'}")
        start = ("start", "--release", "1.4.0", "--rollback-to", "1.3.2", *place)
        assert self.ask(*start, now=BEGUN + 10 * MINUTE)[0] == 0
        report = ("--validation", str(folder / "report.json"))
        assert self.ask("advance", *report, now=BEGUN + 10 * MINUTE + 1)[0] == 0
        self.history.every(MINUTE, 20, after=BEGUN + 10 * MINUTE)
        self.history.write(folder / "state")

    def ask(self, *words: str, now: int = NOW) -> tuple[int, str]:
        """Ask the gate, which must not take much memory; return its exit code and answer."""
        options = ("--rollout-dir", self.folder / "rollout", "--now-unix-ms", str(now))
        code, said, mib = peak(COMMAND, *words, *options)
        assert mib < MOST_MIB, said[-400:]
        return code, said

    def holding(self) -> dict[str, str]:
        """Return the gates of the files that do not pass, each with what was seen."""
        code, said = self.ask("evaluate", "--format", "json")
        assert code == 3, said[-400:]
        of_files = ("state_valid", "files_present", "lines_valid", "segments_present")
        gates = json.loads(said)["gates"]
        return {
            gate["name"]: gate["observed"]
            for gate in gates
            if gate["status"] != "pass" and gate["name"] in of_files
        }


@pytest.fixture
def surface(tmp_path: Path) -> Surface:
    """Return a surface."""
    return Surface(tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("kind", "size", "seen"),
    [
        ("text", HUGE, None),
        ("escapes", 5 * MIB, None),
        ("numbers", 5 * MIB, None),
        ("digits", HUGE, "holds more than 10,000,000 values"),
        ("arrays", 5 * MIB, None),
        ("objects", 5 * MIB, None),
        ("depth", HUGE, "nested too deeply"),
        ("bytes", HUGE, "not UTF-8 text"),
    ],
)
def test_nonsense_in_a_state(surface: Surface, kind: str, size: int, seen: str | None) -> None:
    """A key that nobody knows may hold anything: what is JSON is passed over, the rest holds."""
    before = json.dumps(surface.history.state()).encode()[:-1] + b',"unknown":'
    with_nonsense(surface.state, kind, size, before=before, after=b"}")
    found = surface.holding()
    assert set(found) == (set() if seen is None else {"state_valid"})
    assert str(seen or "") in found.get("state_valid", "")


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("text", HUGE, {"segments_present": "longer than 16 MiB"}),
        ("bytes", HUGE, {"segments_present": "longer than 16 MiB"}),
        ("arrays", 15 * MIB, {}),
        ("bytes", 15 * MIB, {"lines_valid": "not UTF-8 text"}),
    ],
)
def test_nonsense_in_lines_of_a_log(
    surface: Surface, kind: str, size: int, expected: dict[str, str]
) -> None:
    """A line that is too long ends what is read; of others what decides is kept, one by one."""
    before = surface.history.lines[-1][:-2] + b',"unknown":'
    whole = surface.log.read_bytes()
    with_nonsense(surface.log, kind, size, before=whole + before, after=b"}\n")
    if size < HUGE:
        nonsense = surface.log.read_bytes()[len(whole) :]
        surface.log.write_bytes(whole + 2 * nonsense)
    found = surface.holding()
    assert set(found) == set(expected)
    for name, words in expected.items():
        assert words in found[name]
    assert surface.ask("explain")[0] == 3
    assert surface.ask("status")[0] == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("line", "count", "expected"),
    [
        (b"z", 530_000, {"segments_present": "the evidence starts before the last 256 MiB"}),
        (b"\xff" * 4000, 5_000, {"lines_valid": "(and 4999 more)"}),
    ],
    ids=["short", "long"],
)
def test_very_many_lines_that_tell_of_nothing(
    surface: Surface, line: bytes, count: int, expected: dict[str, str]
) -> None:
    """They are counted, or there are more than are read."""
    lines = surface.history.lines
    surface.log.write_bytes(b"".join([*lines[:15], *[line + b"\n"] * count, *lines[15:]]))
    found = surface.holding()
    for name, words in expected.items():
        assert words in found[name]
