"""Validation reports: JSON and JUnit XML, what each says, and what is made of it."""

import json
import time
import tracemalloc
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from tau_rollout_gate.contract.rollout import UsedReport
from tau_rollout_gate.errors import ExitCode, NamedFileError, RefusedError
from tau_rollout_gate.evidence.report import parse_named, parse_report
from tau_rollout_gate.evidence.values import ReportEvidence, ReportStatus
from tau_rollout_gate.versions import is_same_release

PASSED, FAILED = ReportStatus.PASSED, ReportStatus.FAILED
INCONSISTENT, EMPTY = ReportStatus.INCONSISTENT, ReportStatus.EMPTY
OTHER, USED = ReportStatus.OTHER_RELEASE, ReportStatus.USED_BEFORE
SECONDS_FOR_A_HOSTILE_FILE = 20


def judged(raw: bytes | str, *used: UsedReport, release: str = "1.4.0") -> ReportEvidence:
    """Return what is made of a report for a release."""
    raw = raw.encode() if isinstance(raw, str) else raw
    return parse_report(raw, name="validation", path="r.json", release=release, used_reports=used)


def refusal(raw: bytes | str) -> str:
    """Return why a report cannot be read; it is the operator's file, so that exit code is 5."""
    with pytest.raises(NamedFileError) as raised:
        judged(raw)
    assert raised.value.exit_code is ExitCode.CANNOT_ANSWER
    text = str(raised.value)
    assert text.startswith("r.json: not a validation report: ")
    return text.removeprefix("r.json: not a validation report: ")


COUNTED = {"total": 3, "passed": 3, "failed": 0}
SURFACES = {"total_surfaces": 3, "passed_surfaces": 3, "failed_surfaces": 0}


@pytest.mark.parametrize(
    ("report", "status", "detail"),
    [
        (COUNTED, PASSED, "all 3 passed"),
        (SURFACES, PASSED, "all 3 passed"),
        ({"overall": COUNTED}, PASSED, "all 3 passed"),
        ({"overall": SURFACES, "other": [1]}, PASSED, "all 3 passed"),
        (COUNTED | SURFACES | {"overall": COUNTED | SURFACES}, PASSED, "all 3 passed"),
        (COUNTED | {"passed": 2, "failed": 1}, FAILED, "1 of 3 failed"),
        (COUNTED | {"failed": 1}, FAILED, "1 of 3 failed"),  # a failure beats a contradiction
        (COUNTED | {"passed": 2}, INCONSISTENT, "2 passed and 0 failed are not 3"),
        (COUNTED | {"passed": 4}, INCONSISTENT, "4 passed and 0 failed are not 3"),
        ({"total": 1, "passed": 1, "failed": 0}, PASSED, "all 1 passed"),
        ({"total": 0, "passed": 0, "failed": 0}, EMPTY, "no test ran"),
        ({"total": 5, "passed": 0, "failed": 0}, INCONSISTENT, "0 passed and 0 failed are not 5"),
        (
            COUNTED | {"overall": {"total": 4, "passed": 4, "failed": 0}},
            INCONSISTENT,
            "the counts beside total and beside overall.total differ",
        ),
        (
            COUNTED | {"total_surfaces": 2, "passed_surfaces": 2, "failed_surfaces": 0},
            INCONSISTENT,
            "the counts beside total and beside total_surfaces differ",
        ),
        (
            {"overall": {"total": 4, "passed": 3, "failed": 1} | SURFACES},
            FAILED,
            "1 of 4 failed",
        ),
        (
            {
                "overall": COUNTED
                | {"total_surfaces": 3, "passed_surfaces": 2, "failed_surfaces": 1}
            },
            FAILED,
            "1 of 3 failed",
        ),
        (COUNTED | {"release": "1.4.0"}, PASSED, "all 3 passed"),
        (COUNTED | {"release": "v1.4.0"}, PASSED, "all 3 passed"),
        (COUNTED | {"release": "1.3.2"}, OTHER, "is of the release '1.3.2'"),
        (COUNTED | {"release": ""}, OTHER, "is of the release ''"),
        (COUNTED | {"release": "1.4.0 "}, OTHER, "is of the release '1.4.0 '"),
        (
            {"release": "1.4.0", "overall": COUNTED | {"release": "1"}},
            OTHER,
            "is of the release '1'",
        ),
        (COUNTED | {"failed": 1, "release": "1.3.2"}, OTHER, "is of the release '1.3.2'"),
    ],
)
def test_a_report_in_json(report: object, status: ReportStatus, detail: str) -> None:
    """Each place that the numbers may stand, each contradiction, each boundary, each release."""
    found = judged(json.dumps(report))
    assert (found.status, found.detail) == (status, detail)


