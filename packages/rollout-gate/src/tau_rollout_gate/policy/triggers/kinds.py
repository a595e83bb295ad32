"""The rollback triggers that a policy can have, as one type: a line for each kind."""

from tau_rollout_gate.policy.triggers.new_reason_code import NewReasonCodeTrigger
from tau_rollout_gate.policy.triggers.report_fails import ReportFailsTrigger
from tau_rollout_gate.policy.triggers.signal import SignalTrigger
from tau_rollout_gate.policy.triggers.timeline_item_failed import TimelineItemFailedTrigger

TriggerSpec = SignalTrigger | NewReasonCodeTrigger | TimelineItemFailedTrigger | ReportFailsTrigger
