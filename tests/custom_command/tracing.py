"""The runtime under strace: which calls change files, and what happens if one of them fails."""

import functools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import forking
from tests.custom_command.running import COMMAND, PATIENCE_SECONDS, START_UNIX_MS, environment

CHANGING = [
    "creat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "truncate",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
    "splice",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "lchown",
    "utime",
    "utimes",
    "utimensat",
    "futimesat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "fsync",
    "fdatasync",
    "syncfs",
    "sync",
    "sync_file_range",
    "msync",
]
OPENING = ["open", "openat", "openat2"]
_CALL = re.compile(r"(?:\d+ +)?(?P<name>\w+)\((?P<words>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A system call: its name, which one of that name it is, and what it is about."""

    name: str
    ordinal: int
    label: str


@functools.cache
def _strace_missing() -> str:
    """Return why nothing can be traced here; empty if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-qq", "-e", "trace=fsync", "-e", "inject=fsync:signal=SIGKILL", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return f"strace cannot trace here: {done.stderr.strip()}" if done.returncode else ""


needs_strace = pytest.mark.skipif(bool(_strace_missing()), reason=_strace_missing() or "there")


def run_traced(
    folder: Path, *options: str, calls: list[str], inject: str = ""
) -> tuple[subprocess.CompletedProcess[bytes], list[Call]]:
    """Run the command on `fixture.json` in `folder` under strace; return its end and its calls.

    Only `calls` are seen; of those that open files, only the ones that may make or empty them.
    """
    words: list[str | Path] = ["run", folder / "fixture.json", "--state-dir", folder / "state"]
    words += ["--now-unix-ms", str(START_UNIX_MS), *options]
    return run_words_traced(folder, words, calls=calls, inject=inject)


def run_words_traced(
    folder: Path, arguments: Sequence[str | Path], *, calls: list[str], inject: str = ""
) -> tuple[subprocess.CompletedProcess[bytes], list[Call]]:
    """Run the command with these arguments, which are about `folder`, as `run_traced` does."""
    trace = folder.parent / f"{folder.name}.trace"
    done = forking.run(
        COMMAND,
        *arguments,
        cwd=folder,
        env=environment(),
        timeout=PATIENCE_SECONDS,
        strace=_strace(trace, calls, inject),
    )
    return done, _calls_in(trace.read_text(), folder)


class Forks:
    """Runs cycles under strace, each in a process forked from one that has all imported."""

    def __init__(self) -> None:
        env = {k: v for k, v in environment().items() if not k.startswith("COVERAGE")}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.custom_command.one_cycle"],
            cwd=Path(__file__).resolve().parents[2],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run_traced(
        self, folder: Path, *, calls: list[str], inject: str = ""
    ) -> tuple[int, list[Call]]:
        """Run a cycle in `folder`; return its exit code (a signal's is negative) and its calls."""
        trace = folder.parent / f"{folder.name}.trace"
        child = int(self._ask(f"{folder}\n"))
        words = [*_strace(trace, calls, inject), "-p", str(child)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr is not None
            attached = strace.stderr.readline()
            os.kill(child, signal.SIGCONT)
            code = int(self._ask(""))
        assert "attached" in attached, attached
        return code, _calls_in(trace.read_text(), folder)

    def close(self) -> None:
        """End the process."""
        self._server.communicate(timeout=PATIENCE_SECONDS)

    def _ask(self, words: str) -> str:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(words)
        self._server.stdin.flush()
        return self._server.stdout.readline()


def _strace(trace: Path, calls: list[str], inject: str) -> list[str | Path]:
    injection = ["-e", f"inject={inject}"] if inject else []
    return ["strace", "-f", "-y", "-o", trace, "-e", f"trace={','.join(calls)}", *injection]


def _calls_in(trace: str, folder: Path) -> list[Call]:
    found: list[Call] = []
    seen: dict[str, int] = {}
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call is None:
            continue  # how the process ended
        name, words = call["name"], call["words"]
        seen[name] = seen.get(name, 0) + 1
        if name in OPENING and "O_CREAT" not in words and "O_TRUNC" not in words:
            continue
        first, _, second = words.partition(", ")
        label = f"{name} {re.split(r'[<>]', first)[1] if '<' in first else first}"
        if second.startswith('"') and "write" not in name:
            about = re.split("[,)]", second)[0]
            label = f"{name} {about}" if first.startswith("AT_FDCWD") else f"{label} {about}"
        label = label.replace(str(folder), "FOLDER")
        found.append(Call(name=name, ordinal=seen[name], label=label))
    return found