@pytest.mark.parametrize(
    "beside",
    [
        {"errors": 3},
        {"errors": ["a"]},
        {"error": "no connection"},
        {"skipped": 2},
        {"numPendingTests": 1},
        {"failed_count": 1},
        {"not-run": 1},
        {"timedOut": True},
        {"exit_code": 1},
        {"success": False},
        {"success": None},
        {"success": 2},
        {"ok": "no"},
        {"executed": 2},
        {"all_passed": False},
        {"status": "failed"},
        {"status": "nobody knows"},
        {"result": None},
        {"outcome": 1},
        {"conclusion": ""},
        {"rollout_gate": "hold"},
        {"numRuntimeErrorTestSuites": 1},
        {"anyFailed": True},
        {"flakyFailures": 1},
        {"fatal_errors": ["a"]},
        {"xfailed": 1},
        {"unexpected": 1},
        {"unsuccessful": 1},
        {"not_ok": 1},
        {"never_ran": 1},
        {"exit_status": 1},
        {"exceptions": ["a"]},
        {"crash": True},
        {"dry_run": True},
        {"is_valid": False},
        {"passRate": 0.5},
        {"pass_rate": "50%"},
        {"success_percent": 99},
        {"failure_rate": 0.5},
        {"result": {"kind": "failed"}},
        {"statuses": ["ok", "Failed"]},
        {"results": {"a": "timed out"}},
        {"testCases": {"a": "not ok"}},
        {"checks": {"a": True, "b": False}},
        {"tests": {"a": "FAIL"}},
    ],
)
def test_what_stands_beside_the_counts_may_not_contradict_them(beside: dict[str, object]) -> None:
    """A counter, a flag or a status that no full pass has holds, wherever in the report it is."""
    for report in (
        COUNTED | beside,
        {"overall": COUNTED} | beside,
        {"overall": SURFACES | beside},
        COUNTED | {"surfaces": {"voice": {"total": 3} | beside}},
        COUNTED | {"surfaces": [{"total": 3, "passed": 3}, {"total": 3} | beside]},
        COUNTED | {"a": [[{"b": {"c": [{"total": 3} | beside]}}]]},
    ):
        found = judged(json.dumps(report))
        assert (found.status, next(iter(beside)) in found.detail) == (INCONSISTENT, True), report


@pytest.mark.parametrize(
    ("surface", "detail"),
    [
        ({"passed": False}, "surfaces.voice.passed is False"),
        ({"passed": 0}, "surfaces.voice.passed is 0"),
        ({"passed": 2, "total": 3}, "surfaces.voice.passed is 2"),
        ({"passed": 0.5}, "surfaces.voice.passed is 0.5"),
        ({"passed": {"a": True, "b": False}}, "surfaces.voice.passed.b is False"),
        ({"passed": ["a"]}, "surfaces.voice.passed[0] is 'a'"),
        ({"failed": {"a": 0, "b": 1}}, "surfaces.voice.failed.b is 1"),
        ({"total": 3, "tests": 4}, "surfaces.voice.total is 3"),
    ],
)
def test_what_a_part_of_a_report_says_counts(surface: dict[str, object], detail: str) -> None:
    """Of a surface, a suite or a case: that it passed is true, or as many as there are of it."""
    found = judged(json.dumps(COUNTED | {"surfaces": {"voice": surface}}))
    assert (found.status, found.detail) == (INCONSISTENT, detail)


