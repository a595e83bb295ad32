"""A record of `state.json` without what its command wrote."""

import pytest
from msgspec.structs import replace

from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import Outcome
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
