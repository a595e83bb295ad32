"""Holds the coverage of the last test run against the gates, package by package.

Pure rooms need every line and every branch covered, a package as a whole 95 %. Which rooms are pure
is written once, in the import rules of pyproject.toml.

Run from the repository's root, after the tests; exits with 1 when a gate is not met.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

from coverage import Coverage
from coverage.exceptions import NoDataError

PACKAGE_GATE = 95.0
PURE_GATE = 100.0


def pure_rooms(contracts: list[dict[str, Any]], package: str) -> list[str]:
    """Return the paths, inside a package, of its pure rooms and of the modules beside them.

    Args:
        contracts: The `tool.importlinter.contracts` of pyproject.toml.
        package: The import name of the package.
    """
    return [
        name.removeprefix(f"{package}.").replace(".", "/")
        for contract in contracts
        if contract["type"] == "forbidden"
        for name in contract["source_modules"]
        if name.startswith(f"{package}.")
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
    """Check every package against both gates; return the exit code."""
    contracts = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    coverage = Coverage(messages=False)
    coverage.combine()
    # What no process executed at all counts as well.
    modules = Path.cwd().glob("packages/*/src/*/**/*.py")
    coverage.get_data().touch_files([str(module) for module in modules])
    coverage.save()
    problems: list[str] = []
    for package in sorted(Path().glob("packages/*/src/*/")):
        files = [
            f"{package}/{name}{end}"
            for name in pure_rooms(contracts, package.name)
            for end in (".py", "/*")
        ]
        checks = [
            gate(coverage, f"{package.name}: pure rooms", files, PURE_GATE),
            gate(coverage, f"{package.name}: all modules", [f"{package}/*"], PACKAGE_GATE),
        ]
        problems += [problem for problem in checks if problem is not None]
    print()
    for problem in problems:
        print(f"coverage: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
