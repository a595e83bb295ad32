"""Runs a command once, and says what came of it. It never raises for what a command does."""

import errno
import os
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tau_custom_command.cycle.execution import Ended, FailureReason
from tau_custom_command.execution.bubblewrap import obstacles
from tau_custom_command.execution.bubblewrap.process import Bubblewrap
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.limits import Limits, leave_no_core
from tau_custom_command.execution.masking import masked_text
from tau_custom_command.execution.output import Capture
from tau_custom_command.execution.sandbox import NotStartedError, Outputs, Process, Sandbox
from tau_custom_command.execution.unrestricted import Unrestricted
from tau_custom_command.execution.watch import Course, Readers, watch
from tau_custom_command.policy.model import SandboxProfile

_SANDBOXES: dict[SandboxProfile, Sandbox] = {
    SandboxProfile.RESTRICTED: Bubblewrap(),
    SandboxProfile.WORKSPACE_WRITE: Bubblewrap(),
    SandboxProfile.UNRESTRICTED: Unrestricted(),
}

_PERHAPS_OUT_OF_MEMORY = (signal.SIGABRT, signal.SIGSEGV, signal.SIGTRAP, signal.SIGBUS)


def hear_of_ends() -> None:
    """Have the kernel keep how processes end; in the main thread, before commands run in others.

    Whoever started the runtime may have had it ignore SIGCHLD. Then the kernel forgets how a
    process ended, for bubblewrap too, which waits for ever.

    Raises:
        ValueError: in another thread.
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def obstacle(invocation: Invocation) -> NotStartedError | None:
    """Try with a real process whether a command could start, confined as it asks.

    Returns:
        Why it could not, and what to do; None where it could.
    """
    hear_of_ends()
    try:
        _check(invocation)
        with _pipes() as pipes, _sandbox(invocation).prepare(invocation, pipes.outputs):
            return None
    except NotStartedError as error:
        return error


def probe(invocation: Invocation) -> str | None:
    """Try with a real process whether a command could be confined as it asks.

    Returns:
        Why it cannot, and how it could; None where it can, or where only the program is missing.
    """
    error = obstacle(invocation)
    is_there = error is None or error.failure is FailureReason.EXECUTABLE_NOT_FOUND
    return None if is_there else str(error)


def described(invocation: Invocation) -> tuple[str, ...]:
    """The words of what confines a command, as they would be given; none where nothing does."""
    return _SANDBOXES[invocation.profile].described(invocation)


def run(
    invocation: Invocation, *, about_to_start: Callable[[], None], cancelled: Cancellation
) -> Ended:
    """Run a command to its end, and see to it that nothing of it is left.

    The calling thread waits meanwhile; it must not end before this returns.

    Args:
        invocation: What to run.
        about_to_start: Called once, when all is set up and before the command's process executes
            its program: where the intent is written down. What it raises, this raises, and nothing
            was started.
        cancelled: Stops the command once it is set. What has not started by then does not start.

    Raises:
        ValueError: in another thread than the main one, where SIGCHLD is ignored; see
            `hear_of_ends`.
    """
    hear_of_ends()
    leave_no_core()
    try:
        _check(invocation)
        with (
            _pipes() as pipes,
            _sandbox(invocation).prepare(invocation, pipes.outputs) as process,
        ):
            if cancelled.is_set():
                return _not_started(
                    invocation, FailureReason.INTERRUPTED, "the runtime was told to stop before"
                )
            about_to_start()
            process.start()
            pipes.close_outputs()
            return _attended(invocation, process, pipes.readers, cancelled)
    except NotStartedError as error:
        return _not_started(invocation, error.failure, str(error))


def _sandbox(invocation: Invocation) -> Sandbox:
    """What confines the command; nothing is run where the kernel cannot even hold on to it."""
    if not _has_descriptors_of_processes():
        raise NotStartedError(FailureReason.SANDBOX_UNAVAILABLE, obstacles.NO_LINUX)
    return _SANDBOXES[invocation.profile]


def _has_descriptors_of_processes() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except AttributeError:
        return False
    except OSError as error:
        return error.errno != errno.ENOSYS  # without room for one more, the kernel has them
    return True


def _attended(
    invocation: Invocation, process: Process, readers: Readers, cancelled: Cancellation
) -> Ended:
    """Watch a command that was started, and say how it ended."""
    capture = Capture(invocation.secrets)
    course = watch(process, readers, capture, invocation.limits, cancelled)
    stdout, stderr = capture.streams()
    if refused := process.refusal(stderr.kept):
        return _not_started(invocation, FailureReason.SPAWN_ERROR, refused)
    code = None if course.exit is None else course.exit.code
    failure = course.stopped_for or (FailureReason.NON_ZERO_EXIT if code else None)
    return Ended(
        started=True,
        command_line=_command_line(invocation),
        failure=failure,
        explanation=". ".join(_explanations(course, invocation.limits)),
        exit_code=code,
        signal=None if course.exit is None else course.exit.signal,
        duration_ms=course.duration_ms,
        stdout=stdout,
        stderr=stderr,
        left_behind=course.exit is None or course.exit.left_behind,
        working_directory=process.working_directory,
    )


def _not_started(invocation: Invocation, failure: FailureReason, explanation: str) -> Ended:
    return Ended(
        started=False,
        command_line=_command_line(invocation),
        failure=failure,
        explanation=masked_text(explanation, invocation.secrets),
    )


def _explanations(course: Course, limits: Limits) -> Iterator[str]:
    if course.stopped_for is FailureReason.TIMEOUT:
        yield f"it did not end within {limits.timeout_ms:,} ms, and was stopped"
    elif course.stopped_for is not None:
        yield "it was stopped together with the runtime"
    if course.exit is None:
        yield "it could not be killed: it waits in the kernel"
        return
    if course.exit.code and course.stopped_for is None:
        yield _of_the_end(course.exit.code, course.exit.signal, limits)
    if course.exit.was_too_large:
        yield "a process was killed that took more memory at its start than its limit"
    if not course.exit.was_limited:
        yield "the kernel's limits did not hold: it ran as another user than the runtime"
    if not course.exit.all_gone:
        yield "processes that it started may still run: they left its session"
    elif course.exit.left_behind:
        yield "processes that it had left were killed"


def _of_the_end(code: int, number: int | None, limits: Limits) -> str:
    if number is None:
        return f"it exited with {code}"
    name = signal.Signals(number).name if number in {*map(int, signal.Signals)} else str(number)
    told = f"it died of signal {number} ({name})"
    if number == signal.SIGXCPU:
        return f"{told}: it used up its time of the processor"
    if number == signal.SIGXFSZ:
        return f"{told}: a file grew beyond {limits.file_bytes:,} bytes, which is the limit"
    if number in _PERHAPS_OUT_OF_MEMORY and limits.memory_bytes is not None:
        return (
            f"{told}: perhaps for want of memory, of which each of its processes may have"
            f" {limits.memory_bytes:,} bytes; allow_large_memory lifts that limit"
        )
    return told


def _check(invocation: Invocation) -> None:
    """Refuse what no process can be told: a zero byte, half a character."""
    for text in (*invocation.words, *invocation.environment.values()):
        try:
            is_fit = b"\0" not in os.fsencode(text)
        except UnicodeEncodeError:
            is_fit = False
        if not is_fit:
            raise NotStartedError(
                FailureReason.SPAWN_ERROR, "a word or a variable holds a zero byte, or is no text"
            )


def _command_line(invocation: Invocation) -> str:
    words = shlex.join(invocation.words).encode(errors="backslashreplace").decode()
    return masked_text(words, invocation.secrets)


class _Pipes:
    """The two pipes that a command writes into."""

    def __init__(self, opened: list[int]) -> None:
        self._opened = opened
        stdout, out, stderr, err = opened
        self.readers = Readers(stdout, stderr)
        self.outputs = Outputs(out, err, stderr)

    def close_outputs(self) -> None:
        """Leave the writing ends to the command, so that its end is seen."""
        for writer in (self.outputs.stdout, self.outputs.stderr):
            self._opened.remove(writer)
            os.close(writer)


@contextmanager
def _pipes() -> Iterator[_Pipes]:
    opened: list[int] = []
    try:
        try:
            opened += os.pipe()
            opened += os.pipe()
        except OSError as error:
            raise NotStartedError(
                FailureReason.SPAWN_ERROR, f"there is no pipe for its output: {error.strerror}"
            ) from None
        yield _Pipes(opened)
    finally:
        for each in opened:
            os.close(each)
