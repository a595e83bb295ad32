"""Whether a validation report lets the release go on: what it says, and of which release.

The rules are the checklist's (runbooks/release-signoff-checklist.md, "The validation report").
"""

import re
from hashlib import sha256

from tau_rollout_gate.contract.rollout import UsedReport
from tau_rollout_gate.errors import FormRefusedError, NamedFileError, RefusedError
from tau_rollout_gate.evidence.report_forms import read_report
from tau_rollout_gate.evidence.said import Said
from tau_rollout_gate.evidence.values import ReportEvidence, ReportStatus
from tau_rollout_gate.versions import is_same_release

DEFAULT_NAME = "validation"
"""What a report is called whose option gives it no name."""

_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)=(.*)", re.DOTALL)


def parse_named(option: str) -> tuple[str, str]:
    """The name and the file of `[NAME=]FILE`.

    A file whose own name starts like one is given as `./a=b.json`.

    Raises:
        RefusedError: if it names no file.
    """
    named = _NAMED.fullmatch(option)
    name, path = (named[1], named[2]) if named else (DEFAULT_NAME, option)
    if not path:
        raise RefusedError(f"--validation {option!r}: names no file; write [NAME=]FILE")
    return name, path


def parse_report(
    raw: bytes, *, name: str, path: str, release: str, used_reports: tuple[UsedReport, ...]
) -> ReportEvidence:
    """What a report is worth for a release.

    Args:
        raw: The report's bytes, JSON or JUnit XML.
        name: What the policy calls it.
        path: Its file, as the operator named it.
        release: The release that it has to be of.
        used_reports: The reports that releases of this rollout directory were judged by.

    Raises:
        NamedFileError: if it is not a report that can be read; the text says why.
    """
    try:
        said = read_report(raw)
    except FormRefusedError as error:
        raise NamedFileError(f"{path}: not a validation report: {error}") from None
    digest = sha256(raw).hexdigest()
    status, detail = _judged(said, digest, release, used_reports)
    return ReportEvidence(
        name=name,
        path=path,
        sha256=digest,
        status=status,
        detail=detail,
        total=said.total,
        passed=said.passed,
        failed=said.failed,
    )


def _judged(
    said: Said, digest: str, release: str, used_reports: tuple[UsedReport, ...]
) -> tuple[ReportStatus, str]:
    """The status: first whether the report is this release's at all, then what it says."""
    for used in used_reports:
        if used.sha256 == digest and not is_same_release(used.release, release):
            return ReportStatus.USED_BEFORE, f"served the release {used.release} already"
    for other in said.releases:
        if not is_same_release(other, release):
            return ReportStatus.OTHER_RELEASE, f"is of the release {other[:60]!r}"
    if said.failed:
        return ReportStatus.FAILED, f"{said.failed} of {said.total} failed"
    if said.contradiction is not None:
        return ReportStatus.INCONSISTENT, said.contradiction
    if said.total:
        return ReportStatus.PASSED, f"all {said.total} passed"
    return ReportStatus.EMPTY, "no test ran"
