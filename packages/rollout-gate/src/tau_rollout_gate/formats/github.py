"""GitHub Actions: annotations for the log, outputs for later steps, the summary as Markdown.

The rules of escaping are those by which GitHub's runner reads commands and output files.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats.phrases import headline, of_gate, of_trigger, shown
from tau_rollout_gate.policy.findings import EvidenceRef

_MOST_SHOWN = 10
_TITLE = {"title": "rollout gate"}


def render(answer: Answer) -> str:
    """Write the annotations as workflow commands: the verdict, then each thing in the way."""
    return "".join(f"{line}\n" for line in _commands(answer))


def outputs(answer: Answer) -> str:
    """Write the lines for the file that `GITHUB_OUTPUT` names; what there is not is empty."""
    at = answer.soak.earliest_promotion_unix_ms
    values = {
        "verdict": answer.verdict,
        "release": answer.release,
        "phase": answer.phase,
        "canary_percent": str(answer.canary_percent),
        "next_phase": answer.next_phase or "",
        "next_canary_percent": ""
        if answer.next_canary_percent is None
        else str(answer.next_canary_percent),
        "advanced": str(answer.advanced).lower(),
        "changed": str(answer.changed).lower(),
        "phase_now": answer.phase_now,
        "canary_percent_now": str(answer.canary_percent_now),
        "earliest_promotion": "" if at is None else utc(at),
    }
    lines = [f"{name}={shown(value)}\n" for name, value in values.items()]
    return "".join(lines) + _heredoc("reasons", "\n".join(map(shown, answer.reasons)))


def _commands(answer: Answer) -> Iterator[str]:
    words = [headline(answer), *answer.reasons]
    verdict = {"title": f"rollout gate: {answer.verdict}"}
    first = _command("error" if answer.verdict.exit_code else "notice", verdict, *words)
    yield from _at_most([first, *_in_the_way(answer)], "error")
    warnings = [_command("warning", _TITLE, warning) for warning in answer.warnings]
    yield from _at_most(warnings, "warning")


def _at_most(commands: Sequence[str], name: str) -> Iterator[str]:
    """Yield as many of a kind as GitHub shows of a step; the last one tells of the others."""
    if len(commands) <= _MOST_SHOWN:
        yield from commands
        return
    kept = _MOST_SHOWN - 1
    yield from commands[:kept]
    rest = f"{len(commands) - kept} more are in the summary of the job and in --format json"
    yield _command(name, _TITLE, rest)


def _in_the_way(answer: Answer) -> Iterator[str]:
    for one in (*map(of_trigger, answer.fired_triggers), *map(of_gate, answer.failing_gates)):
        status = f": {one.status}" if one.kind == "gate" else ""
        title = {"title": f"{one.kind} {one.subject}{status}"}
        yield _command("error", _where(one.evidence) | title, one.words, f"do: {one.to_do}")


def _where(evidence: EvidenceRef | None) -> dict[str, str]:
    if evidence is None:
        return {}
    if evidence.line is None:
        return {"file": evidence.file}
    return {"file": evidence.file, "line": str(evidence.line)}


def _command(name: str, properties: Mapping[str, str], *lines: str) -> str:
    of_command = ",".join(
        f"{key}={_data(shown(value)).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in properties.items()
    )
    return f"::{name} {of_command}::{_data(chr(10).join(map(shown, lines)))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\n", "%0A")


def _heredoc(name: str, value: str) -> str:
    """Write an output of several lines. No value holds its own digest, so none ends it early."""
    end = f"end-{sha256(value.encode()).hexdigest()}"
    return f"{name}<<{end}\n{value}\n{end}\n"
