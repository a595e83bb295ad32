"""`rollback`: records it first, then captures the evidence; nothing is reverted here."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import RecordedInput, Rollout, RolloutStatus
from tau_rollout_gate.decision.fleet import MOST_WORST
from tau_rollout_gate.errors import (
    BusyError,
    RolloutGateError,
    RolloutUnusableError,
    StorageError,
)
from tau_rollout_gate.files.incident.archive import Source, safe_name
from tau_rollout_gate.files.incident.capture import Captured, capture
from tau_rollout_gate.files.inputs import digest_of, kept_file
from tau_rollout_gate.files.policy import is_as_pinned, kept_policy_path, load_policy, policy_path
from tau_rollout_gate.files.record import entries
from tau_rollout_gate.files.stopping import known_rollout, stopping
from tau_rollout_gate.policy.policy import policy_digest
from tau_rollout_gate.rollout import stops
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.services.evaluate import now_unix_ms
from tau_rollout_gate.services.intervene import Asked

PRIVATE_FILES = frozenset(
    {
        *(".journal", ".journal.done", ".lock", ".approvals.lock"),
        *("approvals.json", "paused.json", "lost+found"),
    }
)
"""What is private to the runtime (state-files.md) or to the volume, and a pause, which tells of no
cycle: no evidence, not opened."""

_BUILT_IN_POLICY = Path(__file__).parents[1] / "default_policy.toml"
_LONGEST_PIPE_BYTES = 256 * 1024 * 1024
"""The most that is taken from a pipe that is attached, which need not have an end."""

_MOST_TOLD = 20
"""How many things that could not be captured a decision names; the archive names all."""


class RolledBack(NamedTuple):
    """What became of a rollback.

    Args:
        rollout: The rollout, rolled back.
        state_dirs: Where the files of each surface are.
        entry: The last decision that was recorded; None if none could be.
        captured: The evidence; None if none could be captured.
        problems: What could not be done or captured, and why.
        notes: What the next rollout of a fleet has to know.
    """

    rollout: Rollout
    state_dirs: Mapping[str, str]
    entry: Entry | None
    captured: Captured | None
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def roll_back(asked: Asked, attached: Sequence[Path]) -> RolledBack:
    """Freeze and close the rollout, then capture the evidence as far as it can be.

    It asks neither for surfaces nor a policy, nor for a record that is sound. A rollout that went
    back already is captured again.

    Raises:
        RefusedError: if the rollout was cancelled.
        RolloutUnusableError: if nothing tells of a rollout.
    """
    now = now_unix_ms(asked.question.now_unix_ms)
    root = asked.question.rollout_dir
    rollout = _after(known_rollout(root), asked, now)
    entry = captured = None
    notes: tuple[str, ...] = ()
    problems = tuple(
        f"--surface {name}: the rollout has no such surface"
        for name in asked.question.surfaces
        if name not in {pin.name for pin in rollout.surfaces}
    )
    try:
        with stopping(root, ends=True) as stop:
            record = partial(stop.record, by=asked.by, reason=asked.reason, decided_unix_ms=now)
            rollout = _after(stop.rollout, asked, now)
            if stop.rollout.status is not RolloutStatus.ROLLED_BACK:
                entry = record(Action.ROLLBACK, rollout)
            inputs: tuple[RecordedInput, ...] = ()
            try:
                sources = tuple(_sources(root, rollout, _state_dirs(asked, rollout), attached))
                captured = capture(
                    root, stop.folder, sources, release=rollout.release, now_unix_ms=now
                )
                problems = (*problems, *captured.lacking)
                inputs = (RecordedInput(path=str(captured.path), sha256=captured.sha256),)
            except StorageError as error:
                problems = (*problems, str(error))
            entry = record(Action.CAPTURE, rollout, reasons=_told(problems), inputs=inputs)
    except (BusyError, StorageError) as error:
        problems = (*problems, str(error))
    if rollout.fleet is not None:
        from tau_rollout_gate.services.fleet.store_lock import release_lock  # noqa: PLC0415 - few do

        notes = release_lock(rollout.fleet)
    return RolledBack(rollout, _state_dirs(asked, rollout), entry, captured, problems, notes)


def _after(rollout: Rollout, asked: Asked, now_unix_ms: int) -> Rollout:
    return stops.rolled_back(rollout, reason=asked.reason, by=asked.by, now_unix_ms=now_unix_ms)


def _told(problems: Sequence[str]) -> tuple[str, ...]:
    """What a decision says of what could not be captured."""
    more = len(problems) - _MOST_TOLD
    rest = [f"and {more} more, which the archive names"] if more > 0 else []
    return (*problems[:_MOST_TOLD], *rest)


def _state_dirs(asked: Asked, rollout: Rollout) -> dict[str, str]:
    """Tell where each surface's files are: as given now, else as pinned."""
    given = asked.question.surfaces
    return {
        pin.name: str(Path(given.get(pin.name, pin.state_dir)).absolute())
        for pin in rollout.surfaces
    }


