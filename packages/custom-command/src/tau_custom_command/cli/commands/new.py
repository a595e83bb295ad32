"""`new`: writes a fixture to start from."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from tau_custom_command.contract.json_values import encode_document
from tau_custom_command.fixture import starter
from tau_custom_command.fixture.loading import TOML_ENDING
from tau_custom_command.fixture.schemas import SchemaName, json_schema
from tau_custom_command.printable import printable
from tau_custom_command.storage.apply import create_file


def new(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The fixture to write, .toml or JSON; - for stdout."),
    ],
) -> None:
    """Write a starter fixture to edit.

    Its schema, by which editors explain each field, is written beside it.

    Example: tau-custom-command new greet.toml
    """
    schema_path = path.parent / starter.SCHEMA_FILE
    if path.name == schema_path.name:
        raise typer.BadParameter("is the name of the schema that is written beside it")
    name = path.stem.encode(errors="replace").decode()
    is_toml = path.suffix.lower() == TOML_ENDING
    fixture = starter.as_toml(name=name) if is_toml else starter.as_json(name=name)
    if str(path) == "-":
        typer.echo(fixture.decode(), nl=False)
        return
    create_file(path, fixture)
    wrote = printable(str(path))
    if not schema_path.exists():
        create_file(schema_path, encode_document(json_schema(SchemaName.FIXTURE)))
        wrote += f" and {printable(str(schema_path))}"
    operand = shlex.quote(str(path))
    next_step = printable(f"tau-custom-command validate {'./' * operand.startswith('-')}{operand}")
    typer.echo(f"wrote {wrote}; next: {next_step}", err=True)
