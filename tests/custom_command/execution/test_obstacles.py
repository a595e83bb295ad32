"""Where nothing can be confined, commands are refused, and it is told how they can be."""

import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tau_custom_command.cycle.execution import Ended, FailureReason
from tau_custom_command.execution.bubblewrap.obstacles import Facts, explain, facts
from tau_custom_command.execution.bubblewrap.seccomp import MACHINES, program
from tau_custom_command.execution.limits import Limits
from tau_custom_command.policy.model import SandboxProfile
from tests.custom_command.execution.runtime import Runtime
from tests.custom_command.execution.sandboxes import ended, invocation, needs_bubblewrap

NOTHING = Facts(unprivileged=None, most=None, apparmor=None, is_filtered=False)
NO_NAMESPACE = (
    "No permissions to create new namespace, likely because the kernel does not allow"
    " non-privileged user namespaces."
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make such a machine")


@pytest.mark.parametrize(
    ("said", "found", "remedy"),
    [
        (NO_NAMESPACE, {"unprivileged": "0"}, "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("Creating new namespace failed", {"most": "0"}, "sysctl -w user.max_user_namespaces"),
        (
            "setting up uid map: Permission denied",
            {"apparmor": "1"},
            "profile bwrap /usr/bin/bwrap",
        ),
        ("loopback: Failed RTM_NEWADDR", {"apparmor": "1"}, "/etc/apparmor.d/bwrap"),
        (
            "unshare: unshare failed: Operation not permitted",
            {"apparmor": "1"},
            "profile unshare /",
        ),
        (NO_NAMESPACE, {"is_filtered": True}, "seccomp=unconfined"),
        (NO_NAMESPACE, {"unprivileged": "1", "most": "9", "apparmor": "0"}, "the kernel refuses"),
        ("Can't mount proc on /newroot/proc", {}, "systempaths=unconfined"),
        ("Can't find source path /srv/x: Permission denied", {}, "--run-as UID"),
        ("Unknown option --disable-userns", {}, "0.8.0 is the first"),
        ("something else", {}, "the sandbox could not be set up"),
    ],
)
def test_each_obstacle_has_its_remedy(said: str, found: Mapping[str, Any], remedy: str) -> None:
    """By what bubblewrap says and what the kernel has; and what was said is told too."""
    told = explain(said, NOTHING._replace(**found))
    assert remedy in told
    assert told.endswith(said)


def test_an_obstacle_that_says_nothing() -> None:
    """Is one all the same."""
    assert explain("", NOTHING) == "the sandbox could not be set up"


def test_the_facts_are_those_of_the_kernel() -> None:
    """Read from where they are; what is not there is not known."""
    most = Path("/proc/sys/user/max_user_namespaces")
    assert facts().most == (most.read_text().strip() if most.exists() else None)


def refused(within: tuple[str, ...], workspace: Path, environment: Mapping[str, str]) -> Ended:
    """What comes of a command that a runtime is to confine on such a machine."""
    with Runtime(os.geteuid(), environment, within) as runtime:
        return runtime.ended(invocation(SandboxProfile.RESTRICTED, workspace, "true"))


@pytest.mark.parametrize("profile", [SandboxProfile.RESTRICTED, SandboxProfile.WORKSPACE_WRITE])
def test_without_bubblewrap(profile: SandboxProfile, workspace: Path) -> None:
    """Refused, never run in another way; unrestricted, which needs none, runs."""
    with Runtime(os.geteuid(), {"PATH": str(workspace)}) as runtime:
        found = runtime.ended(invocation(profile, workspace, "/bin/true"))
        assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
        assert "apt install bubblewrap" in found.explanation
        asked = invocation(SandboxProfile.UNRESTRICTED, workspace, "/bin/true")
        assert runtime.ended(asked).exit_code == 0


@pytest.mark.parametrize("profile", SandboxProfile)
def test_on_another_system(
    profile: SandboxProfile, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel has no descriptors of processes nothing is run, unrestricted neither."""
    monkeypatch.delattr(os, "pidfd_open")
    found = ended(invocation(profile, workspace, "true"))
    assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
    assert found.explanation.startswith("commands are confined by Linux alone")


@needs_bubblewrap
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "the sandbox could not be set up"),
        ("exit 0", "the sandbox could not be set up"),
        ("echo 'bwrap: Unknown option --disable-userns' >&2; exit 1", "0.8.0 is the first"),
        ("kill -9 $$", "the sandbox could not be set up"),
    ],
)
def test_a_bubblewrap_that_confines_nothing(script: str, why: str, workspace: Path) -> None:
    """Whatever it does, a command whose sandbox does not report is not started."""
    fake = workspace / "bwrap"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    found = refused((), workspace, {"PATH": f"{workspace}:/usr/bin:/bin"})
    assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
    assert found.explanation.startswith((why, "bubblewrap is too old"))


def test_a_sandbox_that_takes_too_long(workspace: Path) -> None:
    """It is a start that failed, as on a machine that has too much to do: it may be tried again."""
    fake = workspace / "bwrap"
    fake.write_text("#!/bin/sh\nexec sleep 20\n")
    fake.chmod(0o755)
    with Runtime(os.geteuid(), {"PATH": f"{workspace}:/usr/bin:/bin"}) as runtime:
        limits = Limits(setup_ms=300)
        asked = invocation(SandboxProfile.RESTRICTED, workspace, "true", limits=limits)
        found = runtime.ended(asked)
    assert (found.started, found.failure) == (False, FailureReason.SPAWN_ERROR)
    assert found.explanation == "the sandbox was not set up within 300 ms"


@needs_bubblewrap
@as_root
def test_in_a_container_whose_proc_is_masked(workspace: Path) -> None:
    """As in a nested container: the kernel then mounts no /proc that would show more."""
    within = ("unshare", "-m", "sh", "-c", 'mount --bind /dev/null /proc/keys && exec "$@"', "sh")
    found = refused(within, workspace, {})
    assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
    assert "systempaths=unconfined" in found.explanation


@needs_bubblewrap
@as_root
def test_under_a_filter_that_forbids_namespaces(workspace: Path) -> None:
    """As in a container with the usual filter."""
    (workspace / "filter").write_bytes(program(MACHINES[platform.machine()], allow_network=True))
    script = f'exec 9<{workspace}/filter; exec bwrap --dev-bind / / --seccomp 9 -- "$@"'
    found = refused(("sh", "-c", script, "sh"), workspace, {})
    assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
    assert "seccomp=unconfined" in found.explanation


@needs_bubblewrap
@as_root
def test_root_is_never_confined_as_root(workspace: Path) -> None:
    """A view that is read-only still shows root the files that only root may read."""
    with Runtime(0, {}) as runtime:
        asked = invocation(SandboxProfile.RESTRICTED, workspace, "true", run_as=0)
        found = runtime.ended(asked)
    assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
    assert "--run-as UID" in found.explanation


@needs_bubblewrap
@as_root
@pytest.mark.parametrize("user", [-1, 2**32 - 1, 2**32, 2**64])
def test_who_is_no_user_is_refused(user: int, workspace: Path) -> None:
    """The kernel takes the first of them for "change nothing": commands would be root's."""
    with Runtime(0, {}) as runtime:
        asked = invocation(SandboxProfile.RESTRICTED, workspace, "true", run_as=user)
        found = runtime.ended(asked)
    assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
    assert f"no user has the id {user}" in found.explanation


@needs_bubblewrap
@pytest.mark.parametrize("shell", ["bash", "busybox"])
def test_the_shell_of_another_system(shell: str, workspace: Path) -> None:
    """What waits in the sandbox is /bin/sh: bash on some systems, busybox on others."""
    program_file = shutil.which(shell)
    if program_file is None or os.geteuid() != 0:
        pytest.skip(f"needs root and {shell}")
    shell_file = workspace / "sh"
    shutil.copy(program_file, shell_file)
    mounted = f'mount --bind {shell_file} "$(readlink -f /bin/sh)" && exec "$@"'
    with Runtime(0, {}, ("unshare", "-m", "/bin/sh", "-c", mounted, "sh")) as runtime:

        def run(*words: str) -> Ended:
            return runtime.ended(invocation(SandboxProfile.RESTRICTED, workspace, *words))

        assert run("sh", "-c", "exit 7").exit_code == 7
        assert run("sh", "-c", "ulimit -v; ulimit -f").stdout.text == "4194304\n2097152\n"
        assert run("cat", "/proc/self/limits").stdout.text.count("256") >= 2
        assert run("nowhere").failure is FailureReason.EXECUTABLE_NOT_FOUND
        assert run("/etc/passwd").failure is FailureReason.SPAWN_ERROR
        assert run("sh", "-c", "exit 126").failure is FailureReason.NON_ZERO_EXIT


@needs_bubblewrap
@as_root
@pytest.mark.parametrize("user", [0, 65_533])
def test_where_mounts_are_shared_and_unshare_is_missing(user: int, workspace: Path) -> None:
    """Refused: what is mounted on the host meanwhile would arrive."""
    (workspace / "bwrap").symlink_to(str(shutil.which("bwrap")))
    shared = (str(shutil.which("unshare")), "--mount", "--propagation", "shared")
    with Runtime(user, {"PATH": str(workspace)}, shared) as runtime:
        found = runtime.ended(invocation(SandboxProfile.RESTRICTED, workspace, "true"))
    assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
    assert "install the package util-linux" in found.explanation


@needs_bubblewrap
@pytest.mark.parametrize("profile", SandboxProfile)
def test_where_ends_of_processes_are_ignored(profile: SandboxProfile, workspace: Path) -> None:
    """As by a parent that ignores SIGCHLD: the runtime hears of them all the same."""
    within = ("bash", "-c", 'trap "" CHLD; exec "$@"', "bash")
    with Runtime(os.geteuid(), {}, within) as runtime:
        for script, code in (("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 137)):
            found = runtime.ended(invocation(profile, workspace, "sh", "-c", script))
            assert found.exit_code == code
