"""What is asked in plain words is answered before the command line is imported, with its words."""

from pathlib import Path

import pytest

from tau_rollout_gate.cli.plain import plain_answer
from tests.rollout_gate.making import ENTERED, MINUTE, History, failed
from tests.rollout_gate.recording import Gate

STATE_DIR = ".tau/custom-command"
NOW = str(ENTERED + 41 * MINUTE)
POLICY = """\
schema_version = 1
name = "small"
cycle_interval = "5m"
[[phases]]
name = "preflight"
canary_percent = 0
soak = "0s"
gates = [{ kind = "target_recorded", name = "target" }]
[[phases]]
name = "canary-1"
canary_percent = 5
soak = "30m"
gates = [{ kind = "signal", name = "depth", signal = "queue_depth", at_most = 1 }]
[[triggers]]
kind = "signal"
name = "streak"
signal = "failure_streak"
at_least = 1
action = "roll back"
"""
PLAIN = (
    "evaluate",
    "evaluate --json",
    "evaluate --rollout-dir .tau/rollout/custom-command --json",
    f"evaluate --surface custom-command={STATE_DIR}",
    "evaluate --json --policy p.toml",
)
NOT_PLAIN = (
    "",
    "explain --json",
    "evaluate --help",
    "evaluate --json --json",
    "evaluate --jso",
    "evaluate --format json",
    "evaluate --rollout-dir",
    "evaluate --rollout-dir --json",
    "evaluate --rollout-dir=.tau/rollout/custom-command",
    "evaluate --rollout-dir nowhere",
    "evaluate --surface voice=x",
    "evaluate --surface custom-command",
    "evaluate --policy nowhere.toml",
    "evaluate --now-unix-ms x",
    f"evaluate --now-unix-ms {2**63}",
    "evaluate --validation nowhere.json",
    "evaluate custom-command",
)


@pytest.fixture(name="gate")
def _gate(tmp_path: Path) -> Gate:
    """Return the command in a folder."""
    return Gate(tmp_path)


@pytest.fixture(name="history")
def _history(gate: Gate) -> History:
    """Open a rollout in its canary phase, and give its log, in which nothing happened since."""
    history = History().add(ENTERED)
    history.write(gate.folder / STATE_DIR)
    (gate.folder / "p.toml").write_text(POLICY)
    gate.begin("--policy", "p.toml", "--now-unix-ms", str(ENTERED))
    assert gate("advance", "--now-unix-ms", str(ENTERED)).code == 0
    return history


@pytest.mark.parametrize("words", PLAIN)
@pytest.mark.parametrize("is_bad", [False, True])
def test_plain_words_have_the_command_lines_answer(
    gate: Gate, history: History, words: str, monkeypatch: pytest.MonkeyPatch, *, is_bad: bool
) -> None:
    """The same text and exit code: hold without a cycle, then promote or rollback."""
    monkeypatch.chdir(gate.folder)
    codes = set()
    for _ in range(2):
        asked = [*words.split(), "--now-unix-ms", NOW]
        answer = plain_answer(asked)
        assert answer is not None
        done = gate(*asked)
        assert (done.out, done.code, done.err) == (f"{answer[0]}\n", answer[1], "")
        assert gate.process(*asked) == done
        codes.add(answer[1])
        history.every(5 * MINUTE, 8, after=ENTERED, **(failed(streak=1) if is_bad else {}))
        history.write(gate.folder / STATE_DIR)
    assert codes == {3, 4 if is_bad else 0}


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("words", NOT_PLAIN)
def test_other_words_are_left_to_the_command_line(
    gate: Gate, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong or seldom is told there, as before."""
    monkeypatch.chdir(gate.folder)
    assert plain_answer(words.split()) is None


@pytest.mark.usefixtures("history")
def test_variables_are_left_to_the_command_line(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say what the words leave out."""
    monkeypatch.chdir(gate.folder)
    assert plain_answer(["evaluate"])
    monkeypatch.setenv("TAU_ROLLOUT_GATE_ROLLOUT_DIR", "elsewhere")
    assert plain_answer(["evaluate"]) is None
