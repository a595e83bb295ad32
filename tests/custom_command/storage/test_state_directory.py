"""A state directory: what cannot be trusted is refused and left as it is; the chain goes on."""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tau_custom_command.errors import ExitCode, StateUnusableError, StorageError
from tau_custom_command.storage.state_directory import open_state, read_state
from tau_custom_command.storage.sync import NOT_TO_DISK
from tests.custom_command.cases import case_object, success
from tests.custom_command.running import Json, Runtime

CREATE = case_object("a", "CREATE")
LIST = case_object("b", "LIST", "")


@pytest.fixture
def used(runtime: Runtime) -> Runtime:
    """Return a runtime after two cycles."""
    runtime.run(CREATE)
    runtime.run(CREATE, LIST)
    return runtime


def changed(state: Json, path: str, value: object) -> bytes:
    """Return the state with one value replaced, which `path` names; `...` removes it."""
    *above, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = state
    for part in above:
        place = place[part]  # type: ignore[index]  # a list's index is a number
    if value is ...:
        del place[last]  # type: ignore[arg-type]  # as above
    else:
        place[last] = value  # type: ignore[index]  # as above
    return json.dumps(state).encode()


WRONG_VALUES: list[tuple[str, object]] = [
    ("schema_version", 2),
    ("schema_version", 1.0),
    ("schema_version", True),
    ("schema_version", "1"),
    ("schema_version", ...),
    ("processed_case_keys", ...),
    ("processed_case_keys", "a"),
    ("processed_case_keys.0", 1),
    ("failed_case_keys", None),
    ("commands", {}),
    ("commands.0.run_count", -1),
    ("commands.0.run_count", True),
    ("commands.0.template", None),
    ("commands.0.last_outcome", "fine"),
    ("commands.0.operation", "LIST"),
    ("commands.0.last_timed_out", 0),
    ("commands.0.execution_policy.allow_shell", "no"),
    ("health", ...),
    ("health.failure_streak", ...),
    ("health.failure_streak", True),
    ("health.failure_streak", 1.0),
    ("health.failure_streak", "1"),
    ("health.queue_depth", -1),
    ("health.updated_unix_ms", None),
    ("last_cycle", ...),
    ("last_cycle.cycle_number", 0),
    ("last_cycle.cycle_number", False),
    ("last_cycle.event_sha256", "abc"),
    ("last_cycle.event_sha256", "A" * 64),
    ("last_cycle.cycle_id", ""),
]


@pytest.mark.parametrize(("field", "value"), WRONG_VALUES, ids=lambda v: str(v)[:24])
def test_a_state_with_a_wrong_value_is_refused(used: Runtime, field: str, value: object) -> None:
    """Nothing is coerced: the error names file, field and next step; no file is touched."""
    raw = changed(used.files.state(), field, value)
    assert_refused(used, raw, [field.split(".")[-1 if not field[-1].isdigit() else 0]])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ["line 1"]),
        (b"{", ["line 1"]),
        (b"\x80\x00", ["UTF-8"]),
        (b"null", ["object"]),
        (b"[1]", ["object"]),
        (b'{"schema_version":1} {}', ["line 1"]),
        (b'{"schema_version":1,"schema_version":1}', ["schema_version", "twice"]),
        (b'{"schema_version":NaN}', ["NaN"]),
        (b'{"schema_version":1,"health":{"queue_depth":Infinity}}', ["Infinity"]),
        (b'{"schema_version":1,"health":{"queue_depth":1e999}}', ["too large"]),
        (b"[" * 100_000, ["nested"]),
        (b'{"a":' + b"9" * 5_000 + b"}", ["digits"]),
        (b'{"a":"\\ud800"}', ["surrogate"]),
    ],
    ids=[
        "empty",
        "torn",
        "binary",
        "null",
        "array",
        "two values",
        "repeated key",
        "NaN",
        "Infinity",
        "overflow",
        "too deep",
        "too long a number",
        "half a character",
    ],
)
def test_a_state_that_does_not_parse_is_refused(
    used: Runtime, raw: bytes, expected: list[str]
) -> None:
    """What is not strict JSON of a state is not overwritten, and the error says what it is."""
    assert_refused(used, raw, expected)


def assert_refused(runtime: Runtime, raw: bytes, expected: list[str]) -> None:
    """Hold that a run with this `state.json` ends with exit 5, names it, and changes nothing."""
    path = runtime.state_dir / "state.json"
    path.write_bytes(raw)
    before = runtime.files.contents()
    with pytest.raises(StateUnusableError) as refused:
        runtime.run(case_object("new"))
    assert refused.value.exit_code is ExitCode.CANNOT_ANSWER
    for part in [f"{path}: ", *expected, "left as it is", "tau-custom-command recover"]:
        assert part in str(refused.value)
    assert runtime.files.contents() == before
    with pytest.raises(StateUnusableError):
        read_state(runtime.state_dir)


def test_several_wrong_fields_are_named_together(used: Runtime) -> None:
    """One look at the message shows each of them."""
    state = used.files.state()
    state["health"]["queue_depth"] = -1
    del state["last_cycle"]["cycle_id"]
    assert_refused(used, json.dumps(state).encode(), ["health.queue_depth", "last_cycle.cycle_id"])


