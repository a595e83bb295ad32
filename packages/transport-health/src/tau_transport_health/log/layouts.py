"""Recognises valid lines at speed, whatever the order of their keys, white space and other keys.

The rules are `contract.event.parse_event`'s alone, which takes ten times as long. Here lines are
decoded as forms that know which keys are there and of which type each is. That is as strict as the
rules but for one thing: of a key that stands twice the decoder takes the last. Such a line has more
quotes than what was decoded of it, and quotes are counted. What is not recognised is no error: the
rules decide of it, and of what they find valid the keys are learnt.

Only what reads whole logs imports this module, since the decoder costs start-up time.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from tau_transport_health.contract import event, fields
from tau_transport_health.contract.event import Event
from tau_transport_health.contract.state import HealthState

LONGEST_RECOGNISED = 128 * 1024
"""Bytes of lines that are decoded together, or of one: values are made of all that stands there."""

MOST_LAYOUTS = 16
"""How many sets of keys are learnt of one log: each is tried where the others do not fit."""

_MOST_OTHER_KEYS = 32
_MOST_CONSISTENT = 10_000

Line = Any
"""A line as it was decoded: its attributes have the names of an `Event`'s, and their types."""

_TYPES: dict[fields.Rule, Any] = {
    fields.COUNT: Annotated[int, msgspec.Meta(ge=0, le=fields.LARGEST_INTEGER)],
    fields.NUMBER: Annotated[int, msgspec.Meta(ge=1, le=fields.LARGEST_INTEGER)],
    fields.TEXT: str,
    fields.NAME: Annotated[str, msgspec.Meta(min_length=1)],
    fields.DIGEST: Annotated[str, msgspec.Meta(min_length=64, max_length=64)],
    event.DIGEST_OR_NULL: Annotated[str, msgspec.Meta(min_length=64, max_length=64)] | None,
    fields.FLAG: bool,
    fields.VERSION_1: Literal[1],
    event.RUN_MODE: Literal["record", "execute"],
    event.HEALTH: HealthState,  # `unknown` contradicts every number
    event.CODES: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)],
}
_STRINGS = {fields.TEXT, fields.NAME, fields.DIGEST, event.RUN_MODE, event.HEALTH}
# A key that is not known may have any value; one that is nested deeper is left to the rules.
_Scalar = str | int | float | bool | None
_Inner = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Other = _Scalar | list[_Inner] | dict[str, _Inner]

_REFUSED = (msgspec.MsgspecError, UnicodeDecodeError)
_encoded = msgspec.json.Encoder().encode
_encoded_lines = msgspec.json.Encoder().encode_lines
_codes = attrgetter("reason_codes")
_previous_digest = attrgetter("previous_sha256")
_fixture_digest = attrgetter("fixture_sha256")
_judged = attrgetter(
    "reason_codes",
    "health_state",
    "failed_cases",
    "failure_streak",
    "malformed_cases",
    "unexpected_malformed_cases",
)


class _Layout:
    """Lines that all have the same keys.

    Args:
        keys: Them. Lines of just these keys lack none that the rules ask for; a key of an `Event`
            that is not among them has its default.

    Raises:
        ValueError: if the decoder has no room for such a key: one with a quote in it.
    """

    def __init__(self, keys: Collection[str]) -> None:
        known = [key for key in keys if key in event.RULES]
        others = {f"other_{at}": key for at, key in enumerate(keys) if key not in event.RULES}
        self.form = msgspec.defstruct(
            "_Form",
            [(key, _TYPES[event.RULES[key]]) for key in known] + [(at, _Other) for at in others],
            namespace={key: Event._field_defaults[key] for key in event.RULES.keys() - keys},
            rename=others,
            forbid_unknown_fields=True,
            gc=False,
        )
        decoder = msgspec.json.Decoder(self.form)
        self.keys = frozenset(keys)
        self.decode, self.decode_lines = decoder.decode, decoder.decode_lines
        self._others = attrgetter(*others) if others else None
        self._strings = len(keys) + sum(event.RULES[key] in _STRINGS for key in known)

    def quotes(self, lines: Sequence[Line]) -> int:
        """How many quotes begin or end a string in lines that have each key once."""
        strings = self._strings * len(lines)
        strings += sum(map(len, map(_codes, lines)))
        strings += sum(map(bool, map(_previous_digest, lines)))
        others = 0 if self._others is None else _quotes(_encoded(list(map(self._others, lines))))
        return 2 * strings + others


