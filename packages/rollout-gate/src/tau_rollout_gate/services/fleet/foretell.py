"""What a policy comes to in a fleet, before anything is begun: no host is looked at."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tau_rollout_gate.counted import counted
from tau_rollout_gate.files.fleet import read_fleet_file, read_roster_file
from tau_rollout_gate.fleet.comparison import Reach, reaches
from tau_rollout_gate.fleet.draw.cohort import preview
from tau_rollout_gate.fleet.draw.roster import RosterEntry, parse_roster
from tau_rollout_gate.policy.fleet import FleetRules
from tau_rollout_gate.policy.lint import LintFinding
from tau_rollout_gate.policy.policy import Policy

_ANY_RELEASE = "0.0.0"


class Foretold(NamedTuple):
    """What is probably a mistake for this fleet, and what its comparison can see in each phase."""

    findings: tuple[LintFinding, ...]
    reaches: tuple[Reach, ...]

    def beside(self, findings: tuple[LintFinding, ...]) -> "Foretold":
        """The same with what is found of the policy alone, which is told once."""
        places = {one.place for one in findings}
        more = tuple(one for one in self.findings if one.place not in places)
        return self._replace(findings=(*findings, *more))


def foretold_of_file(policy: Policy, path: Path) -> Foretold:
    """Foretell it for the fleet of a `fleet.toml`; its store is not asked.

    Raises:
        RolloutGateError: if the file or the roster cannot be used.
    """
    file = read_fleet_file(path)
    return foretold(policy, parse_roster(read_roster_file(file.roster), source=file.roster).entries)


def foretold(policy: Policy, entries: Sequence[RosterEntry]) -> Foretold:
    """Foretell it for the hosts of a roster. The release moves the lot, and hardly any count."""
    rules = policy.fleet or FleetRules()
    draws = preview(policy, entries, salt=rules.salt_of(_ANY_RELEASE))
    hosts_there = counted(len(entries), "host")
    cohorts = {one.phase: one.draw.drawn + one.draw.first for one in draws}
    findings = [
        LintFinding(
            place="fleet.tolerate",
            problem=f"{phase} has {hosts} of {hosts_there}, and as many may be not clean: "
            "it passes where none was; tolerate fewer, or raise min_hosts",
        )
        for phase, hosts in cohorts.items()
        if 0 < hosts <= rules.tolerated.within(hosts)
    ]
    return Foretold(tuple(findings[:1]), tuple(reaches(policy, draws)))
