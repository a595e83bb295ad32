#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/check-release.sh TAG

TAG is a package's name, -v, and its version: tau-custom-command-v0.1.0. Checks that the package is
here, that its pyproject.toml has that version, and that its CHANGELOG.md has a dated entry for it
(## 0.1.0 - 2026-01-31). Prints the package's folder under packages/; exits with 1 if a check fails.
TEXT
}

fail() {
  echo "release: $*" >&2
  exit 1
}

unset CDPATH
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
case $# in
  1) [[ $1 != -h && $1 != --help ]] || { usage && exit 0; } ;;
  *) usage >&2 && exit 2 ;;
esac

pattern='^tau-([a-z-]+)-v([0-9]+\.[0-9]+\.[0-9]+)$'
[[ $1 =~ $pattern ]] || fail "'$1' is not a package, -v and a version, as in tau-custom-command-v0.1.0"
folder=${BASH_REMATCH[1]}
version=${BASH_REMATCH[2]}

cd -- "packages/$folder" 2>/dev/null || fail "there is no packages/$folder"
grep -qFx "version = \"$version\"" pyproject.toml ||
  fail "packages/$folder/pyproject.toml: the version is not $version; set it and tag that commit"
grep -qE "^## \[?${version//./\\.}\]? - [0-9]{4}-[0-9]{2}-[0-9]{2}$" CHANGELOG.md ||
  fail "packages/$folder/CHANGELOG.md: no entry '## $version - YYYY-MM-DD'; write what changed first"

echo "$folder"