class Layouts:
    """The layouts that the lines of a log were met in, the runtime's from the beginning."""

    def __init__(self) -> None:
        self._last = _Layout(event.RULES)
        self._known = {self._last.form: self._last}
        self._consistent: set[object] = set()  # what was judged before: it repeats itself

    def whole(self, block: bytes) -> list[Line] | None:
        """Decode lines that all have the first one's keys, in the order learnt and without blanks.

        What is decoded and encoded again is the same bytes only where each line is one object and
        has each key once; that takes less time than to look at each line. None where any line is
        not recognised so.
        """
        if len(block) > LONGEST_RECOGNISED:
            return None
        first = block[: block.find(b"\n") + 1]
        example = self._decoded(first)
        if example is None or _encoded_lines([example]) != first:
            return None
        try:
            lines = self._last.decode_lines(block)
        except _REFUSED:
            return None
        return lines if _encoded_lines(lines) == block and self._are_consistent(lines) else None

    def each(self, lines: Sequence[bytes]) -> list[Line | None]:
        """Decode each line, whatever its layout; None stands for one that the rules decide of."""
        # What is longest is left to the rules: nothing decodes as a line.
        lines = [line if len(line) <= LONGEST_RECOGNISED else b"" for line in lines]
        found: list[Line | None] = []
        decode = self._last.decode
        for line in lines:
            try:
                found.append(decode(line))
            except _REFUSED:
                found.append(self._decoded(line))
                decode = self._last.decode  # lines that follow each other are mostly one writer's
        return self._proved(lines, found)

    def learn(self, line: bytes) -> None:
        """Learn the keys of a line that is valid by the rules, and was not recognised."""
        if len(self._known) == MOST_LAYOUTS or len(line) > LONGEST_RECOGNISED:
            return
        with suppress(ValueError, msgspec.MsgspecError):  # not all that is valid can be decoded
            keys = msgspec.json.decode(line).keys()
            is_known = any(layout.keys == keys for layout in self._known.values())
            if not is_known and len(keys - event.RULES.keys()) <= _MOST_OTHER_KEYS:
                layout = _Layout(keys)
                self._known[layout.form] = layout

    def _decoded(self, line: bytes) -> Line | None:
        """Decode a line as the layout has it whose keys it has; one may still stand there twice."""
        for layout in (self._last, *self._known.values()):
            try:
                found = layout.decode(line)
            except _REFUSED:
                continue
            self._last = layout
            return found
        return None

    def _proved(self, lines: Sequence[bytes], found: list[Line | None]) -> list[Line | None]:
        """What was decoded of lines, without those in which more stands, or what is not valid.

        Most have none of these, which is found out of all together: else of either half.
        """
        if self._are_proved(lines, found):
            return found
        if len(lines) == 1:
            return [None]
        half = len(lines) // 2
        return self._proved(lines[:half], found[:half]) + self._proved(lines[half:], found[half:])

    def _are_proved(self, lines: Sequence[bytes], found: Sequence[Line | None]) -> bool:
        forms: dict[type, list[Line]] = {}
        for line in found:
            if line is not None:
                forms.setdefault(type(line), []).append(line)
        written = b"".join(raw for raw, line in zip(lines, found, strict=True) if line is not None)
        decoded = sum(self._known[form].quotes(each) for form, each in forms.items())
        return _quotes(written) == decoded and all(map(self._are_consistent, forms.values()))

    def _are_consistent(self, lines: Sequence[Line]) -> bool:
        """Whether digests have the digits of one, and no line contradicts itself."""
        digests = (*set(map(_fixture_digest, lines)), *filter(None, map(_previous_digest, lines)))
        if "".join(digests).encode().translate(None, b"0123456789abcdef"):
            return False
        if self._consistent.issuperset(map(_judged, lines)):
            return True
        unjudged = {_judged(line): line for line in lines}
        for judged in unjudged.keys() & self._consistent:
            del unjudged[judged]
        if any(map(event.contradiction_of, unjudged.values())):
            return False
        if len(self._consistent) > _MOST_CONSISTENT:
            self._consistent.clear()
        self._consistent.update(judged for judged in unjudged if _is_small(judged[0]))
        return True


def _is_small(codes: Collection[str]) -> bool:
    known = event.KNOWN_REASON_CODES
    return len(codes) <= len(known) and known.issuperset(codes)


def _quotes(text: bytes) -> int:
    """How many quotes begin or end a string in JSON: an escaped one stands within."""
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    return text.count(b'"')
