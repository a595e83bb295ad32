"""The options of the commands, each with its environment variable, default and help."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tau_custom_command.contract.forms import LARGEST_INTEGER
from tau_custom_command.contract.paths import STATE_DIR
from tau_custom_command.durations import parse_duration
from tau_custom_command.limits import LONGEST_NAME, MOST_ATTEMPTS, NO_RELEASE, is_release
from tau_custom_command.policy.model import SandboxProfile

_PREFIX = "TAU_CUSTOM_COMMAND_"

DEFAULT_STATE_DIR = Path(STATE_DIR)

LONGEST_BASE_DELAY_MS = 60_000
"""A minute; doubled ten times, that is a wait of 17 hours."""


def option(variable: str, text: str, *names: str, **more: Any) -> Any:  # noqa: ANN401 - typer's
    """An option that can also be given by an environment variable."""
    return typer.Option(*names, envvar=_PREFIX + variable, help=text, **more)


def whole_number(variable: str, text: str, least: int, most: int = LARGEST_INTEGER) -> Any:  # noqa: ANN401
    """Such an option for an integer within bounds; the kernel takes none that is larger."""
    return option(variable, text, min=least, max=most, metavar="N")


def given(ctx: typer.Context, *names: str) -> Iterator[str]:
    """Yield the options of these parameters that the command line has, as words of a command.

    What the environment says holds for every command that is typed in the same shell.
    """
    for name in names:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            yield f"--{name.replace('_', '-')}={ctx.params[name]}"


def path(text: str) -> Path:
    """A path that was given; a blank one is wrong usage."""
    if not str(text).strip():
        raise typer.BadParameter("it is blank; is a shell variable unset?")
    return Path(text)


def _seconds(written: str | float) -> float:
    try:
        return written if isinstance(written, float) else parse_duration(written) / 1000
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def milliseconds(written: str | int) -> int:
    """A duration that was given."""
    try:
        return written if isinstance(written, int) else parse_duration(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def interval(written: str | int) -> int:
    """A duration that was given, above 0."""
    found = milliseconds(written)
    if not found:
        raise typer.BadParameter("must be longer than 0")
    return found


def text(value: str) -> str:
    """A text that can be recorded: in UTF-8, and not too long."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("must be text in UTF-8") from None
    if len(value) > LONGEST_NAME:
        raise typer.BadParameter(f"has more than {LONGEST_NAME:,} characters, which is the most")
    return value


def _release(value: str | None) -> str | None:
    if value is not None and not is_release(value):
        raise typer.BadParameter(NO_RELEASE)
    return value


