"""The engines: the same bytes from each, and what does not come back as it should is refused."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tau_rollout_gate import __version__
from tau_rollout_gate.errors import ChunkRefusedError, EngineError, RefusedError, StoreError
from tau_rollout_gate.files.stores.interface import SENTINEL_FILE
from tau_rollout_gate.fleet.chunk import Job, Wanted, read_chunk, refusal
from tau_rollout_gate.fleet.engines import dask, pool
from tau_rollout_gate.fleet.engines.worker import judge_chunk
from tau_rollout_gate.fleet.plan import Host, chunk_of
from tests.rollout_gate.files.stores.shipping import SENTINEL, write_sentinel
from tests.rollout_gate.fleet.fleets import plan_of, record_of
from tests.rollout_gate.making import ENTERED, MINUTE, SURFACE, History, failed, pin, rollout

COUNT, CHUNK = 24, 4
PATIENCE_SECONDS = 60.0


class Asked:
    """A job over made hosts in chunks of four, and its hosts."""

    def __init__(self, folder: Path, wanted: Wanted = Wanted.COUNTS) -> None:
        root = write_sentinel(folder / "srv")
        template = f"{root}/{{host}}/{SURFACE}"
        names = [f"h{number:02d}" for number in range(COUNT)]
        self.hosts = tuple(self._host(root, name) for name in names)
        plan = plan_of(
            self.hosts,
            version=__version__,
            chunk_hosts=CHUNK,
            now_unix_ms=ENTERED + 20 * MINUTE,
            rollout=rollout(surfaces=(pin(state_dir=template),)),
        )
        self.job = Job(plan, template, SENTINEL.id, wanted, {"default": "f" * 64})

    @staticmethod
    def _host(root: Path, name: str) -> Host:
        place = root / name / SURFACE
        log = History().every(5 * MINUTE, 3, release="1.4.0")
        log.add(
            ENTERED + 20 * MINUTE,
            release="1.4.0",
            **(failed(streak=1) if name.endswith("7") else {}),
        )
        if not name.endswith("9"):
            log.write(place)
        return Host(
            name, "default", record=record_of(rollout(surfaces=(pin(state_dir=str(place)),)))
        )

    @property
    def chunks(self) -> dict[int, Sequence[Host]]:
        """Return the hosts of each chunk."""
        plan = self.job.plan
        return {index: chunk_of(plan, self.hosts, index) for index in range(plan.chunks)}


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """Return a job."""
    return Asked(tmp_path)


def test_processes_give_the_same_bytes(asked: Asked) -> None:
    """As this process alone, whatever is asked."""
    for wanted in Wanted:
        job = asked.job._replace(wanted=wanted)
        alone = dict(pool.run(job, asked.chunks, workers=1))
        assert dict(pool.run(job, asked.chunks, workers=2)) == alone
        found = [read_chunk(job, asked.hosts, index, raw) for index, raw in alone.items()]
        assert sum(len(one.rows) for one in found) == (COUNT if wanted is Wanted.ROWS else 0)


def test_a_killed_process_is_replaced_once(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its chunks are judged by new ones; where these break too, a missing chunk is named."""
    alone = dict(pool.run(asked.job, asked.chunks, workers=1))
    began: list[int] = []

    def breaks(times: int) -> Iterator[tuple[int, object]]:
        for index, raw in pool.run(asked.job, asked.chunks, workers=2):
            if len(began) < times:
                began.append(index)
                for process in Path("/proc").glob("[0-9]*/stat"):
                    _kill_child(process)
            yield index, raw

    assert dict(breaks(1)) == alone
    began.clear()
    monkeypatch.setattr(pool, "_judge", _die)
    with pytest.raises(EngineError, match=r"chunk 0 \(h00 to h03\).*twice"):
        list(pool.run(asked.job, asked.chunks, workers=2))


def _die(_index: int, _hosts: Sequence[Host]) -> bytes:
    os._exit(9)


def _kill_child(status: Path) -> None:
    """Kill a process that this one has spawned as a worker."""
    try:
        parent = int(status.read_text().rpartition(")")[2].split()[1])
        words = (status.parent / "cmdline").read_bytes()
    except (OSError, IndexError):
        return
    if parent == os.getpid() and b"spawn_main" in words:
        os.kill(int(status.parent.name), signal.SIGKILL)


def test_what_is_not_believed(asked: Asked) -> None:
    """Garbage, bytes of another chunk, version or hosts, and no bytes: each by its chunk."""
    good = judge_chunk(asked.job, 1, asked.chunks[1])
    strangers = [host._replace(name=f"x{host.name}") for host in asked.chunks[1]]
    cases: Mapping[str, object] = {
        "no bytes, but str": "{}",
        "chunk 1": b"\x80\x04garbage",
        "is chunk 2": judge_chunk(asked.job, 2, asked.chunks[1]),
        "is of other hosts": judge_chunk(asked.job, 1, strangers),
        "lines more": good + b"\n[]",
    }
    for words, raw in cases.items():
        with pytest.raises(ChunkRefusedError, match=re.escape(words)) as caught:
            read_chunk(asked.job, asked.hosts, 1, raw)
        assert "chunk 1 (h04 to h07)" in str(caught.value)
    for wanted in (Wanted.ROWS, Wanted.LOOK):
        job = asked.job._replace(wanted=wanted)
        raw = judge_chunk(job, 1, asked.chunks[1])
        assert read_chunk(job, asked.hosts, 1, raw).number == 1
        first, _, _ = raw.partition(b"\n")
        for line in (b"[]", b"{", b'[{"host":1}]'):
            with pytest.raises(ChunkRefusedError, match=r"chunk 1 \(h04 to h07\)"):
                read_chunk(job, asked.hosts, 1, first + b"\n" + line)
    assert read_chunk(asked.job, asked.hosts, 1, good).partial.chunks[0].index == 1


