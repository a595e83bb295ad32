"""How the time of a cycle grows with its cases: 30,000 CREATEs against 10,000.

A cycle should be linear: at most 3.4 times the time for 3 times the cases, start-up taken off.
Runs are interleaved, since machines are noisy, and the median of each is compared. Every command
has a folder of its own, so that most of the time is the file system's: --directory chooses which.

Run with .venv/bin/python; exits with 1 if the ratio is above the bound.
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

BOUND = 3.4
SIZES = (1, 10_000, 30_000)  # the first is the yardstick for start-up
COMMAND = Path(sys.executable).with_name("tau-custom-command")


def creates(count: int) -> bytes:
    """Return a fixture that creates `count` commands."""
    cases = [
        {
            "schema_version": 1,
            "case_id": f"{number:06d}",
            "operation": "CREATE",
            "command_name": f"restart-{number:06d}",
            "template": f"systemctl restart unit-{number}@{{{{instance}}}}",
            "expected": {"outcome": "success", "status_code": 201},
        }
        for number in range(count)
    ]
    return json.dumps({"schema_version": 1, "name": f"bench-{count}", "cases": cases}).encode()


def seconds_of_a_cycle(folder: Path, count: int) -> float:
    """Run one cycle of `count` cases in a fresh state directory; return the seconds it took."""
    fixture, state_dir = folder / f"{count}.json", Path(tempfile.mkdtemp(dir=folder))
    fixture.write_bytes(creates(count))
    os.sync()  # what an earlier run left to be written is not this one's
    started = time.perf_counter()
    subprocess.run(
        [COMMAND, "run", fixture, "--state-dir", state_dir, "--queue-limit", str(count)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def main() -> int:
    """Measure, print a table, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each size [default: 3]")
    parser.add_argument("--directory", type=Path, help="where to write [default: the system's]")
    arguments = parser.parse_args()
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    # Nothing is deleted before the end: ext4 is slow to make files where others were just deleted.
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        for _ in range(arguments.rounds):
            for size in SIZES:
                taken[size].append(seconds_of_a_cycle(Path(folder), size))
    print(f"{'cases':>6}  {'median s':>8}  {'min s':>6}  {'max s':>6}")
    for size, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"{size:>6}  {median:>8.2f}  {min(seconds):>6.2f}  {max(seconds):>6.2f}")
    start_up, small, large = (statistics.median(taken[size]) for size in SIZES)
    ratio = (large - start_up) / (small - start_up)
    print(f"30,000 cases take {ratio:.2f} times as long as 10,000 (bound {BOUND})")
    return 0 if ratio <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
