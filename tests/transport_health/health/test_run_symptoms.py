"""`diagnose` on executed runs: each way to fail with the command, its end, and what to do."""

import json
import re
import shlex

import pytest

from tau_transport_health.contract.channel import parse_log_entry
from tau_transport_health.errors import FormRefusedError
from tau_transport_health.formats.diagnosis import diagnosis_json, diagnosis_text
from tau_transport_health.formats.text import facts
from tau_transport_health.health.file_symptoms import Severity, Symptom
from tau_transport_health.log.traces import LONGEST_TEXT_CHARACTERS, TraceKind, kinds_of
from tests.transport_health.health.test_diagnosis import (
    ESCAPE,
    after,
    audited,
    channel_log,
    codes,
    diagnosed,
    rejected,
    the,
)
from tests.transport_health.running import unprintable
from tests.transport_health.state_files import (
    NOW_UNIX_MS,
    Json,
    StateDirectory,
    event,
    failed,
    line_of,
    state_of,
)

SUCCESS: Json = {
    "outcome": "success",
    "status_code": 200,
    "error_code": None,
    "response_body": None,
}
DENIED: Json = SUCCESS | {
    "outcome": "malformed_input",
    "status_code": 403,
    "error_code": "custom_command_policy_denied",
}
CODES = ["case_processing_failed", "command_registry_mutated"]
DIFFERENCE: Json = {"field": "stdout.equals", "expected": "'hallo'", "observed": "'hello'"}


def drifted(
    observed: Json = SUCCESS,
    *differences: Json,
    key: str = "RUN:disk-usage:020-run",
    **audit: object,
) -> bytes:
    """Return a channel's line of a run that is not as its fixture expects."""
    entry: Json = json.loads(audited(**audit))
    payload = entry["payload"]
    if observed["outcome"] != "success":
        for count in ("upserted_commands", "deleted_commands", "executed_runs"):
            del payload[count]
        payload |= {name: observed[name] for name in ("outcome", "status_code", "error_code")}
    drift = {"expected": SUCCESS, "observed": observed}
    payload["drift"] = drift | ({"differences": list(differences)} if differences else {})
    return line_of(entry | {"event_key": key})


def refused(reason: str, key: str = "RUN:disk-usage:020-run") -> bytes:
    """Return a channel's line of a run that was not started."""
    audit = {"executed": False, "exit_code": None, "duration_ms": 0, "failure_reason": reason}
    return drifted(DENIED, key=key, **audit)


def executed(**changes: object) -> Json:
    """Return what differs in an event of a cycle that executed runs of which some failed."""
    return failed(streak=1) | {"run_mode": "execute", "reason_codes": CODES} | changes


def command_in(symptom: Symptom) -> str:
    """Return the first command of the runtime's to be pasted."""
    found = re.search("`(tau-custom-command [^`]*)`", symptom.action)
    assert found, symptom.action
    return found[1]


@pytest.mark.parametrize(
    ("line", "code", "command"),
    [
        (refused("approval_required"), "run_not_approved", "approve disk-usage --by WHO --dry-run"),
        (refused("sandbox_unavailable"), "run_not_confined", "doctor"),
        (refused("policy_denied"), "run_refused", "run FIXTURE"),
        (refused("shell_program_disallowed"), "run_refused", "run FIXTURE"),
        (refused("invalid_template"), "run_refused", "run FIXTURE"),
        (refused("capture_missing"), "run_capture_missing", "run FIXTURE"),
        (
            drifted(SUCCESS, exit_code=None, failure_reason="interrupted"),
            "run_interrupted",
            "run FIXTURE",
        ),
        (drifted(SUCCESS, DIFFERENCE), "run_output_drift", "accept FIXTURE"),
    ],
    ids=[
        *("approval", "sandbox", "policy", "shell", "template", "capture"),
        *("interrupted", "drift"),
    ],
)
def test_each_cause_has_its_advice(
    directory: StateDirectory, line: bytes, code: str, command: str
) -> None:
    """The cause has a symptom of its own with the real paths, and no word of the fixture's."""
    channel_log(directory, line)
    diagnosis = after(directory, executed())
    assert codes(diagnosis) == ["case_processing_failed", code]
    whole, cause = diagnosis.symptoms
    assert "Correct the fixture" not in whole.action
    assert "see the next symptoms" in whole.action
    assert command_in(cause).startswith(f"tau-custom-command {command}")
    assert f"--state-dir {shlex.quote(str(directory.root))}" in command_in(cause)
    assert cause.sentence.endswith(": disk-usage")
    assert whole.evidence[-1].run is None, "it is told once"
    run = cause.evidence[0].run
    assert run is not None
    assert run.command_line == "df -h /var"


