"""The packages share no code: where they hold the same module, the copies are the same file."""

from pathlib import Path

import pytest

from tests.contract.running import ROOT

COPIES = (
    "printable.py",
    "contract/strict_json.py",
    "cli/border.py",
    "cli/lazy_group.py",
    "cli/main.py",
)


@pytest.mark.parametrize("module", COPIES)
def test_the_copies_are_the_same_to_the_byte(module: str) -> None:
    """A rule that is mended in one package is mended in all."""
    packages = sorted(Path(ROOT, "packages").glob("*/src/*/"))
    assert len(packages) == 3
    assert len({(package / module).read_bytes() for package in packages}) == 1
