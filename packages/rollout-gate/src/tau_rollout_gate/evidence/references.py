"""What a sign-off names as evidence: an address, a path, or words that are no evidence.

The rules are the checklist's (runbooks/release-signoff-checklist.md, "What counts as evidence").
"""

import re
import unicodedata
from urllib.parse import SplitResult, unquote, urlsplit

from tau_rollout_gate.errors import FormRefusedError

# Longer would be no better: any other word is evidence only where a file is called so.
_STANDS_FOR_NOTHING = re.compile(
    "tbd|todo|na|none|unknown|pending|someone|nobody|done|ok|yes|x|passed|(see)?logs"
)
# RFC 2606 and RFC 6761: for documentation and tests; RFC 6762: the machines on one link.
_RESERVED_ENDINGS = (
    ".test",
    ".example",
    ".example.com",
    ".example.net",
    ".example.org",
    ".invalid",
    ".localhost",
    ".localdomain",
    ".local",
)
_LONGEST_HOST = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TOP_LABEL = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://?|mailto:", re.IGNORECASE)


def is_blank(text: str) -> bool:
    """Tell whether a text is blank, or a word that stands for that: `TBD`, `n/a`, `-`, `done`.

    Letters and digits alone are compared, whatever their case: `T.B.D.` is `TBD`.
    """
    letters = "".join(character for character in folded(text) if character.isalnum())
    return not letters or _STANDS_FOR_NOTHING.fullmatch(letters) is not None


def folded(text: str) -> str:
    """A text as two of them are compared: case, width, spaces and the invisible aside."""
    wide = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(" " if c.isspace() else c for c in wide if c.isspace() or c.isprintable())
    return " ".join(seen.split())


def is_address(text: str) -> bool:
    """Tell whether a text is meant as an address rather than as a path."""
    return _SCHEME.match(text) is not None


def identity_of_address(text: str) -> str:
    """What an `https` address is compared by: two with one identity are one piece.

    Raises:
        FormRefusedError: if it is not `https`, or its host is not one that others can open; the
            text says why.
    """
    if not text.isprintable() or " " in text or "\\" in text:
        raise FormRefusedError("has characters that no address has")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise FormRefusedError("is not an address") from None
    if parts.scheme != "https":
        raise FormRefusedError(f"is {parts.scheme}; give an https address, or a path")
    if parts.username is not None or parts.password is not None:
        raise FormRefusedError("has a name or password in it; take it out")
    host = _real_host(parts)
    place: list[str] = []
    for part in unquote(parts.path).split("/"):
        if part == "..":
            del place[-1:]
        elif part not in {"", "."}:
            place.append(part)
    query = sorted(unquote(part) for part in parts.query.split("&") if part)
    where = "/".join([f"{host}{'' if port in {None, 443} else f':{port}'}", *place])
    return f"https://{where}{'?' if query else ''}{'&'.join(query)}"


def problem_of_path(text: str) -> str | None:
    """Why a text cannot be a path inside the repository, as far as the text alone tells."""
    parts = text.split("/")
    if not text.isprintable() or "\\" in text:
        return "is neither an https address nor a path with / between its parts"
    if text.startswith(("/", "~")):
        return "is not inside the repository; write the path from the repository's root"
    if ".." in parts:
        return "has .. in it; write the path from the repository's root"
    if any(part.casefold() == ".git" for part in parts):
        return "is git's own; name a file of the repository"
    return None


def _real_host(parts: SplitResult) -> str:
    name = (parts.hostname or "").removesuffix(".")
    try:
        host = name[: _LONGEST_HOST + 1].encode("idna").decode("ascii").lower()
    except UnicodeError:
        host = ""
    *labels, top = host.split(".")
    if len(host) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, (*labels, top))):
        raise FormRefusedError(f"has {name[:60]!r} where the name of a host belongs")
    # No top-level domain has a digit: what ends in one is a numeric address of some spelling.
    if not labels or not _TOP_LABEL.fullmatch(top) or f".{host}".endswith(_RESERVED_ENDINGS):
        raise FormRefusedError(f"has the host {host[:60]!r}, which means nothing to others")
    return host
