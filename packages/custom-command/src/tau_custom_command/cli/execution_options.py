"""The options of `run` that say how RUNs are executed, and what follows from them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from tau_custom_command.cli.options import milliseconds, option, path, whole_number
from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.execution.limits import Limits
from tau_custom_command.limits import LARGEST_USER, MIB, NOBODY
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.printable import printable
from tau_custom_command.services.stopping import Stopping

if TYPE_CHECKING:
    from tau_custom_command.services.execute.prepare import Executing

_DAY_MS = 24 * 60 * 60 * 1000
LONGEST_TIMEOUT_MS = 7 * _DAY_MS
MOST_DAYS = 36_500
MOST_CPU_SECONDS = 1_000_000_000
MOST_PARALLEL = 256


def _secrets(written: list[str] | None) -> list[str] | None:
    if not written:
        return None
    from tau_custom_command.execution.secrets import sources_of  # noqa: PLC0415 - only if there are

    try:
        sources_of(written, os.environ)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return written


def _days(written: str | int) -> int:
    """A number of days; 0 for ever."""
    if written == "never":
        return 0
    try:
        days = int(written)
    except ValueError:
        days = 0
    if not 0 < days <= MOST_DAYS:
        raise typer.BadParameter(f"must be a number of days from 1 to {MOST_DAYS:,}, or 'never'")
    return days


Secret = Annotated[
    list[str] | None,
    option(
        "SECRET",
        "Execute mode: a variable of the runtime that RUNs get, or what a file holds; masked where "
        "it would be written. Repeatable.",
        callback=_secrets,
        metavar="NAME[=file:PATH]",
    ),
]
ArtifactDays = Annotated[
    int,
    option(
        "ARTIFACT_DAYS",
        "Execute mode: days after which output that its record cuts is removed, or 'never'.",
        parser=_days,
        metavar="N",
    ),
]
RunTimeoutMs = Annotated[
    int,
    whole_number(
        "RUN_TIMEOUT_MS",
        "Execute mode: milliseconds after which a RUN is ended.",
        1,
        LONGEST_TIMEOUT_MS,
    ),
]
MaxParallel = Annotated[
    int | None,
    whole_number(
        "MAX_PARALLEL",
        "Execute mode: RUNs of different commands at once; as many as there are cores by default.",
        1,
        MOST_PARALLEL,
    ),
]
StopTimeout = Annotated[
    int | None,
    option(
        "STOP_TIMEOUT",
        "Execute mode: how long RUNs may go on after SIGTERM, such as 10s; by default as long as "
        "their own limit lets them.",
        parser=milliseconds,
        metavar="DURATION",
    ),
]
Workspace = Annotated[
    Path | None,
    option(
        "WORKSPACE",
        "Execute mode: the folder that commands with the profile workspace_write may write in.",
        parser=path,
        metavar="DIR",
    ),
]
RunAs = Annotated[
    int,
    whole_number(
        "RUN_AS",
        "Execute mode: the user of confined commands, where the runtime is root.",
        1,
        LARGEST_USER,
    ),
]
Hide = Annotated[
    list[Path] | None,
    option(
        "HIDE",
        "Execute mode: a folder that no confined command sees, beside the state directory and "
        ".tau: a rollout directory elsewhere. Repeatable.",
        parser=path,
        metavar="DIR",
    ),
]
Rerun = Annotated[
    list[str] | None,
    option(
        "RERUN",
        "Execute mode: the key of an executed RUN that is to run once more. Repeatable.",
        metavar="KEY",
    ),
]
DryRun = Annotated[
    bool,
    option(
        "DRY_RUN", "Show what execute mode would start; nothing is started or written.", "--dry-run"
    ),
]
AcceptLostKeys = Annotated[
    bool,
    option(
        "ACCEPT_LOST_KEYS",
        "Execute mode: run although a state was put back and it cannot be told which RUNs were "
        "executed since; they may run twice.",
        "--accept-lost-keys",
    ),
]
MaxMemoryBytes = Annotated[
    int | None,
    whole_number(
        "MAX_MEMORY_BYTES", "Execute mode: address space of each process of a RUN.", 16 * MIB
    ),
]
MaxProcesses = Annotated[
    int,
    whole_number("MAX_PROCESSES", "Execute mode: processes of a confined RUN at a time.", 1),
]
MaxFileBytes = Annotated[
    int, whole_number("MAX_FILE_BYTES", "Execute mode: the largest file that a RUN writes.", 0)
]
MaxCpuSeconds = Annotated[
    int | None,
    whole_number(
        "MAX_CPU_SECONDS",
        "Execute mode: processor time of each process of a RUN; what all cores give by default.",
        1,
        MOST_CPU_SECONDS,
    ),
]
ScratchBytes = Annotated[
    int,
    whole_number(
        "SCRATCH_BYTES", "Execute mode: what fits into a RUN's scratch directory.", 64 * 1024
    ),
]


class ExecutionOptions(NamedTuple):
    """What the options of `run` say of executing RUNs; the defaults are theirs."""

    limits: Limits = Limits()
    max_parallel: int | None = None
    stop_timeout_ms: int | None = None
    workspace: Path | None = None
    run_as: int = NOBODY
    hidden: Sequence[Path] = ()
    secrets: Sequence[str] = ()


DEFAULTS = ExecutionOptions()


def executing(
    given: ExecutionOptions,
    policy: ExecutionPolicy,
    attempts: CycleLimits,
    state_dir: Path,
    stopping: Stopping,
) -> "Executing":
    """How RUNs are executed, by the options, the operator's policy, and where the state is.

    Raises:
        StorageError: if a secret cannot be read.
    """
    # Imported only here: record mode, the default, has no use for any of it.
    from tau_custom_command.execution import secrets as secret_sources  # noqa: PLC0415
    from tau_custom_command.execution.invocation import search_path  # noqa: PLC0415
    from tau_custom_command.execution.variables import Variables  # noqa: PLC0415
    from tau_custom_command.services.execute.prepare import Executing  # noqa: PLC0415

    sources = secret_sources.sources_of(given.secrets, os.environ)
    secrets = secret_sources.read(sources, os.environ)
    for warning in (*secrets.warnings, *_hides_nothing(given)):
        typer.echo(printable(f"warning: {warning}"), err=True)
    stop_timeout_ms = given.stop_timeout_ms
    return Executing(
        options=policy,
        attempts=attempts,
        limits=given.limits,
        max_parallel=given.max_parallel or os.cpu_count() or 1,
        stop_timeout_ms=given.limits.timeout_ms if stop_timeout_ms is None else stop_timeout_ms,
        stopping=stopping,
        secrets=secrets,
        variables=Variables(os.environ),
        path=search_path(),
        state_dir=state_dir,
        hidden=(
            *_own(state_dir.absolute(), given.workspace),
            *(path.absolute() for path in given.hidden),
        ),
        workspace=given.workspace,
        run_as=given.run_as,
        umask=_umask(),
    )


def _hides_nothing(given: ExecutionOptions) -> Iterator[str]:
    """Yield what is worth telling of folders that are to be hidden, and are not there."""
    root = None if given.workspace is None else Path(os.path.realpath(given.workspace))
    for folder in given.hidden:
        is_made = root is not None and Path(os.path.realpath(folder)).is_relative_to(root)
        if not (is_made or folder.exists()):
            yield f"--hide {folder}: it is not there, so nothing is hidden"


def _umask() -> int:
    """The umask of this process, which can be told only by setting one."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _own(state_dir: Path, workspace: Path | None) -> Iterator[Path]:
    """The state directory, and the folders `.tau` where others and rollouts are by default."""
    yield state_dir
    yield Path.cwd() / ".tau"
    if workspace is not None:
        yield workspace.absolute() / ".tau"
    yield from (folder for folder in state_dir.parents if folder.name == ".tau")
