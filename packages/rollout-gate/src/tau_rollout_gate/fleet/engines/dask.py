"""The engine for large fleets: a Dask cluster that exists already (the extra `[dask]`).

Dask executes code for whoever reaches its scheduler, so one that is not of this machine is spoken
to by TLS alone. What comes back is believed no more than a file is: it is parsed as strict JSON.
"""

import ipaddress
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from tau_rollout_gate.errors import EngineError, RefusedError
from tau_rollout_gate.fleet.chunk import Job
from tau_rollout_gate.fleet.engines.worker import judge_chunk
from tau_rollout_gate.fleet.plan import Host

WORKERS_SECONDS = 30.0
"""How long the scheduler and a first worker are waited for."""

DEADLINE_SECONDS = 1800.0
"""How long all chunks may take."""

_AHEAD = 4
"""How many chunks are with the cluster for each of its threads: none waits for the network."""


def run(  # noqa: PLR0913 - what to judge, where, and for how long
    job: Job,
    chunks: Mapping[int, Sequence[Host]],
    *,
    address: str,
    is_insecure: bool = False,
    workers_seconds: float = WORKERS_SECONDS,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Iterator[tuple[int, object]]:
    """Yield what comes back for each chunk, as it does; those of a killed worker are done again.

    Args:
        job: What is asked.
        chunks: The hosts of each chunk, by its index.
        address: The scheduler's: `tls://host:port`, or `tcp://` on this machine.
        is_insecure: Whether `tcp://` may lead elsewhere.
        workers_seconds: How long a scheduler and a first worker are waited for.
        deadline_seconds: How long all chunks may take.

    Raises:
        RefusedError: if the address is none, or not safe.
        EngineError: if there is no scheduler or no worker, they take too long, or a chunk cannot be
            judged.
    """
    refuse_unsafe(address, is_insecure=is_insecure)
    try:
        import distributed  # noqa: PLC0415 - half a second, for who asks for it
    except ImportError:
        raise EngineError(
            f"dask={address}: needs the library distributed: pip install 'tau-rollout-gate[dask]'"
        ) from None
    except (OSError, ValueError) as error:
        raise EngineError(f"dask={address}: its configuration: {error}") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it tells, errors tell
    until = time.monotonic() + deadline_seconds
    try:
        opened: Any = distributed.Client
        client = opened(address, timeout=workers_seconds)
    except TypeError:  # it was given no context of TLS
        raise EngineError(
            f"dask={address}: no certificates are configured for TLS (distributed.comm.tls)"
        ) from None
    except (OSError, TimeoutError, ValueError) as error:
        raise EngineError(f"dask={address}: no scheduler answers there: {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=workers_seconds)
        except TimeoutError:
            raise EngineError(
                f"dask={address}: no worker came within {workers_seconds:g} s"
            ) from None
        yield from _run(client, distributed, job, chunks, until)


def _run(
    client: Any,  # noqa: ANN401 - of a library that is imported late
    distributed: Any,  # noqa: ANN401 - as above
    job: Job,
    chunks: Mapping[int, Sequence[Host]],
    until: float,
) -> Iterator[tuple[int, object]]:
    left = iter(list(chunks.items()))
    ahead = max(sum(client.nthreads().values()), 1) * _AHEAD
    running: dict[Any, int] = {}
    while True:
        for index, hosts in islice(left, ahead - len(running)):
            running[client.submit(judge_chunk, job, index, hosts, pure=False)] = index
        if not running:
            return
        try:
            done, _ = distributed.wait(
                list(running),
                timeout=max(until - time.monotonic(), 0.001),
                return_when="FIRST_COMPLETED",
            )
        except TimeoutError:
            index = min(running.values())
            raise EngineError(f"chunk {index}: the cluster did not judge it in time") from None
        for future in done:
            index = running.pop(future)
            yield index, _result(future, index, chunks[index])


def _result(future: Any, index: int, hosts: Sequence[Host]) -> object:  # noqa: ANN401 - as above
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - whatever a worker raised, or the scheduler of it
        what = f"chunk {index} ({hosts[0].name} to {hosts[-1].name})"
        words = str(error).partition("\n")[0][:300]
        raise EngineError(f"{what}: {type(error).__name__}: {words}") from None


def refuse_unsafe(address: str, *, is_insecure: bool) -> None:
    """Pass for the address of a scheduler that may be spoken to.

    Raises:
        RefusedError: for any other.
    """
    try:
        parts = urlsplit(address)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if not host or not port or scheme not in {"tcp", "tls"}:
        raise RefusedError(f"--engine dask={address}: write tls://HOST:PORT, or tcp://HOST:PORT")
    if scheme == "tcp" and not is_insecure and not _is_loopback(host):
        raise RefusedError(
            f"--engine dask={address}: whoever reaches it on the way can have the workers execute "
            "anything: use tls://, or pass --insecure if that is meant"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
