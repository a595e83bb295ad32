"""The three programs, of whatever versions are installed here, work together.

`scripts/check_together.py` runs it with one package as it is in this checkout beside the newest
releases of the others (runbooks/compatibility.md). So it types only what every release takes, and
looks only at what every release promises.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures/contracts"
COMMANDS = Path(sys.executable).parent
BEGIN_UNIX_MS = 1_767_225_600_000
MINUTE_MS = 60_000


def ends(folder: Path, now_unix_ms: int, line: str, *, code: int) -> str:
    """Run a command line to its end, which must come with a code; return what it printed."""
    program, *words = line.split()
    pinned = {
        f"TAU_{each}_NOW_UNIX_MS": str(now_unix_ms)
        for each in ("CUSTOM_COMMAND", "TRANSPORT_HEALTH", "ROLLOUT_GATE")
    }
    done = subprocess.run(
        [COMMANDS / program, *words],
        cwd=folder,
        env={**os.environ, **pinned},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, (line, done)
    return done.stdout


def test_a_release_goes_out_and_comes_back(tmp_path: Path) -> None:
    """The runtime runs, the inspector and the gate agree on it, well and not."""
    now = BEGIN_UNIX_MS
    run = f"tau-custom-command run {FIXTURES}/{{}}.json --case-suffix=-{{}}"

    ends(tmp_path, now, run.format("rollout-pass", 0), code=0)
    row = ends(tmp_path, now, "tau-transport-health inspect custom-command --json", code=0)
    assert json.loads(row)[0]["health_state"] == "healthy"
    ends(tmp_path, now, "tau-rollout-gate start --release 1.4.0 --rollback-to 1.3.2", code=0)
    report = {"release": "1.4.0", "total": 16, "passed": 16, "failed": 0}
    tmp_path.joinpath("report.json").write_text(json.dumps(report))
    ends(tmp_path, now, "tau-rollout-gate advance --validation report.json", code=0)

    for number in range(1, 7):
        now += 5 * MINUTE_MS
        ends(tmp_path, now, run.format("rollout-pass", number), code=0)
    status = ends(tmp_path, now, "tau-transport-health status custom-command --json", code=0)
    assert json.loads(status)["rollout_gate"] == "pass"
    answer = ends(tmp_path, now, "tau-rollout-gate advance --format json", code=0)
    assert json.loads(answer)["verdict"] == "promote"

    for number in range(7, 10):
        now += 5 * MINUTE_MS
        ends(tmp_path, now, run.format("drift", number), code=3)
    line = ends(tmp_path, now, "tau-transport-health check custom-command", code=2)
    assert line.startswith("CRITICAL - ")
    ends(tmp_path, now, "tau-transport-health diagnose custom-command", code=3)
    answer = ends(tmp_path, now, "tau-rollout-gate advance --format json", code=4)
    fired = {each["name"] for each in json.loads(answer)["triggers"] if each["fired"]}
    assert {"health_regression", "failure_streak_breach", "hard_runtime_errors"} <= fired
    ends(tmp_path, now, "tau-rollout-gate rollback --reason drift", code=0)
    ends(tmp_path, now, "tau-rollout-gate verify", code=0)
