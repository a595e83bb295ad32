"""One cycle in a folder; and, as a program, a process that has all imported and forks to run one.

Most of a short run is importing, and a run under strace takes several times as long: the tests that
need hundreds of them have each forked from here. The child stops until someone has attached to it.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.errors import CommandRuntimeError
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.run_cycle import RunReport, RunRequest, run_cycle
from tau_custom_command.storage.rotation import NEVER_ROTATED, RotationLimits
from tests.custom_command.running import START_UNIX_MS, untracked
from tests.custom_command.storing import store_on

_PR_SET_PTRACER = 0x59616D61
_ANYBODY = ctypes.c_ulong(-1)


def cycle(folder: Path, case_suffix: str = "", wait_seconds: float = 0) -> RunReport:
    """Run `fixture.json` in `folder` on the state directory beside it, as the command would.

    Where there is a file called `rotates`, every log that has anything is rotated before it.
    """
    rotates = (folder / "rotates").exists()
    request = RunRequest(
        fixture=folder / "fixture.json",
        state_dir=folder / "state",
        limits=CycleLimits(
            queue_limit=64,
            processed_case_cap=10_000,
            retry_max_attempts=4,
            retry_base_delay_ms=0,
        ),
        default_policy=ExecutionPolicy(),
        case_suffix=case_suffix,
        wait_seconds=wait_seconds,
        rotation=RotationLimits(events_bytes=1, channel_log_bytes=1) if rotates else NEVER_ROTATED,
    )
    clock = Clock.of_this_machine(now_unix_ms=START_UNIX_MS)
    return run_cycle(request, clock=clock, track=untracked)


def _exit_code_of_a_cycle(folder: Path) -> int:
    try:
        if (folder / "stores").exists():
            store_on(folder, 1)
        else:
            cycle(folder)
    except CommandRuntimeError as error:
        return error.exit_code
    return 0


def main() -> None:
    """For each folder on stdin: print the process that waits to run it, then how it ended."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):  # some may be ignored
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(_exit_code_of_a_cycle(Path(line.rstrip("\n"))))
        os.waitpid(child, os.WUNTRACED)
        print(child, flush=True)  # noqa: T201 - what the parent reads
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
