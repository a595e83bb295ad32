"""Secrets that the operator gives to commands: the runtime's own variables, or what files hold.

The rules are the runbook's (custom-command-ops.md, "Secrets"). No message, and nothing that is
printed of these objects, holds a value: not even one that was written where a name belongs.
"""

import os
import re
import shlex
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import to_builtins

from tau_custom_command.errors import StorageError
from tau_custom_command.execution.masking import SHORTEST_BYTES
from tau_custom_command.policy.model import NO_IDENTIFIER, folded, is_identifier
from tau_custom_command.policy.variables import changes_loading

LARGEST_BYTES = 64 * 1024
"""Of a secret: as a variable of the environment, twice as much would not be taken by Linux."""

_FROM_FILE = "file:"


class SecretSource(NamedTuple):
    """Where a secret comes from: the runtime's variable `name`, or the file at `path`."""

    name: str
    path: Path | None = None


class Secrets(NamedTuple):
    """What commands are given, by variable, and what is worth telling people about it."""

    environment: Mapping[str, str] = {}
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """The names alone, since this shows in tracebacks and logs."""
        return f"Secrets({', '.join(self.environment)})"

    @property
    def values(self) -> tuple[bytes, ...]:
        """What is to be masked."""
        return tuple(os.fsencode(value) for value in self.environment.values())

    def name_in(self, value: object) -> str | None:
        """The name of a secret that stands in a text, or anywhere in a form; None if none does.

        What is in a fixture is written to the state; what is in a word of a command, every user of
        the machine can see.
        """
        found = tuple(_texts(to_builtins(value)))
        for name, secret in self.environment.items():
            whole = secret.rstrip("\r\n")
            if any(whole in text for text in found):
                return name
        return None


def sources_of(written: Iterable[str], environment: Mapping[str, str]) -> tuple[SecretSource, ...]:
    """Read the values of `--secret`, each `NAME` or `NAME=file:PATH`.

    Variables are looked at, in the runtime's `environment`; files are not yet.

    Raises:
        ValueError: if one is none of that, a name stands there twice or cannot be given to a
            command, or a variable cannot be a secret.
    """
    sources: dict[str, SecretSource] = {}
    for text in written:
        source = _source_of(text)
        if source.name in sources:
            raise ValueError(f"{source.name} is given twice; leave one out")
        if source.path is None:
            _variable(source.name, environment)
        sources[source.name] = source
    return tuple(sources.values())


def read(sources: Iterable[SecretSource], environment: Mapping[str, str]) -> Secrets:
    """Read the secrets as they are now.

    Raises:
        StorageError: if a file cannot be read, or a secret is not there any more or cannot be one.
    """
    found: dict[str, str] = {}
    warnings: list[str] = []
    for name, path in sources:
        try:
            if path is None:
                found[name] = _variable(name, environment)
            else:
                found[name], is_open = _in_file(path)
                if is_open:
                    fix = f"chmod o-r {shlex.quote(str(path))}"
                    warnings.append(f"{path}: every user can read the secret {name}: {fix}")
        except ValueError as error:
            raise StorageError(f"--secret {name}: {error}") from None
        except OSError as error:
            raise StorageError(f"{path}: cannot read: {error.strerror or error}") from None
    return Secrets(environment=found, warnings=tuple(warnings))


def denied_variables(denied: Collection[str], environment: Mapping[str, str]) -> Secrets:
    """The runtime's own variables that have a denied name: their values are masked, too.

    Names are compared without regard to case. What is too short to be a secret is left out: it
    would be found everywhere.
    """
    never = folded(denied)
    return Secrets(
        {
            name: value
            for name, value in environment.items()
            if name.lower() in never and len(value.strip()) >= SHORTEST_BYTES
        }
    )


def _texts(value: object) -> Iterator[str]:
    """All texts in what JSON can hold, names too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _source_of(text: str) -> SecretSource:
    name, has_path, path = text.partition("=")
    # It is not quoted in a message: somebody may have written the value itself.
    if not is_identifier(name):
        raise ValueError(f"the name {NO_IDENTIFIER}; write NAME, or NAME={_FROM_FILE}PATH")
    if changes_loading(name):
        raise ValueError(f"{name} changes what programs load, so it cannot be a secret's name")
    if not has_path:
        return SecretSource(name)
    if not path.startswith(_FROM_FILE) or not path.removeprefix(_FROM_FILE).strip():
        raise ValueError(
            f"{name}: write {name} for the variable, or {name}={_FROM_FILE}PATH for what a file "
            "holds; a value is never given on the command line, where every user can see it"
        )
    return SecretSource(name, Path(path.removeprefix(_FROM_FILE)))


def _variable(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if value is None:
        raise ValueError(f"the variable {name} is not set; export it, or name a file")
    if not value:
        raise ValueError(f"the variable {name} is empty")
    return _judged(value, f"the variable {name}")


def _in_file(path: Path) -> tuple[str, bool]:
    """What a file holds, and whether every user of the machine can read it."""
    with path.open("rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        raw = bytearray()  # piece by piece: it may be a pipe
        while block := file.read(LARGEST_BYTES + 3 - len(raw)):
            raw += block
    content = re.sub(rb"\r?\n\Z", b"", raw)  # as an editor leaves it, and `echo`
    is_open = stat.S_ISREG(found.st_mode) and bool(found.st_mode & stat.S_IROTH)
    return _judged(os.fsdecode(content), str(path)), is_open


def _judged(value: str, where: str) -> str:
    if len(value.strip()) < SHORTEST_BYTES:
        few = f"has fewer than {SHORTEST_BYTES} characters"
        raise ValueError(f"{where} {few}: masking them would spoil what is written")
    if len(os.fsencode(value)) > LARGEST_BYTES:
        raise ValueError(f"{where} has more than {LARGEST_BYTES:,} bytes, which is the most")
    if "\0" in value:
        raise ValueError(f"{where} holds a NUL character, which no variable can")
    return value
