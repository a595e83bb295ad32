"""`run`: processes a fixture in one cycle, and says what came of it."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from tau_custom_command.cli import execution_options, options
from tau_custom_command.cli.answers.next_steps import HowAsked
from tau_custom_command.cli.answers.report import print_report
from tau_custom_command.cli.ending import code_of_ending
from tau_custom_command.cli.execution_options import DEFAULTS as EXECUTION
from tau_custom_command.cli.execution_options import ExecutionOptions, executing
from tau_custom_command.cli.output import print_answer
from tau_custom_command.cli.progress import announced, track
from tau_custom_command.cli.shipping_options import Host, ShipTo, after_cycles
from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.errors import ExitCode
from tau_custom_command.execution.limits import Limits
from tau_custom_command.policy.model import (
    DEFAULTS,
    ExecutionPolicy,
    SandboxProfile,
    contradictions,
)
from tau_custom_command.printable import printable
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.repeat import Pace, repeat
from tau_custom_command.services.run_cycle import RunRequest, run_cycle
from tau_custom_command.services.stopping import Stopping, noted
from tau_custom_command.storage.rotation import RotationLimits

if TYPE_CHECKING:
    from tau_custom_command.services.execute.prepare import Executing

CYCLE = CycleLimits()


def run(
    ctx: typer.Context,
    fixture: options.FixturePath,
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    run_mode: options.RunModeOption = "record",
    queue_limit: options.QueueLimit = CYCLE.queue_limit,
    processed_case_cap: options.ProcessedCaseCap = CYCLE.processed_case_cap,
    retry_max_attempts: options.RetryMaxAttempts = None,
    retry_base_delay_ms: options.RetryBaseDelayMs = CYCLE.retry_base_delay_ms,
    every: options.Every = None,
    jitter: options.Jitter = None,
    dry_run: execution_options.DryRun = False,
    fresh: options.Fresh = False,
    case_suffix: options.CaseSuffix = "",
    release: options.Release = None,
    release_file: options.ReleaseFile = None,
    wait: options.Wait = 0.0,
    now_unix_ms: options.NowUnixMs = None,
    max_events_bytes: options.MaxEventsBytes = None,
    max_channel_log_bytes: options.MaxChannelLogBytes = None,
    no_fsync: options.NoFsync = False,
    ship_to: ShipTo = None,
    host: Host = None,
    policy_require_approval: options.PolicyRequireApproval = DEFAULTS["require_approval"],
    policy_allow_shell: options.PolicyAllowShell = DEFAULTS["allow_shell"],
    policy_allow_network: options.PolicyAllowNetwork = DEFAULTS["allow_network"],
    policy_allow_dash_arguments: options.PolicyAllowDashArguments = DEFAULTS[
        "allow_dash_arguments"
    ],
    policy_allow_large_memory: options.PolicyAllowLargeMemory = DEFAULTS["allow_large_memory"],
    policy_sandbox_profile: options.PolicySandboxProfile = DEFAULTS["sandbox_profile"],
    policy_allowed_env: options.PolicyAllowedEnv = None,
    policy_denied_env: options.PolicyDeniedEnv = None,
    run_timeout_ms: execution_options.RunTimeoutMs = EXECUTION.limits.timeout_ms,
    max_parallel: execution_options.MaxParallel = EXECUTION.max_parallel,
    stop_timeout: execution_options.StopTimeout = EXECUTION.stop_timeout_ms,
    workspace: execution_options.Workspace = EXECUTION.workspace,
    run_as: execution_options.RunAs = EXECUTION.run_as,
    hide: execution_options.Hide = None,
    secret: execution_options.Secret = None,
    rerun: execution_options.Rerun = None,
    accept_lost_keys: execution_options.AcceptLostKeys = False,
    artifact_days: execution_options.ArtifactDays = 30,
    max_memory_bytes: execution_options.MaxMemoryBytes = EXECUTION.limits.memory_bytes,
    max_processes: execution_options.MaxProcesses = EXECUTION.limits.processes,
    max_file_bytes: execution_options.MaxFileBytes = EXECUTION.limits.file_bytes,
    max_cpu_seconds: execution_options.MaxCpuSeconds = EXECUTION.limits.cpu_seconds,
    scratch_bytes: execution_options.ScratchBytes = EXECUTION.limits.scratch_bytes,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Process a fixture in one cycle and check every result.

    Exits 0 if every result was as expected, 3 if one was not, 5 if the fixture or the state cannot
    be used, or the state directory is locked or paused. With --run-mode execute, SIGTERM lets RUNs
    finish that have started, and starts no others (143). With --every it goes on until SIGTERM or
    SIGINT (0), whatever comes of a cycle, and reads the fixture anew each time. --dry-run shows
    what --run-mode execute would start, and under which policy. What --ship-to cannot ship is told
    and tried again after the next cycle; it changes no exit code.

    Example: tau-custom-command run greet.toml --state-dir .tau/greet
    """
    _refuse_together(
        {
            "--every": (every, {"--case-suffix": case_suffix, "--now-unix-ms": now_unix_ms}),
            "--fresh": (fresh, {"--case-suffix": case_suffix}),
            "--rerun": (rerun, {"--fresh": fresh or None, "--every": every}),
            "--release-file": (release_file, {"--release": release}),
            "--dry-run": (dry_run, {"--every": every}),
        }
    )
    executes = run_mode == "execute"
    _refuse_without("--every", is_given=every is not None, options={"--jitter": jitter})
    if any(options.given(ctx, "host")):  # the environment may name it for `ship` alone
        _refuse_without("--ship-to", is_given=ship_to is not None, options={"--host": host})
    _refuse_without(
        "--run-mode execute", is_given=executes or dry_run, options={"--rerun": rerun or None}
    )
    limits = CycleLimits(
        queue_limit=queue_limit,
        processed_case_cap=processed_case_cap,
        retry_max_attempts=retry_max_attempts or (1 if executes else CYCLE.retry_max_attempts),
        retry_base_delay_ms=retry_base_delay_ms,
    )
    policy = _policy(
        require_approval=policy_require_approval,
        allow_shell=policy_allow_shell,
        allow_network=policy_allow_network,
        allow_dash_arguments=policy_allow_dash_arguments,
        allow_large_memory=policy_allow_large_memory,
        sandbox_profile=policy_sandbox_profile,
        allowed_env=policy_allowed_env,
        denied_env=policy_denied_env,
    )
    execution = ExecutionOptions(
        limits=Limits(
            timeout_ms=run_timeout_ms,
            cpu_seconds=max_cpu_seconds,
            memory_bytes=max_memory_bytes,
            file_bytes=max_file_bytes,
            processes=max_processes,
            scratch_bytes=scratch_bytes,
        ),
        max_parallel=max_parallel,
        stop_timeout_ms=stop_timeout,
        workspace=workspace,
        run_as=run_as,
        hidden=hide or (),
        secrets=secret or (),
    )
    request = RunRequest(
        fixture=fixture,
        state_dir=state_dir,
        limits=limits,
        default_policy=policy,
        case_suffix=case_suffix,
        fresh=fresh or every is not None,
        release=release,
        release_file=release_file,
        rerun=tuple(rerun or ()),
        accept_lost_keys=accept_lost_keys,
        artifact_days=artifact_days or None,
        wait_seconds=wait,
        fsync=not no_fsync,
        rotation=RotationLimits(
            events_bytes=max_events_bytes, channel_log_bytes=max_channel_log_bytes
        ),
    )
    if no_fsync:
        typer.echo("warning: --no-fsync: a loss of power can lose this cycle", err=True)
    clock = Clock.of_this_machine(now_unix_ms=now_unix_ms)
    shipping = after_cycles(ship_to, host, state_dir, clock)
    as_json |= output_format == "json"

    asked = HowAsked(
        fixture=str(fixture),
        state_dir=str(state_dir),
        case_suffix=case_suffix,
        is_fresh=request.fresh,
        of_approvals=tuple(options.given(ctx, "workspace", "run_as", "policy_sandbox_profile")),
    )
    warned: Collection[str] = ()

    def cycle(stopping: Stopping) -> bool:
        """Run a cycle and print it; tell whether every result was as expected."""
        how = executing(execution, policy, limits, state_dir, stopping) if executes else None
        nonlocal warned
        report = run_cycle(request._replace(executing=how), clock=clock, track=track)
        warned = print_report(report, asked, as_json=as_json, warned=warned)
        shipping.shipped()
        return not report.has_drifted

    if dry_run:
        _show(
            request,
            partial(executing, execution, policy, limits, state_dir),
            clock,
            as_json=as_json,
        )
    if every is None and not executes:
        raise typer.Exit(ExitCode.YES if cycle(Stopping()) else ExitCode.NO)
    with _heard() as stopping:
        if every is not None:
            pace = Pace.of(
                every,
                every // 10 if jitter is None else jitter,
                host=os.uname().nodename,
                state_dir=state_dir,
            )
            repeat(
                partial(cycle, stopping),
                pace,
                clock=clock,
                stopping=stopping,
                complain=_tell,
                announce=announced,
            )
            shipping.end()
            raise typer.Exit(ExitCode.YES)
        is_as_expected = cycle(stopping)
    if stopping.stopped_by is not None:
        raise typer.Exit(128 + stopping.stopped_by)
    raise typer.Exit(ExitCode.YES if is_as_expected else ExitCode.NO)


