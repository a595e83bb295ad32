"""Whether what a branch changes of a package is told to its users: a fragment of the changelog."""

import re
from collections.abc import Collection, Mapping

_FRAGMENT = re.compile(r"packages/([a-z-]+)/changes/\+?[a-z0-9][a-z0-9.-]*\.([a-z]+)\.md")
_SHIPPED = re.compile(r"packages/([a-z-]+)/(?:src/.+|pyproject\.toml)")
_VERSIONED = re.compile(r"packages/[a-z-]+/(?:pyproject\.toml|src/[a-z_]+/__init__\.py)")
TYPES = ("breaking", "change", "fix", "internal")


def missing_fragments(
    changed: Mapping[str, str], *, packages: Collection[str], moved: Collection[str]
) -> list[str]:
    """Return what is missing, a sentence each; empty where each changed package has a fragment.

    A package is changed where its sources or its metadata are: documents and tests reach no user
    who installs it. The commits of a release, and the one after, set the version: what says it
    needs no fragment then.

    Args:
        changed: The paths that the branch changes, and how: `A`, `M` or `D`, as git writes it.
        packages: The packages that there are, by their folders.
        moved: Those of which the branch changes the version.
    """
    told = set()
    touched = set()
    problems = []
    for path, how in changed.items():
        if how != "D" and (fragment := _FRAGMENT.fullmatch(path)):
            told.add(fragment[1])
            if fragment[2] not in TYPES:
                problems.append(f"{path}: its type is none of {', '.join(TYPES)}")
        elif found := _SHIPPED.fullmatch(path):
            says_version = _VERSIONED.fullmatch(path) is not None
            if not (says_version and found[1] in moved):
                touched.add(found[1])
    return problems + [
        f"packages/{package} is changed and tells nobody: add packages/{package}/changes/"
        f"+WHAT.TYPE.md, TYPE one of {', '.join(TYPES)}"
        for package in sorted(touched.intersection(packages) - told)
    ]
