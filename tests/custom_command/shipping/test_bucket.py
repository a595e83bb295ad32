"""An object store's answers are told apart: missing, refused, busy, gone."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tau_custom_command.shipping.bucket import TRIES, Bucket
from tau_custom_command.shipping.bucket_errors import (
    BucketError,
    NotThereError,
    TooLargeError,
    reason_of,
)
from tests.object_store import ObjectStoreServer, object_store

pytest.importorskip("obstore")
MOST = 1000


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStoreServer]:
    """Give a server with a bucket."""
    with pytest.MonkeyPatch.context() as patch, object_store(patch) as found:
        found.make_bucket("fleet")
        yield found


@pytest.fixture
def bucket(server: ObjectStoreServer) -> Bucket:
    """Give a prefix of the bucket."""
    assert server.url
    return Bucket("s3://fleet/edge", extra="x[y]", sleep=lambda _: None)


class _Answers(BaseHTTPRequestHandler):
    """Answers as the test says, and says nothing of it on stderr."""

    answers: list[int]
    asked: list[str]

    def do_GET(self) -> None:
        """Answer with the next status."""
        self.asked.append(self.path)
        status = self.answers.pop(0) if self.answers else 200
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as of the one that is replaced
        """Say nothing."""


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Answers]]:
    """Give what answers with the statuses that the test puts there; then with 200."""

    class Handler(_Answers):
        answers: list[int] = []  # noqa: RUF012 - one class a test
        asked: list[str] = []  # noqa: RUF012 - as above

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        yield Handler
        server.shutdown()


def test_what_is_written_is_read(bucket: Bucket) -> None:
    """As a whole, or from an offset on; nothing is behind the end."""
    assert bucket.put("a/state.json", b"0123456789")
    assert bucket.get("a/state.json", most_bytes=MOST) == b"0123456789"
    assert bucket.get("a/state.json", 7, most_bytes=3) == b"789"
    assert bucket.get("a/state.json", 10, most_bytes=MOST) == b""
    assert bucket.get("a/state.json", 11, most_bytes=MOST) == b""
    with pytest.raises(TooLargeError, match="more than 9 bytes"):
        bucket.get("a/state.json", most_bytes=9)


def test_a_key_that_is_missing_is_told_apart(bucket: Bucket, server: ObjectStoreServer) -> None:
    """From a bucket that is missing, whose answer has the same status."""
    assert bucket.get("none/state.json", most_bytes=MOST) is None
    assert server.url
    gone = Bucket("s3://nowhere/edge", extra="x[y]")
    with pytest.raises(BucketError, match=r"state\.json: 404 Not Found: NoSuchBucket: "):
        gone.get("a/state.json", most_bytes=MOST)
    with pytest.raises(BucketError, match="NoSuchBucket"):
        gone.put("a/state.json", b"")


def test_what_is_there_can_be_left(bucket: Bucket) -> None:
    """A lock is taken by one; who took it is told so a second time, as after a lost answer."""
    assert bucket.put("lock", b"one", only_if_absent=True)
    assert not bucket.put("lock", b"two", only_if_absent=True)
    assert bucket.put("lock", b"one", only_if_absent=True)
    assert bucket.get("lock", most_bytes=MOST) == b"one"


def test_a_key_that_leads_elsewhere_is_refused(bucket: Bucket) -> None:
    """The library takes none with dots for parts."""
    for key in ("a/../b", "..", "a//b", "a/\x01"):
        with pytest.raises(BucketError):
            bucket.get(key, most_bytes=MOST)


def test_a_busy_store_is_asked_again_by_fewer(answering: type[_Answers]) -> None:
    """Each time that it says so half as many requests are made at once; and then more again."""
    waits: list[float] = []
    found = Bucket("s3://fleet/edge", extra="x[y]", sleep=waits.append)
    answering.answers[:] = [503, 429, 500]
    assert found.get("a", most_bytes=MOST) == b"ok"
    assert len(waits) == 3
    assert waits[0] < waits[1] < waits[2]
    assert len(answering.asked) == 4
    turns = found._turns  # noqa: SLF001 - what it does takes many threads to see
    assert 8 < turns._wide < 9  # noqa: SLF001 - as above
    for _ in range(600):
        turns.widen()
    assert turns._wide == 32  # noqa: SLF001 - as above
    for _ in range(9):
        turns.narrow()
    assert turns._wide == 1  # noqa: SLF001 - as above


def test_the_first_request_that_is_exhausted_ends_all(answering: type[_Answers]) -> None:
    """Who asks for ten thousand hosts does not wait for each in vain."""
    found = Bucket("s3://fleet/edge", extra="x[y]", sleep=lambda _: None)
    answering.answers[:] = [503] * TRIES
    with pytest.raises(BucketError, match=rf"503 Service Unavailable \({TRIES} tries\)"):
        found.get("a", most_bytes=MOST)
    with pytest.raises(BucketError, match=r"edge/a: 503"):
        found.get("b", most_bytes=MOST)
    assert len(answering.asked) == TRIES


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_is_refused_is_not_asked_again(answering: type[_Answers], status: int) -> None:
    """And a 404 that does not say that the key is missing is no answer to whether it is."""
    found = Bucket("s3://fleet/edge", extra="x[y]", sleep=lambda _: None)
    answering.answers[:] = [status]
    with pytest.raises(BucketError, match=str(status)):
        found.get("a", most_bytes=MOST)
    assert len(answering.asked) == 1


def test_no_more_requests_are_made_at_once_than_that(bucket: Bucket) -> None:
    """The next ones wait for their turn."""
    bucket._turns._wide = 2  # noqa: SLF001 - as after a busy store
    bucket._turns._most = 2  # noqa: SLF001 - as above
    now, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=20)

    def request(_: object) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        both.wait()
        with lock:
            now -= 1

    threads = [threading.Thread(target=bucket.tried, args=("a", request)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_a_server_that_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is told, not that the key is missing."""
    with object_store(monkeypatch) as server:
        server.make_bucket("fleet")
        found = Bucket("s3://fleet/edge", extra="x[y]", sleep=lambda _: None)
        found.put("a", b"1")
        server.kill()
        with pytest.raises(BucketError, match=r"s3://fleet/edge/a: nobody answers there"):
            found.get("a", most_bytes=MOST)


