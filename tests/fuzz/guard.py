"""One call of a command line, in this process, held to time, memory, exit codes and manners."""

import contextlib
import faulthandler
import gc
import io
import re
import resource
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

SECONDS = 10
"""How long a call may take; the slowest takes some tens of milliseconds on a quiet machine."""

MOST_MIB = 200
_MOST_ADDRESSES = 2 * 1024**3
_PEAK = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command line, and the exit codes that it may end with: the table less usage and bugs.

    `options` are how a state directory, put for the braces, is named to it.
    """

    app: Callable[..., object]
    words: tuple[str, ...]
    codes: frozenset[int]
    options: tuple[str, ...] = ("--state-dir", "{}")

    def at(self, state_dir: Path) -> list[str]:
        """Return the arguments that name a state directory."""
        return [option.format(state_dir) for option in self.options]


class HangError(BaseException):
    """A call took too long; not an Exception, so that nothing on the way takes it for its own."""


def call(program: Program, arguments: Sequence[str]) -> str | None:
    """Call a command line; return what was wrong with how it ended, None if nothing was."""
    words = [*program.words, *arguments]
    raw = io.BytesIO()
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(raw, "utf-8")
    faulthandler.dump_traceback_later(6 * SECONDS, exit=True)  # for what no signal gets through to
    _forget_peak()
    before = signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    code: object = 0
    wrong = ""
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            program.app(words)
    except SystemExit as exit_:
        code = exit_.code
    except HangError:
        wrong = f"hangs: {traceback.format_exc()}"
    except BaseException:  # noqa: BLE001 - whatever comes out here is what is looked for
        wrong = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()
    err.flush()
    said = raw.getvalue().decode(errors="replace")
    if not wrong and (code not in program.codes or "Traceback" in said):
        wrong = f"exit code {code}: {said}"
    mib = _peak_mib()
    if not wrong and mib > MOST_MIB:
        wrong = f"{mib} MiB of memory"
    return f"{' '.join(words)}\n{wrong}" if wrong else None


def prepare_process() -> None:
    """Have this process never take so much that the machine would suffer, and wait for nobody.

    The inspector reads again, some time later, what does not agree; here nobody else writes. What
    was imported stays, so that collecting garbage need not look at it: a fifth of the time.
    """
    gc.freeze()
    time.sleep = lambda _seconds: None
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESSES, _MOST_ADDRESSES))


def _forget_peak() -> None:
    if _PEAK.exists():
        _PEAK.write_text("5")  # proc(5): resets the peak of the resident memory


def _peak_mib() -> int:
    """Return the most memory that this process held since `_forget_peak`."""
    if not _PEAK.exists():  # not Linux: the most it ever held
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) // 1024 if found else 0


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise HangError
