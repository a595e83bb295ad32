"""`inspect` and `check` of one target, asked in plain words: options as `--name value`, each once.

What these mean is said in `options` and `commands/`; tests hold both to the same answers.
"""

from collections.abc import Iterable
from pathlib import Path

from tau_transport_health.durations import duration_ms
from tau_transport_health.formats.json_text import json_text, row
from tau_transport_health.formats.plugin_line import QueueLimits, plugin_code, plugin_line
from tau_transport_health.formats.text import inspection_text
from tau_transport_health.health.assessment import DEFAULT_MAX_AGE_MS
from tau_transport_health.services.inspect import DEFAULT_ROOT, Question, look

_COMMON = {"TARGET", "--root", "--state-dir", "--max-age", "--now-unix-ms"}
_OWN = {"inspect": {"--json"}, "check": {"--warn-queue-depth", "--crit-queue-depth"}}


def look_plainly(command: str, *words: str) -> tuple[str, int]:
    """What to print for `inspect` or `check` with these words, and to exit with.

    Raises:
        ValueError: if anything stands there that is not plain, or no target.
        TransportHealthError: as `look` does.
    """
    given = _given(words)
    if "TARGET" not in given or given.keys() - _COMMON - _OWN[command]:
        raise ValueError("the command line knows more words")
    (inspection,) = look(
        Question(
            name=given["TARGET"],
            root=Path(given.get("--root", DEFAULT_ROOT)),
            state_dir=Path(given["--state-dir"]) if "--state-dir" in given else None,
            max_age_ms=duration_ms(given["--max-age"])
            if "--max-age" in given
            else DEFAULT_MAX_AGE_MS,
            now_unix_ms=_number(given, "--now-unix-ms"),
        )
    )
    if command == "check":
        depths = (_number(given, "--warn-queue-depth"), _number(given, "--crit-queue-depth"))
        limits = QueueLimits(*depths)
        return plugin_line(inspection, limits), plugin_code(inspection, limits)
    text = json_text([row(inspection)]) if "--json" in given else inspection_text(inspection)
    return text, inspection.assessment.exit_code


def _given(words: Iterable[str]) -> dict[str, str]:
    """The target and the options by their names, `--json` with no value.

    Raises:
        ValueError: if one stands there twice, or has no value, or one that may be an option.
    """
    given: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name = word if word.startswith("-") else "TARGET"
        takes_next = name not in {"TARGET", "--json"}
        value = next(rest, "") if takes_next else word.removeprefix("--json")
        if name in given or value.startswith("-") or (takes_next and not value):
            raise ValueError(f"{name} is not given plainly")
        given[name] = value
    return given


def _number(given: dict[str, str], name: str) -> int | None:
    if name not in given:
        return None
    if not (given[name].isascii() and given[name].isdigit()):
        raise ValueError(f"{name} is not a plain number")
    return int(given[name])
