"""Holds the coverage of the last test run against the gates, package by package.

Core modules need every line and every branch covered, a package as a whole 95 %. Which modules are
core is written once, in the import rules of pyproject.toml; a module that they do not name at all
fails here too, so that a new one cannot slip past both.

Run from the repository's root, after the tests; exits with 1 when a gate is not met.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

from coverage import Coverage
from coverage.exceptions import NoDataError

PACKAGE_GATE = 95.0
CORE_GATE = 100.0


def modules_on_disk(package: Path) -> set[str]:
    """Return the dotted names of a package's modules and folders, one level deep.

    Args:
        package: The folder of the import package, `packages/<name>/src/<import name>`.
    """
    files = {path.stem for path in package.glob("*.py")}
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    return {f"{package.name}.{name}" for name in (files | folders) - {"__init__"}}


def core_and_shell(contracts: list[dict[str, Any]], package: str) -> tuple[set[str], set[str]]:
    """Return a package's core and shell modules, as its import rule names them.

    Args:
        contracts: The `tool.importlinter.contracts` of pyproject.toml.
        package: The import name of the package.
    """
    prefix = f"{package}."
    core: set[str] = set()
    shell: set[str] = set()
    for contract in contracts:
        if contract["type"] == "forbidden":
            core |= {name for name in contract["source_modules"] if name.startswith(prefix)}
            shell |= {name for name in contract["forbidden_modules"] if name.startswith(prefix)}
    return core, shell


def unnamed_modules(contracts: list[dict[str, Any]], package: Path) -> list[str]:
    """Return what is wrong with the import rule of a package, a line for each module.

    Args:
        contracts: The `tool.importlinter.contracts` of pyproject.toml.
        package: The folder of the import package.
    """
    core, shell = core_and_shell(contracts, package.name)
    present = modules_on_disk(package)
    return [
        *(f"{name}: neither core nor shell in pyproject.toml" for name in present - core - shell),
        *(f"{name}: both core and shell in pyproject.toml" for name in core & shell),
        *(f"{name}: in pyproject.toml, but not there" for name in (core | shell) - present),
    ]


def gate(coverage: Coverage, label: str, include: list[str], wanted: float) -> str | None:
    """Print the report of some files and return what is wrong with it, or None.

    Args:
        coverage: The measured data.
        label: What the files are called, in the report and in the answer.
        include: Patterns of the files' paths.
        wanted: The lowest total that passes, in percent of lines and branches.
    """
    print(f"\n{label} (at least {wanted:g} %)")
    try:
        total = coverage.report(include=include)
    except NoDataError:
        return f"{label}: nothing was measured"
    if total < wanted:
        return f"{label}: {total:.2f} % covered, {wanted:g} % wanted"
    return None


def main() -> int:
    """Check every package's modules and gates; return the exit code."""
    contracts = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    coverage = Coverage(messages=False)
    coverage.combine()
    coverage.save()
    problems: list[str] = []
    for package in sorted(Path().glob("packages/*/src/*/")):
        core, _ = core_and_shell(contracts, package.name)
        files = [
            f"{package}/{name.rpartition('.')[2]}{end}" for name in core for end in (".py", "/*")
        ]
        problems += sorted(unnamed_modules(contracts, package))
        checks = [
            gate(coverage, f"{package.name}: core modules", files, CORE_GATE),
            gate(coverage, f"{package.name}: all modules", [f"{package}/*"], PACKAGE_GATE),
        ]
        problems += [problem for problem in checks if problem is not None]
    print()
    for problem in problems:
        print(f"coverage: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
