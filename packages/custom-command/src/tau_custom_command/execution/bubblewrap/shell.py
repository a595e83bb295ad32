"""The shell that waits in a sandbox, until it executes the command in its own place."""

import os
import resource
import select
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import NamedTuple

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.limits import Limits, kernel_limits
from tau_custom_command.execution.sandbox import NotStartedError

_SCRIPT = r"""
set -f
tau_found() {
  case $1 in
    -*) return 1 ;;
    */*) [ -e "$1" ]; return ;;
  esac
  IFS=:
  for tau_folder in $PATH; do
    [ -f "$tau_folder/$1" ] && return
  done
  return 1
}
if tau_found "$1"; then printf +; else printf -; fi >&0
IFS= read -r tau_seal || exit 1
trap 'printf %s "$tau_seal" >&2' EXIT
shopt -s execfail 2>/dev/null
exec "$@" </dev/null
trap - EXIT
printf %s "$tau_seal" >&2
exit 126
"""
"""Says whether the program is there, and waits for a line.

That line is the seal. Where the kernel does not execute the program, it stands at the end of stderr
after the reason. A command cannot write it: it was never in an environment or an argument. A shell
ends where it cannot execute; bash forgets its trap then, unless it is told to go on.
"""

_LIMIT_FLAGS = {
    resource.RLIMIT_CPU: ("-t", 1),
    resource.RLIMIT_FSIZE: ("-f", 512),
    resource.RLIMIT_AS: ("-v", 1024),
}
"""How `ulimit` calls a limit, and in what units of bytes it counts."""

_CREDENTIALS = struct.Struct("3i")  # of the sender: process, user, group


class Heard(NamedTuple):
    """What the shell said once it was there: which process it is, and whether it can be used."""

    pid: int
    finds_program: bool


class Shell:
    """The runtime's side of it. The shell's stdin is one end of a pair of sockets."""

    def __init__(self, stack: ExitStack) -> None:
        """Make the pair of sockets, which is closed at the stack's end."""
        self._channel, self.inner_end = map(stack.enter_context, socket.socketpair())
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._seal = os.urandom(16).hex().encode()

    def words(self, invocation: Invocation, environment: Mapping[str, str]) -> tuple[str, ...]:
        """How it is started. Its variables are named as none of the command's is."""
        prefix = "tau_"
        while any(name.startswith(prefix) for name in environment):
            prefix += "_"
        script = "".join(_limiting(invocation.limits)) + _SCRIPT.replace("tau_", prefix)
        return ("/bin/sh", "-c", script, "command", *invocation.words)

    def hear(self, within_ms: int) -> Heard | None:
        """What it says once it is there; None where it has ended.

        Raises:
            NotStartedError: where it says nothing for so long.
        """
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        if not poll.poll(within_ms):
            raise NotStartedError(
                FailureReason.SPAWN_ERROR, f"the sandbox was not set up within {within_ms:,} ms"
            )
        # The kernel adds which process wrote it, by the number that it has here.
        said, told, _, _ = self._channel.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size))
        return Heard(_CREDENTIALS.unpack(told[0][2])[0], said == b"+") if said else None

    def let_go(self) -> None:
        """Have it execute the command."""
        with suppress(BrokenPipeError):  # then it was killed, which is told like every other end
            self._channel.sendall(self._seal + b"\n")

    def refusal(self, stderr: bytes) -> str | None:
        """Why the command was not executed, from what stands in its stderr; None if it was."""
        if not stderr.endswith(self._seal):
            return None
        said = stderr.removesuffix(self._seal).decode(errors="replace")
        if "not found" in said or "No such file" in said:  # the program itself was found before
            return "it cannot be executed: the interpreter that it names is not there"
        return f"it cannot be executed: {said.strip().rpartition(': ')[2]}"


def _limiting(limits: Limits) -> Iterator[str]:
    """Yield what sets the limits, in the shell itself: root may lack the right to set another's."""
    for limit in kernel_limits(limits, counts_processes=True):
        if limit.kind == resource.RLIMIT_NPROC:  # dash and busybox call it -p, bash -u
            yield f"ulimit -p {limit.hard} 2>/dev/null || ulimit -u {limit.hard} || exit 1\n"
        else:
            flag, unit = _LIMIT_FLAGS[limit.kind]
            yield f"ulimit -S {flag} {limit.soft // unit} || exit 1\n"
            yield f"ulimit -H {flag} {limit.hard // unit} || exit 1\n"