def test_what_was_not_started_is_forgotten_once_it_was_tried_again(
    directory: StateDirectory,
) -> None:
    """A cycle tries it again, so the last cycle tells; what was started stays for the window."""
    lines = [
        json.loads(line) for line in (refused("approval_required"), drifted(SUCCESS, DIFFERENCE))
    ]
    old = {"timestamp_unix_ms": NOW_UNIX_MS - 10}
    channel_log(directory, *(line_of(line | old) for line in lines))
    time = {"timestamp_unix_ms": NOW_UNIX_MS - 10, "cycle_duration_ms": 1}
    later = executed(failure_streak=2, cycle_duration_ms=1)
    assert codes(after(directory, executed(**time), later)) == [
        "case_processing_failed",
        "run_output_drift",
    ]
    assert codes(after(directory, executed(**time), {})) == ["run_output_drift"]


def test_what_was_run_again_well_is_no_symptom(directory: StateDirectory) -> None:
    """The same RUN of the same command, wherever its log goes on; what else drifted still is."""
    lines = (drifted(SUCCESS, DIFFERENCE), drifted(SUCCESS, DIFFERENCE, key="RUN:disk-usage:2"))
    channel_log(directory, *lines)
    channel_log(directory, lines[0], channel="other")
    folder = directory.root / "channel-store/custom-command/disk-usage"
    folder.joinpath("log.jsonl").rename(folder / "log.jsonl.1")
    channel_log(directory, audited())
    symptom = the(after(directory, executed(), {}), "run_output_drift")
    assert [(each.file.split("/")[-2], each.line) for each in symptom.evidence] == [
        ("disk-usage", 2),
        ("other", 1),
    ]


def cycles_at(*changes: Json) -> tuple[Json, ...]:
    """Return what differs in events of cycles a second apart, of which the last ends now."""
    first = NOW_UNIX_MS - 1000 * (len(changes) - 1)
    times = ({"timestamp_unix_ms": first + 1000 * place} for place in range(len(changes)))
    return tuple(change | time for change, time in zip(changes, times, strict=True))


def at(line: bytes, *, ago: int, key: str = "RUN:disk-usage:020-run") -> bytes:
    """Return an entry of so many cycles ago, in their last millisecond."""
    return line_of(
        json.loads(line) | {"timestamp_unix_ms": NOW_UNIX_MS - 1000 * ago, "event_key": key}
    )


def in_vain(**audit: object) -> bytes:
    """Return a channel's line of an attempt that may be tried again."""
    return rejected(
        503,
        "custom_command_backend_unavailable",
        outcome="retryable_failure",
        run_audit=json.loads(audited(exit_code=3, **audit))["payload"]["run_audit"],
    )


NON_ZERO: Json = {"run_mode": "execute", "run_non_zero_exit_failures": 1}
RETRIED: Json = NON_ZERO | {"retry_attempts": 2}


def lines_of(symptom: Symptom) -> list[int | None]:
    """Return the lines of the channel that are evidence."""
    return [each.line for each in symptom.evidence if each.file.startswith("channel-store")]


