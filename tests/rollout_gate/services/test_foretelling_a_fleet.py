"""What a policy comes to in a fleet, before it is begun: `policy lint --fleet`, and `start`."""

import json
from pathlib import Path

from tau_rollout_gate.policy.fleet import Compare, FleetRules
from tests.rollout_gate.fleet.made import MadeFleet, hosts
from tests.rollout_gate.recording import Gate

LINT = ("policy", "lint", "policy.toml", "--fleet", "fleet.toml")
NOTE = "of 20 canaries, and 380 hosts without, the comparison can fire from 3 failed canaries on"


def test_from_how_many_failures_on_the_comparison_can_fire(tmp_path: Path) -> None:
    """In each phase that has two sides, and how many silent canaries it lets pass."""
    rules = FleetRules(compare=Compare(alpha="0.01"))
    MadeFleet(tmp_path, hosts(4), rules=rules)
    (tmp_path / "roster.tsv").write_text("".join(f"web-{number}\n" for number in range(400)))
    done = Gate(tmp_path)(*LINT)
    assert "fleet" not in done.out
    assert f"note: canary-1: {NOTE}, and no other host; 2 silent ones it lets pass\n" in done.err
    assert "canary-3: of 200 canaries" in done.err
    assert "general-availability" not in done.err
    told = json.loads(Gate(tmp_path)(*LINT, "--json").out)
    assert told["comparison"][0] == {
        "phase": "canary-1",
        "canaries": 20,
        "controls": 380,
        "fires_from": 3,
    }


def test_too_few_hosts_for_a_comparison(tmp_path: Path) -> None:
    """And a group without a canary is on neither side; `start` says the same."""
    groups = {"web-03": "alone"}
    fleet = MadeFleet(tmp_path, hosts(4), groups, FleetRules(compare=Compare(alpha="0.01")))
    said = "canary-1: of 1 canary, and 2 hosts without, the comparison cannot fire"
    assert said in Gate(tmp_path)(*LINT).err
    assert Gate(tmp_path)("fleet", "init").code == 0
    assert said in fleet.start().err


def test_a_cohort_that_may_be_unclean_as_a_whole(tmp_path: Path) -> None:
    """Where the fleet is no larger than what is tolerated, `min_hosts` is no help."""
    fleet = MadeFleet(tmp_path, hosts(4), rules=FleetRules(tolerate=4, min_hosts=5))
    assert "fleet" not in Gate(tmp_path)("policy", "lint", "policy.toml").out
    done = Gate(tmp_path)(*LINT)
    assert done.code == 3
    assert done.out.count("fleet.tolerate") == 1  # of the first phase alone
    assert "fleet.tolerate: canary-1 has 4 of 4 hosts, and as many may be not clean" in done.out
    assert Gate(tmp_path)("fleet", "init").code == 0
    assert "warning: policy: fleet.tolerate: canary-1 has 4 of 4" in fleet.start().err


def test_what_is_wrong_with_the_policy_alone_is_told_once(tmp_path: Path) -> None:
    """Not again for each phase of this fleet."""
    MadeFleet(tmp_path, hosts(4), rules=FleetRules(tolerate=4))
    told = Gate(tmp_path)(*LINT).out
    assert told.count("fleet.tolerate") == 1
    assert "(min_hosts)" in told
