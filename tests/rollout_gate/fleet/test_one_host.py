"""One host as a fleet: today's gates, triggers and verdict, whatever happened to it."""

import pytest
from hypothesis import event, given, settings

from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.fleet.host_judgement import host_answer
from tau_rollout_gate.fleet.plan import Host
from tau_rollout_gate.formats.renderers import RENDERERS
from tests.rollout_gate.fleet.fleets import Fleet, fleet_of, policy_of, read, record_of
from tests.rollout_gate.worlds import SIGNED_OFF, World, worlds

pytestmark = pytest.mark.exhaustive


def as_fleet(world: World) -> Fleet:
    """Return a fleet of the world's host alone, which the phase of its canary-1 drew."""
    host = Host(name="only", group="default", record=record_of(world.rollout))
    return fleet_of(
        [host],
        {"only": read(world)},
        policy=policy_of(policy=world.policy),
        rollout=world.rollout,
        now_unix_ms=world.now,
    )


@settings(max_examples=400, deadline=None)
@given(world=worlds() | worlds(goes_wrong=True) | worlds(is_chained=False))
def test_the_answer_for_one_host_is_that_of_its_rollout(world: World) -> None:
    """Byte for byte, and so is the verdict of the fleet."""
    fleet = as_fleet(world)
    plan, (host,) = fleet.plan, fleet.hosts
    evidence = Evidence(surfaces=fleet.evidence["only"], signoff=SIGNED_OFF)
    alone = decide(plan.policy, plan.rollout, evidence, now_unix_ms=plan.now_unix_ms)
    of_host = host_answer(plan, host, evidence)
    assert RENDERERS["json"](of_host) == RENDERERS["json"](alone)
    answer, row = fleet.answer(), fleet.row(host)
    event(f"{answer.verdict}, {row.state}")
    assert answer.verdict is alone.verdict
    assert (row.state is HostState.CLEAN) == (alone.verdict in {"promote", "complete"})
    assert row.counts_as_failed == (alone.verdict == "rollback")
