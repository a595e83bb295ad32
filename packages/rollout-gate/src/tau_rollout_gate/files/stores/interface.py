"""What a store of a fleet's files is: six functions, one of which tells that it is the right one.

A key that is not there is an answer: a host that is silent. Whatever else goes wrong is none.
"""

from typing import Protocol

from tau_rollout_gate.contract.store.sentinel import Sentinel

SENTINEL_FILE = "_fleet.json"
"""At the root of a store: that this is the store of a fleet, and of which."""

LARGEST_OBJECT_BYTES = 32 * 1024 * 1024
"""The most that an object has: a segment is closed at 1 MiB, and its last line has 16 at most."""


class Store(Protocol):
    """A tree of objects below a root. Keys have slashes between their parts and none at an end.

    Threads may share one. Processes may not: each opens its own.
    """

    @property
    def root(self) -> str:
        """What every object's name begins with, for people: a directory or a URL, and a slash."""

    def get(self, key: str, from_byte: int = 0) -> bytes | None:
        """The bytes of an object from an offset on; None where there is none of this key.

        There are none behind its end.

        Raises:
            TooLargeError: if there are more than `LARGEST_OBJECT_BYTES`.
            StoreError: if that cannot be told.
        """

    def written_unix_ms(self, key: str) -> int | None:
        """When an object was written, by the store's clock; None where there is none of this key.

        Raises:
            StoreError: if that cannot be told.
        """

    def list(self, prefix: str) -> tuple[str, ...]:
        """The keys of the objects below a prefix, sorted, without temporary ones of mirrors.

        Raises:
            StoreError: if they cannot be told.
        """

    def sentinel(self) -> Sentinel:
        """What tells which store this is, and that one may believe it where a key is missing.

        Raises:
            StoreError: if there is none, or it cannot be read; or if the store does not tell a key
                that is missing from one that may not be read.
        """

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write an object where there is none, and tell whether that was so.

        Raises:
            StoreError: if it cannot be written, or nobody knows whether it was.
        """

    def delete(self, key: str) -> None:
        """Remove an object; where there is none, nothing is done.

        Raises:
            StoreError: if it cannot be removed.
        """
