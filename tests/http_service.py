"""A small HTTP service on loopback, as the smoke tests of the fixtures and documents expect one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STATED = "127.0.0.1:8080"
"""Where the fixture and the documents say that the service listens."""


class _Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing of it on stderr."""

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as of the one that is replaced
        """Say nothing."""


def write_site(folder: Path, version: str) -> None:
    """Write the pages of a shop of this version."""
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text("<title>Shop</title>\n")
    (folder / "health.json").write_text(f'{{"status": "ok", "version": "{version}"}}\n')


class Service:
    """The service: where it listens, from the beginning, and when it answers."""

    def __init__(self, site: Path) -> None:
        # A port that is taken and not listened on refuses connections, as a service does that is
        # still to be started.
        handler = partial(_Quiet, directory=site)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Answer from now on."""
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; the port is given back."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()


@contextmanager
def service(site: Path) -> Iterator[Service]:
    """Give a service that was not started yet, and is stopped in the end."""
    served = Service(site)
    try:
        yield served
    finally:
        served.stop()
