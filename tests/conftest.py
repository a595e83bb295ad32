"""What holds for all tests."""

import os
import sys
from collections.abc import Generator

import pytest

from tests import forking

UNMEASURED = ("exhaustive", "hypothesis", "unmeasured")
"""Marks of tests of very many inputs; hypothesis sets its own."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Measure the processes that a test starts only where it is of what a terminal shows.

    A measured process takes twice as long to start, and there are very many. What the command line
    does is covered by the tests in `cli/` and `watch/`; what a room does, by those that call it.
    Tests of very many inputs cover nothing that the others do not, and are not measured at all:
    each branch has an example that was written for it, and none is met by chance.
    """
    coverage = sys.modules.get("coverage")
    is_measured = not any(item.get_closest_marker(name) for name in UNMEASURED)
    paused = None if is_measured or not coverage else coverage.Coverage.current()
    if paused:
        paused.stop()
    is_shown = is_measured and item.path.parent.name in {"cli", "watch"}
    names = [] if is_shown else [name for name in os.environ if name.startswith("COVERAGE_")]
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