def test_attempts_before_one_that_went_well_are_counted_and_no_more(
    directory: StateDirectory,
) -> None:
    """In the same cycle or a later one: a notice that says what it counts, and no advice on it."""
    channel_log(
        directory,
        *(at(line, ago=1) for line in (in_vain(), in_vain(), audited())),
        *(at(line, ago=0) for line in (in_vain(), audited())),
    )
    diagnosis = after(directory, *cycles_at(RETRIED, RETRIED))
    assert codes(diagnosis) == ["repeated_retries", "run_non_zero_exits"]
    for symptom in diagnosis.symptoms:
        assert symptom.severity is Severity.NOTICE
        assert symptom.sentence.startswith("attempts ")
        assert "went well since" in symptom.action
        assert lines_of(symptom) == []


def test_without_channels_attempts_that_failed_stay_a_fault(directory: StateDirectory) -> None:
    """Nobody tells that they went well in the end."""
    diagnosis = after(directory, *cycles_at(RETRIED, RETRIED))
    assert {each.severity for each in diagnosis.symptoms} == {Severity.FAULT}


def test_a_case_that_was_never_retried_is_no_evidence_of_retries(
    directory: StateDirectory,
) -> None:
    """A RUN that failed at its only attempt is told as that; another one was tried again."""
    channel_log(directory, at(in_vain(), ago=0), channel="once")
    channel_log(
        directory,
        *(at(in_vain(stderr=word), ago=0, key="RUN:x:1") for word in ("a", "b")),
        channel="twice",
    )
    diagnosis = after(directory, *cycles_at({}, executed(**RETRIED)))
    retries = the(diagnosis, "repeated_retries")
    assert [(each.file.split("/")[-2], each.line) for each in retries.evidence[1:]] == [
        ("twice", 2)
    ]
    assert retries.severity is Severity.FAULT
    assert [(each.channel, each.line) for each in diagnosis.failing_cases] == [
        ("once", 1),
        ("twice", 2),
    ]


def test_a_run_of_a_fresh_cycle_is_the_same_in_the_next(directory: StateDirectory) -> None:
    """By its key less the suffix; a case whose name ends alike, in the same cycle, is another."""
    keys = ("RUN:disk-usage:a-1", "RUN:disk-usage:b-1", "RUN:disk-usage:a--2", "RUN:disk-usage:b")
    channel_log(
        directory,
        *(at(in_vain(), ago=1, key=key) for key in keys[:2]),
        at(audited(), ago=0, key=keys[2]),
    )
    symptom = the(after(directory, *cycles_at(NON_ZERO, {})), "run_non_zero_exits")
    assert lines_of(symptom) == [2]
    assert "--fresh`" in symptom.action
    assert "--rerun" not in symptom.action
    channel_log(
        directory,
        at(in_vain(), ago=1, key=keys[3]),
        at(audited(), ago=1, key=keys[1]),
    )
    symptom = the(diagnosed(directory), "run_non_zero_exits")
    assert lines_of(symptom) == [1]
    assert "--rerun RUN:disk-usage:b`" in symptom.action


def test_many_commands_are_counted(directory: StateDirectory) -> None:
    """Five are named, and how many more there are; the newest three are shown."""
    for name in "abcdefg":
        channel_log(directory, refused("approval_required"), channel=name)
    symptom = the(after(directory, executed()), "run_not_approved")
    assert symptom.sentence.endswith("counts: a, b, c, d, e and 2 more")
    assert len(symptom.evidence) == 3


def test_a_run_without_a_command_line_shows_none(directory: StateDirectory) -> None:
    """Where its template could not be filled in, there is no line that begins with `$`."""
    channel_log(
        directory,
        drifted(DENIED, executed=False, command_line="", failure_reason="invalid_template"),
    )
    assert "$ " not in diagnosis_text(after(directory, executed()))


