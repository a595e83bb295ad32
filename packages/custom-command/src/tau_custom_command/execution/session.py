"""The processes of a session: those that a command started and that did not leave it.

A process that made a session of its own (`setsid`, a daemon) is not found: only a namespace of
processes, which the confined profiles have, holds those too.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

from tau_custom_command.execution.handle import LONGEST_DEATH_MS, Handle

_LOOK_UP_AT_MOST = 500
"""So many numbers are asked for one by one, at 0.3 µs each; to list all processes takes longer."""

_MOST_ROUNDS = 20


def end(leader: int) -> tuple[bool, bool]:
    """Kill all processes of a session but its leader, which has ended and was not waited for.

    Returns:
        Whether there were any, and whether all are gone.
    """
    for killed_before in range(_MOST_ROUNDS):  # one may have started another meanwhile
        with ExitStack() as stack:
            alive = [stack.enter_context(each) for each in _alive(leader)]
            if not alive:
                return killed_before > 0, True
            for each in alive:
                each.send(signal.SIGKILL)
            if not all(each.has_ended(within_ms=LONGEST_DEATH_MS) for each in alive):
                break
    return True, False


def members(leader: int) -> Iterator[int]:
    """The numbers of the processes of a session, but its leader's."""
    return (pid for pid in _candidates(leader) if pid != leader and _session_of(pid) == leader)


def _alive(leader: int) -> Iterator[Handle]:
    """Take hold of each process of the session that has not ended."""
    for pid in members(leader):
        try:
            handle = Handle(pid)
        except ProcessLookupError:
            continue
        # Asked again: the number may have passed on to another before there was a hold on it.
        if _session_of(pid) == leader and not handle.has_ended():
            yield handle
        else:
            with handle:
                continue


def _candidates(leader: int) -> Iterator[int]:
    """The numbers of the processes that may be of the session: those given out since, or all."""
    newest = int(told("/proc/loadavg").split()[-1])
    if leader <= newest <= leader + _LOOK_UP_AT_MOST:
        return iter(range(leader + 1, newest + 1))
    return (int(each.name) for each in os.scandir("/proc") if each.name.isdecimal())


def told(path: str) -> bytes:
    """What the kernel tells in a small file of /proc; for each command, so without `pathlib`.

    Raises:
        OSError: where there is no such file.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
