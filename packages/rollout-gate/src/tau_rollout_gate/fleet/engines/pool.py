"""The default engine: processes of this machine, which are spawned.

What breaks a worker may be of that one moment, as where memory ran out: the chunks that are missing
are judged once more, by new ones.
"""

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import wait as wait_for

from tau_rollout_gate.errors import EngineError
from tau_rollout_gate.files.signals import signals_held
from tau_rollout_gate.fleet.chunk import Job
from tau_rollout_gate.fleet.engines.worker import judge_chunk
from tau_rollout_gate.fleet.plan import Host

_AHEAD = 2
"""How many chunks a worker has, with the one that it judges: each holds memory."""


def run(
    job: Job, chunks: Mapping[int, Sequence[Host]], *, workers: int | None = None
) -> Iterator[tuple[int, object]]:
    """Yield what comes back for each chunk, as it does.

    Args:
        job: What is asked.
        chunks: The hosts of each chunk, by its index.
        workers: How many processes; None for one a processor. One is this process itself.

    Raises:
        EngineError: if workers break twice; the text names a chunk that is missing.
    """
    count = min(workers or len(os.sched_getaffinity(0)), len(chunks))
    if count <= 1:
        for index, hosts in chunks.items():
            yield index, judge_chunk(job, index, hosts)
            gc.collect()  # which the command line has switched off: a chunk leaves 30 MB
        return
    missing = dict(chunks)
    for is_last in (False, True):
        try:
            for index, raw in _run(job, missing, count):
                yield index, raw
                del missing[index]
        except BrokenProcessPool:
            if is_last:
                index, hosts = next(iter(missing.items()))
                raise EngineError(
                    f"chunk {index} ({hosts[0].name} to {hosts[-1].name}): the process that judged "
                    "it ended, twice: was it killed, or is there too little memory? "
                    "'--engine pool=1' judges in this process"
                ) from None
        else:
            return


def _run(
    job: Job, chunks: Mapping[int, Sequence[Host]], workers: int
) -> Iterator[tuple[int, object]]:
    # A worker begins with its parent's signals held: those of a terminal go to all that it started,
    # and would end a worker with a traceback, or what the pool needs for its ending.
    with signals_held():
        resource_tracker.ensure_running()  # after which it lets go of some
    with signals_held():
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(job,),
        )
    try:
        left = iter(list(chunks.items()))
        running: dict[Future[bytes], int] = {}
        while True:
            with signals_held():  # a worker that the pool does not know of yet would be waited for
                for index, hosts in islice(left, workers * _AHEAD - len(running)):
                    running[pool.submit(_judge, index, hosts)] = index
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    finally:
        for process in list((pool._processes or {}).values()):  # noqa: SLF001 - it has no way to
            process.kill()  # end work that nobody waits for any more
        pool.shutdown(cancel_futures=True)


_job: Job | None = None


def _begin(job: Job) -> None:
    """Begin a worker: it has the job once, and ends with the process that made it."""
    global _job  # noqa: PLW0603 - what an initializer of a pool is for
    _job = job
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # no terminal's: it is this one's
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _judge(index: int, hosts: Sequence[Host]) -> bytes:
    assert _job is not None  # noqa: S101 - the initializer ran
    return judge_chunk(_job, index, hosts)
