"""The options of the commands, each with its environment variable, default and help."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.durations import parse_duration
from tau_rollout_gate.errors import RolloutGateError

LARGEST_INTEGER = 2**63 - 1  # forms.LARGEST_INTEGER, which completion does not wait for

option = partial(typer.Option, show_default=False)
"""An option without a default, or whose help tells it."""

argument = partial(typer.Argument, show_default=False)
"""The same of an argument."""

_PREFIX = "TAU_ROLLOUT_GATE_"
DEFAULT_ROLLOUT_DIR = Path(".tau/rollout/custom-command")


def place_of(rollout_dir: Path) -> tuple[str, ...]:
    """The option that names the directory to a command, where it is not the usual one."""
    return () if rollout_dir == DEFAULT_ROLLOUT_DIR else ("--rollout-dir", str(rollout_dir))


DEFAULT_SURFACES = {"custom-command": ".tau/custom-command"}


Format = StrEnum("Format", ["TEXT", "JSON", "JUNIT", "GITHUB", "MARKDOWN", "OPENMETRICS"])
"""How an answer is printed."""

TestFormat = StrEnum("TestFormat", ["TEXT", "JUNIT", "JSON"])
"""How the outcome of a policy's unit tests is printed."""

CohortFormat = StrEnum("CohortFormat", ["LINES", "TSV", "JSON", "ANSIBLE"])
"""How a cohort is printed."""

HostFormat = StrEnum("HostFormat", ["TEXT", "TSV", "JSON"])
"""How hosts are printed."""

PlainFormat = StrEnum("PlainFormat", ["TEXT", "JSON"])
"""How anything else is printed."""


def interval_ms(text: str) -> int:
    """Read `--cycle-interval`.

    Raises:
        typer.BadParameter: if it is no duration with a unit, or none at all.
    """
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if found == 0:
        raise typer.BadParameter("must be longer than 0")
    return found


def surfaces_of(ctx: typer.Context) -> list[str]:
    """Complete `--surface` by those of the rollout; by nothing where they cannot be read."""
    from tau_rollout_gate.files.record import load  # noqa: PLC0415 - only to complete

    try:
        rollout = load(Path(ctx.params.get("rollout_dir") or DEFAULT_ROLLOUT_DIR)).rollout
    except RolloutGateError:
        return []
    return [f"{pin.name}={pin.state_dir}" for pin in rollout.surfaces]


RolloutDir = Annotated[
    Path,
    typer.Option(
        metavar="DIR", envvar=_PREFIX + "ROLLOUT_DIR", help="Where the rollout's files are."
    ),
]
Surfaces = Annotated[
    list[str] | None,
    option(
        "--surface",
        metavar="NAME=STATE_DIR",
        autocompletion=surfaces_of,
        help="A surface and where its state files are; repeatable. "
        "[default: as at the start; at the start custom-command=.tau/custom-command]",
    ),
]
PolicyFile = Annotated[
    Path | None,
    option(
        "--policy",
        metavar="FILE",
        envvar=_PREFIX + "POLICY",
        help="A policy in TOML. [default: as at the start; at the start the built-in one]",
    ),
]
NowUnixMs = Annotated[
    int | None,
    option(
        min=0,
        max=LARGEST_INTEGER,
        metavar="MS",
        envvar=_PREFIX + "NOW_UNIX_MS",
        help="The time to decide at, for tests and reruns; the clock's otherwise.",
    ),
]
Validation = Annotated[
    list[str] | None,
    option(
        "--validation",
        metavar="[NAME=]FILE",
        help="A validation report, JSON or JUnit; repeatable.",
    ),
]
Signoff = Annotated[
    Path | None,
    option(
        "--signoff",
        metavar="FILE",
        help="The sign-off checklist. [default: signoff.toml in the rollout's directory, if there]",
    ),
]
ExpectDecision = Annotated[
    str | None,
    option(
        "--expect-decision",
        metavar="N:DIGEST",
        envvar=_PREFIX + "EXPECT_DECISION",
        help="A decision that has to be recorded here, as a command printed it.",
    ),
]
By = Annotated[
    str | None,
    option(
        "--by",
        metavar="WHO",
        help="Who asks, for the record. [default: the CI's actor, else the login name]",
    ),
]
Reason = Annotated[str, option("--reason", metavar="TEXT", help="Why, for the record.")]
Output = Annotated[
    Path | None,
    option(
        "--output",
        metavar="FILE",
        help="Write the answer to this file, replaced at once, instead of printing it.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        envvar=_PREFIX + "ENGINE",
        help="Where the hosts of a fleet are judged: pool, pool=N processes of this machine, or "
        "dask=ADDRESS of a scheduler.",
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure", help="Allow a scheduler on another machine to be spoken to without TLS."
    ),
]
FleetFile = Annotated[
    Path | None,
    option(
        "--fleet",
        metavar="FILE",
        help="A fleet.toml: the rollout is of all its hosts, and not of --surface.",
    ),
]
CycleInterval = Annotated[
    int | None,
    option(
        "--cycle-interval",
        metavar="DURATION",
        parser=interval_ms,
        help="How often the runtime runs a cycle: 90s, 5m. [default: the policy's]",
    ),
]
RegistryChangesExpected = Annotated[
    bool,
    typer.Option(
        "--registry-changes-expected", help="The release has to change the command registry."
    ),
]
