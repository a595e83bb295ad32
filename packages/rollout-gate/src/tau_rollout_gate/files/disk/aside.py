"""Sets aside what stands where a file or a folder of ours belongs, and is none.

A folder, a link or a pipe in the place of a lock or of a temporary file must not keep a rollout
from being stopped. Nothing is removed, and what was done is told on stderr.
"""

import itertools
import os
import stat
import sys
from contextlib import suppress

from tau_rollout_gate.printable import printable


def free_name(name: str, folder: int) -> str:
    """Find a name that nothing has yet, for what cannot be used and is kept aside."""
    taken = os.listdir(folder)
    names = (f"{name}.{number}.corrupt" for number in itertools.count(1))
    return next(one for one in names if one not in taken)


def is_in_the_way(name: str, folder: int, *, of_folder: bool = False) -> bool:
    """Tell whether something stands there that is no file (or no folder, where that is wanted).

    A link to a folder is none of both: somebody meant it, though it is not followed.

    Raises:
        OSError: if the operating system does not tell.
    """
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if of_folder and stat.S_ISLNK(mode):
        with suppress(OSError):  # it leads nowhere, or in circles
            mode = os.stat(name, dir_fd=folder).st_mode
    return not (stat.S_ISDIR(mode) if of_folder else stat.S_ISREG(mode))


def clear_way(name: str, folder: int, *, of_folder: bool = False) -> None:
    """Give what stands in the way of a file (or of a folder) another name, and tell of it.

    Raises:
        OSError: if the operating system refuses.
    """
    if is_in_the_way(name, folder, of_folder=of_folder):
        aside = free_name(name, folder)
        os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)
        kind = "folder" if of_folder else "regular file"
        note = f"note: {name} was no {kind}, and is set aside as {aside}"
        sys.stderr.write(printable(note) + "\n")
