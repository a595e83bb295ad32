"""A server on loopback that answers as S3 does, in a process of its own, which a test may kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from obstore.store import S3Store

PATIENCE_SECONDS = 60.0
_LISTENS = re.compile(rb"Running on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True, slots=True)
class ObjectStoreServer:
    """The server: where it listens, and what it is told by way of its own interface."""

    url: str
    process: "subprocess.Popen[bytes]"

    @property
    def environment(self) -> Mapping[str, str]:
        """What an object store's client finds in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "NO_PROXY": "127.0.0.1",
        }

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        self._ask("PUT", f"/{name}")

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket and what is in it."""
        bucket = self._bucket(name)
        for page in bucket.list():
            bucket.delete([one["path"] for one in page])
        self._ask("DELETE", f"/{name}")

    def read(self, bucket: str, key: str) -> bytes:
        """The bytes of an object."""
        return bytes(self._bucket(bucket).get(key).bytes())

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object in the place of what is there."""
        self._bucket(bucket).put(key, content)

    def keys(self, bucket: str) -> list[str]:
        """The keys of a bucket."""
        return [one["path"] for page in self._bucket(bucket).list() for one in page]

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        self._bucket(bucket).delete(key)

    def check_credentials(self, *, after: int) -> None:
        """Refuse from then on who has no account: after so many requests."""
        self._ask("POST", "/moto-api/reset-auth", json.dumps(after).encode())

    def kill(self) -> None:
        """Kill it, in the middle of whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @staticmethod
    def _bucket(name: str) -> "S3Store":
        from obstore.store import S3Store  # noqa: PLC0415 - not in every environment of the tests

        return S3Store(name, client_options={"allow_http": True})

    def _ask(self, method: str, path: str, content: bytes | None = None) -> bytes:
        # The URL is that of the server that was started here.
        headers = {"Content-Type": "text/plain"}
        request = Request(self.url + path, data=content, method=method, headers=headers)  # noqa: S310
        with urlopen(request) as answer:  # noqa: S310 - as above
            body: bytes = answer.read()
        return body


def _listening(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until it says where it listens."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := _LISTENS.search(log.read_bytes())) is None:
        assert process.poll() is None, log.read_bytes()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found[1].decode()


@contextmanager
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStoreServer]:
    """Give a server, which this process's environment leads to; without its parts, skip."""
    pytest.importorskip("obstore")
    pytest.importorskip("moto")
    with (
        NamedTemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        try:
            server = ObjectStoreServer(_listening(process, Path(log.name)), process)
            monkeypatch.delenv("AWS_PROFILE", raising=False)
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
            yield server
        finally:
            process.kill()
