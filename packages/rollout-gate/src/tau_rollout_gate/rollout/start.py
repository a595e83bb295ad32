"""Opens a rollout as the operator asks for it, or refuses what no evidence could serve."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.contract.pin import CHAINED_SURFACE, ExpectedField, SurfacePin
from tau_rollout_gate.contract.rollout import Channel, RollbackTarget, Rollout, RolloutStatus
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.policy.lint import KNOWN_SURFACES
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.versions import is_same_release, parse_version

if TYPE_CHECKING:
    from semver import Version

_EXPECTED_FIELDS: tuple[str, ...] = get_args(ExpectedField)

LONGEST_VERSION = 128
"""Files are named after a version, and no file system takes more than 255 bytes for a name."""

_SURFACE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REF = re.compile(r"(?!-)(?!.*\.\.)[^\s\x00-\x20\x7f~^:?*\[\\]{1,250}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What `start` was told, as the command line has it.

    Args:
        release: The version under rollout.
        rollback_version: The version it goes back to; None for what was completed last.
        rollback_ref: The tag, branch or commit of that version; None where it is not told.
        channel: The channel it is published to.
        rollback_channel: The channel of the version it goes back to; None for that version's own
            where it was completed here, else for the release's.
        surfaces: The directory of each surface's state files, by its name.
        expected: What every cycle has to have, each as `SURFACE:FIELD=VALUE`.
        cycle_interval_ms: How often a surface's runtime runs a cycle; None for the policy's.
        registry_changes_expected: Whether the release changes the command registry.
        allows_major: Whether release and target may differ in their major version.
        allows_downgrade: Whether the target may be newer than the release.
        first_run: The surfaces that never ran, and may have no files yet.
        policy_file: Where the policy is; None for the built-in one.
        fleet: The fleet that it is of; None where it is of one host.
    """

    release: str
    rollback_version: str | None
    rollback_ref: str | None
    channel: Channel
    rollback_channel: Channel | None
    surfaces: Mapping[str, str]
    expected: Sequence[str]
    cycle_interval_ms: int | None
    registry_changes_expected: bool
    allows_major: bool
    allows_downgrade: bool
    first_run: Sequence[str]
    policy_file: str | None = None
    fleet: FleetPin | None = None


def opened(
    opening: Opening,
    policy: Policy,
    *,
    before: Rollout | None,
    completed: Rollout | None,
    now_unix_ms: int,
) -> Rollout:
    """Open a rollout, or refuse to.

    Args:
        opening: What was asked for.
        policy: What it is to be judged by.
        before: The last rollout of the directory; None if this is its first.
        completed: The one that was completed last there; None if none was.
        now_unix_ms: When.

    Raises:
        RefusedError: for a rollout that is open already, versions that cannot be told apart or
            ordered, a prerelease on stable, a major jump or a newer target that was not allowed,
            and names or expectations that nothing can meet.
    """
    if before is not None and before.is_open:
        # While nobody has it there is nothing to take back, and no incident to record.
        ending = "cancel" if before.canary_entered_unix_ms is None else "rollback"
        raise RefusedError(
            f"the rollout of {before.release} is open, in {before.phase}: complete it with "
            f"'advance' or end it with '{ending} --reason WHY' first"
        )
    target = _target(opening, completed)
    _check_versions(opening, target)
    if target.rollback_ref is not None and not _REF.fullmatch(target.rollback_ref):
        raise RefusedError(
            f"--rollback-ref: {target.rollback_ref!r} is no tag, branch or commit of git"
        )
    expected = expected_in(opening.expected)
    _check_surfaces(opening, policy, expected)
    return Rollout(
        status=RolloutStatus.OPEN,
        release=opening.release,
        channel=opening.channel,
        started_unix_ms=now_unix_ms,
        phases=tuple(phase.name for phase in policy.phases),
        phase=policy.phases[0].name,
        phase_entered_unix_ms=now_unix_ms,
        cycle_interval_ms=opening.cycle_interval_ms or policy.cycle_interval_ms,
        registry_changes_expected=opening.registry_changes_expected,
        policy_sha256=policy_digest(policy),
        policy_file=opening.policy_file,
        surfaces=tuple(
            SurfacePin(
                name=name,
                state_dir=state_dir,
                is_chained=name == CHAINED_SURFACE,
                is_first_run=name in opening.first_run,
                expected={
                    one: expected[name][one]
                    for one in get_args(ExpectedField)
                    if one in expected.get(name, {})
                },
            )
            for name, state_dir in opening.surfaces.items()
        ),
        rollback=target,
        fleet=opening.fleet,
    )


