"""`rollback`: captures the evidence, then records the rollback; nothing is reverted here."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from tau_rollout_gate.contract.rollout import RecordedInput, Rollout
from tau_rollout_gate.errors import RolloutUnusableError, StorageError
from tau_rollout_gate.files.archive import Source, safe_name
from tau_rollout_gate.files.capture import Captured, capture
from tau_rollout_gate.files.rollout_directory import entries
from tau_rollout_gate.rollout import transitions
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.services.evaluate import now_unix_ms, pinned_state_dirs
from tau_rollout_gate.services.intervene import Asked, pinned_change

PRIVATE_FILES = frozenset({".journal", ".journal.done", ".lock", "approvals.json"})
"""What is private to the runtime, which no other program opens (state-files.md)."""

_BUILT_IN_POLICY = Path(__file__).parents[1] / "default_policy.toml"


def roll_back(asked: Asked, attached: Sequence[Path]) -> tuple[Entry, Captured]:
    """Capture the evidence, then freeze and close the rollout; tell what was recorded and kept.

    Raises:
        StorageError: if the evidence cannot be captured: then promotion is frozen, that is
            recorded, and the rollout is not closed, so that it can be tried again.
        RolloutGateError: if it is refused, or the directory cannot be used.
    """
    now = now_unix_ms(asked.question.now_unix_ms)
    with pinned_change(asked.question) as change:
        before = change.current.rollout
        after = transitions.rolled_back(before, reason=asked.reason, by=asked.by, now_unix_ms=now)
        state_dirs = {
            name: Path(path) for name, path in pinned_state_dirs(asked.question, before).items()
        }
        following = partial(
            Entry.following, change.count, by=asked.by, decided_unix_ms=now, reason=asked.reason
        )
        try:
            captured = capture(
                change.root,
                change.folder,
                tuple(_sources(change.root, before, state_dirs, attached)),
                release=before.release,
                now_unix_ms=now,
            )
        except StorageError as error:
            frozen = transitions.capture_failed(
                before, detail=str(error), by=asked.by, now_unix_ms=now
            )
            change.commit(following(Action.CAPTURE_FAILED, frozen, reasons=(str(error),)))
            raise StorageError(
                f"{error}\nnothing is rolled back yet, but promotion is frozen: mend that, and run "
                "'rollback' again"
            ) from None
        evidence = RecordedInput(path=str(captured.path), sha256=captured.sha256)
        entry = change.commit(following(Action.ROLLBACK, after, inputs=(evidence,)))
    return entry, captured


def _sources(
    root: Path, rollout: Rollout, state_dirs: Mapping[str, Path], attached: Sequence[Path]
) -> Iterator[Source]:
    """Yield what is captured: state, rollout, policy, what it was judged by, what was attached."""
    for name, path in state_dirs.items():
        yield Source(path=path, name=f"state/{name}", may_be_missing=True, private=PRIVATE_FILES)
    yield Source(path=root, name="rollout")
    policy = Path(rollout.policy_file) if rollout.policy_file else _BUILT_IN_POLICY
    yield Source(path=policy, name="policy.toml", may_be_missing=True)
    inside = (*state_dirs.values(), root)
    for number, path in enumerate(_judged_files(root, rollout, inside), start=1):
        name = f"judged/{number}-{safe_name(path.name)}"
        yield Source(path=path, name=name, may_be_missing=True)
    for number, path in enumerate(attached, start=1):
        yield Source(path=path, name=f"attached/{number}-{safe_name(path.name)}")


def _judged_files(root: Path, rollout: Rollout, inside: Sequence[Path]) -> list[Path]:
    """Find the reports and the sign-off, with its files, that the rollout was judged by."""
    found: dict[Path, None] = {}
    with suppress(RolloutUnusableError):  # a damaged ledger is no reason not to roll back
        for entry in entries(root):
            if entry.rollout_after.started_unix_ms == rollout.started_unix_ms:
                found.update((Path(one.path), None) for one in entry.inputs)
    return [path for path in found if not any(path.is_relative_to(one) for one in inside)]
