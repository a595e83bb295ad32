"""How it is seen on a machine that a promise is kept: a short script of the shell for each.

A script is run as commands are. The tests attempt much more; these need nothing but a shell and its
usual programs.
"""

from collections.abc import Callable
from typing import NamedTuple

from tau_custom_command.cycle.execution import Ended, FailureReason
from tau_custom_command.execution.limits import Limits
from tau_custom_command.execution.profiles import Promise
from tau_custom_command.limits import MIB

HOME, STATE, SOCKET, WORKSPACE = "$1", "$2", "$3", "$4"
"""The arguments of each script: paths that the doctor knows on the host."""


def _exits_with_zero(ended: Ended) -> bool:
    return ended.started and ended.exit_code == 0


def _was_left_behind(ended: Ended) -> bool:
    return ended.started and ended.left_behind


def _was_timed_out(ended: Ended) -> bool:
    return ended.failure is FailureReason.TIMEOUT


def _failed(ended: Ended) -> bool:
    return ended.started and ended.failure is FailureReason.NON_ZERO_EXIT


class Probe(NamedTuple):
    """A script that shows whether a promise is kept, and how it is told from what came of it."""

    promise: Promise
    what: str
    script: str
    limits: Limits = Limits(timeout_ms=10_000)
    is_kept: Callable[[Ended], bool] = _exits_with_zero


_FILE = ".tau-doctor"
# In a shell of its own each time: a redirection that fails ends the shell.
_OUTSIDE = (
    f'for d in / /etc /usr /var/tmp /dev/shm /run "{HOME}"; do'
    f' ! (: > "$d/{_FILE}") 2>/dev/null || exit 1; done'
)
_SCRATCH = f'(: > "$TMPDIR/{_FILE}")'
WRITES_IN_WORKSPACE = f'(: > "{WORKSPACE}/{_FILE}") 2>/dev/null && rm "{WORKSPACE}/{_FILE}"'

P = Promise
PROBES = (
    Probe(P.HOMES_HIDDEN, P.HOMES_HIDDEN, f'[ -z "$(ls -A "{HOME}" 2>/dev/null)" ]'),
    Probe(P.OWN_FILES_HIDDEN, P.OWN_FILES_HIDDEN, f'[ -z "$(ls -A "{STATE}" 2>/dev/null)" ]'),
    Probe(P.FILES_OF_OTHERS, P.FILES_OF_OTHERS, '[ "$(id -u)" != 0 ] && ! [ -r /etc/shadow ]'),
    Probe(P.READ_ONLY, P.READ_ONLY, f"{_OUTSIDE}; {_SCRATCH} && ! {{ {WRITES_IN_WORKSPACE}; }}"),
    Probe(
        P.READ_ONLY_OUTSIDE,
        P.READ_ONLY_OUTSIDE,
        f"{_OUTSIDE}; {_SCRATCH} && {WRITES_IN_WORKSPACE}",
    ),
    Probe(P.NO_NETWORK, P.NO_NETWORK, '[ "$(grep -c : /proc/net/dev)" = 1 ]'),
    Probe(P.NO_SOCKETS_OF_THE_HOST, P.NO_SOCKETS_OF_THE_HOST, f'! [ -e "{SOCKET}" ]'),
    Probe(P.PROCESSES_HIDDEN, P.PROCESSES_HIDDEN, "set -- /proc/[0-9]*; [ $# -lt 6 ]"),
    Probe(
        P.NO_PRIVILEGES,
        P.NO_PRIVILEGES,
        "grep -q '^CapEff:[[:space:]]*0*$' /proc/self/status"
        " && grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/self/status",
    ),
    Probe(
        P.FEWER_SYSTEM_CALLS,
        P.FEWER_SYSTEM_CALLS,
        "grep -q '^Seccomp:[[:space:]]*2$' /proc/self/status && ! unshare -U true 2>/dev/null",
    ),
    Probe(P.NOTHING_IS_LEFT, P.NOTHING_IS_LEFT, "sleep 60 &", is_kept=_was_left_behind),
    Probe(P.SESSION_ENDED, P.SESSION_ENDED, "sleep 60 &", is_kept=_was_left_behind),
    Probe(
        P.PROCESSES_LIMITED,
        P.PROCESSES_LIMITED,
        "for i in 1 2 3 4 5 6 7 8; do sleep 0.2 & done; wait",
        Limits(processes=4),
        _failed,
    ),
    Probe(P.LIMITED, "limit of time", "sleep 5", Limits(timeout_ms=200), _was_timed_out),
    Probe(
        P.LIMITED,
        "limit of processor time",
        "while :; do :; done",
        Limits(timeout_ms=20_000, cpu_seconds=1),
        _failed,
    ),
    Probe(
        P.LIMITED,
        "limit of memory, for each process",
        "dd if=/dev/zero of=/dev/null bs=256M count=1",
        Limits(memory_bytes=128 * MIB),
        _failed,
    ),
    Probe(
        P.LIMITED,
        "limit of the size of files",
        # Under unrestricted a limit holds from a moment after the start on.
        'sleep 0.5; head -c 100000 /dev/zero > "${TMPDIR:-/tmp}/.tau-doctor-file"; code=$?;'
        ' rm -f "${TMPDIR:-/tmp}/.tau-doctor-file"; exit $code',
        Limits(file_bytes=64 * 1024),
        _failed,
    ),
    Probe(P.LIMITED, "no core files", "[ $(ulimit -c) = 0 ]"),
)