FixturePath = Annotated[
    Path,
    typer.Argument(
        metavar="FIXTURE", envvar=_PREFIX + "FIXTURE", help="The fixture, in JSON or TOML (.toml)."
    ),
]
StateDir = Annotated[
    Path, option("STATE_DIR", "Where the state files are.", parser=path, metavar="DIR")
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
Format = Annotated[
    Literal["text", "json"],
    typer.Option("--format", help="The form: text for people, or JSON and nothing else on stdout."),
]
RunModeOption = Annotated[
    Literal["record", "execute"],
    option("RUN_MODE", "What a RUN does: it is recorded and starts nothing, or it really runs."),
]
QueueLimit = Annotated[
    int,
    whole_number(
        "QUEUE_LIMIT", "The most cases that a cycle takes; the rest waits for the next.", 1
    ),
]
ProcessedCaseCap = Annotated[
    int,
    whole_number(
        "PROCESSED_CASE_CAP", "Processed cases to remember, at least those of the fixture.", 1
    ),
]
RetryMaxAttempts = Annotated[
    int | None,
    whole_number(
        "RETRY_MAX_ATTEMPTS",
        "Attempts at a case that fails in a retryable way: 4 by default; 1 where commands really "
        "run, which may run twice otherwise.",
        1,
        MOST_ATTEMPTS,
    ),
]
RetryBaseDelayMs = Annotated[
    int,
    whole_number(
        "RETRY_BASE_DELAY_MS",
        "Milliseconds before the second attempt; doubled for each one after it.",
        0,
        LONGEST_BASE_DELAY_MS,
    ),
]
Fresh = Annotated[
    bool, option("FRESH", "Do every case anew, also one that an earlier cycle did.", "--fresh")
]
Every = Annotated[
    int | None,
    option(
        "EVERY",
        "Run a cycle so often, as --fresh does, such as 5m; until SIGTERM or SIGINT, which end it "
        "with 0.",
        parser=interval,
        metavar="DURATION",
    ),
]
Jitter = Annotated[
    int | None,
    option(
        "JITTER",
        "With --every: a host's cycles begin up to so much later, always by the same; a tenth of "
        "it by default.",
        parser=milliseconds,
        metavar="DURATION",
    ),
]
CaseSuffix = Annotated[
    str,
    option(
        "CASE_SUFFIX",
        "Text appended to every case id; --fresh chooses one.",
        callback=text,
        metavar="TEXT",
        show_default=False,
    ),
]
PastCaseSuffix = Annotated[
    str,
    option(
        "CASE_SUFFIX",
        "The --case-suffix that the cycle was run with; after --fresh leave it out.",
        "--case-suffix",
        callback=text,
        metavar="TEXT",
        show_default=False,
    ),
]
Release = Annotated[
    str | None,
    option(
        "RELEASE",
        "The release that runs here, for the rollout gate: each event tells it.",
        callback=_release,
        metavar="VERSION",
    ),
]
ReleaseFile = Annotated[
    Path | None,
    option(
        "RELEASE_FILE",
        "A file that holds it, read at each cycle.",
        parser=path,
        metavar="FILE",
    ),
]
Wait = Annotated[
    float,
    option(
        "WAIT",
        "How long to wait where another runner holds the lock, such as 5s; not at all by default.",
        parser=_seconds,
        metavar="DURATION",
        show_default=False,
    ),
]
NowUnixMs = Annotated[
    int | None,
    whole_number(
        "NOW_UNIX_MS",
        "The time to record, for tests and demos; the clock's otherwise.",
        0,
        LARGEST_INTEGER,
    ),
]
MaxEventsBytes = Annotated[
    int | None,
    whole_number(
        "MAX_EVENTS_BYTES",
        "Rotate the event log, by rename to .1, once it is larger; never otherwise.",
        1,
    ),
]
MaxChannelLogBytes = Annotated[
    int | None,
    whole_number(
        "MAX_CHANNEL_LOG_BYTES", "The same for each channel's log.jsonl and context.jsonl.", 1
    ),
]
NoFsync = Annotated[
    bool,
    option(
        "NO_FSYNC",
        "Do not wait for the disk. For benchmarks: a loss of power can then lose cycles.",
        "--no-fsync",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without --yes it is only shown.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show it; nothing is changed.")]
PolicyRequireApproval = Annotated[
    bool, option("POLICY_REQUIRE_APPROVAL", "Commands run only after an approval.")
]
PolicyAllowShell = Annotated[
    bool, option("POLICY_ALLOW_SHELL", "Templates may hold shell syntax and start a shell.")
]
PolicyAllowNetwork = Annotated[
    bool, option("POLICY_ALLOW_NETWORK", "Commands may use the network.")
]
PolicyAllowDashArguments = Annotated[
    bool, option("POLICY_ALLOW_DASH_ARGUMENTS", "Arguments may begin a word with -.")
]
PolicyAllowLargeMemory = Annotated[
    bool, option("POLICY_ALLOW_LARGE_MEMORY", "Commands may use any amount of memory.")
]
PolicySandboxProfile = Annotated[
    SandboxProfile, option("POLICY_SANDBOX_PROFILE", "How far commands are confined.")
]
PolicyAllowedEnv = Annotated[
    list[str] | None,
    option(
        "POLICY_ALLOWED_ENV",
        "A name that arguments may have; once given, only those. Repeatable.",
        metavar="NAME",
    ),
]
PolicyDeniedEnv = Annotated[
    list[str] | None,
    option(
        "POLICY_DENIED_ENV",
        "A name that arguments never have, instead of the built-in list. Repeatable.",
        metavar="NAME",
    ),
]
