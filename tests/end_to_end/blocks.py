"""The code blocks of a document: what a reader types, what is printed, and who runs it.

What is typed stands in a block `bash` or `sh` (commands alone) or `console` (each behind `$ `, and
what it prints below). Such a block is run as it stands, unless a mark says what else becomes of it:
a comment in the line before it, or alone below a heading, for all blocks of that section:

    <!-- run by tests/end_to_end/test_demo.py -->
    <!-- not run: it asks the package index -->
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

TYPED = frozenset({"bash", "console", "sh"})
"""The languages of what a reader types."""

SHOWN = frozenset({"groovy", "ini", "json", "python", "text", "toml", "yaml"})
"""The languages of what a reader is shown, or puts into a file."""

_FENCE = re.compile(r" *```.*")
_HEADING = re.compile(r"(#+) ")
_MARK = re.compile(r" *<!-- ((?:run by|not run:) .+) -->")
_PROGRAMS = (
    "apt|az|cat|cd|cp|curl|docker|export|git|gsutil|install|jq|kubectl|mkdir|mv|pip|pipx|podman|"
    r"promtool|pytest|python3?|rm|sed|sha256sum|sudo|systemctl|systemd-run|tar|uv|tau-[\w-]+"
)
_LOOKS_TYPED = re.compile(
    rf" *(?:\$ |(?:\S*[*/\d]\S* +){{5}}|(?:\./)?scripts/|\.venv/|(?:{_PROGRAMS}) +[-\w.<'\"$/])",
)
_EXIT = re.compile(r" *#.*\bexit (\d+)")
_HERE_DOCUMENT = re.compile(r"<<-?'?(\w+)'?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A code block: its language, its text, its first line in the document, and its mark."""

    language: str
    text: str
    line: int
    mark: str | None

    @property
    def looks_typed(self) -> bool:
        """Tell whether a line of it reads like a command."""
        return any(_LOOKS_TYPED.match(line) for line in self.text.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command as it is typed: the exit code that its comment says, and what it prints, if told.

    In what it prints `…` stands for any text of a line, and a line of it alone for any lines.
    """

    command: str
    code: int
    printed: str | None


def blocks_of(text: str) -> Iterator[Block]:
    """Give the code blocks of a document, in their order."""
    lines = ["", *text.splitlines(), "", "", ""]  # the first line is number 1
    sections: dict[int, str] = {}  # the marks of those that a line is in, by their level
    begins = 0
    for number, line in enumerate(lines):
        fence, heading = _FENCE.fullmatch(line), _HEADING.match(line)
        if begins and line.strip() == "```":
            indent, language = _parts(lines[begins])
            inside = (f"{one[indent:]}\n" for one in lines[begins + 1 : number])
            own = _MARK.fullmatch(lines[begins - 1])
            mark = own[1] if own else sections[max(sections)] if sections else None
            yield Block(language=language, text="".join(inside), line=begins, mark=mark)
            begins = 0
        elif fence and not begins:
            begins = number
        elif heading and not begins:
            level = len(heading[1])
            sections = {above: mark for above, mark in sections.items() if above < level}
            blank, below, after = lines[number + 1 : number + 4]
            if not blank and not after and (mark_below := _MARK.fullmatch(below)):
                sections[level] = mark_below[1]
    assert not begins, f"line {begins}: the block has no end"


def _parts(fence: str) -> tuple[int, str]:
    language, _, _ = fence.strip().removeprefix("```").partition(" ")  # behind it, a file's name
    return len(fence) - len(fence.lstrip()), language


def typed_in(block: Block) -> Iterator[Typed]:
    """Give the commands of a block that is typed, in their order."""
    if block.language != "console":
        for command in _commands(block.text.splitlines()):
            yield Typed(command=command, code=_code(command), printed=None)
        return
    first, *parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not first, f"line {block.line}: a console begins with '$ '"
    for part in parts:
        lines = part.splitlines()
        command = next(_commands(lines))
        printed = lines[command.count("\n") + 1 :]
        yield Typed(
            command=command, code=_code(command), printed="".join(f"{one}\n" for one in printed)
        )


def as_pattern(printed: str) -> "re.Pattern[str]":
    """Return what matches an output as a document shows it."""
    lines = []
    for line in printed.splitlines():
        if line.strip() == "…":
            lines.append(r"(?:[^\n]*\n)*")
        else:
            lines.append("[^\n]*".join(map(re.escape, line.split("…"))) + "\n")
    return re.compile("".join(lines))


def _code(command: str) -> int:
    found = _EXIT.search(command.splitlines()[0])
    return int(found[1]) if found else 0


def _commands(lines: list[str]) -> Iterator[str]:
    """Give each command whole: with the lines that continue it, and with its here-document."""
    waiting = iter(lines)
    for line in waiting:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        command = line
        while command.endswith("\\") or not _is_closed(command):
            command += "\n" + next(waiting)
        if here := _HERE_DOCUMENT.search(command):
            for each in waiting:
                command += "\n" + each
                if each == here[1]:
                    break
        yield command


def _is_closed(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True
