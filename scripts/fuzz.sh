#!/usr/bin/env bash
set -euo pipefail

# Mutated fixtures and state directories through validate, run and every reader: no traceback, no
# hang, at most 200 MiB, an exit code from the table. What is found is kept in .cache/fuzz, and can
# be had again: --kind KIND --seed S --only N. 100,000 of each kind take some hours.

unset CDPATH PYTHONHOME PYTHONPATH VIRTUAL_ENV
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
./scripts/setup.sh
exec .venv/bin/python -m tests.fuzz "$@"
