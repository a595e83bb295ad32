"""What the terminal shows: for people what they should look at, for programs all of it."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from tau_custom_command.cli.answers import text as summary
from tau_custom_command.cli.answers.next_steps import HowAsked
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.errors import Problem
from tests.custom_command.cases import case_object, malformed, registered, retryable, success
from tests.custom_command.executing import RUN, create, run, write
from tests.custom_command.running import Command, Json, Runtime

PROBLEM = Problem(case_id="a\x1b", field="expected", message="is missing; add it")


TOLD = tuple(word for word in RUN if word != "--json")
STORE = Path("state/channel-store")
ASKED = HowAsked("f.json", "s")
ACCEPT = "'tau-custom-command accept f.json --state-dir s' shows how"


def drifting(number: int) -> list[dict[str, object]]:
    """Return that many cases that drift."""
    return [
        case_object(f"{index:03}", expected=success(status_code=299)) for index in range(number)
    ]


def test_a_line_for_each_case_that_was_not_plainly_applied(runtime: Runtime) -> None:
    """Worst first, in columns, with what was expected and observed; then the others' number."""
    runtime.retry_max_attempts = 2
    report = runtime.run(
        case_object("a"),
        case_object("b-rejected", "RUN", "none", expected=malformed(404)),
        case_object("c-flaky", simulate_retryable_failure=True, expected=retryable()),
        case_object("d-other-body", "LIST", "", expected=success("LIST", response_body={})),
        case_object("e", expected=success(status_code=299)),
        case_object("f"),
    )
    assert summary.cases_as_text(report.settlements, STORE).splitlines() == [
        (
            "✗  d-other-body  drifted   expected success 200, observed success 200 with another "
            "response body"
        ),
        "✗  e             drifted   expected success 299, observed success 201",
        (
            "✗  c-flaky       failed    retryable_failure 503 custom_command_backend_unavailable "
            "(the backend is unavailable (simulated)) after 2 attempts"
        ),
        (
            "-  b-rejected    rejected  malformed_input 404 custom_command_invalid_name "
            "(the command 'none' is not registered)"
        ),
    ]
    assert summary.run_as_text(report, ASKED).startswith("✓  2 cases applied\ncycle 1 in s: ")


def test_a_case_that_succeeded_only_after_retries_is_told(runtime: Runtime) -> None:
    """It is applied, and somebody should know that it was tried again."""
    (settled,) = runtime.run(case_object("a")).settlements
    retried = settled._replace(retry_attempts=1)
    assert summary.cases_as_text([retried], STORE) == "-  a  retried  success 201 after 2 attempts"


def test_one_case_is_one(runtime: Runtime) -> None:
    """Where all went well there is a count, and nothing else; where nothing was done, nothing."""
    report = runtime.run(case_object("a"))
    assert summary.cases_as_text(report.settlements, STORE) == ""
    assert summary.run_as_text(report, ASKED).startswith("✓  1 case applied\n")
    report = runtime.run(case_object("a"))
    assert summary.run_as_text(report, ASKED).startswith("cycle 2 in s: ")


@pytest.mark.parametrize(
    ("failures", "lines", "last"),
    [
        (20, 20, "✗  019  drifted  expected success 299, observed success 201"),
        (21, 21, "  and 1 more drifted: see state/channel-store"),
    ],
    ids=["all are shown", "the rest is counted"],
)
def test_cases_are_told_up_to_a_number(
    runtime: Runtime, failures: int, lines: int, last: str
) -> None:
    """A run lists what failed, but never floods the terminal; it says where the rest is."""
    told = summary.cases_as_text(runtime.run(*drifting(failures)).settlements, STORE).splitlines()
    assert (len(told), told[-1]) == (lines, last)


def test_what_is_long_to_tell_is_told_once(runtime: Runtime) -> None:
    """Where many cases fail for one reason, as without an approval, each has a short line."""
    cases = [case_object(name, "RUN", channel) for name, channel in zip("abc", "xxy", strict=True)]
    first, same, other = summary.cases_as_text(runtime.run(*cases).settlements, STORE).splitlines()
    assert first.endswith("(the command 'x' is not registered)")
    assert same == "✗  b  drifted  as above"
    assert other.endswith("(the command 'y' is not registered)")


def test_a_case_id_cannot_act_on_the_terminal_nor_fill_it(runtime: Runtime) -> None:
    """Ids are somebody's data: escaped, and cut where they are long."""
    hostile = case_object("a\x1b[31m\n" + "x" * 100, expected=success(status_code=299))
    told = summary.cases_as_text(runtime.run(hostile).settlements, STORE)
    assert told.startswith("✗  a\\x1b[31m\\nxxx")
    assert told.partition("  drifted  ")[0].endswith("x…")
    assert len(told) < 130


def test_two_lines_for_a_cycle(runtime: Runtime) -> None:
    """What was done, without what is zero; then the health, and what to do about it."""
    report = runtime.run(*drifting(2), case_object("x"))
    assert summary.run_as_text(report, ASKED).splitlines() == [
        "✓  1 case applied",
        "cycle 1 in s: 3 cases, 1 applied, 2 failed; commands: 1 written",
        (
            "health: degraded, 2 cases failed in the last cycle; "
            f"correct the fixture ({ACCEPT}), or the registry that it runs against"
        ),
    ]


