"""Whose a file is that may not be read, and who asks.

The gate and the inspector share no code: each has this file, the same to the byte.
"""

import os
from pathlib import Path


def whose(path: Path) -> tuple[str, str]:
    """Whose a file is, and who asks; each as sudo takes it."""
    return _owner(path.absolute()), _user(os.geteuid())


def denied(error: OSError, path: Path) -> str:
    """What to say behind an error, where it is that this user may not: whose it is, and who asks.

    It is empty of any other error.
    """
    if not isinstance(error, PermissionError):
        return ""
    return ": it is {}'s, and this runs as {}".format(*whose(path))


def _owner(path: Path) -> str:
    """Whose a file is; if that may not be known either, whose the folder is that hides it."""
    try:
        return _user(path.stat().st_uid)
    except OSError:
        return _owner(path.parent)


def _user(number: int) -> str:
    """A user's name, or the number in the form that sudo takes."""
    import pwd  # noqa: PLC0415 - start-up counts

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"
