"""What the files of the contract share: strict types, and what is wrong in one sentence."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tau_rollout_gate.contract import long_json, strict_json
from tau_rollout_gate.errors import FormRefusedError

LARGEST_INTEGER = 2**63 - 1
"""What every program that reads the files has room for."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has line breaks, control or invisible characters")
    return text


Count = Annotated[int, Field(strict=True, ge=0, le=LARGEST_INTEGER)]
Number = Annotated[int, Field(strict=True, ge=1, le=LARGEST_INTEGER)]
Version = Annotated[int, Field(strict=True, ge=1, le=1)]
"""The integer 1, the only `schema_version` known; `Literal[1]` would take `true` and `1.0`, too."""

Sha256 = Annotated[str, Field(strict=True, pattern=r"\A[0-9a-f]{64}\z")]
Text = Annotated[str, Field(strict=True, min_length=1)]
Name = Annotated[str, Field(strict=True, pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z")]
Sentence = Annotated[Text, Field(max_length=200), AfterValidator(_printable)]
Surfaces = Annotated[tuple[Name, ...], Field(min_length=1, max_length=32)]


class Read(BaseModel):
    """A value of another program's file: frozen, nothing coerced; keys not known are ignored."""

    model_config = ConfigDict(frozen=True, strict=True)

    @classmethod
    def of(cls, value: object) -> Self:
        """The value that JSON holds.

        Raises:
            FormRefusedError: if it is not of this form; the text names the field.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise FormRefusedError(first_problem(error)) from None


class Form(BaseModel):
    """A value of a file of ours: frozen, nothing coerced, no key that is not known."""

    # A command uses a few of the forms: each is built when it is used.
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The value that the bytes of a JSON file or line hold.

        Raises:
            FormRefusedError: if they are not of this form; the text names the field.
        """
        json_of(raw)
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            raise FormRefusedError(first_problem(error)) from None


Location = tuple[int | str, ...]
"""A place in a file: keys and indices, from the outside in."""


def json_of(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value; the caller narrows it
    """Read strict JSON.

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


def object_of(
    pieces: Iterable[bytes],
    what: str,
    keys: Collection[str],
    folds: Mapping[str, long_json.Fold] | None = None,
) -> dict[str, Any]:
    """The members of an object that are asked for, and maybe others, as `read_object` reads them.

    Raises:
        FormRefusedError: for anything but an object of strict JSON; the text says where and what.
    """
    try:
        value = long_json.read_object(pieces, keys, folds)
    except strict_json.JsonRefusedError as error:
        message = str(error)
        # Most are of one line: what it is called is told by whoever read it.
        if message.startswith(("line 1,", "line 1:")):
            message = message.removeprefix("line 1").lstrip(",: ")
        raise FormRefusedError(message) from None
    if not isinstance(value, dict):
        raise FormRefusedError(f"{what} is not an object")
    return value


def problems(
    error: ValidationError, *, place: Callable[[Location], Location] = lambda location: location
) -> list[str]:
    """Say what is wrong, one sentence each: where, then what.

    Args:
        error: What pydantic found.
        place: Turns pydantic's location into the file's, where the two differ.
    """
    found = error.errors(include_url=False, include_input=False)
    inside = {one["loc"][:length] for one in found for length in range(len(one["loc"]))}
    return [
        f"{path(place(one['loc']))}: {_sentence(one['msg'])}"
        for one in found
        # Pydantic counts an item that is wrong as missing, too.
        if not (one["type"] == "too_short" and one["loc"] in inside)
    ]


def first_problem(error: ValidationError) -> str:
    """Say the first thing that is wrong."""
    return problems(error)[0]


def path(location: Location) -> str:
    """Write a place in a file as people do: `phases[1].gates[0].signal`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the whole"


def _sentence(message: str) -> str:
    ours = message.removeprefix("Value error, ")
    return f"{ours[:1].lower()}{ours[1:]}"
