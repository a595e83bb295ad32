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
_GOOD_WORD = re.compile(r"completed|ok|pass(ed|ing)?|run|success(ful)?|succeeded")


class Meaning(Enum):
    """What a name in a report is about; its value matches the names."""

    TOTAL = re.compile(r"total")
    GOOD = re.compile(r"completed|executed|ok|pass(ed|es)?|ran|success(es|ful)?|succeeded")
    BAD = re.compile(
        r"aborted|blocked|broken|cancell?ed|crash(ed|es)|disabled|error(s|ed)?|"
        r"(exit|return)_?code|fail(s|ed|ing|ures?)?|flaky|ignored|incomplete|inconclusive|"
        r"interrupted|invalid|missing|not_?(executed|passed|run)|panicked|pending|quarantined|"
        r"regressions?|rejected|skip(s|ped)?|suppressed|timed_?out|timeouts?|todo|unknown|unstable"
    )
    STATUS = re.compile(r"conclusion|outcome|result|state|status|verdict")


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
    return next((one for one in Meaning if one.value.fullmatch(telling)), None)


def objection(report: Mapping[str, Any]) -> str | None:
    """The first thing in an object, however deep, that a pass would not say; None if there is none.

    A counter of what did not pass is 0 or empty; one of what passed is the total beside it, or
    above 0; a status is a word that is known as good. What is none of these is not looked at.
    """
    left: list[tuple[str, Any, Meaning | None]] = [("", report, None)]
    while left:
        place, holder, inherited = left.pop()
        members = (
            [(f"{place}{key}", value, meaning(key) or inherited) for key, value in holder.items()]
            if isinstance(holder, Mapping)
            else [(f"{place}[{at}]", value, inherited) for at, value in enumerate(holder)]
        )
        totals = {value for _, value, about in members if about is Meaning.TOTAL}
        for name, value, about in members:
            if isinstance(value, Mapping | list):
                handed_on = about if about in {Meaning.GOOD, Meaning.BAD} else None
                dot = "." if isinstance(value, Mapping) else ""
                left.append((f"{name}{dot}", value, handed_on))
            elif about is not None and not _is_well(about, value, totals):
                return f"{name[:80]} is {value!r:.60}"
    return None


def _is_well(about: Meaning, value: Any, totals: set[Any]) -> bool:  # noqa: ANN401 - JSON
    if about is Meaning.TOTAL:
        return len(totals) == 1
    if about is Meaning.BAD:
        return not value
    if about is Meaning.GOOD and type(value) is int:
        return value in totals if totals else value > 0
    return value is True or (isinstance(value, str) and bool(_GOOD_WORD.fullmatch(value.lower())))
