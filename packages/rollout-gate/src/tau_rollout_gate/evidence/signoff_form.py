"""The sign-off checklist as a file: its sections and items, read from TOML and written blank.

The items are the checklist's (runbooks/release-signoff-checklist.md, "The items").
"""

import datetime as dt
from collections.abc import Iterator, Mapping

from msgspec import field

from tau_rollout_gate.contract import small_toml
from tau_rollout_gate.contract.forms import Form, MistakenFormError, read_form
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.errors import FormRefusedError, NamedFileError

_SURFACES = "surface_verification"
_ITEMS: Mapping[str, Mapping[str, str]] = {
    "preflight": {
        "harness_passed": "the validation harness passed for this release: its report",
        "ci_matrix_passed": "every job of the CI matrix passed for the released commit: the run",
        "rollback_target_captured": "the release to go back to is recorded and can be installed",
    },
    "canary_phases": {
        "canary_1": "5 % for 30 minutes: the decision to promote, or what was seen",
        "canary_2": "25 % for 60 minutes: the decision to promote, or what was seen",
        "canary_3": "50 % for 120 minutes: the decision to promote, or what was seen",
    },
    "rollback_readiness": {
        "trigger_matrix_reviewed": "somebody read the rollback triggers against this release",
        "rollback_rehearsed": "going back was tried, and how long it took",
    },
    _SURFACES: {},
    "general_availability": {
        "monitored_24_h": "100 % for 24 hours: what was watched, and what it showed",
        "no_unresolved_trigger": "no rollback trigger is open: the last evaluation",
        "final_approval": "the approval of the release: the review, the ticket or the record",
    },
}
_HEAD = """\
# The sign-off of one release. What each item asks for, and what counts as evidence:
# runbooks/release-signoff-checklist.md. `tau-rollout-gate signoff verify` tells what is missing.
#
# The evidence of an item is one https address, or the path of one file, written from the
# repository's root. One piece of evidence serves at most two items.

{release}
{channel}
# The day of the sign-off, in UTC: 2026-01-31
date = ""
# Who answers for the release
owner = ""
# Who checked it beside the owner: ["..."]
reviewers = []
"""


class Signoff(Form, frozen=True, kw_only=True):
    """The checklist as it was filled in; what is left out is as blank as what is left empty."""

    release: str = ""
    channel: str = ""
    date: str = ""
    owner: str = ""
    reviewers: tuple[str, ...] = ()
    preflight: dict[str, str] = field(default_factory=dict)
    canary_phases: dict[str, str] = field(default_factory=dict)
    rollback_readiness: dict[str, str] = field(default_factory=dict)
    surface_verification: dict[str, str] = field(default_factory=dict)
    general_availability: dict[str, str] = field(default_factory=dict)

    def items(self) -> Iterator[tuple[str, str, str]]:
        """Yield what is filled in: section, item, evidence."""
        for section in _ITEMS:
            for item, evidence in getattr(self, section).items():
                yield section, item, evidence


def parse_signoff(raw: bytes, *, path: str) -> Signoff:
    """The checklist that a file holds, complete or not.

    Args:
        raw: The file's bytes.
        path: The file, as the operator named it.

    Raises:
        NamedFileError: if it is not TOML, or not of the checklist's form; the text says where, of
            the form in a line for each thing that is wrong.
    """
    try:
        value = small_toml.decode(raw)
    except FormRefusedError as error:
        raise NamedFileError(f"{path}: {error}") from None
    date = value.get("date")
    if type(date) is dt.date:  # written without the quotes, which is no mistake
        value["date"] = date.isoformat()
    try:
        return read_form(value, Signoff)
    except MistakenFormError as error:
        lines = [f"{path}: {one}" for one in error.sentences]
        raise NamedFileError("\n".join(lines)) from None


def checklist(surfaces: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield every item that the sign-off of these surfaces has: section, item, what it asks for."""
    for section, items in _ITEMS.items():
        for item, question in items.items():
            yield section, item, question
        if section == _SURFACES:
            for surface in surfaces:
                yield section, surface, f"{surface} was seen to work with this release: how"


def blank_signoff(rollout: Rollout) -> str:
    """The checklist of a rollout as TOML, to be filled in."""
    text = _HEAD.format(
        release=_entry("release", rollout.release), channel=_entry("channel", rollout.channel.value)
    )
    above = ""
    for section, item, question in checklist(tuple(surface.name for surface in rollout.surfaces)):
        text += f"\n[{section}]\n" if section != above else ""
        text += f"# {question}\n{_entry(item, '')}\n"
        above = section
    return text


def _entry(key: str, value: str) -> str:
    # Imported here since start-up counts, and an evaluation writes no checklist.
    import tomli_w  # noqa: PLC0415

    return tomli_w.dumps({key: value}).strip()
