"""`accept`: has a fixture expect what came out of its last cycle."""

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from tau_custom_command.contract import strict_json, strict_toml
from tau_custom_command.contract.channel import ChannelLogEntry
from tau_custom_command.contract.form_errors import read_form
from tau_custom_command.cycle.checks.acceptance import Seen, acceptance
from tau_custom_command.errors import (
    FixtureRefusedError,
    Problem,
    StateUnusableError,
    StorageError,
)
from tau_custom_command.fixture import edit_json, edit_toml
from tau_custom_command.fixture.edit import Edit, edits
from tau_custom_command.fixture.loading import TOML_ENDING, LoadedFixture, load
from tau_custom_command.fixture.model import Case, Expectation
from tau_custom_command.fixture.unified_diff import unified_diff
from tau_custom_command.limits import LARGEST_FIXTURE_BYTES
from tau_custom_command.storage import apply, history, read
from tau_custom_command.storage.history import PastCycle

_TRUNCATED = re.compile(r"\.\.\.<truncated:[0-9]+ bytes>\Z")
"""What a text of the log ends with that is cut; or of a command that wrote just that."""

_MARK = "\ufeff"  # a byte order mark, which `loading` passes over


class Accepted(NamedTuple):
    """What a fixture would have to say, as a diff, and what is left to people of its drifts."""

    cases: int
    diff: tuple[str, ...]
    left: tuple[Problem, ...]


def accept(fixture: Path, state_dir: Path, *, case_suffix: str, carry_out: bool) -> Accepted:
    """Have a fixture expect what its last cycle in `state_dir` came to; write it if `carry_out`.

    `case_suffix` is the one that cycle was run with; that of a fresh cycle is known.

    Raises:
        FixtureRefusedError: if the fixture is refused, or would be with what was observed.
        StateUnusableError: if no cycle there ran the fixture as it is.
        StorageError: if a file cannot be read or written.
    """
    raw = read.read_file(fixture, most_bytes=LARGEST_FIXTURE_BYTES)
    if raw is None:
        raise StorageError(f"{fixture}: there is no such file")
    named = str(fixture)
    loaded = load(raw, named=named)
    cycle = history.last_cycle_of(state_dir, loaded.sha256)
    if cycle is None:
        raise StateUnusableError(
            f"{state_dir}: no cycle ran {named} as it is; run it, then accept what came of it"
        )
    left: list[Problem] = []
    expected: dict[int, dict[str, Any]] = {}
    edits_of_cases: dict[int, tuple[Edit, ...]] = {}
    stated = _stated(raw, named)
    for place, entry in _drifted(state_dir, loaded, cycle, case_suffix):
        case, now = loaded.fixture.cases[place], stated[place]
        found = acceptance(case, now, _seen(state_dir, cycle, case, entry))
        left += (Problem(case.case_id, field or None, why) for field, why in found.left)
        before = {} if now is None else {"expected": now}
        changes = tuple(edits(before, {"expected": found.expected}))
        if _is_toml(named) and any(_has_null(change.value) for change in changes):
            left.append(Problem(case.case_id, "expected", "TOML has no null, which was observed"))
        elif changes:
            expected[place], edits_of_cases[place] = found.expected, changes
    content = _edited(raw, named, edits_of_cases)
    _check(content, named, loaded, expected)
    accepted = Accepted(len(edits_of_cases), _diff(raw, content, named), tuple(left))
    if carry_out and accepted.cases:
        apply.rewrite_file(fixture, content)
    return accepted


def _is_toml(named: str) -> bool:
    return named.lower().endswith(TOML_ENDING)


def _stated(raw: bytes, named: str) -> list[Mapping[str, Any] | None]:
    """What each case of a fixture expects, as it is written there; None where it is left out."""
    text = raw.removeprefix(codecs.BOM_UTF8)
    value = strict_toml.decode(text) if _is_toml(named) else strict_json.decode(text)
    return [case.get("expected") for case in value["cases"]]


