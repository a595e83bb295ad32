"""JUnit XML for CI systems: a test case for each gate and each trigger.

Fail-closed: only a gate that passes, or does not apply, is not a failure.
"""

from collections.abc import Iterable, Iterator, Mapping
from html import escape

from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult
from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats.phrases import InTheWay, headline, of_gate, of_trigger, place, shown
from tau_rollout_gate.policy.findings import GateStatus

_NAME = "tau-rollout-gate"


def render(answer: Answer) -> str:
    """Write the answer as a JUnit report with one test suite."""
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
    if gate.status is GateStatus.NOT_APPLICABLE:
        reason = _element("skipped", {"message": gate.observed or "nothing seen"})
        return _case("gate", gate.surface, gate.name, reason)
    reason = "" if gate.status.lets_pass else _failure(of_gate(gate))
    return _case("gate", gate.surface, gate.name, reason)


def _trigger(trigger: TriggerResult) -> str:
    reason = _failure(of_trigger(trigger)) if trigger.fired else ""
    return _case("trigger", trigger.surface, trigger.name, reason)


def _failure(one: InTheWay) -> str:
    details = [f"seen: {one.words}", f"do: {one.to_do}"]
    if one.evidence is not None:
        details.append(f"see: {place(one.evidence)}")
    return _text("failure", {"type": one.status, "message": one.words}, details)


def _case(kind: str, surface: str | None, name: str, content: str) -> str:
    attributes = {"classname": f"{kind}.{surface or 'rollout'}", "name": name, "time": "0"}
    return _element("testcase", attributes, [content])


def _verdict(answer: Answer) -> str:
    failure = {"type": answer.verdict, "message": headline(answer)}
    return _case("verdict", None, "verdict", _text("failure", failure, _why(answer)))


def _output(answer: Answer) -> str:
    words = f"{answer.verdict.upper()}: {headline(answer)}"
    return _text("system-out", {}, [words, *_why(answer)])


def _why(answer: Answer) -> list[str]:
    return [f"why: {reason}" for reason in answer.reasons]


def _text(tag: str, attributes: Mapping[str, str], lines: Iterable[str]) -> str:
    """Write an element that holds text; its lines begin with words of ours."""
    content = "\n".join(escape(shown(line), quote=False) for line in lines)
    return f"{_start(tag, attributes)}>{content}</{tag}>\n"


def _element(tag: str, attributes: Mapping[str, str], children: Iterable[str] = ()) -> str:
    content = "".join(children)
    if not content:
        return f"{_start(tag, attributes)}/>\n"
    return f"{_start(tag, attributes)}>\n{content}</{tag}>\n"


def _start(tag: str, attributes: Mapping[str, str]) -> str:
    """Write a tag up to its end; `shown` leaves no character that XML cannot hold."""
    return f"<{tag}" + "".join(f' {name}="{escape(shown(v))}"' for name, v in attributes.items())
