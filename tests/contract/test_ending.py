"""A signal to end is heard also where a library makes something else of it, or nothing at all."""

import subprocess
import sys

import pytest

PACKAGES = ("tau_custom_command", "tau_rollout_gate", "tau_transport_health")

LOST = """
import signal, sys, time
from {package}.cli import app, main

class Deaf:
    def __del__(self):
        signal.raise_signal(signal.{name})

def lose():
    Deaf()
    time.sleep(60)
    print("it went on")

app.app = lose
main.main()
"""

TRANSLATED = """
import signal
from {package}.cli import app, main
from {package}.errors import ExitCode

def translate():
    try:
        signal.raise_signal(signal.{name})
    except BaseException as error:
        raise ValueError("a library's own words") from error

app.app = translate
main.main()
"""

TOLD = """
import signal
from {package}.cli import app, main

class Group(app.app.info.cls):
    def invoke(self, ctx):
        with self.border(ctx):
            try:
                signal.raise_signal(signal.{name})
            except BaseException as error:
                raise self.expected("the file is damaged") from error

app.app.info.cls = Group
main.main()
"""

IN_ORDER = """
import signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "datetime" and signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            print("too late")

sys.meta_path.insert(0, Finder())
from {package}.cli import main
main.main()
"""


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    ("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGQUIT", 131), ("SIGINT", 130)]
)
@pytest.mark.parametrize("program", [LOST, TRANSLATED, TOLD], ids=["lost", "translated", "told"])
def test_a_signal_that_a_library_swallows_ends_the_program(
    package: str, name: str, code: int, program: str
) -> None:
    """With the signal's own exit code, and no word of what it was taken for."""
    done = subprocess.run(
        [sys.executable, "-c", program.format(package=package, name=name), "x"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr in {"", "interrupted\n"}


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("tau_custom_command", ("run", "none.json")),
        ("tau_rollout_gate", ("evaluate",)),
        ("tau_transport_health", ("inspect", "none")),
    ],
)
def test_no_signal_comes_where_msgspec_would_lose_it(package: str, words: tuple[str, ...]) -> None:
    """What it asks for while it is imported is there before signals are heard of."""
    done = subprocess.run(
        [sys.executable, "-c", IN_ORDER.format(package=package), *words],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode in {2, 5}, done
    assert "too late" not in done.stdout
