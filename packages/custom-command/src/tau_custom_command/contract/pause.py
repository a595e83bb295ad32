"""`paused.json`: that no cycle is to begin (runbooks/state-files.md, "A pause")."""

from tau_custom_command.contract.forms import FileForm, SchemaVersion, UnixMs


class Pause(FileForm, frozen=True):
    """Since when no cycle is to begin in a state directory, who said so, and why.

    Args:
        paused_unix_ms: Since when.
        by: Who asked for it.
        reason: Why.
    """

    schema_version: SchemaVersion
    paused_unix_ms: UnixMs
    by: str
    reason: str
