"""`policy show`: a policy as TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.files.policy import built_in_policy_text, load_policy, policy_text
from tau_rollout_gate.policy.policy import policy_digest


def command(
    *,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            show_default=False,
            help="A policy in TOML. [default: the built-in one]",
        ),
    ] = None,
) -> None:
    """Print the built-in policy, or one of yours without its comments, as TOML.

    Its digest, by which a rollout pins it, goes to stderr.
    """
    loaded = load_policy(policy)
    typer.echo(built_in_policy_text() if policy is None else policy_text(loaded), nl=False)
    typer.echo(f"digest {policy_digest(loaded)}", err=True)
