"""Output that is read as JSON: a secret that escapes hid in it is masked all the same."""

import pytest

from tau_custom_command.contract.strict_json import JsonRefusedError
from tau_custom_command.cycle.checks.masked_json import as_it_is, json_of
from tau_custom_command.cycle.execution import Stream


def _mask(text: str) -> str:
    return text.replace("se/cret", "***")


def _stream(kept: bytes) -> Stream:
    return Stream(kept=kept, size=len(kept), left_out=0)


def test_every_text_is_masked() -> None:
    """Names and values, at any depth; what is no text stays."""
    stream = _stream(rb'{"se\/cret": [1, null, "a se\u002fcret", {"b": "c"}]}')
    assert json_of(stream, _mask) == {"***": [1, None, "a ***", {"b": "c"}]}
    assert json_of(stream, as_it_is) == {"se/cret": [1, None, "a se/cret", {"b": "c"}]}


def test_what_has_no_escapes_was_masked_before() -> None:
    """Nothing is looked for again."""
    assert json_of(_stream(b'["***", 5]'), _mask) == ["***", 5]


def test_why_it_is_no_json_is_masked() -> None:
    """The reason quotes what was read."""
    with pytest.raises(JsonRefusedError, match=r"the key '\*\*\*' stands twice"):
        json_of(_stream(rb'{"se\/cret": 1, "se\/cret": 2}'), _mask)
