"""`state.json` read back, and a record of it without what its command wrote."""

from unittest.mock import patch

import pytest
from msgspec.structs import replace

from tau_custom_command.contract.state import CommandRecord, HealthSnapshot, LastCycle, StateFile
from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.errors import FormRefusedError
from tau_custom_command.policy.model import ExecutionPolicy

RECORD = CommandRecord(
    case_key="RUN:a:1",
    case_id="1",
    command_name="a",
    template="x",
    operation="RUN",
    last_status_code=200,
    last_outcome=Outcome.SUCCESS,
    run_count=1,
    updated_unix_ms=1,
    execution_policy=ExecutionPolicy(),
    last_error_code="",
    last_command_line="",
    last_exit_code=0,
    last_stdout="",
    last_stderr="",
    last_timed_out=False,
    last_duration_ms=1,
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", ""),
        ("x", "...<truncated:1 bytes>"),
        ("größe\n", "...<truncated:8 bytes>"),
        ("xy...<truncated:40 bytes>", "...<truncated:42 bytes>"),
        ("...<truncated:40 bytes>", "...<truncated:40 bytes>"),
        ("...<truncated:40 bytes>\n", "...<truncated:24 bytes>"),
        (f"...<truncated:{'9' * 19} bytes>", "...<truncated:40 bytes>"),
    ],
)
@pytest.mark.parametrize("name", ["last_command_line", "last_stdout", "last_stderr"])
def test_only_how_much_it_is_is_left(name: str, text: str, left: str) -> None:
    """With what was cut already; the rest of the record stays, and nothing more goes by itself."""
    record = replace(RECORD, **{name: text})
    assert record.without_output() == replace(RECORD, **{name: left})
    assert record.without_output().without_output() == record.without_output()


STATE = StateFile(
    schema_version=1,
    processed_case_keys=("RUN:a:1", 'é"\\\n'),
    failed_case_keys=(),
    commands=(replace(RECORD, default_arguments={"x": [1, 1.5, {"y": None}]}),),
    health=HealthSnapshot(*range(10)),
    last_cycle=LastCycle(cycle_id="1", cycle_number=1, event_sha256="0" * 64),
)
WRITTEN = STATE.as_document()


def is_read_fast(raw: bytes) -> bool:
    """Tell whether the strict way is not needed to read a state."""
    with patch("tau_custom_command.contract.forms.read_document", return_value=STATE) as strictly:
        StateFile.parse(raw)
    return not strictly.called


def test_a_state_as_it_is_written_is_read_fast() -> None:
    """It is the same; and any other bytes are read the strict way."""
    assert is_read_fast(WRITTEN)
    assert StateFile.parse(WRITTEN) == STATE
    assert not is_read_fast(WRITTEN.replace(b": ", b":"))
    assert StateFile.parse(WRITTEN.replace(b": ", b":")) == STATE


@pytest.mark.parametrize(
    ("written", "other"),
    [
        (b'"run_count": 1', b'"run_count": 1.0'),
        (b'"run_count": 1', b'"run_count": true'),
        (b'"run_count": 1', b'"run_count": -1'),
        (b'"schema_version": 1', b'"schema_version": 1,\n  "schema_version": 1'),
        (b'"x": [', b'"x": NaN, "z": ['),
        (b'"x": [', b'"x": %b1%b, "z": [' % (b"[" * 99, b"]" * 99)),
        (b'"command_name": "a"', b'"command_name": "registry"'),
        (b'"last_exit_code": 0', b'"last_exit_code": %b' % (b"9" * 5_000)),
        (b'"health": {', b'"health": [],\n  "health": {'),
        (b"}\n", b"}\n\x00"),
        (b'"a"', b'"\\ud800"'),
    ],
)
def test_no_state_passes_that_the_rules_refuse(written: bytes, other: bytes) -> None:
    """Whatever way it goes."""
    assert written in WRITTEN
    with pytest.raises(FormRefusedError):
        StateFile.parse(WRITTEN.replace(written, other))


def test_a_record_that_stands_twice_is_refused() -> None:
    """Though it is written as ever."""
    twice = replace(STATE, commands=(RECORD, RECORD)).as_document()
    with pytest.raises(FormRefusedError, match="'a' stands there twice"):
        StateFile.parse(twice)


def test_a_deep_state_is_read_the_strict_way() -> None:
    """Also one that is written as ever: its lines show how deep it is."""
    value: object = 1
    for depth in range(1, 120):
        value = [value]
        deep = replace(RECORD, default_arguments={"x": value})
        raw = replace(STATE, commands=(deep,)).as_document()
        assert is_read_fast(raw) == (depth < 46)
        assert StateFile.is_read(raw) == (depth <= 96)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 7])
def test_many_records_are_written_as_few(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In groups, to the same bytes."""
    name = '"commands": []\n'
    records = tuple(replace(RECORD, case_id=f"{name}{n}") for n in range(count))
    state = replace(STATE, commands=records, processed_case_keys=("commands", name))
    expected = state.as_document()
    monkeypatch.setattr("tau_custom_command.contract.state._RECORDS_AT_ONCE", 3)
    monkeypatch.setattr("tau_custom_command.contract.state._FEW_RECORDS", 2)
    assert state.as_document() == expected
