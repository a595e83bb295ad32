"""Reads the files of one host of a fleet, wherever they are and in whichever form."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.contract.store.shipped import SEGMENTS
from tau_rollout_gate.errors import StoreError
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.files.stores.interface import Store
from tau_rollout_gate.files.stores.local import LocalStore
from tau_rollout_gate.files.stores.opening import key_in
from tau_rollout_gate.files.stores.shipped import read_shipped
from tau_rollout_gate.files.surface.lines import CUT
from tau_rollout_gate.files.surface.state_directory import (
    LOOKS,
    PAUSE_SECONDS,
    STATE_FILE,
    read_surface,
)

_UNSTEADY = tuple(f"cannot be read: {why}" for why in (os.strerror(errno.ESTALE), CUT))
"""How it ends what is told of a file that a network file system has replaced or cut meanwhile."""


def read_host(
    pin: SurfacePin, store: Store, *, sleep: Callable[[float], None] = time.sleep
) -> SurfaceEvidence:
    """Read what a host's files say of a surface, at its place in a store: `pin.state_dir`.

    A plain tree, as a mirror leaves it, is read as on the host; the shipped form, by its state.
    From either the same evidence comes, but for the names of the files.

    Raises:
        StoreError: if the store cannot answer, which says nothing of the host.
    """
    key = key_in(store, pin.state_dir)
    if isinstance(store, LocalStore) and not _is_shipped(store, key):
        found = _read_tree(pin, store, store.folder(key), sleep)
        if not found.flaws or not _is_shipped(store, key):  # as the first shipment may have come
            return found
    return read_shipped(pin, store, key, sleep=sleep)


def stored_unix_ms(pin: SurfacePin, store: Store) -> int | None:
    """When the store got the state that a host has there; None where it has none.

    Raises:
        StoreError: if the store cannot answer.
    """
    return store.written_unix_ms(f"{key_in(store, pin.state_dir)}/{STATE_FILE}")


def _is_shipped(store: LocalStore, key: str) -> bool:
    return (store.folder(key) / SEGMENTS).is_dir()


def _read_tree(
    pin: SurfacePin, store: LocalStore, folder: Path, sleep: Callable[[float], None]
) -> SurfaceEvidence:
    """Read a directory as on the host; again where a file was another one once it was open."""
    told: list[str] = []
    for look in range(LOOKS):
        if look:
            sleep(PAUSE_SECONDS)
        found = read_surface(pin, folder, sleep=sleep)
        told = [one.detail for one in found.flaws if one.detail.endswith(_UNSTEADY)]
        if not told:
            if found.has_no_files:
                store.sentinel()  # as where it is not mounted any more
            return found
    raise StoreError(f"{folder}: {told[0]}")
