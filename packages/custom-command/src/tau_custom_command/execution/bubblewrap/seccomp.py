"""The system calls that no confined command may make, as data, and as the kernel reads them. Pure.

A filter of the kernel (seccomp, classic BPF) is a list of instructions; it is asked before each
system call. What it stops is what namespaces and dropped capabilities leave open: calls with much
of the kernel behind them, those that know no namespaces, those that reach other processes,
those that give memory which is in no process's address space, where its limit would not hold, and
those that make a setuid program, which would be left in the workspace for every user of the host.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

EPERM, ENOSYS, EACCES = 1, 38, 13

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16

_LAST_KNOWN = 466
"""removexattrat, of Linux 6.13: later calls are told to be missing, until they were looked at.

So are those of the x32 ABI, whose numbers begin at 2^30.
"""

_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_NEW_NAMESPACES = 0x7E02_0000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""


_O_CREAT, _O_TMPFILE, _SET_ID = 0o100, 0o20000000, 0o6000
_MODE_AT = {
    "chmod": 1,
    "creat": 1,
    "fchmod": 1,
    "fchmodat": 2,
    "fchmodat2": 2,
    "mknod": 1,
    "mknodat": 2,
    "open": 2,
    "openat": 3,
}
"""Which argument is the mode of a file; of those that open one, the flags stand before it."""


class Machine(NamedTuple):
    """How a processor's calls are numbered: its name for the kernel, and a number for each name."""

    audit_arch: int
    calls: dict[str, int]


_SAME_EVERYWHERE = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "openat2": 437,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "fchmodat2": 452,
}

MACHINES = {
    "x86_64": Machine(
        0xC000_003E,
        {
            **_SAME_EVERYWHERE,
            "open": 2,
            "ioctl": 16,
            "shmget": 29,
            "socket": 41,
            "socketpair": 53,
            "clone": 56,
            "creat": 85,
            "chmod": 90,
            "fchmod": 91,
            "ptrace": 101,
            "syslog": 103,
            "mknod": 133,
            "uselib": 134,
            "vhangup": 153,
            "modify_ldt": 154,
            "pivot_root": 155,
            "chroot": 161,
            "acct": 163,
            "mount": 165,
            "umount2": 166,
            "swapon": 167,
            "swapoff": 168,
            "reboot": 169,
            "iopl": 172,
            "ioperm": 173,
            "init_module": 175,
            "delete_module": 176,
            "quotactl": 179,
            "lookup_dcookie": 212,
            "kexec_load": 246,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "openat": 257,
            "mknodat": 259,
            "fchmodat": 268,
            "unshare": 272,
            "perf_event_open": 298,
            "fanotify_init": 300,
            "name_to_handle_at": 303,
            "open_by_handle_at": 304,
            "setns": 308,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "kcmp": 312,
            "finit_module": 313,
            "memfd_create": 319,
            "kexec_file_load": 320,
            "bpf": 321,
            "userfaultfd": 323,
        },
    ),
    "aarch64": Machine(
        0xC000_00B7,
        {
            **_SAME_EVERYWHERE,
            "lookup_dcookie": 18,
            "ioctl": 29,
            "mknodat": 33,
            "umount2": 39,
            "mount": 40,
            "pivot_root": 41,
            "chroot": 51,
            "fchmod": 52,
            "fchmodat": 53,
            "openat": 56,
            "vhangup": 58,
            "quotactl": 60,
            "acct": 89,
            "unshare": 97,
            "kexec_load": 104,
            "init_module": 105,
            "delete_module": 106,
            "syslog": 116,
            "ptrace": 117,
            "reboot": 142,
            "shmget": 194,
            "socket": 198,
            "socketpair": 199,
            "add_key": 217,
            "request_key": 218,
            "keyctl": 219,
            "clone": 220,
            "swapon": 224,
            "swapoff": 225,
            "perf_event_open": 241,
            "fanotify_init": 262,
            "name_to_handle_at": 264,
            "open_by_handle_at": 265,
            "setns": 268,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "kcmp": 272,
            "finit_module": 273,
            "memfd_create": 279,
            "bpf": 280,
            "userfaultfd": 282,
            "kexec_file_load": 294,
        },
    ),
}
"""By what `uname -m` says. The numbers are those of the kernel's headers."""

