"""The commands: a module each, all listed, each imported only when it is called."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.transport_health.running import Inspector, environment

PACKAGE = "tau_transport_health.cli.commands"
HEAVY = {"jinja2", "msgspec", "pydantic", "rich", "tomli_w"}
ABOUT_ALL = {"inspect", "export", "watch"}
ABOUT_ONE = {"status", "diagnose", "check", "report"}
CHANNELS = {f"channels {name}" for name in ("list", "show", "verify")}
WHERE = {"--state-dir", "--root", "--targets"}
JUDGED = WHERE | {"--max-age", "--now-unix-ms"}
OPTIONS = {
    "inspect": JUDGED | {"--all", "--json"},
    "status": JUDGED | {"--json"},
    "diagnose": JUDGED | {"--json"},
    "check": JUDGED,
    "export": JUDGED | {"--all", "--output"},
    "watch": JUDGED - {"--now-unix-ms"} | {"--all", "--interval"},
    "report": JUDGED | {"--output"},
    "channels list": WHERE | {"--json"},
    "channels show": WHERE | {"--json", "--last"},
    "channels verify": WHERE | {"--json"},
    "targets list": {"--json", "--root", "--targets"},
    "targets add": {"--label", "--state-dir", "--targets"},
}


PROGRAM = """
import atexit, sys
atexit.register(lambda: sys.stderr.write(chr(10) + " ".join(sys.modules)))
from tau_transport_health.cli.main import main
main()
"""


def imported(*arguments: str) -> set[str]:
    """Return the modules that are imported when a call ends."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    return set(done.stderr.splitlines()[-1].split())


def test_a_call_imports_one_command() -> None:
    """Start-up counts: not the others, and nothing that only they need."""
    modules = imported("inspect", "voice", "--state-dir", "nowhere")
    commands = {name for name in modules if name.startswith(PACKAGE)}
    assert commands == {PACKAGE, f"{PACKAGE}.inspect"}


def test_help_imports_nothing_heavy() -> None:
    """The list of commands imports them all, but not what they are slow for."""
    modules = imported("--help")
    assert {f"{PACKAGE}.{name}" for name in ("watch", "report", "status")} <= modules
    assert not {name.partition(".")[0] for name in modules} & HEAVY


@pytest.mark.parametrize("command", OPTIONS)
def test_a_command_has_the_options_that_mean_something_to_it(
    command: str, inspector: Inspector
) -> None:
    """The common ones, its own, and no others; the target first, if there is one to name."""
    help_text = inspector(*command.split(), "--help").out
    options = {word for line in help_text.splitlines() for word in line.split()[:1]}
    found = {word for word in options if word.startswith("--")} - {"--help"}
    assert found == OPTIONS[command]
    usage = help_text.splitlines()[0].partition("[OPTIONS] ")[2]
    assert usage == {
        **dict.fromkeys(ABOUT_ALL, "[TARGET]"),
        **dict.fromkeys(ABOUT_ONE | CHANNELS, "{TARGET}"),
        "channels show": "{TARGET} {CHANNEL}",
        "channels verify": "{TARGET} [CHANNEL]",
        "targets list": "",
        "targets add": "{name}",
    }.get(command)


@pytest.mark.parametrize(("typed", "meant"), [("inspekt", "inspect"), ("channels verfy", "verify")])
def test_a_misspelt_command_is_named(typed: str, meant: str, inspector: Inspector) -> None:
    """In either folder: what may have been meant."""
    done = inspector(*typed.split())
    assert done.code == 2
    assert f"Did you mean '{meant}'?" in done.err
