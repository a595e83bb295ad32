"""Reads a command's masked output as JSON, where escapes may have hidden a secret from its mask.

A slash may be written as backslash and slash, any character by its number: the value of a secret is
then found only in what is read. The rule is the runbook's (custom-command-ops.md, "Secrets").
"""

from collections.abc import Callable
from typing import Any

from tau_custom_command.contract import strict_json
from tau_custom_command.cycle.execution import Stream

Mask = Callable[[str], str]
"""Masks the values of secrets in a text."""


def as_it_is(text: str) -> str:
    """Mask nothing: there are no secrets."""
    return text


def json_of(stream: Stream, mask: Mask) -> Any:  # noqa: ANN401 - any JSON value
    """What a command wrote, as JSON, with the texts in it masked, names too.

    Raises:
        JsonRefusedError: if it is none; what it says is masked.
    """
    try:
        value = strict_json.decode(stream.kept)
    except strict_json.JsonRefusedError as error:
        raise strict_json.JsonRefusedError(mask(str(error))) from None
    return _masked(value, mask) if b"\\" in stream.kept else value


def _masked(value: Any, mask: Mask) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(name): _masked(each, mask) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, mask) for each in value]
    return value
