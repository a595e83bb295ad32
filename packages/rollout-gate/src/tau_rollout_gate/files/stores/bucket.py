"""An object store behind a URL: each request tried again, and what the answer means told apart.

The runtime and the gate share no code: each has this file, the same to the byte. The library,
obstore, comes with an extra. It is imported when the first store is opened and not before: it costs
start-up, and what it opened does not outlive a fork.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from threading import Condition, Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any, TypeVar

from .bucket_errors import (
    REQUEST_SECONDS,
    BucketError,
    NotThereError,
    Reason,
    TooLargeError,
    reason_of,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

Answer = TypeVar("Answer")

TRIES = 5
"""How often a request is made, where the store does not answer or is busy."""

_KEY_MISSING = frozenset({"NoSuchKey", "BlobNotFound"})
_THROTTLED = frozenset({"429", "503"})
_NOT_SATISFIABLE = "416"
_FIRST_PAUSE_SECONDS = 0.2
_MOST_AT_ONCE = 32


class Bucket:
    """A part of an object store: what is below a prefix. Threads may share it, processes not."""

    def __init__(
        self,
        url: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        extra: str,
        tries: int = TRIES,
    ) -> None:
        """Open it, which asks nothing of the store yet.

        Args:
            url: Such as `s3://bucket/prefix`.
            sleep: Waits so many seconds.
            extra: What to install where the library is missing.
            tries: How often a request is made, where the store does not answer or is busy.

        Raises:
            BucketError: if the library is missing, or the URL or the environment cannot be used.
        """
        self.url = url
        self._sleep = sleep
        self._tries = tries
        self._turns = _Turns(_MOST_AT_ONCE)
        self._given_up: BucketError | None = None
        self._store = _opened(url, extra)

    def get(self, key: str, from_byte: int = 0, *, most_bytes: int) -> bytes | None:
        """The bytes of an object from an offset on; None where the bucket has no such key.

        Nothing is behind its end, wherever that is.

        Raises:
            BucketError: if the store cannot answer.
            TooLargeError: if there are more than `most_bytes`.
        """

        def request(store: "ObjectStore") -> bytes:
            found = store.get(key, options={"range": {"offset": from_byte}} if from_byte else None)
            if found.meta["size"] - from_byte > most_bytes:
                raise TooLargeError(f"{self.url}/{key}: has more than {most_bytes:,} bytes")
            return bytes(found.bytes())

        try:
            return self.tried(key, request)
        except NotThereError:
            return None
        except _BehindTheEndError:
            return b""

    def put(self, key: str, content: bytes, *, only_if_absent: bool = False) -> bool:
        """Write an object as a whole, and tell whether it was: another may have been there.

        Raises:
            BucketError: if the store cannot answer.
        """
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415 - as `from_url`

        def request(store: "ObjectStore") -> bool:
            try:
                store.put(
                    key,
                    content,
                    mode="create" if only_if_absent else "overwrite",
                    use_multipart=False,
                )
            except AlreadyExistsError:
                return False
            return True

        try:
            if self.tried(key, request):
                return True
        except NotThereError as error:
            raise BucketError(str(error)) from None
        # It may be this one: the answer to an earlier try was lost on the way.
        return self.get(key, most_bytes=len(content)) == content

    def tried(self, key: str, request: Callable[["ObjectStore"], Answer]) -> Answer:
        """What a request gives, which is made again where the store is busy or does not answer.

        Raises:
            BucketError: if it still does not, or refuses.
            NotThereError: if it says that there is no such key.
        """
        pause = _FIRST_PAUSE_SECONDS
        reason = Reason("")
        for attempt in range(self._tries):
            if self._given_up is not None:
                raise self._given_up
            if attempt:
                self._sleep(pause * (1 + random.random()))  # noqa: S311 - spreads, hides nothing
                pause *= 2
            try:
                with self._turns.one():
                    found = _interruptible(request, self._store)
            except _library_errors() as error:
                reason = reason_of(str(error))
            else:
                self._turns.widen()
                return found
            if reason.code in _KEY_MISSING:
                raise NotThereError(f"{self.url}/{key}: {reason.text}")
            if reason.status == _NOT_SATISFIABLE:
                raise _BehindTheEndError
            if not reason.is_passing:
                raise BucketError(f"{self.url}/{key}: {reason.text}")
            if reason.status in _THROTTLED:
                self._turns.narrow()
        self._given_up = BucketError(f"{self.url}/{key}: {reason.text} ({self._tries} tries)")
        raise self._given_up


class _BehindTheEndError(Exception):
    """An object has no byte at the offset that was asked for."""


class _Turns:
    """How many requests are made at once: half as many where the store is busy, slowly more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._wide = float(most)
        self._taken = 0
        self._free = Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._free:
            self._free.wait_for(lambda: self._taken < self._wide)
            self._taken += 1
        try:
            yield
        finally:
            with self._free:
                self._taken -= 1
                self._free.notify_all()

    def narrow(self) -> None:
        with self._free:
            self._wide = max(1.0, self._wide / 2)

    def widen(self) -> None:
        with self._free:
            self._wide = min(float(self._most), self._wide + 1 / self._wide)
            self._free.notify_all()


def _interruptible(request: Callable[["ObjectStore"], Answer], store: "ObjectStore") -> Answer:
    """Make a request so that a signal ends the wait for it; the library's own does not hear of any.

    Python handles signals in the main thread alone, so that other threads may as well wait there.
    """
    if current_thread() is not main_thread():
        return request(store)
    answer: Future[Answer] = Future()

    def make() -> None:
        try:
            answer.set_result(request(store))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            answer.set_exception(error)

    Thread(target=make, daemon=True).start()
    return answer.result()


def _library_errors() -> tuple[type[Exception], ...]:
    from obstore.exceptions import BaseError  # noqa: PLC0415 - as `from_url`

    return OSError, ValueError, BaseError


def _opened(url: str, extra: str) -> "ObjectStore":
    try:
        from obstore.store import from_url  # noqa: PLC0415 - only who has a URL needs it
    except ImportError:
        raise BucketError(f"{url}: needs the library obstore: pip install '{extra}'") from None
    try:
        return from_url(
            url,
            client_options={
                "timeout": timedelta(seconds=REQUEST_SECONDS),
                # With options of ours the library leaves its variable for this unread.
                "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"},
            },
            retry_config={"max_retries": 0},  # `tried` does it, which hears of a busy store
            **_credentials(url),
        )
    except _library_errors() as error:
        raise BucketError(f"{url}: {reason_of(str(error)).text}") from None


def _credentials(url: str) -> dict[str, Any]:
    """What resolves a profile of AWS, which the library does not."""
    profile = os.environ.get("AWS_PROFILE")
    if not profile or not url.startswith("s3:"):
        return {}
    told = f"{url}: AWS_PROFILE is set to {profile!r}"
    try:
        session = import_module("boto3").Session(profile_name=profile)
        is_resolved = session.get_credentials() is not None
    except ImportError:
        raise BucketError(
            f"{told}, which obstore does not take: unset it and set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or install boto3, which resolves it"
        ) from None
    except import_module("botocore.exceptions").BotoCoreError as error:
        raise BucketError(f"{told}: {error}") from None
    if not is_resolved:
        raise BucketError(f"{told}, which has no credentials")
    return {
        "credential_provider": import_module("obstore.auth.boto3").Boto3CredentialProvider(session)
    }
