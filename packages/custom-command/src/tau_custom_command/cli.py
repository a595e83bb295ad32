"""The command line: parses, calls one function, prints, exits."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tau_custom_command import __version__, channel_repair, options, recovery, starter, summary
from tau_custom_command.cycle import CycleLimits
from tau_custom_command.errors import (
    CommandRuntimeError,
    ExitCode,
    FixtureRefusedError,
    NotRegisteredError,
    Problem,
    StorageError,
)
from tau_custom_command.harmless import printable
from tau_custom_command.policy import ExecutionPolicy, SandboxProfile, contradictions
from tau_custom_command.progress import track
from tau_custom_command.rotation import RotationLimits
from tau_custom_command.runner import Clock, RunRequest, read_fixture, run_cycle
from tau_custom_command.schemas import SchemaName, json_schema
from tau_custom_command.state_directory import read_state
from tau_custom_command.state_files import CommandRecord, RunMode
from tau_custom_command.storage import create_file
from tau_custom_command.strict_json import encode_document

DEFAULT_STATE_DIR = Path(".tau/custom-command")
_DEFAULT_POLICY = ExecutionPolicy()


class _ErrorBorder(TyperGroup):
    """Shows an expected error as its message, on stderr, and exits with its code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer gives the context no public type
        try:
            return super().invoke(ctx)
        except CommandRuntimeError as error:
            for line in str(error).splitlines():
                typer.echo(f"error: {printable(line)}", err=True)
            raise typer.Exit(error.exit_code) from None
        except MemoryError:
            typer.echo("error: it takes more memory than there is", err=True)
            raise typer.Exit(ExitCode.CANNOT_ANSWER) from None
        except BrokenPipeError:
            _forget_what_stdout_holds()
            raise typer.Exit(ExitCode.READER_GONE) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except OSError as error:
            # What is left to refuse a write are stdout and stderr themselves: a full disk, closed.
            _forget_what_stdout_holds()
            with contextlib.suppress(OSError):
                typer.echo(f"error: the answer cannot be written: {error.strerror}", err=True)
            raise typer.Exit(ExitCode.CANNOT_ANSWER) from None


