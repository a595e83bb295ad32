"""Ships to a directory, such as one that is on NFS or that a mirror takes along.

Whole files, each written aside, synced and renamed. Who may read them is what the umask says, as
of other files of the operator's: they hold no output of commands.
"""

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from tau_custom_command.errors import ShippingError, StorageError
from tau_custom_command.shipping.destination import LARGEST_STATE_BYTES
from tau_custom_command.storage.read import read_state_file, storage_errors
from tau_custom_command.storage.sync import sync_file, sync_folder

_LEFT_BEHIND_SECONDS = 3600
"""From what age on a file that is written aside is one that a kill left."""


class Folder:
    """A directory, as a `Destination`; it is made where it is missing."""

    def __init__(self, path: str) -> None:
        """Take a directory; nothing is done there yet."""
        self.url = path
        self._root = Path(path)
        self._mask = os.umask(0)
        os.umask(self._mask)

    def get(self, key: str) -> bytes | None:
        """See `Destination.get`."""
        try:
            return read_state_file(self._root / key, most_bytes=LARGEST_STATE_BYTES)
        except StorageError as error:
            raise ShippingError(str(error)) from None

    def put(self, key: str, content: bytes) -> None:
        """See `Destination.put`."""
        path = self._root / key
        try:
            with storage_errors(path, "write"):
                self._make_folder(path.parent)
                self._replace(path, content)
        except StorageError as error:
            raise ShippingError(str(error)) from None

    def _replace(self, path: Path, content: bytes) -> None:
        # Of a name of its own: a second machine of this name must not write into the same file.
        aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(aside, flags, 0o600), "wb") as file:
                os.fchmod(file.fileno(), 0o666 & ~self._mask)
                file.write(content)
                file.flush()
                sync_file(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        _sweep(path)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(0o777 & ~self._mask)  # a cycle runs with a narrower umask
            sync_folder(folder.parent)


def _sweep(path: Path) -> None:
    """Remove what kills left beside a file, long ago: nobody writes it any more."""
    for aside in path.parent.glob(f".{path.name}.*.new"):
        with suppress(OSError):
            if time.time() - aside.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                aside.unlink()
