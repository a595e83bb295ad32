"""How tests start the inspector: as a process, like anyone else; never with a traceback."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from tests import forking
from tests.transport_health.state_files import NOW_UNIX_MS, StateDirectory

COMMAND = Path(sys.executable).parent / "tau-transport-health"
PATIENCE_SECONDS = 60.0
"""How long a test waits for a process before it gives up."""

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For tests of generated input: a loaded machine draws and answers slowly, which is no fault."""

HARMLESS_CONTROLS = {"\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a process ended, and what it said where."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """Return stdout as JSON, which must be all of it."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Inspector:
    """The installed `tau-transport-health`, as a process in a folder."""

    folder: Path

    def __call__(
        self,
        *arguments: str | bytes | Path,
        env: Mapping[str, str] | None = None,
        now_unix_ms: int | None = NOW_UNIX_MS,
    ) -> Finished:
        """Run the command to its end; at the time that the built files were written."""
        done = forking.run(
            COMMAND,
            *arguments,
            cwd=self.folder,
            env=environment(env, now_unix_ms=now_unix_ms),
            timeout=PATIENCE_SECONDS,
        )
        err = done.stderr.decode()
        assert "Traceback" not in err, err[-2000:]
        assert "Exception ignored" not in err, err
        return Finished(code=done.returncode, out=done.stdout.decode(), err=err)

    def directory(self, name: str = "custom-command") -> StateDirectory:
        """Return the state directory of a built-in target."""
        return StateDirectory(self.folder / ".tau" / name)


def environment(
    extra: Mapping[str, str] | None = None, *, now_unix_ms: int | None = NOW_UNIX_MS
) -> dict[str, str]:
    """Return this process's environment without the inspector's variables, and with `extra`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TAU_TRANSPORT_HEALTH_")}
    now = {} if now_unix_ms is None else {"TAU_TRANSPORT_HEALTH_NOW_UNIX_MS": str(now_unix_ms)}
    return kept | {"COLUMNS": "200"} | now | dict(extra or {})


def unprintable(text: str) -> set[str]:
    """Return the characters of `text` that could act on a terminal."""
    return {c for c in text if not c.isprintable()} - HARMLESS_CONTROLS


@contextmanager
def as_another_user() -> Iterator[None]:
    """Be a user who has no rights of their own, where the tests run as the superuser."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
