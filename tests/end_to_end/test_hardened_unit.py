"""What hardens the runbook's units leaves bubblewrap its work (custom-command-ops.md, "A timer").

Each setting is made here as systemd makes it: by mounts, and by what rights a process is left with.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.custom_command.execution.sandboxes import WHY_NOT
from tests.end_to_end.test_timers import COMMAND, units

USER = 65_533
MADE_HERE = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
}
"""The settings that the script below makes."""

SCRIPT = """
set -e
for writable in /tmp /var/tmp "$1"; do mount --bind "$writable" "$writable"; done
mount -o remount,bind,ro /
for home in /home /root; do
  if [ -d "$home" ]; then mount -t tmpfs -o ro,mode=000 none "$home"; fi
done
eval "$2"
shift 2
exec setpriv --reuid=65533 --regid=65533 --clear-groups --no-new-privs --bounding-set=-all \\
  --inh-caps=-all "$@"
"""
"""Starts a command as a unit does: the folder that it may write in, more, the command."""

UNSHARE, SETPRIV = shutil.which("unshare") or "", shutil.which("setpriv") or ""


def why_not() -> str:
    """Why no such machine can be made here; empty if it can."""
    if WHY_NOT is not None:
        return f"cannot confine: {WHY_NOT}"
    if os.geteuid() != 0 or not UNSHARE or not SETPRIV:
        return "needs root, unshare and setpriv (util-linux)"
    paths = (Path(sys.executable).resolve(), COMMAND)
    if any(path.is_relative_to(home) for path in paths for home in ("/root", "/home")):
        return "the program lies in a home, which such a unit does not see"
    other = [SETPRIV, f"--reuid={USER}", "--clear-groups", str(COMMAND), "--help"]
    reached = subprocess.run(other, capture_output=True, check=False).returncode == 0
    return "" if reached else "another user cannot reach the command"


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder of the unit's user, which systemd makes for `StateDirectory`."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        os.chown(name, USER, USER)
        yield Path(name)


def doctor(state: Path, more: str = "") -> "subprocess.CompletedProcess[str]":
    """Ask under the rights of the unit, and `more`, what can be enforced."""
    command = (COMMAND, "doctor", "--state-dir", state / "state")
    return subprocess.run(
        [UNSHARE, "--mount", "--propagation=private", "/bin/sh", "-c", SCRIPT, "sh"]
        + [str(word) for word in (state, more, *command)],
        cwd="/",
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_setting_that_hardens_is_made_here() -> None:
    """So that none gets into the runbook that was not tried."""
    named = re.compile(
        r"^(\w*(?:Protect|Private|Restrict|Privileges|Capabilit|Filter)\w*)=(.*)$", re.MULTILINE
    )
    services = [text for name, text in units().items() if name.endswith(".service")]
    assert [dict(named.findall(text)) for text in services] == [MADE_HERE] * 2


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "such a machine can be made")
def test_commands_are_confined_within_the_unit(state: Path) -> None:
    """All promises can be kept; with a setting that the runbook warns of it says why not."""
    good = doctor(state)
    assert (good.returncode, "all of it can be enforced" in good.stdout) == (0, True), good
    tunables = doctor(state, "mount -o bind,ro /proc/sys /proc/sys")
    assert (tunables.returncode, "/proc is masked" in tunables.stdout) == (3, True), tunables
