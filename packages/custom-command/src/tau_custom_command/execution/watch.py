"""Watches a command that runs: reads what it writes, and stops it when its time is over."""

import math
import os
import select
import time
from typing import Literal, NamedTuple

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.handle import LONGEST_DEATH_MS
from tau_custom_command.execution.limits import Limits
from tau_custom_command.execution.output import BLOCK_BYTES, STDERR, STDOUT, Capture
from tau_custom_command.execution.sandbox import Exit, Process


class Course(NamedTuple):
    """How it went: why the command was stopped, if it was; how long it ran; how it ended.

    `exit` is None where it could not be ended: it waits in the kernel, for a disk that is gone.
    """

    stopped_for: FailureReason | None
    duration_ms: int
    exit: Exit | None


class Readers(NamedTuple):
    """The descriptors from which a command's stdout and stderr are read."""

    stdout: int
    stderr: int


def watch(
    process: Process, readers: Readers, capture: Capture, limits: Limits, cancelled: Cancellation
) -> Course:
    """Watch a command that was just started to its end, and the end of all that it has left."""
    return _Watch(process, readers, capture, limits, cancelled).to_the_end()


class _Watch:
    def __init__(
        self,
        process: Process,
        readers: Readers,
        capture: Capture,
        limits: Limits,
        cancelled: Cancellation,
    ) -> None:
        self._process = process
        self._capture = capture
        self._limits = limits
        self._cancelled = cancelled.fileno()
        self._end = process.fileno()
        self._open: dict[int, Literal[1, 2]] = {readers.stdout: STDOUT, readers.stderr: STDERR}
        self._poll = select.poll()
        for descriptor in (*self._open, self._end, self._cancelled):
            self._poll.register(descriptor, select.POLLIN)
        self._stopped_for: FailureReason | None = None

    def to_the_end(self) -> Course:
        began = time.monotonic()
        has_ended = self._until_its_end()
        duration_ms = round((time.monotonic() - began) * 1000)
        if not has_ended:
            return Course(self._stopped_for, duration_ms, None)
        ended = self._process.finish()
        self._drain()
        is_held = bool(self._open)  # by what left the session
        ended = ended._replace(
            left_behind=ended.left_behind or is_held, all_gone=ended.all_gone and not is_held
        )
        return Course(self._stopped_for, duration_ms, ended)

    def _until_its_end(self) -> bool:
        """Read until the command's own process has ended, and tell whether it has."""
        if self._has_ended_within(self._limits.timeout_ms):
            return True
        if self._stopped_for is None:
            self._poll.unregister(self._cancelled)
            self._stopped_for = FailureReason.TIMEOUT
        self._process.ask_to_end()
        if self._has_ended_within(self._limits.stop_grace_ms):
            return True
        self._process.kill()
        return self._has_ended_within(LONGEST_DEATH_MS)

    def _has_ended_within(self, limit_ms: int) -> bool:
        """Read until the command's own process has ended; no longer, and not once cancelled."""
        deadline = time.monotonic() + limit_ms / 1000
        while (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(math.ceil(left * 1000)):
                if descriptor == self._end:
                    return True
                if descriptor == self._cancelled:
                    self._poll.unregister(self._cancelled)
                    self._stopped_for = FailureReason.INTERRUPTED
                    return False
                self._take(descriptor)
        return False

    def _drain(self) -> None:
        """Read what is still in the pipes, but for no longer than a moment."""
        poll = select.poll()
        for descriptor in self._open:
            poll.register(descriptor, select.POLLIN)
        self._poll = poll
        deadline = time.monotonic() + self._limits.drain_ms / 1000
        while self._open and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(math.ceil(left * 1000)):
                self._take(descriptor)

    def _take(self, descriptor: int) -> None:
        content = os.read(descriptor, BLOCK_BYTES)
        if content:
            self._capture.feed(self._open[descriptor], content)
        else:
            self._poll.unregister(descriptor)
            del self._open[descriptor]