def test_what_says_the_same_beside_the_counts_passes() -> None:
    """Zeros, empty lists, known good words, equal totals, and all that is not about a result."""
    surface = {"total": 2, "passed": 2, "failed": 0, "status": "PASSED", "error_code": "x"}
    report = COUNTED | {
        "errors": [],
        "skipped": 0,
        "error": None,
        "success": True,
        "result": "ok",
        "numTotalTests": 3,
        "executed": 3,
        "failed_surfaces": 0,
        "total_surfaces": 3,
        "passed_surfaces": 3,
        "max_errors": 5,
        "stop_on_error": True,
        "no_errors": True,
        "pass_rate": 1.0,
        "passing_percentage": 100,
        "success_rate": "100 %",
        "failure_rate": "0.0%",
        "verdicts": ["pass", "ok"],
        "results": "results.json",
        "checks": {"a": True, "b": "passed", "took_ms": 3},
        "duration_ms": 12,
        "name": "failed",
        "surfaces": [surface, {"passed": True}, {"passed": 1, "result": {"took_ms": 1}}],
    }
    found = judged(json.dumps(report))
    assert (found.status, found.detail) == (PASSED, "all 3 passed")


def test_what_is_recorded_of_a_report() -> None:
    """Its name and path as they were given, the digest of its bytes, and its numbers."""
    raw = b'{"total": 4, "passed": 3, "failed": 1}\n'
    found = parse_report(raw, name="smoke", path="x/r.json", release="1.4.0", used_reports=())
    assert (found.name, found.path, found.sha256) == ("smoke", "x/r.json", sha256(raw).hexdigest())
    assert (found.total, found.passed, found.failed) == (4, 3, 1)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe<\x00", "not UTF-8"),
        (b"[]", "the report is not an object"),
        (b"{}", "has no total, passed and failed, neither at its top nor in overall"),
        (b'{"overall": {}}', "has no total, passed and failed"),
        (b'{"overall": []}', "overall: is not an object"),
        (b'{"overall": null, "total": 1, "passed": 1, "failed": 0}', "overall: is not an object"),
        (b'{"total": 1, "passed": 1}', "failed: is missing"),
        (b'{"total": 1, "passed_surfaces": 1, "failed": 0}', "passed: is missing"),
        (b'{"overall": {"failed_surfaces": 0}}', "overall.total_surfaces: is missing"),
        (b'{"total": 1, "passed": true, "failed": 0}', "passed: is not a number of tests"),
        (b'{"total": 1, "passed": 1, "failed": false}', "failed: is not a number of tests"),
        (b'{"total": 1.0, "passed": 1, "failed": 0}', "total: is not a number of tests"),
        (b'{"total": "1", "passed": 1, "failed": 0}', "total: is not a number of tests"),
        (b'{"total": 1, "passed": 2, "failed": -1}', "failed: is not a number of tests"),
        (b'{"total": 1, "passed": 1, "failed": null}', "failed: is not a number of tests"),
        (
            b'{"total": 9223372036854775808, "passed": 9223372036854775808, "failed": 0}',
            "total: is not a number of tests",
        ),
        (b'{"total": 1, "passed": 1, "failed": 1, "failed": 0}', "the key 'failed' stands twice"),
        (b'{"total": NaN, "passed": 1, "failed": 0}', "NaN is not a JSON number"),
        (b'{"total": 1, "passed": 1, "failed": 0, "release": 1}', "release: is not a string"),
        (b'{"total": 1, "passed": 1, "failed": 0, "release": null}', "release: is not a string"),
        (b'{"total": 1, "passed": 1, "failed": 0', "not JSON"),
        (b'{"a": ' * 100_000, "nested too deeply"),
        (b"<", "not XML"),
        (b"<testsuite>", "not XML"),
        (b"<html/>", "<html> is not a JUnit report"),
        (b'<?xml version="1.0" encoding="nope"?><testsuite/>', "not XML"),
        (b'<?xml version="1.0" encoding="utf-7"?><testsuite/>', "not XML"),
        (b'<testsuite tests="1.0"><testcase/></testsuite>', "tests: is not a number of tests"),
        (b'<testsuite tests="-1"/>', "<testsuite>: tests: is not a number of tests"),
        (b'<testsuite tests=""/>', "tests: is not a number of tests"),
        ('<testsuite tests="\u0661"/>', "tests: is not a number of tests"),
        (b'<testsuite failures="x"><testcase/></testsuite>', "failures: is not a number"),
        (b'<testsuite errors="x"><testcase/></testsuite>', "errors: is not a number"),
        (b'<testsuite tests="' + b"9" * 19 + b'"/>', "tests: is not a number of tests"),
    ],
)
def test_what_is_no_report_is_refused(raw: bytes | str, words: str) -> None:
    """Nothing is coerced, guessed or dropped: the file is named, and what is wrong with it."""
    assert words in refusal(raw)


