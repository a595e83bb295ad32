"""A policy: the phases of a rollout, what must hold to leave each, and what rolls it back.

It is data, in TOML; the built-in one is `default_policy.toml`. The rules are the runbook's
(rollout-gate-ops.md, "The phases").
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import chain, combinations, pairwise, product
from typing import Annotated, Any, Literal

from msgspec import Meta

from tau_rollout_gate.contract import small_toml
from tau_rollout_gate.contract.forms import (
    AnyForm,
    Form,
    Location,
    Milliseconds,
    MisfitError,
    MistakenFormError,
    Name,
    Version,
    path,
    read_form,
)
from tau_rollout_gate.errors import FormRefusedError, PolicyRefusedError
from tau_rollout_gate.policy.findings import OTHER_RESERVED_NAMES, RESERVED_NAMES, RESERVED_TRIGGERS
from tau_rollout_gate.policy.fleet import FleetRules
from tau_rollout_gate.policy.fleet import misfits as misfits_of_fleet
from tau_rollout_gate.policy.gates.interface import Gate, RolloutGate
from tau_rollout_gate.policy.gates.kinds import GateSpec
from tau_rollout_gate.policy.triggers.interface import RolloutTrigger, Trigger
from tau_rollout_gate.policy.triggers.kinds import TriggerSpec
from tau_rollout_gate.policy.windows import ClosedWindow
from tau_rollout_gate.policy.windows import misfits as misfits_of_windows
from tau_rollout_gate.printable import printable

_MOST_SHOWN = 50
_LONGEST_PROBLEM = 300


class Phase(Form, frozen=True, kw_only=True):
    """A step of the rollout.

    Args:
        name: Its name, unique in the policy.
        canary_percent: How much of the traffic the release gets.
        soak: How long the gates in force have to hold before the phase is left.
        gates_of: An earlier phase whose gates, and those in force there, must hold as well.
        gates: Its own gates.
        deadline: How long after its entry it has to be left; None for no matter when.
        on_deadline: What happens past it; None as `hold`.
    """

    name: Name
    canary_percent: Annotated[int, Meta(ge=0, le=100)]
    soak: Milliseconds
    gates_of: Name | None = None
    gates: Annotated[tuple[GateSpec, ...], Meta(max_length=64)] = ()
    deadline: Milliseconds | None = None
    on_deadline: Literal["hold", "rollback"] | None = None

    @property
    def soak_ms(self) -> int:
        """The soak in milliseconds."""
        return int(self.soak)

    @property
    def deadline_ms(self) -> int | None:
        """The deadline in milliseconds after the phase's entry; None without one."""
        return None if self.deadline is None else int(self.deadline)


class Policy(Form, frozen=True, kw_only=True):
    """A policy whose parts fit together, as `parse_policy` gives it.

    Args:
        schema_version: The form of the file.
        name: Its name, for people.
        cycle_interval: How often a cycle is to be expected, unless the start says otherwise.
        required_run_mode: What every cycle must have run in; None for any.
        phases: The phases, in their order.
        triggers: The rollback triggers.
        fleet: What many hosts together are judged by; None where there is one.
        windows: When nothing is promoted; None for never.
    """

    schema_version: Version
    name: Name
    cycle_interval: Milliseconds
    required_run_mode: Literal["record", "execute"] | None = None
    phases: Annotated[tuple[Phase, ...], Meta(min_length=2, max_length=32)]
    triggers: Annotated[tuple[TriggerSpec, ...], Meta(max_length=64)] = ()
    fleet: FleetRules | None = None
    windows: Annotated[tuple[ClosedWindow, ...], Meta(min_length=1, max_length=32)] | None = None

    def __post_init__(self) -> None:
        """Refuse an interval that is none."""
        if self.cycle_interval == 0:
            raise MisfitError("must be more than nothing", "cycle_interval")

    @property
    def cycle_interval_ms(self) -> int:
        """The cycle interval in milliseconds."""
        return int(self.cycle_interval)

    def phase(self, name: str) -> Phase:
        """The phase called `name`.

        Raises:
            KeyError: if there is none.
        """
        return self.phases[self._index(name)]

    def next_phase(self, name: str) -> Phase | None:
        """The phase after `name`; None after the last one."""
        following = self._index(name) + 1
        return self.phases[following] if following < len(self.phases) else None

    @property
    def first_canary(self) -> Phase:
        """The first phase in which anybody gets the release."""
        return next(phase for phase in self.phases if phase.canary_percent > 0)

    @property
    def named_surfaces(self) -> frozenset[str]:
        """The surfaces that any of its lines names."""
        lines = [*(gate for phase in self.phases for gate in phase.gates), *self.triggers]
        return frozenset(name for line in lines for name in line.named_surfaces)

    def gates_in_force(self, name: str) -> tuple[Gate, ...]:
        """The gates that must hold to leave a phase, those of `gates_of` first."""
        phase = self.phase(name)
        earlier = () if phase.gates_of is None else self.gates_in_force(phase.gates_of)
        return (*earlier, *phase.gates)

    def _index(self, name: str) -> int:
        for index, phase in enumerate(self.phases):
            if phase.name == name:
                return index
        raise KeyError(name)


