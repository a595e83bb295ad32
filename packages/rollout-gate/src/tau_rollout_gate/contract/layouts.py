"""Lines of an event log, many at a time: in a third of the time that `parse_event` takes.

Its rules hold. Lines whose keys a valid line had are decoded as a form that knows of which type
each is. That is as strict as the rules but for one thing: of a key that stands twice the decoder
takes the last. Such a line has more quotes than what was decoded of it, and quotes are counted.
What is not recognised so is no error: the rules decide of it.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any

from msgspec import Meta, MsgspecError, defstruct, json

from tau_rollout_gate.contract.cycle import Event, Told, contradiction_of
from tau_rollout_gate.contract.event import DEFAULTS, TYPES, parse_event, told_of
from tau_rollout_gate.errors import RolloutGateError

LONGEST_BYTES = 64 * 1024
"""A longer line is left to the rules, which take little memory for it."""

MOST_LAYOUTS = 16
"""How many sets of keys are learnt of one log: each is tried where the last one does not fit."""

_FEW = 8  # lines: to learn their keys takes longer than the rules
_MOST_OTHER_KEYS = 32
_MOST_TOLD = 1024
_LONGEST_TOLD_BYTES = 4096  # of the line of one that is kept

# A key that is not known may have any value; one that is nested deeper is left to the rules.
_Scalar = str | int | float | bool | None
_Inner = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Other = _Scalar | list[_Inner] | dict[str, _Inner]
_Digest = Annotated[str, Meta(min_length=64, max_length=64)]  # many are looked at together
_DIGESTS = {"previous_sha256": _Digest | None, "fixture_sha256": _Digest}
_TEXTS = {
    *("health_state", "health_reason", "cycle_id", "run_mode", "runtime_version", "release"),
    *("fixture_name", "fixture_sha256"),
}

_REFUSED = (MsgspecError, ValueError, ArithmeticError)
_encoded = json.Encoder().encode
_codes = attrgetter("reason_codes")
_previous = attrgetter("previous_sha256")
_own = tuple(map(attrgetter, Event._fields[1:]))

_usual: "list[_Layout]" = []
"""What was learnt last: of a fleet's logs nearly all are alike."""

_Line = Any
"""A line as a form has it: an attribute for each key, and what is left out has its default."""


class EventReader:
    """Reads the lines of one log, just as `parse_event` reads each of them."""

    def __init__(self) -> None:
        self._layouts: list[_Layout] = [*_usual]
        self._tried: set[tuple[str, ...]] = set()

    def read(
        self, block: bytes, lines: Sequence[bytes]
    ) -> tuple[Sequence[Event | None], dict[int, str]]:
        """The event of each of some lines that follow each other, and why others have none.

        Args:
            block: The lines with their line breaks.
            lines: Each without its own.
        """
        may_learn = len(lines) >= _FEW
        if may_learn and self._layouts and len(block) <= LONGEST_BYTES:
            alike = self._layouts[0].events_of_all(block, lines)
            if alike is not None:  # as nearly all are
                return alike, {}
        events: list[Event | None] = []
        refusals: dict[int, str] = {}
        if may_learn and not any(layout.fits(lines[0]) for layout in self._layouts):
            events.append(self._by_the_rules(lines[0], 0, refusals, may_learn=True))
        events += self._recognised(lines[len(events) :])
        if None in events:
            for at, event in enumerate(events):
                if event is None and at not in refusals:
                    events[at] = self._by_the_rules(lines[at], at, refusals, may_learn=may_learn)
        return events, refusals

    def _by_the_rules(
        self, line: bytes, at: int, refusals: dict[int, str], *, may_learn: bool
    ) -> Event | None:
        try:
            event = parse_event(line)
        except RolloutGateError as error:
            refusals[at] = str(error)
            return None
        if may_learn and event.timeline is None and len(line) <= LONGEST_BYTES:
            self._learn(line)
        return event

    def _learn(self, line: bytes) -> None:
        """Learn the keys of a valid line."""
        with suppress(*_REFUSED):  # not all that is valid can be decoded
            keys = tuple(sorted(json.decode(line, type=dict[str, Any])))
            if keys in self._tried or len(self._tried) == MOST_LAYOUTS:
                return
            self._tried.add(keys)
            layout = _layout(keys)
            if layout not in self._layouts:
                self._layouts.append(layout)
            _usual[:] = [layout]

    def _recognised(self, lines: Sequence[bytes]) -> list[Event | None]:
        """The event of each line that a layout fits."""
        found: dict[_Layout, list[tuple[int, _Line]]] = {}
        for at, line in enumerate(lines):
            # The last one that fitted comes first: lines in a row are mostly one writer's.
            for layout in self._layouts if len(line) <= LONGEST_BYTES else ():
                try:
                    decoded = layout.decode(line)
                except _REFUSED:
                    continue
                found.setdefault(layout, []).append((at, decoded))
                if layout is not self._layouts[0]:
                    self._layouts.remove(layout)
                    self._layouts.insert(0, layout)
                break
        events: list[Event | None] = [None] * len(lines)
        for layout, each in found.items():
            made = layout.events([lines[at] for at, _ in each], [one for _, one in each])
            for (at, _), event in zip(each, made, strict=True):
                events[at] = event
        return events


