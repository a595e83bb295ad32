"""`diagnose`: each symptom with its evidence and its action, and no symptom where nothing is."""

import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tau_transport_health.contract.event import LONGEST_LINE_BYTES
from tau_transport_health.errors import ExitCode
from tau_transport_health.formats.diagnosis import diagnosis_json, diagnosis_text
from tau_transport_health.health.assessment import CLOCK_PINNED, Gate
from tau_transport_health.health.diagnosis import Diagnosis, diagnose
from tau_transport_health.health.file_symptoms import Severity, Symptom
from tau_transport_health.health.remedies import REMEDIES, FileSymptom, HistorySymptom
from tau_transport_health.log.chain_verdict import ChainState
from tau_transport_health.log.codes import MOST_UNKNOWN_CODES
from tau_transport_health.log.history import WINDOW_CYCLES, read_history
from tau_transport_health.services.diagnose import diagnosis_of, open_event_log
from tau_transport_health.services.inspect import Question, look
from tests.transport_health.running import Inspector, as_another_user, unprintable
from tests.transport_health.state_files import (
    HEALTH_KEYS,
    NOW_UNIX_MS,
    Json,
    StateDirectory,
    chain,
    event,
    failed,
    line_of,
    minimal_event,
    minimal_state,
    state_of,
)

QUIET: Json = {"backlog_cases": 0, "duplicate_skips": 0}
ESCAPE = "\x1b[2J\x1b]0;owned\x07\u202e"


def diagnosed(
    directory: StateDirectory, *, name: str = "custom-command", max_age_ms: int | None = 900_000
) -> Diagnosis:
    """Return the diagnosis of a directory at the time that its files were written."""
    question = Question(
        name=name,
        root=directory.root,
        state_dir=directory.root,
        targets_file=None,
        max_age_ms=max_age_ms,
        now_unix_ms=NOW_UNIX_MS,
    )
    (inspection,) = look(question)
    return diagnosis_of(inspection)


def cycles(*changes: Json) -> list[bytes]:
    """Return chained lines, quiet but for the changes of each."""
    lines: list[bytes] = []
    for number, change in enumerate(changes, start=1):
        previous = lines[-1] if lines else None
        lines.append(line_of(event(number=number, previous=previous, **(QUIET | change))))
    return lines


def after(directory: StateDirectory, *changes: Json) -> Diagnosis:
    """Return the diagnosis after cycles with these changes."""
    lines = cycles(*changes)
    directory.write(state_of(lines[-1]), lines)
    return diagnosed(directory)


def codes(diagnosis: Diagnosis) -> list[str]:
    """Return the symptoms' codes, most severe first."""
    return [symptom.code.value for symptom in diagnosis.symptoms]


def the(diagnosis: Diagnosis, code: str) -> Symptom:
    """Return the one symptom of a code."""
    (symptom,) = [each for each in diagnosis.symptoms if each.code.value == code]
    return symptom


def channel_entry(**payload: object) -> bytes:
    """Return a line of a channel's log."""
    return line_of(
        {
            "timestamp_unix_ms": NOW_UNIX_MS,
            "direction": "system",
            "event_key": "RUN:disk-usage:020-run",
            "source": "tau-custom-command-runner",
            "payload": {
                "outcome": "success",
                "operation": "run",
                "case_id": "020-run",
                "command_name": "disk-usage",
                "status_code": 200,
                "upserted_commands": 0,
                "deleted_commands": 0,
                "executed_runs": 1,
            }
            | payload,
        }
    )


def rejected(status_code: int, error_code: str, **payload: object) -> bytes:
    """Return a channel's line of a case that did not succeed."""
    value = json.loads(channel_entry(**({"outcome": "malformed_input"} | payload)))
    for key in ("upserted_commands", "deleted_commands", "executed_runs"):
        del value["payload"][key]
    value["payload"] |= {"status_code": status_code, "error_code": error_code}
    return line_of(value)


def audited(**audit: object) -> bytes:
    """Return a channel's line of a run that was executed."""
    return channel_entry(
        run_audit={
            "executed": True,
            "command_line": "df -h /var",
            "exit_code": 0,
            "stdout": "",
            "stderr": "",
            "timed_out": False,
            "duration_ms": 7,
            "failure_reason": "non_zero_exit" if audit.get("exit_code") else None,
        }
        | audit
    )


def channel_log(directory: StateDirectory, *lines: bytes, channel: str = "disk-usage") -> None:
    """Write a channel's log."""
    folder = directory.root / "channel-store/custom-command" / channel
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("log.jsonl").write_bytes(b"".join(lines))


def test_nothing_wrong_says_so(directory: StateDirectory) -> None:
    """Where nothing is wrong, no symptom is made up, the chain is whole, and it is a yes."""
    diagnosis = after(directory, {}, {}, {})
    assert (codes(diagnosis), diagnosis.exit_code) == ([], ExitCode.YES)
    assert diagnosis.history.chain.state is ChainState.WHOLE
    text = diagnosis_text(diagnosis)
    assert "healthy, gate pass, nothing wrong found" in text
    assert "whole from cycle 1 to cycle 3" in text


def test_every_symptom_has_an_action() -> None:
    """Nothing is named without saying what to do about it."""
    assert set(REMEDIES) == {*FileSymptom, *HistorySymptom}


# What files can take.

GOOD = state_of(chain(3)[-1])


def without(key: str) -> Json:
    """Return a state without one key of its health block."""
    return GOOD | {"health": {k: v for k, v in GOOD["health"].items() if k != key}}


