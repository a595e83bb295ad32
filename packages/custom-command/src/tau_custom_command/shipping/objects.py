"""Ships to an object store; its credentials are the usual ones, from the environment."""

from tau_custom_command.errors import ShippingError
from tau_custom_command.shipping.bucket import Bucket
from tau_custom_command.shipping.bucket_errors import BucketError
from tau_custom_command.shipping.destination import LARGEST_STATE_BYTES

_EXTRA = "tau-custom-command[ship]"


class Objects:
    """A part of an object store, as a `Destination`."""

    def __init__(self, url: str, *, tries: int) -> None:
        """Open it; raises `ShippingError` where the extra is missing."""
        self.url = url
        try:
            self._bucket = Bucket(url, extra=_EXTRA, tries=tries)
        except BucketError as error:
            raise ShippingError(str(error)) from None

    def get(self, key: str) -> bytes | None:
        """See `Destination.get`."""
        try:
            return self._bucket.get(key, most_bytes=LARGEST_STATE_BYTES)
        except BucketError as error:
            raise ShippingError(str(error)) from None

    def put(self, key: str, content: bytes) -> None:
        """See `Destination.put`."""
        try:
            self._bucket.put(key, content)
        except BucketError as error:
            raise ShippingError(str(error)) from None
