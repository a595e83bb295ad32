"""What the shell completes: names of targets and channels; none where something is wrong."""

from pathlib import Path

import typer

from tau_transport_health.errors import TransportHealthError
from tau_transport_health.health.targets import BUILT_IN
from tau_transport_health.services.inspect import Question, named_targets


def target_names(ctx: typer.Context) -> list[str]:
    """The targets that are built in or named in the targets file."""
    try:
        return [*named_targets(_question(ctx))]
    except (TransportHealthError, OSError, ValueError):
        return [*BUILT_IN]


def channel_names(ctx: typer.Context) -> list[str]:
    """The channels of the target that was typed before."""
    from tau_transport_health.services.channels import store_of  # noqa: PLC0415 - only to complete

    try:
        return store_of(_question(ctx)).names()[0]
    except (TransportHealthError, OSError, ValueError):
        return []


def _question(ctx: typer.Context) -> Question:
    given = {name: Path(path) for name, path in ctx.params.items() if isinstance(path, (str, Path))}
    return Question(
        name=ctx.params.get("target"),
        root=given.get("root", Path(".tau")),
        state_dir=given.get("state_dir"),
        targets_file=given.get("targets"),
    )
