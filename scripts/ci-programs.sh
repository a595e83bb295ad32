#!/usr/bin/env bash
set -euo pipefail

# For a hosted Linux runner, as its user: the Debian packages that some tests start (scripts/setup.sh
# names them), and leave to make user namespaces, without which bubblewrap confines nothing and its
# tests are skipped. Changes the machine; on your own use ./scripts/setup.sh --system.
[[ ${CI:-} == true ]] || { echo 'ci-programs: only where CI=true' >&2 && exit 2; }

sudo apt-get -qq update
sudo apt-get -qq install --yes --no-install-recommends bubblewrap curl jq strace
restricted=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
[[ ! -e $restricted ]] || sudo sysctl --quiet --write kernel.apparmor_restrict_unprivileged_userns=0
