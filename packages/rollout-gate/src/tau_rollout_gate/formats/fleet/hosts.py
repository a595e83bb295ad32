"""The hosts of a fleet, the worst first: text, TSV and JSON."""

from collections.abc import Callable, Mapping, Sequence

from tau_rollout_gate.decision.fleet import WorstHost
from tau_rollout_gate.durations import in_words
from tau_rollout_gate.formats.layout import aligned
from tau_rollout_gate.formats.phrases import document, shown

_HEADINGS = ("HOST", "GROUP", "STATE", "REASON", "AGE", "WHERE")


def place(host: WorstHost) -> str:
    """Where to look: `file:line`; empty where there is no place."""
    if host.file is None:
        return ""
    return host.file if host.line is None else f"{host.file}:{host.line}"


def _text(hosts: Sequence[tuple[WorstHost, str]], total: int) -> str:
    if not hosts:
        return "no host is so\n"
    rows = aligned([_HEADINGS, *(_row(host) for host, _ in hosts)])
    lines = [row.rstrip() for row in rows]
    if total > len(hosts):
        lines.append(f"and {total - len(hosts)} more")
    return "".join(f"{line}\n" for line in lines)


def _row(host: WorstHost) -> tuple[str, ...]:
    age = "" if host.age_ms is None else in_words(max(host.age_ms, 0))
    return host.host, host.group, host.state, host.reason, age, place(host)


def _tsv(hosts: Sequence[tuple[WorstHost, str]], _total: int) -> str:
    return "".join(
        "\t".join((host.host, host.group, part, host.state, host.reason, shown(place(host)))) + "\n"
        for host, part in hosts
    )


def _json(hosts: Sequence[tuple[WorstHost, str]], total: int) -> str:
    return document(
        hosts=[{**host._asdict(), "part": part} for host, part in hosts],
        more=total - len(hosts),
    )


HOST_FORMATS: Mapping[str, Callable[[Sequence[tuple[WorstHost, str]], int], str]] = {
    "text": _text,
    "tsv": _tsv,
    "json": _json,
}
"""By the name of the format: hosts, each with what it counts as, and how many there are."""
