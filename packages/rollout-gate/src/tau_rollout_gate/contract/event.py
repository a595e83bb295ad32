"""A line of an event log as this program reads it: one cycle, valid or refused with the reason.

The rules are the contract's (runbooks/state-files.md, "runtime-events.jsonl").
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache, reduce
from hashlib import sha256
from itertools import chain
from operator import attrgetter, or_
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from msgspec import NODEFAULT, UNSET, Meta, UnsetType, defstruct, structs

from tau_rollout_gate.contract.cycle import (
    COUNTERS_OF_CODES,
    Event,
    HealthState,
    Timeline,
    Told,
    contradiction_of,
)
from tau_rollout_gate.contract.forms import (
    Count,
    Number,
    Read,
    Sha256,
    Text,
    Version,
    form_of,
    object_of,
)
from tau_rollout_gate.contract.long_json import Fold, Items, pieces_of
from tau_rollout_gate.contract.plain_json import plain_object
from tau_rollout_gate.errors import FormRefusedError

LONGEST_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is invalid whatever it holds."""


class _Line(Read, frozen=True, kw_only=True):
    """The keys of a line that are judged."""

    schema_version: Version = 1
    timestamp_unix_ms: Count
    health_state: HealthState
    health_reason: str | None = None
    reason_codes: Annotated[tuple[str, ...], Meta(min_length=1)]
    cycle_duration_ms: Count = 0
    cycle_id: Text | None = None
    cycle_number: Number | None = None
    previous_sha256: Sha256 | None = None
    run_mode: Literal["record", "execute"] | None = None
    recovered: bool = False
    runtime_version: str | None = None
    release: str | None = None
    fixture_name: str | None = None
    fixture_sha256: Sha256 | None = None


_COUNTS = (
    *("failure_streak", *chain.from_iterable(COUNTERS_OF_CODES.values())),
    *("discovered_cases", "queued_cases", "applied_cases", "executed_cases", "artifact_records"),
)
_REQUIRED_COUNTS = ("failed_cases", "failure_streak", "backlog_cases", "malformed_cases")
_Known = cast(
    "type[_Line]",
    defstruct(
        "_Known",
        [
            *((name, Count) for name in _REQUIRED_COUNTS),
            *((name, Count | UnsetType, UNSET) for name in _COUNTS if name not in _REQUIRED_COUNTS),
        ],
        bases=(_Line,),
        frozen=True,
        kw_only=True,
    ),
)
"""A line with its counters, of which a writer may leave out most."""

_KEYS = frozenset(_Known.__struct_fields__)
_CHAIN_KEYS = ("cycle_id", "cycle_number", "previous_sha256")
_NEVER_NULL = {
    *("health_reason", "cycle_id", "cycle_number", "run_mode", "runtime_version", "release"),
    *("fixture_name", "fixture_sha256", "timeline"),
}  # and not `previous_sha256`, which is null in the first line of a log


def _once_there(key: str, type_: Any) -> Any:  # noqa: ANN401 - what a type may be
    """The type of a key's value where it may not be left out, nor be null unless that says more."""
    kinds = [kind for kind in get_args(type_) if kind is not UnsetType]
    is_open = isinstance(type_, UnionType) or get_origin(type_) is Union
    if is_open and key in _NEVER_NULL:
        kinds.remove(NoneType)
    return reduce(or_, kinds) if is_open else type_


_FIELDS = {field.name: field for field in structs.fields(_Known)}

TYPES: Mapping[str, Any] = {name: _once_there(name, field.type) for name, field in _FIELDS.items()}
"""What each key must be where it stands; a timeline is judged apart."""

DEFAULTS: Mapping[str, Any] = {
    name: field.default for name, field in _FIELDS.items() if field.default is not NODEFAULT
}
"""What the value of a key is that may be left out, where it is."""

_counts_of = attrgetter(*_COUNTS)
_own_of = attrgetter(*Event._fields[1:])
_common_of = attrgetter(*Told._fields[3:-1])


def line_digest(line: bytes) -> str:
    """The SHA-256 of a line, over its bytes without the line break, in hex."""
    return sha256(line.removesuffix(b"\n")).hexdigest()


