"""What a validation report in JUnit XML says: its test cases count, and its suites have to agree.

Every element is taken as it ends, and none is kept: memory does not grow with the report.
"""

import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING

from tau_rollout_gate.errors import FormRefusedError
from tau_rollout_gate.evidence.report_words import Meaning, meaning, objection
from tau_rollout_gate.evidence.said import MOST_VALUES, Said

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DEEPEST_XML = 100_000
"""Elements within each other, all of which are kept until they end."""

_SUITES = frozenset({"testsuites", "testsuite"})
_FAILURES = frozenset({"failure", "error"})
_DIGITS = re.compile(r"[0-9]{1,18}")


class _Tally:
    """What an element holds.

    Attributes:
        cases: How many test cases.
        failed: How many of them failed.
        left_out: How many of them say other than that they passed.
        failure_marks: Failures that belong to none of them.
        other_marks: What else says so and belongs to none of them.
    """

    __slots__ = ("cases", "failed", "failure_marks", "left_out", "other_marks")

    def __init__(self) -> None:
        self.cases = self.failed = self.left_out = self.failure_marks = self.other_marks = 0

    def add(self, other: "_Tally") -> None:
        """Take what an element beside the others holds."""
        self.cases += other.cases
        self.failed += other.failed
        self.left_out += other.left_out
        self.failure_marks += other.failure_marks
        self.other_marks += other.other_marks

    def end_case(self, *, is_marked: bool) -> None:
        """Take a test case, the marks in which are its own."""
        has_failed = self.failure_marks > 0
        self.cases += 1
        self.failed += has_failed
        self.left_out += not has_failed and (self.other_marks > 0 or is_marked)
        self.failure_marks = self.other_marks = 0


class _Suites:
    """What was found so far in a report in XML, as its elements end, the innermost first.

    Attributes:
        whole: What the last suite that ended holds: at the end, all.
        failed: The most failures that a suite's attributes say.
        difference: The first suite whose attributes are not what it holds, in words.
        mark: The first thing that says other than that all is well, in words.
        releases: Each release that it says it is of.
    """

    def __init__(self) -> None:
        self.whole = _Tally()
        self.failed = 0
        self.difference: str | None = None
        self.mark: str | None = None
        self.releases: list[str] = []

    def end(self, element: "Element", tally: _Tally) -> None:
        """Take an element with what it holds, to which the element itself is added."""
        name = element.tag.rpartition("}")[2]
        tag = name.lower()  # neither a namespace nor capitals may hide a failure
        if tag in _FAILURES:
            tally.failure_marks += 1
            return
        if tag in _SUITES:
            self._end_suite(element, tag, tally)
            return
        mark = _mark(element, name, tag)
        self.mark = self.mark or mark
        if tag == "testcase":
            tally.end_case(is_marked=mark is not None)
            return
        self._note_release(element, tag)
        tally.other_marks += mark is not None

    def _end_suite(self, suite: "Element", tag: str, tally: _Tally) -> None:
        self.whole = tally
        failed = (_attribute(suite, tag, one) for one in ("failures", "errors"))
        self.failed = max(self.failed, sum(failed))
        self.difference = self.difference or _difference(suite, tag, tally)
        if "release" in suite.attrib:
            self.releases.append(suite.attrib["release"])

    def _note_release(self, element: "Element", tag: str) -> None:
        if tag == "property" and element.get("name", "").lower() == "release":
            self.releases.append(element.get("value") or (element.text or "").strip())


def said_in_xml(raw: bytes) -> Said:
    """What the bytes of a JUnit report say.

    Raises:
        FormRefusedError: if it is none; the text says why.
    """
    found = _read_xml(raw)
    whole, contradiction = found.whole, found.difference
    not_passed = whole.left_out + whole.other_marks
    if not_passed:
        contradiction = f"{not_passed} of {whole.cases} did not pass: {found.mark}"
    return Said(
        total=whole.cases,
        passed=whole.cases - whole.failed - whole.left_out,
        failed=max(whole.failed + whole.failure_marks, found.failed),
        contradiction=contradiction,
        releases=tuple(found.releases),
    )


def _read_xml(raw: bytes) -> _Suites:
    # Imported here since start-up counts, and few evaluations are given XML.
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import ParseError, iterparse  # noqa: PLC0415

    for mark, what in ((b"<", "elements"), (b"=", "attributes")):
        if raw.count(mark) > MOST_VALUES:
            raise FormRefusedError(f"has more than {MOST_VALUES:,} {what}, the most")
    try:
        return _gone_through(iterparse(BytesIO(raw), ("start", "end"), forbid_dtd=True))
    except DefusedXmlException:
        raise FormRefusedError(
            "declares a document type or entities, which no report needs and which is refused"
        ) from None
    except (ParseError, ValueError, LookupError) as error:  # also an encoding that is not known
        raise FormRefusedError(f"not XML: {error}") from None


def _gone_through(steps: "Iterable[tuple[str, Element]]") -> _Suites:
    """Take every element as it ends, and keep none of them: a report may have a great many.

    Without recursion, since it is the file that says how deep it nests.
    """
    found = _Suites()
    open_ones: list[tuple[Element, _Tally]] = []
    for step, element in steps:
        if step == "start":
            if not open_ones:
                _check_root(element)
            if len(open_ones) == DEEPEST_XML:
                raise FormRefusedError(f"nests more than {DEEPEST_XML:,} elements, the most")
            open_ones.append((element, _Tally()))
            continue
        _, tally = open_ones.pop()
        found.end(element, tally)
        if open_ones:
            above, beside = open_ones[-1]
            beside.add(tally)
            above.remove(element)
    return found


def _check_root(root: "Element") -> None:
    tag = root.tag.rpartition("}")[2].lower()
    if tag not in _SUITES:
        raise FormRefusedError(f"<{tag}> is not a JUnit report: <testsuites> or <testsuite>")


def _mark(element: "Element", name: str, tag: str) -> str | None:
    """What an element below a suite says other than that all is well; failures are taken apart."""
    if tag == "testcase":
        return _objection(element.attrib)
    if tag == "property":
        if "." in element.get("name", ""):  # of the system or of the build: a setting
            return None
        said = element.get("value") or (element.text or "").strip()
        return _objection({element.get("name", ""): said})
    about, text = meaning(name), (element.text or "").strip()
    if about is Meaning.BAD:
        return f"it has <{tag}>"
    if about is Meaning.STATUS:
        values = [_value(one) for one in element.attrib.values()]
        return (objection({tag: text}) if text else None) or objection({tag: values})
    return _objection(element.attrib)


def _difference(suite: "Element", tag: str, tally: _Tally) -> str | None:
    """In what a suite's attributes are not what it holds; failures are taken elsewhere."""
    if "tests" in suite.attrib and (said := _attribute(suite, tag, "tests")) != tally.cases:
        return f"tests is {said} at a suite that holds {tally.cases}"
    found = _objection({"tests": str(tally.cases)} | suite.attrib)
    return found and f"{found} at a suite"


def _objection(said: Mapping[str, str]) -> str | None:
    if not said:
        return None
    return objection({name.rpartition("}")[2]: _value(text) for name, text in said.items()})


def _value(text: str) -> str | int:
    """An attribute's value as JSON would have it."""
    text = text.strip()
    if _DIGITS.fullmatch(text) is not None:
        return int(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def _attribute(suite: "Element", tag: str, name: str) -> int:
    text = suite.attrib.get(name, "0")
    if _DIGITS.fullmatch(text) is None:
        raise FormRefusedError(f"<{tag}>: {name}: is not a number of tests, from 0")
    return int(text)
