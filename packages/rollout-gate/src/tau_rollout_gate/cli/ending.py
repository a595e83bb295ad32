"""How the program ends where a signal asks for it, whatever a library makes of that.

The three packages share no code: each has this file, the same to the byte. It imports nothing of
ours, since signals may come while the rest is imported, and nothing that takes time: until it is
there, Ctrl-C shows a traceback.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:
    import _signal as signal  # without the names of signals as enums, which take 5 ms

INTERRUPTED = 130  # errors.ExitCode.INTERRUPTED, which is not imported yet

_SIGNALLED = 128
_TO_END = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_AGAIN_SECONDS = 0.001
_IMPORT = "<frozen importlib._bootstrap>"
_asked: list[int] = []
"""The signal to end that came first; a library may have made something else of it, or nothing."""


def hear_of_endings() -> None:
    """Have signals that ask to end do so by an exit, not at once.

    So what was begun is ended, and a terminal put back. The first process of a container would not
    hear of them at all.
    """
    for number in _TO_END:
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup has one ignored
            signal.signal(number, _hear)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _hear)
    signal.signal(signal.SIGALRM, _end)
    sys.unraisablehook = _ask_again


def code_of_ending() -> int | None:
    """What to exit with where a signal asked to end; None where none did.

    What goes wrong after that is no error of its own: it may be a library's word for the signal.
    """
    if not _asked:
        return None
    return INTERRUPTED if _asked[0] == signal.SIGINT else _SIGNALLED + _asked[0]


def hear_no_more() -> None:
    """Let Python clean up: it is at its end, and an exception would be a traceback by now."""
    for number in (*_TO_END, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _hear(number: int, frame: "FrameType | None") -> None:
    if not _asked:  # a second one must not cut the ending short
        _end(number, frame)


def _end(number: int, frame: "FrameType | None") -> None:
    """End by an exception; once nothing is imported any more where that is so.

    What is imported may forget an exception that is not its own, or be left half made: msgspec did
    not ask for `datetime` again, and took an address of it that was none.
    """
    if not _asked:
        _asked.append(number)
    if _is_importing(frame):
        _ask_soon()
    elif _asked[0] == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        sys.exit(code_of_ending())


def _is_importing(frame: "FrameType | None") -> bool:
    while frame is not None and frame.f_code.co_filename != _IMPORT:
        frame = frame.f_back
    return frame is not None


def _ask_soon() -> None:
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)


def _ask_again(lost: "sys.UnraisableHookArgs") -> None:
    """End a moment later where a library, or what cleans up, could not pass on that it is to be."""
    if _asked and isinstance(lost.exc_value, SystemExit | KeyboardInterrupt):
        _ask_soon()
    else:
        sys.__unraisablehook__(lost)
