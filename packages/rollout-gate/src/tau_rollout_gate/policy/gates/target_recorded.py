"""Where the release goes back to is known before it goes anywhere."""

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import Finding, RolloutGate
from tau_rollout_gate.versions import parse_version


class TargetRecordedGate(RolloutGate, frozen=True, kw_only=True, tag="target_recorded"):
    """The rollback target is a semantic version on a channel, and not the release itself.

    Two builds of one version count as the same version.
    """

    @property
    def required(self) -> str:
        """What has to be seen."""
        return "the rollback target is a version other than the release"

    def judge(self, rollout: Rollout, evidence: Evidence) -> Finding:
        """How it stands."""
        del evidence
        target = rollout.rollback
        version = parse_version(target.rollback_version)
        is_sound = version is not None and version != parse_version(rollout.release)
        return Finding(
            status=GateStatus.PASS if is_sound else GateStatus.FAIL,
            observed=f"{target.rollback_version} on {target.rollback_channel}",
            remedy=""
            if is_sound
            else "record this rollout as rolled back with 'rollback --reason', and start it anew "
            "with --rollback-to a version that is known to be good",
            command="" if is_sound else "rollback --reason 'the rollback target is wrong'",
        )
