"""Where a fleet's files are: a directory, or an object store behind a URL.

The runtime and the gate share no code: each has this file, the same to the byte.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

OBJECT_STORES = ("s3", "gs", "az")
"""The schemes of URLs that lead to an object store: S3, Google Cloud Storage, Azure."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)*", re.ASCII)
_LONGEST_HOST = 253  # as a name in the DNS
HOST_RULE = (
    "a host's name is letters, digits, '-' and '_' of ASCII, in parts between single dots, each "
    f"with a letter or digit first, and at most {_LONGEST_HOST} characters"
)


class Location(NamedTuple):
    """A directory, or a part of an object store.

    Args:
        bucket: Such as `s3://bucket`; None for a directory.
        path: The directory; in an object store what keys begin with, without a slash at either end.
    """

    bucket: str | None
    path: str


def parse_location(text: str) -> Location:
    """Read where something is: a path, `file://`, `s3://`, `gs://` or `az://`.

    Raises:
        ValueError: if it is none of these; the text says why.
    """
    if not text.strip():
        raise ValueError("it is blank; is a shell variable unset?")
    if not text.isprintable():
        raise ValueError("it holds a character that cannot be printed")
    found = _SCHEME.fullmatch(text)
    if found is None:
        return Location(bucket=None, path=text)
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        return Location(bucket=None, path=_file_path(rest))
    if scheme not in OBJECT_STORES:
        known = ", ".join(f"{one}://" for one in OBJECT_STORES)
        raise ValueError(f"{scheme}:// is not known: a path, file://, {known} are")
    bucket, _, path = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"after {scheme}:// comes the name of a bucket alone, then a slash")
    if any(character in path for character in "?#\\"):
        raise ValueError("a key has no '?', '#' or backslash")
    path = path.removesuffix("/")
    if any(part in {"", ".", ".."} for part in path.split("/")[: None if path else 0]):
        raise ValueError("a part of it between slashes is empty, '.' or '..'")
    return Location(bucket=f"{scheme}://{bucket}", path=path)


def filled(template: str, **values: str) -> str:
    """Put values in the place of their names in braces, such as `{host}`.

    Raises:
        ValueError: if there is another brace in it.
    """
    rest = _PLACEHOLDER.sub(lambda one: "" if one[1] in values else one[0], template)
    if "{" in rest or "}" in rest:
        known = " and ".join(f"{{{name}}}" for name in values)
        raise ValueError(f"of what stands in braces, {known} are known")
    return _PLACEHOLDER.sub(lambda one: values[one[1]], template)


def is_host(text: str) -> bool:
    """Tell whether a text can be a host's name, and so a part of a path and nothing else."""
    return len(text) <= _LONGEST_HOST and _HOST.fullmatch(text) is not None


def _file_path(rest: str) -> str:
    host, slash, path = rest.partition("/")
    if host not in {"", "localhost"} or not slash:
        raise ValueError("after file:// comes an absolute path: file:///srv/fleet")
    return f"/{unquote(path)}"
