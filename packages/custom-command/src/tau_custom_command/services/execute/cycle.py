"""Settles the cases of a cycle in execute mode: RUNs really run, side by side where they may.

One thread decides, judges and notes; the others only run commands. What happens is noted in the
journal as it happens (`cycle.notes`).
"""

from collections.abc import Callable, Iterator
from functools import partial

from tau_custom_command.cycle import notes
from tau_custom_command.cycle.artifacts import Attempt
from tau_custom_command.cycle.attempt import Execution
from tau_custom_command.cycle.checks.captures import Captured, waits_for
from tau_custom_command.cycle.checks.pattern_match import Matcher
from tau_custom_command.cycle.execution import Ended
from tau_custom_command.cycle.plan import CyclePlan
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.cycle.schedule import Schedule
from tau_custom_command.cycle.settle import Settlement, settle
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.pattern.search import PatternSearch
from tau_custom_command.execution.run import hear_of_ends
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.execute.attempts import Attending, attempted
from tau_custom_command.services.execute.patience import Patience
from tau_custom_command.services.execute.prepare import Executing, Run, Settling, prepared
from tau_custom_command.services.execute.turns import Turns
from tau_custom_command.services.execute.workers import Alone, Workers, working
from tau_custom_command.storage.journal import Notebook
from tau_custom_command.storage.journal_format import NoteKind

Keep = Callable[[str, Attempt, Ended], Ended]
"""Stores what a record does not hold of how a run of a channel ended, and returns what it does."""


def execute(  # noqa: PLR0913 - what is to be done, how, and where it is written
    plan: CyclePlan,
    registry: Registry,
    executing: Executing,
    notebook: Notebook,
    *,
    clock: Clock,
    keep: Keep,
    progress: Iterator[object],
) -> tuple[Settlement, ...]:
    """Settle the cases of a plan, as many at once as may be; return them in their order.

    `progress` is moved on with each. Once a signal asks to stop, no other case starts, and those
    that run may finish within `executing.stop_timeout_ms`; a second signal ends them at once.

    Raises:
        StorageError: if the journal cannot be written. Nothing runs any more then.
    """
    hear_of_ends()
    notebook.add(NoteKind.BEGAN, notes.encode(notes.Began.of(plan, unix_ms=clock.wall_unix_ms())))
    patience = Patience(executing.stopping, executing.stop_timeout_ms, clock)
    with PatternSearch() as matches, working(executing.max_parallel, patience) as workers:
        cancelled = patience.cancelled
        cycle = _Cycle(
            plan, registry, executing, notebook, clock, keep, matches, workers, cancelled
        )
        try:
            for _ in cycle.settled():
                next(progress, None)
        finally:
            cancelled.set()  # where something went wrong, what runs would go on
    return cycle.settlements()


class _Cycle:
    """The cases of a plan on their way from waiting to settled."""

    def __init__(  # noqa: PLR0913, PLR0917 - as `execute`
        self,
        plan: CyclePlan,
        registry: Registry,
        executing: Executing,
        notebook: Notebook,
        clock: Clock,
        keep: Keep,
        matches: Matcher,
        workers: Workers | Alone,
        cancelled: Cancellation,
    ) -> None:
        self._plan, self._registry, self._executing = plan, registry, executing
        self._notebook, self._clock, self._keep = notebook, clock, keep
        self._matches, self._workers, self._stopping = matches, workers, executing.stopping
        self._waits = waits_for(plan.queue, registry)
        self._schedule = Schedule(plan.queue, self._waits)
        self._captured: dict[int, Captured] = {}
        self._to_mask: frozenset[str] = frozenset()
        self._settled: dict[int, Settlement] = {}
        self._turns = Turns()
        self._waiting: int | None = None
        self._cancelled = cancelled

    def settlements(self) -> tuple[Settlement, ...]:
        """What is settled, in the order of the queue."""
        return tuple(self._settled[place] for place in sorted(self._settled))

    def settled(self) -> Iterator[Settlement]:
        """Settle all cases that are to start, and yield each as it is settled."""
        while True:
            has_started = False
            while (place := self._next()) is not None:
                case = self._plan.queue[place]
                captured = self._captured_for(place)
                run = prepared(case, self._registry, self._executing, captured, clock=self._clock)
                if isinstance(run, Run):
                    if not self._turns.take(place, run):
                        self._waiting = place  # it is looked at anew once another has ended
                        break
                    self._workers.start(place, partial(self._attempts, place, run))
                    has_started = True
                else:
                    yield self._settle(place, run)
            if not self._workers.running:
                return
            if not has_started:  # else the note before the next process takes the others along
                self._notebook.sync()
            done = self._workers.wait()
            if done is None:
                continue
            self._turns.end(done.place)
            if isinstance(done.outcome, BaseException):
                raise done.outcome
            yield self._settle(done.place, done.outcome)

    def _next(self) -> int | None:
        """The place of a case that is to start now, if any is."""
        if self._stopping.stopped_by is not None or not self._workers.has_room:
            return None
        place, self._waiting = self._waiting, None
        return self._schedule.next() if place is None else place

    def _captured_for(self, place: int) -> Captured:
        """What the case at a place may use: of the cases that it waits for, and of no other.

        So it does not matter what else has ended by now. Masked is all the same what any captured.
        """
        known = Captured.before_any(self._plan.secret_captures)
        for earlier in self._waits.get(place, ()):
            known = known.and_then(self._captured[earlier])
        return known._replace(to_mask=self._to_mask)

    def _attempts(self, place: int, run: Run) -> Settling:
        """Run a case to its end; in a thread of its own."""

        def about_to_start(command_line: str, before: tuple[Execution, ...]) -> None:
            unix_ms = self._clock.wall_unix_ms()
            note = notes.Starts(place, run.case, unix_ms, command_line, before[-1:])
            self._notebook.add(NoteKind.STARTS, notes.encode(note))
            self._notebook.sync()

        def keep(ended: Ended, number: int) -> Ended:
            attempt = Attempt(self._plan.identity.cycle_id, place, run.case.key, number)
            return self._keep(run.case.channel, attempt, ended)

        attending = Attending(
            clock=self._clock,
            about_to_start=about_to_start,
            keep=keep,
            matches=self._matches,
            cancelled=self._cancelled,
        )
        return attempted(run, self._executing, attending)

    def _settle(self, place: int, settling: Settling) -> Settlement:
        settlement = settle(
            self._plan.queue[place],
            settling.results,
            self._registry,
            now_unix_ms=self._clock.wall_unix_ms(),
            executions=settling.executions,
        )
        self._notebook.add(NoteKind.SETTLED, notes.encode(notes.Settled(place, settlement)))
        self._settled[place] = settlement
        self._captured[place] = settling.captured
        self._to_mask |= settling.captured.to_mask
        self._schedule.done(place)
        return settlement