def with_health(**changes: object) -> Json:
    """Return a state with these changes of its health block."""
    return GOOD | {"health": GOOD["health"] | changes}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (b"", "not JSON"),
        (b"{}", "schema_version: is missing"),
        (b"null", "missing or null"),
        (json.dumps(GOOD).encode()[:-40], "not JSON"),
        (GOOD | {"schema_version": 2}, "schema_version: found 2"),
        (GOOD | {"schema_version": True}, "schema_version: found True"),
        (json.dumps(GOOD).replace('"queue_depth": 1', '"queue_depth": NaN').encode(), "NaN"),
        (with_health(queue_depth=False), "health.queue_depth: found False"),
        (with_health(failure_streak=-1), "health.failure_streak: found -1"),
        (b'{"schema_version":1,"schema_version":1}', "stands twice"),
        (GOOD | {"last_cycle": None}, "last_cycle: is missing or null"),
        *((without(key), f"health.{key}: is missing") for key in HEALTH_KEYS),
    ],
)
def test_a_damaged_state(directory: StateDirectory, state: object, words: str) -> None:
    """Each damage of the state is named with its field; the log is verified all the same."""
    directory.write(state, cycles({}, {}, {}))
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["invalid_state"], ExitCode.CANNOT_ANSWER)
    symptom = the(diagnosis, "invalid_state")
    assert words in symptom.sentence
    assert symptom.evidence[0].file == "state.json"
    assert f"`tau-custom-command recover --state-dir {directory.root}`" in symptom.action
    assert f"put {directory.state} back from a copy" in symptom.action
    assert "its end cannot be compared" in diagnosis.history.chain.sentence


def test_no_directory_and_no_state(directory: StateDirectory) -> None:
    """A directory that is not there and a state that is not there are told apart, and no pass."""
    assert "no such directory" in the(diagnosed(directory), "no_state").sentence
    directory.write(None, [])
    diagnosis = diagnosed(directory)
    action = the(diagnosis, "no_state").action
    assert "run the transport once: `tau-custom-command run FIXTURE" in action
    assert "no such file" in the(diagnosis, "no_state").sentence
    assert (codes(diagnosis), diagnosis.exit_code) == (["no_state"], ExitCode.CANNOT_ANSWER)


@pytest.mark.parametrize(
    ("time", "code", "words"),
    [
        (NOW_UNIX_MS - 900_001, "stale", "not running"),
        (NOW_UNIX_MS + 60_001, "future", "set the clock"),
    ],
)
def test_an_untimely_state(directory: StateDirectory, time: int, code: str, words: str) -> None:
    """A state too old or from the future is a hold, with its time as the evidence."""
    diagnosis = after(directory, {"timestamp_unix_ms": time})
    assert (codes(diagnosis), diagnosis.exit_code) == ([code], ExitCode.NO)
    symptom = the(diagnosis, code)
    assert symptom.evidence[0].excerpt == f"updated_unix_ms is {time}"
    assert words in symptom.action


def test_no_log(directory: StateDirectory) -> None:
    """A state that names a cycle without any log is a hold, and named once, as what it is."""
    directory.write(GOOD, None)
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["no_log"], ExitCode.NO)
    assert diagnosis.symptoms[0].severity is Severity.HOLD


def test_no_log_of_an_unchained_writer(directory: StateDirectory) -> None:
    """Another transport may write no log: that is a notice, and the gate passes."""
    directory.write(minimal_state(), None)
    diagnosis = diagnosed(directory, name="voice")
    assert (codes(diagnosis), diagnosis.exit_code) == (["no_log"], ExitCode.YES)
    assert diagnosis.symptoms[0].severity is Severity.NOTICE


def test_an_unchained_writer(directory: StateDirectory) -> None:
    """Where nothing is chained, the answer says that there is no chain."""
    directory.write(minimal_state(), [line_of(minimal_event())])
    diagnosis = diagnosed(directory, name="voice")
    assert diagnosis.exit_code is ExitCode.YES
    assert "there is no chain" in diagnosis_text(diagnosis)
    assert diagnosis_json(diagnosis)["chain"]["state"] == "none"


def test_a_torn_last_line(directory: StateDirectory) -> None:
    """A torn last line of the log is a hold, and the lines before it stay valid."""
    lines = chain(3)
    directory.write(GOOD, [*lines, b'{"schema_version":1,'])
    diagnosis = diagnosed(directory)
    assert "torn_line" in codes(diagnosis)
    assert the(diagnosis, "torn_line").severity is Severity.HOLD
    assert (diagnosis.history.valid, diagnosis.history.invalid.total) == (3, 0)


def test_a_torn_rotated_log(directory: StateDirectory) -> None:
    """A rotated log that ends torn is named; the gate passes, and yet it is no yes."""
    lines = cycles({}, {}, {})
    directory.write(state_of(lines[-1]), lines[2:])
    directory.rotated.write_bytes(b"".join(lines[:2]) + b"{")
    diagnosis = diagnosed(directory)
    symptom = the(diagnosis, "torn_line")
    assert (symptom.severity, symptom.evidence[0].file) == (Severity.FAULT, directory.rotated.name)
    assert diagnosis.inspection.assessment.gate is Gate.PASS
    assert diagnosis.exit_code is ExitCode.NO


def test_one_percent_of_invalid_lines(directory: StateDirectory) -> None:
    """Invalid lines are counted, the first ones named with line and reason; it is no yes."""
    lines: list[bytes] = []
    for number in range(1, 701):
        value = event(number=number, previous=lines[-1] if lines else None, **QUIET)
        lines.append(line_of(value | ({"failed_cases": -1} if number % 100 == 50 else {})))
    directory.write(state_of(lines[-1]), lines)
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["invalid_lines"], ExitCode.NO)
    symptom = diagnosis.symptoms[0]
    assert symptom.sentence == "7 of 700 lines of the event log are invalid"
    assert [each.line for each in symptom.evidence] == [50, 150, 250, 350, 450]
    assert "failed_cases: found -1" in symptom.evidence[0].excerpt
    assert symptom.severity is Severity.FAULT


