"""Where answers go: a terminal, a pipe, the files of a GitHub job."""

import os
import pty
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest

from tau_rollout_gate.cli.options import Format
from tau_rollout_gate.cli.output import print_answer, print_text
from tau_rollout_gate.cli.terminal import terminal_look
from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.formats import explain, github
from tau_rollout_gate.formats.renderers import RENDERERS
from tests.rollout_gate.answers import HOSTILE, answer, around, failing, filled_with, stuck


def on_a_terminal(**variables: str) -> str:
    """Return what a terminal shows of the text and the explanation."""
    ours, theirs = pty.openpty()
    with ThreadPoolExecutor() as reader, pytest.MonkeyPatch.context() as patch:
        shown = reader.submit(all_of, ours)
        for name, value in {"COLUMNS": "72", "TERM": "xterm", **variables}.items():
            patch.setenv(name, value)
        with os.fdopen(theirs, "w") as terminal, redirect_stdout(terminal):
            print_answer(answer(), Format.TEXT)
            print_text(explain.render(answer(), around(), look=terminal_look()))
    return shown.result().decode().replace("\r\n", "\n")


def all_of(terminal: int) -> bytes:
    """Read what is shown on a terminal until it is closed, and close this side of it."""
    shown = b""
    # An error is how Linux says that the other side is closed.
    with os.fdopen(terminal, "rb", buffering=0) as ours, suppress(OSError):
        while chunk := ours.read(65_536):
            shown += chunk
    return shown


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run outside a GitHub job, also where the tests run in one."""
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.mark.parametrize("name", Format)
def test_a_pipe_gets_the_format_and_nothing_else(
    name: Format, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are those of the format: no colour, no width, no locale of whoever asks."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LC_ALL", "C")
    print_answer(answer(), name)
    assert capfdbinary.readouterr().out == RENDERERS[name](answer()).encode()


def test_a_pipe_gets_the_explanation(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The same bytes every time."""
    print_text(explain.render(answer(), around(), look=terminal_look()))
    assert capfdbinary.readouterr().out == explain.render(answer(), around()).encode()


def test_a_terminal_gets_colours_and_its_width() -> None:
    """Both texts keep to the columns that there are."""
    shown = on_a_terminal(NO_COLOR="")
    assert "\x1b[33mHOLD\x1b[0m  1.4.0" in shown
    plain = on_a_terminal(NO_COLOR="1")
    assert 60 < max(map(len, plain.splitlines())) <= 72


@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1"}, {"TERM": "dumb", "NO_COLOR": ""}], ids=["asked", "dumb"]
)
def test_colours_can_be_refused(variables: dict[str, str]) -> None:
    """By NO_COLOR, and by a terminal that has none."""
    shown = on_a_terminal(**variables)
    assert shown.startswith("HOLD  1.4.0")
    assert "\x1b" not in shown


def test_a_job_gets_its_outputs_and_its_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appended to what earlier commands of the step wrote."""
    outputs, summary = tmp_path / "outputs", tmp_path / "summary"
    outputs.write_text("earlier=1\n")
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    one = filled_with(answer(), HOSTILE["bytes that are no text"])
    print_answer(one, Format.GITHUB)
    assert outputs.read_text() == "earlier=1\n" + github.outputs(one)
    assert summary.read_text() == RENDERERS["markdown"](one)


def test_what_a_step_wrote_before_keeps_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it ends without a line break: neither its own output nor ours is spoilt."""
    outputs, summary = tmp_path / "outputs", tmp_path / "summary"
    outputs.write_text("deployed=1.3.2")
    summary.write_text("Deployed.")
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    print_answer(answer(), Format.GITHUB)
    assert outputs.read_text() == "deployed=1.3.2\n" + github.outputs(answer())
    assert summary.read_text() == "Deployed.\n" + RENDERERS["markdown"](answer())


@pytest.mark.parametrize("before", [0, 1_000_000, 1024 * 1024 - 1, 1024 * 1024 + 5])
def test_a_summary_stays_below_a_mebibyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    """GitHub takes none that is larger: whole lines are kept, and it is said where the rest is."""
    summary = tmp_path / "summary"
    summary.write_text("x" * before)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    print_answer(stuck(gates=(failing("queue_depth", observed="x" * 3_000),) * 400), Format.GITHUB)
    text = summary.read_text()
    assert len(text.encode()) <= max(1024 * 1024 - 1, before)
    assert text.startswith("x" * before)
    is_room = before < 1024 * 1024 - 1
    assert text.endswith("all of it.\n") == is_room
    if is_room:
        assert text.removeprefix("x" * before).lstrip("\n").startswith("## HOLD: ")
        assert text.splitlines()[-3].endswith(" |")


def test_a_summary_that_is_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who tries what a job would get."""
    readable, writable = os.pipe()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", f"/dev/fd/{writable}")
    print_answer(answer(), Format.GITHUB)
    os.close(writable)
    with os.fdopen(readable) as file:
        assert file.read() == RENDERERS["markdown"](answer())


@pytest.mark.parametrize("name", Format)
def test_an_answer_can_be_written_to_a_file(
    name: Format, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In every format, as a pipe would get it, and nothing is printed."""
    print_answer(answer(), name, tmp_path / "answer")
    assert (tmp_path / "answer").read_text() == RENDERERS[name](answer())
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("name", sorted(set(Format) - {Format.GITHUB}))
def test_other_formats_leave_the_files_of_a_job_alone(
    name: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only who asks for `github` gets them written."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    print_answer(answer(), name)
    assert list(tmp_path.iterdir()) == []


def test_a_job_names_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a slip in a variable: nothing is appended to it."""
    state = tmp_path / "state.json"
    state.write_bytes(b"{}")
    monkeypatch.setenv("GITHUB_OUTPUT", str(state))
    with pytest.raises(StorageError, match=r"lies in a state .*; GITHUB_OUTPUT names it"):
        print_answer(answer(), Format.GITHUB)
    assert state.read_bytes() == b"{}"


def test_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The answer is printed first; then it is said which file, why, and what names it."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path))
    with pytest.raises(StorageError) as refused:
        print_answer(answer(), Format.GITHUB)
    assert str(refused.value) == (
        f"{tmp_path}: cannot be written: Is a directory; GITHUB_OUTPUT names it"
    )
    assert capfd.readouterr().out == RENDERERS["github"](answer())
