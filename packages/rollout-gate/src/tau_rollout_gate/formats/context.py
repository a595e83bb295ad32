"""What is known beside an answer when it is explained: the rollout, its files, how it was asked.

It makes whole commands, to be copied: with the directories that this rollout has.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tau_rollout_gate.contract.event import Event
from tau_rollout_gate.contract.rollout import Channel, Rollout
from tau_rollout_gate.durations import written
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.policy.findings import EvidenceRef

PROGRAM = "tau-rollout-gate"
_VALUES = {"runtime_version": "VERSION", "fixture_sha256": "SHA256"}


class Surroundings(NamedTuple):
    """Where an answer was asked for.

    Args:
        rollout: The rollout.
        rollout_dir: Its directory.
        state_dirs: The directory of each surface's state files.
        options: The options that every command needs again: the directory, the surfaces, a policy.
        asked_with: Those that only a question takes: reports, a sign-off.
        surfaces: What was read of each surface; nothing of a rollout that is over.
        archive: The evidence that its rollback captured; None before one.
    """

    rollout: Rollout
    rollout_dir: str
    state_dirs: Mapping[str, str]
    options: tuple[str, ...] = ()
    asked_with: tuple[str, ...] = ()
    surfaces: Mapping[str, SurfaceEvidence] = {}
    archive: str | None = None

    def command(self, words: str) -> str:
        """Return a command of this program, whole; `words` are as a shell reads them."""
        options = self.options
        if words.startswith("advance"):
            options = (*self.asked_with, *options)
        return " ".join([PROGRAM, words, *([shlex.join(options)] if options else [])])

    def event_at(self, surface: str | None, place: EvidenceRef | None) -> Event | None:
        """Return the cycle that stands at a place; None where it is not known."""
        read = None if surface is None else self.surfaces.get(surface)
        if read is None or place is None:
            return None
        wanted = (place.file, place.line, place.cycle_id)
        found = (
            cycle.event
            for cycle in read.cycles
            if (cycle.file, cycle.line, cycle.event.cycle_id) == wanted
        )
        return next(found, None)

    def next_start(self, rollback_to: str, channel: Channel) -> str:
        """Return the command that opens the next rollout, of the same surfaces and pins."""
        return " ".join(
            [PROGRAM, "start --release VERSION", *self._start_options(rollback_to, channel)]
        )

    def _start_options(self, rollback_to: str, channel: Channel) -> Iterator[str]:
        rollout = self.rollout
        yield shlex.join(["--rollback-to", rollback_to, "--channel", rollout.channel])
        if channel is not rollout.channel:
            yield f"--rollback-channel {channel}"
        yield shlex.join(["--rollout-dir", self.rollout_dir])
        for name, state_dir in self.state_dirs.items():
            yield shlex.join(["--surface", f"{name}={state_dir}"])
        yield f"--cycle-interval {written(rollout.cycle_interval_ms)}"
        for pin in rollout.surfaces:
            for field in sorted(pin.expected):
                yield shlex.join(["--expect", f"{pin.name}:{field}={_VALUES[field]}"])
        if rollout.policy_file is not None:
            yield shlex.join(["--policy", rollout.policy_file])
