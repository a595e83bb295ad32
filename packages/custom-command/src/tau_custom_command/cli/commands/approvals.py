"""`approvals`: what is approved, and whether it still counts."""

from tau_custom_command.cli import options
from tau_custom_command.cli.answers import approvals as approval_text
from tau_custom_command.cli.output import print_answer
from tau_custom_command.execution.invocation import search_path
from tau_custom_command.policy.model import SandboxProfile
from tau_custom_command.services.approve import standing
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.execute.subject import Surroundings


def approvals(
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    policy_sandbox_profile: options.PolicySandboxProfile = SandboxProfile.RESTRICTED,
    now_unix_ms: options.NowUnixMs = None,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """List what is approved, and whether it counts.

    An approval counts until it expires, as long as the command, its program and the files that it
    names are what was approved. Exits 5 if the approvals cannot be read: then none counts.

    Example: tau-custom-command approvals --state-dir .tau/greet
    """
    around = Surroundings(profile=policy_sandbox_profile, path=search_path())
    now = Clock.of_this_machine(now_unix_ms=now_unix_ms).wall_unix_ms()
    found = standing(state_dir, around, now_unix_ms=now)
    value = approval_text.standings_as_json(found)
    print_answer(approval_text.standings_as_text(found), value, output_format, as_json=as_json)
