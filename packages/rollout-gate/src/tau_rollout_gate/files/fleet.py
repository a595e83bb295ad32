"""A fleet's files that are no host's: `fleet.toml`, and the roster."""

import os
from collections.abc import Iterator
from pathlib import Path

from tau_rollout_gate.contract.fleet import FleetFile
from tau_rollout_gate.contract.forms import MistakenFormError, read_form
from tau_rollout_gate.contract.small_toml import decode
from tau_rollout_gate.errors import FleetRefusedError, FormRefusedError
from tau_rollout_gate.files.named import read_named_file
from tau_rollout_gate.files.stores.location import filled, parse_location
from tau_rollout_gate.files.stores.opening import open_store

_LARGEST_ROSTER_BYTES = 512 * 1024 * 1024
"""A million lines of the longest names have half of it."""


def read_fleet_file(path: Path) -> FleetFile:
    """Read a `fleet.toml`; where it names paths, they are absolute then.

    Raises:
        NamedFileError: if it cannot be read.
        FleetRefusedError: if it is not of its form; the text names each thing that is wrong.
    """
    raw = read_named_file(path)
    try:
        found = read_form(decode(raw), FleetFile)
    except MistakenFormError as error:
        raise FleetRefusedError("\n".join(f"{path}: {one}" for one in error.sentences)) from None
    except FormRefusedError as error:
        raise FleetRefusedError(f"{path}: {error}") from None
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - without following links
    problems = [f"{path}: {one}" for one in _problems(found)]
    if problems:
        raise FleetRefusedError("\n".join(problems))
    return found.replaced(roster=_placed(found.roster, folder), store=_placed(found.store, folder))


def _problems(fleet: FleetFile) -> Iterator[str]:
    """Yield what is wrong with the meaning of a `fleet.toml`."""
    if not fleet.name.isprintable():
        yield "name: has line breaks, control or invisible characters"
    if len(set(fleet.surfaces)) < len(fleet.surfaces):
        yield "surfaces: one is named twice"
    if "{" in fleet.roster:
        yield "roster: has a brace in it; it is one file"
    if "{host}" not in fleet.store:
        yield "store: has no {host} in it, so that all hosts would have one place"
    if "{surface}" not in fleet.store and len(fleet.surfaces) > 1:
        yield "store: has no {surface} in it, so that all surfaces of a host would have one place"
    for key, text in (("roster", fleet.roster), ("store", fleet.store)):
        try:
            parse_location(text)
            filled(text, host="h", surface="s")
        except ValueError as error:
            yield f"{key}: {error}"


def _placed(text: str, folder: Path) -> str:
    return text if parse_location(text).bucket else str(folder / parse_location(text).path)


def read_roster_file(place: str) -> bytes:
    """The bytes of a roster, a file or an object of a store.

    Raises:
        NamedFileError: if the file cannot be read.
        StoreError: if the store cannot answer.
        FleetRefusedError: if there is no such object.
    """
    if parse_location(place).bucket is None:
        return read_named_file(Path(place), largest_bytes=_LARGEST_ROSTER_BYTES)
    above, _, name = place.rpartition("/")
    raw = open_store(above).get(name)
    if raw is None:
        raise FleetRefusedError(f"{place}: there is no roster")
    return raw
