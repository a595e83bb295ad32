"""The `[fleet]` table of a policy: what it takes, and what it refuses."""

import re
from fractions import Fraction

import pytest

from tau_rollout_gate.errors import PolicyRefusedError
from tau_rollout_gate.files.policy import built_in_policy_text
from tau_rollout_gate.policy.fleet import FleetRules, Share, share
from tau_rollout_gate.policy.lint import lint
from tau_rollout_gate.policy.policy import Policy, parse_policy, policy_document


def policy_of(table: str) -> Policy:
    """Return the built-in policy with a table for fleets."""
    text = f"{built_in_policy_text()}\n[fleet]\n{table}"
    return parse_policy(text.encode(), source="it")


def rules_of(table: str) -> FleetRules:
    """Return what a table says."""
    found = policy_of(table).fleet
    assert found is not None
    return found


def test_nothing_is_tolerated_unless_it_is_said() -> None:
    """And without a table there is nothing of a fleet, nor in the digest."""
    rules = rules_of("")
    assert rules.tolerated.within(10_000) == 0
    assert (rules.tolerated_in_group, rules.min_hosts, rules.compare) == (None, 1, None)
    assert (rules.fail_silent_after_ms, rules.salt_of("1.4.0")) == (None, "1.4.0")
    assert "fleet" not in policy_document(
        parse_policy(built_in_policy_text().encode(), source="it")
    )


def test_what_the_table_says() -> None:
    """Counts or shares, rounded down; exact numbers."""
    policy = policy_of(
        'tolerate = "2.5%"\ngroup_tolerate = 3\nmin_hosts = 20\nsalt = "fixed"\n'
        'compare = { alpha = "0.01" }\nfail_silent_after = "30m"\n'
    )
    rules = policy.fleet
    assert rules is not None
    assert [rules.tolerated.within(hosts) for hosts in (39, 40, 79, 80)] == [0, 1, 1, 2]
    assert rules.tolerated_in_group == Share(text="3", number=3)
    assert rules.tolerated_in_group.within(1) == 3
    assert (rules.min_hosts, rules.salt_of("1.4.0")) == (20, "fixed")
    assert rules.fail_silent_after_ms == 30 * 60_000
    assert rules.compare is not None
    assert rules.compare.level == Fraction(1, 100)
    assert share("100%").within(7) == 7
    assert [one.place for one in lint(policy)] == ["fleet.salt"]
    assert lint(policy_of('compare = { alpha = "0.01" }')) == ()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("tolerate = 3", "is as large as a cohort of 3, .* fewer than 4 hosts (min_hosts)"),
        ("tolerate = 3\nmin_hosts = 3", "is as large as a cohort of 3"),
        ("tolerate = 3\nmin_hosts = 4", None),
        ('tolerate = "100%"\nmin_hosts = 50', "is all of a cohort"),
        ('tolerate = "99%"', None),
        ("", None),
    ],
)
def test_what_would_promote_without_a_clean_canary_is_told(table: str, problem: str | None) -> None:
    """Where no canary had the release at all, too; and what to do."""
    found = lint(policy_of(table))
    assert [one.place for one in found] == ([] if problem is None else ["fleet.tolerate"])
    for one in found:
        assert re.match((problem or "").replace("(", r"\(").replace(")", r"\)"), one.problem)


REFUSED = {
    'tolerate = "2"': "fleet.tolerate: '2' is no share: write a count such as 3",
    'tolerate = "101%"': "fleet.tolerate: '101%' is no share",
    'tolerate = "-1%"': "fleet.tolerate: '-1%' is no share",
    "tolerate = -1": "fleet.tolerate",
    'group_tolerate = "1e2%"': "fleet.group_tolerate: '1e2%' is no share",
    'salt = "a\\u0000b"': "fleet.salt: has line breaks, control or invisible characters",
    'compare = { alpha = "1.0" }': "fleet.compare.alpha: '1.0' is no probability",
    'compare = { alpha = "0.000" }': "fleet.compare.alpha: '0.000' is no probability",
    'compare = { alpha = "1e-2" }': "fleet.compare.alpha: '1e-2' is no probability",
    'fail_silent_after = "soon"': "fleet.fail_silent_after: 'soon' is not a duration",
    "min_hosts = 0": "fleet.min_hosts",
    "tolerance = 1": "fleet.tolerance",
}


@pytest.mark.parametrize(("table", "problem"), REFUSED.items())
def test_a_slip_is_named_with_its_place(table: str, problem: str) -> None:
    """What cannot be meant."""
    with pytest.raises(PolicyRefusedError) as refused:
        policy_of(table)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            'name = "health_regression"',
            'name = "failed_hosts"',
            "'failed_hosts' is the name of a trigger of the gate itself",
        ),
        (
            'name = "queue_depth"',
            'name = "hosts_clean"',
            "'hosts_clean' is the name of a gate that is always there",
        ),
    ],
)
def test_the_names_of_a_fleets_own_gates_and_triggers_are_taken(
    old: str, new: str, problem: str
) -> None:
    """A policy has no other of that name."""
    text = built_in_policy_text()
    with pytest.raises(PolicyRefusedError, match=problem):
        parse_policy(text.replace(old, new).encode(), source="it")
