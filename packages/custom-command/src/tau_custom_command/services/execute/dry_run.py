"""`run --dry-run`: what each RUN of a cycle would start, under which policy; nothing is started.

Nothing is locked or written either. What no command has written yet is not known: a placeholder for
it stands for itself.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tau_custom_command.contract.paths import EVENT_LOG
from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.cycle.attempt import failed
from tau_custom_command.cycle.checks.captures import Captured
from tau_custom_command.cycle.evaluation import Result, drifts
from tau_custom_command.cycle.event_chain import ChainEnd, chain_end
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.cycle.settle import settle
from tau_custom_command.execution.run import described, obstacle
from tau_custom_command.fixture.model import Case
from tau_custom_command.policy.rules import CAPTURE
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.execute.prepare import Executing, Run, prepared
from tau_custom_command.services.run_cycle import RunRequest, planned_cycle, read_inputs
from tau_custom_command.storage import read
from tau_custom_command.storage.state_directory import OpenedState, read_state


class Foreseen(NamedTuple):
    """What would come of a case: the `run` that would start, or the result without one.

    `sandbox` are the words of what confines the run; empty where nothing does.
    """

    case: Case
    run: Run | None
    result: Result | None
    sandbox: tuple[str, ...] = ()

    @property
    def drifts(self) -> bool:
        """Whether it is certain by now that the result is not as expected."""
        return self.result is not None and drifts(self.case.expected, self.result)


def dry_run(request: RunRequest, executing: Executing, clock: Clock) -> tuple[Foreseen, ...]:
    """Say of each case that a cycle would take what would come of it.

    Raises:
        CommandRuntimeError: as `run_cycle`, for what can be told without a lock.
    """
    executing = executing._replace(attempts=executing.attempts._replace(retry_base_delay_ms=0))
    request, loaded = read_inputs(request._replace(executing=executing))
    state = read_state(request.state_dir)
    end = ChainEnd(cycle_number=0, sha256=None)
    if state is not None:
        end = chain_end(state.last_cycle, read.history_backwards(request.state_dir / EVENT_LOG))
    opened = OpenedState(state=state, chain_end=end, warnings=())
    queue = planned_cycle(request, loaded, opened, clock).queue
    registry = Registry.of(() if state is None else state.commands)
    return tuple(_foreseen(queue, registry, executing, clock))


def _foreseen(
    queue: tuple[Case, ...], registry: Registry, executing: Executing, clock: Clock
) -> Iterator[Foreseen]:
    names = [name for case in queue for name in case.capture]
    captured = Captured(values={name: f"{{{{{CAPTURE}{name}}}}}" for name in names})
    for case in queue:
        found = prepared(case, registry, executing, captured, clock=clock)
        if isinstance(found, Run):
            refused = obstacle(found.invocation)
            if refused is None:
                yield Foreseen(case, found, None, described(found.invocation))
            else:
                yield Foreseen(case, None, failed(refused.failure, str(refused)))
            continue
        if case.operation != Operation.RUN:
            settle(case, found.results, registry, now_unix_ms=clock.wall_unix_ms())
        yield Foreseen(case, None, found.results[-1])
