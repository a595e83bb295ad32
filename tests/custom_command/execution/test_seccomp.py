"""The filter answers as its table says, for each machine: read here as the kernel reads it."""

import re
import struct
from pathlib import Path

import pytest

from tau_custom_command.execution.bubblewrap import seccomp
from tau_custom_command.execution.bubblewrap.seccomp import MACHINES, Machine

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
NO_PERMISSION, MISSING, NO_ACCESS = 0x50001, 0x50026, 0x5000D
CLONE_THREAD, CLONE_NEWUSER, CLONE_NEWPID = 0x3D0F00, 0x10000000, 0x20000000
MODES = {
    "chmod": 1,
    "creat": 1,
    "fchmod": 1,
    "mknod": 1,
    "fchmodat": 2,
    "fchmodat2": 2,
    "mknodat": 2,
}
OPENING = {"open": 2, "openat": 3}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def answer(
    machine: Machine, call: int, *arguments: int, arch: int | None = None, network: bool = False
) -> int:
    """What the filter answers to a system call."""
    program = seccomp.program(machine, allow_network=network)
    six = (*arguments, *[0] * 6)[:6]
    data = struct.pack("=IIQ6Q", call, arch or machine.audit_arch, 0, *six)
    instructions = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        code, if_true, if_false, value = instructions[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(hex(code))


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    """Each machine that there is a filter for."""
    return MACHINES[request.param]


def test_what_a_command_may_not_call(machine: Machine) -> None:
    """Each call of the table is refused; two are missing, so that programs do without."""
    for name, number in machine.calls.items():
        if name not in {"clone", "ioctl", "socket", "socketpair", *MODES, *OPENING}:
            refused = MISSING if name in {"clone3", "openat2"} else NO_PERMISSION
            assert answer(machine, number) == refused, name


def test_everything_else_is_allowed(machine: Machine) -> None:
    """The filter is a list of what is denied; the last call that was looked at is the limit."""
    for number in set(range(467)) - set(machine.calls.values()):
        assert answer(machine, number) == ALLOWED, number


@pytest.mark.parametrize("number", [467, 1000, 0x40000000, 0x40000000 + 101, 0xFFFFFFFF])
def test_calls_that_nobody_has_looked_at_are_missing(machine: Machine, number: int) -> None:
    """Those of later kernels, and those of the x32 ABI."""
    assert answer(machine, number) == MISSING


@pytest.mark.parametrize("arch", [0x40000003, 0x40000028, 1])
def test_programs_of_another_machine_are_killed(machine: Machine, arch: int) -> None:
    """Those of 32 bits, whose calls have other numbers."""
    assert answer(machine, 0, arch=arch) == KILLED


def test_processes_and_threads_may_be_made_and_namespaces_not(machine: Machine) -> None:
    """By the flags of clone, whatever stands beside them."""
    clone = machine.calls["clone"]
    assert answer(machine, clone, 17) == ALLOWED
    assert answer(machine, clone, CLONE_THREAD) == ALLOWED
    assert answer(machine, clone, CLONE_NEWUSER | 17) == NO_PERMISSION
    assert answer(machine, clone, CLONE_THREAD | CLONE_NEWPID) == NO_PERMISSION
    assert answer(machine, clone, 1 << 32 | CLONE_NEWUSER) == NO_PERMISSION


def test_nothing_is_typed_into_a_terminal(machine: Machine) -> None:
    """By the lower half of the request, which is all that the kernel looks at."""
    ioctl = machine.calls["ioctl"]
    assert answer(machine, ioctl, 0, 0x5401) == ALLOWED
    for request in (0x5412, 0x541C, 1 << 32 | 0x5412):
        assert answer(machine, ioctl, 0, request) == NO_PERMISSION


def test_no_program_is_made_another_users(machine: Machine) -> None:
    """By the mode, and only where a file is made: else it may be anything."""
    of_files = {name: at for name, at in (MODES | OPENING).items() if name in machine.calls}
    assert len(of_files) == (9 if "open" in machine.calls else 5)
    for name, place in of_files.items():
        call, before = machine.calls[name], [0] * place
        for flags in (0o100, 0o20200000, 1 << 32 | 0o101):
            if name in OPENING:
                before[-1] = flags
            for mode in (0, 0o644, 0o1777, 0o100755):
                assert answer(machine, call, *before, mode) == ALLOWED, name
            for mode in (0o4755, 0o2755, 0o106777, 1 << 32 | 0o4000):
                assert answer(machine, call, *before, mode) == NO_PERMISSION, name
        if name in OPENING:
            before[-1] = 0o2000002
            assert answer(machine, call, *before, 0o6777) == ALLOWED, name


@pytest.mark.parametrize("network", [True, False])
def test_kinds_of_sockets(machine: Machine, *, network: bool) -> None:
    """Those of a network namespace; with the network also those that have a path or a name."""
    call, pair = machine.calls["socket"], machine.calls["socketpair"]
    allowed = {2, 10, 16} | ({1} if network else set())
    for family in range(64):
        expected = ALLOWED if family in allowed else NO_ACCESS
        assert answer(machine, call, family, network=network) == expected
        expected = ALLOWED if family == 1 else NO_ACCESS
        assert answer(machine, pair, family, network=network) == expected


@pytest.mark.parametrize("name", MACHINES)
def test_the_numbers_are_those_of_the_kernel(name: str) -> None:
    """Where its headers are installed."""
    if not HEADERS[name].is_file():
        pytest.skip(f"{HEADERS[name]} is not installed")
    found = dict(re.findall(r"define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[name].read_text()))
    newer = {"fchmodat2"} - found.keys()  # of Linux 6.6, which headers may be older than
    calls = {call: number for call, number in MACHINES[name].calls.items() if call not in newer}
    assert calls == {call: int(found[call]) for call in calls}
