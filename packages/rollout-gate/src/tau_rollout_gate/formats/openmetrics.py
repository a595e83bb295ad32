"""OpenMetrics for a textfile collector: base units, no timestamps, one HELP a metric."""

from collections.abc import Iterable, Iterator

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.formats.phrases import is_closed, shown
from tau_rollout_gate.policy.findings import GateStatus

_PREFIX = "tau_rollout"

_OF_THE_PHASE = {
    "_soak_required_seconds",
    "_soak_held_seconds",
    "_earliest_promotion_timestamp_seconds",
}

_Sample = tuple[dict[str, str], int | float]


def render(answer: Answer) -> str:
    """Write the exposition of the answer, `# EOF` included."""
    return "\n".join((*_lines(answer), "# EOF")) + "\n"


def _lines(answer: Answer) -> Iterator[str]:
    where = {
        "release": answer.release,
        "phase": answer.phase_now,
        # Of a phase that was just entered the next one is not known here.
        "next_phase": "" if answer.advanced else answer.next_phase or "",
        "policy_sha256": answer.policy_sha256,
    }
    yield from _family("_info", "What is rolled out, and where it stands.", [(where, 1)])
    yield from _family(
        "_verdict",
        "What may be done now, 1 at the verdict that it is.",
        [({"verdict": each}, answer.verdict is each) for each in Verdict],
    )
    status = _status(answer)
    yield from _family(
        "_status",
        "Whether the rollout goes on, or how it ended, 1 at what it is.",
        [({"status": each}, status is each) for each in RolloutStatus],
    )
    reasons = [
        ({"number": str(number), "reason": reason}, 1)
        for number, reason in enumerate(answer.reasons, start=1)
    ]
    yield from _family("_reason_info", "Why the verdict is what it is.", reasons)
    yield from _family(
        "_gate_status",
        "How each gate stands, 1 at the status that it has.",
        [
            (
                {"gate": gate.name, "surface": gate.surface or "", "status": each},
                gate.status is each,
            )
            for gate in answer.gates
            for each in GateStatus
        ],
    )
    yield from _family(
        "_trigger_fired",
        "Whether a rollback trigger fired.",
        [
            ({"trigger": one.name, "surface": one.surface or ""}, one.fired)
            for one in answer.triggers
        ],
    )
    yield from _fleet(answer)
    soak, at_ms = answer.soak, answer.soak.earliest_promotion_unix_ms
    for name, help_text, value in (
        ("_canary_ratio", "The share of the canary.", answer.canary_percent_now / 100),
        ("_soak_required_seconds", "How long the gates have to hold.", soak.required_ms / 1000),
        ("_soak_held_seconds", "How long the gates have held.", soak.held_ms / 1000),
        (
            "_earliest_promotion_timestamp_seconds",
            "When promotion is possible at the earliest, given clean cycles.",
            None if at_ms is None else at_ms / 1000,
        ),
        ("_evaluated_timestamp_seconds", "When this was judged.", answer.evaluated_unix_ms / 1000),
    ):
        # The soak is that of the phase that was judged.
        is_left = answer.phase_now != answer.phase and name in _OF_THE_PHASE
        if value is not None and not is_left:
            yield from _family(name, help_text, [({}, value)])


def _fleet(answer: Answer) -> Iterator[str]:
    """Yield how many hosts of a fleet are how, by state and by group, and never a host."""
    fleet = answer.fleet
    if fleet is None:
        return
    yield from _family(
        "_fleet_hosts",
        "How many hosts there are by state, of those that are to have the release and the others.",
        [
            ({"arm": arm, "state": one.state}, one.hosts)
            for arm, counts in (("canary", fleet.canaries), ("control", fleet.control))
            for one in counts
        ],
    )
    cohort = fleet.cohort
    for name, help_text, value in (
        ("_fleet_cohort_hosts", "How many hosts were pinned with the release.", cohort.hosts),
        ("_fleet_not_clean_hosts", "How many of them count as not clean.", cohort.not_clean),
        ("_fleet_tolerated_hosts", "How many of them may be.", cohort.tolerated),
        ("_fleet_contaminated_hosts", "How many others show the release.", fleet.contaminated),
    ):
        yield from _family(name, help_text, [({}, value)])
    groups = [
        ({"group": one.name, "count": count}, value)
        for one in fleet.groups
        for count, value in (
            ("cohort", one.cohort),
            ("failed", one.failed),
            ("not_clean", one.not_clean),
            ("tolerated", one.tolerated),
        )
    ]
    yield from _family("_fleet_group_hosts", "The same by group, where it is told.", groups)


def _status(answer: Answer) -> RolloutStatus:
    """What the rollout is after the answer: what is over answers how it ended, for ever."""
    if not is_closed(answer) and not (answer.advanced and answer.verdict is Verdict.COMPLETE):
        return RolloutStatus.OPEN
    return {
        Verdict.HOLD: RolloutStatus.CANCELLED,
        Verdict.ROLLBACK: RolloutStatus.ROLLED_BACK,
    }.get(answer.verdict, RolloutStatus.COMPLETE)


def _family(name: str, help_text: str, samples: Iterable[_Sample]) -> Iterator[str]:
    full_name = _PREFIX + name
    unit = name.rpartition("_")[2]
    yield f"# TYPE {full_name} gauge"  # the text format, which collectors read, has no info
    if unit in {"seconds", "ratio"}:
        yield f"# UNIT {full_name} {unit}"
    yield f"# HELP {full_name} {help_text}"
    for labels, value in samples:
        yield f"{full_name}{_labels(labels)} {_number(value)}"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return shown(value).replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
