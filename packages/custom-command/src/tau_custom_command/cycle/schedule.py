"""Which cases of a cycle may start: in order where order matters, side by side otherwise.

Cases of one command stay in order, what takes a capture waits for what makes it, and a LIST waits
for all before it while all after it wait for the LIST. So the files come out the same however many
run at once (runbooks/custom-command-ops.md, "Parallel runs").
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.fixture.model import Case


class Schedule:
    """The cases of a queue by their places in it: those that may start, and those that wait."""

    def __init__(self, queue: Sequence[Case], waits_for: Mapping[int, Sequence[int]]) -> None:
        """Begin with none done; `waits_for` names the earlier places that a place needs besides."""
        self._waiting = [0] * len(queue)
        self._followers: dict[int, list[int]] = defaultdict(list)
        since_list: list[int] = []
        last_of: dict[str, int] = {}
        last_list: int | None = None
        for place, case in enumerate(queue):
            needed = set(waits_for.get(place, ()))
            if last_list is not None:
                needed.add(last_list)
            if case.operation == Operation.LIST:
                needed.update(since_list)
                since_list, last_of, last_list = [], {}, place
            else:
                if case.command_name in last_of:
                    needed.add(last_of[case.command_name])
                last_of[case.command_name] = place
                since_list.append(place)
            self._waiting[place] = len(needed)
            for each in needed:
                self._followers[each].append(place)
        self._ready = [place for place, count in enumerate(self._waiting) if not count]
        heapify(self._ready)

    def next(self) -> int | None:
        """Take the first place that may start; None while all that are left wait for others."""
        return heappop(self._ready) if self._ready else None

    def done(self, place: int) -> None:
        """Let what waited for the case at `place` start."""
        for follower in self._followers.pop(place, ()):
            self._waiting[follower] -= 1
            if not self._waiting[follower]:
                heappush(self._ready, follower)
