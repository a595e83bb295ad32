"""Which release a package of today is tried beside (runbooks/compatibility.md)."""

from typing import Any

import pytest

from scripts.check_together import newest, requirement


def kept(*versions: str, package: str = "rollout-gate") -> list[dict[str, Any]]:
    """Return what the release.json of each version says."""
    return [
        {"package": f"tau-{package}", "version": version, "wheel_sha256": "ab" * 32}
        for version in versions
    ]


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ([], None),
        (["0.1.0.dev0"], None),
        (["0.9.0", "0.10.0", "0.2.0"], "0.10.0"),
        (["0.1.0", "0.2.0rc1"], "0.1.0"),
        (["0.1.0rc1", "0.1.0rc2", "0.1.0.dev0"], "0.1.0rc2"),
    ],
)
def test_the_newest_release_is_found(versions: list[str], found: str | None) -> None:
    """By numbers; a prerelease only where there is no release; a development version never."""
    about = newest([*kept(*versions), *kept("9.0.0", package="custom-command")], "rollout-gate")
    assert (None if about is None else about["version"]) == found


def test_only_the_wheel_that_was_kept_is_installed() -> None:
    """A name on an index may be anybody's: the digest is not."""
    (about,) = kept("0.1.0")
    assert requirement(about) == f"tau-rollout-gate==0.1.0 --hash=sha256:{'ab' * 32}"
