"""Judges what a command did by what its fixture expects: each difference, in words.

The rules are the runbook's (custom-command-ops.md, "Results are checked").
"""

import json
from bisect import bisect_left
from collections.abc import Iterator

from msgspec import UNSET

from tau_custom_command.contract import strict_json
from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.cycle.checks.json_difference import NOTHING, first_difference
from tau_custom_command.cycle.checks.masked_json import Mask, as_it_is, json_of
from tau_custom_command.cycle.checks.pattern_match import (
    Matcher,
    Unmatched,
    decoded,
    is_lossy,
    search,
)
from tau_custom_command.cycle.execution import Difference, Ended, FailureReason, Stream
from tau_custom_command.fixture.model import Expectation, OutputExpectation, RetryUntil
from tau_custom_command.printable import printable

_CONTEXT = 24
"""Characters that are shown before and after the first difference."""

_LONGEST = 100
"""Characters that are shown of a text or a value that stands by itself."""

_OF_ARRAYS = " (arrays are compared whole and in order)"
"""What surprises of `json_contains`, since of an object some of the keys do."""

_UNKNOWN = {
    Unmatched.NO_MATCH: "",
    Unmatched.TIMED_OUT: "match_timeout: looking for it took too long in ",
    Unmatched.FAILED: "match_failed: looking for it took more memory than there is for it, in ",
    Unmatched.TRUNCATED: "output_truncated: what follows the first MiB is not known, after ",
}


def judge(
    expected: Expectation, ended: Ended, matches: Matcher, mask: Mask = as_it_is
) -> tuple[Difference, ...]:
    """Every stated assertion that does not hold of how a command ended, each on one line.

    Judged is a process that ended by itself; one that its time limit ended only where that failure
    is expected. What cannot be decided by the output that was kept does not hold. `mask` masks the
    texts that reading JSON makes of masked output.
    """
    if not _is_judged(expected, ended):
        return ()
    return tuple(_differences(expected, ended, matches, mask))


def failure(expected: Expectation, ended: Ended) -> FailureReason | None:
    """Why the run failed, if it did: an exit code that is expected is no failure."""
    if ended.failure is FailureReason.NON_ZERO_EXIT and ended.exit_code == expected.exit_code:
        return None
    return ended.failure


def pause_before_retry_ms(
    until: RetryUntil, *, attempts: int, outcome: Outcome, as_expected: bool
) -> int | None:
    """How long to wait before a RUN is tried again, in ms; None where its last attempt counts.

    Args:
        until: What the case states.
        attempts: How often it was tried.
        outcome: How the last attempt ended; what is malformed stays so.
        as_expected: Whether that is what was expected, in all that was stated.
    """
    is_over = as_expected or outcome is Outcome.MALFORMED_INPUT or attempts >= until.attempts
    return None if is_over else until.every_ms


def _is_judged(expected: Expectation, ended: Ended) -> bool:
    if ended.failure is FailureReason.TIMEOUT:
        return expected.outcome is Outcome.RETRYABLE_FAILURE
    return ended.started and ended.failure in {None, FailureReason.NON_ZERO_EXIT}


def _differences(
    expected: Expectation, ended: Ended, matches: Matcher, mask: Mask
) -> Iterator[Difference]:
    if expected.exit_code is not UNSET and ended.exit_code != expected.exit_code:
        by_signal = "" if ended.signal is None else f" (signal {ended.signal})"
        yield Difference("exit_code", f"{expected.exit_code}", f"{ended.exit_code}{by_signal}")
    for name, output in expected.outputs.items():
        stream: Stream = getattr(ended, name)
        for key, *texts in _of_output(output, stream, matches, mask):
            yield Difference(f"{name}.{key}", *texts)
    if expected.max_duration_ms is not UNSET and ended.duration_ms > expected.max_duration_ms:
        yield Difference(
            "max_duration_ms", f"at most {expected.max_duration_ms}", f"{ended.duration_ms}"
        )


