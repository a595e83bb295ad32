"""Every host of a fleet for the page of `report`: as one look sees it, or as recorded last."""

from collections.abc import Sequence

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import Answer, Found
from tau_rollout_gate.decision.fleet import HostState, WorstHost
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.fleet.chunk import Wanted
from tau_rollout_gate.fleet.partial import named_host
from tau_rollout_gate.fleet.plan import HostRow, Part
from tau_rollout_gate.fleet.table import TableRow, is_given
from tau_rollout_gate.fleet.tally import counted_rows
from tau_rollout_gate.formats.page.fleet import DrawnHost
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.rollout.ledger_check import Standing
from tau_rollout_gate.services.evaluate import Question, evaluate_news
from tau_rollout_gate.services.fleet.look import look, table_of


def evaluate_hosts(question: Question, standing: Standing) -> tuple[Found, Sequence[DrawnHost]]:
    """Judge a fleet's rollout as `evaluate` does, by one look that tells of each host, too.

    Raises:
        RolloutGateError: as `evaluate_news` does.
    """
    seen: list[DrawnHost] = []

    def judge(
        question: Question, rollout: Rollout, policy: Policy, evidence: Evidence, now: int
    ) -> Answer:
        found = look(question, rollout, policy, evidence, now, Wanted.ROWS)
        rows = [row for chunk in found.results for row in chunk.rows]
        seen[:] = map(_judged, counted_rows(found.ground.plan, found.partial, rows))
        return found.answer

    found = evaluate_news(question, standing, judge)
    fleet = standing.rollout.fleet
    if not standing.rollout.is_open and fleet is not None:
        seen[:] = map(_recorded, table_of(question.rollout_dir, fleet).rows.values())
    return found, tuple(seen)


def _judged(row: HostRow) -> DrawnHost:
    return DrawnHost(
        named_host(row),
        row.part,
        is_failed=row.counts_as_failed,
        held_ms=None if row.since_unix_ms is None else row.held_ms,
    )


def _recorded(row: TableRow) -> DrawnHost:
    return DrawnHost(
        WorstHost(
            host=row.host,
            group=row.record.group,
            state=row.state,
            reason=row.reason,
            why=row.reason.replace("_", " "),
        ),
        Part.CANARY if is_given(row.record) else Part.CONTROL,
        is_failed=row.state is HostState.FAILED,
    )
