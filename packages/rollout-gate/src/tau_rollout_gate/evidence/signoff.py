"""Whether a sign-off is complete: what of it is missing, item by item.

The rules are the checklist's (runbooks/release-signoff-checklist.md).
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tau_rollout_gate.contract.rollout import RecordedInput, Rollout
from tau_rollout_gate.errors import FormRefusedError
from tau_rollout_gate.evidence.references import (
    folded,
    identity_of_address,
    is_address,
    is_blank,
    problem_of_path,
)
from tau_rollout_gate.evidence.signoff_form import Signoff, checklist
from tau_rollout_gate.evidence.values import SignoffEvidence, SignoffItem
from tau_rollout_gate.versions import is_same_release

MOST_ITEMS_A_PIECE = 2
"""Items that one piece may serve (release-signoff-checklist.md, "What counts as evidence")."""

_MS_PER_DAY = 86_400_000
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """What was found where an item names a file: its digest, or why it is no evidence."""

    sha256: str | None = None
    problem: str | None = None


LookUp = Callable[[str], FoundFile]
"""Looks up a path inside the repository, which its text alone does not rule out."""


def judge(
    signoff: Signoff, rollout: Rollout, look_up: LookUp, *, file: RecordedInput, now_unix_ms: int
) -> SignoffEvidence:
    """The parts of a sign-off that are missing.

    Args:
        signoff: The checklist as it was filled in.
        rollout: What it has to be the sign-off of.
        look_up: Tells of the files that the items name.
        file: The checklist's own file.
        now_unix_ms: The time to judge at.
    """
    surfaces = tuple(surface.name for surface in rollout.surfaces)
    texts = {(section, item): text.strip() for section, item, text in signoff.items()}
    served: defaultdict[str, list[str]] = defaultdict(list)
    inputs = {file.path: file}
    items = []
    for section, name, _ in checklist(surfaces):
        text = texts.pop((section, name), "")
        piece, problem = _weighed(text, look_up, own_sha256=file.sha256)
        if piece is not None:
            problem = _problem_of_sharing(served[piece])
            served[piece].append(f"{section}.{name}")
        path = text if piece is not None and not is_address(text) else None
        if path is not None and piece is not None:
            inputs[path] = RecordedInput(path=path, sha256=piece)
        claim = text if piece is not None and path is None else None
        items.append(SignoffItem(key=f"{section}.{name}", problem=problem, claim=claim, file=path))
    unknown = (f"{section}.{name}: is not an item of this rollout" for section, name in texts)
    return SignoffEvidence(
        path=file.path,
        problems=(*_problems(signoff, rollout, now_unix_ms), *unknown),
        items=tuple(items),
        inputs=tuple(inputs.values()),
    )


def _weighed(text: str, look_up: LookUp, *, own_sha256: str) -> tuple[str | None, str | None]:
    """What tells a piece of evidence from others, or why it is no evidence.

    A file is told by its digest: a copy under another name is the same piece.
    """
    if not text:
        return None, "has no evidence yet"
    if is_blank(text):
        return None, f"has no evidence yet: {text[:60]!r} names nothing that can be looked at"
    if is_address(text):
        try:
            return identity_of_address(text), None
        except FormRefusedError as error:
            return None, f"{text[:200]!r} {error}"
    problem = problem_of_path(text)
    found = FoundFile(problem=problem) if problem else look_up(text)
    if found.sha256 == own_sha256:
        return None, f"{text[:200]!r} is this checklist itself"
    return found.sha256, found.problem and f"{text[:200]!r} {found.problem}"


def _problem_of_sharing(others: list[str]) -> str | None:
    if len(others) < MOST_ITEMS_A_PIECE:
        return None
    return f"its evidence serves {' and '.join(others[:MOST_ITEMS_A_PIECE])} already"


def _problems(signoff: Signoff, rollout: Rollout, now_unix_ms: int) -> Iterator[str]:
    if not is_same_release(signoff.release.strip(), rollout.release):
        yield f"release: is {signoff.release[:60]!r}; the rollout's is {rollout.release!r}"
    if signoff.channel.strip() != rollout.channel:
        yield f"channel: is {signoff.channel[:60]!r}; the rollout's is '{rollout.channel}'"
    yield from _problems_of_date(
        # What was dated by a wrong clock is dated anew by 'reenter'.
        signoff.date,
        min(rollout.started_unix_ms, rollout.phase_entered_unix_ms),
        now_unix_ms,
    )
    if is_blank(signoff.owner):
        yield "owner: is not filled in"
    yield from _problems_of_reviewers(signoff)


def _problems_of_date(written: str, started_unix_ms: int, now_unix_ms: int) -> Iterator[str]:
    if is_blank(written):
        yield "date: is not filled in"
        return
    try:
        date = dt.date.fromisoformat(written.strip())
    except ValueError:
        yield f"date: {written[:60]!r} is not a day; write 2026-01-31"
        return
    # Days are compared as numbers: a time that no calendar holds must not end in an error.
    day = date.toordinal() - _EPOCH_ORDINAL
    if day < started_unix_ms // _MS_PER_DAY:
        yield f"date: {date} is before the day on which the rollout started (UTC)"
    if day > now_unix_ms // _MS_PER_DAY:
        yield f"date: {date} is yet to come (UTC)"


def _problems_of_reviewers(signoff: Signoff) -> Iterator[str]:
    owner = _person(signoff.owner)
    seen = set()
    for reviewer in signoff.reviewers:
        person = _person(reviewer)
        if is_blank(reviewer):
            yield "reviewers: one is blank"
        elif person == owner:
            yield f"reviewers: {reviewer[:60]!r} is the owner; somebody else has to review"
        elif person in seen:
            yield f"reviewers: {reviewer[:60]!r} stands there twice"
        seen.add(person)
    if not seen:
        yield "reviewers: none is named"


def _person(name: str) -> str:
    return folded(name).removeprefix("@")
