"""What is wrong with a value that has not the form it should have: each mistake in words."""

import operator
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from msgspec import Struct, ValidationError, convert, inspect

from tau_rollout_gate.contract.forms import Location, MisfitError, Mistake, from_file

_LONGEST_QUOTE = 60
_MOST_MISTAKES = 10_000
_START, _END = r"\A", r"\Z"
_described = cache(inspect.type_info)
_NAMES = {dict: "an object", list: "an array"}
_TYPES: dict[type[inspect.Type], tuple[type, str]] = {
    inspect.BoolType: (bool, "true or false"),
    inspect.DictType: (dict, "an object"),
    inspect.IntType: (int, "an integer"),
    inspect.StrType: (str, "text"),
    inspect.StructType: (dict, "an object"),
    inspect.VarTupleType: (list, "an array"),
}


def mistakes_in(value: object, form: type[Struct], error: ValidationError) -> tuple[Mistake, ...]:
    """Each mistake of a value that a form refused with an error; that, if no other is found."""
    found = tuple(islice(_mistakes(value, _described(form), ()), _MOST_MISTAKES))
    return found or (((), str(error)),)


def _mistakes(value: object, kind: inspect.Type, where: Location) -> Iterator[Mistake]:
    match kind:
        case inspect.UnionType(types=kinds):
            yield from _mistakes_of_any(value, kinds, where)
        case inspect.StructType() if isinstance(value, dict):
            yield from _mistakes_of_object(value, kind, where)
        case inspect.DictType(key_type=of_key, value_type=of_value) if isinstance(value, dict):
            for key, item in value.items():
                yield from _mistakes(key, of_key, (*where, key))
                yield from _mistakes(item, of_value, (*where, key))
        case inspect.VarTupleType(item_type=described) if isinstance(value, list | tuple):
            if wrong := _length(len(value), kind, "items"):
                yield where, f"must {wrong} (found {len(value)})"
            for index, item in enumerate(value):
                yield from _mistakes(item, described, (*where, index))
        case _:
            if found := _mistake(value, kind):
                yield where, found


def _mistakes_of_any(
    value: object, kinds: Sequence[inspect.Type], where: Location
) -> Iterator[Mistake]:
    """Yield what is wrong with a value that may be of several types, as the one it is nearest."""
    others = [kind for kind in kinds if not isinstance(kind, inspect.NoneType)]
    if value is None and len(others) < len(kinds):
        return
    forms = [kind for kind in others if isinstance(kind, inspect.StructType)]
    if len(forms) > 1 and isinstance(value, dict):
        yield from _mistakes_of_tagged(value, forms, where)
        return
    near = [kind for kind in others if len(others) == 1 or type(value) is _expected(kind)[0]]
    for kind in near:
        yield from _mistakes(value, kind, where)
    if not near:
        names = dict.fromkeys(_expected(kind)[1] for kind in others)
        yield where, f"must be {' or '.join(names)} (found {_quoted(value)})"


def _mistakes_of_tagged(
    value: dict[str, object], forms: Sequence[inspect.StructType], where: Location
) -> Iterator[Mistake]:
    """Yield what is wrong with an object of which one key says which form it has."""
    key = str(forms[0].tag_field)
    tags = {form.tag: form for form in forms}
    if key not in value:
        yield (*where, key), f"is missing; it is {_one_of(list(tags))}"
    elif wrong := _not_a_word(value[key], list(tags)):
        yield (*where, key), wrong
    else:
        yield from _mistakes(value, tags[str(value[key])], where)


def _mistakes_of_object(
    value: dict[str, object], kind: inspect.StructType, where: Location
) -> Iterator[Mistake]:
    known = {field.encode_name: field for field in kind.fields}
    is_sound = True
    for name, field in known.items():
        if name not in value and field.required:
            is_sound = False
            yield (*where, name), "is missing; add it"
        for mistake in _mistakes(value[name], field.type, (*where, name)) if name in value else ():
            is_sound = False
            yield mistake
    if kind.forbid_unknown_fields:
        for name in value:
            if name not in known and name != kind.tag_field:
                is_sound = False
                yield (*where, name), _unknown(name, list(known))
    if is_sound:
        yield from _misfits(value, kind, where)