@pytest.mark.parametrize(
    ("inside", "status", "detail"),
    [
        ("<testcase/>", PASSED, "all 1 passed"),
        ("<testcase><system-out>failure</system-out></testcase>", PASSED, "all 1 passed"),
        ("<testcase/><testcase><failure/></testcase>", FAILED, "1 of 2 failed"),
        ("<testcase/><testcase><error/></testcase>", FAILED, "1 of 2 failed"),
        ("<testcase><error/><failure/></testcase>", FAILED, "1 of 1 failed"),
        ("<testcase><failure/><skipped/></testcase>", FAILED, "1 of 1 failed"),
        ("<testcase><extra><failure/></extra></testcase>", FAILED, "1 of 1 failed"),
        ("<testcase/><error/>", FAILED, "1 of 1 failed"),  # of the suite as a whole
        ('<x:testcase xmlns:x="urn:x"><x:failure/></x:testcase>', FAILED, "1 of 1 failed"),
        (
            "<testcase/><testcase><skipped/></testcase>",
            INCONSISTENT,
            "1 of 2 did not pass: it has <skipped>",
        ),
        (
            '<testcase/><testcase status="notrun"/>',
            INCONSISTENT,
            "1 of 2 did not pass: status is 'notrun'",
        ),
        (
            '<testcase status="disabled"/>',
            INCONSISTENT,
            "1 of 1 did not pass: status is 'disabled'",
        ),
        (
            "<testcase/><skipped/>",
            INCONSISTENT,
            "1 of 1 did not pass: it has <skipped>",
        ),
        ("", EMPTY, "no test ran"),
        ("<testsuite><testsuite><testcase/></testsuite></testsuite>", PASSED, "all 1 passed"),
        (
            "<testsuite><testsuite><testcase><error/></testcase></testsuite></testsuite>",
            FAILED,
            "1 of 1 failed",
        ),
        (
            '<testsuite tests="2"><testcase/></testsuite>',
            INCONSISTENT,
            "tests is 2 at a suite that holds 1",
        ),
        (
            '<testsuite tests="0"><testcase/></testsuite>',
            INCONSISTENT,
            "tests is 0 at a suite that holds 1",
        ),
        ('<testsuite tests="9"/>', INCONSISTENT, "tests is 9 at a suite that holds 0"),
        (
            '<testsuite skipped="1"><testcase/></testsuite>',
            INCONSISTENT,
            "skipped is 1 at a suite",
        ),
        (
            '<testsuite disabled="1"><testcase/></testsuite>',
            INCONSISTENT,
            "disabled is 1 at a suite",
        ),
        ('<testsuite failures="1"><testcase/></testsuite>', FAILED, "1 of 1 failed"),
        ('<testsuite errors="1"><testcase/></testsuite>', FAILED, "1 of 1 failed"),
        (
            '<properties><property name="release" value="1.4.0"/></properties><testcase/>',
            PASSED,
            "all 1 passed",
        ),
        (
            '<properties><property name="release">v1.4.0</property></properties><testcase/>',
            PASSED,
            "all 1 passed",
        ),
        (
            '<properties><property name="release" value="1.3.2"/></properties><testcase/>',
            OTHER,
            "is of the release '1.3.2'",
        ),
        (
            '<properties><property name="release"/></properties><testcase/>',
            OTHER,
            "is of the release ''",
        ),
        (
            '<properties><property name="Release" value="1.3.2"/></properties><testcase/>',
            OTHER,
            "is of the release '1.3.2'",
        ),
        (
            '<testsuite release="1.3.2"><testcase/></testsuite>',
            OTHER,
            "is of the release '1.3.2'",
        ),
        (
            '<properties><property name="a.rerunFailing" value="2"/></properties><testcase/>',
            PASSED,
            "all 1 passed",
        ),
        (
            '<properties><property name="python" value="3.11"/></properties><testcase/>',
            PASSED,
            "all 1 passed",
        ),
    ],
)
def test_a_report_in_junit_xml(inside: str, status: ReportStatus, detail: str) -> None:
    """Test cases count, whatever nests them; attributes and properties have to agree."""
    for root in ("testsuites", "testsuite"):
        for before in ("", '<?xml version="1.0" encoding="UTF-8"?>\n', "\ufeff", "\n  "):
            found = judged(f"{before}<{root}>{inside}</{root}>")
            assert (found.status, found.detail) == (status, detail), (root, before)