def test_an_invalid_last_line(directory: StateDirectory) -> None:
    """An invalid last line is a hold, and one symptom."""
    lines = cycles({}, {}, {"failed_cases": False})
    directory.write(state_of(lines[-1], health=GOOD["health"]), lines)
    diagnosis = diagnosed(directory)
    assert codes(diagnosis) == ["invalid_lines"]
    assert diagnosis.symptoms[0].severity is Severity.HOLD
    assert diagnosis.symptoms[0].sentence == "1 of 3 lines of the event log is invalid"


def test_a_broken_chain(directory: StateDirectory) -> None:
    """The first line that breaks the chain is named; the gate passes, and yet it is no yes."""
    lines = cycles({}, {}, {}, {}, {})
    directory.write(state_of(lines[-1]), [lines[0], *lines[2:]])
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["chain_broken"], ExitCode.NO)
    evidence = diagnosis.symptoms[0].evidence[0]
    assert (evidence.file, evidence.line) == (directory.log.name, 2)
    assert "1 line is missing before it" in diagnosis.symptoms[0].sentence
    assert diagnosis.inspection.assessment.gate is Gate.PASS
    broken = diagnosis_json(diagnosis)["chain"]["broken_at"]
    assert (broken["kind"], broken["line"]) == ("previous_sha256", 2)


@pytest.mark.parametrize("kept", [3, 0])
def test_a_log_that_lost_its_end(directory: StateDirectory, kept: int) -> None:
    """State and log that disagree are one symptom, with what the state names as the evidence."""
    lines = cycles({}, {}, {}, {}, {})
    directory.write(state_of(lines[-1]), lines[:kept])
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["log_disagrees"], ExitCode.NO)
    assert "expected cycle 5 with the digest" in diagnosis.symptoms[0].evidence[0].excerpt


def test_numbers_that_disagree(directory: StateDirectory) -> None:
    """A state whose numbers are not the last line's disagrees, though the chain is whole."""
    lines = cycles({}, {})
    state = state_of(lines[-1])
    state["health"]["queue_depth"] = 9
    directory.write(state, lines)
    diagnosis = diagnosed(directory)
    assert codes(diagnosis) == ["log_disagrees"]
    assert diagnosis.history.chain.state is ChainState.WHOLE
    assert diagnosis.symptoms[0].evidence[0].file == "state.json"


def test_a_rotated_log_is_no_damage(directory: StateDirectory) -> None:
    """The chain is followed over rotated logs; history that is gone is said, and no symptom."""
    lines = cycles(*({} for _ in range(6)))
    directory.write(state_of(lines[-1]), lines[4:])
    directory.rotated.write_bytes(b"".join(lines[2:4]))
    directory.root.joinpath("runtime-events.jsonl.2").write_bytes(b"".join(lines[:2]))
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == ([], ExitCode.YES)
    assert diagnosis.history.chain.sentence == "whole from cycle 1 to cycle 6"
    directory.root.joinpath("runtime-events.jsonl.2").unlink()
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == ([], ExitCode.YES)
    assert "history before cycle 3 is not here" in diagnosis_text(diagnosis)


def test_a_rotated_log_that_is_missing_between(directory: StateDirectory) -> None:
    """A hole between two files is a break, at the first line after it."""
    lines = cycles(*({} for _ in range(6)))
    directory.write(state_of(lines[-1]), lines[4:])
    directory.root.joinpath("runtime-events.jsonl.2").write_bytes(b"".join(lines[:2]))
    diagnosis = diagnosed(directory)
    evidence = the(diagnosis, "chain_broken").evidence[0]
    assert (evidence.file, evidence.line) == (directory.log.name, 1)
    assert "2 lines are missing before it" in evidence.excerpt


def test_a_log_just_rotated_is_met_once(directory: StateDirectory) -> None:
    """A file that is met under two names, as while it is renamed, is read once."""
    lines = directory.good(3)
    directory.rotated.hardlink_to(directory.log)
    segments = open_event_log(directory.root)
    assert [list(segment) for segment in segments] == [[line[:-1] for line in lines]]


def test_a_log_that_is_no_file(directory: StateDirectory) -> None:
    """A pipe in the place of a rotated log is named and never waited for."""
    directory.good(2, **QUIET)
    os.mkfifo(directory.rotated)
    diagnosis = diagnosed(directory)
    assert "unreadable_log" in codes(diagnosis)
    assert "not a regular file" in the(diagnosis, "unreadable_log").sentence
    assert diagnosis.exit_code is ExitCode.NO


def test_a_line_longer_than_any(directory: StateDirectory) -> None:
    """A line of many megabytes is invalid and breaks the chain; what is after it is still read."""
    lines = cycles({}, {}, {})
    directory.write(state_of(lines[-1]), [])
    with directory.log.open("wb") as log:
        log.write(lines[0])
        log.write(lines[1][:-1] + b" " * LONGEST_LINE_BYTES + b"\n")
        log.write(lines[2])
    diagnosis = diagnosed(directory)
    assert codes(diagnosis) == ["chain_broken", "invalid_lines"]
    assert the(diagnosis, "invalid_lines").evidence[0].line == 2
    assert "longer than 16 MiB" in the(diagnosis, "invalid_lines").evidence[0].excerpt
    assert diagnosis.history.valid == 2


