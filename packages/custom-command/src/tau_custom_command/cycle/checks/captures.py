"""Takes parts of a RUN's output for later RUNs, and says who waits for whom.

The rules are the runbook's (custom-command-ops.md, "Results are checked").
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import UNSET

from tau_custom_command.contract import json_pointer, strict_json
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.cycle.checks.masked_json import Mask, as_it_is, json_of
from tau_custom_command.cycle.checks.pattern_match import Matcher, Unmatched, is_lossy, search
from tau_custom_command.cycle.execution import Ended, Stream
from tau_custom_command.fixture.checks import group_of
from tau_custom_command.fixture.model import Capture, Case, StreamName
from tau_custom_command.policy.model import ExecutionPolicy, folded
from tau_custom_command.policy.rules import captures_in

SHORTEST_SECRET_BYTES = 6
"""Of a secret that is captured: what is shorter cannot be masked without masking everything."""


class Captured(NamedTuple):
    """What was taken of the output of RUNs, by name, and of what is missing, why.

    Secrets are never written. One that was taken may be among the missing too, of an earlier time.
    What is to be masked from then on is in `to_mask`, whether a later RUN is given it or not.
    """

    values: Mapping[str, str] = {}
    missing: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    missing_secrets: Mapping[str, str] = {}
    to_mask: frozenset[str] = frozenset()

    def and_then(self, later: "Captured") -> "Captured":
        """Both together; of a name in both, what is later."""
        return Captured(
            values={**self.values, **later.values},
            missing={**self.missing, **later.missing},
            secrets={**self.secrets, **later.secrets},
            missing_secrets={**self.missing_secrets, **later.missing_secrets},
            to_mask=self.to_mask | later.to_mask,
        )

    @classmethod
    def before_any(cls, secret_names: Iterable[str]) -> "Captured":
        """What there is at the beginning of a cycle that may capture these secrets."""
        return cls(missing_secrets=dict.fromkeys(secret_names, "no RUN of this cycle captured it"))


class TakenSecrets(NamedTuple):
    """The secrets that a RUN is to capture, and why others are not there.

    The streams in `withheld` may hold one that could not be taken, or in another form, so that
    nothing of them may be shown.
    """

    values: Mapping[str, str]
    missing: Mapping[str, str]
    withheld: frozenset[StreamName]


class _MissingError(LookupError):
    """There is no value to take; the text says why."""


class _UnknownError(_MissingError):
    """Nor can it be told whether the output holds it."""


def secrets_of(case: Case, ended: Ended, matches: Matcher) -> TakenSecrets:
    """Take the secrets that a RUN is to capture, of its output as it is.

    They have to be masked in it before anything else is made of it, whatever came of the RUN.
    """
    values: dict[str, str] = {}
    missing: dict[str, str] = {}
    withheld: set[StreamName] = set()
    for name, capture in case.capture.items():
        if capture.secret:
            stream = _stream_of(capture)
            try:
                values[name] = _secret(capture, ended, matches)
                # JSON may write it by escapes, `\/` for a slash: then masking it finds nothing.
                if values[name].encode() not in getattr(ended, stream).kept:
                    withheld.add(stream)
            except _MissingError as error:
                missing[name] = str(error)
                if isinstance(error, _UnknownError):
                    withheld.add(stream)
    return TakenSecrets(values, missing, frozenset(withheld))


def captured(
    case: Case, ended: Ended, matches: Matcher, secrets: TakenSecrets, mask: Mask = as_it_is
) -> Captured:
    """Take what a RUN is to capture, of its masked output; `mask` as for `judge`.

    To be asked only where it came out as expected: of any other, later RUNs have nothing.
    """
    values: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name, capture in case.capture.items():
        if not capture.secret:
            try:
                values[name] = _taken(capture, ended, matches, mask)
            except _MissingError as error:
                missing[name] = str(error)
    return Captured(values, missing, secrets.values, secrets.missing)


def why_missing(
    template: str, case: Case, captured: Captured, allowed: frozenset[str] | None
) -> str | None:
    """Why a RUN lacks something that earlier RUNs were to capture for it; None where it does not.

    That is what its `template` has a placeholder for, and secrets that its policy lists: `allowed`
    is the effective policy's `allowed_env`, folded. The RUN that captures a secret does without.
    """
    for name in captures_in(template):
        if name not in captured.values:
            why = captured.missing.get(name, "no RUN of this cycle captured it")
            return f"there is no {{{{capture.{name}}}}}: {why}"
    for name, why in captured.missing_secrets.items():
        if name.lower() in (allowed or ()) and name not in {*captured.secrets, *case.capture}:
            return f"there is no secret {name!r}, which allowed_env lists: {why}"
    return None


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


def _stream_of(capture: Capture) -> StreamName:
    return "stderr" if capture.stdout is UNSET else "stdout"


def _secret(capture: Capture, ended: Ended, matches: Matcher) -> str:
    value = _taken(capture, ended, matches, as_it_is)
    if len(value.encode()) < SHORTEST_SECRET_BYTES:
        raise _UnknownError(f"a secret of less than {SHORTEST_SECRET_BYTES} bytes is not masked")
    return value


def _taken(capture: Capture, ended: Ended, matches: Matcher, mask: Mask) -> str:
    stream: Stream = getattr(ended, _stream_of(capture))
    if not stream.is_whole:
        raise _UnknownError("the output is longer than what is kept of it")
    if capture.pattern is UNSET:
        value = _by_pointer(str(capture.pointer), stream, mask)
    else:
        value = _by_pattern(capture.pattern, group_of(capture), stream, matches)
    if "\ufffd" in value and is_lossy(stream):
        raise _UnknownError("it may hold bytes that are not UTF-8")
    return value


def _by_pattern(pattern: str, group: int, stream: Stream, matches: Matcher) -> str:
    found = search(pattern, stream, matches)
    if isinstance(found, Unmatched):
        error = _MissingError if found is Unmatched.NO_MATCH else _UnknownError
        raise error(f"the pattern was not found ({found})")
    value = found[group]
    if value is None:
        raise _MissingError(f"the pattern's group {group} took no part in the match")
    return value


def _by_pointer(pointer: str, stream: Stream, mask: Mask) -> str:
    try:
        value = json_pointer.at(json_of(stream, mask), json_pointer.tokens(pointer) or ())
    except strict_json.JsonRefusedError as error:
        raise _UnknownError(f"the output is no JSON: {error}") from None
    except json_pointer.NothingThereError as error:
        raise _MissingError(f"nothing is at {error}") from None
    if value is None:
        raise _MissingError(f"null is at {pointer!r}")
    if isinstance(value, (dict, list)):
        raise _UnknownError(f"an object or an array is at {pointer!r}")
    return value if isinstance(value, str) else json.dumps(value)
