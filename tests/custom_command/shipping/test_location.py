"""Where a fleet's files are is read in one way, and no name leads out of its place."""

import pytest

from tau_custom_command.shipping.location import (
    Location,
    filled,
    is_host,
    parse_location,
)


@pytest.mark.parametrize(
    ("text", "bucket", "path"),
    [
        ("/srv/fleet/a", None, "/srv/fleet/a"),
        ("fleet/../a", None, "fleet/../a"),
        ("file:///srv/fleet%20x/", None, "/srv/fleet x/"),
        ("FILE://localhost/srv", None, "/srv"),
        ("s3://bucket/fleet/a/", "s3://bucket", "fleet/a"),
        ("S3://bucket", "s3://bucket", ""),
        ("gs://bucket/a", "gs://bucket", "a"),
        ("az://container/a", "az://container", "a"),
    ],
)
def test_what_leads_somewhere(text: str, bucket: str | None, path: str) -> None:
    """A path, or a URL of a kind that is known."""
    assert parse_location(text) == Location(bucket=bucket, path=path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" ", "blank"),
        ("s3://b/a\n", "cannot be printed"),
        ("http://b/a", "http:// is not known"),
        ("s3://user:secret@b/a", "the name of a bucket alone"),
        ("s3:///a", "the name of a bucket alone"),
        ("s3://b/a//c", "is empty, '.' or '..'"),
        ("s3://b/../c", "is empty, '.' or '..'"),
        ("s3://b/./c", "is empty, '.' or '..'"),
        ("s3://b/a?x=1", "has no '?'"),
        ("file://host/srv", "an absolute path"),
        ("file://localhost", "an absolute path"),
    ],
)
def test_what_leads_nowhere(text: str, told: str) -> None:
    """It is refused, with the reason."""
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        parse_location(text)


def test_names_take_the_place_of_braces() -> None:
    """Each as often as it stands there; no other brace may."""
    assert filled("{host}/{surface}/{host}", host="a", surface="b") == "a/b/a"
    for text in ("{hosts}", "{", "a}", "{{host}}"):
        with pytest.raises(ValueError, match="in braces"):
            filled(text, host="a", surface="b")


@pytest.mark.parametrize("name", ["web-1", "web-1.eu.example", "a_b", "9", "a" * 253])
def test_what_can_be_a_host(name: str) -> None:
    """A name of the DNS, and a little more."""
    assert is_host(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "../a", "a..b", ".a", "a.", "-a", "a b", "a\n", "ä", "a\0", "a" * 254],
)
def test_what_can_be_no_host(name: str) -> None:
    """It would lead elsewhere, or hide."""
    assert not is_host(name)
