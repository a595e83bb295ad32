#!/usr/bin/env bash
# Makes .venv: the locked dependencies, and the packages of this repository, editable.
# Does nothing when nothing changed. Says what it does on stderr; stdout stays empty.
# PYTHON names the interpreter to use; else a .venv keeps its own, and a new one takes the first
# of python3, python3.14 … python3.11 that is Python 3.11 or newer.
# With --system it then installs the Debian packages that only some tests need, where it is run as
# root and apt-get exists; elsewhere it says which programs are missing, and the tests that need
# them are skipped. With --missing it only prints the packages that are missing, a line each.
set -euo pipefail

# Nothing of another environment or of the caller's shell may leak in. Indexes and proxies may.
unset CDPATH PYTHONHOME PYTHONPATH VIRTUAL_ENV
unset PIP_PREFIX PIP_REQUIRE_VIRTUALENV PIP_ROOT PIP_TARGET PIP_USER
unset UV_PROJECT_ENVIRONMENT UV_PYTHON UV_SYSTEM_PYTHON UV_TARGET
export UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$root"
stamp=.venv/.setup-stamp
# What some tests start beside Python, each as PROGRAM=DEBIAN-PACKAGE. Of prometheus only promtool is
# used, which has no package of its own.
programs=(bwrap=bubblewrap chromium=chromium curl=curl jq=jq promtool=prometheus strace=strace)

say() { printf 'setup: %s\n' "$*" >&2; }

# Everything .venv depends on, as text: which interpreter, where, and the files it is made from.
inputs() {
  "${PYTHON:-.venv/bin/python}" -I -S -c 'import sys; print(sys.base_prefix, sys.version)' &&
    printf '%s\n' "$root" packages/*/ &&
    cat -- requirements.lock packages/*/pyproject.toml scripts/setup.sh
}

up_to_date() { [[ -f $stamp ]] && inputs 2>/dev/null | cmp -s -- - "$stamp"; }

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
    [[ $candidate != "${PYTHON:-}" ]] || break # what was asked for by name is not replaced
  done
  say "no Python 3.11 or newer found${PYTHON:+ at PYTHON=$PYTHON}; install one, or name one in PYTHON"
  return 1
}

# uv, in the version and with the hashes that requirements.lock has for it. Debian's Python has no
# ensurepip, other Pythons may have no pip: either is enough.
install_uv() {
  local python=$1 pip
  if "$python" -m pip --version >/dev/null 2>&1; then
    pip=("$python" -m pip --python .venv/bin/python)
  elif .venv/bin/python -m ensurepip >/dev/null 2>&1; then
    pip=(.venv/bin/python -m pip)
  else
    say "$python has neither pip nor ensurepip; install pip for it (Debian: apt install python3-pip)"
    return 1
  fi
  awk '/^[^ ]/ { wanted = /^uv==/ } wanted' requirements.lock >.venv/.uv-requirement
  PIP_DISABLE_PIP_VERSION_CHECK=1 "${pip[@]}" install --quiet --no-deps --only-binary :all: \
    --require-hashes --requirement .venv/.uv-requirement >&2
}

make_venv() {
  local python uv=.venv/bin/uv manifest
  python=$(find_python)
  say "making .venv with $("$python" --version)"
  rm -f -- "$stamp"
  rm -rf -- .venv
  "$python" -m venv --without-pip .venv
  install_uv "$python"

  say 'installing the locked dependencies'
  "$uv" pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock

  say 'installing the packages of this repository'
  # uv is its own build backend while its version is in a package's `build-system.requires`, so
  # nothing is downloaded here; without the network a mismatch fails instead of going unnoticed.
  local editables=()
  for manifest in packages/*/pyproject.toml; do
    editables+=(--editable "${manifest%/pyproject.toml}")
  done
  "$uv" pip install --quiet --offline --no-deps --python .venv/bin/python "${editables[@]}"
  # A source that does not compile is for the checks to report, not a reason to have no .venv.
  .venv/bin/python -m compileall -q packages/*/src >&2 || true

  # Last, and at once: a setup that was interrupted has no stamp and is done again.
  inputs >"$stamp.new"
  mv -- "$stamp.new" "$stamp"
  say 'done'
}

# The packages of those programs that are not there.
missing() {
  local pair
  for pair in "${programs[@]}"; do
    command -v "${pair%%=*}" >/dev/null || printf '%s\n' "${pair#*=}"
  done
}

install_system() {
  local packages
  mapfile -t packages < <(missing)
  ((${#packages[@]} > 0)) || return 0
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    say "some tests will be skipped; to run them, install: ${packages[*]}" \
      "(Debian, as root: ./scripts/setup.sh --system)"
    return 0
  fi
  say "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update >&2
  apt-get -qq install --yes --no-install-recommends "${packages[@]}" >&2
}

case ${1:-} in
  '' | --system) ;;
  --missing) missing && exit 0 ;;
  *) say "unknown argument '$1'; there are --system and --missing" && exit 2 ;;
esac

# One setup at a time, where flock exists; whoever waited may find the work done.
if ! up_to_date; then
  exec 9<scripts/setup.sh
  if command -v flock >/dev/null; then flock 9; fi
  up_to_date || make_venv
fi
if [[ ${1:-} == --system ]]; then install_system; fi
