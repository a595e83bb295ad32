"""The cases of a run: each from a seed and a number, so that it can be had again by itself."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from random import Random

from tests.fuzz.subjects import Subjects

KINDS = ("fixture", "state-directory")
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - only a folder of its own is made there


def fuzz(kind: str, seed: int, numbers: Iterable[int], keep_in: Path) -> list[tuple[int, str]]:
    """Run these cases of a kind; return the numbers where something was wrong, and what.

    What was found is kept in a folder of its own each, in `keep_in`.
    """
    found: list[tuple[int, str]] = []
    place = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place, prefix="fuzz-") as folder:
        subjects = Subjects(Path(folder))
        make, drive = {
            "fixture": (subjects.fixture, subjects.drive_fixture),
            "state-directory": (subjects.state_directory, subjects.drive_state_directory),
        }[kind]
        for number in numbers:
            case = f"{kind}:{seed}:{number}"
            random = Random(case)  # noqa: S311 - to be had again
            wrong = [ending for ending in drive(make(random), random) if ending]
            if wrong:
                make(Random(case))  # noqa: S311 - as above; the programs may have changed it
                subjects.keep(keep_in / f"{kind}-{seed}-{number}", wrong)
                found.append((number, wrong[0]))
    return found
