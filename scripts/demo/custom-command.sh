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

fail_usage() {
  echo "custom-command.sh: $1" >&2
  usage >&2
  exit 2
}

state_dir=''
as_json=false
while (($# > 0)); do
  case $1 in
    --state-dir)
      [[ -n ${2:-} ]] || fail_usage '--state-dir needs a directory'
      state_dir=$(realpath -m -- "$2")
      shift
      ;;
    --json) as_json=true ;;
    --help | -h) usage && exit 0 ;;
    *) fail_usage "unknown argument '$1'" ;;
  esac
  shift
done

unset CDPATH "${!TAU_CUSTOM_COMMAND_@}" "${!TAU_TRANSPORT_HEALTH_@}" # an operator's own settings
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
"$root/scripts/setup.sh"
cd -- "$root"

# With --json the story goes to stderr, so that stdout holds the answer alone.
exec 3>&1
if "$as_json"; then exec 1>&2; fi

if [[ -z $state_dir ]]; then
  state_dir=.tau/demo/custom-command
  rm -rf -- "$state_dir"
elif [[ -n $(ls -A -- "$state_dir" 2>/dev/null) ]]; then
  fail_usage "$state_dir is not empty; the demo starts from nothing"
fi

PATH=$root/.venv/bin:$PATH
fixture=fixtures/contracts/rollout-pass.json
results=()
failed=0

# step NAME EXPECTED COMMAND…: shows and runs a command that must succeed and print EXPECTED.
step() {
  local name=$1 expected=$2 verdict=PASS printed
  shift 2
  printf '\n== %s\n' "$name"
  [[ $1 == events_of ]] || printf '$ %s\n' "$*"
  printed=$("$@") || verdict="FAIL (exit $?)"
  printf '%s\n' "$printed"
  [[ $verdict != PASS || $printed == *"$expected"* ]] || verdict="FAIL ('$expected' is not there)"
  [[ $verdict == PASS ]] || failed=$((failed + 1))
  printf '%s  %s\n' "$verdict" "$name"
  results+=("{\"step\": \"$name\", \"result\": \"${verdict:0:4}\"}")
}

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
step 'a cycle applies every case' ' failed_cases=0 ' \
  tau-custom-command run "$fixture" --state-dir "$state_dir"
step 'a second cycle finds only duplicates' 'reason_codes=duplicate_cases_skipped ' \
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

total=${#results[@]}
summary=$([[ $failed == 0 ]] && echo PASS || echo FAIL)
printf '\n%s: %d of %d steps passed; state files in %s\n' \
  "$summary" $((total - failed)) "$total" "$state_dir"
if "$as_json"; then
  printf -v steps '%s, ' "${results[@]}"
  printf '{"result": "%s", "steps": [%s]}\n' "$summary" "${steps%, }" >&3
fi
((failed == 0))
