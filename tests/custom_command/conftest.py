"""What the tests of the command runtime ask for by name."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.custom_command.running import Command, Runtime
from tests.custom_command.scenarios import Scenarios
from tests.custom_command.tracing import Forks


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """Return the runner with an empty state directory and a clock that stands."""
    return Runtime(tmp_path)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return the installed command, to be run in an empty folder."""
    return Command(tmp_path)


@pytest.fixture(scope="session")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenarios]:
    """Return this process's scenarios for crash tests."""
    forks = Forks()
    yield Scenarios(tmp_path_factory.mktemp("scenarios"), forks)
    forks.close()


@pytest.fixture
def workspace() -> Iterator[Path]:
    """A folder that everybody may write in, below folders that everybody may pass."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        path = Path(name)
        path.chmod(0o777)
        yield path
