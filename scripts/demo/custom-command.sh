#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<TEXT
Usage: scripts/demo/custom-command.sh [--state-dir DIR] [--json] [--help]

Sets up .venv, processes the rollout fixture in a fresh state directory, and shows what it leaves:
the registry, the state and the events. Says PASS or FAIL for each step, and exits with 1 if one
failed.

  --state-dir DIR  where to leave the state files; must be new or empty
                   [default: .tau/demo/custom-command, made anew each time]
  --json           print the steps and their results as JSON, and nothing else, on stdout
TEXT
}
# shellcheck source=scripts/demo/steps.sh
source -- "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"
begin custom-command "$@"
fixture=fixtures/contracts/rollout-pass.json

# The events in short: the number of each cycle, the health after it, its reason codes.
events_of() {
  python - "$1" <<'PYTHON'
import json, sys

for line in open(sys.argv[1], "rb"):
    event = json.loads(line)
    print(event["cycle_number"], event["health_state"], *event["reason_codes"])
PYTHON
}

step 'the fixture is valid' 'valid, ' tau-custom-command validate "$fixture"
step 'a cycle applies every case' '16 cases, 16 applied' \
  tau-custom-command run "$fixture" --state-dir "$state_dir"
step 'a second cycle finds only duplicates' '16 cases, 16 done before' \
  tau-custom-command run "$fixture" --state-dir "$state_dir"
step 'the registry' 'restart-service' \
  tau-custom-command registry list --state-dir "$state_dir"
step 'the state' '"failed_case_keys": []' cat -- "$state_dir/state.json"
step 'the events' '2 healthy duplicate_cases_skipped' events_of "$state_dir/runtime-events.jsonl"

inspected=(custom-command --state-dir "$state_dir")
step 'the inspector: the gate passes' '"rollout_gate": "pass"' \
  tau-transport-health inspect "${inspected[@]}" --json
step 'the inspector: the guardrail report' '"cycle_reports": 2' \
  tau-transport-health status "${inspected[@]}" --json
step 'the inspector: one channel' 'restart-service' \
  tau-transport-health channels show custom-command restart-service --state-dir "$state_dir"

finish
