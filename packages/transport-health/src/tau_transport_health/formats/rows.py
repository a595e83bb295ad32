"""JSON rows: what `inspect --json` prints."""

from __future__ import annotations

from typing import Any

from tau_transport_health.health.inspection import Inspection


def row(inspection: Inspection) -> dict[str, Any]:
    """Return one target as JSON values, its keys in the order they are documented."""
    assessment = inspection.assessment
    return {
        "transport": inspection.target.name,
        "target": inspection.target.label,
        "state_path": str(inspection.state_path),
        "health": None if assessment.snapshot is None else assessment.snapshot.as_json(),
        "health_state": assessment.health_state,
        "health_reason": assessment.health_reason,
        "recommendation": assessment.recommendation,
        "age_ms": assessment.age_ms,
        "rollout_gate": assessment.gate,
        "holds": [{"code": hold, "reason": reason} for hold, reason in assessment.holds],
        "warnings": list(assessment.warnings),
    }
