"""The samples: what every reader must take, and what none may, each for the reason it is named."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.contract.running import (
    FORMS,
    STATE_CONTRACT,
    errors_of,
    schema_of,
    start,
    strictly,
    values_in,
)

VALID = STATE_CONTRACT / "valid"
INVALID = STATE_CONTRACT / "invalid"
REASONS: dict[str, dict[str, str]] = json.loads(INVALID.joinpath("reasons.json").read_bytes())

HEALTH_KEYS = (
    "updated_unix_ms",
    "cycle_duration_ms",
    "queue_depth",
    "active_runs",
    "failure_streak",
    "last_cycle_discovered",
    "last_cycle_processed",
    "last_cycle_completed",
    "last_cycle_failed",
    "last_cycle_duplicates",
)
EVENT_KEYS = (
    "timestamp_unix_ms",
    "health_state",
    "reason_codes",
    "failed_cases",
    "failure_streak",
    "backlog_cases",
    "malformed_cases",
)

# Why a strict reader refuses a raw sample: in its message, or in the schema's.
RAW_REASONS = {
    "events-blank-line.jsonl": "Expecting value",
    "events-duplicate-key.jsonl": "a key stands twice",
    "events-failed-cases-with-a-zero-fraction.jsonl": "is not of type 'integer'",
    "events-last-line-without-break.jsonl": "the last line is torn",
    "events-line-not-json.jsonl": "Expecting value",
    "events-nan.jsonl": "NaN is not a JSON number",
    "events-not-utf-8.jsonl": "can't decode byte",
    "events-object-over-two-lines.jsonl": "Expecting property name",
    "events-torn-last-line.jsonl": "the last line is torn",
    "events-two-objects-on-a-line.jsonl": "Extra data",
    "state-byte-order-mark.json": "BOM",
    "state-cut-off.json": "Expecting",
    "state-duplicate-key.json": "a key stands twice",
    "state-empty.json": "Expecting value",
    "state-infinity.json": "Infinity is not a JSON number",
    "state-nan.json": "NaN is not a JSON number",
    "state-not-utf-8.json": "can't decode byte",
    "state-number-too-large.json": "is not of type 'integer'",
    "state-queue-depth-with-a-zero-fraction.json": "is not of type 'integer'",
    "state-schema-version-with-a-zero-fraction.json": "is not of type 'integer'",
    "state-two-documents.json": "Extra data",
}
RAW_FORMS = {"state": "state", "events": "event"}


@cache
def validator(form: str) -> Draft202012Validator:
    """Return what holds a value against the published schema of `form`."""
    return Draft202012Validator(schema_of(form))


def samples(folder: Path) -> list[Path]:
    """Return the samples of forms in `folder`, one JSON value each."""
    return sorted(path for path in folder.glob("*/*.json") if path.parent.name in FORMS)


def named(path: Path) -> str:
    """Return how a sample is called: its form and its name."""
    return f"{path.parent.name}/{path.name}"


def refusals(path: Path) -> list[str]:
    """Return why a strict reader with the schemas refuses a raw sample; nothing if it does not."""
    form = RAW_FORMS[path.name.partition("-")[0]]
    try:
        values = values_in(path)
    except ValueError as error:
        return [str(error)]
    return [text for value in values for text in errors_of(validator(form), value)]


@pytest.mark.parametrize("path", samples(VALID), ids=named)
def test_a_valid_sample_passes(path: Path) -> None:
    """A reader takes what is in `valid/`: keys and reason codes it does not know included."""
    assert errors_of(validator(path.parent.name), strictly(path.read_bytes())) == []


@pytest.mark.parametrize("path", samples(INVALID), ids=named)
def test_an_invalid_sample_fails_for_what_its_name_says(path: Path) -> None:
    """The schema refuses each invalid sample, at the place and by the rule stated for it."""
    reason = REASONS[named(path)]
    errors = [
        error
        for error in validator(path.parent.name).iter_errors(strictly(path.read_bytes()))
        if (error.json_path, error.validator) == (reason["path"], reason["keyword"])
    ]
    assert errors, reason
    if reason["keyword"] == "required":
        key = path.stem.rpartition("missing-")[2].replace("-", "_")
        assert [error for error in errors if f"'{key}' is a required property" in error.message]


def test_every_invalid_sample_has_its_reason() -> None:
    """No invalid sample goes unstated, and no reason is left of one that is gone."""
    assert sorted(REASONS) == sorted(map(named, samples(INVALID)))


def test_every_form_has_samples_of_both_kinds() -> None:
    """An implementer can test each form both ways; fixtures have their own folder."""
    wanted = set(FORMS) - {"fixture"}
    for folder in (VALID, INVALID):
        assert {path.parent.name for path in samples(folder)} == wanted


@pytest.mark.parametrize(
    ("form", "sample", "block", "keys"),
    [
        ("state", "minimal-of-another-transport", None, ("schema_version", "health")),
        ("state", "minimal-of-another-transport", "health", HEALTH_KEYS),
        ("event", "minimal-of-another-transport", None, EVENT_KEYS),
    ],
)
def test_each_required_key_is_required(
    form: str, sample: str, block: str | None, keys: tuple[str, ...]
) -> None:
    """What is required of every writer is exactly that: the minimal samples, key by key."""
    for key in keys:
        value = strictly(VALID.joinpath(form, f"{sample}.json").read_bytes())
        within = value if block is None else value[block]
        assert set(within) == set(keys)
        del within[key]
        assert any(
            error.endswith(f"'{key}' is a required property")
            for error in errors_of(validator(form), value)
        ), key


@pytest.mark.parametrize("wrong", [-1, True, False, 0.5, "0", None, [], {}])
def test_no_counter_is_coerced(wrong: object) -> None:
    """A counter or time is a non-negative integer and nothing that could be read as one."""
    for key in HEALTH_KEYS:
        state = strictly(VALID.joinpath("state/minimal-of-another-transport.json").read_bytes())
        state["health"][key] = wrong
        assert [error.json_path for error in validator("state").iter_errors(state)] == [
            f"$.health.{key}"
        ]


@pytest.mark.parametrize("name", sorted(RAW_REASONS))
def test_what_a_schema_cannot_see_is_refused_by_a_strict_reader(name: str) -> None:
    """The raw samples fail by the rules for every file, or by the schema after a strict read."""
    found = refusals(INVALID / "raw" / name)
    assert len({text.partition(":")[0] for text in found}) == 1  # one place is wrong
    assert any(RAW_REASONS[name] in text for text in found)


def test_the_strict_reader_of_the_readme_refuses_what_it_can() -> None:
    """The README's Python, as it stands, refuses all but what a schema sees after it."""
    readme = STATE_CONTRACT.joinpath("README.md").read_text(encoding="utf-8")
    program = readme.partition("```python\n")[2].partition("```")[0]
    program += "import sys\nstrictly(open(sys.argv[1], 'rb').read())\n"
    for path in (*INVALID.glob("raw/state-*"), *VALID.glob("raw/*.json")):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program, path], check=False, capture_output=True
        )
        left_to_the_schema = "integer" in RAW_REASONS.get(path.name, "is of type 'integer'")
        assert (done.returncode == 0) is left_to_the_schema, path.name