class Failing:
    """A file of the log on a disk that fails after some lines."""

    name = "runtime-events.jsonl.1"
    is_rotated = True
    is_torn = False
    problem: str | None = "cannot be read: Input/output error"

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def blocks(self) -> Iterator[bytes]:
        """Yield what could be read."""
        return iter(self._lines)


def test_a_log_that_ends_early(directory: StateDirectory) -> None:
    """A file that could not be read to its end is named; what was read counts."""
    lines = directory.good(2)
    question = Question(
        name="custom-command",
        root=directory.root,
        state_dir=directory.root,
        targets_file=None,
        max_age_ms=None,
        now_unix_ms=NOW_UNIX_MS,
    )
    (inspection,) = look(question)
    state = inspection.reading.state
    history = read_history(
        [Failing(lines)], state=state, state_afterwards=lambda: state, chained=True
    )
    diagnosis = diagnose(inspection, history, {})
    symptom = the(diagnosis, "unreadable_log")
    assert symptom.sentence == "a file of the event log cannot be read: Input/output error"
    assert (history.valid, diagnosis.exit_code) == (2, ExitCode.NO)


def test_reason_codes_that_nobody_knows(directory: StateDirectory) -> None:
    """A code that is not known is a notice; any number of them takes bounded memory."""
    diagnosis = after(directory, {"reason_codes": ["brand_new"]}, {"reason_codes": ["brand_new"]})
    symptom = the(diagnosis, "unknown_reason_code")
    assert symptom.sentence == "the reason code 'brand_new' is not known; lines with it: 2"
    assert (symptom.severity, diagnosis.exit_code) == (Severity.NOTICE, ExitCode.YES)
    diagnosis = after(directory, {"reason_codes": [f"code_{n}" for n in range(100)]})
    assert len(diagnosis.symptoms) == MOST_UNKNOWN_CODES + 1


# What the last cycles tell.


def test_cases_that_failed(directory: StateDirectory) -> None:
    """Degraded by failed cases: the hold is named with the events and the channel's drift."""
    sides: dict[str, Json] = {
        side: {"outcome": "success", "status_code": status, "error_code": None, "response_body": {}}
        for side, status in (("expected", 201), ("observed", 200))
    }
    channel_log(directory, channel_entry(), channel_entry(drift=sides), b'{"drift": \n')
    diagnosis = after(directory, {}, failed(streak=1), failed(streak=2, cases=5))
    assert codes(diagnosis) == ["case_processing_failed"]
    symptom = diagnosis.symptoms[0]
    assert symptom.severity is Severity.HOLD
    assert symptom.sentence == "cases failed: 5 in the last cycle, in 2 cycles in a row"
    assert [(each.file.rpartition("/")[2], each.line) for each in symptom.evidence] == [
        (directory.log.name, 3),
        (directory.log.name, 2),
        ("log.jsonl", 2),
    ]
    assert "drift: expected success 201, observed success 200" in symptom.evidence[2].excerpt
    assert (
        symptom.evidence[0].excerpt == "cycle 3: degraded, failed_cases=5, fixture 'rollout-pass'"
    )


def test_a_newer_runtime_s_line_keeps_its_fixture(directory: StateDirectory) -> None:
    """A key that is not known yet takes nothing from what the evidence tells of the cycle."""
    symptom = the(after(directory, {}, failed(streak=1) | {"new": 1}), "case_processing_failed")
    assert (
        symptom.evidence[0].excerpt == "cycle 2: degraded, failed_cases=2, fixture 'rollout-pass'"
    )


def test_a_failure_that_the_state_does_not_know_yet(directory: StateDirectory) -> None:
    """A failed cycle that was cut off before its state holds as if the state knew of it."""
    lines = cycles({}, failed(streak=1))
    directory.write(state_of(lines[0]), lines)
    diagnosis = diagnosed(directory)
    symptom = the(diagnosis, "case_processing_failed")
    assert (symptom.severity, diagnosis.exit_code) == (Severity.HOLD, ExitCode.NO)
    assert symptom.sentence == "cases failed: 2 in the last cycle"


@pytest.mark.parametrize("lines", [[], [minimal_event()]])
def test_unhealthy_without_an_event_that_says_why(
    directory: StateDirectory, lines: Iterable[Json]
) -> None:
    """A health that no event explains is still a symptom."""
    directory.write(minimal_state(failure_streak=4), [line_of(line) for line in lines])
    diagnosis = diagnosed(directory, name="voice")
    symptom = the(diagnosis, "unhealthy")
    assert "the health is failing" in symptom.sentence
    assert len(symptom.evidence) == 1
    assert diagnosis.exit_code is ExitCode.NO


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ([{"retry_attempts": 2}, {}, {"retry_attempts": 1}, {}], True),
        ([{"retry_attempts": 2}], False),
        ([{"retry_attempts": 3} | failed(streak=1)], True),
        (
            [{"retry_attempts": 1}, *({} for _ in range(WINDOW_CYCLES)), {"retry_attempts": 1}],
            False,
        ),
    ],
)
def test_repeated_retries(directory: StateDirectory, changes: list[Json], *, wanted: bool) -> None:
    """Retries in two of the last cycles, or in vain, are a symptom; one that helped is none."""
    assert ("repeated_retries" in codes(after(directory, *changes))) is wanted


def test_repeated_retries_say_where_and_what(directory: StateDirectory) -> None:
    """Retries are told with their number, the window, the newest cycles, and the failing case."""
    channel_log(
        directory,
        rejected(503, "custom_command_backend_unavailable", outcome="retryable_failure"),
    )
    diagnosis = after(directory, {"retry_attempts": 2}, {"retry_attempts": 1}, {}, {})
    symptom = the(diagnosis, "repeated_retries")
    assert symptom.sentence == (
        "attempts after the first of a case, those of 'retry_until' too: 3, in 2 of the last 4 "
        "cycles, last 2 cycles ago"
    )
    assert [each.line for each in symptom.evidence] == [2, 1, 1]
    assert "custom_command_backend_unavailable" in symptom.evidence[2].excerpt
    assert "--retry-max-attempts" in symptom.action


