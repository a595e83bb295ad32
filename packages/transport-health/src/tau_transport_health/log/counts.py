"""Counts a log: its valid and invalid lines, and its reason codes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tau_transport_health.log.codes import CodeNames
from tau_transport_health.log.decode import InvalidLines, read_blocks

_COMBINATIONS_KEPT = 10_000


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
    counts, names = EventCounts(), CodeNames()
    combinations: Counter[tuple[str, ...]] = Counter()
    for read in read_blocks(blocks, chained=chained):
        if codes := read.reason_codes:
            combinations.update(codes)
            counts.last_reason_codes = codes[-1]
        for line, reason in read.refusals.items():
            counts.invalid.add(line, reason)
        if len(combinations) > _COMBINATIONS_KEPT:
            _add_up(combinations, counts, names)
        del read  # its line may be long: not held while the next one is read
    _add_up(combinations, counts, names)
    return counts


def _add_up(combinations: Counter[tuple[str, ...]], counts: EventCounts, names: CodeNames) -> None:
    """Add the combinations to the counts, and forget them: most logs have a handful."""
    for codes, times in combinations.items():
        counts.valid += times
        for name in names.of(codes):
            counts.reason_code_counts[name] += times
    combinations.clear()
