"""The files of a log that is rotated by rename: `log`, `log.1`, `log.2` (a higher one is older)."""

import os
import re
from collections.abc import Callable, Iterable
from typing import BinaryIO

from tau_transport_health.contract.event import LONGEST_LINE_BYTES
from tau_transport_health.files.lines import WholeLines


def open_segments(
    log: str,
    names: Iterable[str],
    opened: Callable[[str], BinaryIO],
    *,
    longest_line_bytes: int = LONGEST_LINE_BYTES,
) -> tuple[list[WholeLines], list[tuple[str, str]]]:
    """The files of a log, oldest first, and those that cannot be opened, with the reason.

    The newest is opened first. Should the log be rotated meanwhile, a file is met again under its
    next name, which shows, and none is passed over.

    Args:
        log: The log's name.
        names: What lies in its folder.
        opened: Opens a file of that folder.
        longest_line_bytes: As `WholeLines` takes it.
    """
    segments: list[WholeLines] = []
    unread: list[tuple[str, str]] = []
    seen: set[tuple[int, int]] = set()
    for number in _numbers(log, names):
        name = f"{log}.{number}" if number else log
        try:
            file = opened(name)
        except FileNotFoundError:
            continue
        except OSError as error:
            unread.append((name, f"cannot be opened: {error.strerror or error}"))
            continue
        status = os.fstat(file.fileno())
        if (status.st_dev, status.st_ino) in seen:
            file.close()
            continue
        seen.add((status.st_dev, status.st_ino))
        segments.append(
            WholeLines(
                file, name=name, is_rotated=number > 0, longest_line_bytes=longest_line_bytes
            )
        )
    return segments[::-1], unread


def _numbers(log: str, names: Iterable[str]) -> list[int]:
    """0 for the log itself, then its rotated files' numbers, and one more.

    One more, since the log may be rotated between this look and the opening.
    """
    rotated_name = re.compile(re.escape(log) + r"\.([1-9]\d{0,5})", re.ASCII)
    rotated = {int(match[1]) for name in names if (match := rotated_name.fullmatch(name))}
    return [0, *sorted(rotated | {max(rotated, default=0) + 1})]