@pytest.mark.parametrize(
    ("depths", "code", "words"),
    [
        ([5, 10, 20], "backlog_growing", "grows: 5, 10, 20 cases"),
        ([9, 1, 7, 7, 7], "backlog_growing", "does not shrink: 7, 7, 7 cases"),
        ([30, 20, 10], "backlog_left", "left 10 cases over"),
        ([5, 20], "backlog_left", "left 20 cases over"),
        ([0, 0, 5], "backlog_left", "left 5 cases over"),
        ([10, 20, 30, 0], None, ""),
    ],
)
def test_a_backlog(
    directory: StateDirectory, depths: list[int], code: str | None, words: str
) -> None:
    """A backlog that three cycles in a row do not shrink is a fault; one that is left, a notice."""
    diagnosis = after(directory, *({"backlog_cases": depth} for depth in depths))
    assert codes(diagnosis) == ([] if code is None else [code])
    if code is not None:
        assert words in diagnosis.symptoms[0].sentence
        assert diagnosis.exit_code is ExitCode.YES


IDLE: Json = {"applied_cases": 0, "duplicate_skips": 4, "reason_codes": ["duplicate_cases_skipped"]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([{}, IDLE], "in 1 of the last 2 cycles"),
        ([IDLE], "in the only cycle"),
        ([IDLE, IDLE, {}], "in 2 of the last 3 cycles, last 1 cycle ago"),
        ([{"duplicate_skips": 900}], None),
        ([IDLE, {}, {}], None),
    ],
)
def test_nothing_but_duplicates(
    directory: StateDirectory, changes: list[Json], words: str | None
) -> None:
    """Cycles that only skip are a notice; duplicates beside work are as they should be."""
    diagnosis = after(directory, *changes)
    assert codes(diagnosis) == ([] if words is None else ["nothing_but_duplicates"])
    if words is not None:
        assert words in diagnosis.symptoms[0].sentence
        assert "--fresh" in diagnosis.symptoms[0].action
        assert diagnosis.exit_code is ExitCode.YES


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ([{"reason_codes": []}, failed(streak=1)], True),
        ([{}, failed(streak=1)], False),
        ([{"reason_codes": []}], False),
        ([IDLE | {"reason_codes": []}], False),
    ],
)
def test_no_change_of_the_registry(
    directory: StateDirectory, changes: list[Json], *, wanted: bool
) -> None:
    """That nothing changed is worth a word only where the gate holds for the health."""
    assert ("no_registry_change" in codes(after(directory, *changes))) is wanted


def test_only_duplicates_do_not_also_lack_a_change(directory: StateDirectory) -> None:
    """Cycles that only skipped could change nothing: one symptom says it, not two."""
    line = cycles(IDLE)[0]
    directory.write(state_of(line, health=GOOD["health"] | {"failure_streak": 1}), [line])
    assert "no_registry_change" not in codes(diagnosed(directory))


@pytest.mark.parametrize(
    ("counter", "code", "entry", "words"),
    [
        (
            "run_timeout_failures",
            "run_timeouts",
            audited(timed_out=True, exit_code=None, duration_ms=30_000, failure_reason="timeout"),
            "timed out after 30000 ms",
        ),
        (
            "run_non_zero_exit_failures",
            "run_non_zero_exits",
            audited(exit_code=3, stderr=f"disk\n{ESCAPE} full", failure_reason="non_zero_exit"),
            "exit 3 after 7 ms",
        ),
        (
            "run_spawn_failures",
            "run_spawn_failures",
            audited(executed=False, exit_code=None, failure_reason="no such program"),
            "no such program",
        ),
        (
            "run_missing_command_failures",
            "missing_commands",
            rejected(404, "custom_command_invalid_name"),
            "disk-usage, case '020-run': custom_command_invalid_name",
        ),
    ],
)
def test_runs_that_went_wrong(
    directory: StateDirectory, counter: str, code: str, entry: bytes, words: str
) -> None:
    """Each way is a symptom of its own, with the command and what it last said, harmless."""
    channel_log(directory, audited(), entry, audited(executed=False, exit_code=None))
    diagnosis = after(directory, {counter: 1}, {counter: 2}, {})
    assert codes(diagnosis) == [code]
    symptom = diagnosis.symptoms[0]
    assert symptom.sentence.endswith(": 3, in 2 of the last 3 cycles, last 1 cycle ago")
    assert symptom.evidence[-1].line == 2
    assert words in symptom.evidence[-1].excerpt
    assert len(symptom.evidence[-1].excerpt) <= 160
    assert not unprintable(diagnosis_text(diagnosis))


