"""Confines a command with bubblewrap: namespaces, a read-only view, no capabilities, a filter.

What starts first in the sandbox is a shell, which is the command's process later: it says that it
is there, and waits for a word before it executes the command. Until then all can be given up with
nothing done; and as that word never comes from a runtime that died, nothing starts unwatched.
"""

import errno
import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution.bubblewrap import obstacles, seccomp
from tau_custom_command.execution.bubblewrap.credentials import thread_of
from tau_custom_command.execution.bubblewrap.group import group
from tau_custom_command.execution.bubblewrap.launch import launch
from tau_custom_command.execution.bubblewrap.shell import Shell
from tau_custom_command.execution.bubblewrap.view import View, view
from tau_custom_command.execution.handle import Handle
from tau_custom_command.execution.invocation import Invocation, search_path
from tau_custom_command.execution.sandbox import Exit, NotStartedError, Outputs
from tau_custom_command.execution.session import told

_OUT_OF_MEANS = (errno.E2BIG, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_DEATH_BY_SIGNAL = 128
_STOPPED = os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG
_LONGEST_STOP_SECONDS = 0.2
_SIGNALS = frozenset(map(int, signal.Signals))


class Bubblewrap:
    """Namespaces for processes, users, mounts, IPC, host names and, unless allowed, the network."""

    @contextmanager
    def prepare(self, invocation: Invocation, outputs: Outputs) -> Iterator["_Process"]:
        """Set a sandbox up, with a shell in it that waits; see `Sandbox.prepare`."""
        with ExitStack() as stack:
            try:
                process = _set_up(stack, invocation, outputs)
            except OSError as error:
                raise _cannot_start(error) from None
            yield process

    def described(self, invocation: Invocation) -> tuple[str, ...]:
        """The words of bubblewrap; see `Sandbox.described`."""
        return ("bwrap", *_confining(view(invocation), invocation))


class _Process:
    """A sandbox, from outside: bubblewrap itself, the first process inside, the command's own."""

    def __init__(
        self,
        *,
        outer: subprocess.Popen[bytes],
        first: Handle,
        own: Handle,
        shell: Shell,
        working_directory: str,
    ) -> None:
        self.working_directory = working_directory
        self._outer = outer
        self._first = first
        self._own = own
        self._shell = shell
        self._is_killed = False

    def start(self) -> None:
        # Once the command has ended, bubblewrap ends too, and the kernel takes with it what the
        # command has left. It is not to do so before that was looked at.
        self._outer.send_signal(signal.SIGSTOP)
        self._shell.let_go()

    def fileno(self) -> int:
        return self._own.fileno()

    def ask_to_end(self) -> None:
        self._own.send(signal.SIGTERM)

    def kill(self) -> None:
        self._is_killed = True
        self._first.send(signal.SIGKILL)  # with which the kernel kills all of the sandbox

    def finish(self) -> Exit:
        left_behind = self._holds_others()
        self._outer.send_signal(signal.SIGCONT)
        # The command's, and none of bubblewrap's own, since the sandbox was up.
        status = self._outer.wait()
        code = status if status >= 0 else _DEATH_BY_SIGNAL - status
        number = code - _DEATH_BY_SIGNAL
        # Where only the first process is left, which is bubblewrap's, there is nothing to wait for:
        # the kernel takes some milliseconds to put the sandbox away.
        is_empty = not (left_behind or self._is_killed or status < 0)
        return Exit(
            code=code,
            signal=number if number in _SIGNALS else None,
            left_behind=left_behind,
            all_gone=is_empty or self._first.kill(),
        )

    def refusal(self, stderr: bytes) -> str | None:
        return self._shell.refusal(stderr)

    def _holds_others(self) -> bool:
        """Tell whether the first process has children beside the command, which has ended."""
        return bool(_children(self._first.pid) - {self._own.pid})


def _set_up(stack: ExitStack, invocation: Invocation, outputs: Outputs) -> _Process:
    """Start bubblewrap, and wait for the shell in the sandbox; at the stack's end all is gone."""
    seen = view(invocation)
    shell = Shell(stack)
    filter_reader = _filter(stack, allow_network=invocation.allow_network)
    environment = {
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        **invocation.environment,
        "PATH": search_path(),
        "HOME": seen.scratch,
        "TMPDIR": seen.scratch,
    }
    # No status is asked for: in writing it to a runtime that died, bubblewrap would die too, at a
    # moment when its first process waits for it, and nothing would end that one any more.
    words = [
        *(_executable(search_path()), *_confining(seen, invocation)),
        *("--seccomp", str(filter_reader.fileno())),
        *("--", *shell.words(invocation, environment)),
    ]
    how, process_group = launch(invocation.run_as), group()
    with nullcontext() if how.whom is None else thread_of(*how.whom):
        outer = subprocess.Popen(  # noqa: S603 - the words were judged by the policy
            [*how.words, *words],
            env=environment,
            cwd="/",
            stdin=shell.inner_end.fileno(),
            stdout=outputs.stdout,
            stderr=outputs.stderr,
            pass_fds=(filter_reader.fileno(),),
            process_group=process_group,
            umask=invocation.umask,
        )
    stack.callback(_end, outer)
    shell.inner_end.close()
    heard = shell.hear(invocation.limits.setup_ms)
    if heard is None:
        raise NotStartedError(FailureReason.SANDBOX_UNAVAILABLE, _why_not(outer, outputs))
    try:
        own = stack.enter_context(Handle(heard.pid))
        first = stack.enter_context(Handle(_parent(heard.pid)))
        stack.callback(first.send, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        raise NotStartedError(
            FailureReason.SPAWN_ERROR, "the sandbox was killed before the command started"
        ) from None
    if not heard.finds_program:
        raise NotStartedError(
            FailureReason.EXECUTABLE_NOT_FOUND,
            f"there is no program {invocation.words[0]!r} in the sandbox",
        )
    return _Process(
        outer=outer,
        first=first,
        own=own,
        shell=shell,
        working_directory=seen.working_directory,
    )


def _confining(seen: View, invocation: Invocation) -> tuple[str, ...]:
    """What bubblewrap is told to confine a command by, but for the filter of system calls."""
    return (
        *(*seen.words, "--chdir", seen.working_directory),
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"),
        *("--new-session", "--cap-drop", "ALL"),
        *(("--share-net",) if invocation.allow_network else ()),
    )


def _parent(pid: int) -> int:
    """The process that started another."""
    return int(told(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])


def _children(pid: int) -> set[int]:
    """The processes that a process has started; none where it is gone."""
    try:
        return {*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())}
    except OSError:
        return set()


def _end(outer: "subprocess.Popen[bytes]") -> None:
    """Leave nothing of bubblewrap, nor its first process, which may be waiting for it still."""
    if outer.poll() is None:
        outer.send_signal(signal.SIGSTOP)  # so that it starts none meanwhile
        until = time.monotonic() + _LONGEST_STOP_SECONDS
        while not os.waitid(os.P_PID, outer.pid, _STOPPED) and time.monotonic() < until:
            time.sleep(0.001)
        for child in _children(outer.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        outer.kill()
    outer.wait()


def _why_not(outer: "subprocess.Popen[bytes]", outputs: Outputs) -> str:
    """What bubblewrap said before it gave up, and what to do about that."""
    _end(outer)
    os.set_blocking(outputs.stderr_reader, False)
    try:
        said = os.read(outputs.stderr_reader, 4096)
    except BlockingIOError:
        said = b""
    lines = said.decode(errors="replace").strip().removeprefix("bwrap: ")
    return obstacles.explain(lines, obstacles.facts())


def _cannot_start(error: OSError) -> NotStartedError:
    is_passing = error.errno in _OUT_OF_MEANS
    return NotStartedError(
        FailureReason.SPAWN_ERROR if is_passing else FailureReason.SANDBOX_UNAVAILABLE,
        f"bubblewrap cannot be started: {error}",
    )


@cache  # what it raises is not kept: it may be installed meanwhile
def _executable(path: str) -> str:
    found = shutil.which("bwrap", path=path)
    if found is None:
        raise NotStartedError(FailureReason.SANDBOX_UNAVAILABLE, obstacles.NO_BUBBLEWRAP)
    return found


def _pipe(stack: ExitStack) -> tuple[BinaryIO, BinaryIO]:
    reader, writer = os.pipe()
    return (
        stack.enter_context(open(reader, "rb")),  # noqa: PTH123 - a descriptor
        stack.enter_context(open(writer, "wb", buffering=0)),  # noqa: PTH123 - the same
    )


@cache
def _program(*, allow_network: bool) -> bytes:
    machine = seccomp.MACHINES.get(platform.machine())
    if machine is None:
        raise NotStartedError(FailureReason.SANDBOX_UNAVAILABLE, obstacles.NO_LINUX)
    return seccomp.program(machine, allow_network=allow_network)


def _filter(stack: ExitStack, *, allow_network: bool) -> BinaryIO:
    """The filter of system calls, to be read from a pipe, which holds all of it."""
    reader, writer = _pipe(stack)
    writer.write(_program(allow_network=allow_network))
    writer.close()
    return reader
