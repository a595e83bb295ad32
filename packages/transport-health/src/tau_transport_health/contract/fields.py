"""Fields of a JSON object, each held to its type; the text of a refusal names the field."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from tau_transport_health.contract import strict_json
from tau_transport_health.errors import FormRefusedError

LARGEST_INTEGER = 2**63 - 1
"""What every program that reads the files has room for."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


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


def count(holder: Mapping[str, Any], key: str, path: str = "", *, at_least: int = 0) -> int:
    """A counter, time or duration: an integer from `at_least` on, of at most 63 bits.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    value = holder.get(key)
    if type(value) is not int or not at_least <= value <= LARGEST_INTEGER:
        found = _found(holder, key)
        raise FormRefusedError(f"{path}{key}: {found}; must be an integer from {at_least} on")
    return value


def text(holder: Mapping[str, Any], key: str, path: str = "", *, at_least: int = 0) -> str:
    """A string of at least so many characters.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    value = holder.get(key)
    if not isinstance(value, str) or len(value) < at_least:
        kind = "a string that is not empty" if at_least else "a string"
        raise FormRefusedError(f"{path}{key}: {_found(holder, key)}; must be {kind}")
    return value


def digest(holder: Mapping[str, Any], key: str, path: str = "") -> str:
    """A SHA-256 digest of 64 lower-case hex digits.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    value = text(holder, key, path)
    if not _DIGEST.fullmatch(value):
        raise FormRefusedError(f"{path}{key}: must be 64 lower-case hex digits")
    return value


def one_of(known: Collection[str], holder: Mapping[str, Any], key: str, path: str = "") -> str:
    """A string that is one of those that are known.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    value = text(holder, key, path)
    if value not in known:
        raise FormRefusedError(
            f"{path}{key}: {_found(holder, key)}; one of {', '.join(sorted(known))}"
        )
    return value


def flag(holder: Mapping[str, Any], key: str, path: str = "") -> bool:
    """Either true or false.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    value = holder.get(key)
    if type(value) is not bool:
        raise FormRefusedError(f"{path}{key}: must be true or false")
    return value


def version_1(holder: Mapping[str, Any]) -> None:
    """Hold `schema_version` to the one that is known.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    version = holder.get("schema_version")
    if type(version) is not int or version != 1:
        raise FormRefusedError(f"schema_version: {_found(holder, 'schema_version')}; 1 is known")


def object_of(value: object, what: str) -> dict[str, Any]:
    """A value that is an object.

    Raises:
        FormRefusedError: if it is anything else.
    """
    if not isinstance(value, dict):
        found = "is missing or null" if value is None else "is not an object"
        raise FormRefusedError(f"{what}: {found}")
    return value


def array(holder: Mapping[str, Any], key: str) -> list[Any]:
    """An array; an empty one where it is left out.

    Raises:
        FormRefusedError: if it is anything else.
    """
    value = holder.get(key, [])
    if not isinstance(value, list):
        raise FormRefusedError(f"{key}: {_found(holder, key)}; must be an array")
    return value


def _found(holder: Mapping[str, Any], key: str) -> str:
    if key not in holder:
        return "is missing"
    value = holder[key]
    if isinstance(value, (dict, list)):
        return "found an object" if isinstance(value, dict) else "found an array"
    return f"found {value!r:.60}"
