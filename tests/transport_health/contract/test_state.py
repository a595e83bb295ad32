"""The state file as a reader sees it: strict about types, tolerant of new keys."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_transport_health.contract.state import HealthState, LastCycle, classify, parse_state
from tau_transport_health.errors import FormRefusedError, TransportHealthError
from tests.transport_health.running import UNHURRIED
from tests.transport_health.state_files import (
    HEALTH_KEYS,
    Json,
    chain,
    minimal_state,
    record,
    snapshot,
    state_of,
)

NO_COUNTS: list[object] = [-1, True, False, 0.0, 1.5, "0", None, [], {}]


def raw(value: object) -> bytes:
    """Return a value as the bytes of a file."""
    return json.dumps(value).encode()


def good(**changes: object) -> Json:
    """Return a state of the runtime's, but for `changes`."""
    return state_of(chain(1)[0], **changes)


def refusal(value: object, *, chained: bool = True) -> str:
    """Return why a state is refused."""
    with pytest.raises(TransportHealthError) as refused:
        parse_state([value if isinstance(value, bytes) else raw(value)], chained=chained)
    return str(refused.value)


def test_a_state_of_the_runtime_is_read_whole() -> None:
    """Every number of the health block, the last cycle and what is counted of commands is there."""
    line = chain(2)[-1]
    state = parse_state([raw(state_of(line))], chained=True, counts_commands=True)
    assert state.health.as_json() == snapshot(json.loads(line))
    named = state_of(line)["last_cycle"]
    assert state.last_cycle == LastCycle(**named)
    assert state.processed_case_count == 2
    commands = state.commands
    assert (commands.total, commands.runs) == (1, 3)
    assert (commands.by_name, commands.by_operation) == ({"disk-usage": 1}, {"RUN": 1})
    assert (commands.by_outcome, commands.by_status_code) == ({"success": 1}, {200: 1})


def test_another_transport_need_write_the_health_block_alone() -> None:
    """What is optional may be missing: no keys, no commands, no chain."""
    state = parse_state([raw(minimal_state())], chained=False)
    assert (state.last_cycle, state.processed_case_count, state.commands.total) == (None, 0, 0)


def test_keys_that_are_not_known_are_ignored() -> None:
    """A newer writer's additions do no harm, on any level."""
    value = good(new={"a": [1.5, None]}, commands=[record(new=True)])
    value["health"]["new"] = -1.5
    value["last_cycle"]["new"] = "x"
    found, known = (
        parse_state([raw(each)], chained=True, counts_commands=True) for each in (value, good())
    )
    assert vars(found.commands) == vars(known.commands)
    assert found._replace(commands=known.commands) == known


@pytest.mark.parametrize("key", HEALTH_KEYS)
def test_each_health_key_is_required(key: str) -> None:
    """A missing number is no 0: the state is refused, and the key named."""
    value = minimal_state()
    del value["health"][key]
    assert refusal(value, chained=False).startswith(f"health.{key}: is missing")


@pytest.mark.parametrize("wrong", NO_COUNTS, ids=repr)
@pytest.mark.parametrize("key", HEALTH_KEYS)
def test_no_number_is_coerced(key: str, wrong: object) -> None:
    """Only an integer from 0 on is a counter, a time or a duration."""
    assert f"health.{key}: " in refusal(minimal_state(**{key: wrong}), chained=False)


@pytest.mark.parametrize("version", [0, 2, -1, True, 1.0, "1", None, [1]], ids=repr)
def test_another_version_is_refused(version: object) -> None:
    """1 is the only version that is known, and nothing that only equals 1 is it."""
    assert refusal(good(schema_version=version)).startswith("schema_version: found ")