_JUDGED_BY_ARGUMENTS = ("clone", "ioctl", "socket", "socketpair", *_MODE_AT)
_TOLD_TO_BE_MISSING = ("clone3", "openat2")
"""Their flags lie in memory, where a filter cannot look. Programs use clone and openat then."""

# Instructions: load a word of what is known of the call, compare, mask, answer.
_LOAD, _EQUAL, _AT_LEAST, _AND, _ANSWER = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL, _ERROR = 0x7FFF_0000, 0x8000_0000, 0x0005_0000


def program(machine: Machine, *, allow_network: bool) -> bytes:
    """The filter, for a command that may use the host's network or not.

    Without the network a command may have sockets of its own network namespace, and pairs of
    sockets, but none of the kinds that know no such namespace, and none that finds a path.
    """
    families = (AF_INET, AF_INET6, AF_NETLINK, *((AF_UNIX,) if allow_network else ()))
    return b"".join(_instructions(machine, families))


def _instructions(machine: Machine, families: tuple[int, ...]) -> Iterator[bytes]:
    yield _load(_ARCH_AT)
    yield from _unless_equal(machine.audit_arch, _KILL)  # 32-bit programs have other numbers
    yield _load(_NUMBER_AT)
    yield _do(_AT_LEAST, _LAST_KNOWN + 1, skip_if_not=1)
    yield _do(_ANSWER, _ERROR | ENOSYS)
    for name, number in machine.calls.items():
        if name not in _JUDGED_BY_ARGUMENTS:
            error = ENOSYS if name in _TOLD_TO_BE_MISSING else EPERM
            yield from _if_equal(number, _ERROR | error)
    for name in filter(machine.calls.__contains__, _JUDGED_BY_ARGUMENTS):
        judgement = tuple(_by_arguments(name, families))
        yield _do(_EQUAL, machine.calls[name], skip_if_not=len(judgement))
        yield from judgement
    yield _do(_ANSWER, _ALLOW)


def _by_arguments(name: str, families: tuple[int, ...]) -> Iterator[bytes]:
    """Judge a call by the lower half of one argument, which is all that the kernel looks at."""
    match name:
        case "clone":
            yield _load(_ARGUMENTS_AT)
            yield _do(_AND, _NEW_NAMESPACES)
            yield from _unless_equal(0, _ERROR | EPERM)
        case "ioctl":  # what types into the terminal, or pastes
            yield _load(_ARGUMENTS_AT + 8)
            yield from _if_equal(_TIOCSTI, _ERROR | EPERM)
            yield from _if_equal(_TIOCLINUX, _ERROR | EPERM)
        case "socket":
            yield _load(_ARGUMENTS_AT)
            for family in families:
                yield from _if_equal(family, _ALLOW)
            yield _do(_ANSWER, _ERROR | EACCES)
        case "socketpair":
            yield _load(_ARGUMENTS_AT)
            yield from _unless_equal(AF_UNIX, _ERROR | EACCES)
        case _:
            yield from _by_mode(_MODE_AT[name], opens=name in {"open", "openat"})
    yield _do(_ANSWER, _ALLOW)


def _by_mode(place: int, *, opens: bool) -> Iterator[bytes]:
    """Refuse the bits for another user or group in a mode; what makes no file has no mode."""
    if opens:
        yield _load(_ARGUMENTS_AT + 8 * (place - 1))
        yield _do(_AND, _O_CREAT | _O_TMPFILE)
        yield from _if_equal(0, _ALLOW)
    yield _load(_ARGUMENTS_AT + 8 * place)
    yield _do(_AND, _SET_ID)
    yield from _unless_equal(0, _ERROR | EPERM)


def _if_equal(value: int, answer: int) -> Iterator[bytes]:
    yield _do(_EQUAL, value, skip_if_not=1)
    yield _do(_ANSWER, answer)


def _unless_equal(value: int, answer: int) -> Iterator[bytes]:
    yield _do(_EQUAL, value, skip_if=1)
    yield _do(_ANSWER, answer)


def _load(offset: int) -> bytes:
    return _do(_LOAD, offset)


def _do(code: int, value: int, *, skip_if: int = 0, skip_if_not: int = 0) -> bytes:
    return struct.pack("=HBBI", code, skip_if, skip_if_not, value)
