"""JSON for programs: one object, its keys in the order of its schema (answer.schema.json)."""

from __future__ import annotations

import json
import re
from typing import Any

from tau_rollout_gate.contract.rollout import RecordedInput
from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult
from tau_rollout_gate.policy.findings import EvidenceRef

_SCHEMA_VERSION = 1
_TO_ESCAPE = re.compile(r"[^ -~\n]|##(?=\[)")


def render(answer: Answer) -> str:
    """Return the answer as a JSON object and a line break.

    What a terminal or a CI job's log would act on is escaped, which to a JSON parser is the same.
    """
    text = json.dumps(_answer(answer), ensure_ascii=False, indent=2)
    return _TO_ESCAPE.sub(_escaped, _without_half_pairs(text)) + "\n"


def _answer(answer: Answer) -> dict[str, Any]:
    soak = answer.soak
    return {
        "schema_version": _SCHEMA_VERSION,
        "verdict": answer.verdict,
        "release": answer.release,
        "phase": answer.phase,
        "canary_percent": answer.canary_percent,
        "next_phase": answer.next_phase,
        "next_canary_percent": answer.next_canary_percent,
        "evaluated_unix_ms": answer.evaluated_unix_ms,
        "soak": {
            "required_ms": soak.required_ms,
            "held_ms": soak.held_ms,
            "since_unix_ms": soak.since_unix_ms,
            "earliest_promotion_unix_ms": soak.earliest_promotion_unix_ms,
        },
        "gates": [_gate(gate) for gate in answer.gates],
        "triggers": [_trigger(trigger) for trigger in answer.triggers],
        "reasons": answer.reasons,
        "warnings": answer.warnings,
        "policy_sha256": answer.policy_sha256,
        "inputs": [_input(each) for each in answer.inputs],
    }


def _gate(gate: GateResult) -> dict[str, Any]:
    return {
        "name": gate.name,
        "surface": gate.surface,
        "status": gate.status,
        "observed": gate.observed,
        "required": gate.required,
        "evidence": _evidence(gate.evidence),
        "remedy": gate.remedy,
    }


def _trigger(trigger: TriggerResult) -> dict[str, Any]:
    return {
        "name": trigger.name,
        "surface": trigger.surface,
        "fired": trigger.fired,
        "observed": trigger.observed,
        "threshold": trigger.threshold,
        "evidence": _evidence(trigger.evidence),
        "action": trigger.action,
    }


def _evidence(evidence: EvidenceRef | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {
        "file": evidence.file,
        "line": evidence.line,
        "cycle_id": evidence.cycle_id,
        "age_ms": evidence.age_ms,
    }


def _input(each: RecordedInput) -> dict[str, Any]:
    whole = {"path": each.path, "sha256": each.sha256}
    if each.offset is None:
        return whole
    return whole | {"offset": each.offset, "length": each.length}


def _without_half_pairs(text: str) -> str:
    """Return `text` as UTF-8 can hold it: a file's name may be bytes that are no text."""
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
