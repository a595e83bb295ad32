#!/usr/bin/env python3
"""Decides whether a tag releases a package, and prepares the commit that it is put on.

A tag is a package's name, `-v` and its version: `tau-custom-command-v0.1.0`. A prerelease is
written as PEP 440 has it (`0.2.0rc1`) or as semver does (`0.2.0-rc.1`): it is one version. The
steps are in runbooks/releasing.md. It needs Python alone; `prepare` also towncrier.
"""

import argparse
import datetime as dt
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a file, it would find what is beside it only

from scripts.releasing.fragments import missing_fragments  # noqa: E402 - found by the line above
from scripts.releasing.plan import (  # noqa: E402 - as above
    DEVELOPMENT,
    Files,
    RefusedError,
    Version,
    ci_problems,
    entry_of,
    file_problems,
    prepared,
    read_tag,
)

_GIT = shutil.which("git") or "git"


def version_files(root: Path, package: str) -> list[Path]:
    """Return the files that say a package's version."""
    folder = root / "packages" / package
    return [folder / "pyproject.toml", *folder.glob("src/*/__init__.py")]


def read_files(root: Path, package: str) -> Files:
    """Read what the files of a package in a working copy say."""
    folder = root / "packages" / package
    metadata, module = version_files(root, package)
    said = re.search(r'^__version__ = "([^"]+)"$', module.read_text(), re.MULTILINE)
    changes = folder / "changes"
    return Files(
        declared={
            "pyproject.toml": tomllib.loads(metadata.read_text())["project"]["version"],
            module.name: said[1] if said else "none",
        },
        changelog=(folder / "CHANGELOG.md").read_text(),
        fragments=[path.name for path in changes.glob("[!.]*")],
        tags=_git(root, "tag", "--list").split(),
        today=dt.datetime.now(dt.UTC).date(),
    )


def commit_problems(root: Path, tag: str, main: str) -> list[str]:
    """Return why what is checked out is not the tag's commit, or that not one of main's."""
    head = _git(root, "rev-parse", "HEAD")
    if _git(root, "rev-parse", "--verify", f"refs/tags/{tag}^{{commit}}") != head:
        return [f"{tag} is not on the commit that is checked out"]
    if _git(root, "status", "--porcelain"):
        return ["the working copy is not that of the commit"]
    _git(root, "rev-parse", "--verify", f"{main}^{{commit}}")
    words = [_GIT, "merge-base", "--is-ancestor", head, main]
    on_main = (
        subprocess.run(words, cwd=root, check=False, stderr=subprocess.DEVNULL).returncode == 0
    )
    return [] if on_main else [f"{tag} is not on a commit of {main}"]


def _git(root: Path, *words: str) -> str:
    done = subprocess.run([_GIT, *words], cwd=root, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RefusedError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _check(asked: argparse.Namespace, root: Path) -> None:
    package, version = read_tag(asked.tag, _packages(root))
    problems = file_problems(package, version, read_files(root, package))
    if asked.runs is not None:
        problems += commit_problems(root, asked.tag, asked.main)
        problems += ci_problems(json.loads(asked.runs.read_text()), _git(root, "rev-parse", "HEAD"))
    if problems:
        raise RefusedError("\n".join(problems))
    print(f"package={package}\nversion={version}\nprerelease={str(version.is_prerelease).lower()}")


def _notes(asked: argparse.Namespace, root: Path) -> None:
    package, version = read_tag(asked.tag, _packages(root))
    print(entry_of((root / "packages" / package / "CHANGELOG.md").read_text(), version)[1])


def _prepare(asked: argparse.Namespace, root: Path) -> None:
    is_development = DEVELOPMENT.fullmatch(asked.version) is not None
    version = asked.version if is_development else str(Version.of(asked.version))
    if asked.package not in _packages(root):
        raise RefusedError(f"there is no package packages/{asked.package}")
    new = {path: prepared(path.read_text(), version) for path in version_files(root, asked.package)}
    for path, text in new.items():
        path.write_text(text)
    if not is_development:
        config = f"packages/{asked.package}/pyproject.toml"
        words = ["towncrier", "build", "--yes", "--config", config, "--version", version]
        subprocess.run(
            [sys.executable, "-m", *words], cwd=root, check=True, stdout=subprocess.DEVNULL
        )


def _fragments(asked: argparse.Namespace, root: Path) -> None:
    base = _git(root, "merge-base", asked.base, "HEAD")
    rows = _git(root, "diff", "--no-renames", "--name-status", "-z", base, "HEAD").split("\0")
    changed = dict(zip(rows[1::2], rows[::2], strict=False))
    told = {package: _versions(root, package, base) for package in _packages(root)}
    moved = {package for package, (before, now) in told.items() if before != now}
    if problems := missing_fragments(changed, packages=told, moved=moved):
        raise RefusedError("\n".join(problems))


def _versions(root: Path, package: str, base: str) -> tuple[str | None, str]:
    """Return a package's version at another commit, None where it was not there, and now."""
    path = f"packages/{package}/pyproject.toml"
    was_there = _git(root, "ls-tree", "--name-only", base, path)
    now = str(tomllib.loads((root / path).read_text())["project"]["version"])
    if not was_there:
        return None, now
    return str(tomllib.loads(_git(root, "show", f"{base}:{path}"))["project"]["version"]), now


def _packages(root: Path) -> list[str]:
    return [path.parent.name for path in root.glob("packages/*/pyproject.toml")]


def main(words: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Answer; 0 is yes, 1 is no, and why stands on stderr, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser("check", help="may this tag be released? With --runs: its commit?")
    check.add_argument("tag")
    check.add_argument("--runs", type=Path, help="CI's runs of the commit, as GitHub lists them")
    check.add_argument("--main", default="origin/main", help="the branch that releases are of")
    check.set_defaults(does=_check)
    notes = commands.add_parser("notes", help="print the entry of the changelog that a tag is of")
    notes.add_argument("tag")
    notes.set_defaults(does=_notes)
    prepare = commands.add_parser("prepare", help="set a version; of a release, make its entry too")
    prepare.add_argument("package", help="its folder under packages/")
    prepare.add_argument("version", help="0.1.0, 0.2.0rc1, or 0.2.0.dev0 after a release")
    prepare.set_defaults(does=_prepare)
    fragments = commands.add_parser("fragments", help="does each changed package tell its users?")
    fragments.add_argument("base", help="the branch that HEAD is to be merged into")
    fragments.set_defaults(does=_fragments)
    asked = parser.parse_args(words)
    try:
        asked.does(asked, root)
    except (RefusedError, OSError, ValueError, subprocess.CalledProcessError) as error:
        for line in str(error).splitlines():
            print(f"release: {line}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
