"""What speaks against a pass in a report beside its counts: counters, flags and words of a verdict.

The rules are the checklist's (runbooks/release-signoff-checklist.md, "The validation report").
"""

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_OF_WHAT = re.compile(
    r"all|cases?|checks?|counts?|has|is|n|num|number|of|suites?|surfaces?|tests?|was"
)
_ITEMS = frozenset({"cases", "checks", "suites", "surfaces", "tests"})
_GOOD_WORD = re.compile(r"completed|ok|pass(ed|ing)?|run|success(ful)?|succeeded")
_NONE_AT_ALL = re.compile(r"0(\.0+)? ?%")
_BAD_WORD = re.compile(r"degraded|failing|hold|no|not_(ok|passed)|rollback|unhealthy")

# What ends a name that counts what is bad, whatever stands before: `runtime_error`, `any_failed`.
_BAD_THINGS = re.compile(
    r"aborted|broken|cancell?ed|crash(ed|es)?|defects?|error(s|ed)?|exceptions?|"
    r"fail(s|ed|ing|ures?)|flaky|interrupted|killed|panicked|regressions?|rejected|skip(s|ped)|"
    r"timeouts|violations?"
)
# What says that a name is of a setting, of something else's past, or of the contrary.
_NOT_COUNTED = re.compile(
    r"allow(ed)?|continue|fixed|if|ignores?|limit|max(imum)?|min|no|non|not|on|only|previous|"
    r"prior|resolved|stop|threshold|tolerated|until|without|zero"
)


class Meaning(Enum):
    """What a name in a report is about; its value matches the names."""

    TOTAL = re.compile(r"total")
    GOOD = re.compile(
        r"complete|completed|executed|healthy|ok|pass(ed|es)?|ran|success(es|ful)?|succeeded|valid"
    )
    SHARE = re.compile(r"(pass(ed|ing)?|success)_(rate|ratio|percent(age)?|pct)")
    BAD = re.compile(
        r"aborted|bailed|blocked|broken|cancell?ed|crash(ed|es)?|defects?|disabled|dry_run|"
        r"error(s|ed)?|exceptions?|exit_?(code|status)|fail(s|ed|ing|ures?)?|fatals?|flakes|flaky|"
        r"(error|fail(ed|ure)?|skip(ped)?)_(rate|ratio|percent(age)?|pct)|hung|ignored|"
        r"incomplete|inconclusive|incorrect|interrupted|invalid|killed|ko|missing|never_(ran|run)|"
        r"nok|not_?(completed|executed|finished|ok|passed|run|started|successful)|oom|panicked|"
        r"partial|pending|problems?|quarantined|rc|regressions?|rejected|reruns?|retried|segfaults?|"
        r"return_?code|skip(s|ped)?|suppressed|timed_?out|timeouts?|todo|truncated|"
        r"un(executed|expected|finished|known|matched|stable|successful)|violations?|"
        r"xfail(s|ed)?|xpass(ed|es)?"
    )
    STATUS = re.compile(r"conclusion|outcome|result|state|status|verdict|(rollout_)?gate")
    ITEMS = re.compile(r"outcomes|results|statuses|verdicts")
    PART_OF_STATUS = re.compile(r"(?!)")  # no name of its own: what stands in a status


@lru_cache(maxsize=1024)  # names repeat, and a report may have a great many of them
def meaning(name: str) -> Meaning | None:
    """What a key, an attribute or an element is about, however it is written; None where unknown.

    `failed`, `numFailedTests`, `failed_surfaces` and `failed-count` mean the same.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if words == ["tests"]:
        return Meaning.TOTAL
    telling = "_".join(word for word in words if not _OF_WHAT.fullmatch(word))
    telling = telling.removeprefix("total_")
    if not telling and words and words[-1] in _ITEMS:
        return Meaning.ITEMS
    found = next((one for one in Meaning if one.value.fullmatch(telling)), None)
    if found is None and words and _BAD_THINGS.fullmatch(telling.rpartition("_")[2]):
        return None if any(map(_NOT_COUNTED.fullmatch, words)) else Meaning.BAD
    return found


def objection(report: Mapping[str, Any]) -> str | None:
    """The first thing in an object, however deep, that a pass would not say; None if there is none.

    A counter of what did not pass is 0 or empty; one of what passed is the total beside it, or
    above 0; a status is a word that is known as good. What stands in an object of tests or results
    is neither false nor a bad word. What is none of these is not looked at.
    """
    left: list[tuple[str, Any, Meaning | None]] = [("", report, None)]
    while left:
        place, holder, inherited = left.pop()
        members = (
            [(f"{place}{key}", value, meaning(key)) for key, value in holder.items()]
            if isinstance(holder, Mapping)
            else [(f"{place}[{at}]", value, None) for at, value in enumerate(holder)]
        )
        totals = {value for _, value, own in members if own is Meaning.TOTAL and _is_one(value)}
        for name, value, own in members:
            about = own or inherited
            if isinstance(value, Mapping | list):
                dot = "." if isinstance(value, Mapping) else ""
                left.append((f"{name}{dot}", value, _handed_on(about, own)))
            elif about is not None and not _is_well(about, value, totals):
                return f"{name[:80]} is {value!r:.60}"
    return None


def _is_one(value: object) -> bool:
    return not isinstance(value, Mapping | list)


def _handed_on(about: Meaning | None, own: Meaning | None) -> Meaning | None:
    """What is said of a name holds for what stands below it, too."""
    if about in {Meaning.GOOD, Meaning.BAD}:
        return about
    if own is Meaning.STATUS:
        return Meaning.PART_OF_STATUS
    return Meaning.ITEMS if own in {Meaning.ITEMS, Meaning.TOTAL} else None


def _is_well(about: Meaning, value: Any, totals: set[Any]) -> bool:  # noqa: ANN401 - JSON
    if about is Meaning.TOTAL:
        return len(totals) == 1
    if about is Meaning.BAD:
        return not value or _NONE_AT_ALL.fullmatch(str(value)) is not None
    if about is Meaning.SHARE:
        return _is_whole(value)
    if about is Meaning.GOOD and type(value) is int:
        return value in totals if totals else value > 0
    if about in {Meaning.ITEMS, Meaning.PART_OF_STATUS}:
        is_bad = isinstance(value, str) and _is_bad_word(value)
        return not is_bad and not (about is Meaning.ITEMS and value is False)
    return value is True or (isinstance(value, str) and bool(_GOOD_WORD.fullmatch(value.lower())))


def _is_bad_word(text: str) -> bool:
    word = "_".join(_WORD.findall(text.lower()))
    return any(one.fullmatch(word) is not None for one in (_BAD_WORD, Meaning.BAD.value))


def _is_whole(share: object) -> bool:
    """Tell whether a share is all: 1, 100 or 100 %."""
    text = str(share).strip()
    number = text.removesuffix("%").strip()
    return (
        re.fullmatch(r"100(\.0+)?" if number != text else r"1(00)?(\.0+)?|True", number) is not None
    )
