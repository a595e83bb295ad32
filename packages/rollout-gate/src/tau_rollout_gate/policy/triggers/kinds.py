"""The rollback triggers that a policy can have, as one type: a line for each kind."""

from typing import Annotated

from pydantic import Field

from tau_rollout_gate.policy.triggers.new_reason_code import NewReasonCodeTrigger
from tau_rollout_gate.policy.triggers.report_fails import ReportFailsTrigger
from tau_rollout_gate.policy.triggers.signal import SignalTrigger
from tau_rollout_gate.policy.triggers.timeline_item_failed import TimelineItemFailedTrigger

TriggerSpec = Annotated[
    SignalTrigger | NewReasonCodeTrigger | TimelineItemFailedTrigger | ReportFailsTrigger,
    Field(discriminator="kind"),
]
