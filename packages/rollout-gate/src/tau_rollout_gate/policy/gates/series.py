"""A number of every cycle, kept for the halves of a window that grows."""

from collections import deque
from collections.abc import Callable, Collection, Iterable

from tau_rollout_gate.evidence.values import Cycle


class Series:
    """A number of every cycle of a window, as a gate keeps it without keeping the cycles.

    Args:
        measure: What a cycle counts for; None where its line does not tell.
        looks_at: The fields of an event, and the counters, that it depends on; None where it
            depends on earlier cycles too.

    Attributes:
        first: The sum over the window's first half.
        second: The sum over its second half.
        shown: The first cycle that counted for anything.
        last: The last one that did.
        untold: The first cycle that did not tell, after how many others.
    """

    def __init__(
        self, measure: Callable[[Cycle], int | None], looks_at: Collection[str] | None
    ) -> None:
        self.measure = measure
        self.looks_at = looks_at
        self.first = self.second = 0
        self.shown: Cycle | None = None
        self.last: Cycle | None = None
        self.untold: tuple[int, Cycle] | None = None
        # What no later cycle of the second half exceeds: the first of them is its highest.
        self._peaks: deque[tuple[int, int, Cycle]] = deque()

    def add(self, index: int, value: int | None, cycle: Cycle) -> None:
        """Take a cycle that counts for something, or does not tell; it is in the second half."""
        if value is None:
            self.untold = self.untold or (index, cycle)
            return
        self.second += value
        self.shown = self.shown or cycle
        self.last = cycle
        while self._peaks and self._peaks[-1][1] < value:
            self._peaks.pop()
        self._peaks.append((index, value, cycle))

    def pass_middle(self, index: int, value: int | None) -> None:
        """Take such a cycle into the first half, the oldest one of the second."""
        if value is None:
            return
        self.first += value
        self.second -= value
        if self._peaks[0][0] == index:
            self._peaks.popleft()

    @property
    def peak(self) -> Cycle | None:
        """The first cycle of the second half that counts for as much as none there exceeds."""
        return self._peaks[0][2] if self._peaks else None


Counting = tuple[tuple[Series, int | None], ...]
"""In which series a cycle counts for something, and for what; None where it does not tell."""


def counting_of(series: Iterable[Series], cycle: Cycle) -> Counting:
    """In which of some series a cycle counts for something."""
    measured = [(one, one.measure(cycle)) for one in series]
    return tuple((one, value) for one, value in measured if value is None or value)
