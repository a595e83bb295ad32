"""What all files and lines of the state-file contract have in common: their scalars and rules.

Each form is a model: the source of its published JSON Schema (`schemas`), of what is written, and
of how it is read back. The prose is in runbooks/state-files.md, "Rules for every file".
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated, Any, Literal, Self, get_origin

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from tau_custom_command.contract import json_values, strict_json
from tau_custom_command.contract.form_errors import form_message
from tau_custom_command.errors import FormRefusedError

LARGEST_INTEGER = 2**63 - 1
"""What every language that reads the files has room for."""

Count = Annotated[int, Field(strict=True, ge=0, le=LARGEST_INTEGER)]
UnixMs = Annotated[int, Field(strict=True, ge=0, le=LARGEST_INTEGER, examples=[1_767_225_600_000])]
DurationMs = Annotated[int, Field(strict=True, ge=0, le=LARGEST_INTEGER, examples=[125])]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", max_length=64)]
SchemaVersion = Annotated[
    Literal[1],
    Field(description="The version of the form; a reader refuses any other than 1."),
]


PROBLEMS_SHOWN = 5
"""How many wrong fields of a state file a message names; a file is wrong in one place or in all.

Of an array only the first wrong item is looked for: each that is found takes a kilobyte of memory,
and a file has room for millions of them.
"""


class FileForm(BaseModel):
    """A file or a line of the contract, or a part of one."""

    # A command uses a few of the forms: each is built when it is used.
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **_of_the_class: Any) -> None:  # noqa: ANN401 - pydantic's
        """Bound how much can be wrong with a form: here, so that no form can forget to."""
        for field in cls.model_fields.values():
            if get_origin(field.annotation) is tuple:
                field.metadata.insert(0, FailFast())

    def as_line(self) -> bytes:
        """Write the form as one line of JSON Lines, its line break included."""
        return self.model_dump_json(exclude_unset=True).encode() + b"\n"

    def as_document(self) -> bytes:
        """Write the form as a whole file, indented for people."""
        return self.model_dump_json(exclude_unset=True, indent=2).encode() + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read the form that `raw` holds; keys that are not known are ignored.

        Raises:
            FormRefusedError: where `raw` is not strict JSON of this form; the text names each
                field that is wrong.
        """
        try:
            value = strict_json.decode(raw)
        except strict_json.JsonRefusedError as error:
            raise FormRefusedError(str(error)) from None
        if isinstance(value, dict) and not json_values.same(value.get("schema_version", 1), 1):
            found = json_values.describe(value["schema_version"])
            raise FormRefusedError(f"schema_version: {found} is not known; this program reads 1")
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise FormRefusedError("; ".join(_problems(error))) from None

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


def _problems(error: ValidationError) -> Iterator[str]:
    details = error.errors(include_url=False)
    for detail in details[:PROBLEMS_SHOWN]:
        field = ".".join(map(str, detail["loc"]))
        message = form_message(detail, None)
        yield f"{field}: {message}" if field else message
    if len(details) > PROBLEMS_SHOWN:
        yield f"and {len(details) - PROBLEMS_SHOWN} more"
