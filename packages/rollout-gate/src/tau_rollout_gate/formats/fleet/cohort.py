"""A cohort as lines, TSV, JSON, or an inventory of Ansible; and why a host is in it."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tau_rollout_gate.formats.phrases import document, shown


class ShownCohort(NamedTuple):
    """A cohort as it is printed: its phase, the share, and each host with its group."""

    phase: str
    percent: int
    hosts: Sequence[tuple[str, str]]


def why_text(sentence: str, check: str, phase: str | None) -> str:
    """Say why a host is in a cohort or not, how to check that, and from which phase on it is."""
    lines = [
        sentence,
        f"its first phase, as the roster is now: {phase or 'none'}",
        *([f"to check the score: {check}"] if check else []),
    ]
    return "".join(f"{shown(line)}\n" for line in lines)


def _lines(cohort: ShownCohort) -> str:
    return "".join(f"{host}\n" for host, _ in cohort.hosts)


def _tsv(cohort: ShownCohort) -> str:
    return "".join(f"{host}\t{group}\n" for host, group in cohort.hosts)


def _json(cohort: ShownCohort) -> str:
    return document(
        phase=cohort.phase,
        canary_percent=cohort.percent,
        hosts=[{"host": host, "group": group} for host, group in cohort.hosts],
    )


def _ansible(cohort: ShownCohort) -> str:
    """An inventory as a dynamic one prints it, of one group, `canary`."""
    names = [host for host, _ in cohort.hosts]
    inventory = {"canary": {"hosts": names}, "_meta": {"hostvars": {}}}
    return document(**inventory).replace('  "schema_version": 1,\n', "")


COHORT_FORMATS: Mapping[str, Callable[[ShownCohort], str]] = {
    "lines": _lines,
    "tsv": _tsv,
    "json": _json,
    "ansible": _ansible,
}
"""By the name of the format."""
