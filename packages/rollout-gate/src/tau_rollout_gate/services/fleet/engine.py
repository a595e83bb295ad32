"""Has the chunks of a fleet judged by the engine that was asked for, and reads what comes back."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.fleet.chunk import ChunkResult, Job, read_chunk
from tau_rollout_gate.fleet.plan import Host, chunk_of

_POOL = re.compile(r"pool(?:=([1-9][0-9]{0,3}))?")
_DASK = "dask="


def results(
    job: Job,
    hosts: Sequence[Host],
    engine: str,
    *,
    is_insecure: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[ChunkResult]:
    """Yield what each chunk comes to, as it comes back.

    Args:
        job: What is asked.
        hosts: All hosts, sorted by name.
        engine: `pool`, `pool=N`, or `dask=ADDRESS`.
        is_insecure: Whether a scheduler elsewhere may be spoken to without TLS.
        progress: Is told how many chunks are done, and how many there are.

    Raises:
        RolloutGateError: if the engine is none, or a chunk cannot be judged or is not believed.
    """
    chunks = {index: chunk_of(job.plan, hosts, index) for index in range(job.plan.chunks)}
    for done, (index, raw) in enumerate(
        _run(job, chunks, engine, is_insecure=is_insecure), start=1
    ):
        yield read_chunk(job, hosts, index, raw)
        if progress is not None:
            progress(done, len(chunks))


def check_engine(engine: str, *, is_insecure: bool) -> None:
    """Pass for an engine that can be asked for.

    Raises:
        RefusedError: for any other.
    """
    if engine.startswith(_DASK):
        from tau_rollout_gate.fleet.engines import dask  # noqa: PLC0415 - as below

        dask.refuse_unsafe(engine.removeprefix(_DASK), is_insecure=is_insecure)
    elif not _POOL.fullmatch(engine):
        raise RefusedError(f"--engine: {engine!r}: write pool, pool=N or dask=ADDRESS")


def _run(
    job: Job, chunks: Mapping[int, Sequence[Host]], engine: str, *, is_insecure: bool
) -> Iterator[tuple[int, object]]:
    check_engine(engine, is_insecure=is_insecure)
    # Each imports what it needs alone: a pool's is a tenth of a second, Dask's half of one.
    if engine.startswith(_DASK):
        from tau_rollout_gate.fleet.engines import dask  # noqa: PLC0415

        address = engine.removeprefix(_DASK)
        yield from dask.run(job, chunks, address=address, is_insecure=is_insecure)
        return
    from tau_rollout_gate.fleet.engines import pool  # noqa: PLC0415

    found = _POOL.fullmatch(engine)
    workers = None if found is None or found[1] is None else int(found[1])
    yield from pool.run(job, chunks, workers=workers)
