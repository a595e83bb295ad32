"""What the tests of the command runtime ask for by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.custom_command.running import Command, Runtime


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """Return the runner with an empty state directory and a clock that stands."""
    return Runtime(tmp_path)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return the installed command, to be run in an empty folder."""
    return Command(tmp_path)
