"""JSON for programs: one object, its keys in the order of its schema (answer.schema.json)."""

import json
import re
from dataclasses import asdict
from typing import Any

from tau_rollout_gate.contract.rollout import RecordedInput
from tau_rollout_gate.decision.answer import Answer

_SCHEMA_VERSION = 1
_FOR_TEXTS = {"cycles_help", "passes_from_unix_ms", "command", "is_latched", "fixture_name"}
_TO_ESCAPE = re.compile(r"[^ -~\n]|##(?=\[)")


def render(answer: Answer) -> str:
    """Write the answer as a JSON object and a line break.

    What a terminal or a CI job's log would act on is escaped, which to a JSON parser is the same.
    """
    value = {
        "schema_version": _SCHEMA_VERSION,
        **_value(answer),
        "phase_now": answer.phase_now,
        "canary_percent_now": answer.canary_percent_now,
    }
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _TO_ESCAPE.sub(_escaped, _without_half_pairs(text)) + "\n"


def _value(value: Any) -> Any:  # noqa: ANN401 - a part of the answer, and of JSON
    """Give a part of the answer as JSON has it: by its names, but for what texts alone are for."""
    if isinstance(value, RecordedInput):
        whole = {"path": value.path, "sha256": value.sha256}
        return whole if value.offset is None else asdict(value)
    if hasattr(value, "_asdict"):
        named = value._asdict().items()
        return {name: _value(each) for name, each in named if name not in _FOR_TEXTS}
    return [_value(each) for each in value] if isinstance(value, tuple) else value


def _without_half_pairs(text: str) -> str:
    """Write `text` as UTF-8 can hold it: a file's name may be bytes that are no text."""
    if text.isascii():
        return text
    # Two backslashes, since this is JSON already: its reader sees one.
    return re.sub(r"[\ud800-\udfff]", lambda found: f"\\\\u{ord(found[0]):x}", text)


def _escaped(found: re.Match[str]) -> str:
    if found[0] == "##":
        return r"#\u0023"
    if found[0].isprintable():
        return found[0]
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
