"""Files that the command line names: read whole if of a reasonable size, created but not replaced.

A pipe is read to its end, such as `/dev/stdin` or `<(zcat ...)`. What is created is the operator's
own, with ordinary permissions.
"""

import codecs
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tau_rollout_gate.errors import NamedFileError, RefusedError, StorageError
from tau_rollout_gate.files.output import whose_alone
from tau_rollout_gate.printable import printable

LARGEST_BYTES = 16 * 1024 * 1024
"""More than any report, policy or checklist has; a larger file was named by mistake."""


_BLOCK_BYTES = 64 * 1024

PATIENCE_MS = 5_000
"""How long a named pipe is waited for that nobody writes into; it holds nothing then."""


def read_named_file(path: Path, *, largest_bytes: int = LARGEST_BYTES) -> bytes:
    """Read a file whole; what cannot be read twice, a pipe, is remembered.

    Raises:
        NamedFileError: if it cannot be read, or is larger than `largest_bytes`; the text names it.
    """
    if path in _pipes:
        return _pipes[path]
    with _named(path, largest_bytes) as file:
        raw = file.read(largest_bytes + 1)  # it may have grown since it was opened
        if len(raw) > largest_bytes:
            raise _too_large(path, largest_bytes)
        if raw.startswith(codecs.BOM_UTF8):  # its readers pass over it; other programs may not
            note = f"note: {path}: begins with a byte order mark (BOM), which says nothing"
            sys.stderr.write(printable(note) + "\n")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            _pipes[path] = raw
        return raw


_pipes: dict[Path, bytes] = {}


def read_named_blocks(
    path: Path, *, largest_bytes: int, longest_line_bytes: int, most_lines: int
) -> tuple[list[bytes], bytes]:
    """Read the whole lines of a file, some together, and what follows the last line break.

    Raises:
        NamedFileError: as `read_named_file` does, if a line is longer than that, and if there are
            more lines: short ones take far more memory than they have bytes.
    """
    blocks: list[bytes] = []
    block = bytearray()
    left_bytes, lines = largest_bytes, 0
    with _named(path, largest_bytes) as file:
        while line := file.readline(longest_line_bytes + 1):
            left_bytes -= len(line)
            if left_bytes < 0 or lines == most_lines:
                raise _too_large(path, largest_bytes, most_lines)
            if not line.endswith(b"\n"):
                break
            if block and len(block) + len(line) > _BLOCK_BYTES:
                blocks.append(bytes(block))
                block.clear()
            block += line
            lines += 1
        if len(line) > longest_line_bytes:
            raise NamedFileError(
                f"{path}: line {lines + 1} is longer than {longest_line_bytes} bytes; is it "
                "the file that was meant?"
            )
    return [*blocks, bytes(block)] if block else blocks, line


@contextmanager
def _named(path: Path, largest_bytes: int) -> Iterator[BinaryIO]:
    """Open a file that is not larger than that, and tell what is wrong with it by its name."""
    try:
        with open(path, "rb", opener=_descriptor) as file:
            if os.fstat(file.fileno()).st_size > largest_bytes:
                raise _too_large(path, largest_bytes)
            yield file
    except ValueError:  # a name with a zero byte in it
        raise NamedFileError(f"{path}: is not the name of a file") from None
    except OSError as error:
        raise NamedFileError(f"{path}: cannot be read: {error.strerror or error}") from None


def _descriptor(name: str, flags: int) -> int:
    """Open a file; a pipe that nobody has opened for writing is waited for, but not for ever."""
    descriptor = os.open(name, flags | os.O_NONBLOCK)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.poll(PATIENCE_MS)
    os.set_blocking(descriptor, True)  # a writer that is there may take as long as it likes
    return descriptor


def _too_large(path: Path, largest_bytes: int, most_lines: int | None = None) -> NamedFileError:
    lines = "" if most_lines is None else f", or has more than {most_lines} lines"
    return NamedFileError(
        f"{path}: is larger than {largest_bytes} bytes{lines}; is it the file that was meant?"
    )


def create_named_file(path: Path, content: bytes) -> None:
    """Write a new file.

    Raises:
        RefusedError: if something of that name is there already, no file can have it, or it would
            lie where another program's files are.
        StorageError: if the operating system refuses; nothing is left then.
    """
    try:
        if problem := whose_alone(Path(os.path.realpath(path))):
            raise RefusedError(f"{path}: {problem}")
        with path.open("xb") as file:
            try:
                file.write(content)
                file.flush()
            except OSError:
                path.unlink()
                raise
    except FileExistsError:
        raise RefusedError(f"{path}: is there already; name a new file, or move it away") from None
    except ValueError:  # a name with a zero byte in it
        raise RefusedError(f"{path}: is not the name of a file") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be created: {error.strerror or error}") from None
