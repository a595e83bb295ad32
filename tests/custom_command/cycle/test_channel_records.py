"""The channel store: what happened to each command, for programs and for people."""

import re

import pytest

from tau_custom_command.contract.form_errors import read_form
from tau_custom_command.cycle.attempt import Execution, result_of
from tau_custom_command.cycle.channel_records import account, code, sentence
from tau_custom_command.cycle.execution import Difference, Ended
from tau_custom_command.cycle.registry import RegistryChange
from tau_custom_command.cycle.settle import Settlement
from tau_custom_command.fixture.model import Case
from tau_custom_command.printable import printable
from tests.custom_command.cases import case_object, malformed, retryable, success
from tests.custom_command.running import Json, Runtime

HOSTILE = "a\x1b[31m\u202eb\nc\x9b\u200b"
"""An escape sequence, a right-to-left mark, a line break, a C1 control, an invisible space."""

MISSING = malformed(404, response_body={"status": "rejected"})


def one_entry(runtime: Runtime, channel: str, *cases: Json) -> Json:
    """Run a cycle and return the last entry of a channel's log."""
    runtime.run(*cases)
    return runtime.files.entries(channel)[-1]


def one_sentence(runtime: Runtime, channel: str, *cases: Json) -> str:
    """Run a cycle and return the last sentence of a channel's context."""
    runtime.run(*cases)
    text: str = runtime.files.entries(channel, "context.jsonl")[-1]["text"]
    return text


class TestWhichChannel:
    """Each case is recorded once, with its command or with the registry."""

    @pytest.mark.parametrize(
        ("case", "channel"),
        [
            (case_object("a", "CREATE", "greet"), "greet"),
            (case_object("a", "CREATE", " greet "), "greet"),
            (case_object("a", "RUN", "none", expected=malformed(404)), "none"),
            (case_object("a", "DELETE", "none"), "none"),
            (case_object("a", "LIST", ""), "registry"),
            (case_object("a", "list", "greet"), "registry"),
            (case_object("a", "CREATE", "registry", expected=malformed()), "registry"),
            (case_object("a", "CREATE", "../../up", expected=malformed()), "registry"),
            (case_object("a", "CREATE", "", expected=malformed()), "registry"),
            (case_object("a", "CREATE", HOSTILE, expected=malformed()), "registry"),
            (
                case_object(
                    "a",
                    "FROB",
                    "greet",
                    expected=malformed(400, "custom_command_invalid_operation"),
                ),
                "greet",
            ),
        ],
        ids=[
            "create",
            "trimmed",
            "run of none",
            "delete of none",
            "list",
            "list with a name",
            "reserved name",
            "path as a name",
            "no name",
            "hostile name",
            "unknown operation",
        ],
    )
    def test_the_channel_of_a_case(self, runtime: Runtime, case: Json, channel: str) -> None:
        """A valid name has its channel; LIST, and what has no valid name, go to `registry`."""
        runtime.run(case)
        files = runtime.files
        logged = {name for name in files.channels() if files.entries(name)}
        assert logged == {channel}
        assert files.channels() == {channel, "registry"}
        description = (files.channel(channel) / "schema.json").read_text()
        assert f'"channel_id": "{channel}"' in description

    def test_entries_stand_in_the_order_of_the_cases(self, runtime: Runtime) -> None:
        """A channel's log is what happened to its command, in order, over the cycles."""
        runtime.run(case_object("b", "RUN"), case_object("a"), case_object("a2", "CREATE", "other"))
        runtime.run(case_object("c", "DELETE"))
        entries = runtime.files.entries("greet")
        assert [e["payload"]["operation"] for e in entries] == ["create", "run", "delete"]
        assert [e["timestamp_unix_ms"] for e in entries] == [
            runtime.time.now_unix_ms - 1_000,
            runtime.time.now_unix_ms - 1_000,
            runtime.time.now_unix_ms,
        ]

    def test_a_channel_describes_itself(self, runtime: Runtime) -> None:
        """`schema.json` says whose folder it is, and is written once."""
        runtime.run(case_object("a"))
        path = runtime.files.channel("greet") / "schema.json"
        first = path.stat().st_ino
        runtime.run(case_object("b"))
        assert path.stat().st_ino == first
        assert path.read_text().split() == [
            "{",
            '"schema_version":',
            "1,",
            '"transport":',
            '"custom-command",',
            '"channel_id":',
            '"greet"',
            "}",
        ]


