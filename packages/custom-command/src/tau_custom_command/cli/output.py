"""What commands print: text for people, JSON for programs."""

import json
import re
import sys
from textwrap import TextWrapper

from tau_custom_command.hint import PROGRAM
from tau_custom_command.printable import harmless

_MARKS = str.maketrans({"✓": "+", "✗": "x", "…": "~"})
"""What stands for our marks where stdout has no room for them."""

_COMMAND = re.compile(rf"'{PROGRAM} (?:(?<=[ =])'[^']*'|[^'])*'")
"""A command in quotes; a word of it may stand in quotes, too."""

_KEPT = "\xa0"  # a blank at which no line is broken; what is printable has none


def print_json(value: object) -> None:
    """Print a value as JSON on stdout.

    It is ASCII only, so that nothing from a file can act on a terminal or in a CI job's log;
    programs read it all the same.
    """
    text = harmless(json.dumps(value, indent=2, ensure_ascii=False))
    _print(re.sub(r"[^ -~\n]", lambda found: json.dumps(found[0])[1:-1], text))


def print_text(text: str, *, err: bool = False) -> None:
    """Print lines, if there are any; what the stream's encoding has not is escaped."""
    if not text:
        return
    encoding = (sys.stderr if err else sys.stdout).encoding
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_MARKS).encode(encoding, "backslashreplace").decode(encoding)
    _print(text, err=err)


def print_told(text: str, *, err: bool = False) -> None:
    """Print lines for people; on a terminal no word is cut in two at its edge."""
    if (sys.stderr if err else sys.stdout).isatty():
        import shutil  # noqa: PLC0415 - elsewhere nothing needs it, and it takes its time

        text = _folded(text, shutil.get_terminal_size().columns)
    print_text(text, err=err)


def _print(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


def _folded(text: str, columns: int) -> str:
    """Break lines between words, but for commands in quotes, which are to be pasted as they are."""
    text = _COMMAND.sub(lambda found: found[0].replace(" ", _KEPT), text)
    folding = TextWrapper(
        columns, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(folding.fill(line) for line in text.splitlines()).replace(_KEPT, " ")


def print_answer(text: str, value: object, output_format: str, *, as_json: bool) -> None:
    """Print an answer as it was asked for: as text, or as JSON."""
    if as_json or output_format == "json":
        print_json(value)
    else:
        print_text(text)
