"""A rollout whose window holds as many cycles as wanted."""

from pathlib import Path

from scripts.bench.made import Log
from scripts.bench.measure import Words, take
from scripts.bench.place import GATE

POLICY = """
schema_version = 1
name = "day"
cycle_interval = "5m"
[[phases]]
name = "preflight"
canary_percent = 0
soak = "0s"
gates = [{ kind = "target_recorded", name = "rollback_target" }]
[[phases]]
name = "canary"
canary_percent = 5
soak = "24h"
gates = [
  { kind = "signal", name = "health", signal = "health_state", equals = "healthy" },
  { kind = "signal", name = "queue", signal = "queue_depth", at_most = 1 },
  { kind = "reason_code_advances", name = "runs", code = "command_runs_recorded" },
  { kind = "no_new_reason_code", name = "timeouts", codes = ["command_run_timeout_observed"] },
]
[[triggers]]
kind = "signal"
name = "streak"
signal = "failure_streak"
at_least = 3
action = "roll back"
"""


def write_patient_policy(folder: Path) -> Path:
    """Write a policy that holds to the end of any log, whatever the health; return its path."""
    lines = POLICY.replace('"24h"', '"1000d"').splitlines(keepends=True)
    path = folder / "patient.toml"
    path.write_text("".join(one for one in lines if '"health"' not in one))
    return path


class Rollout:
    """A release in a phase of 24 hours, `window` cycles after its entry and `before` before it."""

    def __init__(self, folder: Path, example: Path, *, before: int, window: int) -> None:
        self.log = Log(folder / "state", example).grow(max(1, before))
        policy = folder / "policy.toml"
        policy.write_text(POLICY)
        rollout = ("--rollout-dir", folder / "rollout")
        common = (*rollout, "--now-unix-ms", str(self.log.now_unix_ms))
        release = ("--release", "1.4.0", "--rollback-to", "1.3.2", "--policy", policy)
        surface = ("--surface", f"custom-command={self.log.state_dir}")
        take((GATE, "start", *common, *release, *surface))
        take((GATE, "advance", *common))
        self.log.grow(window)
        now = ("--now-unix-ms", str(self.log.now_unix_ms))
        self.evaluation: Words = (GATE, "evaluate", *rollout, *now)