def test_evidence_is_new_bounded_and_of_different_cases(directory: StateDirectory) -> None:
    """Of many entries the newest few are shown; the same case once, and none from long ago."""
    old = json.loads(audited(exit_code=9)) | {"timestamp_unix_ms": NOW_UNIX_MS - 10_000}
    entries = [
        line_of(json.loads(audited(exit_code=1 + n // 2)) | {"timestamp_unix_ms": NOW_UNIX_MS + n})
        for n in range(10)
    ]
    channel_log(directory, line_of(old), *entries)
    symptom = the(after(directory, {"run_non_zero_exit_failures": 5}), "run_non_zero_exits")
    assert [each.line for each in symptom.evidence[1:]] == [11, 9, 7]
    channel = directory.root / "channel-store/custom-command/disk-usage"
    channel.joinpath("log.jsonl").rename(channel / "log.jsonl.1")
    newest = json.loads(audited(exit_code=7)) | {"timestamp_unix_ms": NOW_UNIX_MS + 10}
    channel_log(directory, line_of(newest))
    symptom = the(diagnosed(directory), "run_non_zero_exits")
    assert [(each.file.rpartition("/")[2], each.line) for each in symptom.evidence[1:]] == [
        ("log.jsonl", 1),
        ("log.jsonl.1", 11),
        ("log.jsonl.1", 9),
    ]
    channel.joinpath("log.jsonl.1").unlink()
    channel_log(directory, line_of(old))
    symptom = the(diagnosed(directory), "run_non_zero_exits")
    assert [each.file for each in symptom.evidence] == [directory.log.name]


def test_channels_that_cannot_be_read_are_passed_over(
    directory: StateDirectory, tmp_path: Path
) -> None:
    """A link out of the store is not followed, a channel without a log stops nothing."""
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.joinpath("log.jsonl").write_bytes(audited(exit_code=66))
    channel_log(directory, audited(exit_code=1))
    store = directory.root / "channel-store/custom-command"
    store.joinpath("linked").symlink_to(outside)
    store.joinpath("empty").mkdir()
    store.joinpath("sly").mkdir()
    store.joinpath("sly/log.jsonl").symlink_to(outside / "log.jsonl")
    diagnosis = after(directory, {"run_non_zero_exit_failures": 1})
    excerpts = [each.excerpt for each in diagnosis.symptoms[0].evidence]
    assert len(excerpts) == 2
    assert "exit 1" in excerpts[1]


def test_only_the_last_cycles_are_judged(directory: StateDirectory) -> None:
    """What is further back than the window is forgotten."""
    quiet: list[Json] = [{} for _ in range(WINDOW_CYCLES)]
    assert codes(after(directory, {"run_timeout_failures": 9}, *quiet)) == []


def test_the_most_severe_comes_first(directory: StateDirectory) -> None:
    """Holds come before faults, faults before notices, and numbers count them through."""
    lines = cycles({}, {"run_timeout_failures": 1}, IDLE | {"timestamp_unix_ms": 1})
    directory.write(state_of(lines[-1]), lines)
    diagnosis = diagnosed(directory)
    assert [symptom.severity.value for symptom in diagnosis.symptoms] == [
        "hold",
        "fault",
        "notice",
        "notice",
    ]
    heads = [line for line in diagnosis_text(diagnosis).splitlines() if line[:1].isdigit()]
    assert heads == [
        "1. HOLD  stale",
        "2. FAULT  run_timeouts",
        "3. NOTICE  clock_backwards",
        "4. NOTICE  nothing_but_duplicates",
    ]


def test_no_limit_of_age_is_warned_of(directory: StateDirectory) -> None:
    """The assessment's warnings are shown too."""
    lines = cycles({})
    directory.write(state_of(lines[-1]), lines)
    diagnosis = diagnosed(directory, max_age_ms=None)
    pinned, warning = diagnosis_json(diagnosis)["warnings"]
    assert pinned == CLOCK_PINNED
    assert "a dead runtime passes" in warning
    assert "warning:" in diagnosis_text(diagnosis)


def test_a_pause_is_a_notice_and_why_a_state_is_stale(directory: StateDirectory) -> None:
    """Both are told, with the one thing to do about them."""
    lines = chain(2, **(QUIET | {"timestamp_unix_ms": 1}))
    directory.write(state_of(lines[-1]), lines)
    pause = {"schema_version": 1, "paused_unix_ms": NOW_UNIX_MS, "by": "Ann", "reason": "moved"}
    (directory.root / "paused.json").write_text(json.dumps(pause))
    diagnosis = diagnosed(directory)
    told = {each.code: each for each in diagnosis.symptoms}
    stale, paused = told[FileSymptom.STALE], told[FileSymptom.PAUSED]
    assert (stale.severity, paused.severity) == (Severity.HOLD, Severity.NOTICE)
    assert "by Ann: moved" in paused.sentence
    assert "unpause --state-dir" in paused.action
    assert stale.action == paused.action


def test_every_hold_is_a_symptom(directory: StateDirectory) -> None:
    """Whatever keeps the gate from passing, diagnose names as a hold; else it names none."""
    for change in ({}, failed(streak=1), {"timestamp_unix_ms": 1}, IDLE, {"failed_cases": -1}):
        lines = chain(2, **(QUIET | change))
        state = state_of(lines[-1]) | ({"health": GOOD["health"]} if "-1" in str(change) else {})
        directory.write(state, lines)
        diagnosis = diagnosed(directory)
        has_hold = any(symptom.severity is Severity.HOLD for symptom in diagnosis.symptoms)
        assert has_hold is (diagnosis.inspection.assessment.gate is Gate.HOLD)


# Through the command.


def test_the_command_in_json(inspector: Inspector) -> None:
    """`--json` prints the whole diagnosis and nothing else; its exit code is the process's."""
    directory = inspector.directory()
    lines = cycles({}, failed(streak=1))
    directory.write(state_of(lines[-1]), lines)
    done = inspector("diagnose", "custom-command", "--json")
    report: dict[str, Any] = done.json()
    assert (done.code, report["exit_code"], done.err) == (3, 3, "")
    assert report["rollout_gate"] == "hold"
    assert (report["cycle_reports"], report["window_cycles"]) == (2, 2)
    assert report["chain"]["summary"] == "whole from cycle 1 to cycle 2"
    (symptom,) = report["symptoms"]
    assert symptom["code"] == "case_processing_failed"
    assert symptom["evidence"][0] == {
        "file": "runtime-events.jsonl",
        "line": 2,
        "excerpt": "cycle 2: degraded, failed_cases=2, fixture 'rollout-pass'",
    }


def test_the_command_in_text(inspector: Inspector) -> None:
    """Text is harmless whatever the files hold, fits a terminal, and exits as documented."""
    directory = inspector.directory()
    lines = cycles({"fixture_name": ESCAPE, "reason_codes": [ESCAPE], "run_timeout_failures": 1})
    directory.write(state_of(lines[-1]), [*lines, f'{{"{ESCAPE}": 1}}\n'.encode()])
    channel_log(directory, audited(timed_out=True, stderr=ESCAPE * 100))
    done = inspector("diagnose", "custom-command")
    assert done.code == 3
    assert not unprintable(done.out)
    assert "invalid_lines" in done.out
    longest = max(done.out.splitlines(), key=len)
    assert len(longest) <= 100 or longest.lstrip().startswith("`"), "only to be pasted"


def the_commands(text: str) -> list[str]:
    """Return what an advice has between backticks."""
    return re.findall("`([^`]+)`", text)


@pytest.mark.parametrize(
    "damage",
    [
        lambda directory: directory.write(b"{}", cycles({})),
        lambda directory: directory.write(None, cycles({})),
        lambda directory: directory.good(3, **failed(streak=1)),
        lambda directory: directory.good(3, backlog_cases=7),
        lambda directory: directory.write(state_of(chain(3)[-1]), chain(1)),
    ],
    ids=["invalid", "lost", "unhealthy", "backlog", "disagrees"],
)
def test_advice_can_be_pasted(
    damage: Callable[[StateDirectory], object], inspector: Inspector
) -> None:
    """Each command of ours is taken as it stands, from any folder, whatever the folder's name."""
    directory = StateDirectory(inspector.folder / "it's a $HOME/custom command")
    damage(directory)
    inspector("targets", "add", "mine", "--state-dir", str(directory.root), "--targets", "t.toml")
    done = inspector("inspect", "mine", "--targets", "t.toml", "--json")
    (row,) = done.json()
    ours = [shlex.split(each) for each in the_commands(row["recommendation"])]
    assert str(directory.root) in ours[0], "quoted, so that a shell takes it for one word"
    elsewhere = Inspector(inspector.folder / "elsewhere")
    elsewhere.folder.mkdir()
    for words in ours:
        if words[0] == "tau-transport-health":
            ran = elsewhere(*words[1:])
            assert (ran.code in {0, 1, 3}, ran.err, words[2] in ran.out) == (True, "", True)


@pytest.mark.parametrize("state", [None, b"{}", minimal_state(updated_unix_ms=1)])
def test_advice_to_another_transport_names_no_command_of_the_runtime(
    state: object, directory: StateDirectory
) -> None:
    """Where nothing in the files is the runtime's, and each sentence still has its end."""
    directory.write(state, [line_of(minimal_event())])
    symptoms = diagnosed(directory, name="voice").symptoms
    assert symptoms
    for symptom in symptoms:
        assert "tau-custom-command" not in symptom.action
        assert symptom.action.endswith(("copy", "printed", "cycle", "`"))


def test_the_backend_is_at_fault_where_it_says_so(directory: StateDirectory) -> None:
    """A case that failed in a passing way at every attempt has nobody correct its fixture."""
    directory.good(2, **failed(streak=2))
    unavailable = {"status_code": 503, "error_code": "custom_command_backend_unavailable"}
    drift = {
        "expected": {"outcome": "success", "status_code": 200, "error_code": None},
        "observed": {"outcome": "retryable_failure", **unavailable},
    }
    for side in drift.values():
        side["response_body"] = None
    passing = rejected(
        503, "custom_command_backend_unavailable", outcome="retryable_failure", drift=drift
    )
    drifted = channel_entry(drift=drift | {"observed": drift["expected"]})
    show = f"`tau-transport-health channels show custom-command --state-dir {directory.root} "
    for lines, words in (
        ([passing], ["not available", "leave the fixture as it is", f"{show}disk-usage`"]),
        ([drifted], ["Correct the fixture's expectations", f"{show}disk-usage`"]),
        ([passing, drifted], ["Correct the fixture's", "Where it is a retryable failure: what"]),
    ):
        channel_log(directory, *lines)
        action = the(diagnosed(directory), "case_processing_failed").action
        assert [word for word in words if word not in action] == []
        assert ("Correct the fixture" in action) == (drifted in lines)
        assert ("leave the fixture" in action) == (passing in lines)


def test_a_clock_that_went_backwards(directory: StateDirectory) -> None:
    """What would hold at the gate is told also where nothing is wrong now; it is no damage."""
    times = [5, 6, 2, 3, 1, 9]
    lines = cycles(*({"timestamp_unix_ms": NOW_UNIX_MS - 10 + time} for time in times))
    directory.write(state_of(lines[-1]), lines)
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["clock_backwards"], ExitCode.YES)
    symptom = diagnosis.symptoms[0]
    assert symptom.sentence.startswith("the clock went backwards 2 times: ")
    assert [each.line for each in symptom.evidence] == [5, 3]
    assert "clock_forward" in symptom.action
    directory.write(state_of(lines[2]), lines[:3])
    (symptom,) = diagnosed(directory).symptoms
    assert symptom.sentence.startswith("the clock went backwards once: ")


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
def test_a_compressed_file_is_told_as_such(ending: str, directory: StateDirectory) -> None:
    """In between nothing is known, and nobody is said to have altered it; at the end it is older.

    Either way the command that unpacks it is told.
    """
    lines = cycles(*({} for _ in range(8)))
    directory.write(state_of(lines[-1]), lines[6:])
    parts = {number: lines[6 - 2 * number : 8 - 2 * number] for number in (1, 2, 3)}
    for number, part in parts.items():
        directory.root.joinpath(f"runtime-events.jsonl.{number}").write_bytes(b"".join(part))
    assert diagnosed(directory).symptoms == ()
    plain = directory.root / "runtime-events.jsonl.2"
    packed = directory.root / f"runtime-events.jsonl.2.{ending}"
    plain.rename(packed)
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["compressed_log"], ExitCode.NO)
    assert diagnosis.symptoms[0].evidence[0].file == packed.name
    assert str(packed) in the_commands(diagnosis.symptoms[0].action)[0]
    assert diagnosis_json(diagnosis)["chain"]["state"] == "unread"
    assert packed.name in diagnosis.history.chain.sentence
    directory.root.joinpath("runtime-events.jsonl.3").unlink()
    diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["compressed_log"], ExitCode.YES)
    assert diagnosis.history.chain.state is ChainState.WHOLE
    plain.write_bytes(b"".join(parts[2]))
    assert codes(diagnosed(directory)) == [], "what is there unpacked as well is read"


