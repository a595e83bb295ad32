"""What each profile promises, as data: tests attempt to break each promise, `doctor` lists them.

The runbook's table is the same (custom-command-ops.md, "The sandbox").
"""

from collections.abc import Mapping
from enum import StrEnum

from tau_custom_command.policy.model import SandboxProfile


class Promise(StrEnum):
    """Something that a command cannot do, or that is done to it; in words for people."""

    HOMES_HIDDEN = "homes cannot be read"
    OWN_FILES_HIDDEN = "state and rollout directories cannot be read or replaced"
    FILES_OF_OTHERS = "it is no privileged user: what others may not read stays closed"
    READ_ONLY = "nothing is written or changed outside the scratch directory"
    READ_ONLY_OUTSIDE = "nothing is written or changed outside the scratch directory and workspace"
    NO_NETWORK = "no network, not even this machine's"
    NO_SOCKETS_OF_THE_HOST = "no socket under /run, /tmp, /var/tmp or a home can be reached"
    PROCESSES_HIDDEN = "other processes cannot be seen, signalled, traced or read"
    NO_PRIVILEGES = "no privileges can be had: no setuid programs, no devices, no mounts"
    FEWER_SYSTEM_CALLS = "no user namespaces, io_uring, keyrings, or typing into terminals"
    NOTHING_IS_LEFT = "everything that it started is gone before its result is recorded"
    PROCESSES_LIMITED = "the number of its processes is limited"
    SESSION_ENDED = "what is left of its session is ended; what left the session is not"
    LIMITED = "limits on time, processor, memory, the size of files and of output; no core files"


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
