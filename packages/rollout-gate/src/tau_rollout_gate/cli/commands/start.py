"""`start`: opens a rollout at the policy's first phase."""

from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_decided
from tau_rollout_gate.cli.question import Dated, asks
from tau_rollout_gate.cli.request import By
from tau_rollout_gate.contract.rollout import Channel
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.printable import printable
from tau_rollout_gate.rollout.start import Opening
from tau_rollout_gate.services.recorded import as_text
from tau_rollout_gate.services.start import start


@asks
def command(
    release: Annotated[str, options.option(metavar="VERSION", help="The version to roll out.")],
    *,
    rollback_to: Annotated[
        str | None,
        options.option(
            metavar="VERSION",
            help="The version it goes back to. [default: what this directory completed last]",
        ),
    ] = None,
    channel: Annotated[
        Channel,
        typer.Option(
            metavar="CHANNEL", help="Where the release is published: stable, beta or dev."
        ),
    ] = Channel.STABLE,
    rollback_channel: Annotated[
        Channel | None,
        options.option(
            metavar="CHANNEL",
            help="The channel of the version it goes back to. "
            "[default: where it was published, else the release's]",
        ),
    ] = None,
    rollback_ref: Annotated[
        str | None,
        options.option(
            metavar="REF",
            help="The tag, branch or commit that it was built from, for the steps of a rollback.",
        ),
    ] = None,
    cycle_interval: options.CycleInterval = None,
    registry_changes_expected: options.RegistryChangesExpected = False,
    expect: Annotated[
        list[str] | None,
        options.option(
            metavar="SURFACE:FIELD=VALUE",
            help="What every cycle has to have, to tie the evidence to the release: "
            "release, runtime_version or fixture_sha256; repeatable.",
        ),
    ] = None,
    allow_major: Annotated[
        bool,
        typer.Option(
            "--allow-major", help="Allow another major version than that of the rollback target."
        ),
    ] = False,
    allow_downgrade: Annotated[
        bool,
        typer.Option(
            "--allow-downgrade", help="Allow a rollback target that is newer than the release."
        ),
    ] = False,
    first_run: Annotated[
        list[str] | None,
        options.option(
            metavar="NAME", help="A surface that never ran, and has no files yet; repeatable."
        ),
    ] = None,
    fleet: options.FleetFile = None,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Take the fleet's lock from a rollout that is given up."),
    ] = False,
    reason: Annotated[
        str | None, options.option(metavar="TEXT", help="Why the lock is taken, for the record.")
    ] = None,
    question: Dated,
    by: By,
) -> None:
    """Open a rollout at preflight; a closed one is archived.

    With --fleet it is of all hosts of a roster, and 'cohort' tells which get the release.

    Says what 'policy lint' finds. Exits 2 if it is refused: a version that is not semantic, equal
    versions, a prerelease on stable, another major version, a rollback target that is newer or not
    known, another open rollout, a surface whose name is close to a known one.

    Example: tau-rollout-gate start --release 1.4.0 --rollback-to 1.3.2
    """
    if take_over != (reason is not None):
        raise RefusedError("--take-over and --reason belong together")
    if fleet is not None and question.surfaces:
        raise RefusedError("--fleet and --surface exclude each other: fleet.toml has the surfaces")
    if fleet is None and take_over:
        raise RefusedError("--take-over: only a fleet has a lock")
    opening = Opening(
        release=release,
        rollback_version=rollback_to,
        rollback_ref=None if rollback_ref is None else as_text("--rollback-ref", rollback_ref),
        channel=channel,
        rollback_channel=rollback_channel,
        surfaces=question.surfaces or options.DEFAULT_SURFACES,
        expected=[as_text("--expect", each) for each in expect or ()],
        cycle_interval_ms=cycle_interval,
        registry_changes_expected=registry_changes_expected,
        allows_major=allow_major,
        allows_downgrade=allow_downgrade,
        first_run=first_run or (),
    )
    if fleet is not None:
        from tau_rollout_gate.services.fleet.open import open_fleet  # noqa: PLC0415 - few do

        text = None if reason is None else as_text("--reason", reason)
        entry, findings, notes = open_fleet(question, opening, fleet, by=by, reason=text)
        for note in notes:
            typer.echo(printable(f"note: {note}"), err=True)
    else:
        entry, findings = start(question, opening, by=by)
    print_decided(entry)
    for one in findings:
        typer.echo(printable(f"warning: policy: {one.place}: {one.problem}"), err=True)
    if entry.reason is not None:
        typer.echo(printable(f"note: {entry.release} {entry.reason}"), err=True)