def test_wrong_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's own words are told."""
    with object_store(monkeypatch) as server:
        server.make_bucket("fleet")
        server.check_credentials(after=0)
        found = Bucket("s3://fleet/edge", extra="x[y]")
        for ask in (
            lambda: found.get("a", most_bytes=MOST),
            lambda: found.put("a", b""),
        ):
            with pytest.raises(BucketError, match="403 Forbidden: InvalidAccessKeyId"):
                ask()


def test_plain_http_is_refused_without_a_word_for_it(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the word for it is told."""
    assert bucket.url == "s3://fleet/edge"
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(BucketError, match="AWS_ALLOW_HTTP=true"):
        Bucket("s3://fleet/edge", extra="x[y]").get("a", most_bytes=MOST)


def test_a_profile_that_nobody_resolves_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would go past it and take other credentials."""
    monkeypatch.setenv("AWS_PROFILE", "ops")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BucketError, match=r"AWS_PROFILE is set to 'ops', which obstore does not"):
        Bucket("s3://fleet/edge", extra="x[y]")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "edge")
    assert Bucket("az://fleet/edge", extra="x[y]").url  # no profile of AWS is of that


def test_a_profile_that_is_resolved_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: ObjectStoreServer
) -> None:
    """Where boto3 is installed it gives the credentials."""
    pytest.importorskip("boto3")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    credentials = tmp_path / "credentials"
    credentials.write_text("[ops]\naws_access_key_id = a\naws_secret_access_key = b\n[empty]\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_PROFILE", "ops")
    assert Bucket("s3://fleet/edge", extra="x[y]").get("none", most_bytes=MOST) is None
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(BucketError, match=r"AWS_PROFILE is set to 'other': .*could not be found"):
        Bucket("s3://fleet/edge", extra="x[y]")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "empty")
    with pytest.raises(BucketError, match="'empty', which has no credentials"):
        Bucket("s3://fleet/edge", extra="x[y]")


def test_a_url_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as the library tells it, on one line."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with pytest.raises(BucketError, match="unknown://x/y: "):
        Bucket("unknown://x/y", extra="x[y]")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(BucketError, match=r"pip install 'x\[y\]'"):
        Bucket("s3://fleet/edge", extra="x[y]")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Generic S3 error: a\n  b\n\nDebug source:\nHttp", "Generic S3 error: a b"),
        (
            "Error performing PUT http://169.254.169.254/latest/api/token - HTTP error",
            "no credentials were found in the environment, and no machine that gives any",
        ),
        ("x - HTTP error\n\nDebug source:\n kind: Timeout,", "no answer within 20 s"),
        ("x - HTTP error\n\nDebug source:\n kind: Decode,", "x - HTTP error"),
        (
            'status code: 404 Not Found: {"error": {"code": "BlobNotFound"}}',
            "404 Not Found: BlobNotFound",
        ),
    ],
)
def test_what_the_library_says_is_told_in_short(said: str, text: str) -> None:
    """Without what it says to programmers."""
    assert reason_of(said).text == text


def test_what_other_stores_say_of_a_missing_key(bucket: Bucket) -> None:
    """Azure's word for it counts, too."""

    def request(_: object) -> None:
        raise FileNotFoundError("status code: 404 Not Found: <Code>BlobNotFound</Code>")

    with pytest.raises(NotThereError):
        bucket.tried("a", request)
