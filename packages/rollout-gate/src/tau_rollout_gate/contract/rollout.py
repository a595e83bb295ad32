"""`rollout.json`: the release under rollout, where it stands, and what it has to keep.

The rules are the contract's (runbooks/state-files.md, "The rollout directory").
"""

from enum import StrEnum
from typing import Annotated, Any, Self

from msgspec import Meta

from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.contract.forms import Count, Form, Number, Sha256, Text, Version
from tau_rollout_gate.contract.pin import SurfacePin


class Channel(StrEnum):
    """What a release is published to."""

    STABLE = "stable"
    BETA = "beta"
    DEV = "dev"


class RolloutStatus(StrEnum):
    """Whether the rollout goes on; only an open one can."""

    OPEN = "open"
    COMPLETE = "complete"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"


class Frozen(Form, frozen=True, kw_only=True):
    """Why promotion is frozen, since when, and who did it.

    Args:
        reason: Why: the operator's words, or the triggers that fired.
        by: Who asked for what froze it.
        since_unix_ms: When that was.
    """

    reason: Text
    by: Text
    since_unix_ms: Count


class FiredTrigger(Form, frozen=True, kw_only=True):
    """A trigger that fired and was recorded: it stays fired, whatever becomes of its evidence.

    Args:
        name: The trigger's name in the policy.
        surface: The surface that fired it; None where it is of none, as a validation report.
        observed: What was seen.
        threshold: What fires it.
        action: What is to be done.
        file: The file that it was seen in.
        line: The line there.
        cycle_id: The cycle in that line.
        timestamp_unix_ms: When that cycle ended.
        fixture_name: The fixture that the cycle processed.
    """

    name: Text
    surface: Text | None
    observed: str
    threshold: Text
    action: Text
    file: str | None
    line: Number | None
    cycle_id: str | None
    timestamp_unix_ms: Count | None
    fixture_name: str | None = None


class RollbackTarget(Form, frozen=True, kw_only=True):
    """What the release goes back to: recorded at the start, the reason once it happened.

    Args:
        rollback_channel: The channel of that version.
        rollback_version: The version.
        rollback_ref: The tag, branch or commit that it was built from; None where it was not told.
        rollback_reason: Why it went back; None before that.
        rollback_reference_unix_ms: When it went back; None before that.
    """

    rollback_channel: Channel
    rollback_version: Text
    rollback_ref: Text | None = None
    rollback_reason: str | None = None
    rollback_reference_unix_ms: Count | None = None


class RecordedInput(Form, frozen=True, kw_only=True):
    """A file that a decision rests on, or that it left.

    Args:
        path: The file.
        sha256: The digest of its bytes; of a log, of the part that was judged.
        offset: Where that part of a log begins, in bytes; None for a whole file.
        length: How long it is, in bytes; None for a whole file.
    """

    path: str
    sha256: Sha256
    offset: Count | None = None
    length: Count | None = None


class UsedReport(Form, frozen=True, kw_only=True):
    """A validation report that a release was judged by; it serves no other release.

    Args:
        release: The release.
        sha256: The digest of the report's bytes.
    """

    release: Text
    sha256: Sha256


class Rollout(Form, frozen=True, kw_only=True):
    """The rollout, as `rollout.json` holds it beside the count and digest of the last decision.

    Args:
        schema_version: The version of the form.
        status: Whether it goes on, and how it ended.
        release: The version under rollout.
        channel: The channel that it is published to.
        started_unix_ms: When the rollout was opened.
        phases: The policy's phases, in their order.
        phase: The one that it is in, or ended in.
        phase_entered_unix_ms: When that was entered, or entered anew.
        canary_entered_unix_ms: When the first phase above 0 % was entered; None before.
        cycle_interval_ms: How often a cycle is expected.
        registry_changes_expected: Whether the release has to change the command registry.
        policy_sha256: The digest of the policy, over what it says: comments do not count.
        policy_file: Where the policy is; None for the built-in one.
        surfaces: What is judged, and where the evidence of each starts.
        rollback: What the release goes back to.
        frozen: Why promotion is frozen; None while it is not.
        fired_triggers: The triggers that fired and were recorded.
        used_reports: The validation reports that it was judged by.
        fleet: The fleet that it is of; None where it is of one host. Of a fleet, `{host}` stands in
            the directories of its surfaces, and where evidence starts is in the table of hosts.
    """

    schema_version: Version = 1
    status: RolloutStatus
    release: Text
    channel: Channel
    started_unix_ms: Count
    phases: Annotated[tuple[Text, ...], Meta(min_length=1)]
    phase: Text
    phase_entered_unix_ms: Count
    canary_entered_unix_ms: Count | None = None
    cycle_interval_ms: Number
    registry_changes_expected: bool
    policy_sha256: Sha256
    policy_file: str | None
    surfaces: Annotated[tuple[SurfacePin, ...], Meta(min_length=1)]
    rollback: RollbackTarget
    frozen: Frozen | None = None
    fired_triggers: tuple[FiredTrigger, ...] = ()
    used_reports: tuple[UsedReport, ...] = ()
    fleet: FleetPin | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the rollout can still go on."""
        return self.status is RolloutStatus.OPEN

    def without_seen(self) -> "Rollout":
        """The rollout without what `advance` notes in `rollout.json` alone, with no decision."""
        pins = tuple(pin.replaced(seen=None) for pin in self.surfaces)
        fleet = None if self.fleet is None else self.fleet.without_seen()
        return self.replaced(surfaces=pins, fleet=fleet)


class DecisionCount(Form, frozen=True, kw_only=True):
    """How many decisions were recorded, and the digest of the last one's line.

    Args:
        count: How many.
        sha256: The digest of the last line, without its line break.
    """

    count: Number
    sha256: Sha256

    @property
    def token(self) -> str:
        """The same as `N:DIGEST`, to hold on to outside of the directory."""
        return f"{self.count}:{self.sha256}"


class RolloutFile(Rollout, frozen=True, kw_only=True):
    """What `rollout.json` holds: the rollout, and which decision it is the outcome of.

    Args:
        decisions: The end of `decisions.jsonl` when this was written.
    """

    decisions: DecisionCount

    @classmethod
    def after(cls, rollout: Rollout, decisions: DecisionCount) -> Self:
        """Make the file of a rollout after its last decision."""
        return cls(**_fields(rollout), decisions=decisions).checked()

    @property
    def rollout(self) -> Rollout:
        """The rollout alone."""
        return Rollout(**_fields(self))


def _fields(rollout: Rollout) -> dict[str, Any]:
    return {name: getattr(rollout, name) for name in Rollout.__struct_fields__}
