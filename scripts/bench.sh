#!/usr/bin/env bash
set -euo pipefail

# Measures how fast the programs are: scripts/bench.sh --help. Needs jq, and bubblewrap for `execute`.
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
[[ -x .venv/bin/python ]] || ./scripts/setup.sh
exec .venv/bin/python -m scripts.bench.main "$@"
