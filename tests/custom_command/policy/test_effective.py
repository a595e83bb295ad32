"""The policy that counts for a RUN: the strictest of all that is said (the runbook's rules)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, convert, json
from msgspec.structs import replace

from tau_custom_command.contract.form_errors import read_form
from tau_custom_command.policy.effective import Denied, EffectivePolicy, as_written, effective
from tau_custom_command.policy.model import DEFAULTS, ExecutionPolicy, SandboxProfile

PERMISSIONS = ["allow_shell", "allow_network", "allow_dash_arguments", "allow_large_memory"]
SILENT = ExecutionPolicy()
NO_APPROVAL = ExecutionPolicy(require_approval=False)
WIDEST: dict[str, Any] = dict.fromkeys(PERMISSIONS, True) | {
    "sandbox_profile": SandboxProfile.UNRESTRICTED,
    "require_approval": False,
}
WIDTH = {"restricted": 0, "workspace_write": 1, "unrestricted": 2}


def _counts(
    registered: ExecutionPolicy = SILENT,
    *stated: ExecutionPolicy,
    options: ExecutionPolicy = NO_APPROVAL,
    approved: bool = False,
) -> EffectivePolicy:
    """The policy that counts, of a command that may run."""
    found = effective(registered, stated, options, approved=approved)
    assert isinstance(found, EffectivePolicy), found
    return found


def _saying(field: str, *, permitted: bool) -> ExecutionPolicy:
    """A policy that says one thing."""
    return read_form({field: permitted}, ExecutionPolicy)


def _names(policy: EffectivePolicy) -> set[str]:
    """Those of a few names that a policy lets a placeholder have."""
    known = {"a", "b", "c", "openai_api_key"}
    return (known if policy.allowed_env is None else known & policy.allowed_env) - policy.denied_env


def _no_wider(policy: EffectivePolicy, bound: EffectivePolicy) -> bool:
    """Tell whether a policy permits nothing that another does not."""
    return (
        all(getattr(policy, name) <= getattr(bound, name) for name in PERMISSIONS)
        and WIDTH[policy.sandbox_profile] <= WIDTH[bound.sandbox_profile]
        and _names(policy) <= _names(bound)
        and policy.denied_env >= bound.denied_env
        and policy.require_approval >= bound.require_approval
    )


def _with_the_rest_open(policy: ExecutionPolicy) -> EffectivePolicy:
    """A policy as a bound: what it leaves out bounds nothing."""
    said = {name: getattr(policy, name) for name in policy.__struct_fields__}
    open_ends = WIDEST | {"allowed_env": (), "denied_env": ()}
    return as_written(
        ExecutionPolicy(**open_ends | {k: v for k, v in said.items() if v is not UNSET})
    )


NAMES = st.lists(st.sampled_from(["a", "B", "c", "openai_api_key"]), unique=True).map(tuple)
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.booleans() for name in ["require_approval", *PERMISSIONS]},
        "sandbox_profile": st.sampled_from(SandboxProfile),
        "allowed_env": NAMES,
        "denied_env": NAMES,
    },
).map(lambda said: ExecutionPolicy(**said))


@given(POLICIES, st.lists(POLICIES, max_size=2), POLICIES)
def test_what_is_not_approved_is_never_wider_than_any_policy(
    registered: ExecutionPolicy, stated: list[ExecutionPolicy], options: ExecutionPolicy
) -> None:
    """Field by field, what counts permits no more than the command, the case and the options."""
    found = effective(registered, stated, options, approved=False)
    if isinstance(found, Denied):
        assert found.reason
        return
    assert not found.require_approval
    assert _no_wider(found, as_written(options))
    for policy in (registered, *stated):
        assert _no_wider(found, _with_the_rest_open(policy))


@given(POLICIES, st.lists(POLICIES, max_size=2), POLICIES)
def test_what_is_approved_is_never_wider_than_the_case_and_what_was_approved(
    registered: ExecutionPolicy, stated: list[ExecutionPolicy], options: ExecutionPolicy
) -> None:
    """The options bound an approved command only where its registered policy says nothing."""
    found = _counts(registered, *stated, options=options, approved=True)
    for policy in (registered, *stated):
        assert _no_wider(found, _with_the_rest_open(policy))
    for field in PERMISSIONS:
        if getattr(registered, field) is UNSET:
            assert getattr(found, field) <= getattr(as_written(options), field)


@given(POLICIES, st.lists(POLICIES, max_size=2), POLICIES)
def test_an_approval_takes_nothing_away(
    registered: ExecutionPolicy, stated: list[ExecutionPolicy], options: ExecutionPolicy
) -> None:
    """What may run without an approval may run with one, and asks for nothing less."""
    unapproved = effective(registered, stated, options, approved=False)
    if isinstance(unapproved, EffectivePolicy):
        approved = _counts(registered, *stated, options=options, approved=True)
        for field in PERMISSIONS:
            assert getattr(approved, field) == getattr(unapproved, field)
        assert approved.sandbox_profile == unapproved.sandbox_profile
        assert approved.denied_env <= unapproved.denied_env


@given(POLICIES)
def test_a_policy_by_itself_has_the_defaults(policy: ExecutionPolicy) -> None:
    """What a policy leaves out is the runbook's column of defaults, and nothing else is."""
    whole = as_written(convert(DEFAULTS | json.decode(json.encode(policy)), ExecutionPolicy))
    assert as_written(policy) == whole


