"""Health: the classification's table, and how it is said."""

import pytest

from tau_custom_command.contract.health import classify, explain


@pytest.mark.parametrize(
    ("streak", "failed", "expected"),
    [
        (0, 0, "healthy"),
        (0, 1, "degraded"),
        (1, 0, "degraded"),
        (1, 5, "degraded"),
        (2, 1, "degraded"),
        (3, 0, "failing"),
        (3, 1, "failing"),
        (4, 9, "failing"),
    ],
)
def test_streak_and_failed_cases_give_the_state(streak: int, failed: int, expected: str) -> None:
    """Failing from a streak of 3; degraded with any streak or failed case; healthy otherwise."""
    assert classify(failure_streak=streak, failed_cases=failed).value == expected


@pytest.mark.parametrize(
    ("streak", "failed", "expected"),
    [
        (0, 0, "the last cycle ended without a failed case"),
        (1, 1, "1 case failed in the last cycle"),
        (1, 2, "2 cases failed in the last cycle"),
        (2, 1, "1 case failed in the last cycle, the 2nd in a row with failures"),
        (3, 4, "4 cases failed in the last cycle, the 3rd in a row with failures"),
        (4, 1, "1 case failed in the last cycle, the 4th in a row with failures"),
        (11, 1, "1 case failed in the last cycle, the 11th in a row with failures"),
        (12, 1, "1 case failed in the last cycle, the 12th in a row with failures"),
        (13, 1, "1 case failed in the last cycle, the 13th in a row with failures"),
        (21, 1, "1 case failed in the last cycle, the 21st in a row with failures"),
        (111, 1, "1 case failed in the last cycle, the 111th in a row with failures"),
    ],
)
def test_the_reason_is_said_in_words(streak: int, failed: int, expected: str) -> None:
    """People read how many cases failed, and how often in a row."""
    assert explain(failure_streak=streak, failed_cases=failed) == expected
