"""What a confined command sees, and what of the operator's paths is refused."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution.bubblewrap.view import view
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.sandbox import NotStartedError
from tau_custom_command.policy.model import SandboxProfile
from tests.custom_command.execution.runtime import Runtime
from tests.custom_command.execution.sandboxes import CONFINED, ended, invocation, needs_bubblewrap

WRITING = SandboxProfile.WORKSPACE_WRITE


def refusal(workspace: Path | None, *hidden: Path) -> str:
    """Why a workspace, and folders that are to be hidden, cannot be had together."""
    with pytest.raises(NotStartedError) as raised:
        view(Invocation(("true",), profile=WRITING, workspace=workspace, hidden=hidden))
    assert raised.value.failure is FailureReason.SANDBOX_UNAVAILABLE
    return str(raised.value)


def test_a_workspace_is_needed_where_one_is_granted(workspace: Path) -> None:
    """Nothing is guessed: neither the current folder nor one that is not there."""
    assert "--workspace DIR" in refusal(None)
    assert "make the folder" in refusal(workspace / "absent")


@pytest.mark.parametrize("path", ["/", "/tmp", "/var", "/home", "/root", "/run"])  # noqa: S108 - not used
def test_a_workspace_shows_nothing_that_is_hidden(path: str) -> None:
    """A home, or where programs leave their sockets, is no workspace; nor what holds one."""
    if Path(path).resolve() != Path(path):
        pytest.skip(f"{path} is a link here")
    assert "choose a folder in it" in refusal(Path(path))


@pytest.mark.parametrize("path", ["/proc/sys", "/sys/fs", "/dev/shm"])  # noqa: S108 - not used
def test_a_workspace_is_none_of_the_kernel(path: str) -> None:
    """Writable as root, and no folder of anybody's."""
    assert "where no command may write" in refusal(Path(path))


@needs_bubblewrap
@pytest.mark.parametrize("profile", CONFINED)
def test_a_state_directory_in_memory_is_hidden(profile: SandboxProfile, workspace: Path) -> None:
    """Below /dev/shm nothing of the host's is seen, and commands run all the same."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        (Path(folder) / "state.json").touch()
        Path(folder).chmod(0o755)
        asked = invocation(profile, workspace, "ls", "-A", "/dev/shm", hidden=(Path(folder),))  # noqa: S108
        found = ended(asked)
    assert (found.exit_code, found.stdout.text) == (0, "")


def test_the_home_of_the_runtime_is_no_workspace(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is called; a folder in it can be one."""
    monkeypatch.setenv("HOME", str(workspace))
    assert "choose a folder in it" in refusal(workspace)
    (workspace / "inside").mkdir()
    asked = Invocation(("true",), profile=WRITING, workspace=workspace / "inside")
    assert view(asked).working_directory == str(workspace / "inside")


def test_a_workspace_inside_a_state_directory(workspace: Path) -> None:
    """Refused: what it is to show is to be hidden."""
    (workspace / "in/state").mkdir(parents=True)
    assert "where no command may write" in refusal(workspace / "in/state", workspace / "in")
    assert "where no command may write" in refusal(workspace, workspace)


def test_a_state_directory_behind_a_link_in_the_workspace(workspace: Path) -> None:
    """A command could have the link lead elsewhere, where a state of its own making is."""
    (workspace / "real").mkdir()
    (workspace / "ws").mkdir()
    (workspace / "ws/link").symlink_to(workspace / "real")
    assert "the link" in refusal(workspace / "ws", workspace / "ws/link")
    assert "the link" in refusal(workspace / "ws", workspace / "ws/link/state")


def test_what_programs_need_is_not_hidden() -> None:
    """A state directory that holds the system is a mistake of the operator's, and told."""
    assert "programs need what is in it" in refusal(None, Path("/"))
    assert "programs need what is in it" in refusal(None, Path("/usr"))


