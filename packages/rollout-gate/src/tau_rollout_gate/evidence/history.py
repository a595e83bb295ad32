"""A recorded event log, stepped through cycle by cycle, as a replay does."""

from collections.abc import Iterator, Sequence

from tau_rollout_gate.evidence.lines import LogPart
from tau_rollout_gate.evidence.log import Link, judge
from tau_rollout_gate.evidence.reading import lines_of
from tau_rollout_gate.evidence.values import Cycle, FlawFound


class RecordedHistory:
    """A recorded log of one surface; it may start at any cycle.

    Its lines are parsed each time anew that it is gone through: their bytes take a tenth of the
    memory of what they say.

    Args:
        surface: The surface's name.
        parts: Its files, oldest first, each read whole.
    """

    def __init__(self, surface: str, parts: Sequence[LogPart]) -> None:
        self.surface = surface
        self._parts = parts
        self.is_chained = any(
            line.event is not None and line.event.is_chained for line in lines_of(parts)
        )

    def __len__(self) -> int:
        """How many lines there are, the torn one among them."""
        return sum(
            sum(block.count(b"\n") for block in part.blocks) + bool(part.torn)
            for part in self._parts
        )

    def __iter__(self) -> Iterator[Cycle | FlawFound]:
        """Yield the valid cycles, each followed by what is wrong with the lines up to the next."""
        return judge(lines_of(self._parts), before=Link(), is_chained=self.is_chained)

    def moments(self) -> Iterator[tuple[Cycle, list[FlawFound]]]:
        """Yield each valid cycle, and what was found wrong until the next one ended.

        What is wrong before the first cycle belongs to it. There is no state beside a recorded
        log, and nothing is said of that.
        """
        last: Cycle | None = None
        flaws: list[FlawFound] = []
        for found in self:
            if isinstance(found, FlawFound):
                flaws.append(found)
                continue
            if last is not None:
                yield last, flaws
                flaws = []
            last = found
        if last is not None:
            yield last, flaws
