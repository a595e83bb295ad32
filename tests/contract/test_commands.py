"""The command lines of all three: every command is found, and a wrong word gets a suggestion."""

import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

PACKAGES = ("tau_custom_command", "tau_rollout_gate", "tau_transport_health")


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    """Return the import name of each package."""
    return str(request.param)


def app_of(package: str) -> typer.Typer:
    """Return the command line of a package."""
    app: typer.Typer = import_module(f"{package}.cli.app").app
    return app


def command_line(package: str) -> Any:  # noqa: ANN401 - typer gives it no public type
    """Return the same as the group of commands that typer makes of it."""
    return get_command(app_of(package))


def lazy_commands(group: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield the commands of a group and of the groups in it; nothing is imported for it."""
    for found in group.commands.values():
        if hasattr(found, "commands"):
            yield from lazy_commands(found)
        else:
            yield found


def test_every_command_is_there_and_every_module_is_one(package: str) -> None:
    """No command is forgotten, and none is listed that is not there."""
    commands = import_module(f"{package}.cli.commands")
    place = f"{commands.__name__}."
    found = pkgutil.walk_packages(commands.__path__, place)
    modules = {one.name.removeprefix(place) for one in found if not one.ispkg}
    assert {one.module for one in lazy_commands(command_line(package))} == modules


def test_help_knows_each_command_without_importing_it(package: str) -> None:
    """The list of commands imports none of them, and says of each what its own help says first."""
    listing = f"""
import sys
from {package}.cli.app import app
app(["--help"], standalone_mode=False)
sys.exit("\\n".join(name for name in sys.modules if name.startswith("{package}.cli.commands")))
"""
    done = subprocess.run(
        [sys.executable, "-c", listing], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "\n")
    for one in lazy_commands(command_line(package)):
        assert one.help == one.found().help.splitlines()[0]
        assert one.name == one.found().name


MEANS_SOMETHING_ELSE = {
    ("tau_custom_command", "approve", "--dry-run"),  # of an approval, not of a cycle
    ("tau_transport_health", "add", "--state-dir"),  # what is noted, not what is looked at
    ("tau_rollout_gate", "show", "--policy"),  # what is shown, or tried:
    ("tau_rollout_gate", "replay", "--policy"),  # never what judges the rollout
}
"""Options that are not the variable's, though another command has one of their name that is."""


def test_a_variable_is_read_by_every_command_that_has_its_option(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is called as the option is: who sets one for a shell means all that is typed there."""
    prefix = f"{package.upper()}_"
    own = {"--to": f"{prefix}SHIP_TO"}
    commands = [one.found() for one in lazy_commands(command_line(package))]
    named = {max(each.opts, key=len) for one in commands for each in one.params if each.envvar}
    assert len(named) >= 5
    without: set[tuple[str, str, str]] = set()
    for command in commands:
        context = command.context_class(command)
        for each in command.params:
            option = max(each.opts, key=len)
            if option not in named:
                continue
            if each.envvar is None:
                without.add((package, command.name, option))
                continue
            variable = prefix + option.strip("-").upper().replace("-", "_")
            assert each.envvar == own.get(option, variable)
            monkeypatch.setenv(each.envvar, "1")
            value, source = each.consume_value(context, {})
            assert (source.name, bool(value)) == ("ENVIRONMENT", True), (command.name, option)
    assert without == {one for one in MEANS_SOMETHING_ELSE if one[0] == package}


def test_a_path_that_may_not_be_read_is_no_wrong_usage(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the file says whose it is, and what to do: the words are right.

    The superuser, as whom the tests may run, has the right to read everything.
    """
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    checked = 0
    for one in lazy_commands(command_line(package)):
        for parameter in one.found().params:
            if parameter.type.name in {"path", "directory", "file"}:
                context = typer.Context(one.found())
                assert parameter.type.convert(str(tmp_path), parameter, context) is not None
                checked += 1
    assert checked


def test_a_wrong_word_is_told_with_what_was_meant(package: str) -> None:
    """A command or an option that is misspelt, in the words of every other error."""
    first = next(iter(command_line(package).commands))
    done = CliRunner().invoke(app_of(package), [first[:-1]])
    assert done.exit_code == 2
    assert "error: No such command" in done.stderr
    assert f"Did you mean {first!r}" in done.stderr
    done = CliRunner().invoke(app_of(package), ["--versoin"])
    assert done.exit_code == 2
    assert "error: No such option: --versoin" in done.stderr
    assert "--version" in done.stderr.splitlines()[-1]
