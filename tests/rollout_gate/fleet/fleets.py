"""Fleets to test with: hosts, each with a world of its own, judged together."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.evidence.values import Evidence, SurfaceEvidence
from tau_rollout_gate.files.surface.state_directory import read_surface
from tau_rollout_gate.fleet.counts import Partial
from tau_rollout_gate.fleet.decide import decide
from tau_rollout_gate.fleet.host_judgement import judge_host
from tau_rollout_gate.fleet.partial import merge, partial_of, read_partial
from tau_rollout_gate.fleet.plan import (
    Arm,
    Host,
    HostRecord,
    HostRow,
    Plan,
    chunk_of,
    hosts_digest,
)
from tau_rollout_gate.policy.fleet import FleetRules
from tau_rollout_gate.policy.policy import Policy
from tests.rollout_gate.making import ENTERED, MINUTE, SHA, rollout
from tests.rollout_gate.worlds import QUICK, SIGNED_OFF, World

RULES = FleetRules()


def policy_of(rules: FleetRules | None = RULES, policy: Policy = QUICK) -> Policy:
    """Return a policy with a table for fleets."""
    return policy.replaced(fleet=rules)


def plan_of(hosts: Sequence[Host], **changes: Any) -> Plan:  # noqa: ANN401 - any field
    """Return what these hosts are judged by, in canary-1 unless `changes` say otherwise."""
    values: dict[str, Any] = {
        "version": "0.1.0",
        "policy": policy_of(),
        "rollout": rollout(),
        "now_unix_ms": ENTERED + 10 * MINUTE,
        "name": "edge",
        "roster_sha256": SHA,
        "hosts_sha256": hosts_digest([host.name for host in hosts]),
        "hosts": len(hosts),
        "salt": "1.4.0",
        "cutoffs": {},
        "look": 1,
    }
    return Plan(**(values | changes))


def record_of(one: Rollout, **changes: Any) -> HostRecord:  # noqa: ANN401 - any field
    """Return what is recorded of a host whose rollout alone would be this, as a canary."""
    values: dict[str, Any] = {
        "surfaces": one.surfaces,
        "group": "default",
        "drawn_unix_ms": one.canary_entered_unix_ms,
        "fired": one.fired_triggers,
        "arm": Arm.CANARY,
    }
    return HostRecord(**(values | changes))


def read(world: World, files: Mapping[str, bytes] | None = None) -> dict[str, SurfaceEvidence]:
    """Return what is read of a world's surface, of its own files or others in their place."""
    (pin,) = world.rollout.surfaces
    with tempfile.TemporaryDirectory() as folder:
        world.write(Path(folder), files)
        return {pin.name: read_surface(pin, Path(folder), sleep=lambda _: None)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Hosts, what was read of each, and what they are judged by.

    Args:
        hosts: The hosts, sorted by name.
        evidence: What was read of each, by name and surface.
        plan: What they are judged by.
        signed_off: What no host tells.
    """

    hosts: tuple[Host, ...]
    evidence: Mapping[str, Mapping[str, SurfaceEvidence]]
    plan: Plan
    signed_off: Evidence = field(default_factory=lambda: Evidence(signoff=SIGNED_OFF))

    def row(self, host: Host) -> HostRow:
        """Return how one of them stands."""
        return judge_host(self.plan, host, Evidence(surfaces=self.evidence.get(host.name, {})))

    def rows(self) -> list[HostRow]:
        """Return how each stands."""
        return [self.row(host) for host in self.hosts]

    def partials(self) -> list[Partial]:
        """Return the chunks, each as it comes back."""
        found = []
        for index in range(self.plan.chunks):
            rows = [self.row(host) for host in chunk_of(self.plan, self.hosts, index)]
            raw = partial_of(self.plan, index, rows)
            found.append(read_partial(self.plan, self.hosts, index, raw))
        return found

    def answer(self) -> Answer:
        """Return the answer for all."""
        return decide(self.plan, reduce(merge, self.partials()), self.signed_off)

    def with_evidence(self, name: str, found: Mapping[str, SurfaceEvidence]) -> "Fleet":
        """Return the same fleet with other evidence of one host."""
        return replace(self, evidence={**self.evidence, name: found})


def fleet_of(
    hosts: Sequence[Host],
    evidence: Mapping[str, Mapping[str, SurfaceEvidence]],
    **changes: Any,  # noqa: ANN401 - any field of the plan
) -> Fleet:
    """Return a fleet; `changes` are those of its plan."""
    known = tuple(sorted(hosts, key=lambda host: host.name))
    return Fleet(hosts=known, evidence=evidence, plan=plan_of(known, **changes))
