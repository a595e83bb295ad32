"""How much a command may take: of time, of the machine, and of the scratch directory.

The numbers are the runbook's (custom-command-ops.md, "Limits of a command").
"""

import os
import resource
from collections.abc import Iterator
from typing import NamedTuple

from tau_custom_command.limits import MIB

_GIB = 1024 * MIB
_CORES = os.cpu_count() or 1


class Limits(NamedTuple):
    """What a command may take.

    Args:
        timeout_ms: How long it may run.
        cpu_seconds: Time of the processor for each of its processes; None: as much as all cores
            give within the time limit.
        memory_bytes: Address space of each of its processes; None: no limit. Node and what runs
            WASM reserve more than they use, and need that.
        file_bytes: The largest file that it may write.
        processes: Processes and threads at a time; only where it has a user namespace of its own,
            since the kernel counts those of a user.
        scratch_bytes: What fits into the scratch directory, which is memory.
        stop_grace_ms: How long it may take to end after SIGTERM, before SIGKILL.
        drain_ms: How long its output is read on after its end.
        setup_ms: How long its sandbox may take to be set up, before it starts.
    """

    timeout_ms: int = 30_000
    cpu_seconds: int | None = None
    memory_bytes: int | None = 4 * _GIB
    file_bytes: int = _GIB
    processes: int = 256
    scratch_bytes: int = 256 * MIB
    stop_grace_ms: int = 2_000
    drain_ms: int = 1_000
    setup_ms: int = 10_000


class KernelLimit(NamedTuple):
    """What the kernel is to enforce: which resource, from where on it warns, and the most."""

    kind: int
    soft: int
    hard: int


def kernel_limits(limits: Limits, *, counts_processes: bool) -> Iterator[KernelLimit]:
    """Yield what the kernel is to enforce, no more than the runtime itself may have."""
    cpu_seconds = limits.cpu_seconds or -(-limits.timeout_ms * _CORES // 1000)
    # At the first, SIGXCPU; a second later, SIGKILL.
    yield _at_most(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)
    yield _at_most(resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes)
    if limits.memory_bytes is not None:
        yield _at_most(resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes)
    if counts_processes:
        yield _at_most(resource.RLIMIT_NPROC, limits.processes, limits.processes)


def _at_most(kind: int, soft: int, hard: int) -> KernelLimit:
    most = resource.getrlimit(kind)[1]
    if most == resource.RLIM_INFINITY:
        return KernelLimit(kind, soft, hard)
    return KernelLimit(kind, min(soft, most), min(hard, most))


def leave_no_core() -> None:
    """Have neither the runtime, which holds secrets, nor what it starts leave a core file.

    The limit is 1 byte: with 0, a kernel that pipes core files to a program still does so.
    """
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    limit = 1 if most == resource.RLIM_INFINITY else min(1, most)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