def _sources(
    root: Path, rollout: Rollout, state_dirs: Mapping[str, str], attached: Sequence[Path]
) -> Iterator[Source]:
    """Yield what is captured: state, rollout, policy, what it was judged by, what was attached."""
    for name, state_dir in state_dirs.items() if rollout.fleet is None else _worst(root, rollout):
        yield Source(
            path=Path(state_dir), name=f"state/{name}", may_be_missing=True, private=PRIVATE_FILES
        )
    yield Source(path=root, name="rollout", private=frozenset({"lost+found"}))
    yield _policy(root, rollout)
    yield from _judged(root, rollout, [Path(one) for one in state_dirs.values()])
    for number, path in enumerate(attached, start=1):
        name = f"attached/{number}-{safe_name(path.name)}"
        yield Source(path=path, name=name, pipe_bytes=_LONGEST_PIPE_BYTES)


def _worst(root: Path, rollout: Rollout) -> Iterator[tuple[str, str]]:
    """Yield where the files of a fleet's worst hosts are, each by its host and surface.

    Those in an object store stay there: a rollback never needs it. Nor does it need the table.
    """
    from tau_rollout_gate.files.stores.location import parse_location  # noqa: PLC0415 - of a fleet
    from tau_rollout_gate.fleet.table import worst_of  # noqa: PLC0415 - as above
    from tau_rollout_gate.services.fleet.look import table_of  # noqa: PLC0415 - as above

    pin = rollout.fleet
    if pin is None or parse_location(pin.store).bucket is not None:
        return
    with suppress(RolloutGateError):
        for row in worst_of(table_of(root, pin), MOST_WORST):
            for surface in row.record.surfaces:
                yield f"{row.host}/{surface.name}", surface.state_dir


def _policy(root: Path, rollout: Rollout) -> Source:
    """The policy as it was judged by, if that was kept; else as it is now."""
    now, kept = policy_path(rollout), kept_policy_path(root, rollout)
    is_same = is_as_pinned(rollout)
    try:
        is_kept = policy_digest(load_policy(kept)) == rollout.policy_sha256
    except RolloutGateError:
        is_kept = False
    return Source(
        path=kept if is_kept else now or _BUILT_IN_POLICY,
        name="policy.toml",
        may_be_missing=True,
        note="" if is_same else _changed(str(now or "the built-in policy"), is_kept=is_kept),
    )


def _judged(root: Path, rollout: Rollout, inside: Sequence[Path]) -> Iterator[Source]:
    """Yield the reports and the sign-off, with its files, that the rollout was judged by."""
    found: dict[tuple[str, str], None] = {}
    with suppress(RolloutUnusableError):  # a damaged ledger is no reason not to roll back
        for entry in entries(root):
            is_judged = entry.verdict is not None
            if is_judged and entry.rollout_after.started_unix_ms == rollout.started_unix_ms:
                found.update(((one.path, one.sha256), None) for one in entry.inputs)
    judged = [one for one in found if not any(Path(one[0]).is_relative_to(each) for each in inside)]
    for number, (path, digest) in enumerate(judged, start=1):
        kept = kept_file(root, digest)
        is_same = digest_of(Path(path)) == digest
        yield Source(
            path=kept or Path(path),
            name=f"judged/{number}-{safe_name(Path(path).name)}",
            may_be_missing=True,
            note="" if is_same else _changed(path, is_kept=kept is not None),
        )


def _changed(path: str, *, is_kept: bool) -> str:
    if is_kept:
        return f"is as it was judged; {path} has changed since, or is gone"
    return f"is not as it was judged: {path} has changed since, or is gone"
