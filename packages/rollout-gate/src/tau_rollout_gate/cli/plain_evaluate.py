"""`evaluate`, asked in plain words: options as `--name value`, each once, and `--json`.

What these mean is said in `options` and `question`; tests hold both to the same answers.
"""

from collections.abc import Iterable
from pathlib import Path

from tau_rollout_gate.services.evaluate import Question, evaluate_news, load_pinned
from tau_rollout_gate.services.recorded import as_text, surfaces_in

_DEFAULT_ROLLOUT_DIR = ".tau/rollout/custom-command"  # options.DEFAULT_ROLLOUT_DIR
_LARGEST_INTEGER = 2**63 - 1
_NAMES = {"--rollout-dir", "--surface", "--policy", "--now-unix-ms", "--json"}


def evaluate_plainly(words: Iterable[str]) -> tuple[str, int]:
    """What to print for `evaluate` with these words, and to exit with.

    Raises:
        ValueError: if anything stands there that is not plain.
        RolloutGateError: as `evaluate` does.
    """
    given = _given(words)
    for name, value in given.items():
        if name != "--json":
            as_text(name, value)
    question = Question(
        rollout_dir=Path(given.get("--rollout-dir", _DEFAULT_ROLLOUT_DIR)),
        surfaces=surfaces_in([given["--surface"]] if "--surface" in given else []),
        policy=Path(given["--policy"]) if "--policy" in given else None,
        now_unix_ms=_number(given["--now-unix-ms"]) if "--now-unix-ms" in given else None,
    )
    standing = load_pinned(question)
    if standing.rollout.fleet is not None:  # it takes longer, and the command line shows how far
        raise ValueError("it is of a fleet")
    answer = evaluate_news(question, standing).answer
    # Either form alone is imported.
    if "--json" in given:
        from tau_rollout_gate.formats import json_answer  # noqa: PLC0415 - as above

        text = json_answer.render(answer)
    else:
        from tau_rollout_gate.cli.terminal import terminal_look  # noqa: PLC0415 - as above
        from tau_rollout_gate.formats import text as text_answer  # noqa: PLC0415 - as above

        text = text_answer.render(answer, look=terminal_look())
    return text.removesuffix("\n"), answer.verdict.exit_code


def _given(words: Iterable[str]) -> dict[str, str]:
    """The options by their names, `--json` with no value.

    Raises:
        ValueError: if one is not known here, stands there twice, or has no value, or one that may
            be an option.
    """
    given: dict[str, str] = {}
    rest = iter(words)
    for name in rest:
        value = "" if name == "--json" else next(rest, "")
        is_plain = name == "--json" or (value and not value.startswith("-"))
        if name not in _NAMES or name in given or not is_plain:
            raise ValueError(f"{name} is not given plainly")
        given[name] = value
    return given


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _LARGEST_INTEGER):
        raise ValueError(f"{text} is not a plain number")
    return int(text)
