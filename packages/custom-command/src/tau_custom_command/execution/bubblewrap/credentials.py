"""Has one thread be another user for a moment, so that what it starts meanwhile is that user's.

A process that is to be another user's is usually forked off and changes itself. That copies the map
of the runtime's memory for each command, which takes several times as long as to start one. But
Linux keeps a user for each thread, and only the C library makes one of them all. So the calls are
made here by their numbers, and what is started shares the runtime's memory until it executes its
program.

For that moment processes of the user, outside any sandbox, may send the runtime signals (kill(2)):
one that is killed so leaves what one leaves that is killed at any other.
"""

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple


class _Calls(NamedTuple):
    """How the kernel numbers its calls (unistd.h of a processor)."""

    setgroups: int
    setresgid: int
    setresuid: int


_MACHINES = {"x86_64": _Calls(116, 119, 117), "aarch64": _Calls(159, 149, 147)}
_CLEAR_AMBIENT = (47, 4, 0, 0, 0)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL: linux/prctl.h


@contextmanager
def thread_of(user: int, group: int) -> Iterator[None]:
    """Have the calling thread be a user with one group; it is root before and afterwards.

    What is executed meanwhile cannot become root again. The thread can, since it keeps that right,
    and other threads go on as root. As it keeps that right, the kernel would also leave it, and
    what it executes, the ambient capabilities that a service manager gave: root, which has all
    without them, gives them up for good.

    Raises:
        OSError: where the kernel refuses it, as in a container without the right to.
    """
    users, groups, others = os.getresuid(), os.getresgid(), os.getgroups()
    _library()[0].prctl(*_CLEAR_AMBIENT)  # fails only where the kernel knows of none
    _set_groups(())
    try:
        _call("setresgid", group, group, group)
        _call("setresuid", user, user, 0)
        yield
    finally:
        _call("setresuid", 0, 0, 0)  # with which it may do the rest
        _call("setresgid", *groups)
        _set_groups(others)
        _call("setresuid", *users)


def _set_groups(groups: Sequence[int]) -> None:
    _call("setgroups", len(groups), (_library()[1].c_uint32 * len(groups))(*groups))


def _call(name: str, *arguments: object) -> None:
    library, ctypes = _library()
    if library.syscall(getattr(_MACHINES[platform.machine()], name), *arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


@cache
def _library() -> tuple[Any, Any]:
    """The C library, and what calls it."""
    import ctypes  # noqa: PLC0415 - only a runtime of root's should pay for it

    return ctypes.CDLL(None, use_errno=True), ctypes