def test_what_a_compressed_file_does_not_explain(directory: StateDirectory) -> None:
    """A line that was altered shows before and after it, and a gap in the numbers elsewhere."""
    lines = cycles(*({} for _ in range(8)))
    edited = lines[6].replace(b'"applied_cases":3', b'"applied_cases":4')
    directory.write(state_of(lines[-1]), [edited, lines[7]])
    directory.rotated.write_bytes(b"".join(lines[4:6]))
    directory.root.joinpath("runtime-events.jsonl.3").write_bytes(b"".join(lines[:2]))
    directory.root.joinpath("runtime-events.jsonl.2.gz").touch()
    diagnosis = diagnosed(directory)
    assert codes(diagnosis) == ["compressed_log", "chain_broken"]
    assert the(diagnosis, "chain_broken").evidence[0].line == 2
    directory.write(state_of(lines[-1]), lines[7:])
    assert codes(diagnosed(directory)) == ["compressed_log", "chain_broken"]
    directory.write(state_of(lines[-1]), lines[1:])
    directory.rotated.unlink()
    directory.root.joinpath("runtime-events.jsonl.3").write_bytes(lines[0][:-2] + b" }\n")
    assert codes(diagnosed(directory)) == ["chain_broken", "compressed_log"], "next to each other"


def test_a_log_that_is_compressed_to_its_end(directory: StateDirectory) -> None:
    """Where the cycle that the state names is in it, nothing is said to be missing."""
    lines = cycles({}, {}, {})
    directory.write(state_of(lines[-1]), [])
    directory.root.joinpath("runtime-events.jsonl.1.gz").touch()
    directory.root.joinpath("runtime-events.jsonl.2").write_bytes(lines[0])
    diagnosis = diagnosed(directory)
    assert codes(diagnosis) == ["log_disagrees", "compressed_log"]
    assert diagnosis.history.chain.state is ChainState.UNREAD


