"""JSON as it is printed, and the rows of `inspect --json`."""

import json
import re
from typing import Any

from tau_transport_health.health.assessment import Inspection
from tau_transport_health.printable import harmless


def json_text(value: object) -> str:
    """A value as JSON for people and programs.

    ASCII only, so that nothing from a file can act on a terminal or in a CI job's log; programs
    read it all the same.
    """
    text = harmless(json.dumps(value, indent=2, ensure_ascii=False))
    return re.sub(r"[^ -~\n]", lambda found: json.dumps(found[0])[1:-1], text)


def row(inspection: Inspection) -> dict[str, Any]:
    """One target as JSON values, its keys in the order they are documented."""
    assessment = inspection.assessment
    return {
        "transport": inspection.target.name,
        "target": inspection.target.label,
        "state_path": inspection.state_path,
        "health": None if assessment.snapshot is None else assessment.snapshot.as_json(),
        "health_state": assessment.health_state,
        "health_reason": assessment.health_reason,
        "recommendation": inspection.recommendation,
        "age_ms": assessment.age_ms,
        "rollout_gate": assessment.gate,
        "holds": [{"code": hold, "reason": reason} for hold, reason in assessment.holds],
        "warnings": list(assessment.warnings),
    }
