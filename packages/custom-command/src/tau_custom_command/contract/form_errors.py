"""What is wrong with the form of a file, in words: what was expected, what was found."""

import difflib

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from tau_custom_command.contract import json_values

EDITOR_KEY = "$schema"
"""Allowed in a fixture so that editors find the schema; it says nothing to the runtime."""

UNKNOWN_KEY = "extra_forbidden"
"""What pydantic calls a key that a form does not have."""

_EXPECTED_TYPE = {
    "int_type": "be an integer",
    "bool_type": "be true or false",
    "string_type": "be a string",
    "tuple_type": "be an array",
    "dict_type": "be an object",
    "model_type": "be an object",
}


def form_message(detail: ErrorDetails, form: type[BaseModel] | None) -> str:
    """Put pydantic's finding in this project's words: what was expected, what was found."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "is missing; add it"
    if kind == UNKNOWN_KEY:
        if form is None:
            return "is not a known key"
        known = sorted(form.model_fields)
        known += [EDITOR_KEY] if "cases" in known else []
        near = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"is not a known key; {advice}"
    if kind in {"literal_error", "enum"}:
        expected = "be " + context["expected"].replace("'", "")
    elif kind == "greater_than":
        expected = f"be greater than {context['gt']}"
    elif kind in {"string_too_long", "too_long"} and isinstance(detail["input"], str):
        most = f"{context['max_length']:,}"
        return f"has {len(detail['input']):,} characters, and the most is {most}; shorten it"
    elif kind in _EXPECTED_TYPE:
        expected = _EXPECTED_TYPE[kind]
    else:
        return str(detail["msg"])
    return f"must {expected} (found {json_values.describe(detail['input'])})"
