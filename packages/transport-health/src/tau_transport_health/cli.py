"""The command line: parses, calls one function, prints, exits.

Each command imports what it needs when it is called, since it is called from cron and prompts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tau_transport_health import __version__, options
from tau_transport_health.errors import ExitCode, PluginCode, TargetError, TransportHealthError
from tau_transport_health.formats.harmless import harmless
from tau_transport_health.inspection import Inspection
from tau_transport_health.looking import Question, look

_CHECK = "check"


class _ErrorBorder(TyperGroup):
    """Shows an expected error as its message, on stderr, and exits with its code.

    `check` is the exception: to a monitoring system everything that is no answer is UNKNOWN, and
    its line belongs on stdout.
    """

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer gives the context no public type
        try:
            return super().invoke(ctx)
        except TransportHealthError as error:
            if ctx.invoked_subcommand == _CHECK:
                _exit_unknown(str(error))
            for line in str(error).splitlines():
                typer.echo(f"error: {harmless(line)}", err=True)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            _forget_what_stdout_holds()
            raise typer.Exit(ExitCode.READER_GONE) from None
        except OSError as error:
            # What is left to refuse a write are stdout and stderr themselves: a full disk, closed.
            _forget_what_stdout_holds()
            with suppress(OSError):
                typer.echo(f"error: the answer cannot be written: {error.strerror}", err=True)
            is_check = ctx.invoked_subcommand == _CHECK
            raise typer.Exit(PluginCode.UNKNOWN if is_check else ExitCode.CANNOT_ANSWER) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except typer.Exit:
            raise
        except Exception as error:
            if ctx.invoked_subcommand != _CHECK:
                raise
            _exit_unknown(_usage_message(error) or f"a bug of ours: {error!r}")


app = typer.Typer(
    name="tau-transport-health",
    help="Tell from the state files alone how a transport is, why, and what to do.",
    cls=_ErrorBorder,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 pass, 1 a bug of ours, 2 wrong usage, 3 hold, 5 no valid state. "
    "'check' alone: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
)
targets_app = typer.Typer(help="See and name targets.", no_args_is_help=True, rich_markup_mode=None)
channels_app = typer.Typer(
    help="Look into the channel store.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(targets_app, name="targets")
app.add_typer(channels_app, name="channels")


def _forget_what_stdout_holds() -> None:
    """Let what could not be written go: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage_message(error: Exception) -> str | None:
    format_message = getattr(error, "format_message", None)
    return None if format_message is None else str(format_message())


