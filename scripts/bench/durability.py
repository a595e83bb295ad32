"""What it costs that a cycle outlasts a loss of power: 1,000 cases with and without --no-fsync.

At most 1.5 times the time, start-up included, for the shape that costs most (every command has a
folder of its own, so 4,000 files are made) and for the usual one (a second cycle over folders that
are there). The two ways take turns on state directories side by side, since machines are noisy, and
the median of each is compared. --directory chooses the file system: one in memory shows nothing.

Run with .venv/bin/python; exits with 1 if a ratio is above the bound.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BOUND = 1.5
CASES = 1_000
COMMAND = Path(sys.executable).with_name("tau-custom-command")
WAYS = {"to the disk": (), "--no-fsync": ("--no-fsync",)}
SHAPES = ("new folders", "same folders")


def creates() -> bytes:
    """Return a fixture that creates commands."""
    cases = [
        {
            "schema_version": 1,
            "case_id": f"{number:06d}",
            "operation": "CREATE",
            "command_name": f"restart-{number:06d}",
            "template": f"systemctl restart unit-{number}@{{{{instance}}}}",
            "expected": {"outcome": "success", "status_code": 201},
        }
        for number in range(CASES)
    ]
    return json.dumps({"schema_version": 1, "name": "bench", "cases": cases}).encode()


def milliseconds_of_a_cycle(fixture: Path, state_dir: Path, *options: str) -> float:
    """Run one cycle in a state directory; return the milliseconds it took."""
    os.sync()  # what another run left to be written is not this one's
    limits = ("--queue-limit", str(CASES))
    started = time.perf_counter()
    subprocess.run(
        [COMMAND, "run", fixture, "--state-dir", state_dir, *limits, *options],
        check=True,
        capture_output=True,
    )
    return (time.perf_counter() - started) * 1000


def measured(folder: Path, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Return the milliseconds of each shape and way, a figure for each round."""
    fixture = folder / "fixture.json"
    fixture.write_bytes(creates())
    taken: dict[tuple[str, str], list[float]] = {(s, way): [] for s in SHAPES for way in WAYS}
    for number in range(rounds):
        for way in (*WAYS, *WAYS)[number % 2 :][: len(WAYS)]:
            state_dir = Path(tempfile.mkdtemp(dir=folder))
            for shape in SHAPES:
                options = (*WAYS[way], f"--case-suffix={shape}")
                taken[shape, way].append(milliseconds_of_a_cycle(fixture, state_dir, *options))
    return taken


def main() -> int:
    """Measure, print a table, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="runs of each way [default: 9]")
    parser.add_argument("--directory", type=Path, help="where to write [default: the system's]")
    arguments = parser.parse_args()
    # Nothing is deleted before the end: ext4 is slow to make files where others were just deleted.
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        taken = measured(Path(folder), arguments.rounds)
    print(f"{'shape':<12}  {'way':<11}  {'median ms':>9}  {'min ms':>7}  {'max ms':>7}")
    for (shape, way), figures in taken.items():
        median = statistics.median(figures)
        print(f"{shape:<12}  {way:<11}  {median:>9.0f}  {min(figures):>7.0f}  {max(figures):>7.0f}")
    ratios = {
        shape: statistics.median(taken[shape, "to the disk"])
        / statistics.median(taken[shape, "--no-fsync"])
        for shape in SHAPES
    }
    for shape, ratio in ratios.items():
        print(f"{shape}: {ratio:.2f} times as long as with --no-fsync (bound {BOUND})")
    return 0 if max(ratios.values()) <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
