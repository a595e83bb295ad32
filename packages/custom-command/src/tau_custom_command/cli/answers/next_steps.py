"""What to do after a cycle: in words, and by commands that work as they are printed."""

from collections.abc import Sequence
from typing import NamedTuple

from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.cycle.settle import Disposition, Settlement
from tau_custom_command.hint import hint
from tau_custom_command.services.run_cycle import RunReport

_LEFT_TO_PEOPLE = (".contains", ".matches")
"""Assertions that `accept` takes nothing over for."""

_TRIED_AGAIN = "the next cycle tries them again"


class HowAsked(NamedTuple):
    """How a cycle was asked for: what a command about it needs again.

    `of_approvals` are the options that were given and that an approval depends on, as words.
    """

    fixture: str
    state_dir: str
    case_suffix: str = ""
    is_fresh: bool = False
    of_approvals: tuple[str, ...] = ()

    @property
    def accept(self) -> str:
        """The command that shows what the fixture would have to expect."""
        fixture = f"./{self.fixture}" if self.fixture.startswith("-") else self.fixture
        suffix = (f"--case-suffix={self.case_suffix}",) if self.case_suffix else ()
        return hint("accept", fixture, *suffix, state_dir=self.state_dir)

    def approve(self, name: str) -> str:
        """The command that shows what an approval of a command would cover."""
        words = ("approve", name, "--by", "WHO", "--dry-run", *self.of_approvals)
        return hint(*words, state_dir=self.state_dir)


def advice_on(report: RunReport, asked: HowAsked) -> str:
    """What to do about what a cycle came to; nothing where all is well."""
    event = report.event
    failed = [each for each in report.settlements if each.disposition is Disposition.FAILED]
    if failed:
        return _advice_on(failed, asked)
    if event.duplicate_skips == event.discovered_cases:
        return "every case was done before, so nothing was done: --fresh does them anew"
    if event.backlog_cases:
        return "raise --queue-limit, or run again, without --fresh, for what is left over"
    return ""


def _advice_on(failed: Sequence[Settlement], asked: HowAsked) -> str:
    unapproved = [settlement for settlement in failed if _needs_approval(settlement)]
    if unapproved:
        # First, since `accept` would have the fixture expect that they are refused.
        others = [settlement for settlement in failed if not _needs_approval(settlement)]
        then = f"for the others: {_advice_on(others, asked)}" if others else _TRIED_AGAIN
        return f"{_approve(unapproved, asked)}; {then}"
    drifted = [settlement.result.outcome for settlement in failed if settlement.drifted]
    if any(settlement.is_executed for settlement in failed):
        which = "--fresh" if asked.is_fresh else "--fresh or --rerun KEY"
        again = f"a RUN that was started runs again only with {which}"
        return f"mend what they tell, or correct the fixture{_accept(failed, asked)}; {again}"
    if drifted and all(outcome is Outcome.RETRYABLE_FAILURE for outcome in drifted):
        return f"mend what these cases call, which is not available; {_TRIED_AGAIN}"
    if drifted:
        return f"correct the fixture{_accept(failed, asked)}, or the registry that it runs against"
    return "they failed as expected, and the next cycle tries them again"


def _approve(failed: Sequence[Settlement], asked: HowAsked) -> str:
    """How the commands that lack an approval get one: the first in full, the others by name."""
    first, *others = dict.fromkeys(settlement.case.command_name for settlement in failed)
    also = f", and so for {', '.join(others)}" if others else ""
    shows = f"'{asked.approve(first)}' shows what that would cover{also}"
    return f"approve the commands, if they are right: {shows}"


def _accept(failed: Sequence[Settlement], asked: HowAsked) -> str:
    """How a program corrects the fixture, where it can."""
    can_be = any(map(_can_be_accepted, failed))
    return f" ('{asked.accept}' shows how)" if can_be else ""


def _can_be_accepted(settlement: Settlement) -> bool:
    """Whether `accept` takes over what came of a case; what was refused is not the fixture's."""
    executions = settlement.executions[-1:]
    if not settlement.drifted or (executions and not settlement.is_executed):
        return False
    if any(each.ended.failure is FailureReason.INTERRUPTED for each in executions):
        return False
    fields = [difference.field for each in executions for difference in each.differences]
    return not fields or any(not field.endswith(_LEFT_TO_PEOPLE) for field in fields)


def _needs_approval(settlement: Settlement) -> bool:
    failures = [execution.ended.failure for execution in settlement.executions[-1:]]
    return settlement.drifted and failures == [FailureReason.APPROVAL_REQUIRED]
