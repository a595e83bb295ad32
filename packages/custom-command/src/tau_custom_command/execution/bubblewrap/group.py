"""The group of processes that all sandboxes are started in, killed as a whole where we die.

That bubblewrap dies with its parent is not enough: its first process begins by waiting for a word
of the outer one, and does not die with it yet. Where the runtime is killed just before that word,
that process would wait for ever. The kernel kills a group at once: none is forked out of it
meanwhile, and what has left it lies in a sandbox, whose first process is in it.
"""

import atexit
import os
import subprocess
import threading

_SCRIPT = "trap '' HUP INT TERM; read -r tau_word; sleep 0.1; kill -KILL 0"
"""Nobody sends a word: the read ends when the runtime does. What was just forked joins by then."""

_lock = threading.Lock()
_guard: "subprocess.Popen[bytes] | None" = None


def group() -> int:
    """The number of the group, whose first process watches over it; it is made where it is missing.

    Raises:
        OSError: where that process cannot be started.
    """
    global _guard  # noqa: PLW0603 - there is one runtime, and one end of it
    with _lock:
        if _guard is None or _guard.poll() is not None:
            _guard = _started()
        return _guard.pid


def _started() -> "subprocess.Popen[bytes]":
    reader, writer = os.pipe()  # the kernel closes the writing end however the runtime dies
    try:
        guard = subprocess.Popen(  # noqa: S603 - a fixed line
            ("/bin/sh", "-c", _SCRIPT),
            env={"PATH": os.defpath},
            cwd="/",
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    except OSError:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    atexit.register(_end, guard, writer)
    return guard


def _end(guard: "subprocess.Popen[bytes]", writer: int) -> None:
    """End the watch: where the runtime ends by itself, no sandbox is left."""
    guard.kill()
    guard.wait()
    os.close(writer)
