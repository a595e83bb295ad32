"""Runs a command under `strace`, which kills it at a system call of the test's choosing."""

import ctypes
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.synchronize import Event
from pathlib import Path

from tau_rollout_gate.cli.app import app
from tests.rollout_gate.recording import PATIENCE_SECONDS

CHANGING = (
    *("openat", "open", "creat", "write", "pwrite64", "writev", "ftruncate", "truncate"),
    *("fsync", "fdatasync", "rename", "renameat", "renameat2", "link", "linkat", "symlinkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat"),
)
"""What changes files, their names or their modes."""

for _name in ("start", "intervene", "advance", "rollback"):
    import_module(
        f"tau_rollout_gate.cli.commands.{_name}"
    )  # once, not in each process that is killed

_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
_SET_PTRACER = 0x59616D61
_FORK_SERVER = multiprocessing.get_context("forkserver")
# Imported once, not by every process that is killed.
_FORK_SERVER.set_forkserver_preload(["tests.rollout_gate.tracing"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """How a traced command ended, what it had printed by then, and its system calls."""

    code: int | None
    out: str
    calls: Sequence[str]


def run_traced(folder: Path, *arguments: str, inject: Sequence[str] = ()) -> Traced:
    """Run a command in a folder under `strace`; `inject` are more of its options."""
    out, trace = folder.with_suffix(".out"), folder.with_suffix(".trace")
    is_ready = _FORK_SERVER.Event()
    process = _FORK_SERVER.Process(target=_run, args=(folder, arguments, out, is_ready))
    process.start()
    assert is_ready.wait(PATIENCE_SECONDS)
    tracer = subprocess.Popen(
        ["strace", "-q", "-p", str(process.pid), "-o", trace, "-e", _named(CHANGING), *inject],  # noqa: S607 - found by PATH
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    process.join(PATIENCE_SECONDS)
    _, err = tracer.communicate(timeout=PATIENCE_SECONDS)
    assert not err, err
    return Traced(code=process.exitcode, out=out.read_text(), calls=trace.read_text().splitlines())


def changing_calls(calls: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the calls that change something, each as its name and which of that name it is."""
    seen: Counter[str] = Counter()
    for line in calls:
        match = _CALL.match(line)
        if match is None:
            continue
        name = match[1]
        seen[name] += 1
        if name not in {"openat", "open"} or "O_CREAT" in match[2]:
            yield name, seen[name]


def kill_at(name: str, number: int) -> list[str]:
    """Return the options that kill a command at that call, which is not carried out."""
    return ["-e", f"inject={name}:signal=KILL:when={number}"]


def _named(names: Sequence[str]) -> str:
    return "trace=" + ",".join(f"?{name}" for name in names)


def _run(folder: Path, arguments: Sequence[str], out: Path, is_ready: Event) -> None:
    """Wait for the tracer, then be the command."""
    sys.dont_write_bytecode = True  # what is compiled the first time is renamed into place
    os.chdir(folder)
    output = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    ctypes.CDLL(None).prctl(_SET_PTRACER, -1, 0, 0, 0)  # whoever wants may trace it
    status = os.open("/proc/self/status", os.O_RDONLY)
    is_ready.set()  # from here on nothing is opened but by the command, since that is counted
    while b"TracerPid:\t0" in os.pread(status, 4096, 0):
        time.sleep(0.002)
    sys.argv = ["tau-rollout-gate", *arguments]
    app()
