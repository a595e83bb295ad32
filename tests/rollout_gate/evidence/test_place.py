"""Where pinned lines stand in a log, and how its files hang together."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tau_rollout_gate.contract.pin import Break, LogPosition, Seen, SurfacePin
from tau_rollout_gate.evidence.lines import Line, LogPart, ReadLog, Segment
from tau_rollout_gate.evidence.place import seams, window
from tau_rollout_gate.evidence.values import Flaw
from tests.rollout_gate.making import ENTERED, MINUTE, History, digest, pin, read_parts

LOG = "runtime-events.jsonl"
NINE = History().every(MINUTE, 9)
CUTS = (2, 4, 6)


def at(number: int, *cuts: int) -> LogPosition:
    """Return where the log of nine lines stood after one, rotated so."""
    return History(lines=NINE.lines[:number]).position(*cuts)


def segment(name: str, lines: list[bytes], **changes: Any) -> Segment:  # noqa: ANN401 - any field
    """Return how a file of these lines looks."""
    first = json.loads(lines[0])
    values = {
        "path": name,
        "first_sha256": digest(lines[0]),
        "first_number": first.get("cycle_number"),
        "continues_sha256": first.get("previous_sha256"),
        "last_sha256": digest(lines[-1]),
    }
    return Segment(**(values | changes))


def rotated(history: History = NINE) -> list[Segment]:
    """Return the files of nine lines, oldest first."""
    names = (f"{LOG}.3", f"{LOG}.2", f"{LOG}.1", LOG)
    bounds = pairwise((0, *CUTS, 9))
    return [
        segment(name, history.lines[start:end])
        for name, (start, end) in zip(names, bounds, strict=True)
    ]


def log_of(*files: Segment, read: int = 1) -> ReadLog:
    """Return a log of which the newest files were read, whole."""
    lines = {
        digest(NINE.lines[start]): NINE.lines[start:end] for start, end in pairwise((0, *CUTS, 9))
    }
    parts = [
        LogPart(path=one.path, offset=0, blocks=lines[str(one.first_sha256)], segment=one)
        for one in files[-read:]
    ]
    return ReadLog(path=LOG, parts=read_parts(parts, pin()), segments=files)


def lines_of(log: ReadLog) -> tuple[Line, ...]:
    """Return the lines of a log that was read."""
    return tuple(line for part in log.parts for line in part.lines)


class TestSeams:
    """Each file continues the next older one, over all that there are."""

    def test_files_that_hang_together(self) -> None:
        """Whatever their numbers are."""
        files = [one._replace(path=f"{LOG}.{9 * n}") for n, one in enumerate(rotated())]
        assert list(seams(log_of(*files), (), is_chained=True)) == []

    @pytest.mark.parametrize(
        "files",
        [
            [rotated()[1], rotated()[0], *rotated()[2:]],
            [rotated()[0], *rotated()[2:]],
            [rotated()[0], *rotated()],
            [*rotated(), rotated()[1]],
            [rotated()[0]._replace(continues_sha256=None), *rotated()[2:]],
        ],
        ids=["swapped", "gone", "twice", "an older one is the newest", "gone and the first"],
    )
    def test_files_that_do_not(self, files: list[Segment]) -> None:
        """Swapped, gone, there twice, put back: the log holds; unchained, nothing tells."""
        found = list(seams(log_of(*files), (), is_chained=True))
        assert found
        assert {flaw.flaw for _, flaw in found} == {Flaw.LOG_REWRITTEN}
        assert all("does not continue" in flaw.detail for _, flaw in found)
        assert not list(seams(log_of(*files), (), is_chained=False))

    def test_a_file_that_cannot_be_read(self) -> None:
        """It might be anything, also where nothing chains; the others are held to each other."""
        files = rotated()
        files[1] = Segment(path="x", problem="cannot be read: no")
        for is_chained in (True, False):
            ((one, flaw),) = seams(log_of(*files), (), is_chained=is_chained)
            assert (flaw.flaw, flaw.lost) == (Flaw.SEGMENT_MISSING, 1)
            assert flaw.detail == "x cannot be read: no"
            assert one == Break(after_sha256=None, continues_sha256=digest(NINE.lines[3]))

    def test_what_lies_in_the_evidence_is_judged_line_by_line(self) -> None:
        """So it is not told twice."""
        files = [*rotated()[:2], *rotated()[3:]]
        log = log_of(*files)
        evidence = lines_of(log)
        assert not list(seams(log, evidence, is_chained=True))
        assert list(seams(log, evidence[1:], is_chained=True))


def placed(log: ReadLog, **changes: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any field of a pin
    """Return where the evidence, what has to be whole, and the phase start; and what is wrong."""
    values: dict[str, Any] = {"evidence_from": at(4, *CUTS), "phase_from": at(4, *CUTS)}
    one: SurfacePin = pin(**(values | changes))
    found = window(one, log, lines_of(log), is_chained=True)
    return found.start, found.sound, found.phase, found.flaw and found.flaw.flaw


class TestWindow:
    """A pinned line is that line, where it stood."""

    def test_each_place_is_found(self) -> None:
        """Also where the line is the last of a file that was not read, or is gone."""
        log = log_of(*rotated(), read=3)
        assert placed(log) == (2, 2, 2, None)
        later = {"sound_from": at(5, *CUTS), "phase_from": at(7, *CUTS)}
        assert placed(log, **later) == (2, 3, 5, None)
        assert placed(log_of(*rotated()[2:], read=2)) == (0, 0, 0, None)

    def test_a_line_elsewhere_is_another(self) -> None:
        """The same line in another file, or at another offset."""
        log = log_of(*rotated(), read=3)
        for other in (
            at(4).replaced(segment_sha256=digest(NINE.lines[3])),
            at(4, *CUTS).replaced(offset=1),
            at(4),
        ):
            assert placed(log, evidence_from=other, phase_from=other)[-1] is Flaw.LOG_REWRITTEN

    def test_what_was_accepted_is_found_without_the_beginning(self) -> None:
        """Triggers look from the first line that is not known to be older."""
        log = log_of(*rotated(), read=3)
        lost = at(1).replaced(offset=7)
        place = {"evidence_from": lost, "sound_from": at(5, *CUTS), "phase_from": at(5, *CUTS)}
        assert placed(log, **place) == (0, 3, 3, None)
        gone = place | {"sound_from": lost.replaced(offset=8)}
        assert placed(log, **gone)[-1] is Flaw.SEGMENT_MISSING

    @pytest.mark.parametrize(("number", "lost"), [(9, None), (12, 3)])
    def test_what_was_seen_has_to_be_there(self, number: int, lost: int | None) -> None:
        """How many cycles are gone, their numbers tell."""
        history = History(lines=list(NINE.lines)).every(MINUTE, 3, after=ENTERED + 9 * MINUTE)
        position = History(lines=history.lines[:number]).position(*CUTS)
        one = pin(evidence_from=at(4, *CUTS), phase_from=at(4, *CUTS), seen=Seen(position=position))
        log = log_of(*rotated(), read=3)
        found = window(one, log, lines_of(log), is_chained=True).flaw
        assert (found and found.lost) == lost
        assert found is None or found.flaw is Flaw.CYCLE_GONE
