"""Finds out what this machine can enforce, by running real processes under each profile."""

import os
import platform
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.cycle.execution import Ended
from tau_custom_command.errors import StorageError
from tau_custom_command.execution.bubblewrap.view import CERTIFICATES
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.probes import PROBES, WRITES_IN_WORKSPACE, Probe
from tau_custom_command.execution.profiles import PROMISES
from tau_custom_command.execution.run import hear_of_ends, probe, run
from tau_custom_command.policy.model import SandboxProfile

_AT_A_TIME = 8


class Asked(NamedTuple):
    """What to try it with: the paths and the user of the runs to come, and a name to resolve."""

    state_dir: Path
    workspace: Path | None
    run_as: int
    name: str


class Row(NamedTuple):
    """Something that is promised, and whether a profile keeps it: None, if it makes no promise."""

    what: str
    kept: Mapping[SandboxProfile, bool | None]


class Fact(NamedTuple):
    """Something that was tried, whether it holds, and what to do where it does not."""

    what: str
    holds: bool
    remedy: str


class Checkup(NamedTuple):
    """What this machine can enforce.

    Which bubblewrap there is, on what system, and who runs confined commands; why a profile cannot
    be had; what each keeps; what a command can do that may use the network; and whether it can
    write in the workspace that was named.
    """

    bubblewrap: str | None
    system: str
    user: str
    refused: Mapping[SandboxProfile, str]
    rows: tuple[Row, ...]
    network: tuple[Fact, ...]
    memory: str
    workspace: tuple[Fact, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every profile can be had, and keeps all that it promises."""
        kept = all(kept is not False for row in self.rows for kept in row.kept.values())
        facts = (*self.network, *self.workspace)
        return not self.refused and kept and all(fact.holds for fact in facts)


def examine(asked: Asked) -> Checkup:
    """Try everything; in the main thread."""
    hear_of_ends()
    with ExitStack() as stack:
        trial = _Trial(stack, asked)
        refused = {
            profile: why
            for profile in SandboxProfile
            if (why := probe(trial.invocation(profile, "true"))) is not None
        }
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            rows = [pool.submit(trial.row, each, refused) for each in PROBES]
            network = pool.submit(lambda: tuple(trial.network(refused)))
            workspace = pool.submit(lambda: tuple(trial.workspace(refused)))
            return Checkup(
                bubblewrap=_bubblewrap(),
                system=f"{platform.system()} {platform.release()}, {platform.machine()}",
                user=_user(asked.run_as),
                refused=refused,
                rows=tuple(row.result() for row in rows),
                network=network.result(),
                memory=_memory(),
                workspace=workspace.result(),
            )


class _Trial:
    """What the scripts are run with: a socket, a workspace, and the paths of the runs to come."""

    def __init__(self, stack: ExitStack, asked: Asked) -> None:
        self._asked = asked
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp"))
        except OSError as error:
            why = f"which cannot be written: {error.strerror}"
            raise StorageError(f"promises are tried with files in /var/tmp, {why}") from None
        Path(folder).chmod(0o755)
        self._socket = Path(folder, "socket")
        stack.enter_context(socket.socket(socket.AF_UNIX)).bind(str(self._socket))
        self._workspace = asked.workspace
        if self._workspace is None:
            self._workspace = Path(folder, "workspace")
            self._workspace.mkdir()
            self._workspace.chmod(0o777)  # for whoever commands run as

    def invocation(self, profile: SandboxProfile, *words: str) -> Invocation:
        """A command as the runs to come will have it."""
        return Invocation(
            words,
            profile=profile,
            workspace=self._workspace,
            hidden=(self._asked.state_dir.absolute(),),
            run_as=self._asked.run_as,
        )

    def row(self, each: Probe, refused: Mapping[SandboxProfile, str]) -> Row:
        """Run a script under each profile that promises what it shows."""
        kept = {
            profile: None
            if each.promise not in PROMISES[profile]
            else profile not in refused and each.is_kept(self._run(profile, each))
            for profile in SandboxProfile
        }
        return Row(each.what, kept)

    def network(self, refused: Mapping[SandboxProfile, str]) -> Iterator[Fact]:
        """Resolve a name, and read the certificates, as a command that may use the network does."""
        if SandboxProfile.RESTRICTED in refused:
            return
        name = self._asked.name
        yield Fact(
            f"the name {name} is resolved",
            self._with_network("getent", "hosts", name),
            "is it resolved outside? then /etc/resolv.conf and /etc/nsswitch.conf lead to what a"
            " command cannot reach, such as a socket under /run: use one that leads to a server",
        )
        for path in CERTIFICATES:
            if path.is_file():
                yield Fact(
                    f"{path} can be read",
                    self._with_network("head", "-c", "1", str(path)),
                    "have the file it leads to be one that everybody may read",
                )

    def workspace(self, refused: Mapping[SandboxProfile, str]) -> Iterator[Fact]:
        """Write in the workspace that was named, as a command does; else its profile only fails."""
        if self._asked.workspace is None or SandboxProfile.WORKSPACE_WRITE in refused:
            return
        user = _user(self._asked.run_as)
        tried = _ended(
            self.invocation(
                SandboxProfile.WORKSPACE_WRITE,
                *("/bin/sh", "-c", WRITES_IN_WORKSPACE, "doctor", "", "", "", str(self._workspace)),
            )
        )
        yield Fact(
            f"{user} can write in the workspace {self._asked.workspace}",
            tried.exit_code == 0,
            "give it to that user (chown), or name another one: --run-as UID",
        )

    def _with_network(self, *words: str) -> bool:
        asked = self.invocation(SandboxProfile.RESTRICTED, *words)
        return _ended(asked._replace(allow_network=True)).exit_code == 0

    def _run(self, profile: SandboxProfile, each: Probe) -> Ended:
        paths = (Path.home(), self._asked.state_dir.absolute(), self._socket, self._workspace)
        words = ("/bin/sh", "-c", each.script, "doctor", *map(str, paths))
        return _ended(self.invocation(profile, *words)._replace(limits=each.limits))


def _ended(asked: Invocation) -> Ended:
    return run(asked, about_to_start=lambda: None, cancelled=Cancellation())


def _bubblewrap() -> str | None:
    found = shutil.which("bwrap")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - it is what confines
    return said.stdout.strip() or found


def _user(run_as: int) -> str:
    number = run_as if os.geteuid() == 0 else os.geteuid()
    try:
        return f"{pwd.getpwuid(number).pw_name} ({number})"
    except KeyError:
        return str(number)


def _memory() -> str:
    """How memory can be limited here: by process, and by a control group where one is delegated."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        path = next(line[3:] for line in lines if line.startswith("0::"))
        group = Path("/sys/fs/cgroup" + path)
        has_memory = "memory" in (group / "cgroup.controllers").read_text().split()
        is_delegated = has_memory and os.access(group / "cgroup.subtree_control", os.W_OK)
    except (OSError, StopIteration):
        is_delegated = False
    if is_delegated:
        return "memory is limited for each process; the control group that is delegated is not used"
    return "memory is limited for each process; no control group is delegated to the runtime"
