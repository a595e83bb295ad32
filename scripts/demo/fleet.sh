#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<TEXT
Usage: scripts/demo/fleet.sh [--state-dir DIR] [--json] [--help]

Sets up .venv and rolls a release out to 40 hosts, each with a runtime of its own that ships to a
directory: through every phase, with a clock that is stepped. Then a second release, of which four
canaries fail and no other host: no more than are tolerated, but the comparison tells, and it goes
back. Says PASS or FAIL for each step, and exits with 1 if one failed.

  --state-dir DIR  where to leave the files; must be new or empty
                   [default: .tau/demo/fleet, made anew each time]
  --json           print the steps and their results as JSON, and nothing else, on stdout
TEXT
}
# shellcheck source=scripts/demo/steps.sh
source -- "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"
begin fleet "$@"

minute=60000
now=1767225600000 # 2026-01-01T00:00:00Z
mkdir -p -- "$state_dir"
state_dir=$(realpath -- "$state_dir")
gate() { # COMMAND… of the gate, about this rollout, at the time it is now
  TAU_ROLLOUT_GATE_NOW_UNIX_MS=$now tau-rollout-gate "$@" --rollout-dir "$state_dir/rollout"
}
release=1.4.0
cycle=0
hosts=()
for number in {01..40}; do
  hosts+=("web-$number")
  printf 'web-%s\tzone-%s\n' "$number" $((10#$number % 4))
done >"$state_dir/roster.tsv"
cat >"$state_dir/fleet.toml" <<'TOML'
schema_version = 1
name = "demo"
surfaces = ["custom-command"]
roster = "roster.tsv"
store = "store/{host}/{surface}/"
TOML
tau-rollout-gate policy show >"$state_dir/policy.toml"
cat >>"$state_dir/policy.toml" <<'TOML'

[fleet]
tolerate = "40%" # far too much, but for a demo of the comparison
compare = { alpha = "0.05" }
TOML

# deploy VERSION HOST…: what a deployment does, as far as the gate can see it.
deploy() {
  local version=$1 host
  for host in "${@:2}"; do
    mkdir -p -- "$state_dir/hosts/$host"
    printf '%s\n' "$version" >"$state_dir/hosts/$host/release"
  done
}
# one_cycle HOST: a cycle of its runtime, which ships what it left; on a host of $failing it fails.
one_cycle() {
  local fixture=fixtures/contracts/rollout-pass.json expected=0 exited=0
  [[ " $failing " != *" $1 "* ]] || fixture=fixtures/contracts/drift.json expected=3
  tau-custom-command run "$fixture" --state-dir "$state_dir/hosts/$1/state" \
    --release-file "$state_dir/hosts/$1/release" --ship-to "$state_dir/store/$1/custom-command/" \
    --case-suffix "-cycle-$cycle" --now-unix-ms "$now" >/dev/null || exited=$?
  [[ $exited == "$expected" ]]
}
export -f one_cycle
export state_dir
# cycles MINUTES HOST…: so much later, the runtimes of these hosts run a cycle, two at a time.
cycles() {
  now=$((now + $1 * minute)) cycle=$((cycle + 1))
  printf '%s\n' "${@:2}" |
    now=$now cycle=$cycle failing=${failing:-} xargs -P 2 -I{} bash -c 'one_cycle {}'
}
# upgraded: gives the release to the hosts that the gate names, and says which these are.
upgraded() {
  local names
  names=$(gate cohort) || return
  # shellcheck disable=SC2086 # a name a word
  deploy "$release" $names
  wc -w <<<"$names"
  tr '\n' ' ' <<<"$names"
}
# soaks MINUTES: the present cohort runs cycles for so long. The others could as well: with a cycle
# interval of 12 hours none of them is late.
soaks() {
  local names
  mapfile -t names < <(gate cohort)
  cycles 1 "${names[@]}"
  cycles $(($1 / 2)) "${names[@]}"
  cycles $(($1 - $1 / 2)) "${names[@]}"
}
passed() { # VERSION: the report of a validation
  printf '{"release": "%s", "total": 16, "passed": 16, "failed": 0}\n' "$1" >"$state_dir/report.json"
}
opened=(--fleet "$state_dir/fleet.toml" --policy "$state_dir/policy.toml" --cycle-interval 12h)

deploy 1.3.2 "${hosts[@]}"
cycles 0 "${hosts[@]}"
step 'the store of the fleet is marked' '' \
  tau-rollout-gate fleet init --fleet "$state_dir/fleet.toml"
step 'the release is under rollout' 'preflight' \
  gate start --release 1.4.0 --rollback-to 1.3.2 "${opened[@]}"
step_exits 2 'nobody gets it yet: no list, and no list that is empty' '' gate cohort
passed 1.4.0
step 'its validation passed: canary-1' 'canary-1: give it 5 %' \
  gate advance --validation "$state_dir/report.json"
step '5 % of 40 hosts are two' '2' upgraded
step_exits 3 'before they ran, it holds' '2 of 2 not clean' gate evaluate
soaks 30
step 'both held for 30 minutes: canary-2' 'canary-2: give it 25 %' gate advance
step 'ten hosts, those two among them' '10' upgraded
soaks 60
step 'they held for 60 minutes: canary-3' 'canary-3: give it 50 %' gate advance
step 'twenty hosts' '20' upgraded
soaks 120
step 'they held for 120 minutes: everyone' 'general-availability: give it 100 %' gate advance
step 'forty hosts' '40' upgraded
cycles 1 "${hosts[@]}"
cycles 720 "${hosts[@]}"
cycles 720 "${hosts[@]}"
step 'the checklist is filled in' 'complete' sign_off "$state_dir/rollout" "$now"
step '24 hours, and signed off: complete' 'COMPLETE' gate advance

release=1.5.0
step 'the next release is under rollout' 'preflight' \
  gate start --release 1.5.0 --rollback-to 1.4.0 "${opened[@]}"
passed 1.5.0
step 'it goes to canary-1 as well' 'canary-1: give it 5 %' \
  gate advance --validation "$state_dir/report.json"
step 'to two hosts, by another lot' '2' upgraded
soaks 30
step 'where all is well: canary-2' 'canary-2: give it 25 %' gate advance
step 'ten hosts' '10' upgraded
cycles 1 "${hosts[@]}"
failing=$(gate cohort | tail -n 4 | tr '\n' ' ')
cycles 10 "${hosts[@]}"
step_exits 4 'four canaries fail, and no other host: roll back' 'worse_than_control' gate advance
step_exits 4 'why, for whoever is on call' '4 of the 4 failed hosts are canaries' gate explain
step 'which hosts these are' "${failing%% *}" gate hosts --state failed
step_exits 4 'a page to look at, with every host' '' gate report --output "$state_dir/page.html"
step 'the evidence is captured, the steps are told' '1.4.0' \
  gate rollback --reason 'four of ten canaries fail'
step_exits 4 'nobody is to get it any more' '' gate cohort
still_carried() { gate cohort --carrying | wc -l; }
step 'but ten still have it' '10' still_carried
# Takes it back from those that carry it, after which nobody does.
reverted() {
  local names
  names=$(gate cohort --carrying) || return
  failing=''
  # shellcheck disable=SC2086 # a name a word
  deploy 1.4.0 $names
  # shellcheck disable=SC2086 # as above
  cycles 1 $names
  gate cohort --carrying
}
step_exits 2 'it is taken back from them' '' reverted
step 'every decision is on record, whole' 'whole' gate verify
step 'who decided what' 'rollback' gate history

finish
