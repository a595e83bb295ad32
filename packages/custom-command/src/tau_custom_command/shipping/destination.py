"""Where a host's files are shipped to: something whole objects are read from and written to."""

from typing import Protocol

from tau_custom_command.shipping.location import Location

LARGEST_STATE_BYTES = 1024 * 1024
"""The most that a shipped `state.json` has, which is room for 20 GB of segments."""


class Destination(Protocol):
    """Where to ship to: below it, each key is one object, which is written as a whole."""

    @property
    def url(self) -> str:
        """What it is called, for messages."""

    def get(self, key: str) -> bytes | None:
        """The bytes of a shipped `state.json`; None where there is none.

        Raises:
            ShippingError: if that cannot be told.
        """

    def put(self, key: str, content: bytes) -> None:
        """Write an object in the place of what is there; no reader ever finds half of it.

        Raises:
            ShippingError: if it cannot be written, or nobody knows whether it was.
        """


TRIES = 5
"""How often a request is made of an object store that does not answer or is busy."""


def destination_at(location: Location, *, tries: int = TRIES) -> Destination:
    """Open a directory, or a part of an object store.

    Raises:
        ShippingError: if the extra for it is missing, or the environment is of no use.
    """
    if location.bucket is None:
        from tau_custom_command.shipping.folder import Folder  # noqa: PLC0415 - one of the two

        return Folder(location.path)
    from tau_custom_command.shipping.objects import Objects  # noqa: PLC0415 - one of the two

    return Objects(f"{location.bucket}/{location.path}".rstrip("/"), tries=tries)