@pytest.mark.parametrize("path", sorted(VALID.glob("raw/*")), ids=lambda path: path.name)
def test_a_valid_raw_sample_passes(path: Path) -> None:
    """Logs with a chain, without one and without a line are read as they are."""
    form = "state" if path.suffix == ".json" else "event"
    values = values_in(path)
    assert [text for value in values for text in errors_of(validator(form), value)] == []


def test_every_raw_sample_is_tried() -> None:
    """No raw sample goes untested: here, or with the three lines that verify a chain."""
    raw = {path.name for path in INVALID.glob("raw/*")}
    assert raw == set(RAW_REASONS) | {path.name for path in INVALID.glob("raw/chain-*.jsonl")}


@pytest.mark.parametrize("path", sorted(INVALID.glob("raw/state-*")), ids=lambda path: path.name)
def test_the_runtime_refuses_a_broken_state_and_leaves_it_as_it_is(
    path: Path, tmp_path: Path
) -> None:
    """The runtime reads by the same rules: exit 5, the file named, not a byte of it changed."""
    broken = tmp_path / "state.json"
    broken.write_bytes(path.read_bytes())
    ended = start("registry", "list", "--state-dir", tmp_path)
    assert (ended.exit_code, ended.stdout) == (5, "")
    assert str(broken) in ended.stderr
    assert broken.read_bytes() == path.read_bytes()
