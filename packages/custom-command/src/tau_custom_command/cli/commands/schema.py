"""`schema`: prints the forms of the files, for editors and programs."""

from typing import Annotated

import typer

from tau_custom_command.cli.output import print_json
from tau_custom_command.fixture.schemas import SchemaName, json_schema


def schema(
    name: Annotated[
        SchemaName,
        typer.Argument(
            metavar="NAME",  # as a list of all it breaks the line of the usage, within words
            show_default=False,
            help=f"The form to describe: {', '.join(SchemaName)}.",
        ),
    ],
) -> None:
    """Print the JSON Schema of the fixture or of a state file.

    Example: tau-custom-command schema fixture
    """
    print_json(json_schema(name))
