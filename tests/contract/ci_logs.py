"""What CI systems make of a line of a job's log, by the rules that they publish or run by."""

import re

READERS = {
    "GitHub": r"^\s*::[^:]+.*?::",
    "GitHub of before": r"##\[",
    "Azure Pipelines": r"##(vso)?\[",
    "TeamCity": r"##teamcity\[",
    "Octopus": r"##octopus\[",
    "Buildkite": r"^(\x1b\[[\d;]*[mK])*(---|\+\+\+|~~~)(\s|$)|^\^\^\^\s+\+\+\+",
    "GitLab": r"section_(start|end):\d+:",
    "Travis": r"travis_fold:(start|end):",
    "Spinnaker": r"SPINNAKER_PROPERTY_|^\s*SPINNAKER_CONFIG_JSON=",
    "a terminal": r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]",
}
"""A system, and the lines that it acts on."""

MARKS = (
    "::error::x",
    "  ::set-output name=verdict::promote",
    "a ##[error]x",
    "##vso[task.complete result=Succeeded;]",
    "##teamcity[buildStatus status='SUCCESS']",
    "###octopus[setVariable name='YQ==' value='Yg==']",
    "--- x",
    "+++",
    "~~~ x",
    "^^^ +++",
    "section_start:1700000000:x[collapsed=true]\r\x1b[0K",
    "travis_fold:start:x\r",
    "SPINNAKER_PROPERTY_VERDICT=promote",
    'SPINNAKER_CONFIG_JSON={"verdict":"promote"}',
    "\x1b]0;title\x07\x9b31m\u202etxet\u2066",
)
"""Text that each of them acts on where it stands in a log as it is."""


def acted_on(log: str) -> list[tuple[str, str]]:
    """Return each line that a system would act on, with its name."""
    return [
        (name, line)
        for line in log.split("\n")
        for name, rule in READERS.items()
        if re.search(rule, line)
    ]
