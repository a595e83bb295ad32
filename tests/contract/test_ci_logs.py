"""Text from files acts on no reader of a CI job's log, whichever command of the three prints it."""

import json
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.contract.ci_logs import MARKS, READERS, acted_on
from tests.contract.test_commands import PACKAGES, app_of

START_MS = 1_700_000_000_000
RUNTIME, GATE, INSPECTOR = PACKAGES


def test_every_reader_acts_on_a_mark_as_it_is() -> None:
    """The marks are of use: each system acts on one of them, and each of them acts on one."""
    assert {name for mark in MARKS for name, _ in acted_on(mark)} == set(READERS)
    assert all(map(acted_on, MARKS))


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_printed_so_that_nobody_acts_on_it(package: str, mark: str) -> None:
    """At the start of a line, behind blanks and words, twice, and as JSON, which says the same."""
    module = import_module(f"{package}.printable")
    for text in (mark, f" {mark}", f"case {mark}", f"{mark} {mark}"):
        shown = module.printable(text)
        # It may be wrapped at any blank.
        assert not acted_on(shown)
        assert not acted_on(shown.replace(" ", "\n"))
        assert module.printable(shown) == shown
        document = module.harmless(json.dumps({text: [text]}, indent=2))
        assert not acted_on(document.replace("\x7f", ""))
        assert json.loads(document) == {text: [text]}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_only_looks_like_a_mark_stays_as_it_is(package: str) -> None:
    """Paths, times, options and Markdown can be copied from what is printed."""
    module = import_module(f"{package}.printable")
    for text in ("std::string a::b", "#[x] # [x]", "--flag -- ---x a---", "section_start", "12:00"):
        assert module.printable(text) == module.harmless(text) == text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a rollout in its canary, whose cycle had cases of hostile names."""
    root = tmp_path_factory.mktemp("hostile")
    cases = [
        {
            "case_id": f"{mark} {number}",
            "operation": "LIST",
            "command_name": "",
            "expected": {"outcome": "success", "status_code": 299},
        }
        for number, mark in enumerate(MARKS)
    ]
    cases += [
        {
            "case_id": f"{number} {mark}",
            "operation": "CREATE",
            "command_name": "probe",
            "template": mark + "x" * 90_000,
            "arguments": {"x": mark},
        }
        for number, mark in enumerate(MARKS)
    ]
    fixture = {"schema_version": 1, "name": " ".join(MARKS), "description": "x", "cases": cases}
    (root / "fixture.json").write_text(json.dumps(fixture))
    (root / "broken.json").write_text(json.dumps(fixture).replace("299", "0"))
    (root / "report.json").write_text(json.dumps({"total": 1, "passed": 1, "failed": 0}))
    said(RUNTIME, "run", root / "fixture.json", *at(root, "state", -1))
    opened = ("--release", "1.4.0", "--rollback-to", "1.3.2", "--by", " ".join(MARKS[:3]))
    said(GATE, "start", *opened, "--surface", f"custom-command={root / 'state'}", *gate(root, 0))
    said(GATE, "advance", "--validation", root / "report.json", *gate(root, 1))
    said(RUNTIME, "run", root / "fixture.json", "--fresh", *at(root, "state", 2))
    return root


def at(root: Path, state: str, minute: int) -> tuple[str, ...]:
    """Return the options of the runtime that say where and when."""
    return ("--state-dir", str(root / state), "--now-unix-ms", str(START_MS + minute * 60_000))


def gate(root: Path, minute: int) -> tuple[str, ...]:
    """Return the same of the gate."""
    return ("--rollout-dir", str(root / "ro"), "--now-unix-ms", str(START_MS + minute * 60_000))


def said(package: str, *words: str | Path) -> str:
    """Return what a command says, on both streams."""
    done = CliRunner().invoke(app_of(package), [*map(str, words)], catch_exceptions=False)
    return done.output


COMMANDS = {
    "validate": (RUNTIME, "validate {}/broken.json"),
    "validate --json": (RUNTIME, "validate {}/broken.json --json"),
    "registry list": (RUNTIME, "registry list --state-dir {}/state"),
    "registry show": (RUNTIME, "registry show probe --state-dir {}/state"),
    "inspect": (INSPECTOR, "inspect custom-command --state-dir {}/state"),
    "status": (INSPECTOR, "status custom-command --state-dir {}/state --json"),
    "diagnose": (INSPECTOR, "diagnose custom-command --state-dir {}/state"),
    "diagnose --json": (INSPECTOR, "diagnose custom-command --state-dir {}/state --json"),
    "check": (INSPECTOR, "check custom-command --state-dir {}/state"),
    "export": (INSPECTOR, "export custom-command --state-dir {}/state"),
    "channels list": (INSPECTOR, "channels list custom-command --state-dir {}/state"),
    "channels show": (INSPECTOR, "channels show custom-command probe --state-dir {}/state"),
    "channels show --json": (
        INSPECTOR,
        "channels show custom-command probe --state-dir {}/state --json",
    ),
    "channels verify": (INSPECTOR, "channels verify custom-command --state-dir {}/state"),
    "evaluate": (GATE, "evaluate --rollout-dir {}/ro"),
    "evaluate --format json": (GATE, "evaluate --rollout-dir {}/ro --format json"),
    "evaluate --format junit": (GATE, "evaluate --rollout-dir {}/ro --format junit"),
    "evaluate --format markdown": (GATE, "evaluate --rollout-dir {}/ro --format markdown"),
    "evaluate --format openmetrics": (GATE, "evaluate --rollout-dir {}/ro --format openmetrics"),
    "explain": (GATE, "explain --rollout-dir {}/ro"),
    "status of the rollout": (GATE, "status --rollout-dir {}/ro"),
    "history": (GATE, "history --rollout-dir {}/ro"),
    "history --json": (GATE, "history --rollout-dir {}/ro --json"),
    "replay": (GATE, "replay --events {}/state/runtime-events.jsonl"),
    "no such file": (GATE, "replay --events {}/::x::"),
    "no such command": (RUNTIME, "##[error]"),
    "no such target": (INSPECTOR, "inspect ::x::y"),
}
"""Commands that print text from files or from the command line; `{}` is the folder."""


@pytest.mark.parametrize(("package", "words"), COMMANDS.values(), ids=COMMANDS)
def test_no_command_prints_what_acts(place: Path, package: str, words: str) -> None:
    """Case ids, names, templates, arguments: a log stays a log, of lines that can be read."""
    printed = said(package, *words.format(place).split(" "))
    assert printed
    assert not acted_on(printed)
    assert max(map(len, printed.splitlines())) < 5_200


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
def test_a_run_prints_nothing_that_acts(place: Path, as_json: tuple[str, ...]) -> None:
    """Neither the cases that drifted nor the warnings about their order."""
    where = at(place, f"other{len(as_json)}", 0)
    printed = said(RUNTIME, "run", place / "fixture.json", *where, *as_json)
    assert "drifted" in printed
    assert not acted_on(printed)