def _drifted(
    state_dir: Path, loaded: LoadedFixture, cycle: PastCycle, case_suffix: str
) -> list[tuple[int, ChannelLogEntry]]:
    """The cases of a fixture that drifted in a cycle, by their places, each with its last entry."""
    places = {case.key: place for place, case in enumerate(loaded.fixture.cases)}
    channels = sorted({case.channel for case in loaded.fixture.cases})
    entries = {entry.event_key: entry for entry in history.entries_of(state_dir, channels, cycle)}
    suffixes = Counter({"": 0, case_suffix: 0})
    suffixes.update(found[0] for found in map(_fresh(cycle).search, entries) if found)
    known = {
        suffix: {places[key]: entry for key, entry in _without(suffix, entries) if key in places}
        for suffix in suffixes
    }
    of_cycle = max(known.values(), key=len)  # a cycle gives all its cases the same one
    return [(place, entry) for place, entry in sorted(of_cycle.items()) if entry.payload.drift]


def _fresh(cycle: PastCycle) -> re.Pattern[str]:
    """How the keys of a fresh cycle end."""
    return re.compile(rf"-+{cycle.cycle_number}\Z")


def _without(
    suffix: str, entries: Mapping[str, ChannelLogEntry]
) -> Iterator[tuple[str, ChannelLogEntry]]:
    for key, entry in entries.items():
        if key.endswith(suffix):
            yield key.removesuffix(suffix), entry


def _seen(state_dir: Path, cycle: PastCycle, case: Case, entry: ChannelLogEntry) -> Seen:
    """What the logs say of a case that drifted."""
    drift, audit = entry.payload.drift, entry.payload.run_audit or None
    assert drift  # noqa: S101 - only such entries are asked for
    outputs: dict[str, bytes | None] = {}
    if audit is not None:
        for name, text in (("stdout", audit.stdout), ("stderr", audit.stderr)):
            if _TRUNCATED.search(text):
                run = f"{cycle.cycle_id} {entry.event_key}"
                outputs[name] = history.artifact_of(state_dir, case.channel, run=run, kind=name)
            else:
                is_all_there = not (audit.output_is_lossy and "\ufffd" in text)
                outputs[name] = text.encode() if is_all_there else None
    return Seen(drift, audit, outputs)


def _has_null(value: object) -> bool:
    match value:
        case dict():
            return any(map(_has_null, value.values()))
        case list():
            return any(map(_has_null, value))
        case _:
            return value is None


def _edited(raw: bytes, named: str, edits_of_cases: Mapping[int, Sequence[Edit]]) -> bytes:
    text = raw.decode()
    mark = _MARK if text.startswith(_MARK) else ""
    edit = edit_toml.edited if _is_toml(named) else edit_json.edited
    return (mark + edit(text.removeprefix(mark), edits_of_cases)).encode()


def _check(
    content: bytes, named: str, loaded: LoadedFixture, expected: Mapping[int, Mapping[str, Any]]
) -> None:
    """Hold that the edited fixture says what it is to say, and nothing else than before.

    Raises:
        FixtureRefusedError: if it does not.
    """
    try:
        cases = load(content, named=named).fixture.cases
    except FixtureRefusedError as error:
        raise FixtureRefusedError(f"{named}: with what was observed", error.problems) from None
    for place, (case, before) in enumerate(zip(cases, loaded.fixture.cases, strict=True)):
        stated = expected.get(place)
        if case != (before if stated is None else _expecting(before, stated)):
            message = f"cannot be changed in place; write it by hand: expected = {stated}"
            raise FixtureRefusedError(named, (Problem(case.case_id, None, message),))


def _expecting(case: Case, stated: Mapping[str, Any]) -> Case:
    form = {**stated, "error_code": stated.get("error_code") or None}
    return replace(case, expected=read_form(form, Expectation))


def _diff(raw: bytes, content: bytes, named: str) -> tuple[str, ...]:
    before, after = raw.decode().splitlines(), content.decode().splitlines()
    return tuple(unified_diff(before, after, named=named))
