"""The policy that counts for a RUN: of all that is said about it, the strictest, field by field.

The registered command, the case and the operator's options each say something; a field that one
leaves out says nothing there (runbooks/custom-command-ops.md, "Which policy counts").
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache, reduce
from typing import Any, Literal, NamedTuple, overload

from msgspec import UNSET
from msgspec.structs import replace

from tau_custom_command.policy.model import DEFAULTS, ExecutionPolicy, SandboxProfile, folded

_PERMISSIONS = ("allow_shell", "allow_network", "allow_dash_arguments", "allow_large_memory")
_NARROWEST_FIRST = list(SandboxProfile)


class EffectivePolicy(NamedTuple):
    """A policy that leaves nothing unsaid; names are folded, as they are compared.

    `allowed_env` is None where any name is allowed that is not denied. An empty one allows none: it
    is what is left of two lists that have no name in common.
    """

    require_approval: bool
    allow_shell: bool
    allow_network: bool
    allow_dash_arguments: bool
    allow_large_memory: bool
    sandbox_profile: SandboxProfile
    allowed_env: frozenset[str] | None
    denied_env: frozenset[str]


class Denied(NamedTuple):
    """A command that may run only once it is approved, and is not; the `reason` is for people."""

    reason: str


@lru_cache  # a fixture has few policies, and asks for them with each RUN
def as_written(policy: ExecutionPolicy) -> EffectivePolicy:
    """What a policy says by itself, with the defaults where it says nothing."""
    said: dict[str, Any] = {field: _said(policy, field, DEFAULTS[field]) for field in _FIELDS}
    said["allowed_env"] = folded(said["allowed_env"]) or None
    said["denied_env"] = folded(said["denied_env"])
    return EffectivePolicy(**said)


@overload
def effective(
    registered: ExecutionPolicy,
    stated: Iterable[ExecutionPolicy],
    options: ExecutionPolicy,
    *,
    approved: Literal[True],
) -> EffectivePolicy: ...


@overload
def effective(
    registered: ExecutionPolicy,
    stated: Iterable[ExecutionPolicy],
    options: ExecutionPolicy,
    *,
    approved: bool,
) -> EffectivePolicy | Denied: ...


def effective(
    registered: ExecutionPolicy,
    stated: Iterable[ExecutionPolicy],
    options: ExecutionPolicy,
    *,
    approved: bool,
) -> EffectivePolicy | Denied:
    """The policy that counts, or why the command may not run without an approval.

    Args:
        registered: The command's, as its record holds it.
        stated: Those that the case states.
        options: The operator's; what it leaves out has the default.
        approved: Whether exactly this command was approved (`approvals`). What its registered
            policy says then stands in the place of what the options say.
    """
    asked = _asked(registered, options)
    if asked and not approved:
        return Denied(f"its registered policy asks for {asked}, which the options do not allow")
    bounds = as_written(_standing_in(registered, options) if approved else options)
    policy = reduce(_narrowed, (registered, *stated), bounds)
    if policy.require_approval and not approved:
        return Denied("its policy asks for an approval")
    return policy


_FIELDS = EffectivePolicy._fields


def _said(policy: ExecutionPolicy, field: str, otherwise: Any) -> Any:  # noqa: ANN401 - any field's
    said = getattr(policy, field)
    return otherwise if said is UNSET else said


@lru_cache
def _asked(registered: ExecutionPolicy, options: ExecutionPolicy) -> str:
    """What a registered policy permits and the options do not, in words."""
    return " and ".join(_beyond(registered, as_written(options)))


def _beyond(registered: ExecutionPolicy, options: EffectivePolicy) -> Iterator[str]:
    """Yield what a registered policy permits and the options do not.

    Names are not among it: the lists of both hold, and a template or an argument with a name that
    either denies is denied.
    """
    for field in _PERMISSIONS:
        if getattr(registered, field) is True and not getattr(options, field):
            yield field
    profile = _said(registered, "sandbox_profile", options.sandbox_profile)
    if _width(profile) > _width(options.sandbox_profile):
        yield f"the sandbox_profile {profile}"


def _standing_in(registered: ExecutionPolicy, options: ExecutionPolicy) -> ExecutionPolicy:
    """The options with what an approved policy says in their place, but for the approval itself."""
    fields = [field for field in _FIELDS if field != "require_approval"]
    said = {field: _said(registered, field, getattr(options, field)) for field in fields}
    return replace(options, **said)


@lru_cache
def _narrowed(bounds: EffectivePolicy, by: ExecutionPolicy) -> EffectivePolicy:
    """The strictest of what holds already and what a policy says."""
    permissions = {
        field: getattr(bounds, field) and getattr(by, field) is not False for field in _PERMISSIONS
    }
    profile = _said(by, "sandbox_profile", bounds.sandbox_profile)
    return bounds._replace(
        **permissions,
        require_approval=bounds.require_approval or by.require_approval is True,
        sandbox_profile=min(bounds.sandbox_profile, profile, key=_width),
        allowed_env=_common(bounds.allowed_env, folded(_said(by, "allowed_env", ()))),
        denied_env=bounds.denied_env | folded(_said(by, "denied_env", ())),
    )


def _width(profile: SandboxProfile) -> int:
    return _NARROWEST_FIRST.index(profile)


def _common(allowed: frozenset[str] | None, listed: frozenset[str]) -> frozenset[str] | None:
    """The names that both lists allow; one that was never given, or is empty, allows any."""
    if not listed:
        return allowed
    return listed if allowed is None else allowed & listed
