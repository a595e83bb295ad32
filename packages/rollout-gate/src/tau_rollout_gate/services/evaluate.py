"""Gathers what a decision is made from, and has it made: the shell around `decision`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tau_rollout_gate.contract.rollout import Rollout, RolloutStatus
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.errors import NamedFileError, RolloutUnusableError
from tau_rollout_gate.evidence.values import (
    Evidence,
    ReportEvidence,
    SignoffEvidence,
    SurfaceEvidence,
)
from tau_rollout_gate.files.named import read_named_file
from tau_rollout_gate.files.policy import load_policy
from tau_rollout_gate.files.state_directory import read_surface
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.rollout.transitions import Found

SIGNOFF_FILE = "signoff.toml"
"""Where the sign-off of a rollout is, in its directory, unless another file is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, as the command line has it.

    `surfaces` are `NAME=STATE_DIR`, `reports` are `[NAME=]FILE`; `policy`, `signoff` and
    `now_unix_ms` are None where nothing was said.
    """

    rollout_dir: Path
    surfaces: Sequence[str] = ()
    policy: Path | None = None
    reports: Sequence[str] = ()
    signoff: Path | None = None
    now_unix_ms: int | None = None


def now_unix_ms(given: int | None) -> int:
    """Return the time to decide at: the one given, else the clock's. The clock is read here."""
    return time.time_ns() // 1_000_000 if given is None else given


def evaluate(question: Question, rollout: Rollout) -> Found:
    """Return the answer about a rollout from what its files say now; nothing is written.

    Raises:
        RolloutGateError: if the policy or a file that was named cannot be used. What is wrong with
            the evidence of a surface is no error: it holds.
    """
    policy = pinned_policy(question, rollout)
    state_dirs = pinned_state_dirs(question, rollout)
    now = now_unix_ms(question.now_unix_ms)
    evidence = Evidence(
        surfaces=_surfaces(rollout, policy, state_dirs),
        reports=_reports(question, rollout),
        signoff=_signoff(question, rollout, now),
    )
    return Found(answer=decide(policy, rollout, evidence, now_unix_ms=now), evidence=evidence)


def pinned_policy(question: Question, rollout: Rollout) -> Policy:
    """Return the policy that the rollout was started with.

    Raises:
        PolicyRefusedError: if it cannot be read.
        RolloutUnusableError: if it is not the one that the rollout is judged by.
    """
    pinned = None if rollout.policy_file is None else Path(rollout.policy_file)
    path = question.policy or pinned
    policy = load_policy(path)
    found = policy_digest(policy)
    if found != rollout.policy_sha256:
        named = "the built-in policy" if path is None else str(path)
        raise RolloutUnusableError(
            f"{named} (digest {found[:12]}) is not the policy of this rollout (digest "
            f"{rollout.policy_sha256[:12]}): pass that one with --policy. To change the "
            "policy, leave that file as it is, and give another to 'policy adopt --policy FILE'"
        )
    return policy


def pinned_state_dirs(question: Question, rollout: Rollout) -> dict[str, Path]:
    """Return where each surface's files are: as given now, else as at the start.

    Raises:
        RolloutUnusableError: if a surface is named that the rollout does not have.
    """
    found = {pin.name: Path(pin.state_dir) for pin in rollout.surfaces}
    for given in question.surfaces:
        name, _, state_dir = given.partition("=")
        if name not in found or not state_dir:
            raise RolloutUnusableError(
                f"--surface {given}: the rollout's surfaces are {', '.join(found)}; write "
                "NAME=STATE_DIR"
            )
        found[name] = Path(state_dir)
    return found


def check_pinned(question: Question, rollout: Rollout) -> None:
    """Check that what was given of surfaces and policy is the rollout's own.

    Raises:
        RolloutGateError: if it is not, or the policy cannot be used.
    """
    pinned_state_dirs(question, rollout)
    if question.policy is not None:
        pinned_policy(question, rollout)


def _surfaces(
    rollout: Rollout, policy: Policy, state_dirs: dict[str, Path]
) -> dict[str, SurfaceEvidence]:
    if rollout.status is not RolloutStatus.OPEN:
        return {}
    next_phase = policy.next_phase(rollout.phase)
    if policy.phase(rollout.phase).canary_percent == 0 and (
        next_phase is None or next_phase.canary_percent == 0
    ):
        return {}
    return {
        pin.name: read_surface(pin, state_dirs[pin.name], sleep=time.sleep)
        for pin in rollout.surfaces
    }


def _reports(question: Question, rollout: Rollout) -> dict[str, ReportEvidence]:
    reports: dict[str, ReportEvidence] = {}
    if not question.reports:
        return reports
    from tau_rollout_gate.evidence.report import parse_named, parse_report  # noqa: PLC0415 - only who gives a report pays for it

    for option in question.reports:
        name, path = parse_named(option)
        if name in reports:
            raise NamedFileError(f"--validation {option}: a report called {name} was given before")
        reports[name] = parse_report(
            read_named_file(Path(path)),
            name=name,
            path=path,
            release=rollout.release,
            used_reports=rollout.used_reports,
        )
    return reports


def _signoff(question: Question, rollout: Rollout, now: int) -> SignoffEvidence | None:
    path = question.signoff
    if path is None:
        path = question.rollout_dir / SIGNOFF_FILE
        if not path.exists():
            return None
    from tau_rollout_gate.files.signoff import read_signoff  # noqa: PLC0415 - the same

    return read_signoff(path, rollout, now_unix_ms=now)
