"""Counts a log: its valid and invalid lines, and its reason codes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tau_transport_health.log.codes import CodeCounts
from tau_transport_health.log.decode import InvalidLines, read_blocks


@dataclass(slots=True, kw_only=True)
class EventCounts:
    """What a log adds up to."""

    valid: int = 0
    invalid: InvalidLines = field(default_factory=InvalidLines)
    last_reason_codes: tuple[str, ...] = ()
    reason_code_counts: Counter[str] = field(default_factory=Counter)


def count_events(blocks: Iterable[bytes], *, chained: bool) -> EventCounts:
    """Count a log's whole lines, and keep the first of its invalid ones.

    Args:
        blocks: The lines, oldest first, some together, each ended by its line break.
        chained: Whether the writer chains its events, so that the chain keys are required.
    """
    counts, codes = EventCounts(), CodeCounts()
    for read in read_blocks(blocks, chained=chained):
        counts.valid += len(read.valid)
        counts.invalid.add(read.refusals)
        if read.valid:
            of_lines = read.values("reason_codes")
            codes.add(of_lines)
            counts.last_reason_codes = of_lines[-1]
        del read  # its line may be long: not held while the next one is read
    counts.reason_code_counts = codes.by_name()
    return counts
