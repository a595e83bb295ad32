"""A store that is a tree of directories, as on NFS, or as a mirror leaves it."""

import errno
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tau_rollout_gate.contract.store.sentinel import Sentinel
from tau_rollout_gate.errors import RolloutGateError, StoreError, TooLargeError
from tau_rollout_gate.files.disk.sync import sync_folder
from tau_rollout_gate.files.owner import denied
from tau_rollout_gate.files.storage import opened_file, write_whole
from tau_rollout_gate.files.stores.interface import LARGEST_OBJECT_BYTES, SENTINEL_FILE

Answer = TypeVar("Answer")

LOOKS = 4
"""How often a file is read that is another one, or shorter, once it is open: three times again."""

_PAUSE_SECONDS = 0.05
_TEMPORARY = re.compile(r"\..*|.*(~|\.(tmp|temp|new|part|partial|filepart|crdownload|swp))")
_NOT_THERE = (FileNotFoundError, NotADirectoryError)


class LocalStore:
    """A tree of directories; see `Store`."""

    def __init__(self, root: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Take a directory; nothing is read yet."""
        self._folder = Path(root)
        self._sleep = sleep

    @property
    def root(self) -> str:
        """See `Store.root`."""
        return f"{str(self._folder).rstrip('/')}/"

    def folder(self, key: str) -> Path:
        """The directory of a key.

        Raises:
            StoreError: if the key would lead out of the tree.
        """
        if any(part in {"", ".", ".."} for part in key.split("/")) or "\0" in key:
            raise StoreError(f"{self.root}: {key!r} is no key")
        return self._folder / key

    def get(self, key: str, from_byte: int = 0) -> bytes | None:
        """See `Store.get`."""
        path = self.folder(key)

        def read() -> bytes | None:
            try:
                with opened_file(path) as file:
                    size = os.fstat(file.fileno()).st_size
                    if size - from_byte > LARGEST_OBJECT_BYTES:
                        raise TooLargeError(f"{path}: has more than {LARGEST_OBJECT_BYTES:,} bytes")
                    wanted = max(size - from_byte, 0)
                    found = os.pread(file.fileno(), wanted, from_byte)
            except _NOT_THERE:
                return None
            if len(found) < wanted:
                raise OSError(errno.ESTALE, "it was cut while it was read")
            return found

        found = self._tried(path, "read", read)
        if found is None and key != SENTINEL_FILE and self.get(SENTINEL_FILE) is None:
            raise self._no_sentinel()  # as where it is not mounted any more
        return found

    def written_unix_ms(self, key: str) -> int | None:
        """See `Store.written_unix_ms`."""
        path = self.folder(key)

        def written() -> int | None:
            try:
                return path.stat().st_mtime_ns // 1_000_000
            except _NOT_THERE:
                return None

        return self._tried(path, "look at", written)

    def list(self, prefix: str) -> tuple[str, ...]:
        """See `Store.list`."""
        folder = self.folder(prefix) if prefix else self._folder

        def names() -> tuple[str, ...]:
            return tuple(
                sorted(path.relative_to(self._folder).as_posix() for path in _files(folder))
            )

        return self._tried(folder, "list", names)

    def sentinel(self) -> Sentinel:
        """See `Store.sentinel`."""
        raw = self.get(SENTINEL_FILE)
        if raw is None:
            raise self._no_sentinel()
        return parse_sentinel(raw, f"{self.root}{SENTINEL_FILE}")

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """See `Store.put_if_absent`."""
        path = self.folder(key)
        aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")

        def put() -> bool:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                write_whole(descriptor, content)
                os.fsync(descriptor)
                os.link(aside, path)  # unlike a rename, it takes nobody's place
            except FileExistsError:
                return False
            finally:
                os.close(descriptor)
                aside.unlink()
            self._sync(path.parent)
            return True

        return self._tried(path, "write", put)

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        path = self.folder(key)

        def remove() -> None:
            with suppress(*_NOT_THERE):
                path.unlink()
                self._sync(path.parent)

        self._tried(path, "remove", remove)

    def _tried(self, path: Path, action: str, attempt: Callable[[], Answer]) -> Answer:
        for look in range(LOOKS):
            if look:
                self._sleep(_PAUSE_SECONDS)
            try:
                return attempt()
            except OSError as error:
                if error.errno == errno.ESTALE and look < LOOKS - 1:
                    continue
                reason = f"{error.strerror or error}{denied(error, path)}"
                raise StoreError(f"{path}: cannot {action}: {reason}") from None
        raise AssertionError  # pragma: no cover - the last look returns or raises

    def _no_sentinel(self) -> StoreError:
        return StoreError(
            f"{self.root}{SENTINEL_FILE} is not there: is it mounted, and the right directory? "
            "`tau-rollout-gate fleet init` writes it once"
        )

    @staticmethod
    def _sync(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_folder(descriptor)
        finally:
            os.close(descriptor)


def is_temporary(name: str) -> bool:
    """Tell whether a file's name is one that programs give to what they have yet to finish."""
    return _TEMPORARY.fullmatch(name.lower()) is not None


def parse_sentinel(raw: bytes, path: str) -> Sentinel:
    """Read a sentinel.

    Raises:
        StoreError: if it is none.
    """
    try:
        return Sentinel.parse(raw)
    except RolloutGateError as error:
        raise StoreError(f"{path}: {error}") from None


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder but temporary ones; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, _NOT_THERE):
            raise error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not is_temporary(name))
