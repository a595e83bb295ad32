"""What cycles show that are alike is worked out once, and what is kept for it is bounded."""

from typing import Any

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.alike import Alike
from tests.rollout_gate.making import ENTERED, History


def cycles(*changes: dict[str, Any]) -> tuple[Cycle, ...]:
    """Return a cycle for each of the changes."""
    history = History()
    for one in changes:
        history.add(ENTERED + len(history.lines), **one)
    return history.cycles()


def test_what_is_not_looked_at_makes_no_difference() -> None:
    """A field or a counter that is looked at does, and so does one that is not told."""
    asked: list[Cycle] = []

    def shown(cycle: Cycle) -> int:
        asked.append(cycle)
        return cycle.event.counters.get("applied_cases", 0)

    alike = Alike(shown, ("run_mode", "applied_cases"))
    same, other, another, untold = cycles(
        {"queued_cases": 7}, {"applied_cases": 3}, {"run_mode": "execute"}, {"applied_cases": None}
    )
    assert [alike(one) for one in (same, same, other, another, untold, other)] == [5, 5, 3, 5, 0, 3]
    assert asked == [same, other, another, untold]


def test_little_is_kept() -> None:
    """A log in which every cycle is another takes no memory for that, nor do very many codes."""
    asked: list[Cycle] = []
    alike = Alike(asked.append, ("applied_cases",))
    many = cycles(*({"applied_cases": number} for number in range(1025)))
    for one in (*many, many[0]):
        alike(one)
    assert len(asked) == 1026
    (long,) = cycles({"reason_codes": [f"code_{number}" for number in range(65)]})
    alike(long)
    alike(long)
    assert len(asked) == 1028
