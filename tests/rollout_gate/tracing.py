"""Runs a command under `strace`, which kills it at a system call of the test's choosing."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import forking
from tests.rollout_gate.recording import COMMAND, PATIENCE_SECONDS, environment

CHANGING = (
    *("openat", "open", "creat", "write", "pwrite64", "writev", "ftruncate", "truncate"),
    *("fsync", "fdatasync", "rename", "renameat", "renameat2", "link", "linkat", "symlinkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat"),
)
"""What changes files, their names or their modes."""

_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """How a traced command ended, what it had printed by then, and its system calls."""

    code: int
    out: str
    calls: Sequence[str]


def run_traced(folder: Path, *arguments: str, inject: Sequence[str] = ()) -> Traced:
    """Run a command in a folder under `strace`; `inject` are more of its options."""
    trace = folder.with_suffix(".trace")
    done = forking.run(
        COMMAND,
        *arguments,
        cwd=folder,
        env=environment(),
        timeout=PATIENCE_SECONDS,
        strace=["strace", "-o", trace, "-e", "trace=?" + ",?".join(CHANGING), *inject],
    )
    out = (done.stdout + done.stderr).decode()
    return Traced(code=done.returncode, out=out, calls=trace.read_text().splitlines())


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
