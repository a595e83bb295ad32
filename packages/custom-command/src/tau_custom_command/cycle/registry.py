"""The registry of commands, and what an operation changes in it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Self

from msgspec.structs import replace

from tau_custom_command.contract.forms import LARGEST_INTEGER
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.cycle.attempt import Execution
from tau_custom_command.cycle.evaluation import Result
from tau_custom_command.fixture.model import Case
from tau_custom_command.policy.model import ExecutionPolicy


class RegistryChange(NamedTuple):
    """How many commands a case created or updated, deleted, and ran."""

    upserted_commands: int = 0
    deleted_commands: int = 0
    executed_runs: int = 0


# One for all: a large cycle has very many.
_UPSERTED = RegistryChange(upserted_commands=1)
_NO_ARGUMENTS: dict[str, Any] = {}


class Registry(dict[str, CommandRecord]):
    """The registered commands by name; changed only by `apply` and `record_executions`."""

    _names: list[str] | None = None

    @classmethod
    def of(cls, records: Iterable[CommandRecord]) -> Self:
        """A registry that holds `records`."""
        return cls((record.command_name, record) for record in records)

    def names(self) -> list[str]:
        """The names, sorted: the same list until they change, since every LIST holds it."""
        if self._names is None:
            self._names = sorted(self)
        return self._names

    def sorted_records(self) -> tuple[CommandRecord, ...]:
        """The records sorted by name."""
        return tuple(self[name] for name in self.names())

    def apply(self, case: Case, result: Result, *, now_unix_ms: int) -> RegistryChange:
        """Carry out a case that succeeded, and return what that changed."""
        match Operation(case.operation):
            case Operation.CREATE | Operation.UPDATE:
                if case.command_name not in self:
                    self._names = None
                self[case.command_name] = self._registered(case, result, now_unix_ms)
                return _UPSERTED
            case Operation.DELETE:
                if self.pop(case.command_name, None) is None:
                    return RegistryChange()
                self._names = None
                return RegistryChange(deleted_commands=1)
            case Operation.RUN:
                self[case.command_name] = self._run(case, result, now_unix_ms)
                return RegistryChange(executed_runs=1)
            case _:  # a LIST
                return RegistryChange()

    def record_executions(self, case: Case, executions: Sequence[Execution]) -> RegistryChange:
        """Record the attempts of an executed RUN, the last one as such, whatever came of it.

        Where a crash ended its cycle and another state was put back since, the command may not be
        registered: then they only count, and its channel tells of them.
        """
        started = [execution for execution in executions if execution.ended.started]
        change = RegistryChange(executed_runs=len(started))
        before = self.get(case.command_name)
        if before is None:
            return change
        last = started[-1]
        ended = last.ended
        self[case.command_name] = replace(
            before,
            case_key=case.key,
            case_id=case.case_id,
            operation="RUN",
            last_status_code=last.result.status_code,
            last_outcome=last.result.outcome,
            run_count=min(before.run_count + len(started), LARGEST_INTEGER),
            updated_unix_ms=last.ended_unix_ms,
            last_error_code=last.result.error_code or "",
            last_command_line=ended.command_line,
            last_exit_code=ended.exit_code,
            last_stdout=ended.stdout.text,
            last_stderr=ended.stderr.text,
            last_timed_out=ended.timed_out,
            last_duration_ms=ended.duration_ms,
        )
        return change

    def _registered(self, case: Case, result: Result, now_unix_ms: int) -> CommandRecord:
        before, spec = self.get(case.command_name), case.command_spec
        return CommandRecord(
            case_key=case.key,
            case_id=case.case_id,
            command_name=case.command_name,
            template=case.template,
            operation="CREATE" if case.operation == Operation.CREATE else "UPDATE",
            last_status_code=result.status_code,
            last_outcome=result.outcome,
            run_count=0 if before is None else before.run_count,
            updated_unix_ms=now_unix_ms,
            execution_policy=_policy_to_register(case),
            last_error_code="",
            last_command_line="",
            last_exit_code=None,
            last_stdout="",
            last_stderr="",
            last_timed_out=False,
            last_duration_ms=0,
            default_arguments=_NO_ARGUMENTS if spec is None else spec.default_arguments,
            read_only=spec is not None and spec.read_only,
        )

    def _run(self, case: Case, result: Result, now_unix_ms: int) -> CommandRecord:
        before = self[case.command_name]
        return replace(
            before,
            case_key=case.key,
            case_id=case.case_id,
            operation="RUN",
            last_status_code=result.status_code,
            last_outcome=result.outcome,
            # It only counts, and no RUN is worth refusing for it.
            run_count=min(before.run_count + 1, LARGEST_INTEGER),
            updated_unix_ms=now_unix_ms,
        )


def _policy_to_register(case: Case) -> ExecutionPolicy:
    """The policy as its author wrote it; the spec's comes before the case's."""
    *_, written = (_NO_POLICY, *case.own_policies.values())
    return _of_version_1(written)


_NO_POLICY = ExecutionPolicy()


@lru_cache  # most commands have one of few policies
def _of_version_1(policy: ExecutionPolicy) -> ExecutionPolicy:
    return replace(policy, schema_version=1)
