"""An object of JSON, however long: read strictly to its end, and only what decides is kept.

What is short is decoded as a whole. Of what is long a bounded part is held at a time: each value in
it that is short is decoded, each that is long is gone through in the same way. The rules are those
of `strict_json`, and a few more for what no writer needs in a long text. The two packages that read
what others wrote have this file, the same to the byte (tests/contract/test_copies.py).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from .json_text import AT_ONCE, LONG, LONGEST_WANTED, LongText
from .strict_json import MOST_VALUES, JsonRefusedError, decode

MOST_KEYS = 300_000
"""Keys that long objects within each other may have together: of each 70 bytes are kept."""

_MOST_LEVELS = 8


class Items(NamedTuple):
    """Stands for an array that was handed on: how many items it has."""

    number: int


class Fold(NamedTuple):
    """What takes the items of an array, as many together as were decoded.

    Args:
        take: It; what is too long in an item stands there as `LONG`.
        keys: The keys that are kept of an item that is a long object.
    """

    take: Callable[[Iterable[Any]], object]
    keys: Collection[str] = ()


def pieces_of(raw: bytes) -> Iterable[bytes]:
    """Cut bytes into the pieces that `read_object` takes."""
    if len(raw) <= AT_ONCE:
        return (raw,)
    return (raw[start : start + AT_ONCE] for start in range(0, len(raw), AT_ONCE))


def read_object(
    pieces: Iterable[bytes], keys: Collection[str], folds: Mapping[str, Fold] | None = None
) -> Any:  # noqa: ANN401 - JSON is any value; the caller narrows it
    """The members of an object that are asked for; maybe others; any value that is no object.

    Args:
        pieces: The text in pieces of `AT_ONCE` bytes at most; one piece is decoded as a whole.
        keys: The members to keep; in a long text the first `LONGEST_WANTED` characters of a string.
        folds: What takes the items of an array, by its key; `Items` stands in its place.

    Raises:
        JsonRefusedError: for anything but one strict JSON value in UTF-8, and where it is long for
            a value to keep that is too long, for very many keys of one object or values of one
            array, and for long values too deep within each other.
    """
    folds = folds or {}
    rest = iter(pieces)
    head, second = next(rest, b""), next(rest, None)
    value = (
        decode(head) if second is None else _Walk(LongText(head, second, rest)).whole(keys, folds)
    )
    if isinstance(value, dict):
        for key in folds.keys() & value.keys():
            value[key] = _folded(value[key], folds[key])
    return value


def _folded(value: object, fold: Fold) -> object:
    if not isinstance(value, list):
        return value
    fold.take(value)
    return Items(len(value))


class _Walk:
    """Goes through a long text once."""

    def __init__(self, text: LongText) -> None:
        self._text = text
        self._keys = 0

    def whole(self, keys: Collection[str], folds: Mapping[str, Fold]) -> object:
        value = self._value(0, keys, folds)
        if self._text.next_mark():
            raise self._text.refused("not JSON: Extra data")
        return value

    def _value(
        self, level: int, keys: Collection[str], folds: Mapping[str, Fold], fold: Fold | None = None
    ) -> object:
        """The value that comes next, `level` levels deep; of a long one what is kept of it."""
        mark = self._text.next_mark()
        value = self._text.short(level)
        if value is not LONG:
            return value
        if mark not in {"[", "{", '"'}:
            raise self._text.refused("not JSON: Expecting value, or a number that is too long")
        self._text.at += 1
        if mark == '"':
            return self._text.pass_string()
        if level == _MOST_LEVELS:
            raise self._text.refused("not usable: long arrays and objects are nested too deeply")
        if mark == "[":
            return self._array(level + 1, fold)
        found = self._object(level + 1, keys, folds)
        return found if keys else LONG

    def _array(self, level: int, fold: Fold | None) -> object:
        count = 0
        is_flat = True  # arrays of short scalars are decoded many items at once
        goes_on = self._text.next_mark() != "]" or self._text.goes_on("]")
        while goes_on:
            items = self._text.several(level) if is_flat else None
            if items is None:
                is_flat = False
                items = [self._value(level, fold.keys if fold else (), {})]
            count += len(items)
            if count > MOST_VALUES:
                raise JsonRefusedError(f"not usable: it holds more than {MOST_VALUES:,} values")
            if fold is not None:
                fold.take(items)
            goes_on = self._text.goes_on("]")
        return Items(count) if fold else LONG

    def _object(
        self, level: int, keys: Collection[str], folds: Mapping[str, Fold]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        seen: set[int] = set()  # a hash stands for a key, which may be long
        goes_on = self._text.next_mark() != "}" or self._text.goes_on("}")
        while goes_on:
            key = self._key(level)
            if hash(key) in seen:
                raise self._text.refused(f"the key {key[:40]!r} stands twice in one object")
            seen.add(hash(key))
            self._keys += 1
            if self._keys > MOST_KEYS:
                raise self._text.refused("not usable: long objects have very many keys")
            value = self._of(key, level, keys, folds)
            if key in keys or key in folds:
                found[key] = value
            goes_on = self._text.goes_on("}")
        self._keys -= len(seen)
        return found

    def _key(self, level: int) -> str:
        if self._text.next_mark() != '"':
            raise self._text.refused("not JSON: Expecting property name enclosed in double quotes")
        key = self._text.short(level)
        if not isinstance(key, str) or self._text.next_mark() != ":":
            raise self._text.refused("not JSON: Expecting ':' delimiter, or a key that is too long")
        self._text.at += 1
        return key

    def _of(self, key: str, level: int, keys: Collection[str], folds: Mapping[str, Fold]) -> object:
        """The value of a key, a string cut; any other that is asked for must not be long."""
        self._text.next_mark()
        start = self._text.at
        value = self._value(level, (), {}, folds.get(key))
        if key in folds:
            return _folded(value, folds[key])
        if isinstance(value, str):
            return value[:LONGEST_WANTED]
        if key in keys and (value is LONG or self._text.at - start > LONGEST_WANTED):
            raise self._text.refused(f"{key}: is too long")
        return value