def test_a_worker_that_cannot_judge_says_so(asked: Asked) -> None:
    """Of another version, without the store, or with another one; never that hosts are silent."""
    job, hosts = asked.job, asked.chunks[0]
    newer = job._replace(plan=job.plan._replace(version="9.9.9"))
    elsewhere = job._replace(store="/nowhere/{host}/x")
    another = job._replace(store_id="f" * 32)
    for told, words in (
        (newer, f"the worker has version {__version__}, and this is 9.9.9"),
        (elsewhere, f"{SENTINEL_FILE} is not there"),
        (another, "is another store than at the start"),
    ):
        with pytest.raises(StoreError, match=re.escape(words)):
            read_chunk(told, asked.hosts, 0, judge_chunk(told, 0, hosts))
    with pytest.raises(StoreError, match="strange words"):
        read_chunk(job, asked.hosts, 0, refusal("strange words"))
    with pytest.raises(StoreError, match="chunk 0"):
        read_chunk(job, asked.hosts, 0, b'{"refused":')


@pytest.mark.parametrize(
    ("address", "is_insecure", "is_safe"),
    [
        ("tcp://127.0.0.1:8786", False, True),
        ("tcp://[::1]:8786", False, True),
        ("tcp://localhost:8786", False, True),
        ("tls://scheduler.example:8786", False, True),
        ("tcp://scheduler.example:8786", True, True),
        ("tcp://scheduler.example:8786", False, False),
        ("tcp://192.0.2.1:8786", False, False),
        ("tcp://127.0.0.1", True, False),
        ("tcp://127.0.0.1:99999", True, False),
        ("ucx://127.0.0.1:8786", True, False),
        ("127.0.0.1:8786", True, False),
        ("", True, False),
    ],
)
def test_which_schedulers_are_spoken_to(address: str, *, is_insecure: bool, is_safe: bool) -> None:
    """By TLS, or on this machine, or as somebody insists."""
    if is_safe:
        dask.refuse_unsafe(address, is_insecure=is_insecure)
        return
    with pytest.raises(RefusedError, match="--engine dask="):
        dask.refuse_unsafe(address, is_insecure=is_insecure)


@contextmanager
def program(log: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Give a program of Dask that runs, killed at the end."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Give the address of a scheduler on loopback."""
    pytest.importorskip("distributed")
    log = tmp_path / "scheduler.log"
    words = ("dask_scheduler", "--host", "tcp://127.0.0.1", "--port", "0", "--no-dashboard")
    with program(log, *words, "--no-show"):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := re.search(rb"tcp://127\.0\.0\.1:\d+", log.read_bytes())) is None:
            assert time.monotonic() < deadline, log.read_bytes()
            time.sleep(0.05)
        yield found[0].decode()


def worker(
    folder: Path, scheduler: str, name: str
) -> "AbstractContextManager[subprocess.Popen[bytes]]":
    """Give a worker, of one process without a nanny, which would start it anew."""
    words = ("dask_worker", scheduler, "--no-nanny", "--no-dashboard", "--nthreads", "1")
    local = ("--local-directory", str(folder), "--name", name, "--host", "127.0.0.1")
    return program(folder / f"{name}.log", *words, *local)


@pytest.mark.unmeasured
def test_a_cluster_gives_the_same_bytes_also_where_a_worker_is_killed(
    asked: Asked, tmp_path: Path, scheduler: str
) -> None:
    """Killed in the middle, what it had is judged by the other one."""
    alone = dict(pool.run(asked.job, asked.chunks, workers=1))
    with worker(tmp_path, scheduler, "a") as one, worker(tmp_path, scheduler, "b"):
        assert dict(dask.run(asked.job, asked.chunks, address=scheduler)) == alone
        came = dict[int, object]()
        for index, raw in dask.run(asked.job, asked.chunks, address=scheduler):
            if not came:
                one.send_signal(signal.SIGKILL)
            came[index] = raw
        assert came == alone
        with pytest.raises(EngineError, match="did not judge it in time"):
            list(dask.run(asked.job, asked.chunks, address=scheduler, deadline_seconds=0))


@pytest.mark.unmeasured
def test_a_cluster_without_workers_and_none_at_all(asked: Asked, scheduler: str) -> None:
    """Neither is waited for for ever."""
    with pytest.raises(EngineError, match="no worker came within"):
        list(dask.run(asked.job, asked.chunks, address=scheduler, workers_seconds=0.5))
    with pytest.raises(EngineError, match="no scheduler answers there"):
        list(dask.run(asked.job, asked.chunks, address="tcp://127.0.0.1:9", workers_seconds=0.5))


def test_the_library_of_the_cluster_is_an_extra(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is missing, the message says what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EngineError, match=r"pip install 'tau-rollout-gate\[dask\]'"):
        list(dask.run(asked.job, asked.chunks, address="tcp://127.0.0.1:9"))
