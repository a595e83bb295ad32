"""Looks at targets: finds their directories, reads them, reads the clock, has them judged."""

import time
from pathlib import Path
from typing import Any, NamedTuple

from tau_transport_health.durations import written
from tau_transport_health.errors import NoTargetError, TargetError
from tau_transport_health.files.lines import is_folder
from tau_transport_health.files.state_directory import EVENT_LOG, STATE_FILE, observe
from tau_transport_health.files.targets import TARGETS_FILE, read_targets
from tau_transport_health.health.assessment import (
    DEFAULT_MAX_AGE_MS,
    Assessment,
    Inspection,
    assess,
)
from tau_transport_health.health.reading import Reading
from tau_transport_health.health.targets import BUILT_IN, Target, find

DEFAULT_ROOT = Path(".tau")
"""Where built-in targets have their folders, unless the operator says otherwise."""


class Question(NamedTuple):
    """What the operator asks: which targets, where, and how they are to be judged.

    `name` is None for all that exist. `state_dir` overrides the target's own. `now_unix_ms` is None
    for the machine's clock; `max_age_ms` is None where any age will do. `targets_file` is None for
    that of the root, which may be missing. `counts_commands` asks for the commands of a state, too.
    """

    name: str | None
    root: Path
    state_dir: Path | None = None
    targets_file: Path | None = None
    max_age_ms: int | None = DEFAULT_MAX_AGE_MS
    now_unix_ms: int | None = None
    counts_commands: bool = False

    @property
    def targets_path(self) -> Path:
        """The targets file: the one that was named, else the one beside the built-in targets."""
        return self.targets_file or self.root / TARGETS_FILE

    def now(self) -> int:
        """The time to judge at, in Unix milliseconds; the one place that reads the clock."""
        return time.time_ns() // 1_000_000 if self.now_unix_ms is None else self.now_unix_ms

    def judge(self, reading: Reading, now_unix_ms: int) -> Assessment:
        """The judgement of a reading at a time."""
        return assess(
            reading,
            now_unix_ms=now_unix_ms,
            max_age_ms=self.max_age_ms,
            is_clock_pinned=self.now_unix_ms is not None,
        )


def look(question: Question) -> tuple[Inspection, ...]:
    """One look at each target that was asked for, in the order they are listed.

    Of all, a built-in target that was never there is left out; whatever a targets file names is
    looked at, since a folder that is gone is what it is named for.

    Raises:
        TargetError: if there is no such target.
        NoTargetError: if all were asked for and none exists.
    """
    if question.name is not None:
        return (inspect(target_of(question, question.name), question),)
    if question.state_dir is not None:
        raise TargetError("--state-dir is one directory: name the target that is in it")
    looks = tuple(
        inspect(target, question)
        for target in named_targets(question).values()
        if target.state_dir is not None or _was_ever(directory_of(target, question))
    )
    if not looks:
        raise NoTargetError(f"{question.root}: no target has a state directory there; pass --root")
    return looks


def target_of(question: Question, name: str) -> Target:
    """The target of a name. For a built-in one no targets file is read, unless it was named.

    Whoever may not look into the root is to be told so of the target, and not of that file.

    Raises:
        UnreadableError: as `named_targets` does.
        TargetError: if there is no such target, or the targets file is none.
    """
    if question.targets_file is None and name in BUILT_IN:
        return BUILT_IN[name]
    return find(name, named_targets(question))


def directory_of(target: Target, question: Question) -> Path:
    """Where a target's state files are."""
    if question.state_dir is not None:
        return question.state_dir
    if target.state_dir is not None:
        return Path(target.state_dir)
    return question.root / target.name


def inspect(target: Target, question: Question) -> Inspection:
    """One look at a target; what cannot be read is part of the answer."""
    state_dir = directory_of(target, question)
    reading = observe(state_dir, target, sleep=time.sleep, counts_commands=question.counts_commands)
    # After the reading: a state that was written meanwhile must not seem to come from the future.
    now_unix_ms = question.now()
    is_built_in = target.state_dir is None
    return Inspection(
        target=target,
        state_path=str(state_dir / STATE_FILE),
        events_log_path=str(state_dir / EVENT_LOG),
        state_dir=str(state_dir.absolute()),
        targets_file=None if is_built_in else str(question.targets_path.absolute()),
        reading=reading,
        assessment=question.judge(reading, now_unix_ms),
        judged_unix_ms=now_unix_ms,
        max_age=None if question.max_age_ms == DEFAULT_MAX_AGE_MS else written(question.max_age_ms),
    )


def named_targets(question: Question) -> dict[str, Target]:
    """Every target that can be named, the built-in ones first.

    Raises:
        UnreadableError: if the targets file cannot be read, or was named and is not there.
        TargetError: if it is none.
    """
    is_named = question.targets_file is not None
    return {**BUILT_IN, **read_targets(question.targets_path, is_named=is_named)}


def known_targets(question: Question) -> list[dict[str, Any]]:
    """Every target that can be named, as JSON values.

    Raises:
        UnreadableError: as `named_targets` does.
        TargetError: as `named_targets` does.
    """
    places = {target: directory_of(target, question) for target in named_targets(question).values()}
    return [
        {
            "transport": target.name,
            "target": target.label,
            "state_dir": str(place),
            "exists": is_folder(place),
        }
        for target, place in places.items()
    ]


def _was_ever(place: Path) -> bool:
    """Whether anything is there, if only a link to nothing, or it may not be known."""
    try:
        place.lstat()
    except OSError as error:
        return not isinstance(error, FileNotFoundError | NotADirectoryError)
    return True
