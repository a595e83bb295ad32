"""What each profile promises, as data: tests attempt to break each promise, `doctor` lists them.

The runbook's table is the same (custom-command-ops.md, "The sandbox").
"""

from collections.abc import Mapping
from enum import StrEnum

from tau_custom_command.policy.model import SandboxProfile


class Promise(StrEnum):
    """Something that a command cannot do, or that is done to it; in words for people."""

    HOMES_HIDDEN = "homes are hidden"
    OWN_FILES_HIDDEN = "state and rollouts are hidden"
    """They cannot be moved away either."""

    FILES_OF_OTHERS = "closed files stay closed"
    """Those that only root, or only another user, may read."""

    READ_ONLY = "writes in scratch alone"
    """Nothing else can be changed, neither modes nor times."""

    READ_ONLY_OUTSIDE = "writes in scratch and workspace"
    NO_NETWORK = "no network"
    """Not even this machine's own, nor sockets that have a path, wherever it is."""

    NO_SOCKETS_OF_THE_HOST = "no sockets of the host"
    """None under `/run`, `/tmp`, `/var/tmp` or a home, also where the network is allowed."""

    PROCESSES_HIDDEN = "no processes but its own"
    """Others cannot be seen, signalled, traced or read."""

    NO_PRIVILEGES = "no privileges"
    """There are none to be had: by setuid programs, devices, mounts, or settings of the kernel."""

    FEWER_SYSTEM_CALLS = "fewer system calls"
    """No namespaces, io_uring, keyrings, setuid bits, or typing into terminals; see `seccomp`."""

    NOTHING_IS_LEFT = "nothing that it starts is left"
    """It is gone before the result is recorded, and when the runtime is killed."""

    SESSION_ENDED = "nothing of its session is left"
    """What left the session is."""

    PROCESSES_LIMITED = "limit of processes"
    LIMITED = "limits of time, memory and files"


_CONFINED = frozenset(
    (
        Promise.HOMES_HIDDEN,
        Promise.OWN_FILES_HIDDEN,
        Promise.FILES_OF_OTHERS,
        Promise.NO_NETWORK,
        Promise.NO_SOCKETS_OF_THE_HOST,
        Promise.PROCESSES_HIDDEN,
        Promise.NO_PRIVILEGES,
        Promise.FEWER_SYSTEM_CALLS,
        Promise.NOTHING_IS_LEFT,
        Promise.PROCESSES_LIMITED,
        Promise.LIMITED,
    )
)

PROMISES: Mapping[SandboxProfile, frozenset[Promise]] = {
    SandboxProfile.RESTRICTED: _CONFINED | {Promise.READ_ONLY},
    SandboxProfile.WORKSPACE_WRITE: _CONFINED | {Promise.READ_ONLY_OUTSIDE},
    SandboxProfile.UNRESTRICTED: frozenset((Promise.LIMITED, Promise.SESSION_ENDED)),
}

NOT_WITH_NETWORK = frozenset((Promise.NO_NETWORK,))
"""What is not promised where a policy allows the network: it is the host's, with its loopback and
its abstract sockets."""
