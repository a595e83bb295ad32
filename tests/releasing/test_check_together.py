"""Which release a package of today is tried beside (runbooks/compatibility.md)."""

from typing import Any

import pytest

from scripts.check_together import PACKAGES, combinations, newest, requirement


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


def test_each_package_is_tried_beside_the_releases_of_the_others() -> None:
    """What has none yet is taken from this checkout; where none has, once is enough."""
    assert combinations(PACKAGES, []) == {PACKAGES: {}}
    (gate,) = kept("0.1.0")
    runtime, inspector = (
        *kept("0.2.0", package="custom-command"),
        *kept("0.3.0", package="transport-health"),
    )
    assert combinations(PACKAGES, [gate]) == {
        ("custom-command", "transport-health"): {"rollout-gate": gate},
        PACKAGES: {},
    }
    assert combinations(PACKAGES, [gate, runtime, inspector]) == {
        ("custom-command",): {"rollout-gate": gate, "transport-health": inspector},
        ("rollout-gate",): {"custom-command": runtime, "transport-health": inspector},
        ("transport-health",): {"custom-command": runtime, "rollout-gate": gate},
    }