class TestEntries:
    """The log's entries, for programs."""

    def test_a_success(self, runtime: Runtime) -> None:
        """A success has the three counters and no error code."""
        case = case_object("a") | {"operation": "Create"}
        assert one_entry(runtime, "greet", case) == {
            "timestamp_unix_ms": runtime.time.now_unix_ms,
            "direction": "system",
            "event_key": "CREATE:greet:a",
            "source": "tau-custom-command-runner",
            "payload": {
                "outcome": "success",
                "operation": "create",
                "case_id": "a",
                "command_name": "greet",
                "status_code": 201,
                "upserted_commands": 1,
                "deleted_commands": 0,
                "executed_runs": 0,
            },
        }

    def test_malformed_input(self, runtime: Runtime) -> None:
        """The rest has its error code and no counters."""
        case = case_object("a", "RUN", expected=malformed(404))
        assert one_entry(runtime, "greet", case)["payload"] == {
            "outcome": "malformed_input",
            "operation": "run",
            "case_id": "a",
            "command_name": "greet",
            "status_code": 404,
            "error_code": "custom_command_invalid_name",
        }

    def test_a_retryable_failure_leaves_one_entry(self, runtime: Runtime) -> None:
        """However often it was tried, a case leaves one entry a cycle."""
        runtime.run(case_object("a", simulate_retryable_failure=True, expected=retryable()))
        (entry,) = runtime.files.entries("greet")
        assert entry["payload"]["error_code"] == "custom_command_backend_unavailable"
        assert "drift" not in entry["payload"]

    def test_a_drift_says_what_was_expected_and_observed(self, runtime: Runtime) -> None:
        """Both sides of a contract drift are recorded; a drifted success changed nothing."""
        expected = success(status_code=299, response_body={"n": 1})
        payload = one_entry(runtime, "greet", case_object("a", expected=expected))["payload"]
        assert payload["upserted_commands"] == 0
        assert payload["drift"] == {
            "expected": {
                "outcome": "success",
                "status_code": 299,
                "error_code": None,
                "response_body": {"n": 1},
            },
            "observed": {
                "outcome": "success",
                "status_code": 201,
                "error_code": None,
                "response_body": {
                    "status": "accepted",
                    "operation": "create",
                    "command_name": "greet",
                },
            },
        }

    def test_hostile_text_stays_data(self, runtime: Runtime) -> None:
        """Whatever an id holds, an entry is one line, and holds exactly that id."""
        entry = one_entry(runtime, "greet", case_object(HOSTILE))
        assert entry["payload"]["case_id"] == HOSTILE
        assert entry["event_key"] == f"CREATE:greet:{HOSTILE}"
        assert len(runtime.files.entries("greet")) == 1


