"""A validation report passes, before the release meets anybody."""

from collections.abc import Mapping, Sequence

from tau_rollout_gate.contract.forms import Name
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.evidence.values import Evidence, ReportStatus
from tau_rollout_gate.policy.findings import EvidenceRef, GateStatus
from tau_rollout_gate.policy.gates.interface import Finding, RolloutGate

_REMEDIES: Mapping[ReportStatus, str] = {
    ReportStatus.FAILED: "the release fails its validation: roll back with 'rollback --reason'",
    ReportStatus.INCONSISTENT: "run the validation again: all that the report says must be a pass",
    ReportStatus.EMPTY: "run the validation again, and see that its checks are found",
    ReportStatus.OTHER_RELEASE: "give the report of this release's own validation",
    ReportStatus.USED_BEFORE: "run the validation of this release: the report is an earlier one's",
}


class ReportPassesGate(RolloutGate, frozen=True, kw_only=True, tag="report_passes"):
    """The report called `report` passes.

    None given holds in preflight and is not applicable later (release-signoff-checklist.md, "The
    validation report"). A report that says nothing of this release (inconsistent, empty, another's)
    is unknown.
    """

    report: Name = "validation"

    @property
    def required(self) -> str:
        """What has to be seen."""
        return f"the report {self.report!r} passes"

    def judge(self, rollout: Rollout, evidence: Evidence) -> Finding:
        """How it stands."""
        report = evidence.reports.get(self.report)
        if report is None:
            is_preflight = rollout.canary_entered_unix_ms is None
            return self._without_one(sorted(evidence.reports), is_preflight=is_preflight)
        where = EvidenceRef(file=report.path)
        if report.status is ReportStatus.PASSED:
            return Finding(status=GateStatus.PASS, observed=report.detail, evidence=where)
        has_failed = report.status is ReportStatus.FAILED
        return Finding(
            status=GateStatus.FAIL if has_failed else GateStatus.UNKNOWN,
            observed=report.detail,
            evidence=where,
            remedy=_REMEDIES[report.status],
            command="rollback --reason 'WHAT HAPPENED'" if has_failed else self._asking,
        )

    @property
    def _asking(self) -> str:
        return f"advance --validation {self.report}=REPORT"

    def _without_one(self, given: Sequence[str], *, is_preflight: bool) -> Finding:
        if not is_preflight:
            return Finding(status=GateStatus.NOT_APPLICABLE, observed="none given, nor needed now")
        return Finding(
            status=GateStatus.UNKNOWN,
            observed=f"no report {self.report!r} (given: {', '.join(given)})"
            if given
            else "no report given",
            remedy=f"run the validation and give its report with --validation {self.report}=FILE",
            command=self._asking,
        )
