"""A store that is an object store: S3, Google Cloud Storage, Azure."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tau_rollout_gate.contract.store.sentinel import Sentinel
from tau_rollout_gate.errors import StoreError, TooLargeError
from tau_rollout_gate.files.stores import bucket_errors
from tau_rollout_gate.files.stores.bucket import Bucket
from tau_rollout_gate.files.stores.interface import LARGEST_OBJECT_BYTES, SENTINEL_FILE
from tau_rollout_gate.files.stores.local import is_temporary, parse_sentinel

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Opened

EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure"}
"""The package's extra for each kind of URL."""


class ObjectStore:
    """What is below a prefix of a bucket; see `Store`."""

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Open it, which asks nothing of it yet.

        Raises:
            StoreError: if the extra for it is missing, or the environment is of no use.
        """
        self._url = url.rstrip("/")
        extra = f"tau-rollout-gate[{EXTRAS[url.partition(':')[0]]}]"
        with _told():
            self._bucket = Bucket(self._url, extra=extra, sleep=sleep)

    @property
    def root(self) -> str:
        """See `Store.root`."""
        return f"{self._url}/"

    def get(self, key: str, from_byte: int = 0) -> bytes | None:
        """See `Store.get`."""
        with _told():
            return self._bucket.get(key, from_byte, most_bytes=LARGEST_OBJECT_BYTES)

    def written_unix_ms(self, key: str) -> int | None:
        """See `Store.written_unix_ms`."""

        def request(opened: "Opened") -> int:
            # Not `head`: what has no body does not tell a key that is missing from other trouble.
            return int(opened.get(key).meta["last_modified"].timestamp() * 1000)

        with _told():
            try:
                return self._bucket.tried(key, request)
            except bucket_errors.NotThereError:
                return None

    def list(self, prefix: str) -> tuple[str, ...]:
        """See `Store.list`."""

        def request(opened: "Opened") -> list[str]:
            return [one["path"] for page in opened.list(prefix or None) for one in page]

        with _told():
            keys = self._bucket.tried(prefix, request)
        return tuple(sorted(key for key in keys if not any(map(is_temporary, key.split("/")))))

    def sentinel(self) -> Sentinel:
        """See `Store.sentinel`."""
        try:
            self.get(f"{SENTINEL_FILE}.{secrets.token_hex(8)}")
        except StoreError as error:
            if ": 403" not in str(error):
                raise
            raise StoreError(
                f"{error}; of a key that is not there: the reader needs the right to list, without "
                "which a host that is silent looks like one that may not be read"
            ) from None
        raw = self.get(SENTINEL_FILE)
        if raw is None:
            raise StoreError(
                f"{self.root}{SENTINEL_FILE} is not there: is this the right bucket and prefix? "
                "`tau-rollout-gate fleet init` writes it once"
            )
        return parse_sentinel(raw, f"{self.root}{SENTINEL_FILE}")

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """See `Store.put_if_absent`."""
        with _told():
            return self._bucket.put(key, content, only_if_absent=True)

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        with _told():
            try:
                self._bucket.tried(key, lambda opened: opened.delete(key))
            except bucket_errors.NotThereError:
                return


@contextmanager
def _told() -> Iterator[None]:
    """Turn the errors of a bucket into those of a store."""
    try:
        yield
    except bucket_errors.TooLargeError as error:
        raise TooLargeError(str(error)) from None
    except bucket_errors.BucketError as error:
        raise StoreError(str(error)) from None
