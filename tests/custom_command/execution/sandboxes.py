"""What the tests of the sandboxes share: a command that is run for real, confined or not."""

from pathlib import Path
from typing import Any

import pytest

from tau_custom_command.cycle.execution import Ended
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.run import probe, run
from tau_custom_command.policy.model import SandboxProfile

WHY_NOT = probe(Invocation(("true",)))
"""Why no command can be confined on this machine, or None."""
needs_bubblewrap = pytest.mark.skipif(WHY_NOT is not None, reason=f"cannot confine: {WHY_NOT}")

CONFINED = [
    pytest.param(
        profile,
        marks=needs_bubblewrap,
    )
    for profile in (SandboxProfile.RESTRICTED, SandboxProfile.WORKSPACE_WRITE)
]
ALL = [*CONFINED, pytest.param(SandboxProfile.UNRESTRICTED)]


def invocation(
    profile: SandboxProfile,
    workspace: Path,
    *words: str,
    **more: Any,  # noqa: ANN401 - of any field
) -> Invocation:
    """A command to run under a profile, with a workspace that it may write in if it grants one."""
    return Invocation(words, profile=profile, workspace=workspace, **more)


def ended(asked: Invocation) -> Ended:
    """Run a command to its end."""
    return run(asked, about_to_start=lambda: None, cancelled=Cancellation())
