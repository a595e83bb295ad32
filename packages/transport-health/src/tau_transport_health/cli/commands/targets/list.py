"""`targets list`: what can be named."""

from __future__ import annotations

import typer

from tau_transport_health.cli.options import (
    DEFAULT_ROOT,
    DEFAULT_TARGETS_FILE,
    AsJson,
    Root,
    TargetsFile,
)
from tau_transport_health.formats.json_text import json_text
from tau_transport_health.formats.text import targets_text
from tau_transport_health.services.inspect import known_targets


def command(
    *,
    as_json: AsJson = False,
    root: Root = DEFAULT_ROOT,
    targets: TargetsFile = DEFAULT_TARGETS_FILE,
) -> None:
    """List the built-in targets and those of the targets file."""
    rows = known_targets(root, targets)
    typer.echo(json_text(rows) if as_json else targets_text(rows))
