#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<TEXT
Usage: scripts/demo/execute.sh [--state-dir DIR] [--json] [--help]

Sets up .venv, starts a small HTTP service on loopback, and runs its smoke test for real: refused
until it is approved, confined by bubblewrap, each result checked. Then another release is deployed,
and the service hangs. Says PASS or FAIL for each step, and exits with 1 if one failed. Where this
machine cannot confine commands, or has no curl, it says how to get that, and exits with 0.

  --state-dir DIR  where to leave the files; must be new or empty
                   [default: .tau/demo/execute, made anew each time]
  --json           print the steps and their results as JSON, and nothing else, on stdout
TEXT
}
# shellcheck source=scripts/demo/steps.sh
source -- "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"
begin execute "$@"

# would WHY: says what is missing and what would be shown, and ends the demo; that is no failure.
would() {
  printf '%s\n\n' "$1"
  cat <<'TEXT'
With it, this demo would run the smoke test of a small HTTP service for real:
  - nobody approved it, so it is refused
  - it is approved as it is, for this service alone, and passes
  - a fixture that fetches from elsewhere is refused
  - another release is deployed: what differs is told, and accepted
  - the service hangs: the run is ended at its time limit
  - what was run, and how it ended, is read from the audit
Without it, scripts/demo/custom-command.sh shows a cycle in which nothing is started.
TEXT
  if "$as_json"; then printf '{"result": "SKIP", "steps": []}\n' >&3; fi
  exit 0
}
command -v bwrap >/dev/null ||
  would 'bubblewrap is not installed, so no command runs here (Debian, Ubuntu: apt install bubblewrap).'
command -v curl >/dev/null ||
  would 'curl is not installed, which the smoke test fetches pages with (Debian, Ubuntu: apt install curl).'
enforced=$(tau-custom-command doctor) ||
  would "$enforced"$'\n\n''This machine cannot confine commands as they ask; above stands what to do.'
doctor() { printf '%s\n' "$enforced"; }
step 'tau-custom-command doctor: what this machine can enforce' 'all of it can be enforced' doctor

mkdir -p -- "$state_dir/site"
# deploy VERSION: puts the pages of a release in place, as if it were deployed.
deploy() {
  printf '<title>Shop</title>\n' >"$state_dir/site/index.html"
  printf '{"status": "ok", "version": "%s"}\n' "$1" >"$state_dir/site/health.json"
}
deploy 1.4.0
: >"$state_dir/service.log"
python -u -m http.server 0 --bind 127.0.0.1 --directory "$state_dir/site" \
  >"$state_dir/service.log" 2>&1 &
service=$!
trap 'kill -KILL "$service"' EXIT
until address=$(sed -nE 's/.*\((http:[^)]*)\/\).*/\1/p' "$state_dir/service.log") && [[ -n $address ]]; do
  kill -0 "$service"
  sleep 0.1
done

smoke=$state_dir/smoke.toml
sed -e "s|http://127.0.0.1:8080|$address|" -e 's/attempts = 20/attempts = 1/' \
  fixtures/contracts/execute-smoke-http.toml >"$smoke"
sed -e 's|path = ""|path = "", url = "http://example.org"|' "$smoke" >"$state_dir/elsewhere.toml"
state=(--state-dir "$state_dir/state")
execute=(--run-mode execute "${state[@]}")

step 'the smoke test is valid' 'valid, 5 cases' tau-custom-command validate "$smoke"
step_exits 3 'nobody approved it: it is refused' 'nobody approved it' \
  tau-custom-command run "$smoke" "${execute[@]}"
step 'it is approved as it is, for this service alone' "pinned:             url=$address" \
  tau-custom-command approve fetch --by demo --pin "url=$address" "${state[@]}"
step 'the service is as it should be' 'commands: 4 run' \
  tau-custom-command run "$smoke" "${execute[@]}"
step_exits 3 'a fixture that fetches from elsewhere is refused' '3 run' \
  tau-custom-command run "$state_dir/elsewhere.toml" "${execute[@]}" --fresh

deploy 1.5.0
step_exits 3 'another release is there: what differs is told' 'observed "1.5.0" at /version' \
  tau-custom-command run "$smoke" "${execute[@]}" --fresh
step 'it is right, so it is accepted' '+stdout = { json_contains = { status = "ok", version = "1.5.0" } }' \
  tau-custom-command accept "$smoke" "${state[@]}" --yes
step 'the service is as it should be again' '5 applied' \
  tau-custom-command run "$smoke" "${execute[@]}" --fresh

kill -STOP "$service"
step_exits 3 'the service hangs: its runs are ended in time' 'did not end within 500 ms' \
  tau-custom-command run "$smoke" "${execute[@]}" --fresh --run-timeout-ms 500

# The runs in short, as the channel of the command keeps them, and the last one as it stands there.
runs_of() {
  python - "$1" <<'PYTHON'
import json, sys

for line in open(sys.argv[1], "rb"):
    payload = json.loads(line)["payload"]
    if audit := payload.get("run_audit"):
        ended = audit["failure_reason"] or f"exit {audit['exit_code']}"
        print(f"{ended:17} {audit['duration_ms']:5} ms  {payload['case_id']}")
print(json.dumps(audit, indent=2))
PYTHON
}
step 'the audit: every run and every refusal' '"failure_reason": "timeout"' \
  runs_of "$state_dir/state/channel-store/custom-command/fetch/log.jsonl"
step_exits 3 'the inspector: nothing may go on' 'gate hold' \
  tau-transport-health inspect custom-command "${state[@]}"

finish
