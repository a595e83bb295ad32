"""What finds and types the blocks of the documents: nothing that is wrong there gets through."""

from pathlib import Path

import pytest

from tests.end_to_end.blocks import Block, Typed, as_pattern, blocks_of, typed_in
from tests.end_to_end.shell import type_all

DOCUMENT = """\
# Title

```bash
one
```

## Section

<!-- run by tests/x.py -->

```bash
two
```

### Part

```text
three
```

## Other

<!-- not run: it takes root -->
```bash
four
```

text

  ```console
  $ five
  ```
"""


def block(text: str, language: str = "bash") -> Block:
    """Return a block without a mark."""
    return Block(language=language, text=text, line=1, mark=None)


def test_a_mark_is_of_the_next_block_or_of_its_section() -> None:
    """Not of what stands behind text, or in another section."""
    found = [(one.language, one.text, one.line, one.mark) for one in blocks_of(DOCUMENT)]
    assert found == [
        ("bash", "one\n", 3, None),
        ("bash", "two\n", 11, "run by tests/x.py"),
        ("text", "three\n", 17, "run by tests/x.py"),
        ("bash", "four\n", 24, "not run: it takes root"),
        ("console", "$ five\n", 30, None),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "$ anything",
        "tau-rollout-gate rollback --reason TEXT",
        "./scripts/test.sh",
        ".venv/bin/pytest",
        "*/5 * * * * some program",
        "17 3 * * * some program",
        "sudo -u tau something",
        "cp -a here there",
        "docker run IMAGE",
        "    git tag --annotate x",
    ],
)
def test_what_looks_typed_is_noticed(line: str) -> None:
    """So that a command cannot pass as a text."""
    assert block(f"first\n{line}\n", "text").looks_typed


@pytest.mark.parametrize(
    "line", ["HOLD  1.4.0 stays in canary-1", "transport-health  cli → watch", "greet is approved"]
)
def test_what_is_printed_is_none(line: str) -> None:
    """An output and a drawing stay texts."""
    assert not block(line, "text").looks_typed


def test_a_command_is_whole() -> None:
    """With the lines that continue it, its quotes and its here-document; comments are none."""
    text = "a \\\n  b\n# no\n\ncat <<'END'\nc\n\nEND\necho 'd\ne' # exit 3\n"
    assert [(one.command, one.code) for one in typed_in(block(text))] == [
        ("a \\\n  b", 0),
        ("cat <<'END'\nc\n\nEND", 0),
        ("echo 'd\ne' # exit 3", 0),
    ]
    assert next(typed_in(block("x # exit 3: it holds\n"))).code == 3


def test_a_console_tells_what_is_printed() -> None:
    """Each command has what stands below it."""
    text = "$ a \\\n    b\nsays\n\nmore\n$ c # exit 2\n"
    assert list(typed_in(block(text, "console"))) == [
        Typed(command="a \\\n    b", code=0, printed="says\n\nmore\n"),
        Typed(command="c # exit 2", code=2, printed=""),
    ]


def test_an_ellipsis_stands_for_text_of_a_line_or_for_lines() -> None:
    """And for nothing else."""
    assert as_pattern("a … c\n").fullmatch("a b c\n")
    assert not as_pattern("a … c\n").fullmatch("a b\nc\n")
    assert as_pattern("a\n…\n").fullmatch("a\n\nb\n")
    assert not as_pattern("…\na\n").fullmatch("b\n")


def printed(command: str, text: str | None = None, code: int = 0) -> Typed:
    """Return what is typed, with what the document says of it."""
    return Typed(command=command, code=code, printed=text)


def test_one_shell_types_all(tmp_path: Path) -> None:
    """A folder, a variable and a job of the background are there for what comes later."""
    background = "(command sleep 0.4; touch done) & job=$!"
    type_all(
        [
            printed("mkdir x && cd x && name=value"),
            printed('echo "$name in ${PWD##*/}"', "value in x\n"),
            printed(background),
            printed("sleep 60"),
            printed("ls done", "done\n"),
            printed("false", "", 1),
        ],
        tmp_path,
    )


@pytest.mark.parametrize(
    "wrong", [printed("true", code=1), printed("false"), printed("echo a", "b\n"), printed("(")]
)
def test_what_is_not_as_it_says_fails(wrong: Typed, tmp_path: Path) -> None:
    """Another exit code, another output, no command at all."""
    with pytest.raises(AssertionError):
        type_all([wrong, printed("true")], tmp_path)
