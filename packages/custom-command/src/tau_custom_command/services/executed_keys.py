"""The keys of executed RUNs where the state does not tell them all: from the channels' logs.

A state that was put back does not know what was executed since, and would run it again. The log of
each channel has a line for every attempt (runbooks/custom-command-ops.md, "Stopping, and crashes").
"""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from tau_custom_command.contract.channel import ChannelLogEntry
from tau_custom_command.contract.paths import CHANNEL_STORE
from tau_custom_command.contract.state import StateFile
from tau_custom_command.errors import FormRefusedError, StateUnusableError, StorageError
from tau_custom_command.storage import read
from tau_custom_command.storage.state_directory import channel_names

_LOG = "log.jsonl"
_UNREADABLE = re.compile(r"log\.jsonl\.\d+\..+")
"""A rotated log that somebody compressed, say."""


def with_executed_keys(root: Path, state: StateFile, *, accept_lost: bool) -> StateFile:
    """The same state with the keys of all RUNs whose channels tell that they were executed.

    Raises:
        StateUnusableError: if a channel's log cannot be read whole, unless that is accepted.
    """
    known = () if state.executed_run_keys is UNSET else state.executed_run_keys
    found = dict.fromkeys(known)
    for channel in channel_names(root):
        log = root / CHANNEL_STORE / channel / _LOG
        try:
            keys = tuple(_executed_keys(log))
        except (StorageError, FormRefusedError) as error:
            if not accept_lost:
                raise StateUnusableError(
                    f"{root}: the state was put back, and what was executed since cannot be told: "
                    f"{error}; nothing was run: put {log} in order, or see that no RUN of it is "
                    "to be kept from running again, and pass --accept-lost-keys"
                ) from None
            continue
        found |= dict.fromkeys(reversed(keys))
    return replace(state, executed_run_keys=tuple(found) or UNSET)


def _executed_keys(log: Path) -> Iterator[str]:
    """Yield the keys of a channel's executed RUNs, newest first.

    Raises:
        FormRefusedError: for a line that is no entry, or a file that is not read.
        StorageError: if a file cannot be read.
    """
    with read.storage_errors(log.parent, "read"):
        names = sorted(path.name for path in log.parent.iterdir())
    for name in filter(_UNREADABLE.fullmatch, names):
        raise FormRefusedError(f"{log.parent / name} is not looked into")
    for line in read.history_backwards(log):
        try:
            entry = ChannelLogEntry.parse(line)
        except FormRefusedError as error:
            raise FormRefusedError(f"{log}: {error}") from None
        audit = entry.payload.run_audit
        if audit is not UNSET and audit is not None and audit.executed:
            yield entry.event_key
