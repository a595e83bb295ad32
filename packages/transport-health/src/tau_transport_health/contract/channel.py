"""The lines of the channel store as this program reads them: valid, or refused with the reason.

The rules are the contract's (runbooks/state-files.md, "The channel store").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from tau_transport_health.contract import fields
from tau_transport_health.contract.run_audit import RunAudit, parse_run_audit
from tau_transport_health.errors import FormRefusedError

REGISTRY_CHANNEL = "registry"
"""The channel of what belongs to no command; none can be called so."""

LONGEST_LINE_BYTES = 64 * 1024 * 1024
"""A longer line is refused (runbooks/state-files.md, "Rules for every file").

An entry of a drift holds a whole response body, which an event never does.
"""

_OUTCOME = fields.one_of("success", "malformed_input", "retryable_failure")
_ERROR_CODE = fields.one_of(
    "custom_command_invalid_operation",
    "custom_command_invalid_name",
    "custom_command_invalid_template",
    "custom_command_policy_denied",
    "custom_command_backend_unavailable",
)
_LOWER_CASE = fields.Rule(
    lambda value: fields.TEXT.fits(value) and value == value.lower(),
    "must be a string in lower case",
)
_PAYLOAD = {
    "outcome": _OUTCOME,
    "operation": _LOWER_CASE,
    "case_id": fields.TEXT,
    "command_name": fields.TEXT,
    "status_code": fields.NUMBER,
}
_COUNTS_OF_SUCCESS = dict.fromkeys(
    ("upserted_commands", "deleted_commands", "executed_runs"), fields.COUNT
)
_CODE_OF_FAILURE = {"error_code": _ERROR_CODE}
_BODY = fields.or_null(fields.OBJECT)
_ARTIFACT = {
    "id": fields.NAME,
    "run_id": fields.NAME,
    "artifact_type": fields.TEXT,
    "relative_path": fields.TEXT,
    "bytes": fields.COUNT,
    "checksum_sha256": fields.DIGEST,
    "created_unix_ms": fields.COUNT,
    "expires_unix_ms": fields.or_null(fields.COUNT),
}
_CHANNEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One side of a contract drift."""

    outcome: Annotated[str, _OUTCOME]
    status_code: fields.Number
    error_code: Annotated[str | None, fields.or_null(_ERROR_CODE)]

    @property
    def in_words(self) -> str:
        """The result in a few words: `malformed_input 422 custom_command_invalid_template`."""
        words = f"{self.outcome} {self.status_code}"
        return words if self.error_code is None else f"{words} {self.error_code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a run is not as its fixture states: what was stated, and both sides for people."""

    field: fields.Text
    expected: fields.Text
    observed: fields.Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A result that is not as its fixture expects; of an executed run perhaps by `differences`."""

    expected: Result
    observed: Result
    differences: tuple[Difference, ...] = ()

    @property
    def in_words(self) -> str:
        """What differs, in one line: each difference of a run, else both results."""
        expected, observed = self.expected.in_words, self.observed.in_words
        told = [
            f"{each.field}: expected {each.expected}, observed {each.observed}"
            for each in self.differences
        ]
        if not told or expected != observed:
            found = "another response body" if expected == observed else observed
            told.append(f"expected {expected}, observed {found}")
        return f"drift: {'; '.join(told)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A line of `log.jsonl`: what happened to a command in one case. Times are Unix ms."""

    timestamp_unix_ms: int
    event_key: str
    operation: str
    case_id: str
    command_name: str
    outcome: str
    status_code: int
    error_code: str | None
    audit: RunAudit | None
    drift: Drift | None

    @property
    def has_failed(self) -> bool:
        """Whether it counts as failed: it drifted, or its last attempt failed."""
        return self.drift is not None or self.outcome == "retryable_failure"

    @property
    def remark(self) -> str:
        """What stands out in it, in one line, with what a command said; empty if nothing does."""
        said = () if self.audit is None else self.audit.said
        return self._in_words(f"stderr: {' / '.join(said)}" if said else "")

    @property
    def finding(self) -> str:
        """The same without what a command said."""
        return self._in_words("")

    def _in_words(self, said: str) -> str:
        ending = () if self.audit is None else self.audit.remarks
        result = self.error_code if self.drift is None else self.drift.in_words
        return "; ".join(filter(None, (*ending, said, result)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """A line of `context.jsonl`: what happened in one case, as a sentence. Times are Unix ms."""

    timestamp_unix_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A line of `artifacts/index.jsonl`: a file beside the record, its size and digest.

    It may be removed at `expires_unix_ms`, or never where that is None.
    """

    relative_path: str
    size_bytes: int
    checksum_sha256: str
    expires_unix_ms: int | None

    def has_expired(self, now_unix_ms: int) -> bool:
        """Tell whether its writer may have removed the file by now."""
        return self.expires_unix_ms is not None and self.expires_unix_ms <= now_unix_ms


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
    value = fields.object_of(fields.json_of(line), "the line")
    rules = {"direction": _constant("system"), "event_key": fields.TEXT, "source": fields.TEXT}
    head = fields.held(value, rules | {"timestamp_unix_ms": fields.COUNT})
    payload = fields.object_of(value.get("payload"), "payload")
    found = fields.held(payload, _PAYLOAD, "payload.")
    fit, unfit = _COUNTS_OF_SUCCESS, _CODE_OF_FAILURE
    if found["outcome"] != "success":
        fit, unfit = unfit, fit
    fields.held(payload, fit, "payload.")
    if odd := [key for key in unfit if key in payload]:
        raise FormRefusedError(f"payload.{odd[0]}: does not go with the outcome {found['outcome']}")
    if (audit := payload.get("run_audit")) is not None:
        audit = parse_run_audit(audit)
    if (drift := payload.get("drift")) is not None:
        drift = _drift(fields.object_of(drift, "payload.drift"))
    return LogEntry(
        timestamp_unix_ms=head["timestamp_unix_ms"],
        event_key=head["event_key"],
        error_code=payload.get("error_code"),
        audit=audit,
        drift=drift,
        **found,
    )


def parse_context_entry(line: bytes) -> ContextEntry:
    """What a line of `context.jsonl` holds.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    rules = {"timestamp_unix_ms": fields.COUNT, "role": _constant("system"), "text": fields.TEXT}
    found = fields.held(fields.object_of(fields.json_of(line), "the line"), rules)
    return ContextEntry(timestamp_unix_ms=found["timestamp_unix_ms"], text=found["text"])


def check_description(raw: bytes, *, channel: str, transport: str) -> None:
    """Check a channel's `schema.json` against the folder that it stands in.

    Raises:
        FormRefusedError: if it is not of the contract's form, or describes another channel.
    """
    rules = {"transport": _constant(transport), "channel_id": _constant(channel)}
    value = fields.object_of(fields.json_of(raw), "the file")
    fields.held(value, {"schema_version": fields.VERSION_1} | rules)


def parse_artifact(line: bytes) -> Artifact:
    """What a line of `artifacts/index.jsonl` holds.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    found = fields.held(fields.object_of(fields.json_of(line), "the line"), _ARTIFACT)
    return Artifact(
        relative_path=found["relative_path"],
        size_bytes=found["bytes"],
        checksum_sha256=found["checksum_sha256"],
        expires_unix_ms=found["expires_unix_ms"],
    )


def _drift(value: Mapping[str, Any]) -> Drift:
    expected, observed = (
        fields.made(Result, value.get(side), f"payload.drift.{side}", response_body=_BODY)
        for side in ("expected", "observed")
    )
    if "differences" not in value:
        return Drift(expected=expected, observed=observed)
    found = fields.held(value, {"differences": fields.ARRAY}, "payload.drift.")["differences"]
    differences = (
        fields.made(Difference, item, f"payload.drift.differences[{index}]")
        for index, item in enumerate(found)
    )
    return Drift(expected=expected, observed=observed, differences=tuple(differences))


def _constant(wanted: str) -> fields.Rule:
    return fields.Rule(lambda value: value == wanted, f"must be {wanted!r}")
