"""What a validation report says: JSON or JUnit XML in, its numbers out, nothing coerced.

JSON counts in `total`, `passed` and `failed`, at the top or under `overall`, each perhaps with the
suffix `_surfaces`. In JUnit XML the test cases count; what a suite's attributes say has to agree.
In both, nothing else may speak against a pass (`report_words`).
The rules are the checklist's (runbooks/release-signoff-checklist.md, "The validation report").
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tau_rollout_gate.contract.forms import LARGEST_INTEGER, json_of
from tau_rollout_gate.errors import FormRefusedError
from tau_rollout_gate.evidence.report_words import Meaning, meaning, objection

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_COUNTS = ("total", "passed", "failed")
_SUITES = frozenset({"testsuites", "testsuite"})
_FAILURES = frozenset({"failure", "error"})
_COUNTED = _SUITES | _FAILURES
_DIGITS = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a report says.

    Args:
        total: How many there are.
        passed: How many of them passed.
        failed: How many failed; where the report says it more than once, the largest.
        contradiction: What in the report speaks against itself, or shows that not all ran.
        releases: Each release that the report says it is of.
    """

    total: int
    passed: int
    failed: int
    contradiction: str | None = None
    releases: tuple[str, ...] = ()


def read_report(raw: bytes) -> Said:
    """What the bytes of a report say, also behind a byte order mark.

    Raises:
        FormRefusedError: if it is not a report of either form; the text says why.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if raw.lstrip().startswith(b"<"):
        return _said_in_xml(_parsed(raw))
    value = json_of(raw)
    if not isinstance(value, dict):
        raise FormRefusedError("the report is not an object")
    return _said_in_json(value)


def _said_in_json(report: Mapping[str, Any]) -> Said:
    overall = report.get("overall", {})
    if not isinstance(overall, dict):
        raise FormRefusedError("overall: is not an object")
    objects = {"": report, "overall.": overall}
    found = [
        (f"{where}total{suffix}", _counts(where, holder, suffix))
        for where, holder in objects.items()
        for suffix in ("", "_surfaces")
        if any(name + suffix in holder for name in _COUNTS)
    ]
    if not found:
        raise FormRefusedError("has no total, passed and failed, neither at its top nor in overall")
    (first, (total, passed, _)), *others = found
    differing = next((place for place, counts in others if counts != found[0][1]), None)
    failed = max(failed for _, (_, _, failed) in found)
    contradiction = differing and f"the counts beside {first} and beside {differing} differ"
    if contradiction is None and passed != total:
        contradiction = f"{passed} passed and {failed} failed are not {total}"
    return Said(
        total=total,
        passed=passed,
        failed=failed,
        contradiction=contradiction or objection({"total": total, **report}),
        releases=tuple(
            _text(where, holder["release"])
            for where, holder in objects.items()
            if "release" in holder
        ),
    )


def _counts(where: str, holder: Mapping[str, Any], suffix: str) -> tuple[int, int, int]:
    total, passed, failed = (_count(where, holder, name + suffix) for name in _COUNTS)
    return total, passed, failed


def _count(where: str, holder: Mapping[str, Any], key: str) -> int:
    if key not in holder:
        raise FormRefusedError(f"{where}{key}: is missing")
    value = holder[key]
    if type(value) is not int or not 0 <= value <= LARGEST_INTEGER:
        raise FormRefusedError(f"{where}{key}: is not a number of tests, from 0")
    return value


def _text(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise FormRefusedError(f"{where}release: is not a string")
    return value


def _parsed(raw: bytes) -> "Element":
    # Imported here since start-up counts, and few evaluations are given XML.
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415

    try:
        root: Element = fromstring(raw, forbid_dtd=True)
    except DefusedXmlException:
        raise FormRefusedError(
            "declares a document type or entities, which no report needs and which is refused"
        ) from None
    except (ParseError, ValueError, LookupError) as error:  # also an encoding that is not known
        raise FormRefusedError(f"not XML: {error}") from None
    for element in root.iter():
        # Neither a namespace nor capitals may hide a failure.
        element.tag = element.tag.rpartition("}")[2].lower()
    if root.tag not in _SUITES:
        raise FormRefusedError(f"<{root.tag}> is not a JUnit report: <testsuites> or <testsuite>")
    return root


_Tally = Counter[str]
"""What an element holds: its `cases`, how many of them `failed` and were `left_out`, and the
`failure_marks` and `other_marks` that belong to none of them."""


def _said_in_xml(root: "Element") -> Said:
    suites = [(suite, tally) for suite, tally in _tallies(root) if suite.tag in _SUITES]
    _, whole = suites[-1]
    not_passed = whole["left_out"] + whole["other_marks"]
    differences = (_difference(suite, tally) for suite, tally in suites)
    contradiction = next((found for found in differences if found is not None), None)
    if not_passed:
        why = next(found for element in root.iter() if (found := _mark(element)))
        contradiction = f"{not_passed} of {whole['cases']} did not pass: {why}"
    return Said(
        total=whole["cases"],
        passed=whole["cases"] - whole["failed"] - whole["left_out"],
        failed=max(
            whole["failed"] + whole["failure_marks"], *(_failures(suite) for suite, _ in suites)
        ),
        contradiction=contradiction,
        releases=tuple(
            found.get("value") or (found.text or "").strip()
            for found in root.iter("property")
            if found.get("name") == "release"
        ),
    )


def _tallies(root: "Element") -> "Iterator[tuple[Element, _Tally]]":
    """Yield every element with what it holds, the innermost first and the root last.

    Without recursion, since it is the file that says how deep it nests.
    """
    known: dict[Element, _Tally] = {}
    for element in reversed(list(root.iter())):
        inside = sum((known.pop(child) for child in element if child in known), start=_Tally())
        tally = _with_itself(element, inside)
        if tally:
            known[element] = tally
        yield element, tally


def _with_itself(element: "Element", inside: _Tally) -> _Tally:
    if element.tag in _FAILURES:
        return inside + _Tally(failure_marks=1)
    is_marked = _mark(element) is not None
    if element.tag != "testcase":
        return inside + _Tally(other_marks=int(is_marked))
    has_failed = inside["failure_marks"] > 0
    is_left_out = inside["other_marks"] > 0 or is_marked
    return _Tally(
        cases=inside["cases"] + 1,
        failed=inside["failed"] + has_failed,
        left_out=inside["left_out"] + (is_left_out and not has_failed),
    )


def _mark(element: "Element") -> str | None:
    """What an element below a suite says other than that all is well; failures are taken apart."""
    if element.tag == "testcase":
        return _objection(element)
    about = None if element.tag in _COUNTED else meaning(element.tag)
    if about is Meaning.BAD:
        return f"it has <{element.tag}>"
    text = (element.text or "").strip()
    return objection({element.tag: text}) if about is Meaning.STATUS and text else None


def _difference(suite: "Element", tally: _Tally) -> str | None:
    """In what a suite's attributes are not what it holds; failures are taken elsewhere."""
    if "tests" in suite.attrib and (said := _attribute(suite, "tests")) != tally["cases"]:
        return f"tests is {said} at a suite that holds {tally['cases']}"
    found = _objection(suite)
    return found and f"{found} at a suite"


def _objection(element: "Element") -> str | None:
    if not element.attrib:
        return None
    said = element.attrib.items()
    return objection({name.rpartition("}")[2]: _value(text.strip()) for name, text in said})


def _value(text: str) -> str | int:
    """An attribute's value as JSON would have it."""
    if _DIGITS.fullmatch(text) is not None:
        return int(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def _failures(suite: "Element") -> int:
    return sum(_attribute(suite, name) for name in ("failures", "errors") if name in suite.attrib)


def _attribute(suite: "Element", name: str) -> int:
    text = suite.attrib[name]
    if _DIGITS.fullmatch(text) is None:
        raise FormRefusedError(f"<{suite.tag}>: {name}: is not a number of tests, from 0")
    return int(text)
