"""`ship`: brings what a directory or an object store has of this host up to the last cycle.

Segments first, then the state that names them, so that a reader finds a whole log whenever it comes
(runbooks/state-files.md, "The shipped form"). Nothing is kept here of what was shipped: where it is
cut off, or the store does not answer, the next time brings all that is missing.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET

from tau_custom_command.contract.paths import EVENT_LOG, STATE_FILE
from tau_custom_command.contract.shipped import ShippedState, StateEnd, TakenOver
from tau_custom_command.errors import CommandRuntimeError, FormRefusedError, ShippingError
from tau_custom_command.services.clock import Clock
from tau_custom_command.shipping.destination import TRIES, Destination, destination_at
from tau_custom_command.shipping.location import Location
from tau_custom_command.shipping.segments import (
    Chain,
    chain_up_to,
    shipment,
    why_not_continued,
)
from tau_custom_command.storage import read
from tau_custom_command.storage.lock import HeldLock, locked

LOCK_FILE = ".shipping.lock"
PAUSE_MS = 2_000
"""How long an object stays as it is at least: object stores slow down who replaces one sooner."""

_LOOKS = 4
_LOOK_AGAIN_MS = 50
_LOCK_SECONDS = 5.0
_TRIES_AFTER_A_CYCLE = 2
"""Fewer, since the next cycle waits for it, and tries again."""


class Shipped(NamedTuple):
    """What was shipped.

    Args:
        url: Where to.
        cycle_number: Up to which cycle.
        segments: How many segments were written; none if all of it was there.
        bytes: How many bytes they have.
        took_over: Whether they took the place of another chain's.
    """

    url: str
    cycle_number: int
    segments: int
    bytes: int
    took_over: bool


def ship(
    root: Path,
    location: Location,
    *,
    clock: Clock,
    take_over: str | None = None,
    tries: int = TRIES,
) -> Shipped:
    """Ship what the cycles left in the state directory `root`, up to the last one.

    Cycles may run meanwhile. One at a time ships, so that nothing newer is ever replaced.

    Args:
        root: The state directory.
        location: The directory or the prefix of this host and this surface.
        clock: Says when, and waits.
        take_over: Why what is there may be replaced though this directory does not continue it;
            None if it may not.
        tries: How often a request is made of an object store that does not answer.

    Raises:
        ShippingError: if there is nothing to ship, the destination does not answer or refuses, or
            it has what this directory does not continue; it is then as it was, or its next reader
            finds what was there before.
        StateDirectoryBusyError: if another process ships all the while.
        StorageError: if a file here cannot be read.
    """
    if not root.is_dir():
        raise ShippingError(f"{root}: there is no such directory; pass --state-dir")
    destination = destination_at(location, tries=tries)
    last_ms = _last_shipped_ms(root) if location.bucket else 0
    with locked(root, wait_seconds=_LOCK_SECONDS, file=LOCK_FILE) as lock:
        if (early_ms := last_ms + PAUSE_MS - time.time_ns() // 1_000_000) > 0:
            clock.sleep_ms(min(early_ms, PAUSE_MS))
        try:
            return _shipped(root, destination, clock, take_over)
        finally:
            _note(lock)


class AfterCycles:
    """Ships after each cycle. What goes wrong is told, and tried again with the next one.

    It is not told again as long as it stays the same. Where cycles follow one another faster than
    an object may be replaced, the next one's takes this one along, and `end` what is left.
    """

    def __init__(
        self, root: Path, location: Location, *, clock: Clock, complain: Callable[[str], None]
    ) -> None:
        """Take a state directory, and where its cycles are shipped to."""
        self._root = root
        self._location = location
        self._clock = clock
        self._complain = complain
        self._not_before_ms: int | None = None
        self._is_behind = False
        self._told = ""

    def shipped(self) -> None:
        """Ship the cycle that just ended."""
        now_ms = self._clock.monotonic_ms()
        self._is_behind = self._not_before_ms is not None and now_ms < self._not_before_ms
        if self._is_behind:
            return
        said = ""
        try:
            ship(self._root, self._location, clock=self._clock, tries=_TRIES_AFTER_A_CYCLE)
        except CommandRuntimeError as error:
            said = f"not shipped, and tried again with the next cycle: {error}"
        if self._location.bucket:
            self._not_before_ms = self._clock.monotonic_ms() + PAUSE_MS
        if said and said != self._told:
            self._complain(said)
        self._told = said

    def end(self) -> None:
        """Ship what was left for the next cycle, where none comes any more."""
        if self._is_behind:
            self._not_before_ms = None
            self.shipped()


def _shipped(root: Path, destination: Destination, clock: Clock, take_over: str | None) -> Shipped:
    there, problem = _what_is_there(destination)
    state, chain = _read(root, there, clock)
    if there is not None and chain.known is None:
        problem = why_not_continued(there.last_cycle, state.last_cycle)
    taken_over = None
    if problem:
        if take_over is None:
            raise ShippingError(
                f"{destination.url}: {problem}; to replace what is there: --take-over --reason WHY"
            )
        taken_over = TakenOver(
            taken_over_unix_ms=clock.wall_unix_ms(),
            reason=take_over,
            last_cycle=UNSET if there is None else there.last_cycle,
        )
        there = None
        state, chain = _read(root, there, clock)
    found = shipment(state, chain, there, taken_over or UNSET)
    for key, content in found.segments:
        destination.put(key, content)
    if found.segments:
        destination.put(STATE_FILE, found.state.as_document())
    return Shipped(
        url=destination.url,
        cycle_number=found.state.last_cycle.cycle_number,
        segments=len(found.segments),
        bytes=sum(len(content) for _, content in found.segments),
        took_over=taken_over is not None,
    )


def _what_is_there(destination: Destination) -> tuple[ShippedState | None, str]:
    """The state that the destination has; or why what is there is none."""
    raw = destination.get(STATE_FILE)
    if raw is None:
        return None, ""
    try:
        return ShippedState.parse(raw), ""
    except FormRefusedError as error:
        return None, f"its {STATE_FILE} is none that was shipped: {error}"


def _read(root: Path, there: ShippedState | None, clock: Clock) -> tuple[StateEnd, Chain]:
    """Read the state, and the log up to its line; again where a cycle was written meanwhile."""
    for look in range(_LOOKS):
        if look:
            clock.sleep_ms(_LOOK_AGAIN_MS)
        path = root / STATE_FILE
        raw = read.read_state_file(path)
        if raw is None:
            raise ShippingError(
                f"{path}: there is none yet; run a cycle first, or pass --state-dir"
            )
        try:
            state = StateEnd.parse(raw)
        except FormRefusedError as error:
            raise ShippingError(f"{path}: {error}") from None
        chain = chain_up_to(state, read.history_backwards(root / EVENT_LOG), there)
        if chain is not None:
            return state, chain
    raise ShippingError(
        f"{root}: the event log does not end with the cycle that {STATE_FILE} names; nothing was "
        "shipped"
    )


def _last_shipped_ms(root: Path) -> int:
    """When a process shipped last from here; 0 if none did."""
    with suppress(OSError):
        return (root / LOCK_FILE).stat().st_mtime_ns // 1_000_000
    return 0


def _note(lock: HeldLock) -> None:
    with suppress(OSError):
        os.utime(lock.descriptor)
