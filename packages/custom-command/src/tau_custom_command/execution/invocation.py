"""What is to be run, and how far it is confined: all that a sandbox has to know."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.execution.limits import Limits
from tau_custom_command.limits import NOBODY
from tau_custom_command.policy.model import SandboxProfile

_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def search_path() -> str:
    """The runtime's PATH; without what depends on where one stands, which may be writable."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(each for each in folders if each.startswith("/")) or _USUAL_PATH


class Invocation(NamedTuple):
    """A command to run once.

    Args:
        words: The program and its arguments.
        environment: Variables for it beside those that each command has, already judged.
        profile: How far it is confined.
        allow_network: Whether it may use the host's network.
        limits: What it may take.
        workspace: The folder that `workspace_write` lets it write in.
        hidden: Folders that no confined command sees: state and rollout directories.
        inherited: The variables of the runtime that an unrestricted command inherits, encoded.
        secrets: Values that are masked wherever its output or its command line is kept.
        run_as: The user of a confined command, by number, where the runtime is root.
        umask: The one for the files that it makes; -1 for the runtime's as it is then. That is one
            for state files while a cycle is at work.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str] = {}
    profile: SandboxProfile = SandboxProfile.RESTRICTED
    allow_network: bool = False
    limits: Limits = Limits()
    workspace: Path | None = None
    hidden: tuple[Path, ...] = ()
    inherited: Mapping[bytes, bytes] = os.environb
    secrets: tuple[bytes, ...] = ()
    run_as: int = NOBODY
    umask: int = -1

    def __repr__(self) -> str:
        """The program alone: variables may hold secrets, and this shows in tracebacks and logs."""
        return f"Invocation({self.words[0]!r})"
