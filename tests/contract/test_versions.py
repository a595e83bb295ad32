"""`--version` tells which forms of the contract a program reads and writes, of which version."""

import json
import subprocess
import sys
from importlib import import_module

import pytest

from tests.contract.running import ROOT

PACKAGES = ("custom-command", "rollout-gate", "transport-health")
SCHEMAS = {
    path.name.removesuffix(".schema.json"): path for path in ROOT.glob("fixtures/*/v*/*.json")
}

by_package = pytest.mark.parametrize("package", PACKAGES)


@by_package
def test_the_forms_that_are_told_are_published(package: str) -> None:
    """Each form has a schema in the folder of its version, and takes no other version."""
    told = import_module(f"tau_{package.replace('-', '_')}.cli.version").VERSION
    name, *lines = told.splitlines()
    assert name.startswith(f"tau-{package} ")
    assert lines
    for line in lines:
        words, _, forms = line.partition(": ")
        verb, version = words.split()[0], int(words.split()[2])
        assert verb in {"reads", "writes"}
        for form in forms.split(", "):
            path = SCHEMAS[form]
            assert path.parent.name == f"v{version}"
            declared = json.loads(path.read_text())["properties"].get("schema_version")
            assert declared is None or declared["const"] == version, form


def test_every_form_is_written_and_read_by_one_of_them() -> None:
    """None is forgotten: what one writes another reads, or people and their programs do."""
    versions = [import_module(f"tau_{name.replace('-', '_')}.cli.version") for name in PACKAGES]
    read = {form for version in versions for form in version.READS}
    written = {form for version in versions for form in getattr(version, "WRITES", ())}
    assert read | written == set(SCHEMAS)
    assert (read - written, written - read) == ({"fixture"}, {"answer"})


@by_package
def test_the_version_costs_next_to_no_imports(package: str) -> None:
    """Beside the entry point nothing but the package's own is imported to print it."""
    name = f"tau_{package.replace('-', '_')}"
    script = f"""
import sys, typing
before = set(sys.modules)
import {name}.cli.version
print(*(set(sys.modules) - before), sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert {module.partition(".")[0] for module in done.stdout.split()} == {name}
