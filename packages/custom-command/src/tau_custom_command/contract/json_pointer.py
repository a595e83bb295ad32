"""JSON Pointers (RFC 6901): where in a JSON value another one is, such as `/items/0/id`."""

import re
from typing import Any

_ESCAPED = re.compile(r"[^~]*(?:~[01][^~]*)*")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class NothingThereError(LookupError):
    """A pointer that leads nowhere; the text is the part that was not found."""


def tokens(pointer: str) -> tuple[str, ...] | None:
    """The keys and indices that a pointer names, one after the other; None where it is none.

    A pointer is empty, and names the whole value, or begins with `/`; `~1` is a `/` in a key, and
    `~0` a `~`.
    """
    if not pointer:
        return ()
    if not (pointer.startswith("/") and _ESCAPED.fullmatch(pointer)):
        return None
    return tuple(
        token.replace("~1", "/").replace("~0", "~")
        for token in pointer.removeprefix("/").split("/")
    )


def pointer(*path: str | int) -> str:
    """The pointer of a path of keys and indices."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def at(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    """The value to which the tokens of a pointer lead.

    Raises:
        NothingThereError: where there is none. The end of an array, `-`, is never there.
    """
    for index, token in enumerate(path):
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            raise NothingThereError(pointer(*path[: index + 1]))
    return value
