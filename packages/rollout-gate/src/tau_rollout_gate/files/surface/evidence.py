"""Reads all that a verdict rests on: the surfaces' files, the reports and the sign-off."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.errors import NamedFileError
from tau_rollout_gate.evidence.surface import elsewhere
from tau_rollout_gate.evidence.values import (
    Evidence,
    Flaw,
    FlawFound,
    ReportEvidence,
    SignoffEvidence,
    SurfaceEvidence,
)
from tau_rollout_gate.files.named import read_named_file
from tau_rollout_gate.files.surface.state_directory import (
    EVENT_LOG,
    STATE_FILE,
    read_surface,
    which_folder,
)
from tau_rollout_gate.policy.gates.checklist_complete import ChecklistCompleteGate
from tau_rollout_gate.policy.policy import Policy


def read_evidence(  # noqa: PLR0913 - as many as there are kinds of evidence
    rollout: Rollout,
    policy: Policy,
    *,
    root: Path,
    state_dirs: Mapping[str, str],
    reports: Sequence[str],
    signoff: Path | None,
    now_unix_ms: int,
) -> Evidence:
    """Read what there is to judge a rollout by.

    Args:
        rollout: The rollout.
        policy: Its policy: the sign-off is read where a gate in force needs it.
        root: The rollout directory.
        state_dirs: The state directory of each surface; another than the pinned one is believed
            only if its log is the pinned one.
        reports: The validation reports, each as `[NAME=]FILE`.
        signoff: The sign-off; None where there is none.
        now_unix_ms: When it is judged.

    Raises:
        NamedFileError: if a report cannot be used. What is wrong with the evidence of a surface or
            the sign-off is no error: it holds.
    """
    in_force = policy.gates_in_force(rollout.phase) if rollout.is_open else ()
    checklist = None
    judged: dict[str, bytes] = {}
    if signoff is not None and any(isinstance(gate, ChecklistCompleteGate) for gate in in_force):
        from tau_rollout_gate.files.signoff import read_signoff  # noqa: PLC0415 - late, often none

        try:
            checklist = read_signoff(signoff, rollout, now_unix_ms=now_unix_ms, judged=judged)
        except NamedFileError as error:
            checklist = SignoffEvidence(
                path=str(signoff),
                problems=tuple(str(error).splitlines()),
                items=(),
                inputs=(),
                is_readable=False,
            )
    return Evidence(
        surfaces=_surfaces(rollout, state_dirs),
        reports=_reports(reports, rollout, root, judged),
        signoff=checklist,
        judged=judged,
    )


def _surfaces(rollout: Rollout, state_dirs: Mapping[str, str]) -> dict[str, SurfaceEvidence]:
    found: dict[str, SurfaceEvidence] = {}
    of_whom: dict[object, str] = {}
    is_read = rollout.is_open and rollout.fleet is None  # of a fleet, an engine's workers do
    for pin in rollout.surfaces if is_read else ():
        state_dir = state_dirs[pin.name]
        evidence = _surface(pin, state_dir)
        other = of_whom.setdefault(which_folder(state_dir), pin.name)
        if other != pin.name:  # what is told of the one is no evidence of the other
            state, log = (str(Path(state_dir, name)) for name in (STATE_FILE, EVENT_LOG))
            details = {
                state: f"{state_dir} is the directory of {other}: each surface has its own",
                log: "so there is neither a state.json nor a log of its own",
            }
            none = [FlawFound(flaw=Flaw.NO_FILES, detail=details[one], file=one) for one in details]
            evidence = evidence._replace(flaws=(*none, *evidence.flaws))
        found[pin.name] = evidence
    return found


def _surface(pin: SurfacePin, state_dir: str) -> SurfaceEvidence:
    found = read_surface(pin, Path(state_dir), sleep=time.sleep)
    if state_dir == pin.state_dir or pin.evidence_from is None:
        return found
    pinned = read_surface(pin, Path(pin.state_dir), sleep=time.sleep)
    return elsewhere(found, pin, state_dir, pinned)


def _reports(
    options: Sequence[str], rollout: Rollout, root: Path, judged: dict[str, bytes]
) -> dict[str, ReportEvidence]:
    found: dict[str, ReportEvidence] = {}
    if not options:
        return found
    # Only who gives a report pays for it.
    from tau_rollout_gate.evidence.report import parse_named, parse_report  # noqa: PLC0415
    from tau_rollout_gate.files.used_reports import reports_used_before  # noqa: PLC0415

    used = reports_used_before(root)

    for option in options:
        name, path = parse_named(option)
        if name in found:
            raise NamedFileError(f"--validation {option}: a report called {name} was given before")
        raw = read_named_file(Path(path))
        found[name] = parse_report(
            raw,
            name=name,
            path=path,
            release=rollout.release,
            used_reports=(*rollout.used_reports, *used),
        )
        judged[found[name].sha256] = raw
    return found
