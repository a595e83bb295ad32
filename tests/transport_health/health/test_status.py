"""The operator's report: every count, from the state and from the whole log."""

from tau_transport_health.health.assessment import CLOCK_PINNED
from tests.transport_health.running import Inspector
from tests.transport_health.state_files import (
    NOW_UNIX_MS,
    chain,
    event,
    line_of,
    minimal_event,
    minimal_state,
    record,
    snapshot,
    state_of,
)

KEYS = [
    "state_path",
    "events_log_path",
    "events_log_present",
    "health_state",
    "health_reason",
    "rollout_gate",
    "processed_case_count",
    "command_count",
    "command_name_counts",
    "operation_counts",
    "outcome_counts",
    "status_code_counts",
    "total_run_count",
    "cycle_reports",
    "invalid_cycle_reports",
    "last_reason_codes",
    "reason_code_counts",
    "health",
    "snapshot_age_ms",
    "stale",
    "warnings",
]


def test_the_report_has_the_documented_keys_in_their_order(inspector: Inspector) -> None:
    """With a good state, and without one: programs find every key."""
    report = inspector("status", "custom-command", "--json").json()
    assert [key for key in report if key in KEYS] == KEYS
    inspector.directory().good()
    done = inspector("status", "custom-command", "--json")
    assert [key for key in done.json() if key in KEYS] == KEYS


def test_everything_is_counted(inspector: Inspector) -> None:
    """Commands by name, operation, outcome and status; cycles and codes over the whole log."""
    directory = inspector.directory()
    lines = chain(4, reason_codes=["healthy_cycle"], cycle_duration_ms=7)
    commands = [
        record("a", operation="CREATE", last_status_code=201, run_count=0),
        record("b"),
        record("c", run_count=4),
    ]
    directory.write(
        state_of(lines[-1], commands=commands, processed_case_keys=["x", "y", "z"]), lines
    )
    report = inspector("status", "custom-command", "--json", now_unix_ms=NOW_UNIX_MS + 9).json()
    wanted = {
        "state_path": ".tau/custom-command/state.json",
        "events_log_path": ".tau/custom-command/runtime-events.jsonl",
        "events_log_present": True,
        "health_state": "healthy",
        "health_reason": "the last cycle ended without a failed case",
        "rollout_gate": "pass",
        "processed_case_count": 3,
        "command_count": 3,
        "command_name_counts": {"a": 1, "b": 1, "c": 1},
        "operation_counts": {"CREATE": 1, "RUN": 2},
        "outcome_counts": {"success": 3},
        "status_code_counts": {"200": 2, "201": 1},
        "total_run_count": 7,
        "cycle_reports": 4,
        "invalid_cycle_reports": 0,
        "last_reason_codes": ["healthy_cycle"],
        "reason_code_counts": {
            "command_registry_mutated": 3,
            "command_runs_recorded": 3,
            "healthy_cycle": 1,
        },
        "health": snapshot(event(cycle_duration_ms=7)),
        "snapshot_age_ms": 9,
        "stale": False,
        "warnings": [CLOCK_PINNED],
    }
    assert {key: report[key] for key in KEYS} == wanted


