"""What holds for all tests."""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Measure the processes that a test starts only where it is of a command line.

    A measured process takes twice as long to start, and there are very many. What the command line
    does is covered by the tests in `cli/`; what a room does, by the tests that call it themselves.
    """
    is_of_cli = item.path.parent.name == "cli"
    names = () if is_of_cli else tuple(name for name in os.environ if name.startswith("COVERAGE_"))
    kept = {name: os.environ.pop(name) for name in names}
    try:
        return (yield)
    finally:
        os.environ.update(kept)
