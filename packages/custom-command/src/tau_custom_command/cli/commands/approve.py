"""`approve`: records who approved exactly which command."""

from typing import Annotated

import typer

from tau_custom_command.cli import approval_options, complete, execution_options, options
from tau_custom_command.cli.answers import approvals as approval_text
from tau_custom_command.cli.output import print_answer
from tau_custom_command.execution.invocation import search_path
from tau_custom_command.limits import NOBODY
from tau_custom_command.policy.model import SandboxProfile, is_identifier
from tau_custom_command.policy.rules import CAPTURE
from tau_custom_command.services.approve import ApprovalRequest
from tau_custom_command.services.approve import approve as approve_command
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.execute.subject import Surroundings


def approve(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", autocompletion=complete.command_names, help="The command's name."
        ),
    ],
    *,
    by: approval_options.By,
    expires: approval_options.Expires = None,
    pin: approval_options.Pin = None,
    workspace: execution_options.Workspace = None,
    run_as: execution_options.RunAs = NOBODY,
    policy_sandbox_profile: options.PolicySandboxProfile = SandboxProfile.RESTRICTED,
    dry_run: options.DryRun = False,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    wait: options.Wait = 0.0,
    now_unix_ms: options.NowUnixMs = None,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Approve a command as it is now.

    It shows what is approved: the template, the registered policy, the program and the files that
    it names, by their digests. If any of that changes, the approval is void. An earlier approval of
    the command is replaced. Exits 3 if the command is not registered.

    Example: tau-custom-command approve greet --by alice --expires 30d
    """
    request = ApprovalRequest(
        state_dir=state_dir,
        command_name=name,
        approved_by=by,
        expires_after_ms=expires,
        pins=_pins(pin or []),
        around=Surroundings(
            profile=policy_sandbox_profile, workspace=workspace, run_as=run_as, path=search_path()
        ),
        wait_seconds=wait,
        carry_out=not dry_run,
    )
    clock = Clock.of_this_machine(now_unix_ms=now_unix_ms)
    report = approve_command(request, now_unix_ms=clock.wall_unix_ms())
    told = approval_text.approval_as_text(report, carried_out=not dry_run)
    value = approval_text.approval_as_json(report, carried_out=not dry_run)
    print_answer(told, value, output_format, as_json=as_json)


def _pins(written: list[str]) -> dict[str, str]:
    """Arguments and the values that they must have; a slip in one is wrong usage."""
    pins: dict[str, str] = {}
    for pin in written:
        name, equals, value = pin.partition("=")
        if not (equals and is_identifier(name.removeprefix(CAPTURE))):
            raise typer.BadParameter(f"{pin!r} is not NAME=VALUE", param_hint="--pin")
        if name in pins:
            raise typer.BadParameter(f"{name!r} stands there twice", param_hint="--pin")
        pins[name] = value
    return pins
