"""JUnit XML for CI systems: a test case for each gate and each trigger.

Fail-closed: only a gate that passes, or does not apply, is not a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape

from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult
from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats.phrases import headline, place, shown
from tau_rollout_gate.policy.findings import GateStatus

_NAME = "tau-rollout-gate"


def render(answer: Answer) -> str:
    """Return the answer as a JUnit report with one test suite."""
    cases = [*map(_gate, answer.gates), *map(_trigger, answer.triggers)]
    if answer.verdict.exit_code and not (answer.failing_gates or answer.fired_triggers):
        # A rollout that is over has no gate to fail, and no report may be green without a yes.
        cases.append(_verdict(answer))
    content = "".join(cases)
    counts = {
        "tests": str(len(cases)),
        "failures": str(content.count("<failure ")),
        "errors": "0",
        "skipped": str(content.count("<skipped ")),
    }
    suite = _element(
        "testsuite",
        {
            "name": f"{answer.release} {answer.phase}",
            **counts,
            "time": "0",
            "timestamp": utc(answer.evaluated_unix_ms),
        },
        [_element("properties", {}, _properties(answer)), *cases, _output(answer)],
    )
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _element(
        "testsuites", {"name": _NAME, **counts, "time": "0"}, [suite]
    )


def _properties(answer: Answer) -> Iterator[str]:
    properties = {
        "verdict": answer.verdict,
        "release": answer.release,
        "phase": answer.phase,
        "canary_percent": str(answer.canary_percent),
        "policy_sha256": answer.policy_sha256,
    }
    properties |= {f"reason.{at}": reason for at, reason in enumerate(answer.reasons, start=1)}
    properties |= {f"warning.{at}": words for at, words in enumerate(answer.warnings, start=1)}
    for name, value in properties.items():
        yield _element("property", {"name": name, "value": value})


def _gate(gate: GateResult) -> str:
    attributes = {"classname": f"gate.{gate.surface or 'rollout'}", "name": gate.name, "time": "0"}
    observed = gate.observed or "nothing seen"
    if gate.status is GateStatus.NOT_APPLICABLE:
        return _element("testcase", attributes, [_element("skipped", {"message": observed})])
    if gate.status.lets_pass:
        return _element("testcase", attributes)
    message = f"{observed}; required: {gate.required}"
    failure = {"type": gate.status, "message": message}
    details = [f"seen: {message}", f"do: {gate.remedy}"]
    if gate.evidence is not None:
        details.append(f"see: {place(gate.evidence)}")
    return _element("testcase", attributes, [_text("failure", failure, details)])


def _trigger(trigger: TriggerResult) -> str:
    attributes = {
        "classname": f"trigger.{trigger.surface or 'rollout'}",
        "name": trigger.name,
        "time": "0",
    }
    if not trigger.fired:
        return _element("testcase", attributes)
    message = f"{trigger.observed}; fires at {trigger.threshold}"
    details = [f"seen: {message}", f"do: {trigger.action}"]
    if trigger.evidence is not None:
        details.append(f"see: {place(trigger.evidence)}")
    failure = _text("failure", {"type": "fired", "message": message}, details)
    return _element("testcase", attributes, [failure])


def _verdict(answer: Answer) -> str:
    attributes = {"classname": "verdict.rollout", "name": "verdict", "time": "0"}
    failure = {"type": answer.verdict, "message": headline(answer)}
    return _element("testcase", attributes, [_text("failure", failure, _why(answer))])


def _output(answer: Answer) -> str:
    words = f"{answer.verdict.upper()}: {headline(answer)}"
    return _text("system-out", {}, [words, *_why(answer)])


def _why(answer: Answer) -> list[str]:
    return [f"why: {reason}" for reason in answer.reasons]


def _text(tag: str, attributes: Mapping[str, str], lines: Iterable[str]) -> str:
    """Return an element that holds text; its lines begin with words of ours."""
    content = "\n".join(escape(shown(line), quote=False) for line in lines)
    return f"{_start(tag, attributes)}>{content}</{tag}>\n"


def _element(tag: str, attributes: Mapping[str, str], children: Iterable[str] = ()) -> str:
    content = "".join(children)
    if not content:
        return f"{_start(tag, attributes)}/>\n"
    return f"{_start(tag, attributes)}>\n{content}</{tag}>\n"


def _start(tag: str, attributes: Mapping[str, str]) -> str:
    """Return a tag up to its end; `shown` leaves no character that XML cannot hold."""
    return f"<{tag}" + "".join(f' {name}="{escape(shown(v))}"' for name, v in attributes.items())