class TestSentences:
    """The context's entries, for people."""

    @pytest.mark.parametrize(
        ("cases", "expected"),
        [
            ([case_object("a")], "Case 'a' created the command greet (status 201)."),
            (
                [case_object("a"), case_object("b", "UPDATE")],
                "Case 'b' updated the command greet (status 200).",
            ),
            (
                [case_object("a"), case_object("b", "RUN")],
                "Case 'b' recorded a RUN of the command greet, and started nothing (status 200).",
            ),
            (
                [case_object("a"), case_object("b", "DELETE")],
                "Case 'b' deleted the command greet (status 200).",
            ),
            (
                [case_object("a", "DELETE")],
                "Case 'a' had nothing to delete: greet was not registered (status 200).",
            ),
            (
                [case_object("a", "RUN", expected=malformed(404))],
                (
                    "Case 'a' was rejected as its fixture expects: malformed_input 404 "
                    "custom_command_invalid_name (the command 'greet' is not registered)."
                ),
            ),
            (
                [case_object("a", simulate_retryable_failure=True, expected=retryable())],
                (
                    "Case 'a' failed after 4 attempts: retryable_failure 503 "
                    "custom_command_backend_unavailable (the backend is unavailable (simulated))."
                ),
            ),
            (
                [case_object("a", expected=success(status_code=299))],
                (
                    "Case 'a' drifted from its contract: expected success 299, "
                    "observed success 201; nothing was changed."
                ),
            ),
            (
                [case_object("a", expected=success(response_body={}))],
                (
                    "Case 'a' drifted from its contract: expected success 201, "
                    "observed success 201 with another response body; nothing was changed."
                ),
            ),
            (
                [case_object("a", "RUN")],
                (
                    "Case 'a' drifted from its contract: expected success 200, "
                    "observed malformed_input 404 custom_command_invalid_name "
                    "(the command 'greet' is not registered); nothing was changed."
                ),
            ),
        ],
        ids=[
            "created",
            "updated",
            "recorded",
            "deleted",
            "nothing to delete",
            "rejected",
            "failed",
            "drifted",
            "another body",
            "unexpected",
        ],
    )
    def test_what_became_of_a_case(
        self, runtime: Runtime, cases: list[Json], expected: str
    ) -> None:
        """One sentence says what happened, what was expected, and why."""
        assert one_sentence(runtime, "greet", *cases) == expected

    def test_a_listing(self, runtime: Runtime) -> None:
        """LIST is told in the registry's channel."""
        sentence = one_sentence(runtime, "registry", case_object("a", "LIST", ""))
        assert sentence == "Case 'a' listed the registered commands (status 200)."

    def test_one_attempt_is_said_so(self, runtime: Runtime) -> None:
        """The count of attempts is right in grammar too."""
        runtime.retry_max_attempts = 1
        case = case_object("a", simulate_retryable_failure=True, expected=retryable())
        assert "failed after 1 attempt:" in one_sentence(runtime, "greet", case)

    def test_hostile_text_is_escaped(self, runtime: Runtime) -> None:
        """A sentence holds nothing that a terminal obeys or that hides."""
        case = case_object(HOSTILE, "CREATE", HOSTILE, expected=malformed())
        sentence = one_sentence(runtime, "registry", case)
        assert sentence.isprintable()
        assert "\\x1b[31m" in sentence


