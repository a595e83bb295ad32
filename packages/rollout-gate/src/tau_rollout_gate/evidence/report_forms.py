"""What a validation report says: JSON or JUnit XML in, its numbers out, nothing coerced.

JSON counts in `total`, `passed` and `failed`, at the top or under `overall`, each perhaps with the
suffix `_surfaces`. In JUnit XML the test cases count; what a suite's attributes say has to agree.
In both, nothing else may speak against a pass (`report_words`).
The rules are the checklist's (runbooks/release-signoff-checklist.md, "The validation report").
"""

import codecs
from collections.abc import Mapping
from typing import Any

from tau_rollout_gate.contract.forms import LARGEST_INTEGER, json_of
from tau_rollout_gate.errors import FormRefusedError
from tau_rollout_gate.evidence.report_words import objection
from tau_rollout_gate.evidence.report_xml import said_in_xml
from tau_rollout_gate.evidence.said import MOST_VALUES, Said

_COUNTS = ("total", "passed", "failed")


def read_report(raw: bytes) -> Said:
    """What the bytes of a report say, also behind a byte order mark.

    Raises:
        FormRefusedError: if it is not a report of either form; the text says why.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if raw.lstrip().startswith(b"<"):
        return said_in_xml(raw)
    if sum(map(raw.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise FormRefusedError(f"has more than {MOST_VALUES:,} values, the most")
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
