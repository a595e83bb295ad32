"""A store tells what is missing from what it cannot answer; a tree and an object store alike."""

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

from tau_rollout_gate.contract.store.sentinel import Sentinel
from tau_rollout_gate.errors import FormRefusedError, StoreError, TooLargeError
from tau_rollout_gate.files.stores import local as local_module
from tau_rollout_gate.files.stores.interface import LARGEST_OBJECT_BYTES, SENTINEL_FILE, Store
from tau_rollout_gate.files.stores.local import LocalStore, is_temporary
from tau_rollout_gate.files.stores.opening import key_in, open_store, root_of
from tests.object_store import ObjectStoreServer, object_store
from tests.rollout_gate.files.stores.shipping import SENTINEL, write_sentinel

S3 = "s3://fleet/edge/{host}/{surface}/"


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStoreServer]:
    """Give a server with a bucket."""
    with pytest.MonkeyPatch.context() as patch, object_store(patch) as found:
        found.make_bucket("fleet")
        yield found


@pytest.fixture
def tree(tmp_path: Path) -> LocalStore:
    """Give a tree with a sentinel."""
    return LocalStore(str(write_sentinel(tmp_path / "fleet")), sleep=lambda _: None)


@pytest.fixture(params=["tree", "objects"])
def store(request: pytest.FixtureRequest) -> Store:
    """Give a store of each kind."""
    if request.param == "tree":
        found: Store = request.getfixturevalue("tree")
        return found
    server: ObjectStoreServer = request.getfixturevalue("server")
    for key in server.keys("fleet"):
        server.delete("fleet", key)
    server.write("fleet", f"edge/{SENTINEL_FILE}", SENTINEL.as_document())
    return open_store(S3)


def test_when_it_was_written_is_told_by_the_clock_of_the_store(store: Store) -> None:
    """To the second; of what is missing nothing is."""
    before = time.time() - 1
    assert store.put_if_absent("a/state.json", b"0123")
    written = store.written_unix_ms("a/state.json")
    assert written is not None
    assert before <= written / 1000 <= time.time() + 1
    assert store.written_unix_ms("a/none.json") is None
    assert store.written_unix_ms("b/none.json") is None


def test_what_is_written_is_read(store: Store) -> None:
    """From the beginning, from an offset, from behind the end; and what is missing is None."""
    assert store.put_if_absent("a/state.json", b"0123")
    assert store.get("a/state.json") == b"0123"
    assert store.get("a/state.json", 3) == b"3"
    assert store.get("a/state.json", 4) == b""
    assert store.get("a/state.json", 9) == b""
    assert store.get("a/none.json") is None
    assert store.get("a/state.json/none") is None
    assert store.get("b/state.json") is None


def test_one_takes_a_lock(store: Store) -> None:
    """Until it is deleted; to delete it twice is no error."""
    assert store.put_if_absent("_lock.json", b"one")
    assert not store.put_if_absent("_lock.json", b"two")
    assert store.get("_lock.json") == b"one"
    store.delete("_lock.json")
    store.delete("_lock.json")
    assert store.get("_lock.json") is None
    assert store.put_if_absent("_lock.json", b"two")


def test_many_want_a_lock_and_one_gets_it(store: Store) -> None:
    """Whoever is first."""
    won: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda name: won.append(store.put_if_absent("_lock.json", name)),
            args=(str(number).encode(),),
        )
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_the_keys_below_a_prefix(store: Store) -> None:
    """Sorted, and without what programs have yet to finish."""
    for key in ("b/state.json", "a/segments/1.jsonl", "a/state.json", "a/x.jsonl.tmp", "ab/z"):
        assert store.put_if_absent(key, b"")
    for key in ("a/.state.json.Xy12", "a/.rsync/state.json"):
        assert store.put_if_absent(key, b"")
    assert store.list("a") == ("a/segments/1.jsonl", "a/state.json")
    assert store.list("none") == ()
    assert SENTINEL_FILE in store.list("")


def test_the_sentinel_tells_which_store_it_is(store: Store) -> None:
    """Its name and its id."""
    assert store.sentinel() == SENTINEL
    store.delete(SENTINEL_FILE)
    with pytest.raises(StoreError, match=rf"{SENTINEL_FILE} is not there: is .* fleet init"):
        store.sentinel()
    store.put_if_absent(SENTINEL_FILE, b"{}")
    with pytest.raises(StoreError, match=rf"{SENTINEL_FILE}: schema_version: must be 1"):
        store.sentinel()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[]", "is not an object"),
        (b'{"schema_version": true}', "schema_version: must be 1"),
        (b'{"schema_version": 1, "name": ""}', "name: must be one line"),
        (b'{"schema_version": 1, "name": "a\\nb"}', "name: must be one line"),
        (b'{"schema_version": 1, "name": 1}', "name: must be one line"),
        (b'{"schema_version": 1, "name": "a", "id": "x"}', "id: must be 32 hex digits"),
        (b'{"schema_version": 1, "name": "a", "id": 1}', "id: must be 32 hex digits"),
        (b"{", "not JSON"),
    ],
)
def test_a_sentinel_that_is_none(content: bytes, told: str) -> None:
    """The field is told."""
    with pytest.raises(FormRefusedError, match=told):
        Sentinel.parse(content)
    assert Sentinel.parse(SENTINEL.as_document()) == SENTINEL


