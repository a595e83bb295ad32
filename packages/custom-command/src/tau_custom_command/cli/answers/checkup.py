"""How `doctor` shows what a machine can enforce: a table for people, a value for programs."""

from collections.abc import Iterator
from typing import Any

from tau_custom_command.policy.model import SandboxProfile
from tau_custom_command.services.doctor import Checkup, Fact

_MARKS = {True: "✓", False: "✗", None: "·"}


def checkup_as_text(found: Checkup) -> str:
    """What was found, the worst at the end, where it is read first."""
    return "\n".join(_lines(found))


def _lines(found: Checkup) -> Iterator[str]:
    yield f"{found.bubblewrap or 'no bubblewrap'} on {found.system}"
    yield f"confined commands run as {found.user}"
    yield ""
    width = max(len(row.what) for row in found.rows)
    yield " " * width + "".join(f"  {profile}" for profile in SandboxProfile)
    for row in found.rows:
        marks = (f"  {_MARKS[row.kept[each]]:^{len(each)}}" for each in SandboxProfile)
        yield f"{row.what:<{width}}{''.join(marks)}".rstrip()
    yield ""
    yield "· is not promised. A command that may use the network has the host's, with all that"
    yield "listens there, and its abstract sockets:"
    for fact in found.network:
        yield f"{_MARKS[fact.holds]} {fact.what}"
    yield ""
    yield found.memory
    yield from _verdict(found)


def _verdict(found: Checkup) -> Iterator[str]:
    yield ""
    for fact in (*found.network, *found.workspace):
        if not fact.holds:
            yield f"✗ not so: {fact.what}; {fact.remedy}"
    for why in dict.fromkeys(found.refused.values()):
        profiles = " and ".join(each for each in SandboxProfile if found.refused.get(each) == why)
        yield f"✗ {profiles}: commands are refused; {why}"
    if found.is_whole:
        yield "✓ all of it can be enforced"
    elif not found.refused:
        yield "✗ not all of it can be enforced: see what is marked so above"


def checkup_as_json(found: Checkup) -> dict[str, Any]:
    """The same for programs."""
    return {
        "is_whole": found.is_whole,
        "bubblewrap": found.bubblewrap,
        "system": found.system,
        "user": found.user,
        "memory": found.memory,
        "profiles": [
            {
                "profile": profile,
                "refused": found.refused.get(profile),
                "kept": {
                    row.what: row.kept[profile]
                    for row in found.rows
                    if row.kept[profile] is not None
                },
            }
            for profile in SandboxProfile
        ],
        "network": _facts(found.network),
        "workspace": _facts(found.workspace),
    }


def _facts(facts: tuple[Fact, ...]) -> list[dict[str, Any]]:
    return [{"what": fact.what, "holds": fact.holds} for fact in facts]
