"""What the terminal shows: two lines for people, all of it for programs."""

from __future__ import annotations

import pytest

from tau_custom_command.cli import text as summary
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.errors import Problem
from tests.custom_command.cases import case_object, registered, success
from tests.custom_command.running import Runtime

PROBLEM = Problem(case_id="a\x1b", field="expected", message="is missing; add it")


def drifting(number: int) -> list[dict[str, object]]:
    """Return that many cases that drift."""
    return [
        case_object(f"{index:03}", expected=success(status_code=299)) for index in range(number)
    ]


def test_two_lines_with_every_counter(runtime: Runtime) -> None:
    """Every counter of the event line stands in the first line, health in the second."""
    report = runtime.run(*drifting(2), case_object("x"))
    counters, health = summary.run_as_text(report.event, report.health).splitlines()
    shown = dict(pair.split("=") for pair in counters.split())
    line = runtime.files.events()[-1]
    expected = {
        name: str(value)
        for name, value in line.items()
        if isinstance(value, int) and name.endswith(("_cases", "_skips", "_failures", "_attempts"))
    } | {name: str(line[name]) for name in ("upserted_commands", "deleted_commands")}
    expected["executed_runs"] = "0"
    assert expected.items() <= shown.items()
    assert health == (
        "health_state=degraded failure_streak=1 queue_depth=0 "
        "reason_codes=case_processing_failed,command_registry_mutated "
        "health_reason=2 cases failed in the last cycle"
    )


def test_json_has_the_events_keys_and_the_queue_depth(runtime: Runtime) -> None:
    """Programs get the event as written, health state, streak, queue depth and reason."""
    report = runtime.run(case_object("a"))
    expected = runtime.files.events()[-1] | {"queue_depth": 0}
    assert summary.run_as_json(report.event, report.health) == expected


@pytest.mark.parametrize(
    ("failures", "lines", "last"),
    [(20, 20, "Case '019' drifted"), (21, 21, "1 more failed; the channel store has them all.")],
    ids=["all are shown", "the rest is counted"],
)
def test_failures_are_told_up_to_a_number(
    runtime: Runtime, failures: int, lines: int, last: str
) -> None:
    """A run lists what failed, but never floods the terminal."""
    report = runtime.run(*drifting(failures))
    remarks = list(summary.run_remarks(report.event, report.failures))
    assert len(remarks) == lines
    assert remarks[-1].startswith(last)


def test_where_all_are_duplicates_the_way_out_is_named(runtime: Runtime) -> None:
    """A cycle that did nothing says so, and names --case-suffix; others do not."""
    first = runtime.run(case_object("a"))
    again = runtime.run(case_object("a"))
    (remark,) = summary.run_remarks(again.event, again.failures)
    assert "every case" in remark
    assert "--case-suffix" in remark
    assert list(summary.run_remarks(first.event, first.failures)) == []


@pytest.mark.parametrize(
    ("cases", "problems", "warnings", "expected"),
    [
        (1, [], [], ["x.json: valid, 1 case"]),
        (2, [], ["odd"], ["x.json: warning: odd", "x.json: valid, 2 cases"]),
        (
            0,
            [PROBLEM],
            [],
            ["x.json: case 'a\\x1b': expected: is missing; add it", "x.json: 1 problem"],
        ),
    ],
    ids=["one case", "a warning", "a problem"],
)
def test_a_validation_is_a_line_a_finding(
    cases: int, problems: list[Problem], warnings: list[str], expected: list[str]
) -> None:
    """Each problem and warning has its line, and the verdict comes last."""
    text = summary.validation_as_text("x.json", cases, problems, warnings)
    assert text.splitlines() == expected


def test_several_problems_are_counted() -> None:
    """The verdict says how many there are."""
    text = summary.validation_as_text("x.json", 0, [PROBLEM, PROBLEM], [])
    assert text.splitlines()[-1] == "x.json: 2 problems"


def test_a_validation_for_programs() -> None:
    """Programs get each problem in its parts."""
    value = summary.validation_as_json("x.json", 0, [PROBLEM], ["odd"])
    assert value == {
        "fixture": "x.json",
        "valid": False,
        "cases": 0,
        "problems": [
            {"case_id": "a\x1b", "field": "expected", "message": "is missing; add it"},
        ],
        "warnings": ["odd"],
    }
    assert summary.validation_as_json("x.json", 1, [], [])["valid"] is True


def test_the_registry_is_a_table() -> None:
    """Columns are as wide as they need to be, numbers stand right, nothing trails."""
    records = registered("b", "long-name", template="echo\x1b[0m").sorted_records()
    head, *rows = summary.registry_as_text(records).splitlines()
    assert head.split() == ["COMMAND", "RUNS", "LAST", "STATUS", "UPDATED", "TEMPLATE"]
    assert [row.split()[:4] for row in rows] == [
        ["b", "0", "CREATE", "201"],
        ["long-name", "0", "CREATE", "201"],
    ]
    assert {row.index("echo") for row in rows} == {head.index("TEMPLATE")}
    assert all(row.endswith("echo\\x1b[0m") for row in rows)


def test_an_empty_registry_is_said_so() -> None:
    """No table is drawn of nothing."""
    assert summary.registry_as_text([]) == "No commands are registered."


def test_a_state_file_cannot_send_escape_sequences() -> None:
    """Also a name that somebody wrote into `state.json` is shown harmlessly."""
    record = registered("a")["a"].model_copy(update={"command_name": "a\x1b[31m\n"})
    assert "\x1b" not in summary.registry_as_text([record])
    assert "\x1b" not in summary.record_as_text(record)


def test_a_record_shows_an_execution_only_after_one() -> None:
    """What is of an execution is left out where nothing was executed."""
    record = registered("a", template="echo {{who}}")["a"]
    lines = dict(line.split(":", 1) for line in summary.record_as_text(record).splitlines())
    assert lines["template"].strip() == "echo {{who}}"
    assert lines["run_count"].strip() == "0"
    assert not {name for name in lines if name.startswith("last_exit")}
    executed = record.model_copy(update={"last_command_line": "echo you", "last_exit_code": 0})
    assert "last_exit_code:" in summary.record_as_text(executed)
    assert set(lines) < set(CommandRecord.model_fields)
