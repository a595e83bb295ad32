"""A state's health and last cycle are read strictly; the rest of it is somebody else's."""

import json

import pytest
from msgspec import to_builtins

from tau_rollout_gate.contract.cycle import HealthState
from tau_rollout_gate.contract.snapshot import Snapshot, parse_snapshot
from tau_rollout_gate.errors import FormRefusedError
from tests.rollout_gate.making import MINUTE, History, Json, failed

HEALTH_KEYS = tuple(History().every(MINUTE, 1).state()["health"])


def state(**changes: object) -> Json:
    """Return a state with some keys of its top level changed; `...` leaves one out."""
    value = History().every(MINUTE, 3).state() | changes
    return {key: item for key, item in value.items() if item is not ...}


def parse(value: object) -> Snapshot:
    """Parse a value."""
    return parse_snapshot([json.dumps(value).encode()])


def test_what_is_read() -> None:
    """The ten numbers, the health that they give, and the line of the log."""
    history = History().every(MINUTE, 2).every(MINUTE, 1, after=0, **failed(streak=2))
    found = parse(history.state())
    assert to_builtins(found.health) == history.state()["health"]
    assert found.health.state is HealthState.DEGRADED
    assert found.last_cycle is not None
    assert to_builtins(found.last_cycle) == history.state()["last_cycle"]


def test_a_writer_that_does_not_chain_names_no_last_cycle() -> None:
    """That, the cases and the commands may be left out; keys that are not known are ignored."""
    found = parse({"schema_version": 1, "health": state()["health"] | {"new": {}}, "other": []})
    assert found.last_cycle is None


@pytest.mark.parametrize("key", HEALTH_KEYS)
@pytest.mark.parametrize("wrong", [..., None, True, 1.0, -1, "1", 2**63])
def test_each_number_is_a_number(key: str, wrong: object) -> None:
    """All ten are required; a key that is missing never reads as 0, and nothing is coerced."""
    health = {name: item for name, item in state()["health"].items() if name != key}
    with pytest.raises(FormRefusedError, match=f"health.{key}"):
        parse(state(health=health if wrong is ... else health | {key: wrong}))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "not an object"),
        (state(schema_version=...), "schema_version"),
        (state(schema_version=2), "schema_version"),
        (state(schema_version=True), "schema_version"),
        (state(schema_version=1.0), "schema_version"),
        (state(health=...), "health"),
        (state(health=None), "health"),
        (state(last_cycle=None), "last_cycle: must not be null"),
        (state(last_cycle={}), "last_cycle.cycle_id"),
        (state(last_cycle=state()["last_cycle"] | {"cycle_number": 0}), "last_cycle.cycle_number"),
        (state(last_cycle=state()["last_cycle"] | {"event_sha256": "AB" * 32}), "event_sha256"),
        (state(last_cycle=state()["last_cycle"] | {"event_sha256": "ab" * 32 + "\n"}), "sha256"),
    ],
)
def test_what_is_refused(value: object, words: str) -> None:
    """The text names the field."""
    with pytest.raises(FormRefusedError, match=words):
        parse(value)


def test_what_is_no_json() -> None:
    """It is refused as such."""
    with pytest.raises(FormRefusedError):
        parse_snapshot([b"{"])
    with pytest.raises(FormRefusedError, match="line 3, column 1: not JSON"):
        parse_snapshot([b"{\n\n!"])