def _near(word: str, words: Sequence[str]) -> list[str]:
    """The word that was meant, perhaps."""
    from difflib import get_close_matches  # noqa: PLC0415 - only who erred pays for it

    return get_close_matches(word[:_LONGEST_QUOTE], words, n=1)


def _unknown(name: str, known: Sequence[str]) -> str:
    near = _near(name, known)
    return "is not a known key; " + (
        f"did you mean {near[0]!r}?"
        if near
        else f"known are {', '.join(sorted(filter(None, known)))}"
    )


def _misfits(
    value: dict[str, object], kind: inspect.StructType, where: Location
) -> Iterator[Mistake]:
    """Yield what a form says itself of fields that are each of their type."""
    try:
        convert(value, kind.cls, dec_hook=from_file)
    except ValidationError as error:
        cause = error.__cause__
        place = cause.place if isinstance(cause, MisfitError) else ()
        yield (*where, *place), str(error if cause is None else cause)


def _mistake(value: object, kind: inspect.Type) -> str | None:
    match kind:
        case inspect.AnyType():
            return None
        case inspect.CustomType():
            try:
                from_file(kind.cls, value)
            except ValueError as error:
                return str(error)
            return None
        case inspect.EnumType(cls=words):
            return _not_a_word(value, [word.value for word in words])
        case inspect.LiteralType(values=literals):
            return _not_a_word(value, literals)
        case _:
            expected = _typed(value, kind)
            return f"must {expected} (found {_quoted(value)})" if expected else None


def _not_a_word(value: object, words: Sequence[object]) -> str | None:
    if isinstance(value, str) and value in words:
        return None
    near = _near(str(value), list(map(str, words)))
    hint = f"; did you mean {near[0]!r}?" if near else ""
    # There may be many words, and a long message is cut at its end.
    return f"found {_quoted(value)}{hint}; must be {_one_of(words)}"


def _one_of(words: Sequence[object]) -> str:
    *first, last = map(str, words)
    return " or ".join(filter(None, (", ".join(first), last)))


def _expected(kind: inspect.Type) -> tuple[type, str]:
    return _TYPES[type(kind)]


def _typed(value: object, kind: inspect.Type) -> str | None:
    """What a value has to be that it is not: of its type, as long and as large as it may be."""
    right, name = _expected(kind)
    if type(value) is not right:
        return f"be {name}"
    if isinstance(kind, inspect.StrType) and isinstance(value, str):
        if kind.pattern is not None and re.search(kind.pattern, value) is None:
            return f"match {kind.pattern.removeprefix(_START).removesuffix(_END)}"
        return _length(len(value), kind, "characters")
    if isinstance(kind, inspect.IntType) and isinstance(value, int):
        for bound, holds, words in (
            (kind.ge, operator.ge, "at least"),
            (kind.le, operator.le, "at most"),
        ):
            if bound is not None and not holds(value, bound):
                return f"be {bound}" if kind.ge == kind.le else f"be {words} {bound}"
    return None


def _length(length: int, kind: inspect.StrType | inspect.VarTupleType, what: str) -> str | None:
    if length < (kind.min_length or 0):
        return f"have at least {kind.min_length} {what}"
    if kind.max_length is not None and length > kind.max_length:
        return f"have at most {kind.max_length} {what}"
    return None


def _quoted(value: object) -> str:
    """A value as a message quotes it: short, on one line; a nested one by its type."""
    if isinstance(value, dict | list | tuple):
        return _NAMES[dict if isinstance(value, dict) else list]
    if isinstance(value, bool):
        return str(value).lower()
    text = "null" if value is None else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