@contextmanager
def _heard() -> Iterator[Stopping]:
    """Note signals that ask to stop; where one came before, and a library swallowed it, end."""
    with noted() as stopping:
        if (code := code_of_ending()) is not None:
            raise typer.Exit(code)
        yield stopping


def _refuse_together(given: Mapping[str, tuple[object, Mapping[str, object]]]) -> None:
    """Refuse each option whose value says what another one says too."""
    for name, (value, others) in given.items():
        for other, other_value in others.items():
            if value and other_value not in {None, ""}:
                raise typer.BadParameter(f"leave out {other}", param_hint=name)


def _refuse_without(needed: str, *, is_given: bool, options: Mapping[str, object]) -> None:
    """Refuse each option that says nothing without a needed one."""
    for name, value in options.items():
        if value is not None and not is_given:
            raise typer.BadParameter(f"add {needed}", param_hint=name)


def _show(
    request: RunRequest, how: Callable[[Stopping], "Executing"], clock: Clock, *, as_json: bool
) -> NoReturn:
    """Print what a cycle would start, and exit."""
    from tau_custom_command.cli.answers import dry_run as dry_run_text  # noqa: PLC0415 - only this needs it
    from tau_custom_command.services.execute.dry_run import dry_run  # noqa: PLC0415 - as above

    with noted() as stopping:
        foreseen = dry_run(request, how(stopping), clock)
    told, value = dry_run_text.foreseen_as_text(foreseen), dry_run_text.foreseen_as_json(foreseen)
    print_answer(told, value, "text", as_json=as_json)
    raise typer.Exit(ExitCode.NO if any(each.drifts for each in foreseen) else ExitCode.YES)


def _tell(message: str) -> None:
    typer.echo(f"error: {printable(message)}", err=True)


def _policy(
    *, allowed_env: list[str] | None, denied_env: list[str] | None, **fields: bool | SandboxProfile
) -> ExecutionPolicy:
    """The options' policy; a contradiction in it is wrong usage."""
    lists = {"allowed_env": allowed_env, "denied_env": denied_env}
    given: dict[str, Any] = {name: tuple(keys) for name, keys in lists.items() if keys}
    policy = ExecutionPolicy(**given | fields)
    for field, message in contradictions(policy):
        option = f"--policy-{field.replace('_', '-')}"
        raise typer.BadParameter(message, param_hint=option)
    return policy