def test_a_version_must_be_there() -> None:
    """Without a version nothing can be said."""
    value = good()
    del value["schema_version"]
    assert refusal(value) == "schema_version: is missing; 1 is known"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"{}", "schema_version: is missing"),
        (b"null", "the file: is missing or null"),
        (b"[]", "the file: is not an object"),
        (b"3", "the file: is not an object"),
        (raw(good())[:-5], "not JSON"),
        (raw(good()) * 2, "not JSON: Extra data"),
        (b"\xef\xbb\xbf" + raw(good()), "BOM"),
        (b"\xff" + raw(good()), "not UTF-8 text (byte 0)"),
        (b'{"a": 1,\n"b": nan}', "line 2, column 6: not JSON"),
        (b'{"schema_version":1,"schema_version":1}', "'schema_version' stands twice"),
        (b'{"schema_version":NaN}', "NaN is not a JSON number"),
        (b'{"schema_version":-Infinity}', "-Infinity is not a JSON number"),
        (b'{"schema_version":1e999}', "the number 1e999 is too large"),
        (b'{"schema_version":-1e999}', "the number -1e999 is too large"),
        (b'{"schema_version":' + b"9" * 9999 + b"}", "digits"),
        (b'{"schema_version":"\\ud800"}', "half of a surrogate pair"),
        (b"[" * 200_000, "nested too deeply"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_strict_json_is_refused_with_the_reason(content: bytes, words: str) -> None:
    """Each way of not being one strict JSON value is named as what it is."""
    assert words in refusal(content)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"health": None}, "health: is missing or null"),
        ({"health": [1]}, "health: is not an object"),
        ({"last_cycle": None}, "last_cycle: is missing or null"),
        ({"last_cycle": "x"}, "last_cycle: is not an object"),
        ({"last_cycle": {}}, "last_cycle.cycle_id: is missing"),
        ({"commands": {}}, "commands: found an object; must be an array"),
        ({"commands": None}, "commands: found None; must be an array"),
        ({"commands": [[]]}, "commands[0]: is not an object"),
        ({"commands": [record(), record(run_count=True)]}, "commands[1].run_count: found True"),
        ({"commands": [record(command_name=3)]}, "commands[0].command_name: found 3"),
        ({"commands": [record(operation=[])]}, "commands[0].operation: found an array"),
        ({"commands": [record(operation="X")]}, "commands[0].operation: found 'X'; one of"),
        ({"commands": [record(last_outcome=None)]}, "commands[0].last_outcome: found None"),
        ({"commands": [record(last_status_code=-1)]}, "commands[0].last_status_code: found -1"),
        ({"processed_case_keys": "abc"}, "processed_case_keys: found 'abc'"),
        ({"processed_case_keys": ["a", 1]}, "processed_case_keys: found an array; must be"),
    ],
    ids=repr,
)
def test_a_part_of_another_form_is_refused_by_its_place(changes: Json, words: str) -> None:
    """The text names the place, also within the second of two commands."""
    assert refusal(good(**changes)).startswith(words)


@pytest.mark.parametrize("wrong", ["a" * 63, "a" * 65, "A" * 64, "a" * 64 + "\n", "g" * 64, "", 1])
def test_a_digest_is_64_lower_case_hex_digits(wrong: object) -> None:
    """Nothing that merely looks like a digest is one, a line break after it included."""
    value = good()
    value["last_cycle"]["event_sha256"] = wrong
    assert refusal(value).startswith("last_cycle.event_sha256: ")


@pytest.mark.parametrize(("key", "wrong"), [("cycle_id", ""), ("cycle_number", 0)])
def test_the_last_cycle_names_a_cycle(key: str, wrong: object) -> None:
    """Cycles count from 1 and have an id that is not empty (state-files, `last_cycle`)."""
    value = good()
    value["last_cycle"][key] = wrong
    assert refusal(value).startswith(f"last_cycle.{key}: ")


def test_a_writer_that_chains_must_name_its_last_cycle() -> None:
    """`last_cycle` is required of the command runtime and of nobody who never chained."""
    value = good()
    del value["last_cycle"]
    assert refusal(value).startswith("last_cycle: is missing")
    assert parse_state([raw(value)], chained=False).last_cycle is None


def test_a_repeated_key_is_found_at_once_among_many() -> None:
    """A hostile object of very many keys costs no more than its size: a check must not hang."""
    keys = ",".join(f'"k{number}":1' for number in range(30_000))
    started = time.process_time()
    assert "'k29999' stands twice" in refusal(f'{{{keys},"k29999":1}}'.encode())
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("streak", "cases", "state"),
    [
        (0, 0, HealthState.HEALTHY),
        (0, 1, HealthState.DEGRADED),
        (1, 0, HealthState.DEGRADED),
        (2, 9, HealthState.DEGRADED),
        (3, 0, HealthState.FAILING),
        (4, 9, HealthState.FAILING),
    ],
)
def test_the_health_follows_from_two_numbers(streak: int, cases: int, state: HealthState) -> None:
    """Failing from a streak of 3 on; degraded from one failed case or cycle on."""
    assert classify(failure_streak=streak, failed_cases=cases) is state
    value = minimal_state(failure_streak=streak, last_cycle_failed=cases)
    assert parse_state([raw(value)], chained=False).health.state is state


ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@UNHURRIED
@given(
    where=st.sampled_from(["", "health", "last_cycle", "command"]),
    key=st.integers(0, 20),
    value=ANY_JSON,
)
def test_a_state_is_read_or_refused_and_nothing_else(where: str, key: int, value: object) -> None:
    """Whatever stands in whichever place: no other error ever comes out of it."""
    state = good()
    place = {
        "": state,
        "health": state["health"],
        "last_cycle": state["last_cycle"],
        "command": state["commands"][0],
    }[where]
    place[sorted(place)[key % len(place)]] = value
    with suppress(FormRefusedError):
        parse_state([raw(state)], chained=True)


@UNHURRIED
@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused_and_nothing_else(content: bytes) -> None:
    """No bytes make the reader fail in another way than by saying why."""
    assert refusal(content)
