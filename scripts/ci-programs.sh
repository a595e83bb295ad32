#!/usr/bin/env bash
set -euo pipefail

# For a hosted Linux runner, as its user: what some tests start, as scripts/setup.sh lists it, and leave
# to make user namespaces, without which bubblewrap confines nothing and its tests are skipped. Changes
# the machine; on your own use ./scripts/setup.sh --system.
[[ ${CI:-} == true ]] || { echo 'ci-programs: only where CI=true' >&2 && exit 2; }

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# No chromium: there it is a snap, and the runner has a browser that the tests find.
mapfile -t packages < <(./scripts/setup.sh --missing | grep -vx chromium)
sudo apt-get -qq update
sudo apt-get -qq install --yes --no-install-recommends "${packages[@]}"
restricted=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
[[ ! -e $restricted ]] || sudo sysctl --quiet --write kernel.apparmor_restrict_unprivileged_userns=0