class _Layout:
    """Lines that all have the same keys, in any order.

    Args:
        keys: Those of a line that is valid: none is lacking.

    Raises:
        ValueError: if the decoder has no room for such a key, as for one with a quote in it, or
            there are very many that are not known.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        known = [key for key in keys if key in TYPES]
        others = {f"other_{at}": key for at, key in enumerate(keys) if key not in TYPES}
        if len(others) > _MOST_OTHER_KEYS:
            raise ValueError(f"{len(others)} keys that are not known")
        form = defstruct(
            "_Form",
            [(key, _DIGESTS.get(key, TYPES[key])) for key in known]
            + [(name, _Other) for name in others],
            namespace={key: value for key, value in DEFAULTS.items() if key not in keys},
            rename=others,
            forbid_unknown_fields=True,
            gc=False,
        )
        self.decode = json.Decoder(form).decode
        self._strings = len(keys) + len(_TEXTS.intersection(known))
        self._others = attrgetter(*others) if others else None
        # What is told, in any order: `told_of` makes it of the line.
        self._key = attrgetter(*(key for key in known if key not in _NOT_TOLD))
        self._told: dict[tuple[Any, ...], Told] = {}

    def fits(self, line: bytes) -> bool:
        """Tell whether a line has these keys; not of one that is left to the rules."""
        if len(line) > LONGEST_BYTES:
            return False
        try:
            self.decode(line)
        except _REFUSED:
            return False
        return True

    def events_of_all(self, block: bytes, raw: Sequence[bytes]) -> list[Event] | None:
        """The event of each line of a block; None if any has none, or other keys."""
        try:
            lines = list(map(self.decode, raw))
        except _REFUSED:
            return None
        if not self._are_proved(block, lines):
            return None
        told = self._all_told(raw, lines)
        return None if None in told else _events(told, lines)

    def events(self, raw: Sequence[bytes], lines: Sequence[_Line]) -> list[Event | None]:
        """The event of each line that has each key once, and does not contradict itself.

        Mostly that is all of them, which is found out of all together: else of either half.
        """
        if self._are_proved(b"\n".join(raw), lines):
            told = self._all_told(raw, lines)
            return [None if event.told is None else event for event in _events(told, lines)]
        if len(lines) == 1:
            return [None]
        half = len(lines) // 2
        return [*self.events(raw[:half], lines[:half]), *self.events(raw[half:], lines[half:])]

    def _are_proved(self, text: bytes, lines: Sequence[_Line]) -> bool:
        previous = list(filter(None, map(_previous, lines)))
        strings = self._strings * len(lines) + len(previous) + sum(map(len, map(_codes, lines)))
        others = 0 if self._others is None else _quotes(_encoded(list(map(self._others, lines))))
        return _quotes(text) == 2 * strings + others and _are_hex("".join(previous))

    def _all_told(self, raw: Sequence[bytes], lines: Sequence[_Line]) -> list[Told | None]:
        """What each line tells; None where that contradicts itself."""
        keys = list(map(self._key, lines))
        told = list(map(self._told.get, keys))
        if None in told:
            for at, key in enumerate(keys):
                told[at] = told[at] or self._newly_told(key, lines[at], len(raw[at]))
        return told

    def _newly_told(self, key: tuple[Any, ...], line: _Line, length: int) -> Told | None:
        told = self._told.get(key)
        if told is None:
            told = told_of(line)
            if contradiction_of(told) or not _are_hex(told.fixture_sha256 or ""):
                return None
            if length <= _LONGEST_TOLD_BYTES:
                if len(self._told) >= _MOST_TOLD:
                    self._told.clear()
                self._told[key] = told
        return told


def _events(told: Sequence[Told | None], lines: Sequence[_Line]) -> list[Any]:
    """The events of some lines of which it is known what they tell."""
    return list(map(Event._make, zip(told, *(map(of, lines) for of in _own), strict=True)))


_NOT_TOLD = {*Event._fields, "schema_version", "health_reason"}


@lru_cache(maxsize=MOST_LAYOUTS)
def _layout(keys: tuple[str, ...]) -> _Layout:
    """The layout of these keys, the same for all logs."""
    return _Layout(keys)


def _are_hex(digits: str) -> bool:
    return not digits.encode().translate(None, b"0123456789abcdef")


def _quotes(text: bytes) -> int:
    """How many quotes begin or end a string in JSON: an escaped one stands within."""
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    return text.count(b'"')
