"""`new`: a fixture to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from tau_custom_command.cli.output import print_json
from tau_custom_command.contract.json_values import encode_document
from tau_custom_command.fixture import starter
from tau_custom_command.fixture.schemas import SchemaName, json_schema
from tau_custom_command.printable import printable
from tau_custom_command.storage.apply import create_file


def new(
    path: Annotated[
        Path, typer.Argument(show_default=False, help="The fixture to write; - for stdout.")
    ],
) -> None:
    """Write a starter fixture to edit, with the schema that lets editors explain each field."""
    schema_path = path.parent / "fixture.schema.json"
    if path.name == schema_path.name:
        raise typer.BadParameter("is the name of the schema that is written beside it")
    name = path.stem.encode(errors="replace").decode()
    fixture = starter.starter_fixture(name=name, schema=f"./{schema_path.name}")
    if str(path) == "-":
        print_json(fixture)
        return
    create_file(path, encode_document(fixture))
    wrote = printable(str(path))
    if not schema_path.exists():
        create_file(schema_path, encode_document(json_schema(SchemaName.FIXTURE)))
        wrote += f" and {printable(str(schema_path))}"
    operand = shlex.quote(str(path))
    next_step = printable(f"tau-custom-command validate {'./' * operand.startswith('-')}{operand}")
    typer.echo(f"wrote {wrote}; next: {next_step}", err=True)
