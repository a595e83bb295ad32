"""Targets: which transports there are, what they are called, and where their state files lie."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tau_transport_health.errors import TargetError

CHAINED_TRANSPORT = "custom-command"
"""The transport whose writer always chains its events."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_LABELS = {CHAINED_TRANSPORT: "no-code-command-registry"}
_BUILT_IN = (
    CHAINED_TRANSPORT,
    "voice",
    "dashboard",
    "memory",
    "browser-automation",
    "gateway",
    "deployment",
    "multi-agent",
    "multi-channel",
)


class Target(NamedTuple):
    """A transport to look at. `state_dir` is None for a built-in one: its name below the root."""

    name: str
    label: str
    state_dir: str | None = None

    @property
    def is_chained(self) -> bool:
        """Tell whether the chain keys are required of this transport's writer."""
        return self.name == CHAINED_TRANSPORT


BUILT_IN = {name: Target(name=name, label=_LABELS.get(name, name)) for name in _BUILT_IN}
"""The targets that need no targets file, in the order they are listed."""


def parse_targets(document: Mapping[str, Any]) -> dict[str, Target]:
    """The targets of a targets file: a table `[targets.NAME]` each.

    Raises:
        TargetError: for anything but names with a `state_dir` and, if wanted, a `label`.
    """
    tables = document.get("targets", {})
    if unknown := document.keys() - {"targets"}:
        raise TargetError(f"{min(unknown)}: is not a known table; write [targets.NAME]")
    if not isinstance(tables, dict):
        raise TargetError("targets: must be tables of the form [targets.NAME]")
    return {name: _target(name, table) for name, table in tables.items()}


def checked_name(name: str) -> str:
    """`name` if a target may have it.

    Raises:
        TargetError: if it is no name, or that of a built-in target.
    """
    if not _NAME.fullmatch(name):
        raise TargetError(
            f"{name!r} is not a target's name: a letter, then at most 63 letters, digits, _ or -"
        )
    if name in BUILT_IN:
        raise TargetError(f"{name!r} is built in; pass --state-dir to look elsewhere for it")
    return name


def find(name: str, known: Mapping[str, Target]) -> Target:
    """The target called `name`, of those that are known.

    Raises:
        TargetError: if there is none; the text lists those there are.
    """
    if name not in known:
        raise TargetError(f"{name!r} is not a target; known are {', '.join(known)}")
    return known[name]


def _target(name: str, table: object) -> Target:
    path = f"targets.{checked_name(name)}"
    if not isinstance(table, dict):
        raise TargetError(f"{path}: must be a table")
    if unknown := table.keys() - {"state_dir", "label"}:
        raise TargetError(f"{path}.{min(unknown)}: is not a known key; state_dir, label are")
    for key, value in table.items():
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise TargetError(f"{path}.{key}: must be a string that is not blank, without NUL")
    if "state_dir" not in table:
        raise TargetError(f"{path}.state_dir: is missing; say where its state files are")
    return Target(name=name, label=table.get("label", name), state_dir=table["state_dir"])
