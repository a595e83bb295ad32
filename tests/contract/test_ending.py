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
    for _ in range(600):  # a signal just before it sleeps is heard when that ends
        time.sleep(0.1)
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

WHILE_IMPORTED = """
import signal, sys, time
from types import ModuleType
from {package}.cli import main

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            sys.meta_path.remove(self)
            try:
                signal.raise_signal(signal.{name})
            except BaseException:  # as msgspec's own code forgets it
                print("raised while it was imported")

def begin():
    import {module}
    for _ in range(600):  # a signal just before it sleeps is heard when that ends
        time.sleep(0.1)
    print("it went on")

sys.modules.pop("{module}", None)
sys.meta_path.insert(0, Finder())
app = sys.modules["{package}.cli.app"] = ModuleType("app")
app.app = begin
main.main()
"""

AGAIN = """
import signal
from {package}.cli import app, main

def end():
    try:
        signal.raise_signal(signal.{name})
    finally:
        for again in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"):
            signal.raise_signal(getattr(signal, again))
        print("put back")

app.app = end
main.main()
"""

ASKED_AGAIN = """
import signal
from {package}.cli import app, ending, main
from {package}.{module} import {held}

def write():
    ending._asked.append(signal.{name})
    with {held}():
        signal.raise_signal(signal.SIGALRM)
        print("complete")
    print("it went on")

app.app = write
main.main()
"""

AT_THE_END = """
import atexit, signal, sys
from {package}.cli import main

atexit.register(signal.raise_signal, signal.{name})
main.main()
"""

BEFORE = """
import sys
before = set(sys.modules)
from {package}.cli import main
print(*set(sys.modules) - before)
main.main()
"""


def run(program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of Python's to its end."""
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    ("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGQUIT", 131), ("SIGINT", 130)]
)
@pytest.mark.parametrize("program", [LOST, TRANSLATED, TOLD], ids=["lost", "translated", "told"])
def test_a_signal_that_a_library_swallows_ends_the_program(
    package: str, name: str, code: int, program: str
) -> None:
    """With the signal's own exit code, and no word of what it was taken for."""
    done = run(program.format(package=package, name=name), "x")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr in {"", "interrupted\n"}


@pytest.mark.parametrize("module", ["datetime", "msgspec", "msgspec._utils"])
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.parametrize("package", PACKAGES)
def test_a_signal_ends_the_program_once_nothing_is_imported(
    package: str, name: str, code: int, module: str
) -> None:
    """An exception that a library forgets while it is imported would be lost, or leave it broken.

    msgspec took an address of `datetime` that was none then, and ended in a segmentation fault.
    """
    done = run(WHILE_IMPORTED.format(package=package, name=name, module=module), "x")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr in {"", "interrupted\n"}


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_no_other_signal_cuts_the_ending_short(package: str, name: str, code: int) -> None:
    """Not one of another kind either: the first one is what the program ends by."""
    done = run(AGAIN.format(package=package, name=name), "x")
    assert (done.returncode, done.stdout) == (code, "put back\n")
    assert done.stderr in {"", "interrupted\n"}


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_at_the_very_end_is_no_traceback(package: str, name: str) -> None:
    """All is said and done by then."""
    done = run(AT_THE_END.format(package=package, name=name), "--version")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("package", PACKAGES)
def test_signals_are_heard_before_anything_takes_time(package: str) -> None:
    """Until then Ctrl-C shows a traceback of imports."""
    done = run(BEFORE.format(package=package), "--version")
    mine = {package, f"{package}.cli", f"{package}.cli.main", f"{package}.cli.ending"}
    assert set(done.stdout.splitlines()[0].split()) == mine


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.parametrize(
    ("package", "module", "held"),
    [
        ("tau_custom_command", "storage.signals", "interruptions_held"),
        ("tau_rollout_gate", "files.signals", "signals_held"),
        ("tau_transport_health", "files.signals", "signals_held"),
    ],
)
def test_what_signals_wait_for_is_not_cut_short_by_their_being_asked_again(
    package: str, module: str, held: str, name: str, code: int
) -> None:
    """A write goes on to its end, also where the signal came before, during an import."""
    program = ASKED_AGAIN.format(package=package, module=module, held=held, name=name)
    done = run(program, "x")
    assert (done.returncode, done.stdout) == (code, "complete\n")
