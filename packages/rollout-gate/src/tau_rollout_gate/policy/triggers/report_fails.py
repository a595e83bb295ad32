"""A validation report has failures."""

from tau_rollout_gate.evidence.values import Evidence, ReportStatus
from tau_rollout_gate.policy.findings import EvidenceRef
from tau_rollout_gate.policy.triggers.interface import RolloutTrigger, Sign


class ReportFailsTrigger(RolloutTrigger, frozen=True, kw_only=True, tag="report_fails"):
    """A report of this release, whatever its name, has `failed` above 0.

    The first by name is shown. No report fires nothing, nor does one of another release: the gate
    `report_passes` holds then.
    """

    @property
    def threshold(self) -> str:
        """When it fires."""
        return "failed > 0 in a validation report"

    def look(self, evidence: Evidence) -> Sign:
        """Whether it fires."""
        for name, report in sorted(evidence.reports.items()):
            if report.status is ReportStatus.FAILED:
                return Sign(
                    fired=True,
                    observed=f"{name}: {report.failed} of {report.total} failed",
                    evidence=EvidenceRef(file=report.path),
                )
        given = ", ".join(sorted(evidence.reports))
        return Sign(fired=False, observed=f"no failure in {given}" if given else "none given now")