def test_an_object_that_is_too_large_is_not_read(tree: LocalStore) -> None:
    """It is the host's own fault, and told apart from trouble of the store."""
    path = tree.folder("a")
    path.mkdir()
    with (path / "state.json").open("wb") as file:
        file.truncate(LARGEST_OBJECT_BYTES + 1)
    with pytest.raises(TooLargeError, match="more than 33,554,432 bytes"):
        tree.get("a/state.json")
    assert tree.get("a/state.json", LARGEST_OBJECT_BYTES) == b"\0"


@pytest.mark.parametrize("key", ["", "..", "../x", "a/../b", "/a", "a//b", "./a", "a/", "a\0b"])
def test_a_key_that_leads_out_of_the_tree_is_refused(tree: LocalStore, key: str) -> None:
    """Whatever a host is called."""
    with pytest.raises(StoreError, match="is no key"):
        tree.get(key)


def test_a_tree_that_is_not_mounted_is_no_tree_of_silent_hosts(
    tree: LocalStore, tmp_path: Path
) -> None:
    """Where the sentinel is gone, what is missing tells nothing."""
    assert tree.get("a/state.json") is None
    (tmp_path / "fleet" / SENTINEL_FILE).unlink()
    with pytest.raises(StoreError, match="is it mounted"):
        tree.get("a/state.json")
    (tmp_path / "fleet").rmdir()
    with pytest.raises(StoreError, match="is it mounted"):
        tree.get("a/state.json")


def test_what_may_not_be_read_is_not_missing(tree: LocalStore) -> None:
    """A folder in its place, a pipe, a file of somebody else."""
    folder = tree.folder("a")
    (folder / "state.json").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"state\.json: cannot read: "):
        tree.get("a/state.json")
    os.mkfifo(folder / "pipe")
    with pytest.raises(StoreError, match="it is not a regular file"):
        tree.get("a/pipe")
    with pytest.raises(StoreError, match="cannot remove"):
        tree.delete("a/state.json")
    with pytest.raises(StoreError, match="cannot write"):
        tree.put_if_absent("a/pipe/x", b"")
    assert not [name for name in folder.iterdir() if name.name.startswith(".")]


