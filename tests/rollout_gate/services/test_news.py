"""Whether an answer is news: people are told once, however often a timer asks."""

import json
from pathlib import Path

from tests.rollout_gate.making import ENTERED, MINUTE, History, failed
from tests.rollout_gate.recording import Gate


def changed(gate: Gate, command: str, now: int, *arguments: str) -> bool:
    """Return whether the answer of a command at a time is news."""
    done = gate(command, *arguments, "--json", "--now-unix-ms", str(now))
    found: bool = json.loads(done.out)["changed"]
    return found


def test_a_hold_is_news_until_it_is_recorded(tmp_path: Path) -> None:
    """And again when another cause, phase or verdict comes; a closed rollout has none."""
    gate, history = Gate(tmp_path), History()
    report = {"schema_version": 1, "total": 3, "passed": 3, "failed": 0}
    (tmp_path / "report.json").write_text(json.dumps(report))
    gate.begin("--now-unix-ms", str(ENTERED - MINUTE))
    assert changed(gate, "advance", ENTERED, "--validation", "report.json")
    history.every(5 * MINUTE, 3).write(tmp_path / ".tau/custom-command")
    now = ENTERED + 16 * MINUTE
    assert changed(gate, "evaluate", now)
    assert changed(gate, "explain", now)
    assert changed(gate, "advance", now)  # the soak alone: recorded as what holds now
    assert not changed(gate, "advance", now)
    assert not changed(gate, "evaluate", now)
    told = gate("explain", "--now-unix-ms", str(now))
    assert "Nothing has changed since the last recorded decision." in " ".join(told.out.split())
    assert changed(gate, "evaluate", ENTERED + 60 * MINUTE)  # no cycle since: another cause
    history.add(ENTERED + 20 * MINUTE, **failed(streak=1)).write(tmp_path / ".tau/custom-command")
    now = ENTERED + 21 * MINUTE
    assert changed(gate, "advance", now)
    assert not changed(gate, "advance", now)
    assert gate("rollback", "--reason", "r", "--now-unix-ms", str(now)).code == 0
    assert not changed(gate, "evaluate", now)
