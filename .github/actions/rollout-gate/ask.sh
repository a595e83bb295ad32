#!/usr/bin/env bash
# Asks the gate that install.sh installed. Its exit code is the step's: only 0 means go.
set -euo pipefail

case $COMMAND in
  evaluate | advance) arguments=("$COMMAND" --format github "--rollout-dir=$ROLLOUT_DIR") ;;
  *)
    printf '::error title=rollout gate::command is neither evaluate nor advance\n'
    exit 2
    ;;
esac

each_line() { # OPTION LINES: adds the option for each line that is not empty
  local line
  while IFS= read -r line; do
    line=${line%$'\r'}
    [[ -z $line ]] || arguments+=("$1=$line")
  done <<<"$2"
}

each_line --surface "$SURFACES"
each_line --validation "$VALIDATION"
each_line --policy "$POLICY"
each_line --signoff "$SIGNOFF"

exec "$RUNNER_TEMP/tau-rollout-gate/bin/tau-rollout-gate" "${arguments[@]}"
