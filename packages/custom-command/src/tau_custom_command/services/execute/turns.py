"""Who may use the workspace at once: nobody writes in it while what was approved there runs.

Program and files of an approval are looked at just before a start, and read just after. Another
command that may write where they lie could replace them in between, or while a script is read.
"""

import os
from pathlib import Path

from tau_custom_command.policy.model import SandboxProfile
from tau_custom_command.services.execute.prepare import Run


class Turns:
    """Commands that write in the workspace run side by side; one that was approved there, alone."""

    def __init__(self) -> None:
        """Begin with nobody at work."""
        self._writers: set[int] = set()
        self._alone: int | None = None

    def take(self, place: int, run: Run) -> bool:
        """Give the case at a place its turn, if it need not wait for others; tell whether."""
        lies_there = _lies_in_the_workspace(run)
        writes = run.invocation.profile is SandboxProfile.WORKSPACE_WRITE
        if (lies_there or writes) and self._alone is not None:
            return False
        if lies_there and self._writers:
            return False
        if lies_there:
            self._alone = place
        elif writes:
            self._writers.add(place)
        return True

    def end(self, place: int) -> None:
        """End the turn of the case at a place."""
        self._writers.discard(place)
        if self._alone == place:
            self._alone = None


def _lies_in_the_workspace(run: Run) -> bool:
    """Tell whether anything that was approved of a command lies where commands may write."""
    workspace, approved = run.invocation.workspace, run.admission.approved
    if workspace is None or approved is None:
        return False
    root = Path(os.path.realpath(workspace))
    found = (approved.subject.program, *approved.subject.files)
    paths = (Path(file.path) for file in found if file is not None)
    return any(
        each.is_relative_to(root) for path in paths for each in (path, Path(os.path.realpath(path)))
    )