@pytest.mark.parametrize("word", ["run", "Passed", "OK", "success", "completed", " passed "])
def test_a_case_may_say_that_it_passed(word: str) -> None:
    """The words that are known as good, in whatever case, as they stand or with spaces around."""
    case = f'<testcase status="{word}" result="{word}" success="True"><status>{word}</status>'
    found = judged(f'<testsuite status="{word}" passed="1" tests="1">{case}</testcase></testsuite>')
    assert (found.status, found.detail) == (PASSED, "all 1 passed")


@pytest.mark.parametrize(
    "case",
    [
        '<testcase status="failed"/>',
        '<testcase status="error"/>',
        '<testcase status="run" result="skipped"/>',
        '<testcase status="run" result="suppressed"/>',
        '<testcase status="nobody knows"/>',
        '<testcase status=""/>',
        '<testcase xmlns:x="urn:x" x:result="failed"/>',
        '<testcase success="False"/>',
        '<testcase skipped="1"/>',
        '<testcase timedOut="true"/>',
        "<testcase><status>failed</status></testcase>",
        "<testcase><skip/></testcase>",
        "<testcase><inconclusive/></testcase>",
        '<testsuite skips="1"><testcase/></testsuite>',
        '<testsuite status="failed"><testcase/></testsuite>',
        '<testsuite tests="1" passed="0"><testcase/></testsuite>',
        '<testsuite total="2"><testcase/></testsuite>',
        '<testsuite Tests="2"><testcase/></testsuite>',
        '<testsuite reruns="1"><testcase/></testsuite>',
        "<testcase/><errors/>",
        "<testcase><flakyFailure/></testcase>",
        "<testcase><rerunError/></testcase>",
        "<testcase><exception/></testcase>",
        '<testcase><status value="failed"/></testcase>',
        '<testcase><outcome type="error">ok</outcome></testcase>',
        '<testcase/><counters total="4" passed="1"/>',
        '<testcase><properties><property name="status" value="failed"/></properties></testcase>',
        '<testcase/><properties><property name="failures">2</property></properties>',
    ],
)
def test_a_case_that_says_anything_else_did_not_pass(case: str) -> None:
    """Unknown is no: the word counts, though neither a failure nor a skip stands in the case."""
    assert judged(f"<testsuites>{case}</testsuites>").status is INCONSISTENT
    failing = judged(f"<testsuites>{case}<testcase><Failure/></testcase></testsuites>")
    assert (failing.status, failing.failed) == (FAILED, 1)


