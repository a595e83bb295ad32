"""Opens the store that a fleet names, and finds a host's place in it."""

from pathlib import Path

from tau_rollout_gate.errors import StoreError
from tau_rollout_gate.files.stores.interface import Store
from tau_rollout_gate.files.stores.local import LocalStore
from tau_rollout_gate.files.stores.location import Location, parse_location


def open_store(template: str) -> Store:
    """Open the store of a template such as `s3://bucket/fleet/{host}/{surface}/`.

    Its root is what stands before the first part with a brace in it. It is opened lazily, in the
    process that uses it: an object store does not outlive a fork.

    Raises:
        StoreError: if it is no path or URL of a store, the extra for it is missing, or the
            environment is of no use.
    """
    root = root_of(template)
    if "://" in template and "://" not in root:
        raise StoreError(f"{template}: the name of the bucket is the same for all hosts")
    location = _location(root)
    if location.bucket is None:
        return LocalStore(location.path)
    from tau_rollout_gate.files.stores.objects import ObjectStore  # noqa: PLC0415 - one of the two

    return ObjectStore(f"{location.bucket}/{location.path}")


def root_of(template: str) -> str:
    """What stands before the first part of a template with a brace in it."""
    parts = template.split("/")
    at = next((index for index, part in enumerate(parts) if "{" in part), len(parts))
    return "/".join(parts[:at]) or ("/" if at else ".")


def key_in(store: Store, place: str) -> str:
    """The key of a host's place, which is a template with its braces filled.

    Raises:
        StoreError: if it is not below the store's root, or is no key.
    """
    location = _location(place)
    whole = f"{location.bucket}/{location.path}" if location.bucket else str(Path(location.path))
    key = whole.removeprefix(store.root).rstrip("/")
    if not whole.startswith(store.root) or any(part in {"", ".", ".."} for part in key.split("/")):
        raise StoreError(f"{place}: is not below {store.root}")
    return key


def _location(text: str) -> Location:
    try:
        return parse_location(text)
    except ValueError as error:
        raise StoreError(f"{text}: {error}") from None
