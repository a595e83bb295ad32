"""The files of a log that is rotated by rename: `log`, `log.1`, `log.2` (a higher one is older)."""

import os
import re
from collections.abc import Callable, Iterable
from typing import BinaryIO

from tau_transport_health.contract.event import LONGEST_LINE_BYTES
from tau_transport_health.files.lines import UnreadLines, WholeLines
from tau_transport_health.health.remedies import UNPACKERS


def open_segments(
    log: str,
    names: Iterable[str],
    opened: Callable[[str], BinaryIO],
    *,
    longest_line_bytes: int = LONGEST_LINE_BYTES,
) -> list[WholeLines | UnreadLines]:
    """The files of a log, oldest first; those that cannot be opened, or are compressed, unread.

    The newest is opened first. Should the log be rotated meanwhile, a file is met again under its
    next name, which shows, and none is passed over.

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
            problem = f"cannot be opened: {error.strerror or error}"
            segments.append(UnreadLines(name, problem, is_rotated=is_rotated))
            continue
        status = os.fstat(file.fileno())
        if (status.st_dev, status.st_ino) in seen:
            file.close()
            continue
        seen.add((status.st_dev, status.st_ino))
        segments.append(
            WholeLines(
                file, name=name, is_rotated=is_rotated, longest_line_bytes=longest_line_bytes
            )
        )
    return segments[::-1]


def _numbers(log: str, names: Iterable[str]) -> list[tuple[int, str | None]]:
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
