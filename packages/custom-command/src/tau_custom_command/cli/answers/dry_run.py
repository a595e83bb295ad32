"""What `run --dry-run` shows: what would come of each case, as text or as JSON values."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from tau_custom_command.cli.answers.text import cut
from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.cycle.evaluation import Result
from tau_custom_command.durations import utc
from tau_custom_command.execution.masking import masked_text
from tau_custom_command.policy.effective import EffectivePolicy
from tau_custom_command.printable import printable
from tau_custom_command.services.execute.dry_run import Foreseen
from tau_custom_command.services.execute.prepare import Run

_PERMISSIONS = {
    "allow_network": "the host's network",
    "allow_shell": "a shell",
    "allow_dash_arguments": "arguments that begin with -",
    "allow_large_memory": "any memory",
}


def foreseen_as_text(foreseen: Sequence[Foreseen]) -> str:
    """A paragraph for each RUN, a line for what else would not come as expected, and the end."""
    lines = [line for each in foreseen for line in _told(each)]
    runs = sum(each.run is not None for each in foreseen)
    would = "1 RUN would start" if runs == 1 else f"{runs:,} RUNs would start"
    drifts = sum(each.drifts for each in foreseen)
    drifted = f", {drifts:,} of {len(foreseen):,} cases would drift" if drifts else ""
    # A fixture has a case at least, and a cycle takes one at least, of those that are to be done.
    idle = "" if foreseen else "; every case was done before: --fresh does them anew"
    end = f"{would}{drifted}; nothing was started or written{idle}"
    return "\n".join([*map(printable, lines), end])


def foreseen_as_json(foreseen: Sequence[Foreseen]) -> list[dict[str, Any]]:
    """The same for programs, of every case."""
    return [
        {
            "case_id": each.case.case_id,
            "operation": each.case.operation.lower(),
            "command_name": each.case.command_name,
            "would_drift": each.drifts,
            "run": None if each.run is None else _run_as_json(each.run, each.sandbox),
            "result": None if each.result is None else _result_as_json(each.result),
        }
        for each in foreseen
    ]


def _told(foreseen: Foreseen) -> Iterator[str]:
    case, run, result, sandbox = foreseen
    if run is not None:
        yield f"{case.case_id}  would start  {shlex.join(_words(run))}"
        yield f"    policy    {_policy(run.admission.policy)}"
        yield f"    approval  {_approval(run)}"
        yield f"    sandbox   {shlex.join(sandbox) or 'none: it may what the runtime may'}"
    elif result is not None and (foreseen.drifts or case.operation == Operation.RUN):
        mark = "would drift" if foreseen.drifts else "is refused, as expected"
        error = "" if result.error_code is None else f" {result.error_code}"
        because = f": {result.explanation}" if result.explanation else ""
        yield cut(f"{case.case_id}  {mark}  {result.outcome} {result.status_code}{error}{because}")


def _words(run: Run) -> tuple[str, ...]:
    """The words that would be started; what they may not show never comes so far."""
    return tuple(masked_text(word, run.invocation.secrets) for word in run.invocation.words)


def _policy(policy: EffectivePolicy) -> str:
    allowed = [text for field, text in _PERMISSIONS.items() if getattr(policy, field)]
    names = len(policy.denied_env)
    return (
        f"{policy.sandbox_profile}; allows {', '.join(allowed) or 'nothing more'}; "
        f"{names} {'name' if names == 1 else 'names'} denied"
        + ("" if policy.allowed_env is None else f", {len(policy.allowed_env)} allowed")
    )


def _approval(run: Run) -> str:
    approved = run.admission.approved
    if approved is None:
        return "none, and none is asked for"
    expires = approved.approval.expires_unix_ms
    until = "without an end" if expires is None else f"until {utc(expires)}"
    return f"by {approved.approval.approved_by}, {until}"


def _run_as_json(run: Run, sandbox: Sequence[str]) -> dict[str, Any]:
    policy, approved = run.admission.policy, run.admission.approved
    names = {
        field: None if value is None else sorted(value)
        for field, value in policy._asdict().items()
        if field.endswith("_env")
    }
    return {
        "argv": list(_words(run)),
        "variables": sorted(run.invocation.environment),
        "policy": policy._asdict() | names,
        "approved_by": None if approved is None else approved.approval.approved_by,
        "limits": run.invocation.limits._asdict(),
        "sandbox": list(sandbox),
    }


def _result_as_json(result: Result) -> dict[str, Any]:
    return result._asdict()
