"""The options of the commands, each with its environment variable, default and help."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from tau_custom_command.contract.forms import LARGEST_INTEGER
from tau_custom_command.limits import LONGEST_NAME
from tau_custom_command.policy.model import SandboxProfile

_PREFIX = "TAU_CUSTOM_COMMAND_"

DEFAULT_STATE_DIR = Path(".tau/custom-command")

MOST_ATTEMPTS = 1000
LONGEST_BASE_DELAY_MS = 60_000
"""A minute; doubled ten times, that is a wait of 17 hours."""


def _directory(text: str) -> Path:
    if not str(text).strip():
        raise typer.BadParameter("it is blank; is a shell variable unset?")
    return Path(text)


def _seconds(value: float) -> float:
    if math.isnan(value):
        raise typer.BadParameter("must be a number of seconds")
    return value


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("must be text in UTF-8") from None
    if len(value) > LONGEST_NAME:
        raise typer.BadParameter(f"has more than {LONGEST_NAME:,} characters, which is the most")
    return value


FixturePath = Annotated[
    Path, typer.Argument(envvar=_PREFIX + "FIXTURE", show_default=False, help="The fixture file.")
]
StateDir = Annotated[
    Path,
    typer.Option(
        parser=_directory,
        metavar="DIR",
        envvar=_PREFIX + "STATE_DIR",
        help="Where the state files are.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
RunModeOption = Annotated[
    Literal["record"],
    typer.Option(
        envvar=_PREFIX + "RUN_MODE",
        help="What happens to a RUN: it is recorded, no process starts.",
    ),
]
QueueLimit = Annotated[
    int,
    typer.Option(
        min=1,
        envvar=_PREFIX + "QUEUE_LIMIT",
        help="Cases a cycle takes at most; the rest waits for the next.",
    ),
]
ProcessedCaseCap = Annotated[
    int,
    typer.Option(
        min=1,
        envvar=_PREFIX + "PROCESSED_CASE_CAP",
        help="Processed cases to remember, at least those of the fixture.",
    ),
]
RetryMaxAttempts = Annotated[
    int,
    typer.Option(
        min=1,
        max=MOST_ATTEMPTS,
        envvar=_PREFIX + "RETRY_MAX_ATTEMPTS",
        help="Attempts at a case that fails in a retryable way.",
    ),
]
RetryBaseDelayMs = Annotated[
    int,
    typer.Option(
        min=0,
        max=LONGEST_BASE_DELAY_MS,
        envvar=_PREFIX + "RETRY_BASE_DELAY_MS",
        help="Milliseconds before the second attempt; doubled for each one after it.",
    ),
]
CaseSuffix = Annotated[
    str,
    typer.Option(
        callback=_text,
        envvar=_PREFIX + "CASE_SUFFIX",
        show_default=False,
        help="Text appended to every case id, so that a fixture's cases are new again.",
    ),
]
WaitSeconds = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        callback=_seconds,
        metavar="SECONDS",
        envvar=_PREFIX + "WAIT",
        help="How long to wait where another runner holds the lock.",
    ),
]
NowUnixMs = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=LARGEST_INTEGER,
        envvar=_PREFIX + "NOW_UNIX_MS",
        show_default=False,
        help="The time to record, for tests and demos; the clock's otherwise.",
    ),
]
MaxEventsBytes = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="BYTES",
        envvar=_PREFIX + "MAX_EVENTS_BYTES",
        show_default=False,
        help="Rotate the event log, by rename to .1, once it is larger; never otherwise.",
    ),
]
MaxChannelLogBytes = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="BYTES",
        envvar=_PREFIX + "MAX_CHANNEL_LOG_BYTES",
        show_default=False,
        help="The same for each channel's log.jsonl and context.jsonl.",
    ),
]
NoFsync = Annotated[
    bool,
    typer.Option(
        "--no-fsync",
        envvar=_PREFIX + "NO_FSYNC",
        help="Do not wait for the disk. For benchmarks: a loss of power can then lose cycles.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, it is only shown.")]
PolicyRequireApproval = Annotated[
    bool,
    typer.Option(
        envvar=_PREFIX + "POLICY_REQUIRE_APPROVAL",
        help="Commands run only after an approval.",
    ),
]
PolicyAllowShell = Annotated[
    bool,
    typer.Option(
        envvar=_PREFIX + "POLICY_ALLOW_SHELL",
        help="Templates may hold shell syntax and start a shell.",
    ),
]
PolicyAllowNetwork = Annotated[
    bool,
    typer.Option(
        envvar=_PREFIX + "POLICY_ALLOW_NETWORK",
        help="Commands may use the network.",
    ),
]
PolicySandboxProfile = Annotated[
    SandboxProfile,
    typer.Option(
        envvar=_PREFIX + "POLICY_SANDBOX_PROFILE",
        help="How far commands are confined.",
    ),
]
PolicyAllowedEnv = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        envvar=_PREFIX + "POLICY_ALLOWED_ENV",
        help="A name that arguments may have; once given, only those. Repeatable.",
    ),
]
PolicyDeniedEnv = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        envvar=_PREFIX + "POLICY_DENIED_ENV",
        help="A name that arguments never have, instead of the built-in list. Repeatable.",
    ),
]
