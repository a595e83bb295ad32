"""What to type next: for each thing in the way, the command that helps.

Source of the rules: runbooks/rollout-gate-ops.md, "Reasons to hold".
"""

from collections.abc import Iterator
from typing import NamedTuple

from tau_rollout_gate.decision.answer import Answer, GateResult, Verdict
from tau_rollout_gate.evidence.values import UNPACKERS
from tau_rollout_gate.formats import phrases
from tau_rollout_gate.formats.context import STATE_DIR, Surroundings
from tau_rollout_gate.policy.findings import PROMOTION_NOT_FROZEN

_ADVANCE = "advance"


class Typed(NamedTuple):
    """A whole command, to be copied, and what it does."""

    command: str
    does: str


def next_steps(answer: Answer, around: Surroundings) -> Iterator[Typed]:
    """Yield what to type next; never `advance` where waiting does not help."""
    if phrases.is_closed(answer):
        history = around.command("history")
        yield Typed(history, "shows what was decided, when, and who asked.")
        target, channel = answer.release, around.rollout.channel
        if answer.verdict is not Verdict.COMPLETE:  # cancelled or rolled back: nobody has it
            back = around.rollout.rollback
            target, channel = back.rollback_version, back.rollback_channel
        yield Typed(around.next_start(target, channel), "opens the next rollout.")
    elif around.host is not None and answer.verdict is not Verdict.HOLD:
        yield Typed(around.command("explain"), "says what follows for the whole fleet.")
    elif answer.verdict is Verdict.ROLLBACK:
        yield _typed("rollback --reason 'WHAT HAPPENED'", None, around)
    elif answer.verdict is Verdict.HOLD:
        gates = phrases.causes(answer).causes
        if sum(map(phrases.is_by_hand, gates)) > 1:  # to resume helps once all else is done
            gates = tuple(gate for gate in gates if gate.name != PROMOTION_NOT_FROZEN)
        words = [(_words(gate), gate.surface) for gate in gates]
        reports = [one.removeprefix(_ADVANCE) for one, _ in words if one.startswith(f"{_ADVANCE} ")]
        by_hand = [one for one in words if not one[0].startswith(_ADVANCE)]
        if reports or not by_hand:
            by_hand.append(("".join([_ADVANCE, *reports]), None))
        yield from dict.fromkeys(_typed(one, surface, around) for one, surface in by_hand)
    else:
        what = "the rollout as complete" if answer.verdict is Verdict.COMPLETE else "the new phase"
        command = around.command(_ADVANCE)
        yield Typed(command, f"judges once more and records {what}.")


def _words(gate: GateResult) -> str:
    """The words of the command that helps where a gate does not hold."""
    if gate.command:
        return gate.command
    if gate.cycles_help or gate.passes_from_unix_ms is not None:
        return _ADVANCE
    return "evaluate"


def _typed(words: str, surface: str | None, around: Surroundings) -> Typed:
    command = around.command(words, surface)
    word = command.split()[1]
    does = {
        "advance": "asks once; moves on if the answer is yes, else changes nothing.",
        "diagnose": "names what is wrong with the state files, and what to do about it.",
        "hosts": "lists the hosts, the worst first: which, why, and where to look.",
        "evaluate": "asks again, once what is said above is done; writes nothing.",
        "recover": "shows how the state is put back; with --yes it is done.",
        "policy": "judges by the policy in FILE from now on, and starts the phase anew.",
        "reenter": "records what happened, and starts the phase and its soak anew."
        if around.host is None
        else "records what happened, and lets this host alone soak anew.",
        "resume": "ends the freeze, when its reason is gone.",
        "rollback": "captures the evidence, ends this rollout, and prints what is left to do.",
        "run": "runs a cycle, as its timer or service should; FIXTURE is the canary's own.",
        "signoff": "lists what is open, item by item.",
    }
    if words.startswith(tuple(UNPACKERS.values())):
        return Typed(command, "unpacks what is missing of the log; then ask again.")
    if words.startswith("policy adopt --cycle-interval"):
        return Typed(command, "takes that interval from now on, and starts the phase anew.")
    if words == "signoff init":
        checklist = f"{around.rollout_dir}/signoff.toml"
        return Typed(command, f"writes the checklist: fill in {checklist}, then ask again.")
    told = does.get(word, "mends what holds.")
    if around.host is not None and STATE_DIR in command:
        told = f"on {around.host} itself, where STATE_DIR is its state directory: {told}"
    return Typed(command, told)
