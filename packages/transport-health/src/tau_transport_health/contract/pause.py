"""`paused.json` as this program reads it: that no cycle is to begin, since when, by whom, and why.

The rules are the contract's (runbooks/state-files.md, "A pause").
"""

from typing import NamedTuple

from tau_transport_health.contract import fields


class Pause(NamedTuple):
    """Since when no cycle is to begin in a state directory, who said so, and why."""

    paused_unix_ms: fields.Count
    by: fields.Text
    reason: fields.Text


def parse_pause(raw: bytes) -> Pause:
    """Read the pause that the bytes of a file hold.

    Raises:
        FormRefusedError: if they hold none; the text says where and what.
    """
    value = fields.json_of(raw)
    return fields.made(Pause, value, "pause", schema_version=fields.VERSION_1)
