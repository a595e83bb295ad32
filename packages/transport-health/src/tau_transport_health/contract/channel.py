"""The lines of the channel store as this program reads them: valid, or refused with the reason.

The rules are the contract's (runbooks/state-files.md, "The channel store").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tau_transport_health.contract.fields import (
    count,
    digest,
    flag,
    json_of,
    object_of,
    one_of,
    text,
    version_1,
)
from tau_transport_health.errors import FormRefusedError

REGISTRY_CHANNEL = "registry"
"""The channel of what belongs to no command; none can be called so."""

LONGEST_LINE_BYTES = 64 * 1024 * 1024
"""A longer line is refused (runbooks/state-files.md, "Rules for every file").

An entry of a drift holds a whole response body, which an event never does.
"""

OUTCOMES = frozenset({"success", "malformed_input", "retryable_failure"})
ERROR_CODES = frozenset(
    {
        "custom_command_invalid_operation",
        "custom_command_invalid_name",
        "custom_command_invalid_template",
        "custom_command_policy_denied",
        "custom_command_backend_unavailable",
    }
)
_COUNTS_OF_SUCCESS = ("upserted_commands", "deleted_commands", "executed_runs")
_CHANNEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One side of a contract drift."""

    outcome: str
    status_code: int
    error_code: str | None

    @property
    def in_words(self) -> str:
        """The result in a few words: `malformed_input 422 custom_command_invalid_template`."""
        words = f"{self.outcome} {self.status_code}"
        return words if self.error_code is None else f"{words} {self.error_code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAudit:
    """What an execution did; `exit_code` is None if it has none. Output is its beginning."""

    executed: bool
    exit_code: int | None
    stderr: str
    timed_out: bool
    duration_ms: int
    failure_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A line of `log.jsonl`: what happened to a command in one case. Times are Unix ms."""

    timestamp_unix_ms: int
    operation: str
    case_id: str
    command_name: str
    outcome: str
    status_code: int
    error_code: str | None
    audit: RunAudit | None
    drift: tuple[Result, Result] | None

    @property
    def remark(self) -> str:
        """What stands out in it, in one line; empty if nothing does."""
        parts = []
        if self.drift is not None:
            expected, observed = self.drift
            same = expected.in_words == observed.in_words
            found = "another response body" if same else observed.in_words
            parts.append(f"drift: expected {expected.in_words}, observed {found}")
        elif self.error_code is not None:
            parts.append(self.error_code)
        if self.audit is not None:
            parts += _run_remarks(self.audit)
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A line of `artifacts/index.jsonl`: a file beside the record, its size and digest."""

    artifact_id: str
    relative_path: str
    size_bytes: int
    checksum_sha256: str


def is_channel_name(name: str) -> bool:
    """Tell whether a channel can be called so: a command's name, or `registry`."""
    return _CHANNEL.fullmatch(name) is not None


def path_parts(relative_path: str) -> tuple[str, ...] | None:
    """The parts of an artifact's path, or None where it leads out of its folder."""
    parts = tuple(relative_path.split("/"))
    is_inside = len(parts) > 1 and parts[0] == "artifacts" and "\0" not in relative_path
    return parts if is_inside and not {"", ".", ".."} & set(parts) else None


def parse_log_entry(line: bytes) -> LogEntry:
    """What a line of `log.jsonl` holds.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    value = object_of(json_of(line), "the line")
    _constant(value, "direction", "system")
    text(value, "event_key")
    text(value, "source")
    payload, path = object_of(value.get("payload"), "payload"), "payload."
    outcome = one_of(OUTCOMES, payload, "outcome", path)
    operation = text(payload, "operation", path)
    if operation != operation.lower():
        raise FormRefusedError(f"{path}operation: must be in lower case")
    error_code = None
    unfit: tuple[str, ...] = _COUNTS_OF_SUCCESS
    if outcome == "success":
        unfit = ("error_code",)
        for key in _COUNTS_OF_SUCCESS:
            count(payload, key, path)
    else:
        error_code = one_of(ERROR_CODES, payload, "error_code", path)
    for key in unfit:
        if key in payload:
            raise FormRefusedError(f"{path}{key}: does not go with the outcome {outcome}")
    audit, drift = payload.get("run_audit"), payload.get("drift")
    return LogEntry(
        timestamp_unix_ms=count(value, "timestamp_unix_ms"),
        operation=operation,
        case_id=text(payload, "case_id", path),
        command_name=text(payload, "command_name", path),
        outcome=outcome,
        status_code=_status_code(payload, path),
        error_code=error_code,
        audit=None if audit is None else _audit(object_of(audit, "payload.run_audit")),
        drift=None if drift is None else _drift(object_of(drift, "payload.drift")),
    )


def check_context_entry(line: bytes) -> None:
    """Check a line of `context.jsonl`.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    value = object_of(json_of(line), "the line")
    count(value, "timestamp_unix_ms")
    _constant(value, "role", "system")
    text(value, "text")