def test_a_cycle_after_which_there_is_nothing_to_do(runtime: Runtime) -> None:
    """No advice where all is well."""
    report = runtime.run(case_object("a"))
    assert summary.run_as_text(report, HowAsked("f.json", "s\n")).splitlines() == [
        "✓  1 case applied",
        "cycle 1 in s\\n: 1 case, 1 applied; commands: 1 written",
        "health: healthy, the last cycle ended without a failed case",
    ]


def test_failures_that_were_expected_ask_for_nothing(runtime: Runtime) -> None:
    """They are tried again anyway."""
    report = runtime.run(
        case_object("a", simulate_retryable_failure=True, expected=retryable()),
    )
    told = summary.run_as_text(report, ASKED)
    assert told.endswith("; they failed as expected, and the next cycle tries them again")


def test_a_backend_that_is_not_available_is_no_fault_of_the_fixture(runtime: Runtime) -> None:
    """Where that is all that is wrong; else the fixture comes first."""
    unavailable = case_object("a", simulate_retryable_failure=True, expected=success())
    told = summary.run_as_text(runtime.run(unavailable), ASKED)
    assert told.endswith(
        "; mend what these cases call, which is not available; the next cycle tries them again"
    )
    told = summary.run_as_text(runtime.run(unavailable, *drifting(1)), ASKED)
    assert f"; correct the fixture ({ACCEPT}), or" in told


def test_a_backlog_says_how_it_drains(runtime: Runtime) -> None:
    """What the queue limit left over waits for another run."""
    runtime.queue_limit = 1
    told = summary.run_as_text(runtime.run(case_object("a"), case_object("b")), ASKED)
    assert told.splitlines()[1] == (
        "cycle 1 in s: 2 cases, 1 applied, 1 left over; commands: 1 written"
    )
    assert told.endswith(
        "; raise --queue-limit, or run again, without --fresh, for what is left over"
    )


def test_json_has_the_events_keys_and_the_queue_depth(runtime: Runtime) -> None:
    """Programs get the event as written, health state, streak, queue depth and reason."""
    report = runtime.run(case_object("a"))
    expected = runtime.files.events()[-1] | {"queue_depth": 0}
    assert json.loads(json.dumps(summary.run_as_json(report.event, report.health))) == expected


def test_where_all_are_duplicates_the_way_out_is_named(runtime: Runtime) -> None:
    """A cycle that did nothing says so, and names --fresh; others do not."""
    first = runtime.run(case_object("a"))
    again = runtime.run(case_object("a"))
    assert summary.run_as_text(again, ASKED).splitlines() == [
        "cycle 2 in s: 1 case, 1 done before",
        (
            "health: healthy, the last cycle ended without a failed case; every case was done "
            "before, so nothing was done: --fresh does them anew"
        ),
    ]
    assert "--fresh" not in summary.run_as_text(first, ASKED)


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
    record = replace(registered("a")["a"], command_name="a\x1b[31m\n")
    assert "\x1b" not in summary.registry_as_text([record])
    assert "\x1b" not in summary.record_as_text(record)


def test_a_record_shows_an_execution_only_after_one() -> None:
    """What is of an execution is left out where nothing was executed."""
    record = registered("a", template="echo {{who}}")["a"]
    lines = dict(line.split(":", 1) for line in summary.record_as_text(record).splitlines())
    assert lines["template"].strip() == "echo {{who}}"
    assert lines["run_count"].strip() == "0"
    assert not {name for name in lines if name.startswith("last_exit")}
    executed = replace(record, last_command_line="echo you", last_exit_code=0)
    assert "last_exit_code:" in summary.record_as_text(executed)
    assert set(lines) < set(CommandRecord.__struct_fields__)


@pytest.mark.parametrize(
    ("template", "stated", "is_told"),
    [
        ("echo a", {"stdout": {"equals": "b"}}, True),
        ("echo a", {"stdout": {"contains": "b"}}, False),
        ("echo a", {"stdout": {"matches": "b"}}, False),
        ("echo a", {"stdout": {"contains": "b"}, "exit_code": 1}, True),
        ("false", {}, True),
    ],
)
def test_accept_is_told_where_it_can_take_what_drifted(
    command: Command, template: str, stated: Json, *, is_told: bool
) -> None:
    """Of text that is to be found somewhere it is for people to say what that is."""
    case = run("1", "a", expected=success("RUN") | stated)
    write(command.folder, create("a", template), case)
    done = command(*TOLD)
    assert done.code == 3, done
    health = done.out.splitlines()[-1]
    assert ("'tau-custom-command accept fixture.json --state-dir state'" in health) is is_told
    assert "correct the fixture" in health


def test_accept_is_not_told_of_a_run_that_was_refused(command: Command) -> None:
    """That the fixture could expect the refusal is no advice."""
    write(command.folder, create("a", "echo {{x}}"), run("1", "a"))
    done = command(*TOLD)
    assert done.code == 3, done
    assert "correct the fixture, or the registry" in done.out
