#!/usr/bin/env bash
# Installs tau-rollout-gate for the step that asks it: VERSION, or the one beside this action.
# Needs Python 3.11 or newer; actions/setup-python brings it where the runner has none.
set -euo pipefail

venv=$RUNNER_TEMP/tau-rollout-gate
if [[ -n ${VERSION:-} ]]; then
  # Nothing but a version: what pip would read as an address or an option is none.
  [[ $VERSION =~ ^[0-9]+(\.[0-9]+)*([a-z]+[0-9]+)?$ ]] || {
    printf '::error title=rollout gate::version is not a version, such as 0.1.0\n'
    exit 2
  }
  wanted=tau-rollout-gate==$VERSION
else
  wanted=$(cd -- "$GITHUB_ACTION_PATH/../../../packages/rollout-gate" && pwd -P)
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  printf '::error title=rollout gate::Python 3.11 or newer is needed: use actions/setup-python\n'
  exit 2
}
python3 -m venv -- "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -- "$wanted" || {
  printf '::error title=rollout gate::it cannot be installed; the log of this step says why\n'
  exit 5
}
"$venv/bin/tau-rollout-gate" --version
