"""Looks at targets: finds their directories, reads them, reads the clock, has them judged."""

import time
from pathlib import Path
from typing import Any, NamedTuple

from tau_transport_health.errors import NoTargetError, TargetError
from tau_transport_health.files.state_directory import EVENT_LOG, STATE_FILE, observe
from tau_transport_health.files.targets import read_targets
from tau_transport_health.health.assessment import Inspection, assess
from tau_transport_health.health.targets import BUILT_IN, Target, find


class Question(NamedTuple):
    """What the operator asks: which targets, where, and how they are to be judged.

    `name` is None for all that exist. `state_dir` overrides the target's own. `now_unix_ms` is None
    for the machine's clock; `max_age_ms` is None where any age will do.
    """

    name: str | None
    root: Path
    state_dir: Path | None
    targets_file: Path | None
    max_age_ms: int | None
    now_unix_ms: int | None

    def now(self) -> int:
        """The time to judge at, in Unix milliseconds; the one place that reads the clock."""
        return time.time_ns() // 1_000_000 if self.now_unix_ms is None else self.now_unix_ms


def look(question: Question) -> tuple[Inspection, ...]:
    """One look at each target that was asked for, in the order they are listed.

    Raises:
        TargetError: if there is no such target.
        NoTargetError: if all were asked for and none exists.
    """
    if question.name is not None:
        target = find(question.name, named_targets(question.targets_file))
        return (inspect(target, directory_of(target, question), question),)
    if question.state_dir is not None:
        raise TargetError("--state-dir is one directory: name the target that is in it")
    everything = named_targets(question.targets_file).values()
    looks = tuple(
        inspect(target, directory, question)
        for target in everything
        if _is_there(directory := directory_of(target, question))
    )
    if not looks:
        raise NoTargetError(f"{question.root}: no target has a state directory there; pass --root")
    return looks


def directory_of(target: Target, question: Question) -> Path:
    """Where a target's state files are."""
    if question.state_dir is not None:
        return question.state_dir
    if target.state_dir is not None:
        return Path(target.state_dir)
    return question.root / target.name


def inspect(target: Target, state_dir: Path, question: Question) -> Inspection:
    """One look at a target; what cannot be read is part of the answer."""
    reading = observe(state_dir, target, sleep=time.sleep)
    # After the reading: a state that was written meanwhile must not seem to come from the future.
    now_unix_ms = question.now()
    return Inspection(
        target=target,
        state_path=str(state_dir / STATE_FILE),
        events_log_path=str(state_dir / EVENT_LOG),
        reading=reading,
        assessment=assess(reading, now_unix_ms=now_unix_ms, max_age_ms=question.max_age_ms),
        judged_unix_ms=now_unix_ms,
    )


def named_targets(targets_file: Path | None) -> dict[str, Target]:
    """Every target that can be named, the built-in ones first.

    Raises:
        TargetError: if the targets file is none.
    """
    return {**BUILT_IN, **read_targets(targets_file)}


def known_targets(root: Path, targets_file: Path | None) -> list[dict[str, Any]]:
    """Every target that can be named, as JSON values.

    Raises:
        TargetError: if the targets file is none.
    """
    places = {
        target: Path(target.state_dir) if target.state_dir is not None else root / target.name
        for target in named_targets(targets_file).values()
    }
    return [
        {
            "transport": target.name,
            "target": target.label,
            "state_dir": str(place),
            "exists": _is_there(place),
        }
        for target, place in places.items()
    ]


def _is_there(directory: Path) -> bool:
    try:
        return directory.is_dir()
    except OSError:  # a name too long to be one, a folder that may not be looked into
        return False
