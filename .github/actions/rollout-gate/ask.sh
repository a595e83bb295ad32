#!/usr/bin/env bash
# Asks the gate that install.sh installed, and tells the job: outputs, annotations, a summary, also
# where there is no answer. Its exit code is the gate's, but for a hold of `mode: advance`, which is 0.
set -euo pipefail

scratch=$(mktemp -d -- "$RUNNER_TEMP/ask.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT
said=$scratch/said told=$scratch/told outputs=$scratch/outputs
: >"$said" && : >"$told" && : >"$outputs"

verdict() { sed -n '1s/^verdict=//p' "$outputs"; } # the first output of all

each_line() { # OPTION LINES: adds the option for each line that is not empty
  local line
  while IFS= read -r line; do
    line=${line%$'\r'}
    [[ -z $line ]] || arguments+=("$1=$line")
  done <<<"$2"
}

in_command() { # escapes stdin as the text of a workflow command
  sed -e 's/%/%25/g' -e 's/\r/%0D/g' | awk 'NR > 1 { printf "%%0A" } { printf "%s", $0 }'
}

no_answer() { # CODE: there is none, or none that fits the code, which is what counts then
  local end
  end=end-$(sha256sum <"$told" | cut -d ' ' -f 1)
  {
    printf 'verdict=unknown\nexit_code=%s\nadvanced=false\n' "$1"
    printf 'reasons<<%s\n' "$end" && awk 1 "$told" && printf '%s\n' "$end"
  } >>"$GITHUB_OUTPUT"
  {
    printf '\n## Rollout gate: no answer (exit %s)\n\n' "$1"
    sed -e 's/\r//g' -e 's/^/    /' "$told"
  } >>"$GITHUB_STEP_SUMMARY"
  printf '::error title=rollout gate: no answer (exit %s)::%s\n' "$1" "$(in_command <"$told")"
}

ask() { # prints what the gate says and tells; returns its exit code
  local code=0
  GITHUB_OUTPUT=$outputs "$RUNNER_TEMP/tau-rollout-gate/bin/tau-rollout-gate" "${arguments[@]}" \
    >"$said" 2>"$told" || code=$?
  cat -- "$told" >&2
  return "$code"
}

case $MODE in
  gate) command=evaluate ;;
  advance) command=advance ;;
  *)
    echo 'mode is neither gate nor advance' >"$told"
    no_answer 2
    exit 2
    ;;
esac
arguments=("$command" --format github "--rollout-dir=$ROLLOUT_DIR")
each_line --surface "$SURFACES"
each_line --validation "$VALIDATION"
each_line --policy "$POLICY"
each_line --signoff "$SIGNOFF"

code=0
ask || code=$?
case $code:$(verdict) in
  0:promote | 0:complete | 3:hold | 4:rollback) ;;
  *) # a 0 without its verdict is no yes
    ((code != 0)) || code=1
    cat -- "$said"
    no_answer "$code"
    exit "$code"
    ;;
esac
printf 'exit_code=%s\n' "$code" | cat -- "$outputs" - >>"$GITHUB_OUTPUT"
if [[ $MODE == advance ]] && ((code == 3)); then
  sed 's/^::error /::notice /' "$said"
  exit 0
fi
cat -- "$said"
exit "$code"
