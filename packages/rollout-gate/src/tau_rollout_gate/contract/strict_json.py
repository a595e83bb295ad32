"""JSON as the state-file contract wants it: nothing coerced, nothing silently dropped.

The standard decoder accepts `NaN`, repeated keys and halves of surrogate pairs. Each of them
would let two readers of one file see different things (runbooks/state-files.md, "Rules for every
file").
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from tau_rollout_gate.errors import JsonRefusedError


def decode(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value; the caller narrows it
    """Return the value that `raw` holds.

    Raises:
        JsonRefusedError: for anything but one strict JSON value in UTF-8.
    """
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
        if b"\\u" in raw:  # only an escape can make half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonRefusedError(f"not UTF-8 text (byte {error.start})") from None
    except UnicodeEncodeError:
        raise JsonRefusedError("a string holds half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise JsonRefusedError(
            f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise JsonRefusedError("arrays and objects are nested too deeply") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise JsonRefusedError(str(error)) from None
    return value


def _object_without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = Counter(key for key, _ in pairs)
        repeated = next(key for key, times in keys.items() if times > 1)
        raise JsonRefusedError(f"the key {repeated[:60]!r} stands twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JsonRefusedError(f"{name} is not a JSON number")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise JsonRefusedError(f"the number {digits[:40]} is too large")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_without_repeated_keys,
    parse_constant=_refuse_constant,
    parse_float=_finite_float,
)
