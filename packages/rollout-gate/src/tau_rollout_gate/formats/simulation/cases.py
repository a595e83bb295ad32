"""What came of the unit tests of policies: as text, as JUnit XML and as JSON."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from tau_rollout_gate.formats.layout import PIPED, Colour, Look, aligned, joined, paragraph
from tau_rollout_gate.formats.phrases import document, shown
from tau_rollout_gate.rollout.simulation.outcome import CaseOutcome


class TestedFile(NamedTuple):
    """A file of cases, the policy that it names, and what came of each case."""

    path: str
    policy: str
    outcomes: tuple[CaseOutcome, ...]


def outcomes_text(files: Sequence[TestedFile], *, look: Look = PIPED) -> str:
    """Write each case in a line; of a failed one, what differs and why the answer is so."""
    return joined(_lines(files, look))


def outcomes_junit(files: Sequence[TestedFile]) -> str:
    """Write a test suite for each file, and in it a test case for each case."""
    total = _counts([outcome for file in files for outcome in file.outcomes])
    root = ET.Element("testsuites", {"name": "policy test", **total})
    for file in files:
        counted = _counts(file.outcomes)
        suite = ET.SubElement(root, "testsuite", {"name": shown(file.path), **counted})
        for outcome in file.outcomes:
            attributes = {"classname": shown(file.path), "name": shown(outcome.case.name)}
            element = ET.SubElement(suite, "testcase", attributes)
            if not outcome.is_passed:
                words = [shown(f"{label}: {text}") for label, text in _details(outcome)]
                failure = ET.SubElement(element, "failure", {"message": words[0]})
                failure.text = "\n".join(words)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def outcomes_json(files: Sequence[TestedFile]) -> str:
    """Write the same as JSON."""
    return document(
        files=[
            {"path": file.path, "policy": file.policy, "cases": list(map(_case, file.outcomes))}
            for file in files
        ]
    )


def _case(outcome: CaseOutcome) -> dict[str, object]:
    return {
        "name": outcome.case.name,
        "passed": outcome.is_passed,
        "mismatches": [one._asdict() for one in outcome.mismatches],
        "verdict": outcome.answer.verdict,
        "reasons": outcome.answer.reasons,
    }


def _counts(outcomes: Sequence[CaseOutcome]) -> dict[str, str]:
    failures = sum(not outcome.is_passed for outcome in outcomes)
    return {"tests": str(len(outcomes)), "failures": str(failures)}


def _lines(files: Sequence[TestedFile], look: Look) -> Iterator[str]:
    for file in files:
        title = f"{shown(file.path)}  policy {shown(file.policy)}"
        yield look.painted(title, Colour.HEADING)
        for outcome in file.outcomes:
            good = outcome.is_passed
            sign = ("✓ pass", Colour.GOOD) if good else ("✗ FAIL", Colour.BAD)
            yield f"  {look.painted(*sign)}  {shown(outcome.case.name)}"
            details = [] if good else list(_details(outcome))
            starts = aligned([(label,) for label, _ in details])
            for start, (_, text) in zip(starts, details, strict=True):
                yield from paragraph(text, look, label=f"          {start}", indent=10 + len(start))
        yield ""
    outcomes = [outcome for file in files for outcome in file.outcomes]
    passed = sum(outcome.is_passed for outcome in outcomes)
    colour = Colour.GOOD if passed == len(outcomes) else Colour.BAD
    yield look.painted(f"{passed} of {len(outcomes)} passed", colour)


def _details(outcome: CaseOutcome) -> Iterator[tuple[str, str]]:
    """Yield what differs, then why the answer is as it is; each with its label."""
    for one in outcome.mismatches:
        yield one.what, f"expected {one.expected}; observed {one.observed}"
    for reason in outcome.answer.reasons:
        yield "why", reason
