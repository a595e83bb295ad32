"""What all commands have in common: one spelling of the format, text that is text, help to copy."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tau_rollout_gate.files.record import load
from tests.rollout_gate.making import ENTERED, History
from tests.rollout_gate.recording import COMMAND, Gate, environment

ANSWERING = [
    ["evaluate"],
    ["explain"],
    ["advance"],
    ["status"],
    ["history"],
    ["verify"],
    ["replay", "--events", "log.jsonl"],
    ["policy", "lint", "p.toml"],
    ["policy", "test", "cases.toml"],
    ["signoff", "verify"],
]
COMMANDS = [
    *ANSWERING,
    *(["start"], ["freeze"], ["resume"], ["reenter"], ["rollback"]),
    *(["policy", "show"], ["policy", "init"], ["policy", "adopt"], ["signoff", "init"]),
]
CASES = 'policy = "built-in"\n[[cases]]\nname = "x"\nexpect = { verdict = "hold" }\n'


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Return the command in a folder with a rollout, a policy, its tests and a log."""
    gate = Gate(tmp_path)
    gate.begin()
    assert gate("policy", "init", "p.toml").code == 0
    assert gate("signoff", "init").code == 0
    (tmp_path / "log.jsonl").write_bytes(b"".join(History().every(60_000, 2).lines))
    (tmp_path / "cases.toml").write_text(CASES)
    return gate


@pytest.mark.parametrize("command", ANSWERING, ids=" ".join)
def test_json_has_two_spellings(gate: Gate, command: list[str]) -> None:
    """`--json` and `--format json` print the same JSON, and nothing else on stdout."""
    at = {"TAU_ROLLOUT_GATE_NOW_UNIX_MS": str(2**42)}
    gate(*command, env=at)  # what `advance` records is news but once
    short, long = gate(*command, "--json", env=at), gate(*command, "--format", "json", env=at)
    assert (short.code, short.out) == (long.code, long.out)
    assert json.loads(short.out)["schema_version"] == 1


def test_two_formats_at_once_are_refused(gate: Gate) -> None:
    """Neither is chosen for you."""
    done = gate("evaluate", "--json", "--format", "junit")
    assert (done.code, done.out) == (2, "")
    assert "--json and --format junit exclude each other" in done.err


@pytest.mark.parametrize("option", ["--validation", "--signoff", "--surface", "--policy"])
def test_names_that_no_record_can_hold_are_refused(gate: Gate, option: str) -> None:
    """A name of bytes that are no text: exit 2 by the option's name, and nothing is written."""
    before = gate.contents()
    done = gate("advance", option, b"\xff")
    assert done.code == 2
    assert f"{option}: is not UTF-8 text" in done.err
    assert gate.contents() == before


@pytest.mark.parametrize("command", ["history", "verify"])
def test_an_option_that_would_say_nothing_is_no_option(gate: Gate, command: str) -> None:
    """What does not depend on the time does not take one."""
    assert gate(command, "--now-unix-ms", "1").code == 2


@pytest.mark.parametrize("by_option", [True, False])
@pytest.mark.parametrize("command", ["status", "evaluate", "explain", "advance"])
def test_a_pinned_clock_is_told(gate: Gate, command: str, *, by_option: bool) -> None:
    """An environment that still pins the time of a test must not pass for the real one."""
    at = str(ENTERED)
    pinned = ("--now-unix-ms", at) if by_option else ()
    env = {} if by_option else {"TAU_ROLLOUT_GATE_NOW_UNIX_MS": at}
    words = f"the clock is pinned at {at} by --now-unix-ms or TAU_ROLLOUT_GATE_NOW_UNIX_MS"
    told = gate(command, *pinned, env=env)
    assert words in " ".join(told.out.split())
    assert "the clock is pinned" not in gate(command).out
    if command != "explain":
        assert words in json.loads(gate(command, "--json", *pinned, env=env).out)["warnings"]


def test_advance_says_what_it_wrote(gate: Gate) -> None:
    """On stderr, since stdout is the answer; where nothing was written, nothing is said."""
    first, again = gate("advance", "--by", "ci"), gate("advance", "--by", "ci")
    token = load(gate.root).decisions.token
    assert first.err == f"recorded hold: 1.4.0 in preflight (decision {token}, by ci)\n"
    assert again.err == ""
    assert load(gate.root).decisions.count == 2


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_can_be_copied(gate: Gate, command: list[str]) -> None:
    """An example that starts this command, and metavars of one style."""
    words = [word for word in command[:2] if word.isalpha() and word != "replay"] or ["replay"]
    shown = gate(*words, "--help").out
    assert f"Example: tau-rollout-gate {' '.join(words)}" in shown
    metavars = re.findall(r"^  --[a-z-]+ (\S+)", shown, re.MULTILINE)
    assert [one for one in metavars if one != one.upper()] == []


def test_no_summary_is_cut(gate: Gate) -> None:
    """The lists of commands say each in a whole sentence."""
    for group in ([], ["policy"], ["signoff"]):
        listed = gate(*group, "--help").out.partition("Commands:")[2].partition("\n\n")[0]
        assert listed
        assert "..." not in listed


@pytest.mark.parametrize(("words", "found"), [("", True), ("--rollout-dir nowhere ", False)])
def test_surfaces_are_completed(gate: Gate, words: str, *, found: bool) -> None:
    """By those of the rollout; where there is none, by nothing, and without an error."""
    line = f"tau-rollout-gate evaluate {words}--surface "
    done = subprocess.run(
        [COMMAND],
        cwd=gate.folder,
        env=environment()
        | {
            "_TAU_ROLLOUT_GATE_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split())),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert (f"custom-command={gate.folder}/.tau/custom-command" in done.stdout) is found