def test_the_one_who_may_not_is_told(tree: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose the file is, and who asks."""
    tree.put_if_absent("a/state.json", b"1")

    def refuse(*_: Any, **__: Any) -> int:  # noqa: ANN401 - any of its arguments
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(local_module, "opened_file", refuse)
    with pytest.raises(StoreError, match=r"cannot read: Permission denied: it is .* and this runs"):
        tree.get("a/state.json")


@pytest.mark.parametrize("times", [1, 3, 4])
@pytest.mark.parametrize("how", ["stale", "cut"])
def test_a_file_that_is_another_one_once_it_is_open_is_read_again(
    tree: LocalStore, monkeypatch: pytest.MonkeyPatch, how: str, times: int
) -> None:
    """Three times; then it is an error, and not a host without files."""
    tree.put_if_absent("a/state.json", b"0123")
    left = times
    real = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal left
        left -= 1
        if left < 0:
            return real(descriptor, size, offset)
        if how == "stale":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(descriptor, size - 1, offset)

    monkeypatch.setattr(os, "pread", pread)
    if times < 4:
        assert tree.get("a/state.json") == b"0123"
        return
    told = os.strerror(errno.ESTALE) if how == "stale" else "it was cut while it was read"
    with pytest.raises(StoreError, match=told):
        tree.get("a/state.json")


def test_a_folder_that_cannot_be_listed_is_told(
    tree: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not an empty one."""

    def walk(*_: Any, onerror: Any, **__: Any) -> Iterator[Any]:  # noqa: ANN401 - as os.walk
        onerror(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        yield from ()

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(StoreError, match="cannot list"):
        tree.list("")


@pytest.mark.parametrize(
    ("name", "temporary"),
    [
        (".state.json.a8Fk2q", True),
        (".~tmp~", True),
        ("state.json~", True),
        ("state.json.tmp", True),
        ("state.json.PART", True),
        ("1.jsonl.filepart", True),
        ("state.json", False),
        ("1.jsonl", False),
        ("runtime-events.jsonl.12", False),
        ("_fleet.json", False),
    ],
)
def test_names_of_what_is_unfinished(name: str, temporary: bool) -> None:  # noqa: FBT001 - a case
    """As mirrors and editors have them."""
    assert is_temporary(name) is temporary


@pytest.mark.parametrize(
    ("template", "root"),
    [
        ("s3://bucket/fleet/{host}/{surface}/", "s3://bucket/fleet"),
        ("s3://bucket/x-{host}/y", "s3://bucket"),
        ("/srv/fleet/{host}", "/srv/fleet"),
        ("/{host}", "/"),
        ("{host}/a", "."),
        ("/srv/fleet", "/srv/fleet"),
    ],
)
def test_the_root_of_a_store(template: str, root: str) -> None:
    """What stands before the first part with a brace."""
    assert root_of(template) == root


def test_a_hosts_place_is_below_the_root(tmp_path: Path) -> None:
    """Whatever else is refused."""
    store = open_store(f"{tmp_path}/{{host}}/{{surface}}")
    assert store.root == f"{tmp_path}/"
    assert key_in(store, f"{tmp_path}/a/custom-command/") == "a/custom-command"
    assert key_in(store, f"file://{tmp_path}/a") == "a"
    for place in (f"{tmp_path}x/a", f"{tmp_path}/", f"{tmp_path}/a/../b", "s3://b/a", "ftp://a"):
        with pytest.raises(StoreError):
            key_in(store, place)
    with pytest.raises(StoreError, match="ftp:// is not known"):
        open_store("ftp://bucket/{host}")
    with pytest.raises(StoreError, match="the name of the bucket is the same"):
        open_store("s3://{host}/x")


def test_a_hosts_place_in_a_bucket(server: ObjectStoreServer) -> None:
    """The same."""
    assert server.url
    store = open_store(S3)
    assert store.root == "s3://fleet/edge/"
    assert key_in(store, "s3://fleet/edge/a/custom-command/") == "a/custom-command"
    for place in ("s3://fleet/edgex/a", "s3://other/edge/a", "s3://fleet/edge/"):
        with pytest.raises(StoreError):
            key_in(store, place)


def test_a_bucket_that_is_removed_is_no_bucket_of_silent_hosts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answer has the status of a missing key, and another word."""
    with object_store(monkeypatch) as server:
        server.make_bucket("fleet")
        server.write("fleet", f"edge/{SENTINEL_FILE}", SENTINEL.as_document())
        store = open_store(S3)
        assert store.sentinel() == SENTINEL
        assert store.get("a/state.json") is None
        server.remove_bucket("fleet")
        for ask in (
            store.sentinel,
            lambda: store.get("a/state.json"),
            lambda: store.list("a"),
            lambda: store.put_if_absent("a/x", b""),
            lambda: store.delete("a/x"),
        ):
            with pytest.raises(StoreError, match="NoSuchBucket"):
                ask()


def test_a_server_that_is_killed_and_wrong_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is told."""
    with object_store(monkeypatch) as server:
        server.make_bucket("fleet")
        server.check_credentials(after=0)
        with pytest.raises(StoreError, match="403 Forbidden: InvalidAccessKeyId"):
            open_store(S3).get("a/state.json")
        server.kill()
        monkeypatch.setattr("time.sleep", lambda _: None)
        from tau_rollout_gate.files.stores.objects import ObjectStore  # noqa: PLC0415 - obstore

        with pytest.raises(StoreError, match="nobody answers there"):
            ObjectStore("s3://fleet/edge", sleep=lambda _: None).sentinel()


class _NoRightToList(BaseHTTPRequestHandler):
    """Answers as S3 does whom it does not let list: 403 for what is missing."""

    def do_GET(self) -> None:
        """Refuse."""
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as of the one that is replaced
        """Say nothing."""


def test_a_reader_who_may_not_list_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a key that cannot be there: else a silent host could not be told from a secret one."""
    pytest.importorskip("obstore")
    with ThreadingHTTPServer(("127.0.0.1", 0), _NoRightToList) as server:
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
        with pytest.raises(StoreError, match=r"403 Forbidden.*the reader needs the right to list"):
            open_store(S3).sentinel()
        server.shutdown()


@pytest.mark.parametrize("extra", ["s3", "gcs", "azure"])
def test_each_extra_brings_the_library(extra: str) -> None:
    """The message that names an extra names one that there is."""
    needed = requires("tau-rollout-gate") or []
    assert any(
        one.startswith("obstore") and one.endswith((f"'{extra}'", f'"{extra}"')) for one in needed
    )


@pytest.mark.parametrize(("scheme", "extra"), [("s3", "s3"), ("gs", "gcs"), ("az", "azure")])
def test_without_the_library_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, scheme: str, extra: str
) -> None:
    """What to install."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(StoreError, match=rf"pip install 'tau-rollout-gate\[{extra}\]'"):
        open_store(f"{scheme}://fleet/{{host}}")


def test_the_other_object_stores_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of them; credentials come from the environment."""
    pytest.importorskip("obstore")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "edge")
    for url in ("az://fleet/edge/{host}", "gs://fleet/edge/{host}"):
        assert open_store(url).root == url.removesuffix("{host}")
