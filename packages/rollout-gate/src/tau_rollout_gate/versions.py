"""Semantic versions, as releases are named; a leading `v` is allowed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from semver import Version


def is_same_release(one: str, other: str) -> bool:
    """Tell whether two versions name one release: a leading `v` says nothing."""
    return one.removeprefix("v") == other.removeprefix("v")


def parse_version(text: str) -> "Version | None":
    """The version that a text names; None if it is no semantic version."""
    from semver import Version  # noqa: PLC0415 - only preflight and `start` pay for it

    number = text.removeprefix("v")
    # The library takes the digits of any script.
    return Version.parse(number) if number.isascii() and Version.is_valid(number) else None
