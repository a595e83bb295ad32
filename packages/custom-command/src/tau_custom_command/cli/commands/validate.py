"""`validate`: names every problem of a fixture, without running it."""

import typer

from tau_custom_command.cli import options
from tau_custom_command.cli.answers import text
from tau_custom_command.cli.output import print_answer
from tau_custom_command.errors import ExitCode, FixtureRefusedError, Problem
from tau_custom_command.services.run_cycle import read_fixture


def validate(
    fixture: options.FixturePath,
    *,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Check a fixture without running it.

    Every problem is shown at once. Exits 0 if it is valid, 5 if it is not or cannot be read.

    Example: tau-custom-command validate greet.toml
    """
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    cases = 0
    try:
        loaded = read_fixture(fixture)
        cases, warnings = len(loaded.fixture.cases), loaded.warnings
    except FixtureRefusedError as error:
        problems = error.problems
    found = (str(fixture), cases, problems, warnings)
    value = text.validation_as_json(*found)
    print_answer(text.validation_as_text(*found), value, output_format, as_json=as_json)
    raise typer.Exit(ExitCode.CANNOT_ANSWER if problems else ExitCode.YES)
