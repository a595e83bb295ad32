"""Takes parts of a RUN's output for later RUNs, and says who waits for whom.

The rules are the runbook's (custom-command-ops.md, "Results are checked").
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import UNSET

from tau_custom_command.contract import json_pointer, strict_json
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.cycle.execution import Ended, Stream
from tau_custom_command.cycle.pattern_match import Matcher, Unmatched, is_lossy, search
from tau_custom_command.fixture.checks import group_of
from tau_custom_command.fixture.model import Capture, Case
from tau_custom_command.policy.model import ExecutionPolicy, folded
from tau_custom_command.policy.rules import captures_in

SHORTEST_SECRET_BYTES = 6
"""Of a secret that is captured: what is shorter cannot be masked without masking everything."""


class Captured(NamedTuple):
    """What was taken of a RUN's output, by name.

    The `secrets` are to be masked and never written; of each name in `missing` it says why there is
    no value.
    """

    values: Mapping[str, str]
    secrets: Mapping[str, str]
    missing: Mapping[str, str]


class _MissingError(LookupError):
    """There is no value to take; the text says why."""


def captured(case: Case, ended: Ended, matches: Matcher) -> Captured:
    """Take what a RUN is to capture; to be asked only where it came out as expected."""
    values: dict[str, str] = {}
    secrets: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name, capture in case.capture.items():
        try:
            value = _taken(capture, ended, matches)
        except _MissingError as error:
            missing[name] = str(error)
        else:
            (secrets if capture.secret else values)[name] = value
    return Captured(values, secrets, missing)


def environment(secrets: Mapping[str, str], allowed: frozenset[str] | None) -> dict[str, str]:
    """The variables that a RUN gets of secret captures: those whose names its policy lists.

    `allowed` is the effective policy's `allowed_env`, folded; None lists nothing.
    """
    return {name: value for name, value in secrets.items() if name.lower() in (allowed or ())}


def waits_for(
    queue: Sequence[Case], registered: Mapping[str, CommandRecord]
) -> dict[int, tuple[int, ...]]:
    """The places in a queue whose captures a RUN further back uses, by that RUN's place.

    What a RUN uses, it is told by the template and the policy of its command as they are
    `registered`, or as a case before it in the queue registers them.
    """
    producers = {name: place for place, case in enumerate(queue) for name in case.capture}
    if not producers:
        return {}
    secret = {name for case in queue for name, capture in case.capture.items() if capture.secret}
    uses = {
        name: _uses(record.template, (record.execution_policy,), secret)
        for name, record in registered.items()
    }
    found: dict[int, tuple[int, ...]] = {}
    for place, case in enumerate(queue):
        # What was registered before counts too: a CREATE may fail. Who waits in vain loses nothing.
        names = _uses(case.template, tuple(case.own_policies.values()), secret)
        names |= uses.get(case.command_name, frozenset())
        uses[case.command_name] = names
        needed = {producers[name] for name in names if producers.get(name, place) < place}
        if case.operation == Operation.RUN and needed:
            found[place] = tuple(sorted(needed))
    return found


def _uses(template: str, policies: Sequence[ExecutionPolicy], secret: set[str]) -> frozenset[str]:
    allowed = {name for policy in policies for name in folded(policy.names("allowed_env"))}
    return frozenset(captures_in(template)) | {name for name in secret if name.lower() in allowed}


def _taken(capture: Capture, ended: Ended, matches: Matcher) -> str:
    stream = ended.stderr if capture.stdout is UNSET else ended.stdout
    if not stream.is_whole:
        raise _MissingError("the output is longer than what is kept of it")
    if capture.pattern is UNSET:
        value = _by_pointer(str(capture.pointer), stream)
    else:
        value = _by_pattern(capture.pattern, group_of(capture), stream, matches)
    if "\ufffd" in value and is_lossy(stream):
        raise _MissingError("it may hold bytes that are not UTF-8")
    if capture.secret and len(value.encode()) < SHORTEST_SECRET_BYTES:
        raise _MissingError(f"a secret of less than {SHORTEST_SECRET_BYTES} bytes is not masked")
    return value


def _by_pattern(pattern: str, group: int, stream: Stream, matches: Matcher) -> str:
    found = search(pattern, stream, matches)
    if isinstance(found, Unmatched):
        raise _MissingError(f"the pattern was not found ({found})")
    value = found[group]
    if value is None:
        raise _MissingError(f"the pattern's group {group} took no part in the match")
    return value


def _by_pointer(pointer: str, stream: Stream) -> str:
    try:
        value = json_pointer.at(strict_json.decode(stream.kept), json_pointer.tokens(pointer) or ())
    except strict_json.JsonRefusedError as error:
        raise _MissingError(f"the output is no JSON: {error}") from None
    except json_pointer.NothingThereError as error:
        raise _MissingError(f"nothing is at {error}") from None
    if value is None or isinstance(value, (dict, list)):
        raise _MissingError(f"what is at {pointer!r} is null, an object or an array")
    return value if isinstance(value, str) else json.dumps(value)
