"""Runs a command as the runtime itself may: limited and watched, but not confined."""

import errno
import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution import session
from tau_custom_command.execution.handle import Handle
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.limits import KernelLimit, kernel_limits
from tau_custom_command.execution.sandbox import Exit, NotStartedError, Outputs


class Unrestricted:
    """A session of its own, and nothing else: the command can leave it."""

    @contextmanager
    def prepare(self, invocation: Invocation, outputs: Outputs) -> Iterator["_Process"]:
        """Find the program; see `Sandbox.prepare`."""
        environment = _environment(invocation)
        path = environment.get(b"PATH", os.fsencode(os.defpath))
        program = _found(os.fsencode(invocation.words[0]), path)
        if program is None:
            raise NotStartedError(
                FailureReason.EXECUTABLE_NOT_FOUND, f"there is no program {invocation.words[0]!r}"
            )
        with ExitStack() as stack:
            yield _Process(stack, invocation, program, environment, outputs)

    def described(self, invocation: Invocation) -> tuple[str, ...]:
        """Nothing confines it; see `Sandbox.described`."""
        del invocation
        return ()


class _Process:
    """A process that leads a session."""

    _popen: subprocess.Popen[bytes]
    _leader: Handle

    def __init__(
        self,
        stack: ExitStack,
        invocation: Invocation,
        program: bytes,
        environment: Mapping[bytes, bytes],
        outputs: Outputs,
    ) -> None:
        self.working_directory = os.getcwd()  # noqa: PTH109 - its text, for each command
        self._stack = stack
        self._invocation = invocation
        self._program = program
        self._environment = environment
        self._outputs = outputs
        self._is_limited = True
        self._was_too_large = False

    def start(self) -> None:
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - the words were judged by the policy
                self._invocation.words,
                executable=self._program,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=self._outputs.stdout,
                stderr=self._outputs.stderr,
                start_new_session=True,  # so that nothing asks on the terminal either
                umask=self._invocation.umask,
            )
        except OSError as error:
            raise NotStartedError(
                FailureReason.SPAWN_ERROR, f"it cannot be executed: {_reason(error)}"
            ) from None
        self._stack.callback(self._leave_nothing)
        self._leader = self._stack.enter_context(Handle(self._popen.pid))
        self._limit()

    def fileno(self) -> int:
        return self._leader.fileno()

    def ask_to_end(self) -> None:
        self._leader.send(signal.SIGTERM)

    def kill(self) -> None:
        self._leader.send(signal.SIGKILL)

    def finish(self) -> Exit:
        # The leader is waited for last: until then its number, which is the session's, is its own.
        left_behind, all_gone = session.end(self._popen.pid)
        status = self._popen.wait()
        return Exit(
            code=status if status >= 0 else 128 - status,
            signal=-status if status < 0 else None,
            left_behind=left_behind,
            all_gone=all_gone,
            was_limited=self._is_limited,
            was_too_large=self._was_too_large,
        )

    def refusal(self, stderr: bytes) -> str | None:
        del stderr  # what the kernel refuses, `start` tells
        return None

    def _limit(self) -> None:
        """Set the kernel's limits, also for what the command has started by now.

        Set from outside once it runs: a shell that sets them first would take as long again as a
        short command. What is started later inherits them; what took too much memory before they
        were set is ended.
        """
        # Its processes are not counted: the kernel would count all others of the user too.
        limits = tuple(kernel_limits(self._invocation.limits, counts_processes=False))
        leader = self._popen.pid
        new, known = {leader}, {leader}
        while new:  # those that one has started before its limits were set
            for pid in new:
                self._limit_one(pid, limits)
            known |= new
            new = set(session.members(leader)) - known

    def _limit_one(self, pid: int, limits: Sequence[KernelLimit]) -> None:
        most_bytes = self._invocation.limits.memory_bytes
        try:
            for limit in limits:
                resource.prlimit(pid, limit.kind, (limit.soft, limit.hard))
            if most_bytes is not None and _address_space(pid) > most_bytes:
                os.kill(pid, signal.SIGKILL)
                self._was_too_large = True
        except (ProcessLookupError, FileNotFoundError):
            return
        except PermissionError:  # a program that is another user's while it runs, as sudo is
            self._is_limited = False

    def _leave_nothing(self) -> None:
        if self._popen.returncode is None:
            self._popen.kill()
            session.end(self._popen.pid)
            self._popen.wait()


def _address_space(pid: int) -> int:
    """How many bytes of it a process has."""
    return int(session.told(f"/proc/{pid}/statm").split()[0]) * resource.getpagesize()


def _environment(invocation: Invocation) -> Mapping[bytes, bytes]:
    own = {os.fsencode(name): os.fsencode(text) for name, text in invocation.environment.items()}
    return {**invocation.inherited, **own}


def _found(program: bytes, path: bytes) -> bytes | None:
    """Find a program in the folders of a PATH, as `shutil.which` does, which takes longer.

    Where nothing of that name can be executed, it is the first: why it cannot, the kernel says.
    """
    first = None
    for folder in path.split(b":"):
        place = program if b"/" in program else b"%b/%b" % (folder or b".", program)
        if not os.access(place, os.F_OK) or os.path.isdir(place):  # noqa: PTH112 - bytes
            continue
        if os.access(place, os.X_OK):
            return place
        first = first or place
    return first


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOENT:  # the program was found before
        return "the interpreter that it names is not there"
    return str(error.strerror)
