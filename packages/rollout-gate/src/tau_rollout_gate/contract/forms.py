"""What the files of the contract share: strict types, and what is wrong in one sentence.

A value is read at once where nothing is wrong with it. Only where something is, `form_errors` is
imported, which looks for all of it and says so in words: start-up time counts.
"""

from abc import ABCMeta
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Self, TypeVar

from msgspec import (
    Meta,
    Struct,
    StructMeta,
    ValidationError,
    convert,
    json,
    structs,
    to_builtins,
)

from tau_rollout_gate.contract import long_json, strict_json
from tau_rollout_gate.contract.schema_version import SCHEMA_VERSION
from tau_rollout_gate.durations import parse_duration, written
from tau_rollout_gate.errors import FormRefusedError
from tau_rollout_gate.printable import printable

LARGEST_INTEGER = 2**63 - 1
"""What every program that reads the files has room for."""

Count = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
Number = Annotated[int, Meta(ge=1, le=LARGEST_INTEGER)]
Version = Annotated[int, Meta(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
"""The integer 1, the only `schema_version` known."""

Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")]
Sentence = Annotated[str, Meta(min_length=1, max_length=200)]
"""A text on one line; `refuse_unprintable` holds it to that."""

Surfaces = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=32)]

AnyForm = TypeVar("AnyForm", bound=Struct)

Location = tuple[int | str, ...]
"""A place in a file: keys and indices, from the outside in."""

Mistake = tuple[Location, str]
"""Where something is wrong, and what."""


class MisfitError(ValueError):
    """What a form refuses beyond the types of its fields, and where in it that is."""

    def __init__(self, message: str, *place: int | str) -> None:
        """Keep the place, which is the whole form where none is given."""
        super().__init__(message)
        self.place: Location = place


class MistakenFormError(ValueError):
    """A value that has not the form it should have; holds each of its mistakes, at least one."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        """Keep them."""
        super().__init__(mistakes)
        self.mistakes = mistakes

    @property
    def sentences(self) -> list[str]:
        """Each mistake in one sentence: where, then what."""
        return [printable(f"{path(where)}: {what}") for where, what in self.mistakes]


class Milliseconds(int):
    """A duration; a file that people write has it as text, such as `30m`."""


def from_file(kind: type, value: object) -> object:
    """Make a duration of the text that a file has for it.

    Raises:
        ValueError: for anything else.
    """
    del kind  # `Milliseconds`, the only one that is not a type of JSON
    if not isinstance(value, str):
        raise ValueError('must be a duration in quotes, such as "30m"')  # noqa: TRY004 - the text
    return Milliseconds(parse_duration(value))


class _FormMeta(StructMeta, ABCMeta):
    """So that forms may have abstract methods."""


class Read(Struct, metaclass=_FormMeta, frozen=True):
    """A value of another program's file: frozen, nothing coerced; keys not known are ignored."""

    @classmethod
    def of(cls, value: object) -> Self:
        """The value that JSON holds.

        Raises:
            FormRefusedError: if it is not of this form; the text names the field.
        """
        return form_of(value, cls)


class Form(Read, frozen=True, forbid_unknown_fields=True):
    """A value of a file of ours: frozen, nothing coerced, no key that is not known."""

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The value that the bytes of a JSON file or line hold.

        Raises:
            FormRefusedError: if they are not of this form; the text names the field.
        """
        return cls.of(json_of(raw))

    def replaced(self, **values: Any) -> Self:  # noqa: ANN401 - any of its fields
        """The same with other values of these fields, which are taken as they are."""
        return structs.replace(self, **values)

    def checked(self) -> Self:
        """The same, held against its form: what is written must be read again.

        Raises:
            ValidationError: if it is not of it, which is a bug of ours.
        """
        return convert(to_builtins(self), type(self))

    def as_json(self) -> dict[str, Any]:
        """The same as values of JSON; durations are text, as people write them."""
        return to_builtins(self, enc_hook=written)  # type: ignore[no-any-return]  # of a struct

    def as_line(self) -> bytes:
        """The form as one line of JSON, with its line break."""
        return json.encode(self) + b"\n"

    def as_document(self) -> bytes:
        """The form as a file of JSON, indented for people."""
        return json.format(json.encode(self), indent=2) + b"\n"


def read_form(value: object, form: type[AnyForm]) -> AnyForm:
    """The form that values of JSON, or of TOML, make.

    Raises:
        MistakenFormError: if they make none; it has every mistake.
    """
    try:
        return convert(value, form, dec_hook=from_file)
    except ValidationError as error:
        # Imported here since start-up counts, and nearly every file is as it should be.
        from tau_rollout_gate.contract.form_errors import mistakes_in  # noqa: PLC0415

        raise MistakenFormError(mistakes_in(value, form, error)) from None


def form_of(value: object, form: type[AnyForm]) -> AnyForm:
    """The form that values of JSON make.

    Raises:
        FormRefusedError: if they make none; the text names the first field that is wrong.
    """
    try:
        return read_form(value, form)
    except MistakenFormError as error:
        raise FormRefusedError(error.sentences[0]) from None


def refuse_unprintable(text: str, field: str) -> None:
    """Pass for a text that is on one line, and of visible characters.

    Raises:
        MisfitError: for any other; the place is `field`.
    """
    if not text.isprintable():
        raise MisfitError("has line breaks, control or invisible characters", field)


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


def path(location: Location) -> str:
    """Write a place in a file as people do: `phases[1].gates[0].signal`.

    A part without a name is left out: what is in it stands beside the rest in the file.
    """
    text = ""
    for part in location:
        if part == "":
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the whole"
