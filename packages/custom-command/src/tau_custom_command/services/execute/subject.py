"""What an approval is of: a registered command with the program and the files that it names."""

import os
import shutil
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET

from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.limits import LARGEST_NAMED_FILE_BYTES, NOBODY
from tau_custom_command.policy.approvals import ApprovedFile, Subject
from tau_custom_command.policy.model import ExecutionPolicy, SandboxProfile
from tau_custom_command.policy.rules import PLACEHOLDER
from tau_custom_command.policy.words import words_of
from tau_custom_command.storage.read import opened

_OF_THE_KERNEL = ("/dev/", "/proc/", "/sys/")
"""Where files change by themselves, and hold no program."""


class Surroundings(NamedTuple):
    """What the operator says of where commands run.

    `profile` is the options' and counts for a command whose registered policy names none; `run_as`
    is a user's id; `path` is where programs are looked for, as in PATH.
    """

    profile: SandboxProfile = SandboxProfile.RESTRICTED
    workspace: Path | None = None
    run_as: int = NOBODY
    path: str = ""


def subject_of(record: CommandRecord, around: Surroundings) -> Subject:
    """The command as it is now: what is registered of it, and what is found on this machine.

    A file that cannot be read has no digest; nothing is raised for one.
    """
    profile = profile_of(record.execution_policy, around)
    workspace = None
    if profile is SandboxProfile.WORKSPACE_WRITE and around.workspace is not None:
        workspace = Path(os.path.realpath(around.workspace))
    folder = _here() if profile is SandboxProfile.UNRESTRICTED else workspace
    program, *words = words_of(record.template) or ("",)
    return Subject(
        command_name=record.command_name,
        template=record.template,
        default_arguments=record.default_arguments,
        read_only=record.read_only,
        execution_policy=record.execution_policy,
        user=user_of(profile, around),
        workspace=None if workspace is None else str(workspace),
        program=_found(_program(program, folder, around.path)),
        files=tuple(filter(None, map(_found, sorted(set(_named(words, folder)))))),
    )


def profile_of(registered: ExecutionPolicy, around: Surroundings) -> SandboxProfile:
    """The profile that a registered policy names, else the options'."""
    named = registered.sandbox_profile
    return around.profile if named is UNSET else named


def user_of(profile: SandboxProfile, around: Surroundings) -> int:
    """The user that a command runs as: the runtime's, but for a confined one of root."""
    user = os.geteuid()
    return around.run_as if user == 0 and profile is not SandboxProfile.UNRESTRICTED else user


def still(subject: Subject) -> str | None:
    """Look at program and files again, just before they are used: what changed, if anything."""
    for file in filter(None, (subject.program, *subject.files)):
        if file.sha256 is None or _digest(Path(file.path)) != file.sha256:
            return f"{file.path} has changed since it was held against its approval"
    return None


def _program(word: str, folder: Path | None, path: str) -> Path | None:
    """Find a program as it is found where it is started."""
    if "/" in word:
        found = _absolute(word, folder)
        return found if found is not None and shutil.which(found) else None
    which = shutil.which(word, path=path)
    return None if which is None else Path(which)


def _named(words: list[str], folder: Path | None) -> Iterator[Path]:
    """Yield the files that words of a template name, as far as they are there."""
    for word in words:
        path = None if PLACEHOLDER.search(word) else _absolute(word, folder)
        if path is not None and _is_file(path) and not _is_of_the_kernel(path):
            yield path


def _absolute(word: str, folder: Path | None) -> Path | None:
    """The path that a word is; None where it depends on a folder that is made for each run."""
    if word.startswith("/"):
        return Path(word)
    return None if folder is None else folder / word


def _here() -> Path | None:
    """Where the runtime is, which somebody may have removed."""
    try:
        return Path.cwd()
    except OSError:
        return None


def _is_file(path: Path) -> bool:
    """Tell whether a file can be found there; a word of a template can be anything."""
    try:
        return path.is_file()
    except OSError:  # too long a name, a folder that the runtime may not look into
        return False


def _is_of_the_kernel(path: Path) -> bool:
    return os.path.realpath(path).startswith(_OF_THE_KERNEL)


def _found(path: Path | None) -> ApprovedFile | None:
    """A file with its digest; its folder by the name that no link changes."""
    if path is None:
        return None
    whole = Path(os.path.realpath(path.parent)) / path.name
    return ApprovedFile(path=str(whole), sha256=_digest(whole))


def _digest(path: Path) -> str | None:
    """The SHA-256 of a file; None where it cannot be read, or is too large to look through."""
    try:
        with opened(path) as descriptor:
            if descriptor is None or os.fstat(descriptor).st_size > LARGEST_NAMED_FILE_BYTES:
                return None
            with open(descriptor, "rb", closefd=False) as file:
                return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
