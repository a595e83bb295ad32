"""`start --fleet` and `fleet init`: opens a rollout of a fleet, and marks the store of one."""

import secrets
from pathlib import Path
from typing import NamedTuple

from tau_rollout_gate.contract.fleet import FleetFile, FleetPin
from tau_rollout_gate.contract.store.sentinel import Sentinel
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.files.fleet import read_fleet_file, read_roster_file
from tau_rollout_gate.files.stores.interface import SENTINEL_FILE, Store
from tau_rollout_gate.files.stores.opening import open_store
from tau_rollout_gate.fleet.draw.roster import Roster, parse_roster
from tau_rollout_gate.services.fleet.store_lock import new_lock_id


class FoundFleet(NamedTuple):
    """A fleet as its file has it, its roster, its store, and what a rollout pins of them."""

    file: FleetFile
    roster: Roster
    store: Store
    pin: FleetPin

    @property
    def surfaces(self) -> dict[str, str]:
        """Where the files of each surface are, `{host}` in the place of the host's name."""
        return {
            name: self.file.store.replace("{surface}", name).rstrip("/")
            for name in self.file.surfaces
        }


def find_fleet(path: Path) -> FoundFleet:
    """Read a `fleet.toml`, its roster, and the sentinel of its store.

    Raises:
        RolloutGateError: if one cannot be read, or they are not of one fleet.
    """
    file = read_fleet_file(path)
    roster = parse_roster(read_roster_file(file.roster), source=file.roster)
    store = open_store(file.store)
    sentinel = store.sentinel()
    if sentinel.name != file.name:
        raise RefusedError(
            f"{path}: is of the fleet {file.name!r}, and {store.root} is the store of "
            f"{sentinel.name!r}"
        )
    pin = FleetPin(
        name=file.name,
        roster=file.roster,
        roster_sha256=roster.sha256,
        store=file.store,
        store_id=sentinel.id,
        lock_id=new_lock_id(),
        hosts=len(roster.entries),
    )
    return FoundFleet(file, roster, store, pin)


def init_fleet(path: Path) -> tuple[str, Sentinel]:
    """Write the sentinel of a fleet's store, and give its place.

    Raises:
        RefusedError: if there is one of another fleet.
        RolloutGateError: if the file or the store cannot be used.
    """
    file = read_fleet_file(path)
    parse_roster(read_roster_file(file.roster), source=file.roster)
    store = open_store(file.store)
    sentinel = Sentinel(name=file.name, id=secrets.token_hex(16))
    store.put_if_absent(SENTINEL_FILE, sentinel.as_document())
    found = store.sentinel()
    if found.name != file.name:
        raise RefusedError(
            f"{store.root}{SENTINEL_FILE}: is of another fleet, {found.name!r}; each has a store "
            "of its own"
        )
    return f"{store.root}{SENTINEL_FILE}", found
