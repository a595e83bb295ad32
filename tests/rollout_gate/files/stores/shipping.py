"""Hosts in the shipped form, built by hand as the contract describes it; and a store in memory."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tau_rollout_gate.contract.store.sentinel import Sentinel
from tau_rollout_gate.files.stores.interface import SENTINEL_FILE
from tests.rollout_gate.making import Json

SENTINEL = Sentinel(name="edge", id="0123456789abcdef" * 2)


def shipped(
    lines: Sequence[bytes], state: Json, *, cuts: Sequence[int] = (), ahead: int = 0
) -> dict[str, bytes]:
    """Return the objects of a host by key, in segments that end after these lines.

    The newest one has the last lines that are `ahead` of the state, too, as in the middle of an
    upload.
    """
    count = len(lines) - ahead
    inner = sorted({cut for cut in cuts if 0 < cut < count})
    starts, ends = (0, *inner), (*inner, count)
    objects: dict[str, bytes] = {}
    segments = []
    for start, end in zip(starts, ends, strict=True):
        number = json.loads(lines[start])["cycle_number"]
        segments.append({"first_cycle": number, "bytes": len(b"".join(lines[start:end]))})
        upto = len(lines) if end == count else end
        objects[f"segments/{number}.jsonl"] = b"".join(lines[start:upto])
    kept = {key: state[key] for key in ("schema_version", "health", "last_cycle") if key in state}
    objects["state.json"] = json.dumps(kept | {"segments": segments}).encode()
    return objects


def write(folder: Path, objects: Mapping[str, bytes]) -> None:
    """Write objects into a directory, below one that has the sentinel."""
    for key, content in objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_sentinel(root: Path) -> Path:
    """Make the root of a store."""
    root.mkdir(parents=True, exist_ok=True)
    (root / SENTINEL_FILE).write_bytes(SENTINEL.as_document())
    return root


class Memory:
    """A store in memory, which notes what it was asked for."""

    root = "mem://fleet/"

    def __init__(self, objects: Mapping[str, bytes], *, prefix: str = "a/custom-command") -> None:
        self.prefix = prefix
        self.objects = {f"{prefix}/{key}": content for key, content in objects.items()}
        self.asked: list[tuple[str, int]] = []

    def get(self, key: str, from_byte: int = 0) -> bytes | None:
        """The bytes of an object."""
        self.asked.append((key.removeprefix(f"{self.prefix}/"), from_byte))
        content = self.objects.get(key)
        return None if content is None else content[from_byte:]

    def written_unix_ms(self, key: str) -> int | None:
        """When an object was written, which nobody noted here."""
        return 0 if key in self.objects else None

    def list(self, prefix: str) -> tuple[str, ...]:
        """The keys below a prefix."""
        return tuple(sorted(key for key in self.objects if key.startswith(prefix)))

    def sentinel(self) -> Sentinel:
        """What tells which store this is."""
        return SENTINEL

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write an object where there is none."""
        return self.objects.setdefault(key, content) is content

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.objects.pop(key, None)
