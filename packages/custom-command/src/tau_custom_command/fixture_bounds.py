"""How much of a case is looked at: what can be wrong with it takes bounded memory.

A problem takes more memory than the value that has it, and a fixture has room for millions.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from tau_custom_command.contract import Case, CommandSpec, Expectation
from tau_custom_command.errors import Problem
from tau_custom_command.form_messages import with_few_unknown_keys
from tau_custom_command.limits import MOST_NAMES
from tau_custom_command.policy import ExecutionPolicy

CASE_FORMS: dict[str, type[BaseModel]] = {
    "": Case,
    "expected": Expectation,
    "command_spec": CommandSpec,
    "execution_policy": ExecutionPolicy,
    "command_spec.execution_policy": ExecutionPolicy,
}
"""The forms in a case, each by its path there."""

_FORMS_WITHIN = {
    Case: ("expected", "command_spec", "execution_policy"),
    CommandSpec: ("execution_policy",),
}
_LISTS_OF_NAMES = ("allowed_env", "denied_env")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a problem is: in the header, in a case, or in a case that has no id to name it by."""

    case_id: str | None = None
    prefix: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw_case: object, index: int) -> Place:
        """Return the place of a case, by its id, else by where it stands in the array."""
        case_id = raw_case.get("case_id") if isinstance(raw_case, dict) else None
        if isinstance(case_id, str) and case_id.strip():
            return cls(case_id=case_id.strip())
        return cls(prefix=(f"cases[{index}]",))

    def problem(self, field: str, message: str) -> Problem:
        """Return a problem here: with a field, empty for the place itself, and what is wrong."""
        path = ".".join((*self.prefix, *([field] if field else [])))
        return Problem(case_id=self.case_id, field=path or None, message=message)


def bounded(
    whole: object, form: type[BaseModel], place: Place, path: tuple[str, ...] = ()
) -> tuple[object, tuple[Problem, ...]]:
    """Return a form's value less what it has too much of, and what that is.

    To be called before the form looks at each item: every wrong one would take a kilobyte.
    """
    value, unknown = with_few_unknown_keys(whole, form)
    if not isinstance(value, dict):
        return value, ()
    problems: list[Problem] = []
    if unknown:
        message = f"has {unknown:,} more keys that are not known"
        problems.append(place.problem(".".join(path), message))
    replaced: dict[str, object] = {}
    for key in _FORMS_WITHIN.get(form, ()):
        if key in value:
            here = (*path, key)
            replaced[key], within = bounded(value[key], CASE_FORMS[".".join(here)], place, here)
            problems += within
    for key in _LISTS_OF_NAMES if form is ExecutionPolicy else ():
        names = value.get(key)
        if isinstance(names, list) and len(names) > MOST_NAMES:
            message = f"holds {len(names):,} names, and the most is {MOST_NAMES:,}; leave some out"
            problems.append(place.problem(".".join((*path, key)), message))
            # An empty list never is a problem itself.
            replaced[key] = []
    return ({**value, **replaced} if problems else value), tuple(problems)
