"""`report` as people call it: where the page goes, and what is refused."""

from pathlib import Path

import pytest

from tau_rollout_gate.files.record import load
from tests.rollout_gate.making import ENTERED, MINUTE, History
from tests.rollout_gate.recording import Gate

STATE_DIR = ".tau/custom-command"
AT = ("--now-unix-ms", str(ENTERED + MINUTE))


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Return the command in a folder with an open rollout."""
    gate = Gate(tmp_path)
    History().every(MINUTE, 1).write(tmp_path / STATE_DIR)
    gate.begin("--now-unix-ms", str(ENTERED))
    return gate


def test_it_exits_as_evaluate_does(gate: Gate) -> None:
    """The page is written all the same; nothing else is, and the name is told on stderr."""
    before = gate.contents()
    done = gate("report", *AT)
    assert (done.code, done.out, done.err) == (3, "", "wrote rollout-report.html\n")
    page = gate.contents().pop("rollout-report.html").decode()
    assert page.startswith("<!DOCTYPE html>")
    assert "HOLD: 1.4.0 stays in preflight (0 %)" in page
    (gate.folder / "rollout-report.html").unlink()
    assert gate.contents() == before
    assert gate("report", "--output", "-", *AT).out == page


def test_of_several_rollouts_it_is_about_the_last(gate: Gate) -> None:
    """The decisions of those before are in the history, not on the page."""
    assert gate("cancel", "--reason", "not this one", *AT).code == 0
    assert "not this one" in gate("report", "--output", "-", *AT).out
    gate.begin("--now-unix-ms", str(ENTERED + MINUTE))
    page = gate("report", "--output", "-", *AT).out
    assert "not this one" not in page
    assert f"decision {load(gate.root).decisions.count}, by" in page


def test_the_soak_s_restarts_are_on_it(gate: Gate) -> None:
    """A gap in the phase is told with its cycle, and shows that the evidence was looked at."""
    (gate.folder / "r.json").write_text('{"total": 3, "passed": 3, "failed": 0}')
    assert gate("advance", "--validation", "r.json", *AT).code == 0
    history = History().every(MINUTE, 1)
    history.every(MINUTE, 2, after=ENTERED + 60 * MINUTE).write(gate.folder / STATE_DIR)
    page = gate("report", "--output", "-", "--now-unix-ms", str(ENTERED + 62 * MINUTE)).out
    assert "custom-command restarted it" in page
    assert "a gap of 1 h without a cycle" in page
    assert "2 cycles: 2 healthy" in page


@pytest.mark.parametrize("name", ["real/page.html", f"{STATE_DIR}/page.html", b"\xff" * 300])
def test_what_cannot_be_written_is_told(gate: Gate, name: str | bytes) -> None:
    """Exit 5, where, and why; nothing is left behind."""
    (gate.folder / "real").write_text("no folder")
    before = gate.contents()
    done = gate("report", "--output", name, *AT)
    assert done.code == 5
    assert "page.html: " in done.err or "cannot be written: " in done.err
    assert gate.contents() == before
