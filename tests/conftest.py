"""What holds for all tests."""

import os
import sys
from collections.abc import Generator

import pytest

from tests import forking


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Measure the processes that a test starts only where it is of what a terminal shows.

    A measured process takes twice as long to start, and there are very many. What the command line
    does is covered by the tests in `cli/` and `watch/`; what a room does, by those that call it.
    Exhaustive tests cover nothing that the others do not, and are not measured at all.
    """
    coverage = sys.modules.get("coverage")
    is_exhaustive = item.get_closest_marker("exhaustive") is not None
    paused = coverage.Coverage.current() if coverage and is_exhaustive else None
    if paused:
        paused.stop()
    is_measured = item.path.parent.name in {"cli", "watch"}
    names = [] if is_measured else [name for name in os.environ if name.startswith("COVERAGE_")]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        return (yield)
    finally:
        os.environ.update(kept)
        if paused:
            paused.start()


def pytest_sessionfinish() -> None:
    """End what commands were forked from, so that what was measured there is written."""
    forking.end()
