"""Secrets come from variables or files, and no message or object shows what they are."""

import os
import re
import threading
import traceback
from pathlib import Path

import pytest

from tau_custom_command.errors import StorageError
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.masking import masked
from tau_custom_command.execution.secrets import (
    LARGEST_BYTES,
    Secrets,
    SecretSource,
    denied_variables,
    read,
    sources_of,
)
from tau_custom_command.fixture.model import Case

ENVIRONMENT = {
    "TOKEN": "hunter22",
    "EMPTY": "",
    "SHORT": "12345",
    "BLANK": " \t\n    ",
    "A": "a" * 9,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file for a secret that only its owner reads."""
    path = tmp_path / "a file"
    path.touch(mode=0o600)
    return path


def in_file(path: Path, content: bytes) -> Secrets:
    """Read a secret from a file that holds this."""
    path.write_bytes(content)
    return read([SecretSource("KEY", path)], {})


def test_a_variable_and_a_file(file: Path) -> None:
    """A command gets each by its name, and both are masked."""
    file.write_bytes(b"from a file\n")
    sources = sources_of(["TOKEN", f"KEY=file:{file}"], ENVIRONMENT)
    assert sources == (SecretSource("TOKEN"), SecretSource("KEY", file))
    secrets = read(sources, ENVIRONMENT)
    assert secrets.environment == {"TOKEN": "hunter22", "KEY": "from a file"}
    assert masked(b"hunter22, from a file", secrets.values) == b"***, ***"
    assert secrets.warnings == ()
    assert (read((), {}), Secrets().values) == (Secrets(), ())


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hunter22", "hunter22"),
        (b"hunter22\n", "hunter22"),
        (b"hunter22\r\n", "hunter22"),
        (b"hunter22\n\n", "hunter22\n"),
        (b"hunter22\r", "hunter22\r"),
        (b"two\nlines\n", "two\nlines"),
        ("größe2".encode(), "größe2"),
        (b"\xff\xfe\xfd\xfc\xfb\xfa", "\udcff\udcfe\udcfd\udcfc\udcfb\udcfa"),
        (b"x" * LARGEST_BYTES + b"\r\n", "x" * LARGEST_BYTES),
    ],
)
def test_one_final_line_break_of_a_file_is_forgiven(file: Path, content: bytes, value: str) -> None:
    """Nothing else of it is changed; bytes that are no text stay what they are."""
    secrets = in_file(file, content)
    assert secrets.environment == {"KEY": value}
    assert secrets.values == (re.sub(rb"\r?\n\Z", b"", content),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has fewer than 6 characters"),
        (b"\n", "has fewer than 6 characters"),
        (b"12345\n", "has fewer than 6 characters"),
        (b" 12345 ", "has fewer than 6 characters"),
        ("größe".encode(), "has fewer than 6 characters"),
        (b"hunter22\0", "holds a NUL character"),
        (b"x" * (LARGEST_BYTES + 1), "has more than 65,536 bytes"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(file: Path, content: bytes, message: str) -> None:
    """It says which one and why, and nothing of what is in it."""
    with pytest.raises(StorageError) as caught:
        in_file(file, content)
    assert str(caught.value).startswith(f"--secret KEY: {file} {message}")
    assert "hunter22" not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """It is told as the operating system tells it."""
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "no", "No such file")):
        with pytest.raises(StorageError, match=f"^{path}: cannot read: {reason}"):
            read([SecretSource("KEY", path)], {})


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """So what a password store prints need not become a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"hunter22\n",))
    writer.start()
    secrets = read([SecretSource("KEY", pipe)], {})
    writer.join()
    assert (secrets.environment, secrets.warnings) == ({"KEY": "hunter22"}, ())


def test_a_file_that_everybody_reads_is_warned_of(file: Path) -> None:
    """With the command that mends it; its group may read it."""
    file.chmod(0o644)
    assert in_file(file, b"hunter22").warnings == (
        f"{file}: every user can read the secret KEY: chmod o-r '{file}'",
    )
    file.chmod(0o640)
    assert in_file(file, b"hunter22").warnings == ()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("NOSUCH", "the variable NOSUCH is not set"),
        ("EMPTY", "the variable EMPTY is empty"),
        ("SHORT", "the variable SHORT has fewer than 6 characters"),
        ("BLANK", "the variable BLANK has fewer than 6 characters"),
        ("LD_PRELOAD=file:x", "LD_PRELOAD changes what programs load"),
        ("PATH", "PATH changes what programs load"),
        ("TOKEN=hunter22", "TOKEN: write TOKEN for the variable, or TOKEN=file:PATH"),
        ("TOKEN=", "TOKEN: write TOKEN for the variable"),
        ("TOKEN=file:", "TOKEN: write TOKEN for the variable"),
        ("TOKEN=file: ", "TOKEN: write TOKEN for the variable"),
        ("", "the name is not an identifier"),
        ("hunter22!", "the name is not an identifier"),
        ("=file:x", "the name is not an identifier"),
        ("two words", "the name is not an identifier"),
    ],
)
def test_what_is_no_secret_is_wrong_usage(written: str, message: str) -> None:
    """It says so, and does not quote what may be a value in the place of a name."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        sources_of(["A", written], ENVIRONMENT)
    assert "hunter22" not in str(caught.value)


def test_a_name_twice_is_wrong_usage() -> None:
    """Which of the two would count nobody could tell."""
    with pytest.raises(ValueError, match=r"^TOKEN is given twice"):
        sources_of(["TOKEN", "A", "TOKEN=file:x"], ENVIRONMENT)


def test_a_variable_that_went_away_is_told() -> None:
    """It was looked at when the command line was read, and is read once more."""
    with pytest.raises(StorageError, match=r"^--secret TOKEN: the variable TOKEN is not set"):
        read(sources_of(["TOKEN"], ENVIRONMENT), {})


def test_no_value_is_shown() -> None:
    """Neither by itself nor within something else that is printed."""
    secrets = read(sources_of(["TOKEN", "A"], ENVIRONMENT), ENVIRONMENT)
    assert repr(secrets) == "Secrets(TOKEN, A)"
    assert "hunter22" not in f"{secrets} {[secrets]!r} {secrets!s}"
    invocation = Invocation(("x",), environment=secrets.environment, secrets=secrets.values)
    assert repr([invocation]) == "[Invocation('x')]"


def test_a_secret_is_found_wherever_it_stands() -> None:
    """In a text, or in any value or name of a form; as it stands, not a line of it alone."""
    secrets = Secrets(environment={"TOKEN": "hunter22", "KEY": "one\nlong line\n"})
    assert secrets.name_in("--password=hunter22") == "TOKEN"
    assert secrets.name_in({"a": [1, {"b": ["x", "the hunter22"]}]}) == "TOKEN"
    assert secrets.name_in({"a": {"hunter22": None}}) == "TOKEN"
    assert (
        secrets.name_in(Case(case_id="1", operation="RUN", arguments={"x": "hunter22"})) == "TOKEN"
    )
    assert secrets.name_in("zero\none\nlong line") == "KEY"
    assert secrets.name_in({"a": ["long line", "***", "hunter2", 22, True]}) is None


def test_values_of_denied_names_are_masked_too() -> None:
    """In any case of letters; what is too short to be looked for is left out."""
    environment = {"OpenAI_API_Key": "sk-123", "TOKEN": "hunter22", "OTHER": "1", "NONE": ""}
    found = denied_variables(["openai_api_key", "other", "none"], environment)
    assert (repr(found), found.values) == ("Secrets(OpenAI_API_Key)", (b"sk-123",))
