"""Values held to a form: each mistake in words, what was expected and what was found."""

import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TypeVar

from msgspec import Struct, ValidationError, convert, inspect

from tau_custom_command.contract import json_values
from tau_custom_command.limits import MOST_UNKNOWN_KEYS

EDITOR_KEY = "$schema"
"""Allowed in a fixture so that editors find the schema; it says nothing to the runtime."""

Form = TypeVar("Form", bound=Struct)
Mistake = tuple[str, str]
"""The field, empty for the whole, and what is wrong with it."""

_described = cache(inspect.type_info)
_TYPES: dict[type[inspect.Type], tuple[type, str]] = {
    inspect.BoolType: (bool, "be true or false"),
    inspect.DictType: (dict, "be an object"),
    inspect.IntType: (int, "be an integer"),
    inspect.StrType: (str, "be a string"),
    inspect.StructType: (dict, "be an object"),
    inspect.VarTupleType: (list, "be an array"),
}


class MistakenFormError(ValueError):
    """A value that has not the form it should have; holds each of its mistakes."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        """Keep the mistakes, which are at least one."""
        super().__init__(mistakes)
        self.mistakes = mistakes


def read_form(value: object, form: type[Form]) -> Form:
    """The form that a value of JSON, or of TOML, holds; nothing is coerced.

    Raises:
        MistakenFormError: with every mistake. Of an array, or of an object of any keys, only the
            first wrong item is told, and of very many unknown keys the first: a file has room for
            millions of them.
    """
    try:
        return convert(value, form)
    except ValidationError as error:
        # What is told is looked for again, value by value: the library names the first alone.
        told = tuple(_mistakes(value, _described(form), ""))
        raise MistakenFormError(told or (("", str(error)),)) from None


def _mistakes(value: object, kind: inspect.Type, path: str) -> Iterator[Mistake]:
    match kind:
        case inspect.Metadata(type=described):
            yield from _mistakes(value, described, path)
        case inspect.UnionType(types=kinds):  # of one kind, or null
            if value is not None:
                (described,) = (kind for kind in kinds if not isinstance(kind, inspect.NoneType))
                yield from _mistakes(value, described, path)
        case inspect.DictType(value_type=described) if isinstance(value, dict):
            yield from _first_mistakes(value.items(), described, path)
        case inspect.StructType() if isinstance(value, dict):
            yield from _mistakes_of_keys(value, kind, path)
        case inspect.VarTupleType(item_type=described) if isinstance(value, list):
            yield from _first_mistakes(enumerate(value), described, path)
        case _:
            if message := _mistake(value, kind):
                yield path, message


def _first_mistakes(
    items: Iterable[tuple[object, object]], kind: inspect.Type, path: str
) -> Iterator[Mistake]:
    """Yield the mistakes of the first wrong item of an array, or of an object of any keys."""
    for key, item in items:
        if found := tuple(_mistakes(item, kind, f"{path}.{key}")):
            yield from found
            return


def _mistakes_of_keys(
    value: dict[str, object], kind: inspect.StructType, path: str
) -> Iterator[Mistake]:
    known = {field.name: field for field in kind.fields}
    unknown = [key for key in value if key not in known] if kind.forbid_unknown_fields else []
    if len(unknown) > MOST_UNKNOWN_KEYS:
        count, first = f"{len(unknown):,}", unknown[0][:60]
        yield path, f"has {count} keys that are not known, {first!r} first"
        return
    prefix = f"{path}." if path else ""
    for name, field in known.items():
        if name in value:
            yield from _mistakes(value[name], field.type, prefix + name)
        elif field.required:
            yield prefix + name, "is missing; add it"
    names = sorted(known) + [EDITOR_KEY] * ("cases" in known)
    for key in unknown:
        yield prefix + key, f"is not a known key; {_advice(key, names)}"


def _advice(key: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only who erred pays for it

    near = get_close_matches(key, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"


def _mistake(value: object, kind: inspect.Type) -> str | None:
    match kind:
        case inspect.StrType(max_length=int(most)) if isinstance(value, str) and len(value) > most:
            return f"has {len(value):,} characters, and the most is {most:,}; shorten it"
        case inspect.AnyType():
            return None
        case inspect.EnumType(cls=words):
            expected = _one_of(value, [word.value for word in words])
        case inspect.LiteralType(values=words):
            expected = _one_of(value, words)
        case _:
            expected = _typed(value, kind)
    return f"must {expected} (found {json_values.describe(value)})" if expected else None


def _one_of(value: object, words: Sequence[object]) -> str | None:
    if any(json_values.same(value, word) for word in words):
        return None
    *first, last = map(str, words)
    return "be " + " or ".join(filter(None, (", ".join(first), last)))


def _typed(value: object, kind: inspect.Type) -> str | None:
    right, name = _TYPES[type(kind)]
    if type(value) is not right:
        return name
    if isinstance(kind, inspect.StrType) and not re.search(kind.pattern or "", str(value)):
        return f"match {kind.pattern}"
    if isinstance(kind, inspect.StrType) and len(str(value)) < (kind.min_length or 0):
        return "not be empty"
    if isinstance(kind, inspect.IntType) and isinstance(value, int):
        for bound, holds, name in (
            (kind.gt, operator.gt, "greater than"),
            (kind.ge, operator.ge, "at least"),
            (kind.le, operator.le, "at most"),
        ):
            if bound is not None and not holds(value, bound):
                return f"be {name} {bound}"
    return None
