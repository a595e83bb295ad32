"""The names that reason codes are counted by: those of the contract, and a few others."""

from collections import Counter
from collections.abc import Iterable, Iterator, KeysView

from tau_transport_health.contract.event import KNOWN_REASON_CODES

MOST_UNKNOWN_CODES = 20
"""How many codes that the contract does not know are counted by name: a log may hold any number."""

LONGEST_CODE = 80
"""A code that the contract does not know and that is longer is not counted by name."""

OTHER_CODES = "(other codes)"
"""Stands for the codes beyond what is counted by name."""

_COMBINATIONS_KEPT = 1000
_COMBINATIONS_COUNTED = 10_000


class CodeNames:
    """Gives the codes of an event the names that they are counted by, the first ones their own."""

    def __init__(self) -> None:
        self._named: set[str] = set(KNOWN_REASON_CODES)
        self._names_of: dict[tuple[str, ...], tuple[str, ...]] = {}

    def of(self, codes: tuple[str, ...]) -> tuple[str, ...]:
        """Name an event's codes, each once; what is hostile shares one name."""
        names = self._names_of.get(codes)
        if names is None:
            names = tuple(dict.fromkeys(map(self._name, codes)))
            if names == codes and len(self._names_of) < _COMBINATIONS_KEPT:
                self._names_of[codes] = names
        return names

    def _name(self, code: str) -> str:
        if code not in self._named:
            room = len(KNOWN_REASON_CODES) + MOST_UNKNOWN_CODES
            if len(code) > LONGEST_CODE or len(self._named) >= room:
                return OTHER_CODES
            self._named.add(code)
        return code


class CodeCounts:
    """Counts the names that the codes of events are counted by."""

    def __init__(self) -> None:
        self._names = CodeNames()
        self._combinations: Counter[tuple[str, ...]] = Counter()  # most logs have a handful
        self._by_name: Counter[str] = Counter()

    def add(self, events: Iterable[tuple[str, ...]]) -> None:
        """Count the codes of each of some events."""
        self._combinations.update(events)
        if len(self._combinations) > _COMBINATIONS_COUNTED:
            self.by_name()

    def by_name(self) -> Counter[str]:
        """How many of the events have each name."""
        for codes, times in self._combinations.items():
            for name in self._names.of(codes):
                self._by_name[name] += times
        self._combinations.clear()
        return self._by_name


def warnings_of(names: KeysView[str]) -> Iterator[str]:
    """Say which of the names are of codes that the contract does not know."""
    for name in sorted(names - KNOWN_REASON_CODES):
        if name == OTHER_CODES:
            yield "there are more codes that are not known than are counted by name"
        else:
            yield f"the reason code {name!r} is not known"
