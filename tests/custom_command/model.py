"""An independent model of record mode: the registry, the case keys, the counters, the health.

Written from the contract's prose alone (runbooks/state-files.md, runbooks/custom-command-ops.md),
as plainly as Python allows, and without a line of the runtime's. It knows fewer policies than the
runtime: those that `test_cycle_against_model` draws.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

COUNTERS_BEHIND_A_CODE = [
    ("queue_backpressure_applied", ["backlog_cases"]),
    ("duplicate_cases_skipped", ["duplicate_skips"]),
    ("malformed_inputs_observed", ["malformed_cases", "unexpected_malformed_cases"]),
    ("retry_attempted", ["retry_attempts"]),
    ("retryable_failures_observed", ["retryable_failures"]),
    ("case_processing_failed", ["failed_cases"]),
    ("command_registry_mutated", ["upserted_commands", "deleted_commands"]),
    ("command_runs_recorded", ["executed_runs"]),
    ("command_run_missing_command_observed", ["run_missing_command_failures"]),
]
COUNTERS = [name for _, names in COUNTERS_BEHIND_A_CODE for name in names] + [
    "discovered_cases",
    "queued_cases",
    "applied_cases",
    "run_timeout_failures",
    "run_non_zero_exit_failures",
    "run_spawn_failures",
]


@dataclass
class Limits:
    """How much a cycle takes on."""

    queue_limit: int
    processed_case_cap: int
    retry_max_attempts: int
    retry_base_delay_ms: int


@dataclass
class Left:
    """What a cycle leaves beside the model's own state."""

    event: Json
    entries: dict[str, list[Json]]
    waits_ms: list[int]


@dataclass
class Model:
    """The state between cycles."""

    processed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    commands: dict[str, Json] = field(default_factory=dict)
    streak: int = 0

    def cycle(self, cases: list[Json], limits: Limits, *, now_unix_ms: int) -> Left:
        """Process the cases of a fixture in one cycle."""
        counts = dict.fromkeys(COUNTERS, 0)
        left = Left(event={}, entries={}, waits_ms=[])
        processed_before = [*self.processed]
        pending = [c for c in sorted(cases, key=order_of) if key_of(c) not in self.processed]
        new = [c for c in pending if key_of(c) not in self.failed]
        again = [c for key in self.failed for c in pending if key_of(c) == key]
        queue = (new + again)[: limits.queue_limit]
        counts["discovered_cases"] = len(cases)
        counts["duplicate_skips"] = len(cases) - len(pending)
        counts["backlog_cases"] = len(pending) - len(queue)
        counts["queued_cases"] = len(cases) - counts["backlog_cases"]
        for case in queue:
            self._process(case, limits, counts, left, now_unix_ms)
        at_hand = [key_of(c) for c in sorted(cases, key=order_of)]
        met_again = [key for key in at_hand if key in processed_before]
        others = [key for key in processed_before if key not in at_hand]
        done_now = [key for key in self.processed if key not in processed_before]
        self.processed = others + met_again + done_now
        # The contract bounds the processed keys; the runtime bounds the failed ones alike.
        cap = max(limits.processed_case_cap, len(cases))
        for keys in (self.processed, self.failed):
            while len(keys) > cap:
                keys.remove(next(key for key in keys if key not in at_hand))
        self.streak = self.streak + 1 if counts["failed_cases"] else 0
        codes = [c for c, names in COUNTERS_BEHIND_A_CODE if any(counts[n] for n in names)]
        left.event = {
            **counts,
            "failure_streak": self.streak,
            "health_state": health_of(self.streak, counts["failed_cases"]),
            "reason_codes": codes or ["healthy_cycle"],
        }
        return left

    def _process(
        self, case: Json, limits: Limits, counts: dict[str, int], left: Left, now_unix_ms: int
    ) -> None:
        result = result_of(case, self.commands)
        if result["outcome"] == "retryable_failure":  # whatever is simulated fails every time
            counts["retryable_failures"] += limits.retry_max_attempts
            counts["retry_attempts"] += limits.retry_max_attempts - 1
            for failures in range(1, limits.retry_max_attempts):
                wait_ms = limits.retry_base_delay_ms * 2 ** min(failures - 1, 10)
                left.waits_ms += [wait_ms] if wait_ms else []
        if result["response_body"].get("reason") == "command_not_found":
            counts["run_missing_command_failures"] += 1
        drifted = differs(case["expected"], result)
        changed = {"upserted_commands": 0, "deleted_commands": 0, "executed_runs": 0}
        key = key_of(case)
        if key in self.failed:
            self.failed.remove(key)
        if drifted or result["outcome"] == "retryable_failure":
            counts["failed_cases"] += 1
            counts["unexpected_malformed_cases"] += result["outcome"] == "malformed_input"
            self.failed.append(key)
        else:
            self.processed.append(key)
            counts["malformed_cases"] += result["outcome"] == "malformed_input"
            if result["outcome"] == "success":
                counts["applied_cases"] += 1
                self._apply(case, result, changed, now_unix_ms)
        for name, count in changed.items():
            counts[name] += count
        left.entries.setdefault(channel_of(case), []).append(
            entry_of(case, result, changed, drifted=drifted)
        )

    def _apply(self, case: Json, result: Json, changed: dict[str, int], now_unix_ms: int) -> None:
        operation, name = operation_of(case), case.get("command_name", "").strip()
        before = self.commands.get(name, {})
        done = {
            "case_key": key_of(case),
            "case_id": case["case_id"].strip(),
            "operation": operation,
            "last_status_code": result["status_code"],
            "last_outcome": "success",
            "updated_unix_ms": now_unix_ms,
        }
        if operation in {"CREATE", "UPDATE"}:
            changed["upserted_commands"] = 1
            of_the_last_execution = {
                "last_error_code": "",
                "last_command_line": "",
                "last_exit_code": None,
                "last_stdout": "",
                "last_stderr": "",
                "last_timed_out": False,
                "last_duration_ms": 0,
            }
            self.commands[name] = (
                done
                | of_the_last_execution
                | {
                    "command_name": name,
                    "template": case["template"],
                    "run_count": before.get("run_count", 0),
                    "execution_policy": {"schema_version": 1}
                    | (case.get("execution_policy") or {}),
                    "default_arguments": {},
                    "read_only": False,
                }
            )
        elif operation == "DELETE":
            changed["deleted_commands"] = 1 if self.commands.pop(name, None) else 0
        elif operation == "RUN":
            changed["executed_runs"] = 1
            self.commands[name] = before | done | {"run_count": before["run_count"] + 1}


