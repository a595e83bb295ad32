"""The published schemas and generated fixtures: sound, described, and up to date."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.contract.running import (
    CONTRACTS,
    FORMS,
    FORMS_OF_THE_GATE,
    ROOT,
    STATE_CONTRACT,
    errors_of,
    schema_of,
    strictly,
)


def undescribed(schema: dict[str, Any]) -> Iterator[str]:
    """Yield the properties that say nothing of themselves, nor does the form they refer to."""
    forms: dict[str, Any] = schema.get("$defs", {})
    for title, form in {"": schema, **forms}.items():
        for name, of_property in form.get("properties", {}).items():
            referred = forms.get(of_property.get("$ref", "").rpartition("/")[2], {})
            if not (of_property.get("description") or referred.get("description")):
                yield f"{title}.{name}"


@pytest.mark.parametrize("form", [*FORMS, *FORMS_OF_THE_GATE])
def test_a_schema_is_sound_2020_12(form: str) -> None:
    """Every published schema is a JSON Schema of the dialect 2020-12 that it names."""
    schema = schema_of(form)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("form", [*FORMS, *FORMS_OF_THE_GATE])
def test_every_property_is_described(form: str) -> None:
    """A reader of a schema finds out what each key means without another document."""
    assert list(undescribed(schema_of(form))) == []


def test_no_schema_is_published_beside_these() -> None:
    """The folder of schemas holds what the tests here know of, and no more."""
    published = {path.name for path in STATE_CONTRACT.glob("*.json")}
    assert published == {f"{form}.schema.json" for form in (*FORMS, *FORMS_OF_THE_GATE)}


@pytest.mark.parametrize("script", ["generate_schemas.py", "generate_bulk.py"])
def test_generated_files_are_up_to_date(script: str) -> None:
    """What is generated is committed as it is generated: schemas too, of commands and models."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/fixtures" / script, "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_fixture_conforms_to_the_schema_that_it_names(path: Path) -> None:
    """An editor that follows a fixture's $schema finds the schema, and no error."""
    fixture = strictly(path.read_bytes())
    schema = strictly(path.parent.joinpath(fixture["$schema"]).read_bytes())
    assert schema == schema_of("fixture")
    assert errors_of(Draft202012Validator(schema), fixture) == []


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_fixture_in_toml_conforms_to_the_schema_that_it_names(path: Path) -> None:
    """The same, for an editor that takes the schema from the first line."""
    text = path.read_text(encoding="utf-8")
    schema = strictly(path.parent.joinpath(text.split()[1]).read_bytes())
    assert schema == schema_of("fixture")
    assert errors_of(Draft202012Validator(schema), tomllib.loads(text)) == []
