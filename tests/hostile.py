"""Nonsense to put into files, and how much memory a program takes that reads them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MIB = 1024 * 1024
MOST_MIB = 100
"""What a program may take, whatever stands in the files: it takes 20 to 40 where nothing does."""

_MEASURED = (
    "import resource, subprocess, sys\n"
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)\n"
    "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024\n"
    "sys.stdout.buffer.write(done.stdout + b'\\n%d %d' % (done.returncode, peak))\n"
)


def peak(*words: str | Path) -> tuple[int, str, int]:
    """Run a program; return its exit code, what it said, and its peak of memory in MiB.

    Another process starts it: what this one takes would count as taken before the start.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *words], capture_output=True, check=True, timeout=250
    )
    said, _, figures = done.stdout.decode().rpartition("\n")
    code, mib = figures.split()
    return int(code), said, int(mib)


def nonsense(kind: str, size: int) -> Iterator[bytes]:
    """Yield a JSON value of about a size, in pieces; of `bytes`, what is no JSON at all."""
    begin, many, end = {
        "text": (b'"', b"x", b'"'),
        "escapes": (b'"', b"\\u00e9\\n", b'"'),
        "numbers": (b"[", b"1234567890123456789,", b"1]"),
        "digits": (b"[", b"1,", b"1]"),
        "arrays": (b"[", b"[" * 50 + b"]" * 50 + b",", b"1]"),
        "objects": (b"[", b'{"":{"a":0}},', b"1]"),
        "depth": (b"", b"[", b""),
        "bytes": (b"", b"\xff\x00z", b""),
    }[kind]
    block = many * (MIB // len(many))
    yield begin
    for _ in range(size // MIB):
        yield block
    yield end


def with_nonsense(path: Path, kind: str, size: int, *, before: bytes = b"", after: bytes) -> None:
    """Write a file: nonsense, and what stands before and after it."""
    with path.open("wb") as file:
        file.write(before)
        file.writelines(nonsense(kind, size))
        file.write(after)