def parse_event(line: bytes) -> Event:
    """Read the event that a line holds.

    The chain keys stand together or not at all; whether a writer has to have them, its other lines
    tell. The bytes may be given with or without their line break.

    Raises:
        FormRefusedError: if it is not of the contract's form, or contradicts itself.
    """
    if len(line) > LONGEST_LINE_BYTES:
        raise FormRefusedError(f"the line is longer than {LONGEST_LINE_BYTES // 1024 // 1024} MiB")
    steps = _Steps()
    value = plain_object(line)
    if value is None:
        folds = {"timeline": Fold(steps.take, ("status", "error_code"))}
        value = object_of(pieces_of(line), "the line", _KEYS, folds)
    elif isinstance(items := value.get("timeline"), list):
        steps.take(items)
        value["timeline"] = Items(len(items))
    if None in value.values():
        _check_nulls(value)
    _check_chain_keys(value)
    read = form_of(value, _Known)
    timeline = None if "timeline" not in value else steps.timeline(value["timeline"])
    told = told_of(read, timeline)
    if reason := contradiction_of(told):
        raise FormRefusedError(reason)
    return Event._make((told, *_own_of(read)))


def told_of(read: Any, timeline: Timeline | None = None) -> Told:  # noqa: ANN401 - of any form
    """What a line tells, read as a form that has all keys of one but its timeline."""
    health = read.health_state, read.reason_codes
    return _told(health, _counts_of(read), (*_common_of(read), timeline))


def timeline_of(items: Iterable[object]) -> Timeline:
    """What decides of a browser's steps.

    Raises:
        FormRefusedError: if they are not of the contract's form.
    """
    steps = _Steps()
    steps.take(items)
    return Timeline(steps.length, steps.failed)


class _Steps:
    """Takes a browser's steps, some together: there may be very many."""

    def __init__(self) -> None:
        self.length = 0
        self.failed: str | None = None

    def take(self, items: Iterable[object]) -> None:
        for item in items:
            status = item.get("status") if isinstance(item, dict) else None
            if not isinstance(item, dict) or not isinstance(status, str):
                raise FormRefusedError(f"timeline[{self.length}]: must be an object with a status")
            error = item.get("error_code")
            if not (error is None or isinstance(error, str)):
                raise FormRefusedError(f"timeline[{self.length}].error_code: must be text")
            self.length += 1
            if self.failed is None and (status != "ok" or error is not None):
                code = "" if error is None else f", error_code {error}"
                self.failed = f"timeline item {self.length}: status {status}{code}"

    def timeline(self, read: object) -> Timeline:
        """What was taken, where that was an array."""
        if not isinstance(read, Items):
            raise FormRefusedError("timeline: must be an array")
        return Timeline(self.length, self.failed)


def _check_chain_keys(value: Mapping[str, Any]) -> None:
    missing = [key for key in _CHAIN_KEYS if key not in value]
    if missing and len(missing) < len(_CHAIN_KEYS):
        raise FormRefusedError(f"{missing[0]}: is missing, though the line is chained")


def _check_nulls(value: Mapping[str, Any]) -> None:
    for key, found in value.items():
        if found is None and key in _NEVER_NULL:
            raise FormRefusedError(f"{key}: must not be null; leave it out instead")


@lru_cache(maxsize=64)
def _told(
    health: tuple[HealthState, tuple[str, ...]],
    counts: tuple[int | UnsetType, ...],
    common: tuple[Any, ...],
) -> Told:
    """What a line tells, the same for those that tell alike: there are very many cycles."""
    return Told._make((*health, _counters(counts), *common))


@lru_cache(maxsize=1024)
def _counters(counts: tuple[int | UnsetType, ...]) -> Mapping[str, int]:
    """The counters of a line; most cycles of a log have the same, and there may be very many."""
    told: dict[str, Any] = dict(zip(_COUNTS, counts, strict=True))
    if UNSET in counts:
        told = {name: one for name, one in told.items() if one is not UNSET}
    return MappingProxyType(told)
