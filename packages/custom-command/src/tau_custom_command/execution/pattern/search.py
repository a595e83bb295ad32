"""Looks for regular expressions in processes of their own, which can be ended at any time.

A pattern may take for ever (`(a+)+$`), and holds the interpreter's lock meanwhile: no thread of the
same process could end it. The rule is the runbook's (custom-command-ops.md, "Results are checked").
"""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from socket import socketpair
from typing import Self

from tau_custom_command.cycle.checks.pattern_match import Groups, Unmatched

SECONDS = 2.0
"""As long as one pattern may take in one text."""

_WORKER = str(Path(__file__).with_name("worker.py"))
_START_SECONDS = 30.0  # on a machine that is busy, or stands still; as a rule it takes 0.02


class PatternSearch:
    """A `Matcher` for any number of threads at once, as long as it is entered as a context.

    A process is started when none is idle, and kept for the next pattern. They end with the
    context; where the runtime is killed, each ends by itself, at the latest after its time.
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        """Look for a pattern in a text for `seconds` at most."""
        self._seconds = seconds
        self._idle: list[_Worker] = []

    def __enter__(self) -> Self:
        """Start nothing yet: most fixtures have no pattern."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, which are all idle by then."""
        while self._idle:
            self._idle.pop().end()

    def __call__(self, pattern: str, text: str) -> Groups | Unmatched:
        """What the pattern matches where it does first, or why there is no match."""
        try:
            worker = self._idle.pop()
        except IndexError:
            try:
                worker = _Worker()
            except OSError:  # no room for another process
                return Unmatched.FAILED
        answer = worker.ask(pattern, text, self._seconds)
        if answer is None:
            return Unmatched.TIMED_OUT if worker.end() == -signal.SIGALRM else Unmatched.FAILED
        self._idle.append(worker)
        match json.loads(answer):
            case [*groups]:
                return tuple(groups)
            case None:
                return Unmatched.NO_MATCH
            case _:
                return Unmatched.FAILED


class _Worker:
    """One process, and the socket that is its stdin and stdout."""

    def __init__(self) -> None:
        self._socket, theirs = socketpair()
        self._answers = self._socket.makefile("rb")
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own file
                    [sys.executable, "-I", "-S", _WORKER],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    process_group=0,  # so that Ctrl-C on a terminal does not reach it
                )
            except OSError:
                self._hang_up()
                raise

    def ask(self, pattern: str, text: str, seconds: float) -> bytes | None:
        """The line that the process answers; None where it ended, or does not answer in time."""
        self._socket.settimeout(seconds + _START_SECONDS)
        with suppress(OSError):
            self._socket.sendall(json.dumps([pattern, text, seconds]).encode() + b"\n")
            line = self._answers.readline()
            return line if line.endswith(b"\n") else None
        return None

    def end(self) -> int:
        """End the process; what it exits with: where it had ended before, as it did then."""
        self._hang_up()
        self._process.kill()
        return self._process.wait()

    def _hang_up(self) -> None:
        self._answers.close()
        self._socket.close()
