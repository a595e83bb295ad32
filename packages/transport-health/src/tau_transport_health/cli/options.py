"""The options of the commands, each with its environment variable, default and help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tau_transport_health import durations
from tau_transport_health.cli.completion import target_names
from tau_transport_health.files.targets import TARGETS_FILE
from tau_transport_health.health.assessment import DEFAULT_MAX_AGE_MS

_PREFIX = "TAU_TRANSPORT_HEALTH_"

DEFAULT_MAX_AGE = f"{DEFAULT_MAX_AGE_MS // 60_000}m"


def duration_ms(text: str, option: str) -> int | None:
    """Read the duration of an option as milliseconds, and `none` as None.

    Raises:
        typer.BadParameter: if it is none; the text says what to write.
    """
    try:
        return durations.duration_ms(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from None


class Format(StrEnum):
    """How an answer is printed."""

    TEXT = "text"
    JSON = "json"


TargetName = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        show_default=False,
        autocompletion=target_names,
        help="Which transport.",
    ),
]
MaybeTargetName = Annotated[
    str | None,
    typer.Argument(
        metavar="[TARGET]",
        show_default=False,
        autocompletion=target_names,
        help="Which transport; none with --all.",
    ),
]
AllTargets = Annotated[
    bool,
    typer.Option("--all", help="Every target of the targets file, and those that have a folder."),
]
Root = Annotated[
    Path,
    typer.Option(
        metavar="DIR", envvar=_PREFIX + "ROOT", help="Where built-in targets have their folders."
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        envvar=_PREFIX + "STATE_DIR",
        show_default=False,
        help="Where the target's state files are, instead of its own place.",
    ),
]
TargetsFile = Annotated[
    Path | None,
    typer.Option(
        "--targets",
        metavar="FILE",
        envvar=_PREFIX + "TARGETS",
        show_default=f"{TARGETS_FILE} in the root, if there is one",
        help="More targets, in TOML.",
    ),
]
MaxAge = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        envvar=_PREFIX + "MAX_AGE",
        help="How old a state may be: 90s, 15m, 1h, 2d; or none, for any age.",
    ),
]
NowUnixMs = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="MS",
        envvar=_PREFIX + "NOW_UNIX_MS",
        show_default=False,
        help="The time to judge at, for tests; the clock's otherwise.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
AsFormat = Annotated[
    Format,
    typer.Option("--format", metavar="FORMAT", help="The form: text, or json as with --json."),
]
