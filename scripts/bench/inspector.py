"""What the inspector costs: its start-up, and the reading of a long event log.

Three bounds, each against a yardstick in the same run, since machines are noisy:
- `inspect --json` of a small state: at most 7 times `python -c pass`;
- `status --json` of a long log: at most 0.3 times `jq -r '.reason_codes[]' | sort | uniq -c` over
  the same file, with a peak memory under 60 MB;
- `check`: the same time on a log of 1,000 events and on the long one.

The log is a chain of lines as the runtime writes them. Run with .venv/bin/python; needs jq; exits
with 1 if a bound is not met.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
INSPECTOR = BIN / "tau-transport-health"
START_UP_BOUND = 7.0
JQ_BOUND = 0.3
PEAK_BOUND_MB = 60.0
CHECK_BOUND = 1.25  # "the same", as far as a noisy machine can tell
START_UNIX_MS = 1_767_225_600_000
SHORT_EVENTS = 1_000


def run(arguments: list[str | Path], **options: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: ANN401 - passed on
    """Run a command that must answer; a held gate is an answer."""
    unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    done = subprocess.run(arguments, env=environment, capture_output=True, check=False, **options)
    if done.returncode not in {0, 3}:
        sys.exit(f"{arguments}: exit {done.returncode}: {done.stderr.decode()}")
    return done


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def real_state(folder: Path) -> Path:
    """Return a state directory that the runtime wrote: one cycle of a starter fixture."""
    fixture, state_dir = folder / "starter.json", folder / "real"
    run([BIN / "tau-custom-command", "new", fixture])
    run([BIN / "tau-custom-command", "run", fixture, "--state-dir", state_dir])
    return state_dir


def long_state(real: Path, state_dir: Path, events: int) -> None:
    """Make a state directory whose log goes on from a real first line for `events` cycles."""
    state_dir.mkdir()
    event = json.loads((real / "runtime-events.jsonl").read_bytes().splitlines()[0])
    previous = None
    with (state_dir / "runtime-events.jsonl").open("wb") as log:
        for number in range(1, events + 1):
            event |= {
                "cycle_number": number,
                "cycle_id": f"{START_UNIX_MS + number * 60_000:013d}-{number:08d}-00000000",
                "timestamp_unix_ms": START_UNIX_MS + number * 60_000,
                "previous_sha256": previous,
            }
            line = json.dumps(event, separators=(",", ":")).encode()
            previous = hashlib.sha256(line).hexdigest()
            log.write(line + b"\n")
    state = json.loads((real / "state.json").read_bytes())
    state["health"]["updated_unix_ms"] = event["timestamp_unix_ms"]
    state["health"]["cycle_duration_ms"] = event["cycle_duration_ms"]
    state["last_cycle"] = {
        "cycle_id": event["cycle_id"],
        "cycle_number": events,
        "event_sha256": previous,
    }
    (state_dir / "state.json").write_text(json.dumps(state))


def ratio(first: Callable[[], object], second: Callable[[], object], rounds: int) -> float:
    """Return the median of how many times as long the first call takes, pair by pair."""
    first(), second()  # warm up what is cached
    return statistics.median(seconds(first) / seconds(second) for _ in range(rounds))


def peak_mb(arguments: list[str | Path]) -> float:
    """Return the peak memory of a command, in megabytes, by the operating system's account."""
    pid = os.posix_spawn(
        arguments[0],
        [str(argument) for argument in arguments],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, _, usage = os.wait4(pid, 0)
    return usage.ru_maxrss * 1024 / 1e6


def verdict(name: str, value: float, bound: float, unit: str = "times") -> bool:
    """Print a figure beside its bound; return whether it is met."""
    met = value <= bound
    print(f"{'PASS' if met else 'FAIL'}  {name:<42} {value:7.2f} {unit} (bound {bound:g})")
    return met


def main() -> int:
    """Measure, print a line a bound, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="length of the long log")
    parser.add_argument("--rounds", type=int, default=3, help="pairs over the long log")
    parser.add_argument("--directory", type=Path, help="where to write [default: the system's]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        folder = Path(name)
        small = real_state(folder)
        short, long = folder / "short", folder / "long"
        long_state(small, short, SHORT_EVENTS)
        long_state(small, long, arguments.events)
        log = long / "runtime-events.jsonl"
        print(f"a log of {arguments.events} events, {log.stat().st_size / 1e6:.0f} MB")

        def inspector(command: str, state_dir: Path, *more: str) -> list[str | Path]:
            return [INSPECTOR, command, "custom-command", "--state-dir", state_dir, *more]

        def jq() -> object:
            pipeline = 'jq -r ".reason_codes[]" "$1" | LC_ALL=C sort | uniq -c'
            return run(["/bin/sh", "-c", pipeline, "sh", log])

        status = inspector("status", long, "--json", "--max-age", "none")
        met = [
            verdict(
                "inspect --json against python -c pass",
                ratio(
                    lambda: run(inspector("inspect", small, "--json")),
                    lambda: run([sys.executable, "-c", "pass"]),
                    rounds=25,
                ),
                START_UP_BOUND,
            ),
            verdict(
                "check, long log against short",
                ratio(
                    lambda: run(inspector("check", long)),
                    lambda: run(inspector("check", short)),
                    rounds=15,
                ),
                CHECK_BOUND,
            ),
            verdict(
                "status --json against jq, sort and uniq",
                ratio(lambda: run(status), jq, rounds=arguments.rounds),
                JQ_BOUND,
            ),
            verdict("status --json, peak memory", peak_mb(status), PEAK_BOUND_MB, "MB   "),
        ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
