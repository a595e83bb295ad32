"""Fuzz the packages with mutated fixtures and state directories (scripts/fuzz.sh)."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TextIO

from tests.fuzz.fuzzing import KINDS, fuzz
from tests.fuzz.guard import prepare_process

_AT_ONCE = 500
"""So many cases a process takes at once: few enough to see how far it is."""


def _say(text: str, file: TextIO = sys.stdout) -> None:
    file.write(f"{text}\n")
    file.flush()


def main() -> int:
    """Run the cases, print what was found, return the exit code: 1 if anything was."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz.sh", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="of each kind [100000]")
    parser.add_argument("--seed", type=int, default=1, help="[1]")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this kind")
    parser.add_argument("--only", type=int, metavar="N", help="only the case of this number")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    parser.add_argument("--keep-in", type=Path, default=Path(".cache/fuzz"), help="[.cache/fuzz]")
    given = parser.parse_args()
    first, end = (0, given.count) if given.only is None else (given.only, given.only + 1)
    parts = [
        (kind, range(start, min(start + _AT_ONCE, end)))
        for start in range(first, end, _AT_ONCE)
        for kind in given.kind or KINDS
    ]
    started, done, findings = time.monotonic(), dict.fromkeys(KINDS, 0), 0
    # A process of its own each, so that only what a call takes counts, not what many left behind.
    with ProcessPoolExecutor(
        given.jobs, initializer=prepare_process, max_tasks_per_child=1
    ) as pool:
        running = {pool.submit(fuzz, k, given.seed, n, given.keep_in): (k, n) for k, n in parts}
        for part in as_completed(running):
            kind, numbers = running[part]
            for number, wrong in part.result():
                findings += 1
                _say(f"{kind} --seed {given.seed} --only {number}: {wrong}\n")
            done[kind] += len(numbers)
            seconds = time.monotonic() - started
            reached = ", ".join(f"{count} {name}" for name, count in done.items())
            _say(f"{reached}, {findings} findings, {seconds:.0f} s", sys.stderr)
    _say(f"{', '.join(f'{c} {k}' for k, c in done.items())}: {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
