#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/check-wheel.sh [PACKAGE…]

Builds each package's source archive, and its wheel from that; installs the wheel, alone, with its
locked dependencies, in an empty environment; and runs the package's own tests there.
PACKAGE is a folder under packages/; without one, all are checked. What was built stays in
.cache/wheels/PACKAGE/dist/, what the tests covered in .cache/coverage/.
TEXT
}

unset CDPATH
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$root"
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  -*) usage >&2 && exit 2 ;;
  '') set -- packages/*/ ;;
esac

./scripts/setup.sh
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV
export UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1
uv=.venv/bin/uv

check() {
  local package=$1 import_name=tau_${1//-/_} work=.cache/wheels/$1 wheel
  rm -rf -- "$work"
  "$uv" build --quiet --offline --out-dir "$work/dist" "packages/$package"
  wheel=("$work"/dist/*.whl)
  echo "built ${wheel[0]##*/}"

  "$uv" venv --quiet --no-project --python .venv/bin/python "$work/venv"
  "$uv" pip install --quiet --python "$work/venv/bin/python" --constraints requirements.lock \
    "${wheel[0]}" coverage --group pyproject.toml:test
  "$work/venv/bin/python" -I -c '
import importlib.resources, sys
package = importlib.resources.files(sys.argv[1])
if not str(package).startswith(sys.prefix):
    sys.exit(f"{sys.argv[1]} comes from {package}, not from the wheel")
if not package.joinpath("py.typed").is_file():
    sys.exit(f"{sys.argv[1]}: py.typed is missing in the wheel")
' "$import_name"
  "$work/venv/bin/python" -m coverage run -m pytest -n auto --dist worksteal -q \
    --override-ini "cache_dir=$work/pytest" "tests/${package//-/_}"
}

for folder in "$@"; do
  package=${folder%/}
  check "${package##*/}"
done