RESULTS: dict[str, list[FinalResult]] = {
    "passed": [],
    "failed": [Failure()],
    "error": [Error()],
    "skipped": [Skipped()],
}


@given(st.lists(st.lists(st.sampled_from(sorted(RESULTS)), max_size=6), max_size=4))
def test_junit_reports_of_another_program(suites: list[list[str]]) -> None:
    """What an independent library writes is counted as it counts itself."""
    report = JUnitXml()
    for number, outcomes in enumerate(suites):
        suite = TestSuite(f"suite {number}")
        for outcome in outcomes:
            case = TestCase(f"case <{outcome}> & more")
            case.result = RESULTS[outcome]
            suite.add_testcase(case)
        report.add_testsuite(suite)
    report.update_statistics()  # type: ignore[no-untyped-call] # of a library
    found = judged(report.tostring())  # type: ignore[no-untyped-call] # of a library
    every = [outcome for outcomes in suites for outcome in outcomes]
    failed = report.failures + report.errors
    assert (found.total, found.failed) == (report.tests, failed)
    assert found.passed == every.count("passed") == report.tests - failed - report.skipped
    expected = PASSED if every else EMPTY
    expected = INCONSISTENT if report.skipped else expected
    assert found.status is (FAILED if failed else expected)


@given(
    counts=st.tuples(*[st.integers(-1, 4)] * 3),
    others=st.none() | st.tuples(*[st.integers(0, 4)] * 3),
)
def test_only_full_success_passes(
    counts: tuple[int, int, int], others: tuple[int, int, int] | None
) -> None:
    """Passed is: all ran and passed, at least one, in every place that says so."""
    report: dict[str, object] = dict(zip(("total", "passed", "failed"), counts, strict=True))
    if others is not None:
        report["overall"] = dict(zip(("total", "passed", "failed"), others, strict=True))
    if min(counts) < 0:
        refusal(json.dumps(report))
        return
    found = judged(json.dumps(report))
    total, passed, failed = counts
    assert (found.status is PASSED) == (
        total == passed > 0 and failed == 0 and others in {None, counts}
    )
    assert (found.status is FAILED) == (max(failed, (others or counts)[2]) > 0)


@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda text: f"<{text}".encode()))
def test_no_bytes_end_in_a_traceback(raw: bytes) -> None:
    """Any file is a report or is refused with its name."""
    with suppress(NamedFileError):
        assert judged(raw).sha256 == sha256(raw).hexdigest()


def test_a_report_serves_one_release() -> None:
    """Its digest, used for another release, is refused first of all; for the same one it is not."""
    raw = b'{"total": 1, "passed": 1, "failed": 0}'
    digest = sha256(raw).hexdigest()
    found = judged(raw, UsedReport(release="1.3.2", sha256=digest))
    assert (found.status, found.detail) == (USED, "served the release 1.3.2 already")
    assert judged(raw, UsedReport(release="1.4.0", sha256=digest)).status is PASSED
    assert judged(raw, UsedReport(release="v1.4.0", sha256=digest)).status is PASSED
    assert judged(raw, UsedReport(release="1.3.2", sha256="ab" * 32)).status is PASSED
    failing = b'{"total": 1, "passed": 0, "failed": 1}'
    used = UsedReport(release="1.3.2", sha256=sha256(failing).hexdigest())
    assert judged(failing, used).status is USED
    assert judged(failing, UsedReport(release="1.3.2", sha256="ab" * 32), used).status is USED