def test_failed_cases_of_several_kinds_have_the_advice_of_each(directory: StateDirectory) -> None:
    """The fixture's for a case that nothing else tells of, and the word on runs beside it."""
    channel_log(directory, drifted(DENIED, key="RUN:a:1"), drifted(SUCCESS, DIFFERENCE))
    symptom = the(after(directory, executed()), "case_processing_failed")
    assert "Correct the fixture" in symptom.action
    assert "Where it is a run that has a symptom of its own: " in symptom.action
    assert [each.run is None for each in symptom.evidence] == [True, False, True]


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("RUN:disk-usage:020-run", "RUN:disk-usage:020-run"),
        ("RUN:disk-usage:it's $(one)", shlex.quote("RUN:disk-usage:it's $(one)")),
        ("RUN:disk-usage:{dir}", "'RUN:disk-usage:{dir}'"),
        ("RUN:disk-usage:`reboot`", "KEY"),
        (f"RUN:disk-usage:{ESCAPE}", "KEY"),
        ("RUN:" + "x" * LONGEST_TEXT_CHARACTERS, "KEY"),
    ],
)
def test_a_key_is_a_word_or_left_to_the_reader(
    directory: StateDirectory, key: str, word: str
) -> None:
    """What a file has as a key is pasted as one word, or not at all."""
    channel_log(directory, drifted(SUCCESS, exit_code=3, key=key))
    event = executed(run_non_zero_exit_failures=1)
    action = the(after(directory, event), "run_non_zero_exits").action
    assert f"--rerun {word}`" in action


def test_what_a_command_wrote_is_cut_and_harmless(directory: StateDirectory) -> None:
    """The last lines of its stderr, each cut; the screen and JSON say the same."""
    lines = [f"line {number} {ESCAPE}" for number in range(9)]
    stderr = "\n".join([*lines, "x" * 1000, "...<truncated:7 bytes>"])
    channel_log(directory, drifted(SUCCESS, exit_code=3, command_line=ESCAPE * 99, stderr=stderr))
    diagnosis = after(directory, executed(run_non_zero_exit_failures=1))
    text = diagnosis_text(diagnosis)
    assert not unprintable(text)
    assert "stderr: ...<truncated:7 bytes>" in text
    run = the(diagnosis, "run_non_zero_exits").evidence[-1].run
    assert run is not None
    assert [each[:7] for each in run.stderr] == ["line 7 ", "line 8 ", "x" * 7, "...<tru"]
    assert max(map(len, (run.command_line, *run.stderr))) == LONGEST_TEXT_CHARACTERS
    evidence = diagnosis_json(diagnosis)["symptoms"][1]["evidence"]
    assert "run" not in evidence[0]
    assert (evidence[1]["run"]["exit_code"], evidence[1]["run"]["duration_ms"]) == (3, 7)


def test_attempts_that_ended_alike_are_one(directory: StateDirectory) -> None:
    """However long each took: a case that is tried thirty times leaves room for others."""
    entries = (drifted(SUCCESS, exit_code=3, duration_ms=number) for number in range(30))
    channel_log(directory, *entries)
    other = drifted(SUCCESS, exit_code=3, key="RUN:other:1")
    channel_log(directory, other, channel="other")
    symptom = the(after(directory, executed(run_non_zero_exit_failures=31)), "run_non_zero_exits")
    assert sorted(each.file.split("/")[-2] for each in symptom.evidence[1:]) == [
        "disk-usage",
        "other",
    ]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["dense", "loose"])
def test_entries_of_long_ago_are_left_out(
    directory: StateDirectory, separators: tuple[str, str]
) -> None:
    """However their lines are written; what is of the oldest cycle that failed is taken."""
    entry = json.loads(drifted(SUCCESS, exit_code=3))
    since = NOW_UNIX_MS - 12 - 1  # what began within a millisecond
    lines = [
        json.dumps(entry | {"timestamp_unix_ms": time}, separators=separators).encode() + b"\n"
        for time in (since - 1, since)
    ]
    channel_log(directory, *lines)
    symptom = the(after(directory, executed(run_non_zero_exit_failures=1)), "run_non_zero_exits")
    assert [each.line for each in symptom.evidence[1:]] == [2]
    channel_log(directory, lines[0])
    symptom = the(diagnosed(directory), "run_non_zero_exits")
    assert len(symptom.evidence) == 1


def test_an_exit_code_that_is_expected_is_no_failure() -> None:
    """A run without a reason to have failed did not; one with a reason nobody knows did."""
    expected = parse_log_entry(audited(exit_code=3, failure_reason=None))
    assert list(kinds_of(expected)) == [TraceKind.EXECUTED]
    unknown = parse_log_entry(audited(failure_reason="moonshine"))
    assert list(kinds_of(unknown)) == [TraceKind.EXECUTED, TraceKind.NON_ZERO_EXIT]


