"""What holds for all tests."""

import os
import signal
import sys
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest

from tests import forking

UNMEASURED = ("exhaustive", "hypothesis", "unmeasured")
"""Marks of tests of very many inputs; hypothesis sets its own."""


OLDER_FILTERS = {
    "custom_command_contract": (
        "tests/contract",
        "tests/custom_command/contract",
        "tests/custom_command/fixture",
    ),
    "custom_command_runtime": (
        "tests/custom_command/cycle",
        "tests/custom_command/execution",
        "tests/custom_command/services",
        "tests/custom_command/storage",
    ),
}
"""Marks by which tests are chosen as with the older program, and the folders they are in."""

without_library: set[str] = set()
"""The tests and modules that were skipped for want of a library."""


def pytest_configure() -> None:
    """Have what tests start hear of SIGINT and SIGQUIT.

    A shell starts what it runs in the background with both ignored, and that passes on.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of a folder, so that no test has to say where it is."""

    @cache  # for each of thousands of tests it would take a second
    def marks(file: Path) -> list[str]:
        return [
            mark
            for mark, folders in OLDER_FILTERS.items()
            if any(file.is_relative_to(config.rootpath / folder) for folder in folders)
        ]

    for item in items:
        for mark in marks(item.path):
            item.add_marker(mark)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a module that is skipped."""
    note(report)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that is skipped."""
    note(report)


def note(report: pytest.CollectReport | pytest.TestReport) -> None:
    """Note what is skipped for want of a library, which an extra may bring."""
    if report.skipped and "could not import" in str(report.longrepr):
        without_library.add(report.nodeid)


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what commands were forked from, so that what was measured there is written.

    What was skipped for want of a library is written for scripts/check-wheel.sh, a line each.
    """
    forking.end()
    if not hasattr(session.config, "workerinput"):
        folder = session.config.cache.mkdir("without-library")
        folder.joinpath("tests").write_text("".join(f"{one}\n" for one in sorted(without_library)))
