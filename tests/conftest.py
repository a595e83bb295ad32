"""What holds for all tests."""

import os
from collections.abc import Generator

import pytest

from tests import forking


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Measure the processes that a test starts only where it is of what a terminal shows.

    A measured process takes twice as long to start, and there are very many. What the command line
    does is covered by the tests in `cli/` and `watch/`; what a room does, by those that call it.
    """
    is_measured = item.path.parent.name in {"cli", "watch"}
    names = [] if is_measured else [name for name in os.environ if name.startswith("COVERAGE_")]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        return (yield)
    finally:
        os.environ.update(kept)


def pytest_sessionfinish() -> None:
    """End what commands were forked from, so that what was measured there is written."""
    forking.end()
