"""JSON as it is printed."""

from __future__ import annotations

import json


def json_text(value: object) -> str:
    """Return a value as JSON for people and programs.

    ASCII only, so that nothing from a file can act on a terminal; programs read it all the same.
    """
    return json.dumps(value, indent=2)
