"""Has the names in a folder reach the disk, where its file system can do that."""

import errno
import os
import sys
from functools import cache

_CANNOT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


def sync_folder(folder: int) -> None:
    """Wait until the names in an open folder are on the disk; warn where its file system cannot.

    Raises:
        OSError: if they are not.
    """
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
        _warn_of(error.strerror)


@cache
def _warn_of(reason: str) -> None:
    sys.stderr.write(
        f"warning: the file system syncs no folders ({reason}): a loss of power can undo what was "
        "written last\n"
    )
