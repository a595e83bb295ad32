"""A host in the shipped form is judged as one whose directory is read, byte for byte."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.errors import StoreError, TooLargeError
from tau_rollout_gate.evidence.values import Evidence, Flaw, SurfaceEvidence
from tau_rollout_gate.files.stores import shipped as module
from tau_rollout_gate.files.stores.shipped import read_shipped
from tau_rollout_gate.files.surface.state_directory import read_surface
from tests.rollout_gate.files.stores.shipping import Memory, shipped
from tests.rollout_gate.making import MINUTE, History, digest, pin
from tests.rollout_gate.worlds import SIGNED_OFF, World, state_of, worlds

BEGINNING = LogPosition(cycle_number=None, event_sha256=None)
HOST = "a/custom-command"


def read(store: Memory, one: SurfacePin | None = None) -> SurfaceEvidence:
    """Return the evidence of the host in a store."""
    return read_shipped(one or pin(), store, HOST, sleep=lambda _: None)


def since(position: LogPosition | None) -> SurfacePin:
    """Return a pin whose evidence starts after a position."""
    return pin(evidence_from=position, sound_from=position, phase_from=position)


def flaws(found: SurfaceEvidence) -> list[Flaw]:
    """Return what is wrong, without the words."""
    return [one.flaw for one in found.flaws]


def as_text(value: object, names: Mapping[str, str]) -> str:
    """Return a value as text, with other names in the place of the files' own."""
    text = repr(value)
    for old, new in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(f"{old}'", f"{new}'").replace(f"{old} ", f"{new} ")
    return text


def names_of(objects: Mapping[str, bytes], state_dir: Path) -> dict[str, str]:
    """Return the name of each object of a host by that of the file which it is of."""
    numbers = sorted(
        (
            int(key.removeprefix("segments/").removesuffix(".jsonl"))
            for key in objects
            if "/" in key
        ),
        reverse=True,
    )
    log = state_dir / "runtime-events.jsonl"
    names = {
        (f"{log}.{rotation}" if rotation else str(log)): f"segments/{number}.jsonl"
        for rotation, number in enumerate(numbers)
    }
    return names | {str(state_dir / "state.json"): "state.json"}


def without_state_digest(found: SurfaceEvidence) -> SurfaceEvidence:
    """Return evidence without the digest of the state, which is of other bytes."""
    return found._replace(inputs=found.inputs[1:])


def both(world: World, state_dir: Path) -> tuple[SurfaceEvidence, SurfaceEvidence, dict[str, str]]:
    """Read a world from a directory, and shipped in the same pieces; with the names of both."""
    (surface,) = world.rollout.surfaces
    for left in state_dir.iterdir():
        left.unlink()
    world.write(state_dir)
    objects = shipped(world.lines, json.loads(world.state), cuts=world.cuts)
    plain = read_surface(surface, state_dir, sleep=lambda _: None)
    return plain, read(Memory(objects), surface), names_of(objects, state_dir)


