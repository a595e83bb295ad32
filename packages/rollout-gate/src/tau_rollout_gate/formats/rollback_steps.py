"""What is left to do by hand after a rollback was recorded, with the real names filled in.

The gate reverts nothing itself (runbooks/rollout-gate-ops.md, "Rolling back").
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import CHAINED_SURFACE
from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats.context import Surroundings
from tau_rollout_gate.formats.decisions import decided_text
from tau_rollout_gate.formats.phrases import shown
from tau_rollout_gate.rollout.ledger import Entry


class Step(NamedTuple):
    """What to do, and the commands for it, to be copied."""

    words: str
    commands: tuple[str, ...] = ()


def rolled_back_text(entry: Entry, around: Surroundings) -> str:
    """Return what was done, and the steps that are left, numbered."""
    lines = [
        decided_text(entry),
        f"evidence: {around.archive}",
        "",
        "Nothing is reverted yet. Now, in this order:",
    ]
    for number, step in enumerate(steps(around), start=1):
        lines.append(f"{number}. {step.words}")
        lines += [f"     {command}" for command in step.commands]
    return "".join(f"{shown(line)}\n" for line in lines)


def steps(around: Surroundings) -> Iterator[Step]:
    """Yield what is left to do after a rollback, in this order."""
    rollout, target = around.rollout, around.rollout.rollback
    incident = _incident(around)
    if rollout.canary_entered_unix_ms is not None:
        yield Step(f"Set the share of {rollout.release} back to 0 % (it was in {rollout.phase}).")
    for name, state_dir in around.state_dirs.items():
        runner = "tau-custom-command" if name == CHAINED_SURFACE else f"the runner of {name}"
        yield Step(
            f"Stop the runner: end every job that starts {runner} on {state_dir}, and wait for one "
            "that runs."
        )
    yield Step(
        "Preserve the state directory:",
        tuple(
            shlex.join(["cp", "-a", each, f"{each.rstrip('/') or each}.{incident}"])
            for each in around.state_dirs.values()
        ),
    )
    yield Step(
        f"Note the incident time: {utc(target.rollback_reference_unix_ms or 0)} "
        f"({target.rollback_reference_unix_ms}), incident {incident}."
    )
    yield Step(
        f"Put the rollback target in place of {rollout.release}: {target.rollback_version} on "
        f"{target.rollback_channel}."
    )
    yield Step(
        f"Validate again: run the validation on {target.rollback_version}; start the runner only "
        "if it passes."
    )
    commits = f"{target.rollback_version}..{rollout.release}"
    yield Step(
        "In the morning: revert in the repository what the release brought:",
        (shlex.join(["git", "revert", "--no-edit", commits]),),
    )
    yield Step(
        "Later, with the cause mended, open the next rollout:",
        (around.next_start(target.rollback_version, target.rollback_channel),),
    )


def _incident(around: Surroundings) -> str:
    """Return the name of the incident, which is that of its archive."""
    return (around.archive or "incident").rpartition("/")[2].removesuffix(".tar.gz")
