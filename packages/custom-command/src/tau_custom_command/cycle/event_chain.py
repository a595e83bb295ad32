"""The chain of events: what the next event names, and whether a state belongs to the last one.

Each event holds the digest of the line before, and `state.json` that of the last line, so that a
line which is altered or removed shows (runbooks/state-files.md, "The chain").
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tau_custom_command.contract.forms import line_digest
from tau_custom_command.contract.state import ChainLink, LastCycle
from tau_custom_command.errors import FormRefusedError


class ChainEnd(NamedTuple):
    """The event that the next one follows: its number (0 before the first) and its digest."""

    cycle_number: int
    sha256: str | None
    warning: str | None = None


def chain_end(last_cycle: LastCycle, lines_backwards: Iterable[bytes]) -> ChainEnd:
    """Find where the chain ends, by the state and by the log's whole lines, newest first.

    The log may be empty, since it can be rotated; it may be ahead of the state, since an older
    state can be put back. Anything else is a break, which is left to show.
    """
    of_state = ChainEnd(cycle_number=last_cycle.cycle_number, sha256=last_cycle.event_sha256)
    lines = iter(lines_backwards)
    newest = next(lines, None)
    if newest is None or line_digest(newest) == of_state.sha256:
        return of_state
    ahead = _lines_ahead(newest, lines, of_state)
    if ahead:
        number = of_state.cycle_number + ahead
        which = f"cycle {number} was" if ahead == 1 else f"the last {ahead} cycles were"
        return ChainEnd(
            cycle_number=number,
            sha256=line_digest(newest),
            warning=f"{which} cut off before the state was written, or an older state was put "
            "back; their cases are processed again",
        )
    broken = "the event log does not end with the cycle that state.json names"
    return of_state._replace(warning=f"{broken}; the chain shows a break there")


def ends_with(last_cycle: LastCycle, lines_backwards: Iterable[bytes]) -> bool:
    """Tell whether the log's newest event, found past lines that are none, is the one named."""
    newest = next(filter(ChainLink.is_read, lines_backwards), None)
    return newest is not None and line_digest(newest) == last_cycle.event_sha256


def _lines_ahead(newest: bytes, older: Iterator[bytes], of_state: ChainEnd) -> int:
    """Count how many lines the log goes on, unbroken, after the state's; 0 where it does not."""
    line, link = newest, _link(newest)
    ahead = 0
    while link is not None and link.cycle_number > of_state.cycle_number:
        ahead += 1
        if link.cycle_number == of_state.cycle_number + 1:
            return ahead if link.previous_sha256 == of_state.sha256 else 0
        line = next(older, b"")
        if line_digest(line) != link.previous_sha256:
            return 0
        link = _link(line)
    return 0


def _link(line: bytes) -> ChainLink | None:
    try:
        return ChainLink.parse(line)
    except FormRefusedError:
        return None
