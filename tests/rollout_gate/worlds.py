"""Random worlds: a surface's files, a rollout that went as far as they let it, and the time."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tau_rollout_gate.contract.pin import LogPosition, Seen
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import Answer, Found, Verdict
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.evidence.values import Evidence, SignoffEvidence
from tau_rollout_gate.files.policy import built_in_policy_text
from tau_rollout_gate.files.surface.state_directory import EVENT_LOG, STATE_FILE, read_surface
from tau_rollout_gate.policy.policy import Policy, parse_policy
from tau_rollout_gate.rollout.transitions import advanced, remembering
from tests.rollout_gate.making import (
    ENTERED,
    MINUTE,
    SURFACE,
    History,
    digest,
    failed,
    malformed,
    pin,
    rollout,
)

UNCHAINED = "voice"
"""A surface whose writer does not chain its events."""

SIGNED_OFF = SignoffEvidence(path="signoff.toml", problems=(), items=(), inputs=())
EMPTY = LogPosition(cycle_number=None, event_sha256=None)


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    """Return where the files of one world after another lie: a folder each takes most of a look."""
    return tempfile.TemporaryDirectory()


def altered(*changes: tuple[str, str]) -> Policy:
    """Return the built-in policy with some of its text replaced."""
    text = built_in_policy_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_policy(text.encode(), source="altered")


SOAKS = (
    ('soak = "30m"', 'soak = "12m"'),
    ('soak = "60m"', 'soak = "10m"'),
    ('soak = "120m"', 'soak = "10m"'),
    ('soak = "24h"', 'soak = "15m"'),
)
QUICK = altered(*SOAKS)
"""The built-in policy with soaks of a few cycles, so that short histories go through it."""

Step = tuple[int, dict[str, Any] | bytes]
"""How long after the one before, and what differs in the cycle; or a line that is none."""

HEALTHY: list[dict[str, Any] | bytes] = [
    {},
    {"reason_codes": ["command_runs_recorded", "wake_word_detected", "turns_handled"]},
]
TROUBLE: list[dict[str, Any] | bytes] = [
    failed(streak=1),
    malformed(),
    {"backlog_cases": 1, "reason_codes": ["queue_backpressure_applied", "command_runs_recorded"]},
    {"backlog_cases": 2, "reason_codes": ["queue_backpressure_applied"]},
    {"retry_attempts": 3, "retryable_failures": 3},
    {"reason_codes": ["healthy_cycle"]},
    {"runtime_version": "1.3.9"},
    {"health_state": "degraded"},
    {"cycle_duration_ms": 10 * MINUTE},
    b"no JSON\n",
]
PAUSES = [4 * MINUTE, 5 * MINUTE]
LATER = [0] * 5 + [MINUTE, 14 * MINUTE, 20 * MINUTE, 20 * MINUTE, -2 * MINUTE]
"""How long after the last cycle the question is asked."""

ODD_PAUSES = [0, MINUTE, 15 * MINUTE + 12, 15 * MINUTE + 13, -1]


@st.composite
def histories(draw: st.DrawFn, *, goes_wrong: bool = False) -> list[Step]:
    """Draw what a runtime went through: mostly clean cycles, since one trouble is enough."""
    clean = st.tuples(st.sampled_from(PAUSES), st.sampled_from(HEALTHY))
    odd = st.one_of(
        st.tuples(st.sampled_from(PAUSES), st.sampled_from(TROUBLE)),
        st.tuples(st.sampled_from(ODD_PAUSES), st.sampled_from(HEALTHY)),
    )
    steps = draw(st.lists(clean, min_size=2, max_size=16))
    for one in draw(st.lists(odd, max_size=2)):
        steps.insert(draw(st.integers(0, len(steps))), one)
    if goes_wrong:
        steps.insert(draw(st.integers(0, len(steps))), (5 * MINUTE, failed(streak=1)))
    return steps


def history_of(
    steps: Sequence[Step], *, is_chained: bool = True, start_unix_ms: int = ENTERED
) -> History:
    """Return the log that a runtime writes, its failure streaks as its failed cycles give them."""
    history, now, streak = History(), start_unix_ms, 0
    unchained = {} if is_chained else dict.fromkeys(("cycle_id", "cycle_number", "previous_sha256"))
    for pause, what in steps:
        now += pause
        if isinstance(what, bytes):
            history.lines.append(what)
            continue
        streak = streak + 1 if what.get("failed_cases") else 0
        changes = what | failed(streak=streak) if streak else what
        history.add(now, **changes | unchained)
    return history


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a decision is made from.

    Args:
        lines: The lines of the log, oldest first.
        torn: What follows them.
        cuts: After which lines the log is rotated, as soon as there is another one.
        state: The bytes of `state.json`.
        rollout: The rollout.
        policy: Its policy.
        now: The time.
    """

    lines: tuple[bytes, ...]
    state: bytes
    rollout: Rollout
    now: int
    torn: bytes = b""
    cuts: tuple[int, ...] = ()
    policy: Policy = field(default=QUICK, repr=False)

    @property
    def covered(self) -> int:
        """Return how many lines there are up to the one that the state belongs to."""
        wanted = json.loads(self.state).get("last_cycle", {}).get("event_sha256")
        digests = [digest(line) for line in self.lines]
        return digests.index(wanted) + 1 if wanted in digests else 0

    def files(self) -> dict[str, bytes]:
        """Return the files of the state directory."""
        cuts = [cut for cut in self.cuts if cut < len(self.lines)]
        starts, ends = (0, *cuts), (*cuts, len(self.lines))
        found = {STATE_FILE: self.state}
        for rotation, (start, end) in enumerate(zip(reversed(starts), reversed(ends), strict=True)):
            name = f"{EVENT_LOG}.{rotation}" if rotation else EVENT_LOG
            found[name] = b"".join(self.lines[start:end])
        found[EVENT_LOG] += self.torn
        return found

    def found(self, files: Mapping[str, bytes] | None = None) -> Found:
        """Return the answer and its evidence, its own files or others in their place."""
        state_dir = Path(_place().name)
        for left in state_dir.iterdir():
            left.unlink()
        self.write(state_dir, files)
        return self.found_in(state_dir)

    def write(self, state_dir: Path, files: Mapping[str, bytes] | None = None) -> None:
        """Write its own files, or others in their place, into a state directory."""
        for name, content in (self.files() if files is None else files).items():
            (state_dir / name).write_bytes(content)

    def found_in(self, state_dir: Path) -> Found:
        """Return the answer and its evidence, by the files of a state directory."""
        (surface,) = self.rollout.surfaces
        read = read_surface(surface, state_dir, sleep=lambda _: None)
        evidence = Evidence(surfaces={surface.name: read}, signoff=SIGNED_OFF)
        return Found(
            answer=decide(self.policy, self.rollout, evidence, now_unix_ms=self.now),
            evidence=evidence,
        )

    def answer(self, files: Mapping[str, bytes] | None = None) -> Answer:
        """Return the answer, by its own files or others in their place."""
        return self.found(files).answer

    def advance(self) -> "World":
        """Return the world after an automatic advance that has not stopped the rollout."""
        found = self.found()
        after = remembering(self.rollout, found.evidence)
        if found.answer.verdict is Verdict.PROMOTE:
            after = advanced(after, found)
        return replace(self, rollout=after)


