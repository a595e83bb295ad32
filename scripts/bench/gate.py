"""What an evaluation costs: the same in a long log as in a short one, and little beside start-up.

Two bounds, each against a yardstick in the same run, since machines are noisy:
- `evaluate` for a 24-hour window of one cycle a minute in a long log: at most 1.15 times what it
  takes in a log of 10,000 events;
- `evaluate`: at most 0.3 s more than `tau-rollout-gate --version`.

The logs are chains of lines as the runtime writes them, made from its first one. Run with
.venv/bin/python; exits with 1 if a bound is not met.
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
from pathlib import Path

BIN = Path(sys.executable).parent
GATE = BIN / "tau-rollout-gate"
LENGTH_BOUND = 1.15
START_UP_BOUND_SECONDS = 0.3
START_UNIX_MS = 1_767_225_600_000
MINUTE_MS = 60_000
SHORT_EVENTS = 10_000
WINDOW_EVENTS = 24 * 60
HOLD = 3


def run(*arguments: str | Path, expected: frozenset[int] = frozenset({0})) -> None:
    """Run a command that must answer."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(arguments, env=environment, capture_output=True, check=False)
    if done.returncode not in expected:
        sys.exit(f"{arguments}: exit {done.returncode}: {done.stderr.decode()}")


def seconds(*arguments: str | Path, expected: frozenset[int] = frozenset({0})) -> float:
    """Return how long a command takes."""
    started = time.perf_counter()
    run(*arguments, expected=expected)
    return time.perf_counter() - started


class Rollout:
    """A release in general availability, a day of a cycle a minute after its entry, on a log."""

    def __init__(self, folder: Path, first: Path, events: int) -> None:
        """Make state directory and rollout below `folder`; the log has `events` lines."""
        self.state_dir, self.rollout_dir = folder / "state", folder / "rollout"
        self.state_dir.mkdir(parents=True)
        self._event = json.loads((first / "runtime-events.jsonl").read_bytes().splitlines()[0])
        self._state = json.loads((first / "state.json").read_bytes())
        self._previous: str | None = None
        self._number = 0
        self._now = START_UNIX_MS
        self.grow(events - WINDOW_EVENTS)
        policy = folder / "policy.toml"
        policy.write_text(
            'schema_version = 1\nname = "day"\ncycle_interval = "5m"\n'
            '[[phases]]\nname = "preflight"\ncanary_percent = 0\nsoak = "0s"\n'
            'gates = [{ kind = "target_recorded", name = "rollback_target" }]\n'
            '[[phases]]\nname = "canary"\ncanary_percent = 5\nsoak = "24h"\ngates = [\n'
            '{ kind = "signal", name = "health", signal = "health_state", equals = "healthy" },\n'
            '{ kind = "signal", name = "queue", signal = "queue_depth", at_most = 1 },\n'
            '{ kind = "reason_code_advances", name = "runs", code = "command_runs_recorded" },\n'
            '{ kind = "no_new_reason_code", name = "f", codes = ["case_processing_failed"] },\n'
            "]\n"
            '[[triggers]]\nkind = "signal"\nname = "streak"\nsignal = "failure_streak"\n'
            'at_least = 3\naction = "roll back"\n'
        )
        surface = f"custom-command={self.state_dir}"
        common = ("--rollout-dir", self.rollout_dir, "--now-unix-ms", str(self._now))
        more = ("--release", "1.4.0", "--rollback-to", "1.3.2", "--policy", policy)
        run(GATE, "start", *common, *more, "--surface", surface)
        run(GATE, "advance", *common)
        self.grow(WINDOW_EVENTS)
        common = ("--rollout-dir", self.rollout_dir, "--now-unix-ms", str(self._now))
        self.evaluation = (GATE, "evaluate", *common)

    def grow(self, events: int) -> None:
        """Add a cycle a minute to the log, and the state that belongs to the last."""
        with (self.state_dir / "runtime-events.jsonl").open("ab") as log:
            for _ in range(events):
                self._number += 1
                self._now += MINUTE_MS
                self._event |= {
                    "cycle_number": self._number,
                    "cycle_id": f"{self._now:013d}-{self._number:08d}-00000000",
                    "timestamp_unix_ms": self._now,
                    "previous_sha256": self._previous,
                }
                line = json.dumps(self._event, separators=(",", ":")).encode()
                self._previous = hashlib.sha256(line).hexdigest()
                log.write(line + b"\n")
        self._state["health"]["updated_unix_ms"] = self._now
        self._state["last_cycle"] = {
            "cycle_id": self._event["cycle_id"],
            "cycle_number": self._number,
            "event_sha256": self._previous,
        }
        (self.state_dir / "state.json").write_text(json.dumps(self._state))


def verdict(name: str, value: float, bound: float, unit: str) -> bool:
    """Print a figure beside its bound; return whether it is met."""
    met = value <= bound
    print(f"{'PASS' if met else 'FAIL'}  {name:<44} {value:6.2f} {unit} (bound {bound:g})")
    return met


def main() -> int:
    """Measure, print a line a bound, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="length of the long log")
    parser.add_argument("--rounds", type=int, default=15, help="pairs to measure")
    parser.add_argument("--directory", type=Path, help="where to write [default: the system's]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        folder = Path(name)
        run(BIN / "tau-custom-command", "new", folder / "starter.json")
        runtime = (BIN / "tau-custom-command", "run", folder / "starter.json")
        run(*runtime, "--state-dir", folder / "first")
        short = Rollout(folder / "short", folder / "first", SHORT_EVENTS)
        long = Rollout(folder / "long", folder / "first", arguments.events)
        size = (long.state_dir / "runtime-events.jsonl").stat().st_size
        print(f"a log of {arguments.events} events, {size / 1e6:.0f} MB")
        pairs = [
            (seconds(*long.evaluation), seconds(*short.evaluation), seconds(GATE, "--version"))
            for _ in range(arguments.rounds + 1)
        ][1:]  # the first one warms up what is cached
        met = [
            verdict(
                "evaluate, long log against short",
                statistics.median(one / other for one, other, _ in pairs),
                LENGTH_BOUND,
                "times",
            ),
            verdict(
                "evaluate, beyond --version",
                statistics.median(one - start for one, _, start in pairs),
                START_UP_BOUND_SECONDS,
                "s    ",
            ),
        ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