def check_description(raw: bytes, *, channel: str, transport: str) -> None:
    """Check a channel's `schema.json` against the folder that it stands in.

    Raises:
        FormRefusedError: if it is not of the contract's form, or describes another channel.
    """
    value = object_of(json_of(raw), "the file")
    version_1(value)
    _constant(value, "transport", transport)
    _constant(value, "channel_id", channel)


def parse_artifact(line: bytes) -> Artifact:
    """What a line of `artifacts/index.jsonl` holds.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    value = object_of(json_of(line), "the line")
    for key in ("id", "run_id"):
        if not text(value, key):
            raise FormRefusedError(f"{key}: is empty")
    text(value, "artifact_type")
    count(value, "created_unix_ms")
    if "expires_unix_ms" not in value or value["expires_unix_ms"] is not None:
        count(value, "expires_unix_ms")
    return Artifact(
        artifact_id=value["id"],
        relative_path=text(value, "relative_path"),
        size_bytes=count(value, "bytes"),
        checksum_sha256=digest(value, "checksum_sha256"),
    )


def _run_remarks(audit: RunAudit) -> list[str]:
    remarks = []
    if audit.timed_out:
        remarks.append(f"timed out after {audit.duration_ms} ms")
    elif audit.exit_code is not None:
        remarks.append(f"exit {audit.exit_code}")
    if audit.failure_reason is not None and not audit.timed_out:
        remarks.append(audit.failure_reason)
    if audit.stderr.strip():
        remarks.append(f"stderr: {audit.stderr.strip()}")
    return remarks


def _audit(value: Mapping[str, Any]) -> RunAudit:
    path = "payload.run_audit."
    for key in ("command_line", "stdout"):
        text(value, key, path)
    for key in ("exit_code", "failure_reason"):
        if key not in value:
            raise FormRefusedError(f"{path}{key}: is missing")
    exit_code, reason = value["exit_code"], value["failure_reason"]
    if exit_code is not None and type(exit_code) is not int:
        raise FormRefusedError(f"{path}exit_code: must be an integer or null")
    return RunAudit(
        executed=flag(value, "executed", path),
        exit_code=exit_code,
        stderr=text(value, "stderr", path),
        timed_out=flag(value, "timed_out", path),
        duration_ms=count(value, "duration_ms", path),
        failure_reason=None if reason is None else text(value, "failure_reason", path),
    )


def _drift(value: Mapping[str, Any]) -> tuple[Result, Result]:
    expected, observed = (
        _result(object_of(value.get(side), f"payload.drift.{side}"), f"payload.drift.{side}.")
        for side in ("expected", "observed")
    )
    return expected, observed


def _result(value: Mapping[str, Any], path: str) -> Result:
    for key in ("error_code", "response_body"):
        if key not in value:
            raise FormRefusedError(f"{path}{key}: is missing")
    if value["response_body"] is not None:
        object_of(value["response_body"], f"{path}response_body")
    has_error = value["error_code"] is not None
    return Result(
        outcome=one_of(OUTCOMES, value, "outcome", path),
        status_code=_status_code(value, path),
        error_code=one_of(ERROR_CODES, value, "error_code", path) if has_error else None,
    )


def _status_code(value: Mapping[str, Any], path: str) -> int:
    status = count(value, "status_code", path)
    if status == 0:
        raise FormRefusedError(f"{path}status_code: must be above 0")
    return status


def _constant(value: Mapping[str, Any], key: str, wanted: str) -> None:
    if (found := text(value, key)) != wanted:
        raise FormRefusedError(f"{key}: found {found!r:.60}, must be {wanted!r}")