def _of_output(
    expected: OutputExpectation, stream: Stream, matches: Matcher, mask: Mask
) -> Iterator[tuple[str, str, str]]:
    """Yield the key of each assertion that does not hold, what was expected, what was there."""
    if expected.equals is not UNSET and (texts := _unequal(expected.equals, stream)):
        yield "equals", *texts
    if expected.contains is not UNSET and expected.contains.encode() not in stream.kept:
        yield "contains", *_nearest(expected.contains, stream)
    if expected.matches is not UNSET:
        found = search(expected.matches, stream, matches)
        if isinstance(found, Unmatched):
            # Not as a quoted text: a backslash of the pattern would stand there twice.
            yield "matches", _cut(printable(expected.matches)), _UNKNOWN[found] + _beginning(stream)
    for key, value in (("json", expected.json), ("json_contains", expected.json_contains)):
        if value is not UNSET:
            texts = _other_json(value, stream, mask, by_subset=key != "json")
            if texts is not None:
                yield key, *texts


def _unequal(expected: str, stream: Stream) -> tuple[str, str] | None:
    """Both texts around the first difference; None where there is none."""
    wanted = expected.encode()
    # Compared as bytes: what stands for bytes that are no UTF-8 could be expected as a character.
    if stream.is_whole and wanted.removesuffix(b"\n") == stream.kept.removesuffix(b"\n"):
        return None
    if not stream.is_whole and wanted.startswith(stream.kept):
        return _cut(repr(expected)), _UNKNOWN[Unmatched.TRUNCATED] + _beginning(stream)
    observed = decoded(stream)
    shorter = range(min(len(expected), len(observed)))
    # So many characters are the same; halving it finds that sooner than going through them.
    same = bisect_left(shorter, 1, key=lambda place: expected[: place + 1] != observed[: place + 1])
    return _around(expected, same), _around(observed, same) + _place(observed, same, stream)


def _nearest(wanted: str, stream: Stream) -> tuple[str, str]:
    """The text that the output does not contain, and the output where it comes nearest to it."""
    if not stream.is_whole:
        return _cut(repr(wanted)), _UNKNOWN[Unmatched.TRUNCATED] + _beginning(stream)
    observed = decoded(stream)
    there = bisect_left(
        range(len(wanted)), 1, key=lambda place: wanted[: place + 1] not in observed
    )
    place = observed.find(wanted[:there]) + there
    return _around(wanted, there), _around(observed, place) + _place(observed, place, stream)


def _other_json(
    expected: object, stream: Stream, mask: Mask, *, by_subset: bool
) -> tuple[str, str] | None:
    """Both values where the output, as JSON, differs first; None where it does not."""
    if not stream.is_whole:
        return _as_json(expected), _UNKNOWN[Unmatched.TRUNCATED] + _beginning(stream)
    try:
        observed = json_of(stream, mask)
    except strict_json.JsonRefusedError as error:
        return _as_json(expected), f"no JSON: {error}: {_beginning(stream)}"
    difference = first_difference(expected, observed, by_subset=by_subset)
    if difference is None:
        return None
    at = f" at {difference.pointer}" if difference.pointer else ""
    rule = _OF_ARRAYS if by_subset and difference.is_in_array else ""
    return _as_json(difference.expected) + at, _as_json(difference.observed) + at + rule


def _as_json(value: object) -> str:
    if value is NOTHING:
        return "nothing"
    return _cut(printable(json.dumps(value, ensure_ascii=False)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _around(text: str, place: int) -> str:
    """What stands around a place of a text."""
    start, end = max(0, place - _CONTEXT), place + _CONTEXT
    return "…" * (start > 0) + repr(text[start:end]) + "…" * (end < len(text))


def _beginning(stream: Stream) -> str:
    return _around(decoded(stream), _CONTEXT) + _lossy(stream)


def _place(text: str, place: int, stream: Stream) -> str:
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    return f" at line {line}, column {column}{_lossy(stream)}"


def _lossy(stream: Stream) -> str:
    return " (not all of it is UTF-8)" if is_lossy(stream) else ""
