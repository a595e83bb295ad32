"""The gates that a policy can have, as one type: a line for each kind."""

from tau_rollout_gate.policy.gates.artifacts_grow import ArtifactsGrowGate
from tau_rollout_gate.policy.gates.checklist_complete import ChecklistCompleteGate
from tau_rollout_gate.policy.gates.no_new_reason_code import NoNewReasonCodeGate
from tau_rollout_gate.policy.gates.pressure_does_not_rise import PressureDoesNotRiseGate
from tau_rollout_gate.policy.gates.reason_code_advances import ReasonCodeAdvancesGate
from tau_rollout_gate.policy.gates.reason_code_present import ReasonCodePresentGate
from tau_rollout_gate.policy.gates.report_passes import ReportPassesGate
from tau_rollout_gate.policy.gates.signal import SignalGate
from tau_rollout_gate.policy.gates.target_recorded import TargetRecordedGate
from tau_rollout_gate.policy.gates.timeline_ok import TimelineOkGate
from tau_rollout_gate.policy.gates.work_advances import WorkAdvancesGate

GateSpec = (
    SignalGate
    | NoNewReasonCodeGate
    | TimelineOkGate
    | ReasonCodeAdvancesGate
    | PressureDoesNotRiseGate
    | ReasonCodePresentGate
    | ArtifactsGrowGate
    | ChecklistCompleteGate
    | ReportPassesGate
    | TargetRecordedGate
    | WorkAdvancesGate
)