@pytest.mark.parametrize(("mode", "option"), [("record", ""), ("execute", " --run-mode execute")])
def test_a_cycle_to_type_is_executed_where_the_last_one_was(
    directory: StateDirectory, mode: str, option: str
) -> None:
    """Else what it is typed for would only be recorded."""
    idle = {"run_mode": mode, "duplicate_skips": 4, "applied_cases": 0, "backlog_cases": 3}
    diagnosis = after(directory, idle)
    where = f"run FIXTURE --state-dir {shlex.quote(str(directory.root))}{option}"
    assert f"{where} --fresh`" in the(diagnosis, "nothing_but_duplicates").action
    assert f"{where} --queue-limit 5`" in the(diagnosis, "backlog_left").action


def test_a_recovered_cycle_is_told_as_such(directory: StateDirectory) -> None:
    """It is a word of its line, and a notice of its own."""
    diagnosis = after(directory, {"run_mode": "execute", "recovered": True}, {})
    assert codes(diagnosis) == ["closed_after_a_crash"]
    (symptom,) = diagnosis.symptoms
    assert symptom.sentence.endswith(": 1, in 1 of the last 2 cycles, last 1 cycle ago")
    assert symptom.evidence[0].excerpt.endswith("fixture 'rollout-pass', closed after a crash")
    assert diagnosis.exit_code == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "12 ms"),
        ({"run_mode": "execute"}, "12 ms, 1 run executed"),
        ({"run_mode": "execute", "executed_runs": 1200}, "12 ms, 1,200 runs executed"),
        ({"run_mode": "execute", "executed_runs": 0}, "12 ms, 0 runs executed"),
        ({"recovered": True}, "12 ms, closed after a crash"),
    ],
)
def test_inspect_tells_of_execution_only(
    directory: StateDirectory, changes: Json, words: str
) -> None:
    """In record mode nothing of it is said, nor of a last line that is not the state's."""
    inspection = after(directory, changes).inspection
    assert dict(facts(inspection))["last cycle"].endswith(words)
    lines = directory.log.read_bytes().splitlines(keepends=True)
    directory.write(state_of(lines[0]), [*lines, *ahead(lines[0])])
    assert dict(facts(diagnosed(directory).inspection))["last cycle"].endswith("12 ms")


def ahead(line: bytes) -> list[bytes]:
    """Return the line that continues another one, a second later, of a cycle that executed."""
    later = {"timestamp_unix_ms": NOW_UNIX_MS + 1000, "run_mode": "execute", "recovered": True}
    return [line_of(event(number=2, previous=line, **later))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signal": "9"}, r"payload\.run_audit\.signal: found '9'; must be an integer"),
        ({"left_behind": 1}, r"payload\.run_audit\.left_behind: found 1; must be true or false"),
        ({"working_directory": None}, r"payload\.run_audit\.working_directory: found None"),
        ({"output_is_lossy": 0}, r"payload\.run_audit\.output_is_lossy: found 0"),
    ],
)
def test_a_key_that_may_be_left_out_is_held_to_its_form(change: Json, reason: str) -> None:
    """Where it stands it is as the contract has it."""
    with pytest.raises(FormRefusedError, match=reason):
        parse_log_entry(audited(**change))


@pytest.mark.parametrize(
    ("differences", "reason"),
    [
        ({}, "must be an array"),
        ([7], r"payload\.drift\.differences\[0\]: is not an object"),
        ([DIFFERENCE, DIFFERENCE | {"field": 1}], r"differences\[1\]\.field: found 1"),
    ],
)
def test_differences_are_held_to_their_form(differences: object, reason: str) -> None:
    """One that is not as the contract has it makes the line invalid."""
    entry = json.loads(drifted(SUCCESS))
    entry["payload"]["drift"]["differences"] = differences
    with pytest.raises(FormRefusedError, match=reason):
        parse_log_entry(line_of(entry))