def _target(opening: Opening, completed: Rollout | None) -> RollbackTarget:
    if opening.rollback_version is not None:
        _version_of(opening.rollback_version, option="--rollback-to")
        return RollbackTarget(
            rollback_version=opening.rollback_version,
            rollback_channel=opening.rollback_channel or opening.channel,
            rollback_ref=opening.rollback_ref,
        )
    if completed is None:
        raise RefusedError(
            "--rollback-to: this rollout directory has completed no release yet: name the version "
            "that runs now"
        )
    return RollbackTarget(
        rollback_version=completed.release,
        rollback_channel=opening.rollback_channel or completed.channel,
        rollback_ref=opening.rollback_ref,
    )


def expected_in(options: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read what is expected, by surface and field, of options like `voice:runtime_version=1.4.0`.

    Raises:
        RefusedError: if one is not of that form, or a field is given twice.
    """
    found: dict[str, dict[str, str]] = {}
    for option in options:
        place, is_given, value = option.partition("=")
        surface, _, name = place.partition(":")
        if not (is_given and name):
            raise RefusedError(f"--expect: {option!r}: write SURFACE:FIELD=VALUE")
        if name in found.setdefault(surface, {}):
            raise RefusedError(f"--expect: {place} is given twice")
        found[surface][name] = value
    return found


def _version_of(text: str, *, option: str) -> "Version":
    if len(text) > LONGEST_VERSION:
        raise RefusedError(f"{option}: has more than {LONGEST_VERSION} characters, the most")
    version = parse_version(text)
    if version is None:
        raise RefusedError(
            f"{option}: {text!r} is not a semantic version: write 1.4.0, v1.4.0 or 1.4.0-rc.1"
        )
    return version


def _check_versions(opening: Opening, rollback: RollbackTarget) -> None:
    release = _version_of(opening.release, option="--release")
    target = _version_of(rollback.rollback_version, option="--rollback-to")
    for option, version, channel in (
        ("--release", release, opening.channel),
        ("--rollback-to", target, rollback.rollback_channel),
    ):
        if channel is Channel.STABLE and version.prerelease is not None:
            raise RefusedError(
                f"{option}: {version} is a prerelease, and the channel is stable: name another "
                "channel, or a release"
            )
    if release == target:  # build metadata does not count, as in every comparison of versions
        raise RefusedError(
            f"--rollback-to: {rollback.rollback_version} is the release itself: name the version "
            "that ran before it"
        )
    if release.major != target.major and not opening.allows_major:
        raise RefusedError(
            f"--release: from {rollback.rollback_version} to {opening.release} is a major jump: "
            "pass --allow-major if that is meant"
        )
    if target > release and not opening.allows_downgrade:
        raise RefusedError(
            f"--rollback-to: {rollback.rollback_version} is newer than the release "
            f"{opening.release}: were the two exchanged? Pass --allow-downgrade if that is meant"
        )


def _check_surfaces(
    opening: Opening, policy: Policy, expected: Mapping[str, Mapping[str, str]]
) -> None:
    surfaces, known = opening.surfaces, KNOWN_SURFACES | policy.named_surfaces
    for name in surfaces:
        if not _SURFACE_NAME.fullmatch(name):
            raise RefusedError(
                f"--surface: {name!r} is not a surface's name: lower-case letters, digits, '.', "
                "'_' and '-', at most 64"
            )
        if name not in known and (close := get_close_matches(name, sorted(known), n=1)):
            raise RefusedError(
                f"--surface: {name!r} is not known, but {close[0]!r} is: write that, or name "
                f"{name!r} in a line of the policy"
            )
    for name in opening.first_run:
        if name not in surfaces:
            raise RefusedError(
                f"--first-run: there is no surface {name!r}; there are {', '.join(surfaces)}"
            )
    for surface, fields in expected.items():
        if surface not in surfaces:
            raise RefusedError(
                f"--expect: there is no surface {surface!r}; there are {', '.join(surfaces)}"
            )
        for name, value in fields.items():
            _check_expectation(surface, name, value)
        if not is_same_release(fields.get("release", opening.release), opening.release):
            raise RefusedError(
                f"--expect: {surface}:release={fields['release']} is not the release, "
                f"{opening.release}: no cycle could ever be both"
            )


def _check_expectation(surface: str, name: str, value: str) -> None:
    if name not in _EXPECTED_FIELDS:
        raise RefusedError(
            f"--expect: {surface}:{name} cannot be expected; {' and '.join(_EXPECTED_FIELDS)} can"
        )
    if name == "fixture_sha256" and not _SHA256.fullmatch(value):
        raise RefusedError(
            f"--expect: {surface}:{name} is a SHA-256 of 64 lower-case hex digits, not {value!r}"
        )
    if not value.strip():
        raise RefusedError(f"--expect: {surface}:{name}: the value is empty")
