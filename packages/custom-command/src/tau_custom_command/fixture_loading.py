"""Reading a fixture: its problems at once, each with its case, its field and the next step.

All of them are told, up to a number that nobody reads (`limits`): a problem takes more memory than
the value that has it, and a fixture has room for millions.

`load` is what both `run` and `validate` call, so that what validates is what runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice, pairwise
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tau_custom_command import strict_json
from tau_custom_command.contract import Case, Expectation, Fixture
from tau_custom_command.errors import FixtureRefusedError, JsonRefusedError, Problem
from tau_custom_command.fixture_bounds import CASE_FORMS, Place, bounded
from tau_custom_command.form_messages import (
    EDITOR_KEY,
    UNKNOWN_KEY,
    form_message,
    with_few_unknown_keys,
)
from tau_custom_command.limits import MOST_CASES, MOST_PROBLEMS
from tau_custom_command.policy import ExecutionPolicy, contradictions, denial
from tau_custom_command.vocabulary import ErrorCode, Operation, Outcome

_SUPPORTED = ", ".join(Operation)
_COMPARED_WITH_NOTHING = frozenset(
    {
        "schema_version",
        "status_code",
        "response_body",
        "default_arguments",
        "require_approval",
        "allow_network",
        "sandbox_profile",
    }
)
_NEEDED_IN_A_FIELD = ("expected", "status_code")
_NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFixture:
    """A fixture that may run, with the digest of its file and what is worth a second look."""

    fixture: Fixture
    sha256: str
    warnings: tuple[str, ...]


def load(raw: bytes, *, named: str) -> LoadedFixture:
    """Return the fixture that `raw` holds; `named` is how the operator calls the file.

    Raises:
        FixtureRefusedError: with every problem that was found.
    """
    try:
        value = strict_json.decode(raw)
    except JsonRefusedError as error:
        problem = Problem(case_id=None, field=None, message=str(error))
        raise FixtureRefusedError(named, (problem,)) from None
    if not isinstance(value, dict):
        found = strict_json.describe(value)
        problem = Problem(case_id=None, field=None, message=f"must be an object (found {found})")
        raise FixtureRefusedError(named, (problem,))
    raw_cases = value.get("cases")
    if isinstance(raw_cases, list) and len(raw_cases) > MOST_CASES:
        message = f"holds {len(raw_cases):,} cases, and the most is {MOST_CASES:,}; split it"
        problem = Problem(case_id=None, field="cases", message=message)
        raise FixtureRefusedError(named, (problem,))
    header = {key: item for key, item in value.items() if key not in {EDITOR_KEY, "cases"}}
    cases: list[Case] = []
    problems = tuple(islice(_problems(header, raw_cases, cases), MOST_PROBLEMS + 1))
    if len(problems) > MOST_PROBLEMS:
        message = f"has more than {MOST_PROBLEMS:,} problems; these are the first"
        problems = (*problems[:-1], Problem(case_id=None, field=None, message=message))
    if problems:
        raise FixtureRefusedError(named, problems)
    return LoadedFixture(
        fixture=Fixture.model_construct(**header, cases=tuple(cases)),
        sha256=sha256(raw).hexdigest(),
        warnings=tuple(_order_warnings(cases)),
    )


def _problems(header: Mapping[str, Any], raw_cases: object, cases: list[Case]) -> Iterator[Problem]:
    """Yield each problem as it is found, and add each case to `cases`, mended where it is wrong."""
    yield from _header_problems(header, raw_cases)
    with_id: list[Case] = []
    for index, whole_case in enumerate(raw_cases if isinstance(raw_cases, list) else ()):
        place = Place.of(whole_case, index)
        raw_case, excesses = bounded(whole_case, Case, place)
        try:
            case = Case.model_validate(raw_case)
        except ValidationError as error:
            details = error.errors(include_url=False)
            yield from _form_problems(details, CASE_FORMS, place)
            case = _mended(raw_case, details)
        yield from excesses
        cases.append(case)
        if place.case_id is not None:
            with_id.append(case)
        yield from _case_problems(case, place)
    yield from _repetitions(with_id)


def _mended(raw_case: object, details: Sequence[ErrorDetails]) -> Case:
    """Return the case with what is wrong in its form replaced, to look for what else is wrong.

    What is put in its place never is a problem itself: a field that no rule compares with others
    is replaced alone, any other one with the whole of the case's field that it stands in.
    """
    fields = dict(raw_case) if isinstance(raw_case, dict) else {}
    for detail in details:
        *above, wrong = _replaced_path(detail) or ("",)
        holder = fields
        for key in above:
            if key not in holder:  # replaced already, as a whole
                holder = {}
                break
            # Only what is changed is copied; arguments may be large.
            holder[key] = dict(holder[key])
            holder = holder[key]
        holder.pop(wrong, None)
        if (*above, wrong) == _NEEDED_IN_A_FIELD:
            holder[wrong] = _SOUND_STATUS
        if wrong in {"command_name", "template"}:
            fields.pop("command_spec", None)
    return Case.model_validate(_SOUND_CASE | fields)


def _replaced_path(detail: ErrorDetails) -> tuple[int | str, ...]:
    path = detail["loc"]
    for end, key in enumerate(path, start=1):
        if key in _COMPARED_WITH_NOTHING or (end == len(path) and detail["type"] == UNKNOWN_KEY):
            return path[:end]
    return path[:1]


def _header_problems(header: Mapping[str, Any], raw_cases: object) -> Iterator[Problem]:
    known, unknown = with_few_unknown_keys(header, Fixture)
    try:
        # The cases are checked one by one elsewhere; the header's form needs only some of them.
        Fixture.model_validate({**known, "cases": (_SOUND_CASE,)})
    except ValidationError as error:
        yield from _form_problems(error.errors(include_url=False), {"": Fixture}, Place())
    if unknown:
        message = f"has {unknown:,} more keys that are not known"
        yield Problem(case_id=None, field=None, message=message)
    name = header.get("name")
    if isinstance(name, str) and not name.strip():
        yield Problem(case_id=None, field="name", message="must not be blank; name the fixture")
    if raw_cases is None:
        yield Problem(case_id=None, field="cases", message="is missing; add an array of cases")
    elif not isinstance(raw_cases, list):
        found = strict_json.describe(raw_cases)
        yield Problem(case_id=None, field="cases", message=f"must be an array (found {found})")
    elif not raw_cases:
        yield Problem(case_id=None, field="cases", message="must hold at least one case")


def _form_problems(
    details: Sequence[ErrorDetails], forms: Mapping[str, type[BaseModel]], place: Place
) -> Iterator[Problem]:
    for detail in details:
        parts = [str(part) for part in detail["loc"]]
        form = forms.get(".".join(parts[:-1]))
        yield place.problem(".".join(parts), form_message(detail, form))


def _case_problems(case: Case, place: Place) -> Iterator[Problem]:
    """Yield what is wrong with a case of good form; the rules are the runbook's, "Fixtures"."""
    if not case.case_id:
        yield place.problem("case_id", "must not be blank; give each case its own id")
    if not case.operation:
        yield place.problem("operation", f"must not be blank; one of {_SUPPORTED}")
    elif (
        case.operation not in Operation.__members__
        and case.expected.outcome is not Outcome.MALFORMED_INPUT
    ):
        yield place.problem(
            "operation",
            f"{case.operation!r} is not supported; one of {_SUPPORTED}, "
            "or expect the outcome malformed_input",
        )
    yield from _expectation_problems(case.expected, place)
    yield from _spec_problems(case, place)
    for field, policy in _policies(case):
        for key, message in contradictions(policy):
            yield place.problem(f"{field}.{key}", message)
    if (
        case.operation in {Operation.CREATE, Operation.UPDATE}
        and case.expected.outcome is Outcome.SUCCESS
    ):
        denials = (denial(p, template=case.template, arguments=()) for p in case.own_policies)
        for reason in dict.fromkeys(filter(None, denials)):
            yield place.problem("template", f"breaks the case's own execution_policy: {reason}")