@pytest.mark.parametrize("field", PERMISSIONS)
def test_a_permission_needs_all(field: str) -> None:
    """The options permit it, and nobody else forbids it; who leaves it out says nothing."""
    yes, no = _saying(field, permitted=True), _saying(field, permitted=False)
    options = replace(yes, require_approval=False)
    assert getattr(_counts(options=options), field)
    assert getattr(_counts(yes, yes, yes, options=options), field)
    for others in [(no,), (SILENT, no), (yes, yes, no)]:
        assert not getattr(_counts(*others, options=options), field)
    assert not getattr(_counts(SILENT, yes), field)  # a case cannot widen what the options say


@pytest.mark.parametrize("field", PERMISSIONS)
def test_a_command_that_asks_for_more_needs_an_approval(field: str) -> None:
    """Its registered policy then stands in the place of the options', whatever else they say."""
    asking = _saying(field, permitted=True)
    found = effective(asking, (), NO_APPROVAL, approved=False)
    assert found == Denied(
        f"its registered policy asks for {field}, which the options do not allow"
    )
    assert getattr(_counts(asking, approved=True), field)
    assert not getattr(_counts(asking, _saying(field, permitted=False), approved=True), field)


def test_a_wider_profile_needs_an_approval() -> None:
    """All that is asked for is told at once."""
    asking = ExecutionPolicy(allow_network=True, sandbox_profile=SandboxProfile.WORKSPACE_WRITE)
    found = effective(asking, (), NO_APPROVAL, approved=False)
    assert isinstance(found, Denied)
    assert "asks for allow_network and the sandbox_profile workspace_write" in found.reason
    assert _counts(asking, approved=True).sandbox_profile == "workspace_write"


def test_the_narrowest_profile_counts() -> None:
    """Whoever names a narrower one has it; one that is wider than the options' asks nobody."""
    options = ExecutionPolicy(require_approval=False, sandbox_profile=SandboxProfile.UNRESTRICTED)
    writing = ExecutionPolicy(sandbox_profile=SandboxProfile.WORKSPACE_WRITE)
    confined = ExecutionPolicy(sandbox_profile=SandboxProfile.RESTRICTED)
    assert _counts(options=options).sandbox_profile == "unrestricted"
    assert _counts(writing, options=options).sandbox_profile == "workspace_write"
    assert _counts(writing, confined, options=options).sandbox_profile == "restricted"
    assert _counts(SILENT, writing).sandbox_profile == "restricted"


@pytest.mark.parametrize("who", ["registered", "case", "options"])
def test_whoever_asks_for_an_approval_gets_one_asked(who: str) -> None:
    """The option lifts the default only, and neither a command nor a case lifts the option."""
    said = {name: ExecutionPolicy(require_approval=name == who) for name in ("registered", "case")}
    options = ExecutionPolicy(require_approval=who == "options")
    arguments = (said["registered"], (said["case"],), options)
    assert effective(*arguments, approved=False) == Denied("its policy asks for an approval")
    assert isinstance(effective(*arguments, approved=True), EffectivePolicy)


def test_by_default_an_approval_is_asked() -> None:
    """Where nobody says anything, nothing runs."""
    assert isinstance(effective(SILENT, (), SILENT, approved=False), Denied)


def test_denied_names_are_united() -> None:
    """A name that one denies is denied, in any case of letters; an approved list stands alone."""
    own, case = ExecutionPolicy(denied_env=("Token",)), ExecutionPolicy(denied_env=("other",))
    assert _counts(own, case).denied_env == frozenset((*DEFAULTS["denied_env"], "token", "other"))
    assert _counts(own, case, approved=True).denied_env == frozenset(("token", "other"))


def test_allowlists_are_intersected() -> None:
    """An empty list is none; two lists without a common name allow no name at all."""
    one, two = ExecutionPolicy(allowed_env=("A", "b")), ExecutionPolicy(allowed_env=("B", "c"))
    empty, other = ExecutionPolicy(allowed_env=()), ExecutionPolicy(allowed_env=("d",))
    assert _counts(empty, empty).allowed_env is None
    assert _counts(one, empty).allowed_env == frozenset("ab")
    assert _counts(one, two).allowed_env == frozenset("b")
    assert _counts(one, other).allowed_env == frozenset()
