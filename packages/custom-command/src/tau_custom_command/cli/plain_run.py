"""`run` in record mode, asked in plain words: options as `--name value`, each once, and switches.

What these mean is said in `options` and `commands/run`; tests hold both to the same answers.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

from tau_custom_command.cli.answers.next_steps import HowAsked
from tau_custom_command.cli.answers.report import print_report
from tau_custom_command.cli.progress import track
from tau_custom_command.contract.forms import LARGEST_INTEGER
from tau_custom_command.contract.paths import STATE_DIR
from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.errors import ExitCode
from tau_custom_command.limits import is_release
from tau_custom_command.policy.model import DEFAULTS, ExecutionPolicy
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.run_cycle import RunRequest, run_cycle

_FIXTURE = "FIXTURE"
_SWITCHES = {"--fresh", "--json"}
_LEAST = {"--queue-limit": 1, "--processed-case-cap": 1, "--now-unix-ms": 0}
_NAMES = {_FIXTURE, "--state-dir", "--release", *_LEAST, *_SWITCHES}
_MOST_DIGITS = len(str(LARGEST_INTEGER))
_NO_LISTS = {field: value for field, value in DEFAULTS.items() if not isinstance(value, tuple)}
_POLICY = ExecutionPolicy(
    **{field: value for field, value in _NO_LISTS.items() if field != "schema_version"}
)


class Asked(NamedTuple):
    """What a plain `run` asks for."""

    request: RunRequest
    clock: Clock
    as_json: bool


def asked_plainly(words: Iterable[str]) -> Asked | None:
    """What `run` with these words asks for; None where anything in them is not plain."""
    given = _given(words)
    if given is None or _FIXTURE not in given or not is_release(given.get("--release", "0")):
        return None
    numbers = {name: _number(given[name], least) for name, least in _LEAST.items() if name in given}
    if None in numbers.values():
        return None
    limits = CycleLimits()
    request = RunRequest(
        fixture=Path(given[_FIXTURE]),
        state_dir=Path(given.get("--state-dir", STATE_DIR)),
        limits=limits._replace(
            queue_limit=numbers.get("--queue-limit") or limits.queue_limit,
            processed_case_cap=numbers.get("--processed-case-cap") or limits.processed_case_cap,
        ),
        default_policy=_POLICY,
        case_suffix="",
        wait_seconds=0,
        fresh="--fresh" in given,
        release=given.get("--release"),
        artifact_days=30,
    )
    clock = Clock.of_this_machine(now_unix_ms=numbers.get("--now-unix-ms"))
    return Asked(request, clock, as_json="--json" in given)


def run_plainly(asked: Asked) -> NoReturn:
    """Run a cycle, print what came of it, and end; what goes wrong ends it as it always does."""
    request = asked.request
    try:
        report = run_cycle(request, clock=asked.clock, track=track)
        told = HowAsked(str(request.fixture), str(request.state_dir), is_fresh=request.fresh)
        print_report(report, told, as_json=asked.as_json)
    except BaseException as error:  # noqa: BLE001 - the command line knows what each comes to
        from tau_custom_command.cli.app import end_by  # noqa: PLC0415 - as the module says

        end_by(error)
    sys.exit(ExitCode.NO if report.has_drifted else ExitCode.YES)


def _given(words: Iterable[str]) -> dict[str, str] | None:
    """The fixture and the options by their names, a switch with no value; None if not plain."""
    given: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name = word if word.startswith("-") else _FIXTURE
        value = "" if name in _SWITCHES else word if name == _FIXTURE else next(rest, "")
        is_plain = name in _SWITCHES or (value.strip() and not value.startswith("-"))
        if name not in _NAMES or name in given or not is_plain:
            return None
        given[name] = value
    return given


def _number(text: str, least: int) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number and least <= int(text) <= LARGEST_INTEGER else None
