"""`doctor` says what this machine can enforce, and sees it where a promise is not kept."""

import os
import subprocess
from pathlib import Path

import pytest

from tau_custom_command.execution.probes import PROBES
from tau_custom_command.execution.profiles import PROMISES
from tests.custom_command.execution.sandboxes import needs_bubblewrap
from tests.custom_command.running import COMMAND, Command

READ_ONLY = """
exec unshare --mount --propagation=private /bin/sh -c '
  mount --bind /var/tmp /var/tmp && mount -o remount,bind,ro /var/tmp && exec "$1" doctor' sh "$1"
"""
"""Asks on a machine on which nothing can be written in /var/tmp."""


def test_every_promise_is_probed() -> None:
    """None is told of that was not tried."""
    assert {each.promise for each in PROBES} == {
        promise for promises in PROMISES.values() for promise in promises
    }


@needs_bubblewrap
def test_a_machine_that_can_enforce_all_of_it(command: Command) -> None:
    """Exits with 0; each promise of each profile was tried and is kept."""
    found = command("doctor", "--json")
    told = found.json()
    assert (found.code, told["is_whole"]) == (0, True), told
    assert [each["refused"] for each in told["profiles"]] == [None] * 3
    for each in told["profiles"]:
        assert each["kept"]
        assert all(each["kept"].values())
    assert all(fact["holds"] for fact in told["network"])
    assert told["network"]


@needs_bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make such a machine")
def test_where_nothing_can_be_tried_it_says_why() -> None:
    """It names the folder that it needs, and does not blame stdout."""
    found = subprocess.run(
        ["/bin/sh", "-c", READ_ONLY, "sh", COMMAND], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (5, ""), found
    assert found.stderr == (
        "error: promises are tried with files in /var/tmp, which cannot be written: "
        "Read-only file system\n"
    )


@needs_bubblewrap
def test_what_people_see(command: Command) -> None:
    """A table, and the verdict below it."""
    found = command("doctor")
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[-1] == "✓ all of it can be enforced"
    assert any(line.split() == ["no", "network", "✓", "✓", "·"] for line in lines)
    assert max(map(len, lines)) <= 100


def test_without_bubblewrap(command: Command, tmp_path: Path) -> None:
    """The confined profiles are refused, and how to have them is told; exits with 3."""
    for name in ("sh", "sleep", "dd", "head", "rm", "ls", "grep"):
        program = next(
            path for path in (Path("/bin", name), Path("/usr/bin", name)) if path.exists()
        )
        (tmp_path / name).symlink_to(program)
    env = {"PATH": str(tmp_path)}
    found = command("doctor", env=env)
    assert found.code == 3
    last = found.out.splitlines()[-1]
    assert last.startswith("✗ restricted and workspace_write: commands are refused; bubblewrap")
    assert "apt install bubblewrap" in last
    told = command("doctor", "--json", env=env).json()
    assert all(told["profiles"][2]["kept"].values())
    assert not any(told["profiles"][0]["kept"].values())


@needs_bubblewrap
@pytest.mark.parametrize(
    ("words", "instead", "broken"),
    [
        ("--unshare-all", "--unshare-user --unshare-pid --unshare-ipc", "no network"),
        ("--seccomp", "--sync-fd", "fewer system calls"),
        ("/var/tmp", "/opt", "no sockets of the host"),  # noqa: S108 - an option's value
    ],
)
def test_a_promise_that_is_not_kept(
    command: Command, workspace: Path, words: str, instead: str, broken: str
) -> None:
    """It is seen, since it is tried: here bubblewrap is told to do less than it was asked."""
    fake = workspace / "bwrap"
    fake.write_text(
        "#!/bin/bash\nasked=()\n"
        f'for word; do [ "$word" = {words} ] && asked+=({instead}) || asked+=("$word"); done\n'
        'exec /usr/bin/bwrap "${asked[@]}"\n'
    )
    fake.chmod(0o755)
    found = command("doctor", "--json", env={"PATH": f"{workspace}:/usr/bin:/bin"})
    restricted = found.json()["profiles"][0]
    assert (found.code, restricted["refused"]) == (3, None)
    assert restricted["kept"].pop(broken) is False


@needs_bubblewrap
def test_a_name_that_is_not_resolved(command: Command) -> None:
    """It is told how a command comes to resolve names."""
    found = command("doctor", "--resolve", "tau-no-such-name.invalid")
    assert found.code == 3
    assert "✗ not so: the name tau-no-such-name.invalid is resolved; is it" in found.out


@needs_bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs commands as another user")
def test_why_a_workspace_cannot_be_written_is_told(command: Command, workspace: Path) -> None:
    """Whose it is to be, or that its folder cannot be searched; and nothing is left there."""
    workspace.chmod(0o755)
    os.chown(workspace, 0, 0)
    found = command("doctor", "--workspace", workspace)
    said = f"✗ not so: nobody (65534) can write in the workspace {workspace}; give it to that user"
    assert (found.code, said in found.out) == (3, True), found
    workspace.chmod(0o700)
    found = command("doctor", "--workspace", workspace)
    assert "let it search the folders above (chmod o+x), or name another user" in found.out
    os.chown(workspace, 65534, 65534)
    found = command("doctor", "--workspace", workspace, "--json")
    (fact,) = found.json()["workspace"]
    assert (found.code, fact["holds"], list(workspace.iterdir())) == (0, True, [])


@needs_bubblewrap
def test_the_workspace_of_the_runs_to_come(command: Command, tmp_path: Path) -> None:
    """One that they could not use is refused, and why is told."""
    found = command("doctor", "--workspace", tmp_path / "absent", "--json")
    told = found.json()["profiles"]
    assert found.code == 3
    assert told[0]["refused"] is None
    assert "make the folder" in told[1]["refused"]
