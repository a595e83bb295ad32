"""A runtime as a process of its own, as a user of one's choice: it runs the commands it is told.

What it is told comes on stdin, an invocation a line; what came of each goes to stdout.
"""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tau_custom_command.cycle.execution import Ended, FailureReason, Stream
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.limits import Limits
from tau_custom_command.execution.run import run
from tau_custom_command.policy.model import SandboxProfile

_PR_SET_DUMPABLE = 4


class Runtime:
    """The process, to be used as a context manager."""

    def __init__(
        self, user: int, environment: Mapping[str, str], within: Sequence[str] = ()
    ) -> None:
        """Say who it is, what it has in its environment beside this process's own, and within what.

        `within` are the words of a program that starts it.
        """
        self._words = [*within, sys.executable, __file__, str(user)]
        inherited = {
            name: value
            for name, value in os.environ.items()
            # Another user could not write down what was covered.
            if user == os.geteuid() or not name.startswith("COV")
        }
        self._environment = {**inherited, **environment}
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            self._words,
            env=self._environment,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Which process it is."""
        return self._process.pid

    def ended(self, asked: Invocation) -> Ended:
        """Have it run a command to its end."""
        answer = self._ask(asked, is_apart=False)
        for name in ("stdout", "stderr"):
            answer[name] = Stream(answer[name].encode())
        answer["failure"] = answer["failure"] and FailureReason(answer["failure"])
        return Ended(**answer)

    def running(self, asked: Invocation) -> int:
        """Have another process like it run a command; return that one's number."""
        return int(self._ask(asked, is_apart=True)["pid"])

    def _ask(self, asked: Invocation, *, is_apart: bool) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        told = {
            "is_apart": is_apart,
            "words": asked.words,
            "profile": asked.profile,
            "allow_network": asked.allow_network,
            "limits": asked.limits,
            "workspace": str(asked.workspace),
            "hidden": [str(path) for path in asked.hidden],
            "run_as": asked.run_as,
        }
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _invocation(told: dict[str, Any]) -> Invocation:
    return Invocation(
        words=tuple(told["words"]),
        profile=SandboxProfile(told["profile"]),
        allow_network=told["allow_network"],
        limits=Limits(*told["limits"]),
        workspace=Path(told["workspace"]),
        hidden=tuple(map(Path, told["hidden"])),
        run_as=told["run_as"],
    )


def _serve(user: int) -> None:
    if user != os.geteuid():
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        # As one that was started by that user, who may then look at it.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork() if told["is_apart"] else 0
        if child:
            _answer({"pid": child})
            os.waitpid(child, 0)
            continue
        found = run(_invocation(told), about_to_start=lambda: None, cancelled=Cancellation())
        if told["is_apart"]:
            os._exit(0)
        _answer(found._asdict() | {"stdout": found.stdout.text, "stderr": found.stderr.text})


def _answer(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
