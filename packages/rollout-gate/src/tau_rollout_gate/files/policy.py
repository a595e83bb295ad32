"""Policies on disk: the built-in one, one that the command line names, and a copy to edit."""

from contextlib import suppress
from pathlib import Path

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.errors import NamedFileError, PolicyRefusedError, RolloutUnusableError
from tau_rollout_gate.files.inputs import INPUTS_FOLDER, policy_name
from tau_rollout_gate.files.named import create_named_file, read_named_file
from tau_rollout_gate.policy.policy import Policy, parse_policy, policy_digest, policy_document

BUILT_IN = "built-in"
"""What stands for the built-in policy where one is named; a file of that name is `./built-in`."""

_BUILT_IN = "default_policy.toml"
_PIPES = ("/dev/", "/proc/")
_ABOUT_A_COPY = """\
# A policy of tau-rollout-gate, to edit. What each line is for stands in the built-in one, which
# 'tau-rollout-gate policy show' prints; 'policy lint FILE' finds what is probably a mistake.

"""


def built_in_policy_text() -> str:
    """Read the built-in policy as it is written, comments included."""
    from importlib import resources  # noqa: PLC0415 - a rollout keeps its policy

    return resources.files("tau_rollout_gate").joinpath(_BUILT_IN).read_text("utf-8")


def load_policy(path: Path | None) -> Policy:
    """Load the policy of a file; the built-in one for None.

    Raises:
        NamedFileError: if the file cannot be read.
        PolicyRefusedError: if it holds no usable policy; the text names every problem.
    """
    if path is None:
        return parse_policy(built_in_policy_text().encode(), source=_BUILT_IN)
    raw = read_named_file(path)
    return parse_policy(raw, source=str(path))


def pinned_policy(given: Path | None, rollout: Rollout, root: Path) -> Policy:
    """Load the policy that a rollout is judged by.

    It is read from `given`; without that as it was kept in the rollout directory `root`; and where
    that is lost, from where it was at the start.

    Raises:
        NamedFileError: if it cannot be read.
        PolicyRefusedError: if it is none.
        RolloutUnusableError: if it is not the one that the rollout is judged by.
    """
    if given is None:
        with suppress(NamedFileError, PolicyRefusedError):
            kept = load_policy(kept_policy_path(root, rollout))
            if policy_digest(kept) == rollout.policy_sha256:
                return kept
    path = given or policy_path(rollout)
    if given is None and path is not None and path.exists() and not path.is_file():
        raise NamedFileError(f"{path}: is no file, and the policy was kept nowhere else")
    policy = load_policy(path)
    found = policy_digest(policy)
    if found != rollout.policy_sha256:
        named = "the built-in policy" if path is None else str(path)
        raise RolloutUnusableError(
            f"{named} (digest {found[:12]}) is not the policy of this rollout (digest "
            f"{rollout.policy_sha256[:12]}). "
            + (
                "It may have been edited since: leave --policy out, and the rollout goes on by the "
                f"policy as it was kept, {kept_policy_path(root, rollout)}"
                if given is not None
                else "It was kept nowhere else: pass the one that it was with --policy"
            )
            + ". To judge by another from now on, and mean it: 'policy adopt --policy FILE'"
        )
    return policy


def policy_path(rollout: Rollout) -> Path | None:
    """Tell where the policy of a rollout was read from; None for the built-in one."""
    return None if rollout.policy_file is None else Path(rollout.policy_file)


def is_as_pinned(rollout: Rollout) -> bool:
    """Tell whether the policy's own file is still what the rollout is judged by.

    What was read from a pipe is not looked for again: another would be waited for.
    """
    path = policy_path(rollout)
    if path is not None and not path.is_file():
        return False
    with suppress(NamedFileError, PolicyRefusedError):
        return policy_digest(load_policy(path)) == rollout.policy_sha256
    return False


def policy_notes(rollout: Rollout) -> tuple[str, ...]:
    """Say of an open rollout that the file of its policy changed since, or is gone."""
    path = policy_path(rollout)
    if not rollout.is_open or is_as_pinned(rollout) or str(path).startswith(_PIPES):
        return ()
    named = "the built-in policy" if path is None else str(path)
    what = "is another now" if path is None or path.exists() else "is gone"
    kept = "the rollout goes on by the policy as it was kept; 'policy adopt' takes the other"
    return (f"policy: {named} {what}: {kept}",)


def kept_policy_path(root: Path, rollout: Rollout) -> Path:
    """Tell where the policy of a rollout is kept."""
    return root / INPUTS_FOLDER / policy_name(rollout.policy_sha256)


def kept_policy(policy: Policy) -> dict[str, bytes]:
    """What is to be kept of a policy, by its name."""
    return {policy_name(policy_digest(policy)): policy_text(policy).encode()}


def named_policy(name: str, *, beside: Path = Path()) -> Policy:
    """Load the policy `built-in`, or that of a file.

    Args:
        name: The one or the other.
        beside: The folder that a relative name starts from.

    Raises:
        RolloutGateError: as `load_policy` does.
    """
    return load_policy(None if name == BUILT_IN else beside / name)


def policy_text(policy: Policy) -> str:
    """Write a policy as TOML that reads back equal; its comments, if it had any, are gone."""
    import tomli_w  # noqa: PLC0415 - an evaluation writes none

    return tomli_w.dumps(policy_document(policy))


def create_policy_file(path: Path, policy: Policy) -> None:
    """Write a policy to edit, with ordinary permissions.

    Raises:
        RefusedError: if there is a file of that name already; it is left alone.
        StorageError: if the operating system refuses.
    """
    create_named_file(path, (_ABOUT_A_COPY + policy_text(policy)).encode())
