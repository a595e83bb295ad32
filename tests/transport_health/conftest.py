"""What the tests of the inspector ask for by name."""

from pathlib import Path

import pytest

from tests.transport_health.running import Inspector
from tests.transport_health.state_files import StateDirectory


@pytest.fixture
def inspector(tmp_path: Path) -> Inspector:
    """Return the installed command, to be run in an empty folder."""
    return Inspector(tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> StateDirectory:
    """Return a state directory that does not exist yet."""
    return StateDirectory(tmp_path / "state")