def parse_policy(raw: bytes, *, source: str) -> Policy:
    """The policy that a TOML file holds.

    Args:
        raw: The file's bytes.
        source: The file's name, for messages.

    Raises:
        PolicyRefusedError: if it cannot be used; the text names every problem with its place.
    """
    policy = form_of_toml(raw, Policy, source)
    if wrong := [f"{path(place)}: {what}" for place, what in _misfits(policy)]:
        raise refused(source, wrong)
    return policy


def policy_document(policy: Policy) -> dict[str, Any]:
    """What is to be written as TOML; `parse_policy` reads it back equal."""
    document: dict[str, Any] = _without_none(policy.as_json())
    return document


def _without_none(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value without the keys of which there is nothing to say: TOML has no null."""
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, tuple) else value


@lru_cache(maxsize=4)
def policy_digest(policy: Policy) -> str:
    """The SHA-256 of what the policy says, in hex; comments and order do not count."""
    document = json.dumps(policy_document(policy), sort_keys=True, separators=(",", ":"))
    return sha256(document.encode()).hexdigest()


def share_a_surface(one: Gate | Trigger, other: Gate | Trigger) -> bool:
    """Tell whether there is a surface that both are for."""
    if one.surfaces is None or other.surfaces is None:
        return True
    return not set(one.surfaces).isdisjoint(other.surfaces)


def form_of_toml(
    raw: bytes,
    form: type[AnyForm],
    source: str,
    *,
    prepared: Callable[[dict[str, Any]], object] = lambda document: document,
) -> AnyForm:
    """The form that the TOML of `raw` makes, as it was `prepared` for it.

    Raises:
        PolicyRefusedError: if it makes none; `source` is its name there, and each mistake is named.
    """
    try:
        return read_form(prepared(small_toml.decode(raw)), form)
    except FormRefusedError as error:
        raise refused(source, [str(error)]) from None
    except MistakenFormError as error:
        raise refused(source, error.sentences) from None


def refused(source: str, wrong: Sequence[str]) -> PolicyRefusedError:
    """The error that names each thing that is wrong with a file, as many as help."""
    lines = [f"{source}: {printable(one[:_LONGEST_PROBLEM])}" for one in wrong[:_MOST_SHOWN]]
    if len(wrong) > _MOST_SHOWN:
        lines.append(f"{source}: and {len(wrong) - _MOST_SHOWN} more")
    return PolicyRefusedError("\n".join(lines))


_Misfit = tuple[Location, str]
_Placed = tuple[Location, Gate | Trigger]


def _misfits(policy: Policy) -> Iterator[_Misfit]:
    """Yield what is wrong between the parts of a policy, each with its place."""
    yield from _misfits_of_order(policy.phases)
    if policy.fleet is not None:
        yield from misfits_of_fleet(policy.fleet)
    yield from misfits_of_windows(policy.windows or ())
    in_force: dict[str, list[_Placed]] = {}
    for index, phase in enumerate(policy.phases):
        if phase.name in in_force:
            yield ("phases", index, "name"), f"{phase.name!r} is the name of an earlier phase"
        if phase.gates_of is not None and phase.gates_of not in in_force:
            yield ("phases", index, "gates_of"), f"{phase.gates_of!r} is no earlier phase"
        earlier = in_force.get(phase.gates_of or "", [])
        own: list[_Placed] = [
            (("phases", index, "gates", at), gate) for at, gate in enumerate(phase.gates)
        ]
        if phase.on_deadline is not None and phase.deadline_ms is None:
            yield ("phases", index, "on_deadline"), "is nothing without a deadline"
        if not earlier and not own:
            yield ("phases", index), "needs at least one gate, its own or by gates_of"
        yield from _misfits_of_names(earlier, own)
        in_force[phase.name] = earlier + own
    triggers: list[_Placed] = [(("triggers", at), one) for at, one in enumerate(policy.triggers)]
    yield from _misfits_of_names((), triggers)


def _misfits_of_order(phases: Sequence[Phase]) -> Iterator[_Misfit]:
    if phases[0].canary_percent > 0:
        yield ("phases", 0, "canary_percent"), "must be 0: nobody gets the release before preflight"
    for index, (before, phase) in enumerate(pairwise(phases), start=1):
        if phase.canary_percent < before.canary_percent:
            percent = before.canary_percent
            yield ("phases", index, "canary_percent"), f"is less than the phase's before, {percent}"
    if not any(phase.canary_percent for phase in phases):
        yield ("phases",), "none of them has a canary_percent above 0"


def _misfits_of_names(earlier: Sequence[_Placed], own: Sequence[_Placed]) -> Iterator[_Misfit]:
    for place, one in own:
        if isinstance(one, RolloutGate | RolloutTrigger) and one.surfaces is not None:
            yield (*place, "surfaces"), f"{one.name} judges the rollout, not a surface"
        if isinstance(one, Gate) and one.name in RESERVED_NAMES | OTHER_RESERVED_NAMES:
            yield (*place, "name"), f"{one.name!r} is the name of a gate that is always there"
        if isinstance(one, Trigger) and one.name in RESERVED_TRIGGERS:
            yield (*place, "name"), f"{one.name!r} is the name of a trigger of the gate itself"
    for (_, other), (place, one) in chain(product(earlier, own), combinations(own, 2)):
        if other.name == one.name and share_a_surface(other, one):
            yield (*place, "name"), f"{one.name!r} is already in force for the same surface"