def test_an_invalid_line_after_a_compressed_file(directory: StateDirectory) -> None:
    """What its number was is not known, so that the next one is no miscount."""
    lines = cycles({}, {}, {}, {"failed_cases": -1}, {})
    directory.write(state_of(lines[-1]), lines[3:])
    directory.root.joinpath("runtime-events.jsonl.1.gz").touch()
    directory.root.joinpath("runtime-events.jsonl.2").write_bytes(lines[0])
    assert codes(diagnosed(directory)) == ["compressed_log", "invalid_lines"]


def test_a_directory_that_may_not_be_looked_into() -> None:
    """It is told once, and no file of it is made up."""
    with TemporaryDirectory() as folder:
        directory = StateDirectory(Path(folder) / "state")
        directory.good()
        directory.root.chmod(0)
        Path(folder).chmod(0o755)
        with as_another_user():
            diagnosis = diagnosed(directory)
        directory.root.chmod(0o700)
    assert (codes(diagnosis), diagnosis.exit_code) == (
        ["permission_denied"],
        ExitCode.CANNOT_ANSWER,
    )
    assert diagnosis.symptoms[0].evidence[0].file == directory.state.name


def test_a_log_that_may_not_be_read() -> None:
    """It is a hold of its own, told once, and no disagreement of state and log."""
    with TemporaryDirectory() as folder:
        directory = StateDirectory(Path(folder))
        directory.good(3, **QUIET)
        for path in (directory.root, directory.state):
            path.chmod(0o755)
        directory.log.chmod(0)
        with as_another_user():
            diagnosis = diagnosed(directory)
    assert (codes(diagnosis), diagnosis.exit_code) == (["permission_denied"], ExitCode.NO)
    (symptom,) = diagnosis.symptoms
    assert (symptom.severity, symptom.evidence[0].file) == (Severity.HOLD, directory.log.name)
    way = "sudo -u root" if os.geteuid() == 0 else "chmod -R u+rwX"
    assert f"`{way} " in symptom.action
    assert "0600 by design" in symptom.action


def test_the_command_writes_nothing(inspector: Inspector) -> None:
    """A state directory is as it was, to the byte and to the file."""
    directory = inspector.directory()
    directory.good(3, run_timeout_failures=1)
    channel_log(directory, audited(timed_out=True))
    files = {path: path.read_bytes() for path in directory.root.rglob("*") if path.is_file()}
    inspector("diagnose", "custom-command")
    inspector("channels", "verify", "custom-command")
    assert files == {p: p.read_bytes() for p in directory.root.rglob("*") if p.is_file()}
