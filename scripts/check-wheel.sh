#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/check-wheel.sh [--built DIR] [PACKAGE…]

Builds each package's source archive, and its wheel from that; installs the wheel, alone, with its
locked dependencies, in an empty environment; and runs the package's own tests there, then with all
its extras those that need one. Installs the source archive in another one, and starts the program.
PACKAGE is a folder under packages/; without one, all are checked. What was built stays in
.cache/wheels/PACKAGE/dist/, what the tests covered in .cache/coverage/.

  --built DIR  build nothing: check the archive and the wheel of PACKAGE, just one, that DIR holds
TEXT
}

unset CDPATH
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
built=''
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  --built)
    (($# == 3)) || { usage >&2 && exit 2; }
    built=$(cd -- "$2" && pwd -P)
    shift 2
    ;;
  -*) usage >&2 && exit 2 ;;
esac
cd -- "$root"
(($# > 0)) || set -- packages/*/

./scripts/setup.sh
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV
export UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1
uv=.venv/bin/uv

only_file() { # PATTERN-MATCHES…: prints the one file that there is
  [[ $# == 1 && -f $1 ]] || { echo "not one file, but $#: $*" >&2 && return 1; }
  printf '%s\n' "$1"
}

has_license() { # FILE NAMES: the licence goes with whatever is handed on
  grep -qE '^[^/]+(\.dist-info/licenses)?/LICENSE$' <<<"$2" || { echo "$1: no LICENSE" >&2 && return 1; }
}

check_archive() { # PACKAGE ARCHIVE WORK: it is whole, and installs alone; its wheel is what is tested
  has_license "$2" "$(tar --list --gzip --file "$2")"
  "$uv" venv --quiet --no-project --python .venv/bin/python "$3/venv-of-archive"
  UV_COMPILE_BYTECODE=0 "$uv" pip install --quiet --python "$3/venv-of-archive/bin/python" \
    --constraints requirements.lock "$2"
  "$3/venv-of-archive/bin/tau-$1" --help >/dev/null
}

check_extras() { # PACKAGE WHEEL WORK: what needs an extra, and was skipped without
  local python=$3/venv/bin/python skipped=$3/pytest/d/without-library/tests extras
  extras=$("$python" -I -c '
import importlib.metadata, sys
print(*(importlib.metadata.metadata(sys.argv[1]).get_all("Provides-Extra") or ()), sep=",")
' "tau-$1")
  [[ -n $extras ]] || return 0
  [[ -s $skipped ]] || { echo "$1: no test needs $extras" >&2 && return 1; }
  "$uv" pip install --quiet --python "$python" --constraints requirements.lock \
    "tau-$1[$extras] @ file://$(realpath "$2")" --group pyproject.toml:stores
  mv -- "$skipped" "$3/tests-of-extras"
  "$python" -m coverage run -m pytest -n auto --dist worksteal -q \
    -m 'not exhaustive' --override-ini "cache_dir=$3/pytest" "@$3/tests-of-extras"
  if [[ -s $skipped ]]; then
    echo "$1: skipped also with all extras:" >&2 && cat -- "$skipped" >&2 && return 1
  fi
}

check() {
  local package=$1 import_name=tau_${1//-/_} work=.cache/wheels/$1 dist wheel archive
  dist=${built:-$work/dist}
  rm -rf -- "$work/venv" "$work/venv-of-archive"
  if [[ -z $built ]]; then
    rm -rf -- "$dist"
    "$uv" build --quiet --offline --out-dir "$dist" "packages/$package"
  fi
  wheel=$(only_file "$dist/$import_name"-*.whl)
  archive=$(only_file "$dist/$import_name"-*.tar.gz)
  echo "${built:+was }built ${wheel##*/}"
  has_license "$wheel" "$(.venv/bin/python -m zipfile --list "$wheel" | sed 's/ .*//')"
  check_archive "$package" "$archive" "$work"

  "$uv" venv --quiet --no-project --python .venv/bin/python "$work/venv"
  "$uv" pip install --quiet --python "$work/venv/bin/python" --constraints requirements.lock \
    "$wheel" coverage --group pyproject.toml:test
  "$work/venv/bin/python" -I -c '
import importlib.resources, sys
package = importlib.resources.files(sys.argv[1])
if not str(package).startswith(sys.prefix):
    sys.exit(f"{sys.argv[1]} comes from {package}, not from the wheel")
if not package.joinpath("py.typed").is_file():
    sys.exit(f"{sys.argv[1]}: py.typed is missing in the wheel")
' "$import_name"
  "$work/venv/bin/python" -m coverage run -m pytest -n auto --dist worksteal -q \
    -m 'not exhaustive' --override-ini "cache_dir=$work/pytest" "tests/${package//-/_}"
  check_extras "$package" "$wheel" "$work"
}

for folder in "$@"; do
  package=${folder%/}
  check "${package##*/}"
done