class TestMemory:
    """The readable snapshots."""

    def test_of_a_command(self, runtime: Runtime) -> None:
        """A channel's MEMORY.md says what its command is now."""
        runtime.run(case_object("a", template="echo `x`", **SHELL))
        runtime.run(case_object("b", "RUN", **SHELL), case_object("c`", "RUN", **SHELL))
        text = (runtime.files.channel("greet") / "MEMORY.md").read_text()
        assert text == (
            "# greet\n\n"
            "- Template: `` echo `x` ``\n"
            "- Runs: 2\n"
            "- Last change: RUN, success, status 200\n"
            "- By case: `` c` ``\n"
            "- At: 2026-01-01 00:00:02Z\n"
            '- Its own execution policy: `{"allow_shell":true}`\n'
        )

    def test_of_a_command_that_is_gone(self, runtime: Runtime) -> None:
        """After a DELETE the snapshot says that there is no such command."""
        runtime.run(case_object("a"), case_object("b", "DELETE"))
        text = (runtime.files.channel("greet") / "MEMORY.md").read_text()
        assert text == "# greet\n\nThe command is not registered.\n"

    def test_of_the_registry(self, runtime: Runtime) -> None:
        """The registry's snapshot is renewed in each cycle that did something."""
        path = runtime.files.channel("registry") / "MEMORY.md"
        runtime.run(case_object("a", "LIST", ""))
        assert path.read_text() == "# The registry\n\n0 commands.\n"
        runtime.run(case_object("b", "CREATE", "zoo", template="a | b", **SHELL))
        assert path.read_text().splitlines() == [
            "# The registry",
            "",
            "1 command.",
            "",
            "| command | runs | last change | template |",
            "| --- | ---: | --- | --- |",
            "| zoo | 0 | CREATE 2026-01-01 00:00:02Z | `a \\| b` |",
        ]
        runtime.run(case_object("c", "CREATE", "ant"), case_object("d", "RUN", "ant"))
        lines = path.read_text().splitlines()
        assert lines[2] == "2 commands."
        assert [line.split(" | ")[0] for line in lines[6:]] == ["| ant", "| zoo"]
        assert lines[6].startswith("| ant | 1 | RUN ")

    def test_line_breaks_in_values_are_escaped(self, runtime: Runtime) -> None:
        """A template of several lines stays on one line of each snapshot."""
        template = "echo one\necho '# two'\r\u2028"
        runtime.run(case_object("a\nb", template=template, **SHELL))
        for channel, count in (("greet", 8), ("registry", 7)):
            text = (runtime.files.channel(channel) / "MEMORY.md").read_text()
            assert len(text.splitlines()) == count
            assert "echo one\\necho '# two'\\r\\u2028" in text


SHELL: Json = {"execution_policy": {"allow_shell": True}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é 漢 😀", "plain é 漢 😀"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202e\u2066\u200b\ufeff", "\\u202e\\u2066\\u200b\\ufeff"),
        ("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\x00"),
        ("\x7f\x9b\x85\u2028", "\\x7f\\x9b\\x85\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
    ids=["plain", "escape", "bidirectional", "line breaks", "C1", "half a character", "tag"],
)
def test_printable_text(text: str, expected: str) -> None:
    """Control and invisible characters are escaped; everything else stays readable."""
    assert printable(text) == expected


@pytest.mark.parametrize(
    "text", ["a", "`a`", "a ``b`` c", "`", "```", "a`", "``` ` ``", "`a", " a "], ids=repr
)
def test_code_is_shown_as_it_is(text: str) -> None:
    """A Markdown reader shows the text, whatever backticks it holds (CommonMark 6.1)."""
    match = re.fullmatch(r"(`+)(.*[^`]|[^`])\1", code(text))
    assert match is not None
    fence, content = match.groups()
    assert fence not in re.findall(r"`+", content)
    padded = content.startswith(" ") and content.endswith(" ") and content.strip(" ") != ""
    assert (content[1:-1] if padded and "`" in text else content) == text


@pytest.mark.parametrize(("status", "more"), [(200, ""), (299, "; success 200")])
def test_what_differs_in_a_run_is_told(status: int, more: str) -> None:
    """Each assertion that does not hold, with both sides; the result too where it differs."""
    case = read_form(
        case_object("1", "RUN", "a", expected=success("RUN", status_code=status)), Case
    )
    ended = Ended(started=True, command_line="a", exit_code=0)
    differences = (
        Difference("exit_code", "3", "0"),
        Difference("stdout.equals", "'a'", "'b\x1b'"),
    )
    execution = Execution(ended, result_of(case, ended), 1, differences)
    settlement = Settlement(
        case=case,
        result=execution.result,
        drifted=True,
        change=RegistryChange(executed_runs=1),
        retry_attempts=0,
        retryable_failures=0,
        settled_unix_ms=1,
        executions=(execution,),
    )
    stdout = r"stdout.equals: expected 'a', observed 'b\x1b'"
    expected = f"exit_code: expected 3, observed 0; {stdout}{more}"
    assert account(settlement) == expected
    assert sentence(settlement) == f"Case '1' drifted from its contract: {expected}."