app = typer.Typer(
    name="tau-custom-command",
    help="Process fixtures of commands as data, check every result, leave verified state files.",
    cls=_ErrorBorder,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 yes, 1 a bug of ours, 2 wrong usage, 3 no, 5 cannot answer.",
)
registry_app = typer.Typer(
    help="Look at the registered commands.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(registry_app, name="registry")
channels_app = typer.Typer(
    help="Mend the channels' logs.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(channels_app, name="channels")


def _forget_what_stdout_holds() -> None:
    """Let what could not be written go: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tau-custom-command {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    del version


@app.command()
def run(
    fixture: options.FixturePath,
    *,
    state_dir: options.StateDir = DEFAULT_STATE_DIR,
    run_mode: options.RunModeOption = "record",
    queue_limit: options.QueueLimit = 64,
    processed_case_cap: options.ProcessedCaseCap = 10_000,
    retry_max_attempts: options.RetryMaxAttempts = 4,
    retry_base_delay_ms: options.RetryBaseDelayMs = 0,
    case_suffix: options.CaseSuffix = "",
    wait: options.WaitSeconds = 0.0,
    now_unix_ms: options.NowUnixMs = None,
    max_events_bytes: options.MaxEventsBytes = None,
    max_channel_log_bytes: options.MaxChannelLogBytes = None,
    no_fsync: options.NoFsync = False,
    policy_require_approval: options.PolicyRequireApproval = _DEFAULT_POLICY.require_approval,
    policy_allow_shell: options.PolicyAllowShell = _DEFAULT_POLICY.allow_shell,
    policy_allow_network: options.PolicyAllowNetwork = _DEFAULT_POLICY.allow_network,
    policy_sandbox_profile: options.PolicySandboxProfile = _DEFAULT_POLICY.sandbox_profile,
    policy_allowed_env: options.PolicyAllowedEnv = None,
    policy_denied_env: options.PolicyDeniedEnv = None,
    as_json: options.AsJson = False,
) -> None:
    """Process a fixture in one cycle and check every result.

    Exits 0 if every result was as expected, 3 if one was not, 5 if the fixture or the state cannot
    be used, or the state directory is locked.
    """
    request = RunRequest(
        fixture=fixture,
        state_dir=state_dir,
        limits=CycleLimits(
            queue_limit=queue_limit,
            processed_case_cap=processed_case_cap,
            retry_max_attempts=retry_max_attempts,
            retry_base_delay_ms=retry_base_delay_ms,
        ),
        default_policy=_policy(
            require_approval=policy_require_approval,
            allow_shell=policy_allow_shell,
            allow_network=policy_allow_network,
            sandbox_profile=policy_sandbox_profile,
            allowed_env=policy_allowed_env,
            denied_env=policy_denied_env,
        ),
        run_mode=RunMode(run_mode),
        case_suffix=case_suffix,
        wait_seconds=wait,
        fsync=not no_fsync,
        rotation=RotationLimits(
            events_bytes=max_events_bytes, channel_log_bytes=max_channel_log_bytes
        ),
    )
    if no_fsync:
        typer.echo("warning: --no-fsync: a loss of power can lose this cycle", err=True)
    clock = Clock.of_this_machine(now_unix_ms=now_unix_ms)
    report = run_cycle(request, clock=clock, track=track)
    for remark in (*report.warnings, *summary.run_remarks(report.event, report.failures)):
        typer.echo(remark, err=True)
    if as_json:
        _print_json(summary.run_as_json(report.event, report.health))
    else:
        typer.echo(summary.run_as_text(report.event, report.health))
    raise typer.Exit(ExitCode.NO if report.has_drifted else ExitCode.YES)


@app.command()
def validate(fixture: options.FixturePath, *, as_json: options.AsJson = False) -> None:
    """Check a fixture without running it, and show every problem at once.

    Exits 0 if it is valid, 5 if it is not or cannot be read.
    """
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    cases = 0
    try:
        loaded = read_fixture(fixture)
    except FixtureRefusedError as error:
        problems = error.problems
    else:
        cases, warnings = len(loaded.fixture.cases), loaded.warnings
    found = (str(fixture), cases, problems, warnings)
    if as_json:
        _print_json(summary.validation_as_json(*found))
    else:
        typer.echo(summary.validation_as_text(*found))
    raise typer.Exit(ExitCode.CANNOT_ANSWER if problems else ExitCode.YES)


@app.command()
def recover(
    *,
    state_dir: options.StateDir = DEFAULT_STATE_DIR,
    wait: options.WaitSeconds = 0.0,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what is broken in a state directory and can be rebuilt; with --yes, do it.

    Broken files are kept beside the new ones. Exits 0 if there is nothing to recover, or it was
    done, 3 if there is, 5 if nothing can be rebuilt.
    """
    found = recovery.recover(state_dir, carry_out=yes, wait_seconds=wait)
    if as_json:
        _print_json(summary.recovery_as_json(found, carried_out=yes))
    else:
        typer.echo(summary.recovery_as_text(str(state_dir), found, carried_out=yes))
    raise typer.Exit(ExitCode.NO if found.steps and not yes else ExitCode.YES)


@channels_app.command("repair")
def channels_repair(
    channel: Annotated[
        str | None, typer.Argument(show_default=False, help="The channel; all, if it is left out.")
    ] = None,
    *,
    state_dir: options.StateDir = DEFAULT_STATE_DIR,
    wait: options.WaitSeconds = 0.0,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Show which lines of channel logs are no entries; with --yes, move them to `.corrupt` files.

    Exits 0 if there is nothing to repair, or it was done, 3 if there is.
    """
    found = channel_repair.repair(state_dir, channel, carry_out=yes, wait_seconds=wait)
    if as_json:
        _print_json(summary.recovery_as_json(found, carried_out=yes))
    else:
        text = summary.recovery_as_text(str(state_dir), found, carried_out=yes, verb="repair")
        typer.echo(text)
    raise typer.Exit(ExitCode.NO if found.steps and not yes else ExitCode.YES)


@registry_app.command("list")
def registry_list(
    *, state_dir: options.StateDir = DEFAULT_STATE_DIR, as_json: options.AsJson = False
) -> None:
    """List the registered commands."""
    records = _registered(state_dir)
    if as_json:
        _print_json([record.model_dump(mode="json", exclude_unset=True) for record in records])
    else:
        typer.echo(summary.registry_as_text(records))


@registry_app.command("show")
def registry_show(
    name: Annotated[str, typer.Argument(show_default=False, help="The command's name.")],
    *,
    state_dir: options.StateDir = DEFAULT_STATE_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Show one registered command. Exits 3 if it is not registered."""
    record = next((r for r in _registered(state_dir) if r.command_name == name), None)
    if record is None:
        raise NotRegisteredError(
            f"{name!r} is not registered in {state_dir}; "
            "'tau-custom-command registry list' shows what is"
        )
    if as_json:
        _print_json(record.model_dump(mode="json", exclude_unset=True))
    else:
        typer.echo(summary.record_as_text(record))


@app.command()
def new(
    path: Annotated[
        Path, typer.Argument(show_default=False, help="The fixture to write; - for stdout.")
    ],
) -> None:
    """Write a starter fixture to edit, with the schema that lets editors explain each field."""
    schema_path = path.parent / "fixture.schema.json"
    if path.name == schema_path.name:
        raise typer.BadParameter("is the name of the schema that is written beside it")
    name = path.stem.encode(errors="replace").decode()
    fixture = starter.starter_fixture(name=name, schema=f"./{schema_path.name}")
    if str(path) == "-":
        _print_json(fixture)
        return
    create_file(path, encode_document(fixture))
    wrote = printable(str(path))
    if not schema_path.exists():
        create_file(schema_path, encode_document(json_schema(SchemaName.FIXTURE)))
        wrote += f" and {printable(str(schema_path))}"
    operand = shlex.quote(str(path))
    next_step = printable(f"tau-custom-command validate {'./' * operand.startswith('-')}{operand}")
    typer.echo(f"wrote {wrote}; next: {next_step}", err=True)


@app.command()
def schema(
    name: Annotated[SchemaName, typer.Argument(show_default=False, help="The form to describe.")],
) -> None:
    """Print the JSON Schema of the fixture or of a state file."""
    _print_json(json_schema(name))


def _registered(state_dir: Path) -> tuple[CommandRecord, ...]:
    state = read_state(state_dir)
    if state is None:
        raise StorageError(
            f"{state_dir}: there is no state.json; pass --state-dir, or run a fixture first"
        )
    return state.commands


def _policy(
    *, allowed_env: list[str] | None, denied_env: list[str] | None, **fields: bool | SandboxProfile
) -> ExecutionPolicy:
    """Return the options' policy; a contradiction in it is wrong usage."""
    lists = {"allowed_env": allowed_env, "denied_env": denied_env}
    given = {name: tuple(keys) for name, keys in lists.items() if keys}
    policy = ExecutionPolicy.model_validate(fields | given)
    for field, message in contradictions(policy):
        option = f"--policy-{field.replace('_', '-')}"
        raise typer.BadParameter(message, param_hint=option)
    return policy


def _print_json(value: object) -> None:
    # ASCII only, so that nothing from a file can act on a terminal; programs read it all the same.
    typer.echo(json.dumps(value, indent=2))