@given(world=worlds())
def test_store_equals_tree(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The evidence is the same, and so the answer, but for the names of the files."""
    lines = tuple(line for line in world.lines if line.startswith(b"{"))
    if lines != world.lines:
        return  # a line that is none is where a chain to be shipped ends
    whole = World(
        lines=lines,
        state=state_of(lines),
        rollout=world.rollout,
        now=world.now,
        cuts=world.cuts,
        policy=world.policy,
    )
    plain, found, names = both(whole, tmp_path_factory.mktemp("state"))
    others = {f"mem://fleet/{HOST}/{name}": name for name in names.values()}
    assert as_text(without_state_digest(found), others) == as_text(
        without_state_digest(plain), names
    )
    answers = [
        decide(
            whole.policy,
            whole.rollout,
            Evidence(surfaces={one.surface: one}, signoff=SIGNED_OFF),
            now_unix_ms=whole.now,
        )
        for one in (plain, found)
    ]
    assert answers[0].verdict is answers[1].verdict
    assert [one.status for one in answers[0].gates] == [one.status for one in answers[1].gates]
    assert [one.fired for one in answers[0].triggers] == [one.fired for one in answers[1].triggers]


@given(
    count=st.integers(1, 12),
    cuts=st.sets(st.integers(1, 11), max_size=4),
    damage=st.sampled_from(["edit", "remove", "swap", "cut", "garbage"]),
    at=st.integers(0, 11),
    after=st.integers(0, 11),
)
def test_damage_never_reads_as_health(
    count: int, cuts: set[int], damage: str, at: int, after: int
) -> None:
    """Whatever happens to the bytes of a segment that is evidence, it is a flaw."""
    history = History().every(MINUTE, count)
    origin = min(after, count - 1)
    start = History(lines=history.lines[:origin]).position(*cuts) if origin else BEGINNING
    objects = shipped(history.lines, history.state(), cuts=sorted(cuts))
    index = origin + at % (count - origin)
    where, line = next(
        (key, line)
        for key, content in objects.items()
        for line in content.splitlines(keepends=True)
        if key != "state.json" and line == history.lines[index]
    )
    content = objects[where]
    changed = {
        "edit": line.replace(b'"healthy"', b'"failing"'),
        "remove": b"",
        "swap": line[::-1],
        "cut": line[: len(line) // 2],
        "garbage": b"\0" * len(line),
    }[damage]
    objects[where] = content.replace(line, changed)
    assert flaws(read(Memory(objects), since(start)))


def test_only_what_is_needed_is_fetched() -> None:
    """The state, then the line that is pinned and what follows it: no older segment, no prefix."""
    history = History().every(MINUTE, 30)
    objects = shipped(history.lines, history.state(), cuts=[10, 20])
    cuts = (10, 20)
    for known, wanted in (
        (25, [("segments/21.jsonl", 4)]),
        (21, [("segments/21.jsonl", 0)]),
        (20, [("segments/21.jsonl", 0), ("segments/11.jsonl", 9)]),
        (15, [("segments/21.jsonl", 0), ("segments/11.jsonl", 4)]),
    ):
        store = Memory(objects)
        found = read(store, since(History(lines=history.lines[:known]).position(*cuts)))
        assert (flaws(found), len(found.cycles)) == ([], 30 - known)
        names = [name for name, _ in wanted]
        first = {"segments/21.jsonl": 20, "segments/11.jsonl": 10}
        offsets = [
            len(b"".join(history.lines[first[name] : first[name] + skipped]))
            for name, skipped in wanted
        ]
        assert store.asked == [("state.json", 0), *zip(names, offsets, strict=True)]
    store = Memory(objects)
    assert len(read(store, since(BEGINNING)).cycles) == 30
    assert len(store.asked) == 4


def test_before_canary_1_no_more_is_read_than_the_end() -> None:
    """Two lines, which may be in two segments."""
    history = History().every(MINUTE, 12)
    for cuts, asked in (((10,), 2), ((11,), 3)):
        store = Memory(shipped(history.lines, history.state(), cuts=cuts))
        found = read(store, since(None))
        assert (flaws(found), found.cycles, len(store.asked)) == ([], (), asked)
        assert found.end == history.position(*cuts)


def test_a_line_that_is_not_where_it_stood_is_looked_for_in_the_whole_segment() -> None:
    """As after another chain has taken its place: that is told as of a directory."""
    history, other = History().every(MINUTE, 9), History().every(2 * MINUTE, 9)
    store = Memory(shipped(other.lines, other.state()))
    found = read(store, since(History(lines=history.lines[:5]).position()))
    assert Flaw.LOG_REWRITTEN in flaws(found)
    assert [key for key, _ in store.asked].count("segments/1.jsonl") == 2


def test_what_an_uploader_is_about_to_name_is_left_for_the_next_time() -> None:
    """The newest segment is taken as far as the state knows of it."""
    history = History().every(MINUTE, 9)
    earlier = History(lines=history.lines[:7])
    store = Memory(shipped(history.lines, earlier.state(), cuts=[4], ahead=2))
    found = read(store)
    assert (flaws(found), len(found.cycles)) == ([], 7)


class Moving(Memory):
    """A store whose state moves on whenever it is asked for."""

    def __init__(self, versions: list[dict[str, bytes]]) -> None:
        super().__init__(versions[0])
        self._versions = versions

    def get(self, key: str, from_byte: int = 0) -> bytes | None:
        """The bytes of an object, of the next version from the next state on."""
        if key.endswith("state.json") and self._versions:
            self.objects = {f"{HOST}/{k}": c for k, c in self._versions.pop(0).items()}
        return super().get(key, from_byte)


def test_a_host_that_is_taken_over_meanwhile_is_read_again() -> None:
    """The state is looked at again where something is odd, and all of it where that changed."""
    history, other = History().every(MINUTE, 9), History().every(2 * MINUTE, 9)
    good = shipped(history.lines, history.state())
    odd = shipped(other.lines, other.state()) | {"state.json": good["state.json"]}
    assert flaws(read(Moving([odd, shipped(other.lines, other.state())]))) == []
    assert flaws(read(Moving([odd]))) != []
    others = [odd | {"state.json": odd["state.json"] + b" " * count} for count in range(1, 9)]
    store = Moving(others)
    assert flaws(read(store)) != []
    assert [key for key, _ in store.asked].count("state.json") == 4


def test_a_host_that_never_shipped_is_silent() -> None:
    """It has no files, which is not that they cannot be read."""
    found = read(Memory({}))
    assert found.has_no_files
    assert flaws(found) == [Flaw.NO_FILES, Flaw.NO_FILES]


def test_segments_without_a_state_are_no_health() -> None:
    """As where the first shipment was cut off."""
    history = History().every(MINUTE, 3)
    objects = shipped(history.lines, history.state())
    del objects["state.json"]
    assert read(Memory(objects)).has_no_files


@pytest.mark.parametrize("gone", ["segments/1.jsonl", "segments/5.jsonl"])
def test_a_segment_that_is_gone_is_told(gone: str) -> None:
    """It holds, with the name of the segment."""
    history = History().every(MINUTE, 9)
    objects = shipped(history.lines, history.state(), cuts=[4])
    del objects[gone]
    found = read(Memory(objects))
    assert not found.has_no_files
    assert any(f"{gone.removeprefix('segments/')} does not exist" in f.detail for f in found.flaws)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (b"[]", "is not an object"),
        (b'{"schema_version": 2}', "schema_version"),
    ],
)
def test_a_state_that_is_none(content: bytes, told: str) -> None:
    """It is the host's, and holds."""
    history = History().every(MINUTE, 3)
    objects = shipped(history.lines, history.state()) | {"state.json": content}
    found = read(Memory(objects))
    assert Flaw.INVALID_STATE in flaws(found)
    assert told in found.flaws[0].detail


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        (None, "segments: is missing, as in a plain copy"),
        ([], "must be an array that is not empty"),
        ({}, "must be an array that is not empty"),
        ([1], "segments[0]: must be an object"),
        ([{"first_cycle": 1}], "segments[0].bytes: must be an integer above 0"),
        ([{"first_cycle": True, "bytes": 1}], "segments[0].first_cycle: must be an integer"),
        ([{"first_cycle": 1.0, "bytes": 1}], "segments[0].first_cycle: must be an integer"),
        ([{"first_cycle": "../1", "bytes": 1}], "segments[0].first_cycle: must be an integer"),
        ([{"first_cycle": 0, "bytes": 1}], "segments[0].first_cycle: must be an integer"),
        ([{"first_cycle": 2**63, "bytes": 1}], "segments[0].first_cycle: must be an integer"),
        ([{"first_cycle": 1, "bytes": -1}], "segments[0].bytes: must be an integer"),
        ([{"first_cycle": 2, "bytes": 1}, {"first_cycle": 1, "bytes": 1}], "in the order"),
        ([{"first_cycle": 1, "bytes": 1}, {"first_cycle": 1, "bytes": 1}], "in the order"),
        ([{"first_cycle": 4, "bytes": 1}], "begins after last_cycle"),
    ],
)
def test_segments_that_cannot_be(segments: Any, told: str) -> None:  # noqa: ANN401 - any JSON
    """No number leads elsewhere, and what is not understood is not health."""
    history = History().every(MINUTE, 3)
    state: dict[str, object] = json.loads(shipped(history.lines, history.state())["state.json"])
    state["segments"] = segments
    if segments is None:
        del state["segments"]
    found = read(Memory({"state.json": json.dumps(state).encode()}))
    assert flaws(found) == [Flaw.INVALID_STATE, Flaw.NO_FILES]
    assert told in found.flaws[0].detail
    assert not found.has_no_files


