"""The packages share no code: where they hold the same module, the copies are the same file."""

from pathlib import Path

import pytest

from tests.contract.running import ROOT

COPIES = (
    "printable.py",
    "contract/schema_version.py",
    "contract/strict_json.py",
    "cli/border.py",
    "cli/ending.py",
    "cli/lazy_group.py",
    "cli/main.py",
    "cli/program.py",
)

OF_TWO = (
    "counted.py",
    "contract/json_text.py",
    "contract/long_json.py",
    "contract/small_toml.py",
    "files/output.py",
    "files/owner.py",
    "files/signals.py",
    "watch/keyboard.py",
)

IN_OTHER_ROOMS = ("bucket.py", "bucket_errors.py", "location.py")
"""What the runtime's `shipping` and the gate's `files/stores` both have."""


@pytest.mark.parametrize("module", [*COPIES, *OF_TWO])
def test_the_copies_are_the_same_to_the_byte(module: str) -> None:
    """A rule that is mended in one package is mended in all."""
    copies = sorted(Path(ROOT, "packages").glob(f"*/src/*/{module}"))
    assert len(copies) == (2 if module in OF_TWO else 3)
    assert len({copy.read_bytes() for copy in copies}) == 1


@pytest.mark.parametrize("module", IN_OTHER_ROOMS)
def test_the_copies_in_other_rooms_are_the_same_to_the_byte(module: str) -> None:
    """As above."""
    rooms = ("tau_custom_command/shipping", "tau_rollout_gate/files/stores")
    first, second = (next(Path(ROOT, "packages").glob(f"*/src/{one}/{module}")) for one in rooms)
    assert first.read_bytes() == second.read_bytes()