def _expectation_problems(expected: Expectation, place: Place) -> Iterator[Problem]:
    if expected.outcome is Outcome.SUCCESS and expected.error_code is not None:
        message = f"a success has no error code (found {expected.error_code.value!r}); leave it out"
        yield place.problem("expected.error_code", message)
    if expected.outcome is not Outcome.SUCCESS and expected.error_code is None:
        message = f"the outcome {expected.outcome.value} needs an error code; add it"
        yield place.problem("expected.error_code", message)


def _spec_problems(case: Case, place: Place) -> Iterator[Problem]:
    if case.command_spec is None:
        return
    for field, of_spec, of_case in (
        ("name", case.command_spec.name, case.command_name),
        ("template", case.command_spec.template, case.template),
    ):
        if of_spec != of_case:
            message = f"{of_spec!r} differs from the case's {of_case!r}; write the same in both"
            yield place.problem(f"command_spec.{field}", message)


def _policies(case: Case) -> Iterator[tuple[str, ExecutionPolicy]]:
    if case.execution_policy is not None:
        yield "execution_policy", case.execution_policy
    if case.command_spec is not None and case.command_spec.execution_policy is not None:
        yield "command_spec.execution_policy", case.command_spec.execution_policy


def _repetitions(cases: list[Case]) -> Iterator[Problem]:
    ids: set[str] = set()
    keys: dict[str, str] = {}
    for case in cases:
        if case.case_id in ids:
            yield Problem(
                case_id=case.case_id,
                field="case_id",
                message="is used twice (blanks around it do not count); give each case its own",
            )
        elif case.key in keys:
            yield Problem(
                case_id=case.case_id,
                field="case_id",
                message=f"gives the same key {case.key!r} as the case {keys[case.key]!r}; "
                "rename one of them",
            )
        ids.add(case.case_id)
        keys.setdefault(case.key, case.case_id)


def _order_warnings(cases: list[Case]) -> Iterator[str]:
    """Yield a warning for each series of ids that runs in another order than its numbers count."""
    warned: set[str] = set()
    for first, second in pairwise(sorted(case.case_id for case in cases)):
        series = ""
        for left, right in zip(_NUMBER.split(first), _NUMBER.split(second), strict=False):
            if left == right:
                series += left
                continue
            is_number = left.isdigit() and right.isdigit()
            if is_number and series not in warned and _counted(left) > _counted(right):
                warned.add(series)
                yield (
                    f"case {first!r} runs before {second!r}: ids are ordered as text; "
                    "write their numbers with leading zeros"
                )
            break


def _counted(digits: str) -> tuple[int, str]:
    """Return a number's place among others by its length, then its digits: it may be very long."""
    number = digits.lstrip("0")
    return len(number), number


_SOUND_STATUS = 400
_SOUND_CASE = {
    "schema_version": 1,
    "case_id": "sound",
    "operation": Operation.LIST,
    "expected": {
        "outcome": Outcome.MALFORMED_INPUT,
        "status_code": _SOUND_STATUS,
        "error_code": ErrorCode.INVALID_OPERATION,
    },
}
