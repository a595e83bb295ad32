"""What a confined command sees of the file system, as words for bubblewrap.

All of it read-only, less what is hidden: places where programs leave sockets and files for each
other, the homes, and what the runtime itself writes. Writable is the scratch directory, which takes
the place of `/tmp`, and the workspace where the profile grants one.
"""

import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.sandbox import NotStartedError
from tau_custom_command.policy.model import SandboxProfile

_SCRATCH = Path("/tmp")  # noqa: S108 - what it stands for inside is a directory of the run's own
_HIDDEN = (_SCRATCH, Path("/var/tmp"), Path("/run"), Path("/root"), Path("/home"))  # noqa: S108
_DEVICES = Path("/dev")
_OF_THE_KERNEL = (_DEVICES, Path("/proc"), Path("/sys"))
_NEEDED = frozenset(
    above
    for path in (*map(Path, ("/bin", "/etc", "/lib", "/sbin", "/usr")), *_OF_THE_KERNEL)
    for above in (path, *path.parents)
)
"""What no program runs without, and what holds it: never hidden, even if an account of the system
has its home there."""

CERTIFICATES = tuple(
    map(
        Path,
        (
            "/etc/ssl/cert.pem",
            "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
        ),
    )
)
"""Where systems keep whom to trust, each its own place."""

_FOR_THE_NETWORK = (
    *map(Path, ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf")),
    *CERTIFICATES,
)
"""How names are resolved and who is trusted: often links that lead to what is hidden."""


class View(NamedTuple):
    """What is seen: as words for bubblewrap; the scratch directory; where the command starts."""

    words: tuple[str, ...]
    scratch: str
    working_directory: str


def view(invocation: Invocation) -> View:
    """Say what a command sees.

    Raises:
        NotStartedError: where a path of the operator's cannot be had together with the promises.
    """
    scratch = _real(_SCRATCH)
    user = invocation.run_as if os.geteuid() == 0 else os.geteuid()
    hidden = list(_hidden(user))
    asked = [_real(path) for path in invocation.hidden if path.exists()]
    # What is below /dev, as memory of the host is, the sandbox's own /dev hides already.
    own = [_reachable(path, user) for path in asked if not path.is_relative_to(_DEVICES)]
    for path in own:
        if path in _NEEDED:
            raise _refused(f"{path} is to be hidden from commands, and programs need what is in it")
    workspace = _workspace(invocation, hidden)
    within = {path for path in own if workspace and path.is_relative_to(workspace)}
    inside = _outermost(within)
    outside = _outermost([*hidden, *(set(own) - within)])
    size = ("--perms", "0700", "--size", str(invocation.limits.scratch_bytes))
    words = [
        *("--ro-bind", "/", "/", "--dev", "/dev", "--remount-ro", "/dev", "--proc", "/proc"),
        # The first process of the sandbox is bubblewrap's, of the same user: whoever can write into
        # its memory outlives the runtime.
        *("--tmpfs", "/proc/1", "--remount-ro", "/proc/1"),
        # Some settings belong to the namespaces of the sandbox, and with them to its user.
        *("--remount-ro", "/proc"),
        *(word for path in outside for word in (*(size if path == scratch else ()), *_hide(path))),
        *(_shown(outside) if invocation.allow_network else ()),
        *(_writable(workspace, inside) if workspace else ()),
    ]
    for path in sorted({*outside, *inside} - {scratch}):
        if path.is_dir():
            words += ("--remount-ro", str(path))
    return View(tuple(words), str(scratch), str(workspace or scratch))


def _real(path: Path) -> Path:
    """Where a path leads; as far as that can be told of links that lead in a circle."""
    return Path(os.path.realpath(path))


def _refused(explanation: str) -> NotStartedError:
    return NotStartedError(FailureReason.SANDBOX_UNAVAILABLE, explanation)


def _hidden(user: int) -> Iterator[Path]:
    homes = [Path(os.environ["HOME"])] if os.environ.get("HOME") else []
    for each in {os.geteuid(), user}:
        try:
            homes.append(Path(pwd.getpwuid(each).pw_dir))
        except KeyError:  # a user without an account has no home
            continue
    for path in dict.fromkeys((*_HIDDEN, *homes)):
        real = _real(path)
        if real not in _NEEDED and real.is_dir():
            yield real


def _reachable(path: Path, user: int) -> Path:
    """The path, or the first folder above it that does not let the user pass.

    What is in that folder is hidden from the user already, and nothing can be mounted there.
    """
    for folder in reversed(path.parents):
        status = folder.stat()
        bit = stat.S_IXUSR if status.st_uid == user else stat.S_IXOTH
        if not status.st_mode & bit:
            return folder
    return path


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths, less those that lie in another one of them; a folder before what it holds."""
    kept: list[Path] = []
    for path in sorted(set(paths)):  # what a folder holds follows it at once
        if not kept or not path.is_relative_to(kept[-1]):
            kept.append(path)
    return kept


def _workspace(invocation: Invocation, hidden: list[Path]) -> Path | None:
    """The workspace, if the profile grants one."""
    if invocation.profile is not SandboxProfile.WORKSPACE_WRITE:
        return None
    if invocation.workspace is None:
        raise _refused("the profile workspace_write needs a folder to write in: --workspace DIR")
    path = _real(invocation.workspace)
    if not path.is_dir():
        raise _refused(f"the workspace {path} is not there; make the folder")
    if shown := next((each for each in hidden if each.is_relative_to(path)), None):
        raise _refused(f"the workspace {path} would show {shown}; choose a folder in it")
    beyond = (*_OF_THE_KERNEL, *map(_real, invocation.hidden))
    if holder := next((each for each in beyond if path.is_relative_to(each)), None):
        raise _refused(f"the workspace {path} is in {holder}, where no command may write")
    links = (link for each in invocation.hidden for link in _links_within(path, each))
    if link := next(links, None):
        raise _refused(
            f"a path of the runtime's goes through the link {link}, which a command could replace"
            " in the workspace; name the folder itself"
        )
    return path


def _links_within(workspace: Path, path: Path) -> Iterator[Path]:
    """Yield the links in the workspace that a path goes through."""
    absolute = path.absolute()
    for each in (*reversed(absolute.parents), absolute):
        if each.is_symlink() and _real(each.parent).is_relative_to(workspace):
            yield each


def _writable(workspace: Path, hidden: list[Path]) -> Iterator[str]:
    """Show the workspace, and hide what it has of the runtime's."""
    yield from ("--bind", str(workspace), str(workspace))
    # What is mounted on cannot be renamed. Otherwise a command could move the state directory away
    # together with a folder that holds it, and leave one of its own making there.
    for path in sorted({up for each in hidden for up in _between(workspace, each)}):
        yield from ("--bind", str(path), str(path))
    for path in hidden:
        yield from _hide(path)


def _between(workspace: Path, path: Path) -> Iterator[Path]:
    """Yield the folders in the workspace that hold a path."""
    return (each for each in path.parents if workspace in each.parents)


def _hide(path: Path) -> tuple[str, ...]:
    if path.is_dir():
        return ("--tmpfs", str(path))
    return ("--ro-bind", "/dev/null", str(path))


def _shown(hidden: list[Path]) -> Iterator[str]:
    for path in sorted({_real(each) for each in _FOR_THE_NETWORK if each.is_file()}):
        if any(path.is_relative_to(each) for each in hidden):
            yield from ("--ro-bind", str(path), str(path))