def _exit_unknown(reason: str) -> None:
    typer.echo(f"{PluginCode.UNKNOWN.name} - {harmless(reason).replace('|', '/')}")
    raise typer.Exit(PluginCode.UNKNOWN) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tau-transport-health {__version__}")
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
def inspect(
    target: options.MaybeTargetName = None,
    *,
    all_targets: options.AllTargets = False,
    as_json: options.AsJson = False,
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
    max_age: options.MaxAge = options.DEFAULT_MAX_AGE,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Show a transport's health, or that of every one with --all.

    Exits 0 if the gate passes, 3 if it holds, 5 if there is no valid state; with --all the worst.
    """
    question = _question(
        target,
        all_targets=all_targets,
        state_dir=state_dir,
        root=root,
        targets=targets,
        max_age=max_age,
        now_unix_ms=now_unix_ms,
    )
    inspections = look(question)
    if as_json:
        from tau_transport_health.formats.rows import row

        _print_json([row(inspection) for inspection in inspections])
    else:
        from tau_transport_health.formats.text import inspection_text

        typer.echo("\n\n".join(map(inspection_text, inspections)))
    raise typer.Exit(_worst(inspections))


@app.command()
def status(
    target: options.TargetName,
    *,
    as_json: options.AsJson = False,
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
    max_age: options.MaxAge = options.DEFAULT_MAX_AGE,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Show the operator's guardrail report, counted from the state and the whole event log.

    Exits 0 if the gate passes, 3 if it holds, 5 if there is no valid state.
    """
    from tau_transport_health.event_stream import count_events
    from tau_transport_health.reading import blocks_of
    from tau_transport_health.status import status_report

    question = _question(
        target,
        all_targets=False,
        state_dir=state_dir,
        root=root,
        targets=targets,
        max_age=max_age,
        now_unix_ms=now_unix_ms,
    )
    (inspection,) = look(question)
    blocks = blocks_of(Path(inspection.events_log_path))
    report = status_report(inspection, count_events(blocks, chained=inspection.is_chained))
    if as_json:
        _print_json(report)
    else:
        from tau_transport_health.formats.text import status_text

        typer.echo(status_text(report))
    raise typer.Exit(inspection.assessment.exit_code)


@app.command()
def diagnose(
    target: options.TargetName,
    *,
    as_json: options.AsJson = False,
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
    max_age: options.MaxAge = options.DEFAULT_MAX_AGE,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Name each symptom in the files, its evidence and what to do; verify the whole chain.

    Exits 0 if the gate passes, 3 if it holds or the log is damaged anywhere, 5 if there is no
    valid state.
    """
    from tau_transport_health.diagnosing import diagnosis_of
    from tau_transport_health.formats.diagnosis import diagnosis_json, diagnosis_text

    question = _question(
        target,
        all_targets=False,
        state_dir=state_dir,
        root=root,
        targets=targets,
        max_age=max_age,
        now_unix_ms=now_unix_ms,
    )
    (inspection,) = look(question)
    diagnosis = diagnosis_of(inspection)
    if as_json:
        _print_json(diagnosis_json(diagnosis))
    else:
        typer.echo(diagnosis_text(diagnosis))
    raise typer.Exit(diagnosis.exit_code)


@app.command(_CHECK)
def check(
    target: options.TargetName,
    *,
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
    max_age: options.MaxAge = options.DEFAULT_MAX_AGE,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Print one line for a monitoring system.

    Exits 0 OK, 1 WARNING (degraded), 2 CRITICAL (failing), 3 UNKNOWN (anything else).
    """
    from tau_transport_health.formats.plugin_line import plugin_line

    question = _question(
        target,
        all_targets=False,
        state_dir=state_dir,
        root=root,
        targets=targets,
        max_age=max_age,
        now_unix_ms=now_unix_ms,
    )
    (inspection,) = look(question)
    typer.echo(plugin_line(inspection))
    raise typer.Exit(inspection.assessment.plugin_code)


@app.command()
def export(
    target: options.MaybeTargetName = None,
    *,
    all_targets: options.AllTargets = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Replace this file at once, instead of printing."),
    ] = None,
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
    max_age: options.MaxAge = options.DEFAULT_MAX_AGE,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Write OpenMetrics text, for a textfile collector.

    Exits 0 whenever the metrics were written: they themselves say how the transports are.
    """
    from tau_transport_health.formats.openmetrics import openmetrics
    from tau_transport_health.output import replace_file

    question = _question(
        target,
        all_targets=all_targets,
        state_dir=state_dir,
        root=root,
        targets=targets,
        max_age=max_age,
        now_unix_ms=now_unix_ms,
    )
    exposition = openmetrics(look(question))
    if output is None:
        typer.echo(exposition, nl=False)
    else:
        replace_file(output, exposition.encode())


@app.command()
def watch(
    target: options.MaybeTargetName = None,
    *,
    all_targets: options.AllTargets = False,
    interval: Annotated[
        str, typer.Option(metavar="DURATION", help="How long from look to look: 500ms, 2s, 1m.")
    ] = "2s",
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
    max_age: options.MaxAge = options.DEFAULT_MAX_AGE,
) -> None:
    """Watch a transport, or every one with --all, in the terminal until interrupted.

    Exits 2 where there is no terminal. Ctrl-C ends it with 130: it is no answer, so never 0.
    """
    from tau_transport_health.watch import watch_targets

    question = _question(
        target,
        all_targets=all_targets,
        state_dir=state_dir,
        root=root,
        targets=targets,
        max_age=max_age,
        now_unix_ms=None,
    )
    interval_ms = options.duration_ms(interval)
    if interval_ms is None or interval_ms < 100:  # noqa: PLR2004 - faster than anyone reads
        raise typer.BadParameter(f"--interval {interval}: write at least 100ms")
    watch_targets(question, interval_seconds=interval_ms / 1000)


@app.command()
def report(
    target: options.TargetName,
    *,
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="Replace this file at once with the page.")
    ] = Path("transport-health-report.html"),
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
    max_age: options.MaxAge = options.DEFAULT_MAX_AGE,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Write one HTML page: the health, what to do, and charts of the whole event log.

    Exits, once it is written, 0 if the gate passes, 3 if it holds, 5 if there is no valid state.
    """
    from tau_transport_health.report import write_report

    question = _question(
        target,
        all_targets=False,
        state_dir=state_dir,
        root=root,
        targets=targets,
        max_age=max_age,
        now_unix_ms=now_unix_ms,
    )
    (inspection,) = look(question)
    write_report(inspection, output)
    typer.echo(f"wrote {harmless(str(output))}", err=True)
    raise typer.Exit(inspection.assessment.exit_code)


@channels_app.command("list")
def channels_list(
    target: options.TargetName,
    *,
    as_json: options.AsJson = False,
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
) -> None:
    """List the channels: entries, the last one, invalid lines, artifacts.

    Exits 5 if there is no channel store.
    """
    from tau_transport_health.channels import store_of, summaries
    from tau_transport_health.formats.channels import summaries_json, summaries_text

    found = summaries(store_of(_undated(target, state_dir, root, targets)))
    if as_json:
        _print_json(summaries_json(found))
    else:
        typer.echo(summaries_text(found))


@channels_app.command("show")
def channels_show(
    target: options.TargetName,
    channel: options.ChannelName,
    *,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries.")] = 10,
    as_json: options.AsJson = False,
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
) -> None:
    """Show the last entries of a channel, oldest first.

    Exits 5 if there is no such channel.
    """
    from tau_transport_health.channels import last_entries, store_of
    from tau_transport_health.formats.channels import entries_json, entries_text

    store = store_of(_undated(target, state_dir, root, targets))
    entries = last_entries(store, channel, last=last)
    if as_json:
        _print_json(entries_json(entries))
    else:
        typer.echo(entries_text(entries))


@channels_app.command("verify")
def channels_verify(
    target: options.TargetName,
    channel: options.MaybeChannelName = None,
    *,
    as_json: options.AsJson = False,
    state_dir: options.StateDir = None,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
) -> None:
    """Check every line, description and artifact of a channel, or of all.

    Exits 0 if all are sound, 3 if not, 5 if there is no channel store or no such channel.
    """
    from tau_transport_health.channels import store_of, verify
    from tau_transport_health.formats.channels import verification_json, verification_text

    store = store_of(_undated(target, state_dir, root, targets))
    verification = verify(store, channel)
    if as_json:
        _print_json(verification_json(verification))
    else:
        typer.echo(verification_text(verification))
    raise typer.Exit(verification.exit_code)


@targets_app.command("list")
def targets_list(
    *,
    as_json: options.AsJson = False,
    root: options.Root = options.DEFAULT_ROOT,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
) -> None:
    """List the built-in targets and those of the targets file."""
    from tau_transport_health.formats.text import targets_text
    from tau_transport_health.looking import known_targets

    rows = known_targets(root, targets)
    if as_json:
        _print_json(rows)
    else:
        typer.echo(targets_text(rows))


@targets_app.command("add")
def targets_add(
    name: Annotated[str, typer.Argument(show_default=False, help="What to call it.")],
    *,
    state_dir: Annotated[
        str, typer.Option(metavar="DIR", show_default=False, help="Where its state files are.")
    ],
    label: Annotated[
        str | None, typer.Option(show_default=False, help="Its label; the name otherwise.")
    ] = None,
    targets: options.TargetsFile = options.DEFAULT_TARGETS_FILE,
) -> None:
    """Add a target to the targets file, or change it there."""
    from tau_transport_health.targets_file import add_target

    add_target(targets, name, state_dir=state_dir, label=label)


def _question(
    name: str | None,
    *,
    all_targets: bool,
    state_dir: Path | None,
    root: Path,
    targets: Path,
    max_age: str,
    now_unix_ms: int | None,
) -> Question:
    if (name is None) is not all_targets:
        raise TargetError("name one target, or say --all")
    return Question(
        name=name,
        root=root,
        state_dir=state_dir,
        targets_file=targets,
        max_age_ms=options.duration_ms(max_age),
        now_unix_ms=now_unix_ms,
    )


def _undated(target: str, state_dir: Path | None, root: Path, targets: Path) -> Question:
    """Return a question for which no time matters."""
    return _question(
        target,
        all_targets=False,
        state_dir=state_dir,
        root=root,
        targets=targets,
        max_age="none",
        now_unix_ms=None,
    )


def _worst(inspections: Sequence[Inspection]) -> ExitCode:
    return max(inspection.assessment.exit_code for inspection in inspections)


def _print_json(value: object) -> None:
    import json

    # ASCII only, so that nothing from a file can act on a terminal; programs read it all the same.
    typer.echo(json.dumps(value, indent=2))
