"""What an error of an object store's library says: which kind it is, and why, for people.

The runtime and the gate share no code: each has this file, the same to the byte.
"""

import re
from typing import NamedTuple

REQUEST_SECONDS = 20
"""How long one request may take."""

_STATUS = re.compile(r"status code: (\d{3}[A-Za-z ]*)")
_CODE = re.compile(r"<Code>([^<]{1,100})</Code>|\"code\": ?\"?([\w ]{1,100})")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})")
_KIND = re.compile(r"\bkind: (\w+)")
_AGAIN = frozenset({"408", "429", "500", "502", "503", "504"})
_ASKED_FOR_CREDENTIALS = ("169.254.169.254", "169.254.170.2", "metadata.google")
_KINDS = {
    "Connect": "nobody answers there",
    "Timeout": f"no answer within {REQUEST_SECONDS} s",
}
_NO_HTTPS = "builder error"


class BucketError(Exception):
    """The store cannot answer, or refuses to; the text says why."""


class TooLargeError(BucketError):
    """An object is larger than it may be."""


class NotThereError(Exception):
    """The bucket has no such key, as it says itself."""


class Reason(NamedTuple):
    """What an error of the library says.

    Args:
        text: It, for people.
        status: The HTTP status, as `403`; empty where there is none.
        code: The store's own word, as `AccessDenied`; empty where there is none.
    """

    text: str
    status: str = ""
    code: str = ""

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be answered in a moment."""
        return self.status in _AGAIN or (not self.status and self.text in _KINDS.values())


def reason_of(text: str) -> Reason:
    """What an error of the library says, without what it says to programmers."""
    said = text.partition("\n\nDebug source")[0]
    status, code = _STATUS.search(said), _CODE.search(said)
    if any(place in said for place in _ASKED_FOR_CREDENTIALS):
        return Reason("no credentials were found in the environment, and no machine that gives any")
    if said.endswith(_NO_HTTPS):
        return Reason("the endpoint is no https:// URL, which AWS_ALLOW_HTTP=true allows")
    if status is not None:
        message = _MESSAGE.search(said)
        word = next(filter(None, code.groups()), "") if code else ""
        parts = (status[1].strip(), word, message[1].strip() if message else "")
        return Reason(": ".join(filter(None, parts)), status[1][:3], word)
    kind = _KIND.search(text)
    if kind is not None and kind[1] in _KINDS:
        return Reason(_KINDS[kind[1]])
    return Reason(" ".join(said.split()))
