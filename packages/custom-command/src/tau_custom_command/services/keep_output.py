"""Keeps what a run wrote, where its record cuts it, as an artifact beside the record."""

from pathlib import Path

from tau_custom_command.cycle.artifacts import artifact_writes
from tau_custom_command.cycle.execution import Ended
from tau_custom_command.services.clock import Clock
from tau_custom_command.storage import apply, locate
from tau_custom_command.storage.read import storage_errors
from tau_custom_command.storage.sync import Syncing


def keep_output(  # noqa: PLR0913 - where, how, what, and for how long
    root: Path,
    syncing: Syncing,
    channel: str,
    run_id: str,
    ended: Ended,
    *,
    days: int | None,
    clock: Clock,
) -> Ended:
    """Store what a record does not hold of how a run ended, and return what it does hold.

    Before the run is noted in the journal, so that no run that is has lost its output; a crash in
    between leaves that of a run that counts as interrupted. Runs of one channel come one after the
    other, so nobody else appends to its index meanwhile.

    Raises:
        StorageError: if the operating system refuses.
    """
    now_unix_ms = clock.wall_unix_ms()
    writes = tuple(artifact_writes(channel, run_id, ended, now_unix_ms=now_unix_ms, days=days))
    if writes:
        brought_up = apply.bring_up(root, tuple(locate.place(root, writes)))
        with storage_errors(root, "write to the disk"):
            syncing.touched(root, brought_up.paths)
    return ended._replace(stdout=ended.stdout.shortened(), stderr=ended.stderr.shortened())