def operation_of(case: Json) -> str:
    """Return the operation, which may be written in any case of letters."""
    return str(case["operation"]).strip().upper()


def key_of(case: Json) -> str:
    """Return the case key."""
    name, case_id = case.get("command_name", "").strip(), case["case_id"].strip()
    return f"{operation_of(case)}:{name}:{case_id}"


def order_of(case: Json) -> tuple[str, str, str]:
    """Return what cases are ordered by."""
    return case["case_id"].strip(), operation_of(case), case.get("command_name", "").strip()


def is_name(name: str) -> bool:
    """Tell whether a command can have this name."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name)) and name != "registry"


def channel_of(case: Json) -> str:
    """Return the channel that records the case."""
    name = case.get("command_name", "").strip()
    return name if operation_of(case) != "LIST" and is_name(name) else "registry"


def health_of(streak: int, failed: int) -> str:
    """Return the health state of the contract's table."""
    if streak >= 3:
        return "failing"
    return "degraded" if streak > 0 or failed > 0 else "healthy"


def is_denied(case: Json, template: str) -> bool:
    """Tell whether the case's policy, or the default one, denies the template or an argument."""
    policy = case.get("execution_policy") or {}
    names = [*re.findall(r"\{\{(.*?)\}\}", template), *case.get("arguments", {})]
    allowed, denied = policy.get("allowed_env", []), policy.get("denied_env", ["openai_api_key"])
    return (
        (";" in template and not policy.get("allow_shell", False))
        or any(name.lower() in denied for name in names)
        or (bool(allowed) and any(name.lower() not in allowed for name in names))
    )


def rejected(status_code: int, reason: str, **more: str) -> Json:
    """Return a result of malformed input."""
    code = "invalid_name" if reason == "command_not_found" else reason
    return {
        "outcome": "malformed_input",
        "status_code": status_code,
        "error_code": f"custom_command_{code}",
        "response_body": {"status": "rejected", "reason": reason, **more},
    }


def result_of(case: Json, commands: dict[str, Json]) -> Json:  # noqa: PLR0911 - the table's rows
    """Return what the case results in: the first row of the contract's table that applies."""
    operation, name = operation_of(case), case.get("command_name", "").strip()
    template = case.get("template", "")
    if case.get("simulate_retryable_failure"):
        return {
            "outcome": "retryable_failure",
            "status_code": 503,
            "error_code": "custom_command_backend_unavailable",
            "response_body": {"status": "retryable", "reason": "backend_unavailable"},
        }
    if operation not in {"CREATE", "UPDATE", "DELETE", "RUN", "LIST"}:
        return rejected(400, "invalid_operation")
    if operation != "LIST" and not is_name(name):
        return rejected(400, "invalid_name")
    if operation in {"CREATE", "UPDATE"} and not template.strip():
        return rejected(422, "invalid_template")
    if operation == "RUN" and name not in commands:
        return rejected(404, "command_not_found", command_name=name)
    if operation == "RUN" and template.strip() and template != commands[name]["template"]:
        return rejected(403, "policy_denied")
    if is_denied(case, commands[name]["template"] if operation == "RUN" else template):
        return rejected(403, "policy_denied")
    body: Json = {"status": "accepted", "operation": operation.lower()}
    body |= {"commands": sorted(commands)} if operation == "LIST" else {"command_name": name}
    body |= {"arguments": case.get("arguments", {})} if operation == "RUN" else {}
    return {
        "outcome": "success",
        "status_code": 201 if operation == "CREATE" else 200,
        "error_code": None,
        "response_body": body,
    }


def differs(expected: Json, result: Json) -> bool:
    """Tell whether a result is contract drift; as text, 1 is neither 1.0 nor true."""
    body = expected.get("response_body")
    return (
        expected["outcome"] != result["outcome"]
        or expected["status_code"] != result["status_code"]
        or (expected.get("error_code") or None) != result["error_code"]
        or (body is not None and as_text(body) != as_text(result["response_body"]))
    )


def as_text(value: Json) -> str:
    """Return a JSON value as text that is the same exactly where type and value are."""
    return json.dumps(value, sort_keys=True)


def entry_of(case: Json, result: Json, changed: dict[str, int], *, drifted: bool) -> Json:
    """Return the entry in the channel's log: its event key, its payload."""
    payload = {
        "outcome": result["outcome"],
        "operation": operation_of(case).lower(),
        "case_id": case["case_id"].strip(),
        "command_name": case.get("command_name", "").strip(),
        "status_code": result["status_code"],
    }
    if result["outcome"] == "success":
        payload |= changed
    else:
        payload["error_code"] = result["error_code"]
    if drifted:
        expected = {"error_code": None, "response_body": None} | case["expected"]
        expected["error_code"] = expected["error_code"] or None
        payload["drift"] = {"expected": expected, "observed": result}
    return {"event_key": key_of(case), "payload": payload}
