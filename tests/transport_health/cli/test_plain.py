"""What is asked in plain words is answered before the command line is imported, with its words."""

import json

import pytest

from tau_transport_health.cli.plain import plain_answer
from tests.transport_health.running import Inspector
from tests.transport_health.state_files import NOW_UNIX_MS, chain, failed, state_of

NOW = ("--now-unix-ms", str(NOW_UNIX_MS + 5))
PLAIN = (
    "inspect custom-command",
    "inspect --json custom-command",
    "inspect custom-command --json --max-age none",
    "inspect custom-command --state-dir .tau/custom-command --max-age 2d",
    "inspect voice --root .tau --json",
    "check custom-command",
    "check voice",
    "check --max-age 4ms custom-command",
    "check custom-command --root .tau --warn-queue-depth 0 --crit-queue-depth 5",
    "check custom-command --crit-queue-depth 0",
)
NOT_PLAIN = (
    "",
    "status custom-command",
    "inspect",
    "inspect --all",
    "inspect nope",
    "inspect custom-command voice",
    "inspect custom-command --jso",
    "inspect custom-command --json --json",
    "inspect custom-command --format json",
    "inspect custom-command --root=.tau",
    "inspect custom-command --root",
    "inspect custom-command --root --json",
    "inspect custom-command --max-age 5",
    "inspect custom-command --warn-queue-depth 1",
    "check custom-command --warn-queue-depth x",
    "check custom-command --json",
    "check --help",
    "check -h custom-command",
)


def write_targets(inspector: Inspector) -> None:
    """Write a target that degraded a moment ago, and one that is broken."""
    *first, last = chain(3, **failed(streak=1), backlog_cases=3)
    inspector.directory().write(state_of(last), [*first, last])
    inspector.directory("voice").write(b"{", None)


@pytest.mark.parametrize("words", PLAIN)
def test_plain_words_have_the_command_lines_answer(
    inspector: Inspector, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same text and exit code, whether a state is good, bad or none."""
    write_targets(inspector)
    monkeypatch.chdir(inspector.folder)
    answer = plain_answer([*words.split(), *NOW])
    assert answer is not None
    done = inspector(*words.split(), now_unix_ms=int(NOW[1]))  # by a variable: not plain
    assert (done.out, done.code, done.err) == (f"{answer[0]}\n", answer[1], "")
    assert inspector(*words.split(), *NOW, now_unix_ms=None) == done


@pytest.mark.parametrize("words", NOT_PLAIN)
def test_other_words_are_left_to_the_command_line(
    inspector: Inspector, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong or seldom is told there, as before."""
    write_targets(inspector)
    monkeypatch.chdir(inspector.folder)
    assert plain_answer(words.split()) is None
    assert inspector(*words.split(), now_unix_ms=None).code == inspector(*words.split()).code


def test_variables_are_left_to_the_command_line(
    inspector: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say what the words leave out."""
    write_targets(inspector)
    monkeypatch.chdir(inspector.folder)
    assert plain_answer(["check", "custom-command"])
    monkeypatch.setenv("TAU_TRANSPORT_HEALTH_ROOT", "elsewhere")
    assert plain_answer(["check", "custom-command"]) is None
    done = inspector("inspect", "custom-command", "--json", env={"TAU_TRANSPORT_HEALTH_ROOT": "x"})
    assert json.loads(done.out)[0]["state_path"] == "x/custom-command/state.json"
