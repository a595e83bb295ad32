"""Commands that a program tells people to type: each says which directory it is about.

Somebody who gave `--state-dir` and pastes what is told would else ask about another one. What the
environment says holds in the same shell, and need not be told.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any

from tau_custom_command.hint import hint
from tests.contract.running import ROOT
from tests.contract.test_commands import command_line

PROGRAMS = {
    "tau-custom-command": "tau_custom_command",
    "tau-transport-health": "tau_transport_health",
    "tau-rollout-gate": "tau_rollout_gate",
}
PLACES = ("--state-dir", "--rollout-dir")
PUT_IN = re.compile(r"\{(look|self\._judged|where|\*place)\}")
"""What is put in for a place, whole: the inspector's target, the gate's directories."""

MADE_WHOLE = ("tau_rollout_gate/decision/", "tau_rollout_gate/fleet/", "tau_rollout_gate/policy/")
"""Remedies: of what these say in words `explain` makes whole commands (formats/next_steps.py)."""

MENTIONED = {
    "tau_custom_command/fixture/starter.py",  # in a fixture, which is no state directory's
    "tau_rollout_gate/contract/store/shipped.py",  # what another host did
    "tau_rollout_gate/evidence/signoff_form.py",  # a comment in a file that may be anywhere
}
"""Modules that name a command, and ask nobody to type it here."""

Told = tuple[str, str, str]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module but its docstrings, each with its line; `{…}` is put in."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            skipped |= {each.value for each in node.body if isinstance(each, ast.Expr)}
        if node in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            skipped |= set(node.values)
            yield node.lineno, "".join(map(part, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def part(value: ast.expr) -> str:
    """Return a part of a text, or what is put in there."""
    if isinstance(value, ast.Constant):
        return str(value.value)
    assert isinstance(value, ast.FormattedValue)
    return f"{{{ast.unparse(value.value)}}}"


def told() -> Iterator[Told]:
    """Yield the commands that modules tell: where, the program, and the words after it."""
    for path in sorted(ROOT.glob("packages/*/src/*/**/*.py")):
        where = str(path.relative_to(ROOT)).partition("/src/")[2]
        if where.startswith(MADE_WHOLE) or where in MENTIONED:
            continue
        for line, text in texts(ast.parse(path.read_text())):
            for found in re.finditer(r"(tau-[a-z]+-[a-z]+) ([a-z][^`]*)", text):
                if found[1] in PROGRAMS:
                    yield f"{where}:{line}", found[1], found[2]


def options_of(program: str, words: str) -> set[str]:
    """Return the options of the command that these words name; none where they name none."""
    found: Any = command_line(PROGRAMS[program])
    for word in words.split():
        if not hasattr(found, "commands"):
            break
        if (name := word.strip("';:,.")) not in found.commands:
            return set()
        found = found.commands[name]
        found = found.found() if hasattr(found, "found") else found
    return {name for each in found.params for name in each.opts}


def test_every_command_that_is_told_names_its_directory() -> None:
    """Where it takes one: by the option, or by what is put in for it."""
    with_a_place = [one for one in told() if options_of(*one[1:]) & set(PLACES)]
    assert len(with_a_place) >= 15
    assert [
        (where, program, words)
        for where, program, words in with_a_place
        if not (PUT_IN.search(words) or any(place in words for place in PLACES))
    ] == []


def test_the_runtime_makes_its_commands_in_one_place() -> None:
    """Which quotes the directory, and cannot forget it."""
    assert hint("recover", "--yes", state_dir="a b") == (
        "tau-custom-command recover --yes --state-dir 'a b'"
    )
    of_the_runtime = [one for one in told() if one[0].startswith("tau_custom_command/")]
    assert [one for one in of_the_runtime if options_of(*one[1:]) & set(PLACES)] == []