def test_a_leading_v_makes_no_other_release() -> None:
    """`v1.4.0` is `1.4.0`; nothing else is guessed."""
    assert is_same_release("v1.4.0", "1.4.0")
    assert is_same_release("1.4.0", "v1.4.0")
    assert not is_same_release("1.4.0", "1.4.1")
    assert not is_same_release("vv1.4.0", "1.4.0")
    assert not is_same_release("1.4.0-rc.1", "1.4.0")


BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>"""


@pytest.mark.parametrize(
    "declared",
    [
        BOMB,
        '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p; <!ENTITY c "">]>',
        '<!DOCTYPE testsuite SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE testsuite [<!ATTLIST testcase status CDATA "run">]>',
    ],
)
def test_hostile_xml_is_refused(declared: str) -> None:
    """Entities that grow, that name files or addresses, and any document type at all."""
    use = "&c;" if "ENTITY" in declared else ""
    words = refusal(f"{declared}<testsuite><testcase>{use}</testcase></testsuite>")
    assert words.startswith("declares a document type or entities")


def test_a_report_may_nest_as_deep_and_be_as_wide_as_it_likes() -> None:
    """Neither a long chain of suites nor a great many of them ends the process, or takes hours."""
    started = time.process_time()
    depth = 30_000
    deep = judged("<testsuite>" * depth + "<testcase/>" + "</testsuite>" * depth)
    assert (deep.status, deep.total) == (PASSED, 1)
    wide = judged(f"<testsuites>{'<testsuite><testcase/></testsuite>' * depth}</testsuites>")
    assert (wide.status, wide.total) == (PASSED, depth)
    assert time.process_time() - started < SECONDS_FOR_A_HOSTILE_FILE


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ("[" + "1," * 1_000_001, "values"),
        (f"<testsuite>{'<a/>' * 1_000_001}</testsuite>", "elements"),
        (f"<testsuite {'a= ' * 1_000_001}/>", "attributes"),
    ],
    ids=["values", "elements", "attributes"],
)
def test_what_would_cost_far_more_than_it_has_bytes_is_refused(raw: str, what: str) -> None:
    """Before it is read: 16 MiB of the shortest values took more than a GB."""
    assert refusal(raw) == f"has more than 1,000,000 {what}, the most"


def test_elements_within_each_other_have_a_limit() -> None:
    """They are the only ones that are kept."""
    words = refusal("<testsuite>" * 100_001 + "</testsuite>" * 100_001)
    assert words.endswith("nests more than 100,000 elements, the most")


def test_a_wide_report_costs_no_memory() -> None:
    """No element is kept once it ended."""
    raw = f"<testsuites>{'<testsuite><testcase/></testsuite>' * 20_000}</testsuites>".encode()
    tracemalloc.start()
    try:
        judged(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(raw)


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("report.json", ("validation", "report.json")),
        ("smoke=report.json", ("smoke", "report.json")),
        ("smoke-2_B=a=b.json", ("smoke-2_B", "a=b.json")),
        ("./a=b.json", ("validation", "./a=b.json")),
        ("/x/a=b.json", ("validation", "/x/a=b.json")),
        ("=b.json", ("validation", "=b.json")),
        ("a b=c.json", ("validation", "a b=c.json")),
        ("n=line\nbreak", ("n", "line\nbreak")),
    ],
)
def test_an_option_may_name_its_report(option: str, named: tuple[str, str]) -> None:
    """`[NAME=]FILE`: a name is letters, digits, `-` and `_`; what does not start so is a file."""
    assert parse_named(option) == named


@pytest.mark.parametrize("option", ["", "smoke="])
def test_an_option_without_a_file_is_refused(option: str) -> None:
    """It is the command line that is wrong, so that exit code is 2."""
    with pytest.raises(RefusedError, match=r"names no file; write \[NAME=\]FILE") as raised:
        parse_named(option)
    assert raised.value.exit_code is ExitCode.USAGE
