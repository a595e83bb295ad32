"""The files of a log that is rotated by rename: `log`, `log.1`, `log.2` (a higher one is older)."""

import os
import re
from collections.abc import Callable, Collection
from functools import partial
from typing import BinaryIO

from tau_transport_health.contract.event import LONGEST_LINE_BYTES
from tau_transport_health.files.lines import UnreadLines, WholeLines
from tau_transport_health.health.remedies import UNPACKERS

MOST_OPEN = 64
"""How many files of a log stay open at once."""

_MOST_ROTATIONS = 16


def open_segments(
    log: str,
    names: Collection[str],
    opened: Callable[[str], BinaryIO],
    *,
    longest_line_bytes: int = LONGEST_LINE_BYTES,
) -> list[WholeLines | UnreadLines]:
    """The files of a log, oldest first; those that cannot be opened, or are compressed, unread.

    The newest is opened first. Should the log be rotated meanwhile, a file is met again under its
    next name, which shows, and none is passed over. A bounded number of them stays open: the older
    ones are opened again when they are read, under the number that they have by then.

    Args:
        log: The log's name.
        names: What lies in its folder.
        opened: Opens a file of that folder.
        longest_line_bytes: As `WholeLines` takes it.
    """
    segments: list[WholeLines | UnreadLines] = []
    seen: set[tuple[int, int]] = set()
    for number, compressed in _numbers(log, names):
        name, is_rotated = f"{log}.{number}" if number else log, number > 0
        try:
            file = opened(name)
        except FileNotFoundError:
            if compressed is not None:
                problem = "is compressed, and not read"
                segments.append(UnreadLines(compressed, problem, is_rotated=is_rotated))
            continue
        except OSError as error:
            if number == 0 or name in names:  # else there may be none of this number
                problem = f"cannot be opened: {error.strerror or error}"
                segments.append(UnreadLines(name, problem, is_rotated=is_rotated))
            continue
        which = _which(file)
        if which in seen:
            file.close()
            continue
        seen.add(which)
        again = partial(_found_again, opened, log, number, which)
        segments.append(
            WholeLines(
                file,
                name=name,
                is_rotated=is_rotated,
                longest_line_bytes=longest_line_bytes,
                again=again if len(seen) > MOST_OPEN else None,
            )
        )
    return segments[::-1]


def _which(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def _found_again(
    opened: Callable[[str], BinaryIO], log: str, number: int, wanted: tuple[int, int]
) -> BinaryIO:
    """Open a rotated file again, which may have been rotated further since."""
    for later in range(number, number + _MOST_ROTATIONS):
        file = opened(f"{log}.{later}")
        if _which(file) == wanted:
            return file
        file.close()
    raise OSError("it was rotated away while the log was read")


def _numbers(log: str, names: Collection[str]) -> list[tuple[int, str | None]]:
    """0 for the log itself, then its rotated files' numbers, and one more.

    With each comes the name of a compressed file of that number, if there is one. One more, since
    the log may be rotated between this look and the opening.
    """
    ends = "|".join(UNPACKERS)
    rotated_name = re.compile(rf"{re.escape(log)}(?:\.([1-9]\d{{0,5}}))?(\.(?:{ends}))?", re.ASCII)
    compressed: dict[int, str | None] = {0: None}
    for name in names:
        if match := rotated_name.fullmatch(name):
            number = int(match[1] or 0)
            compressed[number] = name if match[2] else compressed.get(number)
    compressed.setdefault(max(compressed) + 1)
    return sorted(compressed.items())
