"""Patterns are looked for in processes of their own, that end when they take too long."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.cycle.checks.pattern_match import Unmatched
from tau_custom_command.execution.pattern import worker
from tau_custom_command.execution.pattern.search import PatternSearch

FOR_EVER = ("(a+)+$", "a" * 64 + "b")


def _workers(parent: int) -> set[int]:
    """Return the processes that a process started to look for patterns."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    pids = {int(pid) for file in children for pid in file.read_text().split()}
    return {pid for pid in pids if b"pattern/worker.py" in _command_line(pid)}


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it is gone
        return b""


@pytest.fixture(scope="module")
def search() -> Iterator[PatternSearch]:
    """One that is used for many patterns, as a cycle uses it."""
    with PatternSearch(seconds=0.3) as searching:
        yield searching


def test_groups_as_python_finds_them(search: PatternSearch) -> None:
    """All that matched first, then the groups; None of one that took no part."""
    assert search("a+(b)|(c)", "xxaab c") == ("aab", "b", None)
    assert search("", "") == ("",)
    assert search("(?i)É\n(.)", "é\n\u2028") == ("é\n\u2028", "\u2028")
    assert search("z", "xyxy") is Unmatched.NO_MATCH


def test_a_pattern_that_takes_for_ever_is_ended(search: PatternSearch) -> None:
    """Soon after its time, and the next one is looked for as if nothing had been."""
    started = time.monotonic()
    assert search(*FOR_EVER) is Unmatched.TIMED_OUT
    assert 0.3 <= time.monotonic() - started < 30
    assert search("b", "ab") == ("b",)
    assert len(_workers(os.getpid())) == 1


def test_a_large_text_and_a_large_answer(search: PatternSearch) -> None:
    """As much as is kept of an output, in more than a pipe holds, both ways."""
    text = "é" * 500_000
    assert search("(?s)(.*)", text) == (text, text)


def test_a_process_is_used_again_and_ends_with_the_context() -> None:
    """It is started once, and not before there is a pattern."""
    before = _workers(os.getpid())
    with PatternSearch() as searching:
        assert _workers(os.getpid()) == before
        searching("a", "a")
        (pid,) = _workers(os.getpid()) - before
        searching("b", "b")
        assert _workers(os.getpid()) - before == {pid}
    assert _workers(os.getpid()) == before


def test_a_process_that_was_killed_is_replaced() -> None:
    """What it was asked then is not decided; the next question is."""
    before = _workers(os.getpid())
    with PatternSearch() as searching:
        searching("a", "a")
        (pid,) = _workers(os.getpid()) - before
        os.kill(pid, signal.SIGKILL)
        assert searching("a", "a") is Unmatched.FAILED
        assert searching("a", "a") == ("a",)


def test_no_room_for_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as undecided, and no descriptor is left open."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with PatternSearch() as searching:
        assert searching("a", "a") is Unmatched.FAILED
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_process_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own clock does not end it then; whoever asked does not wait for ever."""
    monkeypatch.setattr(f"{PatternSearch.__module__}._START_SECONDS", 0.2)
    before = _workers(os.getpid())
    with PatternSearch(seconds=0.1) as searching:
        searching("a", "a")
        (pid,) = _workers(os.getpid()) - before
        os.kill(pid, signal.SIGSTOP)
        assert searching("a", "a") is Unmatched.FAILED
        assert not _command_line(pid)


def test_many_threads_at_once(search: PatternSearch) -> None:
    """Each has its own answer, also beside one that takes for ever."""
    with ThreadPoolExecutor(8) as pool:
        slow = pool.submit(search, *FOR_EVER)
        found = list(pool.map(lambda n: search(f"<({n})>", f"<{n}><{n + 1}>"), range(200)))
    assert found == [(f"<{n}>", f"{n}") for n in range(200)]
    assert slow.result() is Unmatched.TIMED_OUT


ASKS_FOR_EVER = """
import sys, threading
from tau_custom_command.execution.pattern.search import PatternSearch
search = PatternSearch(seconds=1.0)
search("a", "a")
threading.Thread(target=search, args=("(a+)+$", "a" * 64 + "b"), daemon=True).start()
print("asked", flush=True)
sys.stdin.read()
"""


def test_it_ends_with_a_runtime_that_is_killed() -> None:
    """Also while it looks for a pattern, which lets it see nothing else."""
    with subprocess.Popen(
        [sys.executable, "-c", ASKS_FOR_EVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as runtime:
        assert runtime.stdout is not None
        assert runtime.stdout.readline() == b"asked\n"
        workers = _workers(runtime.pid)
        assert workers
        runtime.kill()
    deadline = time.monotonic() + 10
    while any(map(_command_line, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_wish_to_stop_does_not_end_it() -> None:
    """A service manager may tell every process; the runtime decides what ends, and when."""
    before = _workers(os.getpid())
    with PatternSearch() as searching:
        searching("a", "a")
        (pid,) = _workers(os.getpid()) - before
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            os.kill(pid, number)
        assert searching("a", "a") == ("a",)


def test_ctrl_c_does_not_reach_it(search: PatternSearch) -> None:
    """It is in a group of its own; the runtime decides what an interruption means."""
    search("a", "a")
    for pid in _workers(os.getpid()):
        assert os.getpgid(pid) == pid


def test_what_takes_too_much_memory_is_undecided() -> None:
    """The process answers that it could not tell, and goes on."""
    greedy = "(?:" + "()" * 150 + "a)*"
    before = _workers(os.getpid())
    with PatternSearch(seconds=60) as searching:
        assert searching(greedy, "a" * 1_000_000) is Unmatched.FAILED
        workers = _workers(os.getpid())
        assert searching(greedy, "aa") == ("aa", *[""] * 150)
        assert _workers(os.getpid()) == workers > before


def test_groups_that_are_too_long_together_are_undecided(search: PatternSearch) -> None:
    """They overlap, so a short pattern could fill the memory of the runtime with a MiB of text."""
    text = "a" * 1024 * 1024
    assert search("(?s)((((((.*))))))", text) == (text,) * 7
    for pattern_ in ("(?s)" + "(" * 100 + ".*" + ")" * 100, "(?s)" + "(?=(.*))" * 100):
        assert search(pattern_, text) is Unmatched.FAILED
    assert search("b", "ab") == ("b",)


def test_each_question_has_a_line_for_an_answer() -> None:
    """And the clock that would end the process stands between two of them."""
    answers = StringIO()
    questions = ['["a(b)?", "xa", 9.0]\n', '["b", "a", 9.0]\n']
    worker.serve(questions, answers)
    assert answers.getvalue() == '["a", null]\nnull\n'
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@given(st.text(), st.text())
def test_texts_arrive_as_they_are(search: PatternSearch, text: str, around: str) -> None:
    """Whatever characters they hold; a lone half of a pair is no text."""
    found = search(re.escape(text), around + text)
    assert found == (text,)
