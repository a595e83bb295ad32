"""What the command line says, as a record can hold it: UTF-8 text of a bounded length."""

from collections.abc import Sequence
from pathlib import Path

from tau_rollout_gate.errors import RefusedError

_LONGEST_TEXT = 4096
"""As long as a path can be: every decision holds such texts."""


def as_text(option: str, text: str) -> str:
    """Take the text of an option without the blanks around it.

    Raises:
        RefusedError: if nothing is left, bytes that are no UTF-8 were given, or it is too long.
    """
    if not is_text(text):
        raise RefusedError(f"{option}: is not UTF-8 text")
    if not text.strip():
        raise RefusedError(f"{option}: is empty; say something for the record")
    if len(text) > _LONGEST_TEXT:
        raise RefusedError(f"{option}: has more than {_LONGEST_TEXT:,} characters, the most")
    return text.strip()


def is_text(text: str) -> bool:
    """Tell whether it is text, and not bytes of a name that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def absolute(path: str | Path) -> str:
    """A path that names the same file from every working directory.

    Raises:
        RefusedError: if it is not UTF-8 text, as in a working directory whose name is not.
    """
    found = str(Path(path).absolute())
    if not is_text(found):
        raise RefusedError(
            f"{found}: is not UTF-8 text, which no record can hold: name it absolutely by another "
            "path, or rename that directory"
        )
    return found


def surfaces_in(options: Sequence[str]) -> dict[str, str]:
    """Read the state directories by surface, of options like `voice=.tau/voice`.

    Raises:
        RefusedError: if one is not of that form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for option in options:
        name, _, state_dir = option.partition("=")
        if not state_dir:
            raise RefusedError(f"--surface: {option!r}: write NAME=STATE_DIR")
        if name in found:
            raise RefusedError(f"--surface: {name} is given twice")
        found[name] = state_dir
    return found
