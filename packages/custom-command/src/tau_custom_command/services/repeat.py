"""`run --every`: one cycle after the other, at a steady pace, until a signal asks to stop."""

import gc
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.errors import CommandRuntimeError
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.stopping import Stopping


class Pace(NamedTuple):
    """When cycles begin: every `interval_ms`, the first one `offset_ms` from now."""

    interval_ms: int
    offset_ms: int

    @classmethod
    def of(cls, interval_ms: int, jitter_ms: int, *, host: str, state_dir: Path) -> "Pace":
        """The pace of a state directory of a host: an offset of its own within the jitter.

        It is always the same, so that hosts that were started together stay apart, and what is
        measured of one is not blurred by chance.
        """
        identity = f"{host}\0{os.path.realpath(state_dir)}".encode(errors="surrogateescape")
        chance = int.from_bytes(sha256(identity).digest()[:8], "big")
        return cls(interval_ms, chance % (jitter_ms + 1))

    def after(self, due_ms: int, now_ms: int) -> int:
        """When the cycle is due after one that was; what is late by then is left out."""
        late = max(0, now_ms - due_ms)
        return due_ms + (late // self.interval_ms + 1) * self.interval_ms


def repeat(  # noqa: PLR0913 - what is done, how often, and what is told of it
    cycle: Callable[[], object],
    pace: Pace,
    *,
    clock: Clock,
    stopping: Stopping,
    complain: Callable[[str], None],
    announce: Callable[[int], None],
) -> None:
    """Run cycles until a signal asks to stop; one that fails is told, and the next one comes.

    What is told is not told again as long as it stays the same, as while cycles are paused. In how
    many milliseconds each cycle begins is announced once.
    """
    due_ms, told, announced_ms = clock.monotonic_ms() + pace.offset_ms, "", None
    while stopping.stopped_by is None:
        left_ms = due_ms - clock.monotonic_ms()
        if left_ms > 0:
            if announced_ms != due_ms:
                announce(left_ms)
                announced_ms = due_ms
            stopping.wait(left_ms / 1000)
            continue
        said = ""
        try:
            cycle()
        except CommandRuntimeError as error:
            said = str(error)
        if said and said != told:
            complain(said)
        told = said
        _reap_orphans()
        gc.collect()  # nobody else does (cli.main), and what a cycle leaves would add up
        due_ms = pace.after(due_ms, clock.monotonic_ms())


def _reap_orphans() -> None:
    """Take leave of what commands left behind, where this is the first process of a container.

    Between cycles it has no child of its own.
    """
    if os.getpid() == 1:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
