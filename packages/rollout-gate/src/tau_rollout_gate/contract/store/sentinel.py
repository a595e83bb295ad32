"""`_fleet.json`: which store of which fleet this is.

(runbooks/state-files.md, "A fleet's store")
"""

import json
import re
from typing import NamedTuple

from tau_rollout_gate.contract.forms import json_of
from tau_rollout_gate.errors import FormRefusedError

_ID = re.compile("[0-9a-f]{32}", re.ASCII)
_LONGEST_NAME = 200


class Sentinel(NamedTuple):
    """The name of the fleet, and an id that no other store has: 32 hex digits."""

    name: str
    id: str

    def as_document(self) -> bytes:
        """It as a whole file, indented for people."""
        value = {"schema_version": 1, "name": self.name, "id": self.id}
        return json.dumps(value, indent=2).encode() + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> "Sentinel":
        """Read it.

        Raises:
            FormRefusedError: if it is none; the text names the field.
        """
        value = json_of(raw)
        if not isinstance(value, dict):
            raise FormRefusedError("the file is not an object")
        version, name, found = (value.get(key) for key in ("schema_version", "name", "id"))
        if type(version) is not int or version != 1:
            raise FormRefusedError("schema_version: must be 1")
        if (
            not isinstance(name, str)
            or not 0 < len(name) <= _LONGEST_NAME
            or not name.isprintable()
        ):
            raise FormRefusedError(f"name: must be one line of at most {_LONGEST_NAME} characters")
        if not isinstance(found, str) or not _ID.fullmatch(found):
            raise FormRefusedError("id: must be 32 hex digits")
        return cls(name=name, id=found)