def test_people_read_words_and_what_is_not_zero(inspector: Inspector) -> None:
    """The judgement first, then what adds up, then the codes; nothing that is zero, no raw text."""
    directory = inspector.directory()
    names = [f"c{number:02}" for number in range(11)] + ["\x1b[2J"]
    codes = ["healthy_cycle", "x" * 1000 + "\x1b"]
    lines = chain(2, reason_codes=codes, backlog_cases=0)
    commands = [record(name, run_count=0) for name in names]
    directory.write(state_of(lines[-1], commands=commands), lines)
    done = inspector("status", "custom-command", now_unix_ms=NOW_UNIX_MS + 61_000)
    assert done.out.splitlines() == [
        "custom-command (no-code-command-registry): healthy, gate pass",
        "  reason:     the last cycle ended without a failed case",
        f"  warning:    {CLOCK_PINNED}",
        "  age:        1 min 1 s ago, of .tau/custom-command/state.json",
        "  last cycle: 5 discovered, 3 completed, 1 duplicates, 12 ms",
        "  do:         nothing to do",
        "",
        "  warning:    there are more codes that are not known than are counted by name",
        "  cases:      2 processed",
        "  commands:   12 registered",
        r"  named:      \x1b[2J, c00, c01, c02, c03, c04, c05, c06, c07, c08 and 2 more",
        "  operations: RUN (12)",
        "  outcomes:   success (12)",
        "  status:     200 (12)",
        "  cycles:     2 in .tau/custom-command/runtime-events.jsonl",
        "",
        "REASON CODE               CYCLES  IN THE LAST",
        "(other codes)             1",
        "command_registry_mutated  1",
        "command_runs_recorded     1",
        "healthy_cycle             1       yes",
    ]
    inspector.directory("voice").write(minimal_state(), None)
    nothing = inspector("status", "voice").out
    assert nothing.endswith("  event log:  there is none\n")
    assert "last cycle: 5 discovered" in nothing


def test_no_state_leaves_what_the_log_says(inspector: Inspector) -> None:
    """Exit 5 and a hold, with the log counted all the same."""
    directory = inspector.directory()
    directory.write(None, [*chain(2), b"broken\n"])
    done = inspector("status", "custom-command", "--json")
    report = done.json()
    assert (done.code, report["rollout_gate"], report["health"]) == (5, "hold", None)
    assert (report["cycle_reports"], report["invalid_cycle_reports"]) == (2, 1)
    assert (report["command_count"], report["total_run_count"]) == (0, 0)
    assert (report["snapshot_age_ms"], report["stale"]) == (None, False)
    assert "state.json" in report["health_reason"]


def test_unknown_codes_and_invalid_lines_are_warned_of(inspector: Inspector) -> None:
    """Each unknown code once, the number of invalid lines and the first with its reason."""
    directory = inspector.directory()
    lines = chain(2)
    odd = line_of(event(number=3, previous=lines[-1], reason_codes=["b\x1b[31m", "a_code"]))
    directory.write(state_of(odd), [lines[0], b"{\n", b"[]\n", lines[1], odd])
    done = inspector("status", "custom-command", "--json")
    pinned, first, second, third = done.json()["warnings"]
    assert pinned == CLOCK_PINNED
    assert done.code == 0, "warnings hold nothing"
    assert first.startswith(
        "2 lines are invalid in the event log; the first is line 2: column 2: not JSON"
    )
    assert second == "the reason code 'a_code' is not known"
    assert third == r"the reason code 'b\x1b[31m' is not known"


def test_a_stale_state_is_said(inspector: Inspector) -> None:
    """`stale` is true beyond the limit, and the age is there."""
    inspector.directory().good()
    done = inspector(
        "status", "custom-command", "--json", "--max-age", "5s", now_unix_ms=NOW_UNIX_MS + 5001
    )
    report = done.json()
    assert (done.code, report["stale"], report["snapshot_age_ms"]) == (3, True, 5001)
    assert report["rollout_gate"] == "hold"


def test_another_transports_report(inspector: Inspector) -> None:
    """The same report of a writer that writes the least; that nothing is compared is said."""
    directory = inspector.directory("voice")
    directory.write(minimal_state(), [line_of(minimal_event())] * 2)
    done = inspector("status", "voice", "--json")
    report = done.json()
    assert (done.code, report["cycle_reports"], report["command_count"]) == (0, 2, 0)
    assert any("does not chain" in warning for warning in report["warnings"])


def test_why_the_gate_holds_is_in_the_report(inspector: Inspector) -> None:
    """A hold comes with its reason, in the JSON and in the text alike."""
    directory = inspector.directory()
    directory.write(None, [*directory.good(3), b"{"])
    assert "is torn" in inspector("status", "custom-command").out
    assert "is torn" in inspector("status", "custom-command", "--json").out
