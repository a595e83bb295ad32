"""Rows of hosts: what comes back is what was sent, or refused by the name of its chunk."""

import json

import pytest

from tau_rollout_gate.errors import ChunkRefusedError
from tau_rollout_gate.fleet.plan import Part
from tau_rollout_gate.fleet.rows import read_rows, rows_document, sentences_of, worst_rows
from tests.rollout_gate.fleet.test_decide import BAD, BAD_CONTROL, a_control, a_host, fleet, hosts

ONE = fleet(*hosts(2), a_host("a", BAD), a_host("z", None), a_control("b", BAD_CONTROL))
ROWS = tuple(ONE.rows())


def test_rows_come_back_as_they_were() -> None:
    """Each with what is to be recorded of it."""
    assert read_rows(ONE.plan, ONE.hosts, 0, rows_document(ROWS)) == ROWS


def test_the_worst_come_first() -> None:
    """Of one state those that count against the release."""
    assert [row.host for row in worst_rows(ROWS)] == ["a", "b", "z", "c00", "c01"]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not JSON"),
        (b"[1]", "Expected `array`"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (rows_document(ROWS[1:]), "the rows are of other hosts"),
        (rows_document(ROWS[::-1]), "the rows are of other hosts"),
    ],
)
def test_anything_else_is_refused(raw: bytes, problem: str) -> None:
    """With the chunk."""
    with pytest.raises(ChunkRefusedError, match=r"^chunk 0 \(a to z\): ") as refused:
        read_rows(ONE.plan, ONE.hosts, 0, raw)
    assert problem in str(refused.value)


def test_a_row_of_another_form_is_refused() -> None:
    """A state that is none."""
    value = json.loads(rows_document(ROWS))
    value[0][3] = "fine"
    with pytest.raises(ChunkRefusedError, match="Invalid enum value 'fine'"):
        read_rows(ONE.plan, ONE.hosts, 0, json.dumps(value).encode())


def test_a_row_in_sentences() -> None:
    """What the host is to the rollout, how it stands, and whether it counts."""
    bad, clean = ROWS[0], ROWS[2]
    told = " ".join(sentences_of(bad, "1.4.0"))
    assert told.startswith("a in default is to have 1.4.0. It is failed: case_processing_failed")
    assert "counts as failed, and as not clean" in told
    silent = " ".join(sentences_of(ROWS[-1], "1.4.0"))
    assert "counts as not clean" in silent
    excused = " ".join(sentences_of(bad._replace(is_excused=True), "1.4.0"))
    assert "It was taken out, and counts no more." in excused
    for part, words in (
        (Part.CONTROL, "c00 in default is not to have 1.4.0: of it the triggers alone"),
        (Part.JOINED, "c00 in default is new since the phase was entered, and is to have 1.4.0"),
        (Part.OUTSIDE, "c00 in default is new since the phase was entered, and is not to have"),
    ):
        first, state, *_, last = sentences_of(clean._replace(part=part), "1.4.0")
        assert first.startswith(words)
        assert state == "It is clean."
        assert "'explain' is of the fleet" in last
    shows = clean._replace(part=Part.CONTROL, is_contaminated=True)
    assert "left out of the comparison" in " ".join(sentences_of(shows, "1.4.0"))
