"""How bubblewrap is started: as whom, and where no mount of the host arrives."""

import os
import pwd
import shutil
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution.bubblewrap import obstacles
from tau_custom_command.execution.sandbox import NotStartedError
from tau_custom_command.limits import LARGEST_USER


class Launch(NamedTuple):
    """The words to start bubblewrap's with; and as whom: user and group, None for the runtime's."""

    words: tuple[str, ...] = ()
    whom: tuple[int, int] | None = None


def launch(run_as: int) -> Launch:
    """How bubblewrap is started: as somebody without privileges where the runtime is root.

    Where the host's mounts are shared, as systemd has them, what is mounted while a command runs
    would arrive in its sandbox too, writable; and an automounter mounts what a command merely looks
    at. Bubblewrap does not prevent it, so it is started where mounts are private.

    Raises:
        NotStartedError: if commands were to be root's or nobody's, or a program for it is missing.
    """
    is_root = os.geteuid() == 0
    if is_root and run_as == 0:
        raise NotStartedError(
            FailureReason.SANDBOX_UNAVAILABLE,
            "root is not confined by a view that is read-only; name another user: --run-as UID",
        )
    if is_root and not 0 < run_as <= LARGEST_USER:  # it would go on as root, or not be a number
        raise NotStartedError(
            FailureReason.SANDBOX_UNAVAILABLE,
            f"no user has the id {run_as}; name another one: --run-as UID",
        )
    group = _group(run_as)
    if not _mounts_arrive():
        return Launch((), (run_as, group)) if is_root else Launch()
    private = ("--mount", "--propagation", "private")
    if is_root:
        return Launch((_unshare(), *private, "--setgid", str(group), "--setuid", str(run_as), "--"))
    return Launch((_unshare(), "--user", "--map-current-user", *private, "--"))


def _group(user: int) -> int:
    try:
        return pwd.getpwuid(user).pw_gid
    except KeyError:
        return user


def _mounts_arrive() -> bool:
    """Tell whether any mount has others that share with it, or that it receives from."""
    mounts = Path("/proc/self/mountinfo").read_text()
    return " shared:" in mounts or " master:" in mounts


def _unshare() -> str:
    found = shutil.which("unshare")
    if found is None:
        raise NotStartedError(FailureReason.SANDBOX_UNAVAILABLE, obstacles.NO_UNSHARE)
    return found
