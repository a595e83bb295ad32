"""The words that fixtures and state files share: operations, outcomes, error codes, names."""

import re
from enum import StrEnum

REGISTRY_CHANNEL = "registry"
_COMMAND_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class Operation(StrEnum):
    """What a case does to a command; a fixture may write it in any case of letters."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    RUN = "RUN"
    LIST = "LIST"


class Outcome(StrEnum):
    """How a case ended."""

    SUCCESS = "success"
    MALFORMED_INPUT = "malformed_input"
    RETRYABLE_FAILURE = "retryable_failure"


class ErrorCode(StrEnum):
    """Why a case did not succeed."""

    INVALID_OPERATION = "custom_command_invalid_operation"
    INVALID_NAME = "custom_command_invalid_name"
    INVALID_TEMPLATE = "custom_command_invalid_template"
    POLICY_DENIED = "custom_command_policy_denied"
    BACKEND_UNAVAILABLE = "custom_command_backend_unavailable"


def is_command_name(name: str) -> bool:
    """Tell whether `name` can be registered: its channel's folder has this name too."""
    return bool(_COMMAND_NAME.fullmatch(name)) and name != REGISTRY_CHANNEL
