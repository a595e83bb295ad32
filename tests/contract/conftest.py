"""What several of the contract's tests look at: a state directory with some history."""

from pathlib import Path

import pytest

from tests.contract.running import CONTRACTS, run_fixture


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state directory after six cycles: all good, mixed, drifted, with a backlog."""
    root = tmp_path_factory.mktemp("history") / "state"
    for name, options, wanted in (
        ("rollout-pass", [], 0),
        ("mixed-outcomes", [], 3),
        ("drift", [], 3),
        ("rollout-pass", ["--case-suffix=-again"], 0),
        ("bulk-1000", ["--queue-limit=300"], 0),
        ("rollout-pass", [], 0),
    ):
        ended, _ = run_fixture(CONTRACTS / f"{name}.json", root, *options)
        assert ended.exit_code == wanted, ended
    return root
