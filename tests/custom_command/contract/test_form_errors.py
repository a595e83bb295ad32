"""What is wrong with a form, in words."""

import pytest
from pydantic import ValidationError

from tau_custom_command.contract.form_errors import form_message
from tau_custom_command.policy.model import ExecutionPolicy


def test_an_unknown_key_of_a_state_file_is_named_alone() -> None:
    """The keys that are known are told of what people write: a fixture."""
    with pytest.raises(ValidationError) as refused:
        ExecutionPolicy.model_validate({"allow_shel": True})
    (detail,) = refused.value.errors(include_url=False)
    assert form_message(detail, None) == "is not a known key"
    told = form_message(detail, ExecutionPolicy)
    assert told == "is not a known key; did you mean 'allow_shell'?"
