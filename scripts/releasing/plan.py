"""The rules of a release: what a tag, the package's files and CI's runs have to say.

Which rule is for what stands in runbooks/releasing.md.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

_TAG = re.compile(r"tau-([a-z]+(?:-[a-z]+)*)-v([0-9].*)")
_NUMBER = r"(0|[1-9][0-9]*)"
_PRERELEASE = r"(?:(a|b|rc)(0|[1-9][0-9]*)|-(alpha|beta|rc)\.(0|[1-9][0-9]*))?"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}{_PRERELEASE}")
DEVELOPMENT = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}\.dev0")
_KINDS = {"alpha": "a", "beta": "b"}
_BREAKING = "### Breaking changes"


class RefusedError(Exception):
    """A release that must not be made; the text says why, and what to do."""


class Version(NamedTuple):
    """A version, in its order: a prerelease stands before the release."""

    major: int
    minor: int
    patch: int
    kind: str = "z"
    """`a`, `b` or `rc` of a prerelease; `z`, which sorts behind them, of a release."""
    number: int = 0

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a version of a release or a prerelease, in either spelling.

        Raises:
            RefusedError: for anything else, a development version too.
        """
        found = _VERSION.fullmatch(text)
        if found is None:
            raise RefusedError(f"'{text}' is no version such as 0.1.0, 0.2.0rc1 or 0.2.0-rc.1")
        major, minor, patch, short, short_number, long, long_number = found.groups()
        if kind := short or long:
            number = int(short_number or long_number)
            return cls(int(major), int(minor), int(patch), _KINDS.get(kind, kind), number)
        return cls(int(major), int(minor), int(patch))

    @property
    def is_prerelease(self) -> bool:
        """Whether it comes before the release of its numbers."""
        return self.kind != "z"

    def __str__(self) -> str:
        """Write it as PEP 440 does, which is how the package names itself."""
        numbers = f"{self.major}.{self.minor}.{self.patch}"
        return f"{numbers}{self.kind}{self.number}" if self.is_prerelease else numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the package's files say of its version.

    Args:
        declared: The versions that its files declare, by file.
        changelog: The text of its CHANGELOG.md.
        fragments: The names of the files in its `changes/`.
        tags: Every tag of the repository.
        today: The day, which no entry is after.
    """

    declared: Mapping[str, str]
    changelog: str
    fragments: Sequence[str]
    tags: Sequence[str]
    today: dt.date


def read_tag(tag: str, packages: Iterable[str]) -> tuple[str, Version]:
    """Return the package, by its folder, and the version that a tag names.

    Raises:
        RefusedError: if it names none.
    """
    found = _TAG.fullmatch(tag)
    if found is None:
        raise RefusedError(f"'{tag}' is no package, -v and version, as tau-custom-command-v0.1.0")
    if found[1] not in packages:
        raise RefusedError(f"there is no package packages/{found[1]}")
    return found[1], Version.of(found[2])


def entry_of(changelog: str, version: Version) -> tuple[str, str]:
    """Return the day and the text of a version's entry in a changelog.

    Raises:
        RefusedError: if there is not exactly one.
    """
    heading = rf"^## {re.escape(str(version))} - ([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})$"
    found = re.findall(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if len(found) != 1:
        raise RefusedError(
            f"CHANGELOG.md has {len(found)} entries '## {version} - YYYY-MM-DD', not one; "
            "scripts/release_plan.py prepare makes it"
        )
    day, text = found[0]
    return day, text.strip()


def _changelog_problems(version: Version, files: Files) -> list[str]:
    try:
        day, text = entry_of(files.changelog, version)
    except RefusedError as error:
        return [str(error)]
    problems = []
    try:
        if dt.date.fromisoformat(day) > files.today:
            problems.append(f"CHANGELOG.md: the entry is of {day}, which is still to come")
    except ValueError:
        problems.append(f"CHANGELOG.md: {day} is no day")
    if not text:
        problems.append("CHANGELOG.md: the entry says nothing")
    lowest = version.minor if version.major else 0
    if _BREAKING in text and (version.patch or lowest):
        which = "first" if version.major else "second"
        problems.append(f"what breaks users raises the {which} number, not that of {version}")
    return problems


def file_problems(package: str, version: Version, files: Files) -> list[str]:
    """Return why a package's files are not those of the version, ready to release; empty: they are.

    Nothing here is of a commit: it can be asked before there is one.
    """
    problems = [
        f"{name} says version {declared}, not {version}"
        for name, declared in sorted(files.declared.items())
        if declared != str(version)
    ]
    problems += _changelog_problems(version, files)
    if files.fragments:
        left = ", ".join(sorted(files.fragments))
        problems.append(f"changes/ still holds {left}: the entry of the release leaves them out")
    return problems + _order_problems(package, version, files.tags)


def _order_problems(package: str, version: Version, tags: Iterable[str]) -> list[str]:
    """Tell which releases a version does not come after; its own tag, once, is no other release."""
    problems = []
    own = 0
    for tag in tags:
        try:
            _, other = read_tag(tag, [package])
        except RefusedError:
            continue
        own += other == version
        if other > version:
            problems.append(f"{tag} is a later version, and released")
    if own > 1:
        problems.append(f"{version} has two tags, one in each spelling; delete the one too many")
    return problems


def ci_problems(runs: Any, commit: str) -> list[str]:  # noqa: ANN401 - JSON as GitHub answers it
    """Return why CI did not pass on a commit of main; empty if it did. What is not known is no.

    Args:
        runs: The runs of the workflow, as GitHub's API lists them.
        commit: The full digest of the commit.
    """
    try:
        counted = [
            (run["run_number"], run["status"], run["conclusion"])
            for run in runs["workflow_runs"]
            if (run["head_sha"], run["head_branch"], run["event"]) == (commit, "main", "push")
        ]
        if not counted:
            return [f"CI did not run on {commit} as a commit of main"]
        number, status, conclusion = max(counted)
    except (KeyError, TypeError) as error:
        return [f"the list of CI's runs is not in GitHub's form: {error!r}"]
    if (status, conclusion) == ("completed", "success"):
        return []
    return [f"CI's run {number} of {commit} is {status}, {conclusion or 'without a conclusion'}"]


def prepared(text: str, version: str) -> str:
    """Return the text of pyproject.toml or `__init__.py` with another version of the package.

    Raises:
        RefusedError: if there is not exactly one line that says it.
    """
    line = re.compile(r'^((?:__version__|version) = ")[^"]+(")$', re.MULTILINE)
    new, count = line.subn(rf"\g<1>{version}\g<2>", text)
    if count != 1:
        raise RefusedError(f"{count} lines say the version, not one")
    return new
