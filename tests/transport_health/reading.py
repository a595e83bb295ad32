"""How tests read logs: line by line what was found, or over time."""

from collections.abc import Iterable

from tau_transport_health.contract.event import Event
from tau_transport_health.log.decode import event_of, read_blocks
from tau_transport_health.log.timeline import Timeline


def read_lines(blocks: Iterable[bytes], *, chained: bool) -> list[tuple[int, bytes, Event | str]]:
    """Return each line of blocks: its number, its bytes, and its event or why it is none."""
    found: list[tuple[int, bytes, Event | str]] = []
    for read in read_blocks(blocks, chained=chained):
        said: dict[int, Event | str] = {**read.refusals}
        said.update(zip(read.numbers, map(event_of, read.valid), strict=True))
        for number, line in enumerate(read.lines, start=read.first_line):
            found.append((number, line, said[number]))
    return found


def read_timeline(blocks: Iterable[bytes], *, chained: bool) -> Timeline:
    """Return what a log's whole lines add up to over time."""
    timeline = Timeline()
    for read in read_blocks(blocks, chained=chained):
        timeline.add(read)
    timeline.close()
    return timeline