@pytest.mark.parametrize("path", ["new_key", "health.new_key", "commands.0.new_key"])
def test_keys_of_a_newer_writer_are_ignored(used: Runtime, path: str) -> None:
    """A state with keys that this version does not know is read, and written without them."""
    (used.state_dir / "state.json").write_bytes(changed(used.files.state(), path, {"a": 1}))
    assert used.run(LIST).event.duplicate_skips == 1
    assert b"new_key" not in (used.state_dir / "state.json").read_bytes()


def test_an_empty_directory_has_no_state(tmp_path: Path) -> None:
    """Before the first cycle there is nothing to read, and that is no error."""
    opened = open_state(tmp_path, NOT_TO_DISK)
    assert opened.state is None
    assert (opened.chain_end.cycle_number, opened.chain_end.sha256) == (0, None)


def test_a_state_that_cannot_be_read_is_not_taken_as_missing(used: Runtime) -> None:
    """A folder in the place of `state.json` is an error, not a fresh start."""
    (used.state_dir / "state.json").unlink()
    (used.state_dir / "state.json").mkdir()
    with pytest.raises(StorageError, match=r"state\.json: cannot read: Is a directory"):
        used.run(LIST)


def test_a_log_ahead_by_one_is_continued(used: Runtime) -> None:
    """After a cycle cut off before its state: its line stays, its cases run again, we are told."""
    earlier = (used.state_dir / "state.json").read_bytes()
    used.run(case_object("c"))
    (used.state_dir / "state.json").write_bytes(earlier)
    report = used.run(case_object("c"))
    assert report.event.applied_cases == 1
    assert ["cycle 3 was cut off" in warning for warning in report.warnings] == [True]
    assert_chain_is_whole(used)
    assert [event["cycle_number"] for event in used.files.events()] == [1, 2, 3, 4]


def test_a_rotated_log_continues_the_chain(used: Runtime) -> None:
    """After rotation by rename the new log's first line names the old log's last."""
    log = used.state_dir / "runtime-events.jsonl"
    last = used.files.event_lines()[-1]
    log.rename(log.with_name("runtime-events.jsonl.1"))
    report = used.run(LIST)
    assert report.warnings == ()
    line = json.loads(log.read_bytes())
    assert line["previous_sha256"] == sha256(last.removesuffix(b"\n")).hexdigest()
    assert line["cycle_number"] == 3


def truncate(lines: list[bytes]) -> bytes:
    """Leave out the last line."""
    return b"".join(lines[:-1])


def alter_last(lines: list[bytes]) -> bytes:
    """Alter a counter of the last line."""
    return b"".join([*lines[:-1], lines[-1].replace(b'"failed_cases":0', b'"failed_cases":1')])


def replace_last(lines: list[bytes]) -> bytes:
    """Put something else in the place of the last line."""
    return b"".join([*lines[:-1], b"\xff\n"])


@pytest.mark.parametrize(
    "tamper", [truncate, alter_last, replace_last], ids=["truncated", "altered", "replaced"]
)
def test_a_tampered_end_shows_and_is_warned_of(
    used: Runtime, tamper: Callable[[list[bytes]], bytes]
) -> None:
    """The next cycle runs and warns, and the chain never hides the break."""
    log = used.state_dir / "runtime-events.jsonl"
    log.write_bytes(tamper(used.files.event_lines()))
    report = used.run(LIST)
    assert ["chain shows a break" in warning for warning in report.warnings] == [True]
    *_, before, last = used.files.event_lines()
    assert json.loads(last)["previous_sha256"] != sha256(before.removesuffix(b"\n")).hexdigest()


@pytest.mark.parametrize("number", [0, 1])
def test_altering_or_removing_any_line_breaks_the_chain(used: Runtime, number: int) -> None:
    """Each line is held by the next one's digest, the last by the state's."""
    lines = used.files.event_lines()
    altered = [*lines]
    altered[number] = altered[number].replace(b'"failed_cases":0', b'"failed_cases":7')
    removed = lines[:number] + lines[number + 1 :]
    for other in (altered, removed):
        (used.state_dir / "runtime-events.jsonl").write_bytes(b"".join(other))
        assert not chain_is_whole(used)
    (used.state_dir / "runtime-events.jsonl").write_bytes(b"".join(lines))
    assert chain_is_whole(used)


@pytest.mark.parametrize("lines", [1, 2])
def test_a_missing_state_beside_a_log_is_refused(used: Runtime, lines: int) -> None:
    """Cycles without a state, also a single one, are not begun anew over; nothing is written."""
    log = used.state_dir / "runtime-events.jsonl"
    log.write_bytes(b"".join(used.files.event_lines()[:lines]))
    (used.state_dir / "state.json").unlink()
    before = used.files.contents()
    wanted = (
        f"{used.state_dir}: .*state.json is missing; .*: put it back .*, or see what "
        f"'tau-custom-command recover --state-dir {used.state_dir}' can do"
    )
    with pytest.raises(StateUnusableError, match=wanted):
        used.run(LIST)
    assert used.files.contents() == before


