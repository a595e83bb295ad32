"""One rollout a fleet: a lock beside the sentinel of its store names it."""

import json
import secrets
import socket
import threading
from pathlib import Path

from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.contract.forms import json_of
from tau_rollout_gate.errors import FormRefusedError, RefusedError, StoreError
from tau_rollout_gate.files.stores.interface import Store
from tau_rollout_gate.files.stores.opening import open_store
from tau_rollout_gate.printable import printable

LOCK_FILE = "_rollout.json"
_PATIENCE_SECONDS = 5.0
"""How long a store is waited for that is to let a lock go: nothing depends on it."""


def new_lock_id() -> str:
    """What no other rollout's lock has in it."""
    return secrets.token_hex(32)


def take_lock(  # noqa: PLR0913 - whose it is, and where
    store: Store, pin: FleetPin, *, release: str, root: Path, by: str, takes_over: bool
) -> None:
    """Take the lock of a fleet.

    Raises:
        RefusedError: if another rollout has it, unless it is taken over.
        StoreError: if the store cannot answer.
    """
    value = {
        "schema_version": 1,
        "fleet": pin.name,
        "release": release,
        "rollout_dir": f"{socket.gethostname()}:{root.absolute()}",
        "by": by,
        "lock_id": pin.lock_id,
    }
    content = json.dumps(value, indent=2).encode() + b"\n"
    if store.put_if_absent(LOCK_FILE, content):
        return
    if takes_over:
        store.delete(LOCK_FILE)
        if store.put_if_absent(LOCK_FILE, content):
            return
    raise RefusedError(
        f"--fleet: {_holder(store.get(LOCK_FILE))}, and a fleet has one at a time: end it, or pass "
        "--take-over --reason if nobody goes on with it any more"
    )


def release_lock(pin: FleetPin) -> tuple[str, ...]:
    """Let the lock of a rollout go, as far as its store answers; what could not be done is said."""
    problems = [f"{pin.store}: does not answer"]
    thread = threading.Thread(target=_release, args=(pin, problems), daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    return tuple(
        f"the fleet's lock is not released, and the next 'start' needs --take-over: {one}"
        for one in list(problems)
    )


def _release(pin: FleetPin, problems: list[str]) -> None:
    try:
        store = open_store(pin.store)
        raw = store.get(LOCK_FILE)
        if raw is not None and pin.lock_id.encode() in raw:
            store.delete(LOCK_FILE)
        problems.clear()
    except StoreError as error:
        problems[:] = [str(error)]


def _holder(raw: bytes | None) -> str:
    try:
        value = json_of(raw or b"")
        told = [value[key] for key in ("release", "rollout_dir", "by")]
    except (FormRefusedError, KeyError, TypeError):
        return f"{LOCK_FILE} in its store names another rollout"
    release, place, by = (printable(str(one)[:300]) for one in told)
    return f"the rollout of {release} in {place}, by {by}, has its lock"
