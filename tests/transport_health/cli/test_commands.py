"""The commands: a module each, all listed, each imported only when it is called."""

import re
import subprocess
import sys

import pytest

from tests.transport_health.running import Inspector, environment

PACKAGE = "tau_transport_health.cli.commands"
ABOUT_ALL = {"inspect", "export", "watch"}
ABOUT_ONE = {"status", "diagnose", "check", "report"}
CHANNELS = {f"channels {name}" for name in ("list", "show", "verify")}
WHERE = {"--state-dir", "--root", "--targets"}
JUDGED = WHERE | {"--max-age", "--now-unix-ms"}
OPTIONS = {
    "inspect": JUDGED | {"--all", "--json", "--format"},
    "status": JUDGED | {"--json", "--format"},
    "diagnose": JUDGED | {"--json", "--format"},
    "check": JUDGED | {"--warn-queue-depth", "--crit-queue-depth"},
    "export": JUDGED | {"--all", "--output"},
    "watch": JUDGED - {"--now-unix-ms"} | {"--all", "--interval"},
    "report": JUDGED | {"--output"},
    "channels list": WHERE | {"--json", "--format"},
    "channels show": WHERE | {"--json", "--format", "--last", "--context"},
    "channels verify": WHERE | {"--json", "--format"},
    "targets list": {"--json", "--format", "--root", "--targets"},
    "targets add": {"--label", "--root", "--state-dir", "--targets"},
    "targets remove": {"--root", "--targets"},
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


def test_a_command_says_what_it_does_whole_and_shows_an_example(inspector: Inspector) -> None:
    """In the list no summary is cut; on its own page each command has an example that it takes."""
    for folder in ((), ("targets",), ("channels",)):
        assert "..." not in inspector(*folder, "--help").out.partition("Commands:")[2]
    for command in OPTIONS:
        help_text = inspector(*command.split(), "--help", env={"COLUMNS": "80"}).out
        (example,) = re.findall(r"^  Example: (.+)$", help_text, re.MULTILINE)
        assert example.startswith(f"tau-transport-health {command}")
        if command != "watch":
            assert inspector(*example.split()[1:]).code != 2, example


@pytest.mark.unmeasured
@pytest.mark.parametrize("command", [name for name in OPTIONS if "--json" in OPTIONS[name]])
def test_json_is_asked_for_in_either_way(command: str, inspector: Inspector) -> None:
    """`--json` and `--format json` print the same; `--format text` is what is printed anyway."""
    directory = inspector.directory()
    directory.good()
    channel = directory.root / "channel-store/custom-command/registry"
    channel.mkdir(parents=True)
    target = [] if command == "targets list" else ["custom-command"]
    words = [*command.split(), *target, *(["registry"] if command == "channels show" else [])]
    as_json = inspector(*words, "--json")
    assert as_json.json() is not None
    assert inspector(*words, "--format", "json") == as_json
    assert inspector(*words, "--format", "text", "--json") == as_json
    text = inspector(*words)
    assert inspector(*words, "--format=text") == text != as_json


def completed(inspector: Inspector, *words: str) -> list[str]:
    """Return what the shell is told to complete the last word with."""
    done = inspector(
        env={
            "_TAU_TRANSPORT_HEALTH_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["tau-transport-health", *words]),
            "COMP_CWORD": str(len(words)),
        }
    )
    assert (done.code, done.err) == (0, "")
    return done.out.split()


def test_the_shell_completes_commands_targets_and_channels(inspector: Inspector) -> None:
    """Also those of a targets file; where something is wrong what is known, and never an error."""
    directory = inspector.directory()
    (directory.root / "channel-store/custom-command/greet").mkdir(parents=True)
    inspector("targets", "add", "mine", "--state-dir", "x")
    assert completed(inspector, "insp") == ["inspect"]
    assert completed(inspector, "channels", "ver") == ["verify"]
    assert completed(inspector, "inspect", "mu") == ["multi-agent", "multi-channel"]
    assert completed(inspector, "inspect", "mi") == ["mine"]
    assert completed(inspector, "channels", "show", "custom-command", "gr") == ["greet"]
    assert completed(inspector, "channels", "show", "voice", "") == []
    assert completed(inspector, "channels", "show", "nobody", "") == []
    (inspector.folder / ".tau/targets.toml").write_text("[[[")
    assert completed(inspector, "status", "v") == ["voice"]
    assert completed(inspector, "channels", "show", "mine", "gr") == []
    assert completed(inspector, "channels", "show", "custom-command", "gr") == ["greet"]


def test_a_call_imports_one_command() -> None:
    """Start-up counts: not the others, and nothing that only they need."""
    modules = imported("inspect", "voice", "--state-dir", "nowhere")
    commands = {name for name in modules if name.startswith(PACKAGE)}
    assert commands == {PACKAGE, f"{PACKAGE}.inspect"}


@pytest.mark.unmeasured
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
        "targets add": "{NAME}",
        "targets remove": "{NAME}",
    }.get(command)


@pytest.mark.parametrize(("typed", "meant"), [("inspekt", "inspect"), ("channels verfy", "verify")])
def test_a_misspelt_command_is_named(typed: str, meant: str, inspector: Inspector) -> None:
    """In either folder: what may have been meant."""
    done = inspector(*typed.split())
    assert done.code == 2
    assert f"Did you mean '{meant}'?" in done.err