@pytest.mark.parametrize("suffix", ["", ".3"], ids=["log", "rotated log"])
def test_channel_entries_without_state_and_events_are_refused(used: Runtime, suffix: str) -> None:
    """Cycles of which only the channels are left are not begun anew over; nothing is written."""
    for log in used.state_dir.rglob("log.jsonl"):
        log.rename(log.with_name(log.name + suffix))
    (used.state_dir / "state.json").unlink()
    (used.state_dir / "runtime-events.jsonl").unlink()
    before = used.files.contents()
    wanted = f"{used.state_dir}: cycles were written here, but .*: put it back from a copy"
    with pytest.raises(StateUnusableError, match=wanted):
        used.run(LIST)
    assert used.files.contents() == before


def test_channels_without_an_entry_are_begun_anew(used: Runtime) -> None:
    """Where no log of a channel has a line there is nothing that could be done again."""
    for log in used.state_dir.rglob("log.jsonl"):
        log.unlink()
    (used.state_dir / "state.json").unlink()
    (used.state_dir / "runtime-events.jsonl").unlink()
    assert used.run(LIST).event.cycle_number == 1


def test_a_torn_last_event_is_left_out(used: Runtime) -> None:
    """A torn line is no event: its bytes are kept aside, and the chain goes on without a break."""
    with (used.state_dir / "runtime-events.jsonl").open("ab") as log:
        log.write(b'{"schema_version":1,"failed_ca')
    used.run(LIST)
    assert_chain_is_whole(used)
    corrupt = used.state_dir / "runtime-events.jsonl.corrupt"
    assert corrupt.read_bytes() == b'{"schema_version":1,"failed_ca\n'


def test_a_torn_last_event_is_reported(used: Runtime) -> None:
    """A torn line is left out and reported: the operator is told of it."""
    with (used.state_dir / "runtime-events.jsonl").open("ab") as log:
        log.write(b'{"schema_version":1,"failed_ca')
    assert ["torn" in warning for warning in used.run(LIST).warnings] == [True]


def test_what_cannot_be_written_leaves_the_state(used: Runtime) -> None:
    """Where the event cannot be appended, `state.json` still is the earlier one."""
    log = used.state_dir / "runtime-events.jsonl"
    log.rename(log.with_name("elsewhere"))
    log.symlink_to(log.with_name("elsewhere"))
    before = (used.state_dir / "state.json").read_bytes()
    with pytest.raises(StorageError, match=r"runtime-events\.jsonl"):
        used.run(case_object("c"))
    assert (used.state_dir / "state.json").read_bytes() == before


def test_a_state_that_cannot_be_written_twice_does_not_break_the_chain(used: Runtime) -> None:
    """Where only the state cannot be written (a full disk), trying again and again is harmless."""
    obstacle = used.state_dir / "state.json.new"
    obstacle.mkdir()
    for _ in range(3):
        with pytest.raises(StorageError, match=r"state\.json"):
            used.run(case_object("c"))
    obstacle.rmdir()
    used.run(case_object("c"))
    assert_chain_is_whole(used)
    numbers = [event["cycle_number"] for event in used.files.events()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_drift_is_kept_by_the_chain_too(used: Runtime) -> None:
    """Failing cycles are chained like any other."""
    used.run(case_object("z", "LIST", "", expected=success("LIST", status_code=299)))
    assert_chain_is_whole(used)


def chain_is_whole(runtime: Runtime) -> bool:
    """Follow the chain from the first line of the log to the state, as an outsider would."""
    previous = None
    for line in runtime.files.event_lines():
        if json.loads(line)["previous_sha256"] != previous:
            return False
        previous = sha256(line.removesuffix(b"\n")).hexdigest()
    named: str = runtime.files.state()["last_cycle"]["event_sha256"]
    return named == previous


def assert_chain_is_whole(runtime: Runtime) -> None:
    """Hold the chain together."""
    assert chain_is_whole(runtime)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([{}, {}], "commands: 'greet' stands there twice"),
        ([{"command_name": "../../x\x1b"}], "is no command name"),
        (
            [{"execution_policy": {"schema_version": 1, "allow_everything": True}}],
            "execution_policy.allow_everything: is not a known key",
        ),
    ],
    ids=["twice", "no name", "unknown policy key"],
)
def test_a_registry_that_cannot_be_is_refused(
    used: Runtime, changes: list[dict[str, object]], words: str
) -> None:
    """A record is never dropped or misread in silence: the file is named and left as it is."""
    used.run(case_object("registered", command_name="greet"))
    path = used.state_dir / "state.json"
    state = json.loads(path.read_bytes())
    (record,) = [item for item in state["commands"] if item["command_name"] == "greet"]
    state["commands"] = [record | change for change in changes]
    path.write_text(json.dumps(state))
    before = path.read_bytes()
    with pytest.raises(StateUnusableError, match=re.escape(words)):
        used.run(case_object("next"))
    assert path.read_bytes() == before
