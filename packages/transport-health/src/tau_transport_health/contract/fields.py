"""Fields of a JSON object, each held to its rule; the text of a refusal names the field.

A form is a class of which every annotation carries the rule of its field.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar

from tau_transport_health.contract import long_json, strict_json
from tau_transport_health.contract.schema_version import SCHEMA_VERSION
from tau_transport_health.errors import FormRefusedError

LARGEST_INTEGER = 2**63 - 1
"""What every program that reads the files has room for."""

_MISSING = object()
_DIGEST = re.compile(r"[0-9a-f]{64}")
Form = TypeVar("Form")


class Rule(NamedTuple):
    """What a value must be: the test for it, and in words."""

    fits: Callable[[Any], bool]
    words: str


def whole_number(at_least: int) -> Rule:
    """The rule of a counter, time or duration: an integer of at most 63 bits."""
    return Rule(
        lambda value: type(value) is int and at_least <= value <= LARGEST_INTEGER,
        f"must be an integer from {at_least} on",
    )


def one_of(*known: str) -> Rule:
    """The rule of a string that is one of those that are known."""
    return Rule(
        lambda value: isinstance(value, str) and value in known,
        f"one of {', '.join(sorted(known))}",
    )


def or_null(rule: Rule) -> Rule:
    """The rule of what is null or as another one has it."""
    return Rule(lambda value: value is None or rule.fits(value), f"{rule.words} or null")


COUNT, NUMBER = whole_number(0), whole_number(1)
TEXT = Rule(lambda value: isinstance(value, str), "must be a string")
NAME = Rule(
    lambda value: isinstance(value, str) and value != "", "must be a string that is not empty"
)
TEXTS = Rule(
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "must be an array of strings",
)
DIGEST = Rule(
    lambda value: isinstance(value, str) and _DIGEST.fullmatch(value) is not None,
    "must be 64 lower-case hex digits",
)
FLAG = Rule(lambda value: type(value) is bool, "must be true or false")
ARRAY = Rule(lambda value: isinstance(value, list), "must be an array")
OBJECT = Rule(lambda value: isinstance(value, dict), "must be an object")
VERSION_1 = Rule(
    lambda value: type(value) is int and value == SCHEMA_VERSION, f"{SCHEMA_VERSION} is known"
)

Count = Annotated[int, COUNT]
Number = Annotated[int, NUMBER]
Text = Annotated[str, TEXT]
Name = Annotated[str, NAME]
Digest = Annotated[str, DIGEST]
Flag = Annotated[bool, FLAG]


def json_of(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value; the caller narrows it
    """The value of strict JSON.

    Raises:
        FormRefusedError: for anything else; the text says where and what.
    """
    try:
        return strict_json.decode(raw)
    except strict_json.JsonRefusedError as error:
        message = str(error)
        if b"\n" not in raw.rstrip():  # one line: what it is called is told by whoever read it
            message = message.removeprefix("line 1").lstrip(",: ")
        raise FormRefusedError(message) from None


def read_object(
    pieces: Iterable[bytes],
    keys: Collection[str],
    folds: Mapping[str, long_json.Fold] | None = None,
) -> Any:  # noqa: ANN401 - as above
    """The members of an object that are asked for, as `long_json.read_object` reads them.

    Raises:
        FormRefusedError: for anything but strict JSON; the text says where and what.
    """
    try:
        return long_json.read_object(pieces, keys, folds)
    except strict_json.JsonRefusedError as error:
        message = str(error)
        # Most are of one line: what it is called is told by whoever read it.
        if message.startswith(("line 1,", "line 1:")):
            message = message.removeprefix("line 1").lstrip(",: ")
        raise FormRefusedError(message) from None


def object_of(value: object, what: str) -> dict[str, Any]:
    """A value that is an object.

    Raises:
        FormRefusedError: if it is anything else.
    """
    if not isinstance(value, dict):
        found = "is missing or null" if value is None else "is not an object"
        raise FormRefusedError(f"{what}: {found}")
    return value


@cache
def rules_of(form: object) -> dict[str, Rule]:
    """The rules of a form's fields."""
    return {key: hint.__metadata__[0] for key, hint in form.__annotations__.items()}


def held(holder: Mapping[str, Any], rules: Mapping[str, Rule], path: str = "") -> dict[str, Any]:
    """The values of the keys that there are rules of.

    Raises:
        FormRefusedError: if one is missing, or not as its rule has it.
    """
    values = {}
    for key, (fits, words) in rules.items():
        value = values[key] = holder.get(key, _MISSING)
        if not fits(value):
            raise FormRefusedError(f"{path}{key}: {_found(value)}; {words}")
    return values


def made(
    form: Callable[..., Form],
    value: object,
    what: str,
    *,
    optional: Collection[str] = (),
    **also: Rule,
) -> Form:
    """The form that an object has; `also` holds more of its keys to their rules.

    A key that is `optional` may be left out; the form then has its default.

    Raises:
        FormRefusedError: if it is none, or a value in it is missing, or not as its rule has it.
    """
    holder = object_of(value, what)

    def stated(rules: Mapping[str, Rule]) -> Mapping[str, Rule]:
        return {key: rule for key, rule in rules.items() if key in holder or key not in optional}

    held(holder, stated(also), f"{what}.")
    return form(**held(holder, stated(rules_of(form)), f"{what}."))


def _found(value: object) -> str:
    if value is _MISSING:
        return "is missing"
    if isinstance(value, (dict, list)):
        return "found an object" if isinstance(value, dict) else "found an array"
    return f"found {value!r:.60}"
