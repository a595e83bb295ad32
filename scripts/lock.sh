#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/lock.sh [--check | --upgrade]

Makes requirements.lock, every dependency with its version and hashes, from pyproject.toml and
packages/*/pyproject.toml. Versions that are locked already stay.

  --check    change nothing; exit 1 if requirements.lock is out of date
  --upgrade  take the newest versions that fit
TEXT
}

unset CDPATH
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
case ${1:-} in
  '' | --check | --upgrade) mode=${1:-} ;;
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
esac

export UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never
PATH="$root/.venv/bin:$PATH"
command -v uv >/dev/null || { echo 'lock: no uv; run scripts/setup.sh, or install uv' >&2 && exit 1; }

# uv's own lock names the index it was made from, so it lives and dies in a scratch directory.
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cd -- "$root"
for manifest in pyproject.toml packages/*/pyproject.toml; do
  mkdir -p -- "$scratch/$(dirname -- "$manifest")"
  cp -- "$manifest" "$scratch/$manifest"
done

# What is locked now holds as a constraint: a lock made twice is the same lock. It is added to the
# workspace's own table, since uv takes no constraints from a uv.toml beside a pyproject.toml.
if [[ $mode != --upgrade && -f requirements.lock ]]; then
  {
    echo 'constraint-dependencies = ['
    sed -n "s/^\([A-Za-z0-9].*==.*[^ ]\) *\\\\\$/  \"\1\",/p" requirements.lock
    echo ']'
  } >"$scratch/constraints"
  sed -i "/^\[tool\.uv\]\$/r $scratch/constraints" "$scratch/pyproject.toml"
fi

cd -- "$scratch"
uv lock --quiet || {
  echo 'lock: no solution with the versions locked now; --upgrade lets them move' >&2
  exit 1
}
{
  echo '# Made by scripts/lock.sh from pyproject.toml and packages/*/pyproject.toml.'
  uv export --quiet --locked --no-header --all-packages --all-extras --all-groups --no-emit-workspace
} >requirements.lock

if [[ $mode == --check ]]; then
  # Without the hashes: a file that was added to a version later makes no other lock.
  diff <(grep -v -e --hash= "$root/requirements.lock") <(grep -v -e --hash= requirements.lock) >&2 || {
    echo 'lock: requirements.lock is out of date; run scripts/lock.sh' >&2
    exit 1
  }
else
  cp -- requirements.lock "$root/requirements.lock"
fi
