"""What all files and lines of the state-file contract have in common: their scalars and rules.

Each form is a model: the source of its published JSON Schema (`schemas`), of what is written, and
of how it is read back. The prose is in runbooks/state-files.md, "Rules for every file".
"""

from hashlib import sha256
from typing import Annotated, Literal, Self

from msgspec import Meta, Struct, json

from tau_custom_command.contract import json_values, strict_json
from tau_custom_command.contract.form_errors import Form, MistakenFormError, read_form
from tau_custom_command.contract.schema_version import SCHEMA_VERSION
from tau_custom_command.errors import FormRefusedError

LARGEST_INTEGER = 2**63 - 1
"""What every language that reads the files has room for."""

Count = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
UnixMs = Annotated[Count, Meta(examples=[1_767_225_600_000])]
DurationMs = Annotated[Count, Meta(examples=[125])]
Number = Annotated[int, Meta(ge=1, le=LARGEST_INTEGER)]
Status = Annotated[int, Meta(gt=0)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
NotEmpty = Annotated[str, Meta(min_length=1)]
SchemaVersion = Annotated[
    Literal[1], Meta(description="The version of the form; a reader refuses any other than 1.")
]


PROBLEMS_SHOWN = 5
"""How many wrong fields of a state file a message names; a file is wrong in one place or in all."""


def read_document(raw: bytes, form: type[Form]) -> Form:
    """Read the form that the bytes of a file, or of a line, hold.

    Raises:
        FormRefusedError: where they are not strict JSON of this form; the text names each field
            that is wrong.
    """
    try:
        value = strict_json.decode(raw)
    except strict_json.JsonRefusedError as error:
        raise FormRefusedError(str(error)) from None
    known = SCHEMA_VERSION
    if isinstance(value, dict) and not json_values.same(value.get("schema_version", known), known):
        found = json_values.describe(value["schema_version"])
        raise FormRefusedError(f"schema_version: {found} is not known; this program reads {known}")
    try:
        return read_form(value, form)
    except MistakenFormError as error:
        told = [": ".join(filter(None, each)) for each in error.mistakes]
        if (more := len(told) - PROBLEMS_SHOWN) > 0:
            told[PROBLEMS_SHOWN:] = [f"and {more} more"]
        raise FormRefusedError("; ".join(told)) from None


class FileForm(Struct, frozen=True, gc=False):
    """A file or a line of the contract, or a part of one.

    Without `gc` each takes 16 bytes less; no form can hold itself.
    """

    def as_line(self) -> bytes:
        """Write the form as one line of JSON Lines, its line break included."""
        return json.encode(self) + b"\n"

    def as_document(self) -> bytes:
        """Write the form as a whole file, indented for people."""
        return json.format(json.encode(self), indent=2) + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read the form that `raw` holds; keys that are not known are ignored.

        Raises:
            FormRefusedError: where `raw` is not strict JSON of this form; the text names each
                field that is wrong.
        """
        return read_document(raw, cls)

    @classmethod
    def is_read(cls, raw: bytes) -> bool:
        """Tell whether `raw` holds the form."""
        try:
            cls.parse(raw)
        except FormRefusedError:
            return False
        return True


def line_digest(line: bytes) -> str:
    """The SHA-256 of a line over its bytes without the line break, in hex."""
    return sha256(line.removesuffix(b"\n")).hexdigest()