@needs_bubblewrap
def test_what_is_hidden_below_a_closed_folder(workspace: Path) -> None:
    """The user that commands run as need not be able to reach it; commands run all the same."""
    place = Path("/opt" if os.geteuid() == 0 else workspace, f"tau-closed-{os.getpid()}")
    state = place / "closed/state"
    state.mkdir(parents=True)
    (place / "closed").chmod(0o700)
    try:
        asked = invocation(
            SandboxProfile.RESTRICTED, workspace, "ls", str(place / "closed"), hidden=(state,)
        )
        found = ended(asked)
        assert found.started, found.explanation
        assert "state" not in found.stdout.text
    finally:
        shutil.rmtree(place)


@needs_bubblewrap
def test_a_file_is_hidden_too(workspace: Path) -> None:
    """What is named may be a file: nothing can be read from it then."""
    secret = workspace / "secret"
    secret.write_text("hunter22")
    asked = invocation(WRITING, workspace, "cat", str(secret), hidden=(secret,))
    found = ended(asked)
    assert (found.started, found.stdout.text) == (True, "")


@needs_bubblewrap
def test_a_workspace_is_where_the_command_works(workspace: Path) -> None:
    """It starts there, writes there, and what it has written stays; in scratch nothing does."""
    script = "pwd; echo kept > file; echo gone > $TMPDIR/file; ls -A $TMPDIR"
    found = ended(invocation(WRITING, workspace, "sh", "-c", script))
    assert found.working_directory == str(workspace)
    assert found.stdout.text.splitlines()[0] == str(workspace)
    assert (workspace / "file").read_text() == "kept\n"
    found = ended(invocation(SandboxProfile.RESTRICTED, workspace, "ls", "-A"))
    assert (found.stdout.text, found.working_directory) == ("", "/tmp")  # noqa: S108 - its own


@needs_bubblewrap
def test_a_workspace_that_the_user_cannot_reach(workspace: Path) -> None:
    """It is told who cannot reach what, and how that is mended."""
    if os.geteuid() != 0:
        pytest.skip("only root runs commands as somebody else")
    (workspace / "closed/inside").mkdir(parents=True)
    (workspace / "closed").chmod(0o700)
    found = ended(invocation(WRITING, workspace / "closed/inside", "true"))
    assert (found.started, found.failure) == (False, FailureReason.SANDBOX_UNAVAILABLE)
    assert "--run-as UID" in found.explanation


@needs_bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have another /etc for a moment")
@pytest.mark.parametrize("allow_network", [True, False])
def test_names_are_resolved_though_run_is_hidden(workspace: Path, *, allow_network: bool) -> None:
    """With the network the files that links in /etc lead to are seen; nothing else of /run is."""
    run = Path("/run", f"tau-resolve-{os.getpid()}")
    run.mkdir()
    etc = workspace / "etc"
    try:
        subprocess.run(["/bin/cp", "-a", "/etc", etc], check=True)
        (run / "stub.conf").write_text("nameserver 127.0.0.53\n")
        (run / "other").write_text("x")
        (etc / "resolv.conf").unlink()
        (etc / "resolv.conf").symlink_to(run / "stub.conf")
        within = ("unshare", "-m", "sh", "-c", f'mount --bind {etc} /etc && exec "$@"', "sh")
        script = f"cat /etc/resolv.conf; ls {run}"
        asked = invocation(SandboxProfile.RESTRICTED, workspace, "sh", "-c", script)
        with Runtime(0, {}, within) as runtime:
            found = runtime.ended(asked._replace(allow_network=allow_network))
        seen = "nameserver 127.0.0.53\nstub.conf\n" if allow_network else ""
        assert found.stdout.text == seen
    finally:
        shutil.rmtree(run)


@needs_bubblewrap
def test_the_network_is_shared_where_it_is_allowed(workspace: Path) -> None:
    """The interfaces are the host's; without it there is one, and it leads nowhere."""
    own = Path("/proc/net/dev").read_text().count(":")
    asked = invocation(SandboxProfile.RESTRICTED, workspace, "cat", "/proc/net/dev")
    assert ended(asked._replace(allow_network=True)).stdout.text.count(":") == own
    assert ended(asked).stdout.text.count(":") == 1
