"""JSON for programs: one object, its keys in the order of its schema (answer.schema.json)."""

from typing import Any

from tau_rollout_gate.contract.rollout import RecordedInput
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.formats.phrases import document

_FOR_TEXTS = {
    "cycles_help",
    "passes_from_unix_ms",
    "from_unix_ms",
    "command",
    "is_latched",
    "fixture_name",
}


def render(answer: Answer) -> str:
    """Write the answer as a JSON object and a line break."""
    return document(
        **_value(answer),
        phase_now=answer.phase_now,
        canary_percent_now=answer.canary_percent_now,
    )


def _value(value: Any) -> Any:  # noqa: ANN401 - a part of the answer, and of JSON
    """Give a part of the answer as JSON has it: by its names, but for what texts alone are for."""
    if isinstance(value, RecordedInput):
        whole = {"path": value.path, "sha256": value.sha256}
        return whole if value.offset is None else value.as_json()
    if hasattr(value, "_asdict"):
        named = value._asdict().items()
        return {
            name: _value(each)
            for name, each in named
            if name not in _FOR_TEXTS and not (name == "fleet" and each is None)
        }
    return [_value(each) for each in value] if isinstance(value, tuple) else value
