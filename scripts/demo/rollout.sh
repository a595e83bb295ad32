#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<TEXT
Usage: scripts/demo/rollout.sh [--state-dir DIR] [--json] [--help]

Sets up .venv and takes a release through every phase, from preflight to complete, with the real
runtime and a clock that is stepped; then a second release that fails in canary-1 and is rolled
back. Says PASS or FAIL for each step, and exits with 1 if one failed.

  --state-dir DIR  where to leave the files; must be new or empty
                   [default: .tau/demo/rollout, made anew each time]
  --json           print the steps and their results as JSON, and nothing else, on stdout
TEXT
}
# shellcheck source=scripts/demo/steps.sh
source -- "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"
begin rollout "$@"

minute=60000
now=1767225600000 # 2026-01-01T00:00:00Z
mkdir -p -- "$state_dir"
gate() { # COMMAND… of the gate, about this rollout, at the time it is now
  TAU_ROLLOUT_GATE_NOW_UNIX_MS=$now tau-rollout-gate "$@" --rollout-dir "$state_dir/rollout"
}
opened=(--surface "custom-command=$state_dir/state" --first-run custom-command --cycle-interval 2h)
release=1.4.0
cycle=0

# cycles COUNT MINUTES [FIXTURE]: lets the runtime run so many cycles, so many minutes apart.
cycles() {
  local fixture=${3:-fixtures/contracts/rollout-pass.json} left
  for ((left = $1; left > 0; left--)); do
    now=$((now + $2 * minute)) cycle=$((cycle + 1))
    tau-custom-command run "$fixture" --state-dir "$state_dir/state" --release "$release" \
      --case-suffix "-cycle-$cycle" --now-unix-ms "$now" >/dev/null || [[ -n ${3:-} ]]
  done
}

step 'the release is under rollout' 'preflight' \
  gate start --release 1.4.0 --rollback-to 1.3.2 "${opened[@]}"
step_exits 3 'without a validation report it holds' 'validation_report' gate evaluate

printf '{"release": "1.4.0", "total": 16, "passed": 16, "failed": 0}\n' >"$state_dir/report.json"
step 'with one it goes on to canary-1' 'canary-1: give it 5 %' \
  gate advance --validation "$state_dir/report.json"

cycles 2 15 # the soak begins with the first cycle of the release
cycles 1 14
step_exits 3 'a minute short of the soak it holds' 'soak' gate advance
cycles 1 1
step 'canary-1 held for 30 minutes: canary-2' 'canary-2: give it 25 %' gate advance
cycles 2 30
step 'canary-2 held for 60 minutes: canary-3' 'canary-3: give it 50 %' gate advance
cycles 4 30
step 'canary-3 held for 120 minutes: everyone' 'general-availability: give it 100 %' gate advance
cycles 12 120
step_exits 3 'without a sign-off it is not complete' 'signoff_checklist' gate explain
step 'the checklist is filled in' 'complete' sign_off "$state_dir/rollout" "$now"
step '24 hours, and signed off: complete' 'COMPLETE' gate advance

release=1.5.0
step 'the next release is under rollout' 'preflight' \
  gate start --release 1.5.0 --rollback-ref v1.4.0 "${opened[@]}"
printf '{"release": "1.5.0", "total": 16, "passed": 16, "failed": 0}\n' >"$state_dir/report.json"
step 'it goes to canary-1 as well' 'canary-1: give it 5 %' \
  gate advance --validation "$state_dir/report.json"
cycles 1 10
cycles 1 10 fixtures/contracts/drift.json
step_exits 4 'a case fails there: roll back' 'hard_runtime_errors' gate advance
step_exits 4 'why, for whoever is on call' 'hard_runtime_errors' gate explain
step 'the evidence is captured, the steps are told' '1.4.0' \
  gate rollback --reason 'a case failed in canary-1'
# Unpacks the evidence and checks every file of it, with tools that every machine has.
check_capture() (
  tar -xzf "$state_dir"/rollout/evidence/*.tar.gz -C "$state_dir" &&
    cd -- "$state_dir"/*-1.5.0 && sha256sum -c SHA256SUMS
)
step 'the capture is what it says' 'rollout.json: OK' check_capture
step 'every decision is on record, whole' 'whole' gate verify
step 'who decided what' 'rollback' gate history

finish
