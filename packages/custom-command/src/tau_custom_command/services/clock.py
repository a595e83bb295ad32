"""Where time comes from: the one place where the machine's clock is read."""

import time
from collections.abc import Callable
from typing import NamedTuple, Self


class Clock(NamedTuple):
    """The wall, a stopwatch, and waiting, in milliseconds; a test passes its own."""

    wall_unix_ms: Callable[[], int]
    monotonic_ms: Callable[[], int]
    sleep_ms: Callable[[int], None]

    @classmethod
    def of_this_machine(cls, *, now_unix_ms: int | None) -> Self:
        """The machine's clock; where `now_unix_ms` is given, the wall stands at it."""
        return cls(
            wall_unix_ms=lambda: (
                time.time_ns() // 1_000_000 if now_unix_ms is None else now_unix_ms
            ),
            monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
            sleep_ms=lambda duration_ms: time.sleep(duration_ms / 1000),
        )
