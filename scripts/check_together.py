#!/usr/bin/env python3
"""Runs each package, as it is here, beside the newest releases of the other two.

Which release is the newest, and which wheel that was, is what fixtures/state-contract/releases/
keeps. That wheel is installed from the package index, by its digest, so that nothing else of that
name is ever run. Of a package that has no release yet that is said, and the package of this
checkout stands in; what its wheel writes is kept all the same, and read by
tests/contract/test_releases.py.

Then tests/end_to_end/test_together.py is run with these programs. Exits with 1 if one fails, or a
release cannot be installed.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a file, it would find what is beside it only

from scripts.releasing.plan import RefusedError, Version  # noqa: E402 - found by the line above

PACKAGES = ("custom-command", "rollout-gate", "transport-health")
RELEASES = ROOT / "fixtures/state-contract/releases"
UV = ROOT / ".venv/bin/uv"
UV_SETTINGS = {"UV_COMPILE_BYTECODE": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "1"}
TEST = "tests/end_to_end/test_together.py"


def newest(kept: Iterable[Mapping[str, Any]], package: str) -> Mapping[str, Any] | None:
    """Return what release.json says of a package's newest release; None where it has none yet.

    A development version is no release, and a prerelease is one only until the release is there.
    """
    found = []
    for about in kept:
        try:
            version = Version.of(about["version"])
        except RefusedError:
            continue
        if about["package"] == f"tau-{package}":
            found.append((not version.is_prerelease, version, about))
    return max(found, key=lambda each: each[:2])[2] if found else None


def requirement(about: Mapping[str, Any]) -> str:
    """Return the line of a requirements file that takes one wheel, and no other of its name."""
    return f"{about['package']}=={about['version']} --hash=sha256:{about['wheel_sha256']}"


def run(*words: str | Path, cwd: Path = ROOT) -> bool:
    """Run a command to its end, its output shown; return whether it went well."""
    env = {**os.environ, **UV_SETTINGS}
    return subprocess.run(words, cwd=cwd, env=env, check=False).returncode == 0


def combinations(
    packages: Iterable[str], kept: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, ...], dict[str, Mapping[str, Any]]]:
    """Return which packages of this checkout are tried beside which releases of the others.

    Without any release that is all of them, once.
    """
    released = {each: newest(kept, each) for each in PACKAGES}
    found = {}
    for package in packages:
        beside = {
            each: about for each, about in released.items() if about is not None and each != package
        }
        found[tuple(each for each in PACKAGES if each not in beside)] = beside
    return found


def check(here: Sequence[str], released: Mapping[str, Mapping[str, Any]]) -> bool:
    """Install packages of this checkout beside releases of others, and run the test there."""
    beside = ", ".join(f"{each} {about['version']}" for each, about in released.items())
    print(f"== {', '.join(here)} of this checkout, beside {beside or 'no release'}", flush=True)
    with TemporaryDirectory() as scratch:
        venv, lines = Path(scratch) / "venv", Path(scratch) / "releases.txt"
        install = (UV, "pip", "install", "--quiet", "--python", venv / "bin/python")
        lines.write_text("".join(f"{requirement(about)}\n" for about in released.values()))
        # Their dependencies come with the second step: a line with a digest would ask for all of
        # theirs. What is installed by then stays, since no other version is asked for.
        folders = [ROOT / "packages" / each for each in here]
        tests = ("--group", "pyproject.toml:test")
        names = [f"tau-{other}" for other in released]
        return (
            run(UV, "venv", "--quiet", "--no-project", "--python", ROOT / ".venv/bin/python", venv)
            and (
                not names or run(*install, "--no-deps", "--require-hashes", "--requirement", lines)
            )
            and run(*install, "--constraints", "requirements.lock", *tests, *folders, *names)
            and run(
                *(venv / "bin/python", "-m", "pytest", "-q"),
                *("--override-ini", f"cache_dir={scratch}", TEST),
            )
        )


def main() -> int:
    """Check each package named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="a folder under packages/")
    parser.add_argument("--releases", type=Path, default=RELEASES, help="where they are kept")
    options = parser.parse_args()
    if unknown := set(options.packages) - set(PACKAGES):
        parser.error(f"there is no packages/{min(unknown)}")
    kept = [json.loads(path.read_bytes()) for path in options.releases.glob("*/release.json")]
    for package in PACKAGES:
        if newest(kept, package) is None:
            print(f"{package} has no release yet: that of this checkout stands in", flush=True)
    found = combinations(options.packages or PACKAGES, kept)
    went_well = [check(here, released) for here, released in found.items()]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