def test_a_state_of_a_writer_that_does_not_chain() -> None:
    """It names no last cycle, so that nothing tells which segments belong to it."""
    history = History().every(MINUTE, 3)
    state = history.state()
    del state["last_cycle"]
    found = read(Memory(shipped(history.lines, state)))
    assert Flaw.INVALID_STATE in flaws(found)


class TooLarge(Memory):
    """A store with an object that is too large."""

    def __init__(self, objects: Mapping[str, bytes], large: str) -> None:
        super().__init__(objects)
        self._large = f"{HOST}/{large}"

    def get(self, key: str, from_byte: int = 0) -> bytes | None:
        """Refuse that object."""
        if key == self._large:
            raise TooLargeError("has more than 1 bytes")
        return super().get(key, from_byte)


@pytest.mark.parametrize("large", ["state.json", "segments/1.jsonl"])
def test_what_is_too_large_is_the_hosts_alone(large: str) -> None:
    """It holds that host, and ends no look at the others."""
    history = History().every(MINUTE, 3)
    found = read(TooLarge(shipped(history.lines, history.state()), large))
    assert not found.has_no_files
    assert any("too large" in one.detail for one in found.flaws)


def test_a_store_that_cannot_answer_says_nothing_of_the_host() -> None:
    """The error passes."""

    class Failing(Memory):
        def get(self, key: str, from_byte: int = 0) -> bytes | None:
            if "segments" in key:
                raise StoreError("503")
            return super().get(key, from_byte)

    history = History().every(MINUTE, 3)
    with pytest.raises(StoreError, match="503"):
        read(Failing(shipped(history.lines, history.state())))


def test_very_much_evidence_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more segments are fetched than a reading may take."""
    history = History().every(MINUTE, 9)
    objects = shipped(history.lines, history.state(), cuts=range(1, 9))
    monkeypatch.setattr(module, "LONGEST_EVIDENCE_BYTES", 3 * len(history.lines[0]))
    store = Memory(objects)
    assert Flaw.SEGMENT_MISSING in flaws(read(store))
    assert len(store.asked) < 7


def test_the_digest_of_the_inputs_is_of_what_was_read() -> None:
    """An audit finds the same bytes in the store."""
    history = History().every(MINUTE, 4)
    objects = shipped(history.lines, history.state())
    found = read(Memory(objects), since(History(lines=history.lines[:2]).position()))
    state, log = found.inputs
    assert state.sha256 == digest(objects["state.json"] + b"\n")
    assert log.path == f"mem://fleet/{HOST}/segments/1.jsonl"
    assert log.offset is not None
    content = objects["segments/1.jsonl"][log.offset :]
    assert (log.length, log.sha256) == (len(content), digest(content + b"\n"))