def rollout_of(
    entered_after: Sequence[bytes], *, is_chained: bool = True, cuts: Sequence[int] = ()
) -> Rollout:
    """Return a rollout that entered canary-1 after these lines of a log that was rotated so."""
    history = History(lines=list(entered_after))
    position = history.position(*cuts)
    if not is_chained and entered_after:
        position = position.replaced(cycle_number=None)
    expected = {"runtime_version": "1.4.0"}
    surface = pin(
        name=SURFACE if is_chained else UNCHAINED,
        is_chained=is_chained,
        evidence_from=position,
        sound_from=position,
        phase_from=position,
        seen=Seen(position=position),
        expected=expected,
    )
    return rollout(surfaces=(surface,))


def state_of(lines: Sequence[bytes], *, is_chained: bool = True) -> bytes:
    """Return the state that belongs to the last line that is a cycle; none where there is none."""
    cycles = [line for line in lines if line.startswith(b"{")]
    if not cycles:
        return b"{}"
    if is_chained:
        return json.dumps(History(lines=cycles).state()).encode()
    last = json.loads(cycles[-1]) | {"cycle_id": "", "cycle_number": 0}
    state = History(lines=[json.dumps(last).encode()]).state()
    del state["last_cycle"]
    return json.dumps(state).encode()


@st.composite
def worlds(draw: st.DrawFn, *, is_chained: bool = True, goes_wrong: bool = False) -> World:
    """Draw a world: a log before and after the entry, advanced at some of its cycles."""
    before = draw(st.integers(0, 3))
    steps = draw(histories(goes_wrong=goes_wrong))
    early: list[Step] = [(0, {})] * before
    history = history_of([*early, *steps], is_chained=is_chained)
    lines = tuple(history.lines)
    rest = lines[before:]
    cuts = tuple(sorted(draw(st.sets(st.integers(1, len(lines)), max_size=2))))
    current = World(
        lines=lines[:before],
        state=b"",
        rollout=rollout_of(lines[:before], is_chained=is_chained, cuts=cuts),
        now=ENTERED,
        cuts=cuts,
    )
    clock = ENTERED
    looks = draw(st.sets(st.integers(0, len(rest) - 1), max_size=6))
    for index, (pause, _) in enumerate(steps):
        clock = max(clock, clock + pause)
        known = lines[: before + index + 1]
        current = replace(
            current, lines=known, now=clock, state=state_of(known, is_chained=is_chained)
        )
        if index in looks:
            current = current.advance()
    now = clock + draw(
        st.sampled_from([0] * 5 + [MINUTE, 14 * MINUTE, 20 * MINUTE, 20 * MINUTE, -2 * MINUTE])
    )
    is_behind = draw(st.sampled_from([False] * 4 + [True])) and len(lines) > 1
    return replace(
        current,
        now=max(now, 0),
        torn=draw(st.sampled_from([b""] * 9 + [lines[-1][:60]])),
        state=state_of(lines[:-1] if is_behind else lines, is_chained=is_chained),
    )


def world_of(steps: Sequence[Step], *, later_ms: int = 0, is_chained: bool = True) -> World:
    """Return a world in canary-1 that nothing was drawn for."""
    lines = tuple(history_of(steps, is_chained=is_chained).lines)
    return World(
        lines=lines,
        state=state_of(lines, is_chained=is_chained),
        rollout=rollout_of((), is_chained=is_chained),
        now=ENTERED + sum(pause for pause, _ in steps) + later_ms,
    )
