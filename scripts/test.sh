#!/usr/bin/env bash
set -euo pipefail

checks=(format lint types imports dependencies shell workflows tests)
more=(packages together unit exhaustive speed)

usage() {
  cat <<TEXT
Usage: scripts/test.sh [CHECK…]

Sets up .venv, runs the checks named (the first line of them without a name), shows the output of those that
fail and of the tests, and ends with a table. Exits with 1 if a check failed. A check or a test
whose tool does not exist for this machine is skipped, and says so. With CI=true in the environment
it installs the programs that some tests need first (./scripts/setup.sh --system).

Checks: ${checks[*]}
More:   ${more[*]}: the two halves of \`tests\`; the tests of the
        pure rooms, which it has too; those that try every system call, or very much; and whether
        anything became twice as slow
TEXT
}

for name in "$@"; do
  case " ${checks[*]} ${more[*]} --help -h " in
    *" $name "*) [[ $name != -* ]] || { usage && exit 0; } ;;
    *) echo "test: no check is called '$name'" >&2 && usage >&2 && exit 2 ;;
  esac
done
(($# > 0)) || set -- "${checks[@]}"

exec </dev/null # no check asks anything, so none may wait for an answer
unset CDPATH PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$root"
if [[ ${CI:-} == true ]]; then ./scripts/setup.sh --system; else ./scripts/setup.sh; fi
export PATH="$root/.venv/bin:$PATH"

skip() {
  echo "skipped: $1"
  exit 77
}

check() {
  case $1 in
    format) ruff format --check --diff . ;;
    lint) ruff check . ;;
    types) mypy ;;
    imports) lint-imports --verbose --cache-dir .cache/imports ;;
    # That the lock, which is what is installed, holds all that the packages ask for.
    dependencies) uv pip check --python .venv/bin/python ;;
    shell)
      command -v shellcheck >/dev/null || skip 'no shellcheck; install it from the system'
      find scripts .ci .github runbooks -type f \( -name '*.sh' -o -path .ci/run -o -name 'check_tau_*' \) \
        -exec shellcheck --external-sources {} +
      ;;
    workflows)
      actionlint .github/workflows/*.yml
      zizmor --offline --no-progress --pedantic .github
      ;;
    unit)
      shopt -s nullglob
      pytest -n auto --dist worksteal -q -m 'not exhaustive' \
        tests/*/{contract,cycle,fixture,policy,health,log,formats,decision,evidence,rollout}/
      ;;
    exhaustive) pytest -n auto --dist worksteal -q -m exhaustive ;;
    speed)
      command -v jq bwrap >/dev/null || skip 'no jq or no bwrap: ./scripts/setup.sh --system'
      ./scripts/bench.sh --small --compare scripts/bench/small.json
      ;;
    # A package's own tests are of its wheel, alone, and cover it by themselves.
    packages) ./scripts/check-wheel.sh ;;
    # The others are of all packages together.
    together)
      # What the packages hold copies of is tested once, for all of them.
      copies=(tests/contract/test_strict_json.py tests/contract/test_long_json.py)
      coverage run -m pytest -n auto --dist worksteal -q -m 'not exhaustive' "${copies[@]}"
      others=("${copies[@]/#/--ignore=}")
      for package in packages/*/; do
        package=$(basename "$package")
        others+=("--ignore=tests/${package//-/_}")
      done
      pytest -n auto --dist worksteal -q -m 'not exhaustive' "${others[@]}"
      ;;
    tests)
      coverage erase
      # At once: where tests of one half wait, those of the other go on. What the second one says is
      # shown after the first. Not by `&`, which would have them ignore an interruption.
      export -f check
      failed=0
      # shellcheck disable=SC2016 # for the shells that are started
      printf '%s\n' packages together | log=$log.together xargs -P 2 -I{} bash -c '
        set -euo pipefail
        [[ {} == packages ]] || exec &>"$log"
        check {}' || failed=1
      cat -- "$log.together"
      ((failed == 0)) || return 1
      python scripts/coverage_gates.py
      ;;
  esac
}

log=$(mktemp)
trap 'rm -f -- "$log" "$log.together"' EXIT
table=()
failed=0

run() {
  local name=$1 started=$SECONDS status verdict closing=''
  printf '\n== %s\n' "$name"
  # A shell of its own, not tested by `if` or `||`: there `set -e` holds, so the check stops at
  # its first failing command.
  set +e
  if [[ " tests packages together exhaustive unit " == *" $name "* ]]; then
    (set -e; check "$name") 2>&1 | tee -- "$log"
    status=${PIPESTATUS[0]}
    closing=$(sed -nE 's/^(=+ )?(.+ in [0-9.]+s( \(.+\))?)( =+)?$/\2/p' "$log" | paste -sd '+')
  else
    (set -e; check "$name") >"$log" 2>&1
    status=$?
    ((status == 0)) || cat -- "$log"
  fi
  set -e
  case $status in
    0) verdict=PASS ;;
    77) verdict=SKIP ;;
    *) verdict=FAIL failed=1 ;;
  esac
  table+=("$(printf '%s  %-12s %4d s%s' "$verdict" "$name" $((SECONDS - started)) "${closing:+  $closing}")")
}

# Beside the checks that come first, pytest compiles all tests, so that no worker has to.
if [[ " $* " == *' tests '* ]]; then pytest -q --collect-only &>/dev/null & fi
for name in "$@"; do run "$name"; done

printf '\n'
printf '%s\n' "${table[@]}"
exit "$failed"
