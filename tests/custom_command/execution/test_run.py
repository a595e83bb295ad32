"""A command is run to its end under each profile, and what came of it is told the same in each."""

import gc
import os
import resource
import shutil
import signal
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.limits import Limits
from tau_custom_command.execution.run import run
from tau_custom_command.execution.variables import Variables
from tau_custom_command.policy.model import SandboxProfile
from tests.custom_command.execution.runtime import Runtime
from tests.custom_command.execution.sandboxes import ALL, CONFINED, ended, invocation

SHORT = Limits(timeout_ms=400, stop_grace_ms=300, drain_ms=300)


@pytest.mark.parametrize("profile", ALL)
@pytest.mark.parametrize(
    ("script", "code", "number", "explanation"),
    [
        ("exit 0", 0, None, ""),
        ("exit 7", 7, None, "it exited with 7"),
        ("exit 126", 126, None, "it exited with 126"),
        ("exit 127", 127, None, "it exited with 127"),
        ("exit 255", 255, None, "it exited with 255"),
        ("kill -9 $$", 137, 9, "it died of signal 9 (SIGKILL)"),
        ("kill -TERM $$", 143, 15, "it died of signal 15 (SIGTERM)"),
    ],
)
def test_how_a_command_ended(  # noqa: PLR0913, PLR0917 - what it is run with, and what is told
    profile: SandboxProfile,
    script: str,
    code: int,
    number: int | None,
    explanation: str,
    workspace: Path,
) -> None:
    """Its exit code, 128 + n for a death by signal n; anything but 0 is a failure."""
    found = ended(invocation(profile, workspace, "sh", "-c", script))
    assert (found.started, found.exit_code, found.signal) == (True, code, number)
    assert found.explanation == explanation
    assert found.failure is (FailureReason.NON_ZERO_EXIT if code else None)
    assert not found.left_behind


@pytest.mark.parametrize("profile", ALL)
def test_what_a_command_writes_and_reads(profile: SandboxProfile, workspace: Path) -> None:
    """Both streams come apart, whole; stdin is empty; no descriptor but these three is open."""
    script = 'cat; echo out; echo err >&2; for f in /proc/self/fd/*; do readlink "$f"; done | wc -l'
    found = ended(invocation(profile, workspace, "sh", "-c", script))
    # The fourth is the pipe that the shell itself opened for its loop, or the list of them.
    assert found.stdout.text.split()[0] == "out"
    assert int(found.stdout.text.split()[1]) <= 4
    assert found.stderr.text == "err\n"


@pytest.mark.parametrize("profile", ALL)
def test_each_word_arrives_as_it_is(profile: SandboxProfile, workspace: Path) -> None:
    """No shell reads them, and bubblewrap takes none for an option of its own."""
    words = ("a b", "", "$HOME", "`id`", "'\"", "x\ny", "--bind", "*", "\\n", "-", "--", "ü")
    found = ended(invocation(profile, workspace, "printf", "[%s]", *words))
    assert found.stdout.kept.decode() == "".join(f"[{word}]" for word in words)


@pytest.mark.parametrize("profile", ALL)
@pytest.mark.parametrize("program", ["tau-no-such-program", "/nowhere/program", "", "-x"])
def test_a_program_that_is_absent(profile: SandboxProfile, program: str, workspace: Path) -> None:
    """It is told before the intent to run it is written down."""
    asked = []
    found = run(
        invocation(profile, workspace, program),
        about_to_start=lambda: asked.append(True),
        cancelled=Cancellation(),
    )
    assert (found.started, found.failure) == (False, FailureReason.EXECUTABLE_NOT_FOUND)
    assert repr(program) in found.explanation
    assert not asked


@pytest.mark.parametrize("profile", ALL[1:])  # the first sees no program of the test's
@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        ("#!/no/such/interpreter\n", 0o755, "the interpreter that it names is not there"),
        ("#!/bin/sh\n", 0o644, "Permission denied"),
    ],
)
def test_a_program_that_the_kernel_refuses(
    profile: SandboxProfile, content: str, mode: int, why: str, workspace: Path
) -> None:
    """A start that failed is not taken for a command that exits with 126 or 127, nor for none."""
    program = workspace / "program"
    program.write_text(content)
    program.chmod(mode)
    found = ended(invocation(profile, workspace, str(program)))
    assert (found.started, found.failure) == (False, FailureReason.SPAWN_ERROR)
    assert found.explanation == f"it cannot be executed: {why}"


def test_the_program_is_the_first_of_its_name_that_can_be_executed(workspace: Path) -> None:
    """In the folders of PATH, as shells look for it, each time anew; else why the first cannot."""
    folders = [workspace / name for name in ("none", "folder", "closed", "open", "later")]
    asked = invocation(
        SandboxProfile.UNRESTRICTED,
        workspace,
        "tau-program",
        environment={"PATH": ":".join(map(str, folders))},
    )
    assert ended(asked).failure is FailureReason.EXECUTABLE_NOT_FOUND
    (folders[1] / "tau-program").mkdir(parents=True)
    assert ended(asked).failure is FailureReason.EXECUTABLE_NOT_FOUND
    for folder, mode in zip(folders[2:], (0o644, 0o755, 0o755), strict=True):
        folder.mkdir()
        program = folder / "tau-program"
        program.write_text(f"#!/bin/sh\necho {folder.name}\n")
        program.chmod(mode)
        found = ended(asked)
        if mode == 0o644:
            assert found.explanation == "it cannot be executed: Permission denied"
        else:
            assert found.stdout.text == "open\n"


@pytest.mark.parametrize("profile", ALL)
def test_a_word_that_no_process_can_be_told(profile: SandboxProfile, workspace: Path) -> None:
    """A zero byte, and half a character: told, and nothing is started."""
    for word in ("a\0b", "\ud800"):
        found = ended(invocation(profile, workspace, "echo", word))
        assert (found.started, found.failure) == (False, FailureReason.SPAWN_ERROR)


@pytest.mark.parametrize("profile", ALL)
def test_words_that_are_too_long(profile: SandboxProfile, workspace: Path) -> None:
    """The kernel takes no word beyond 128 KiB: a failure to start, as other start failures."""
    found = ended(invocation(profile, workspace, "echo", "x" * 200_000))
    assert (found.started, found.failure) == (False, FailureReason.SPAWN_ERROR)


@pytest.mark.parametrize("profile", ALL)
def test_a_command_that_takes_too_long_is_asked_to_end(
    profile: SandboxProfile, workspace: Path
) -> None:
    """It has SIGTERM to end by, and what it then does is still read."""
    script = "trap 'echo bye; exit 3' TERM; while :; do sleep 0.01; done"
    found = ended(invocation(profile, workspace, "sh", "-c", script, limits=Limits(timeout_ms=400)))
    assert (found.failure, found.timed_out, found.exit_code) == (FailureReason.TIMEOUT, True, 3)
    assert found.stdout.text == "bye\n"
    assert 400 <= found.duration_ms < 2400
    assert found.explanation == "it did not end within 400 ms, and was stopped"


@pytest.mark.parametrize("profile", ALL)
def test_a_command_that_does_not_heed_that_is_killed(
    profile: SandboxProfile, workspace: Path
) -> None:
    """With all that it started."""
    script = "trap '' TERM; sleep 77 & while :; do sleep 0.01; done"
    found = ended(invocation(profile, workspace, "sh", "-c", script, limits=SHORT))
    assert (found.failure, found.exit_code, found.signal) == (FailureReason.TIMEOUT, 137, 9)
    assert found.left_behind or profile is not SandboxProfile.UNRESTRICTED
    assert 700 <= found.duration_ms < 2000


def _stop_once_there(words: tuple[str, ...], cancelled: Cancellation) -> None:
    """Tell that all is to stop as soon as there is a process of just these words."""
    cmdline = "".join(f"{word}\0" for word in words).encode()
    until = time.monotonic() + 15
    while time.monotonic() < until:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if path.read_bytes() == cmdline:
                    cancelled.set()
                    return
        time.sleep(0.02)


@pytest.mark.parametrize("profile", ALL)
def test_a_command_is_stopped_together_with_the_runtime(
    profile: SandboxProfile, workspace: Path
) -> None:
    """At once, without waiting for its time limit; and nothing starts once that was told."""
    cancelled = Cancellation()
    words = ("sleep", f"20.0{os.getpid()}")
    stopping = threading.Thread(target=_stop_once_there, args=(words, cancelled))
    stopping.start()
    asked = invocation(profile, workspace, *words)
    found = run(asked, about_to_start=lambda: None, cancelled=cancelled)
    stopping.join()
    assert (found.started, found.failure) == (True, FailureReason.INTERRUPTED)
    assert found.duration_ms < 10_000
    found = run(asked, about_to_start=lambda: None, cancelled=cancelled)
    assert (found.started, found.failure) == (False, FailureReason.INTERRUPTED)


@pytest.mark.parametrize("profile", ALL)
@pytest.mark.parametrize(
    "script",
    [
        "sleep 78 & echo",
        "sleep 78 >/dev/null 2>&1 & echo",
        "bash -c 'set -m; sleep 78 >/dev/null 2>&1 & echo'",
        "(sleep 78 &) ; echo",
    ],
)
def test_what_a_command_has_left_is_ended(
    profile: SandboxProfile, script: str, workspace: Path
) -> None:
    """A reader does not wait for who still holds the output, and the audit tells of it."""
    began = time.monotonic()
    found = ended(invocation(profile, workspace, "sh", "-c", script))
    assert time.monotonic() - began < 40  # of the 78 that they would be waited for
    assert (found.failure, found.left_behind, found.stdout.text) == (None, True, "\n")
    assert found.explanation == "processes that it had left were killed"


@pytest.mark.parametrize("profile", CONFINED)
def test_what_left_the_session_is_ended_too(profile: SandboxProfile, workspace: Path) -> None:
    """In the confined profiles, which have processes of their own."""
    mark = f"78.{os.getpid()}"  # the same tests of another checkout may run beside
    script = f"setsid sleep {mark} >/dev/null 2>&1 & sleep 0.1"
    found = ended(invocation(profile, workspace, "sh", "-c", script))
    assert (found.failure, found.left_behind) == (None, True)
    assert not _runs(f"sleep\x00{mark}")


def test_unrestricted_says_what_it_cannot_end(workspace: Path) -> None:
    """What left the session and still holds the output: it is not waited for, and told."""
    script = "setsid sleep 1.5 & sleep 0.1"
    asked = invocation(SandboxProfile.UNRESTRICTED, workspace, "sh", "-c", script, limits=SHORT)
    found = ended(asked)
    assert (found.failure, found.left_behind) == (None, True)
    assert found.explanation == "processes that it started may still run: they left its session"


@pytest.mark.parametrize("profile", ALL)
def test_values_of_secrets_are_masked(profile: SandboxProfile, workspace: Path) -> None:
    """In what the command writes, and in its command line."""
    asked = invocation(
        profile,
        workspace,
        *("sh", "-c", 'echo "$TOKEN" hunter22'),
        environment={"TOKEN": "hunter22"},
        secrets=(b"hunter22",),
    )
    found = ended(asked)
    assert found.stdout.text == "*** ***\n"
    assert found.command_line == "sh -c 'echo \"$TOKEN\" ***'"


@pytest.mark.parametrize("profile", CONFINED)
def test_the_environment_of_a_confined_command(
    profile: SandboxProfile, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the runtime's but where programs are; and variables named as any other may be."""
    monkeypatch.setenv("TAU_LEAK", "1")
    monkeypatch.setenv("PATH", ".::relative/bin:/usr/bin:/bin")
    own = {"name": "x", "tau_": "1", "tau_seal": "2", "HOME": "/root", "LANG": "de_DE.UTF-8"}
    found = ended(invocation(profile, workspace, "env", environment=own))
    told = dict(line.split("=", 1) for line in found.stdout.text.splitlines())
    place = "/tmp"  # noqa: S108 - what the command sees of it is a directory of its own
    assert told.pop("PWD") == (place if profile is SandboxProfile.RESTRICTED else str(workspace))
    assert told == {
        "PATH": "/usr/bin:/bin",
        "HOME": place,
        "TMPDIR": place,
        "TERM": "dumb",
        "NO_COLOR": "1",
        "name": "x",
        "tau_": "1",
        "tau_seal": "2",
        "LANG": "de_DE.UTF-8",
    }


def test_the_environment_of_an_unrestricted_command(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime's, less the names that are denied, whatever their case."""
    monkeypatch.setenv("Tau_Leak", "1")
    monkeypatch.setenv("TAU_KEPT", "2")
    asked = invocation(
        SandboxProfile.UNRESTRICTED,
        workspace,
        "env",
        environment={"TAU_OWN": "3"},
        inherited=Variables(os.environ).less(frozenset({"tau_leak"})).variables,
    )
    told = ended(asked).stdout.text.splitlines()
    assert {line for line in told if line.upper().startswith("TAU_")} == {"TAU_KEPT=2", "TAU_OWN=3"}


@pytest.mark.parametrize("profile", ALL)
def test_an_intent_that_cannot_be_written_starts_nothing(
    profile: SandboxProfile, workspace: Path
) -> None:
    """What the caller raises passes through, and the command has not run."""

    def refuse() -> None:
        raise OSError(28, "No space left on device")

    asked = invocation(profile, workspace, "touch", "ran")
    with pytest.raises(OSError, match="No space"):
        run(asked, about_to_start=refuse, cancelled=Cancellation())
    assert not list(workspace.iterdir())


@pytest.mark.parametrize("profile", ALL)
def test_nothing_is_kept_open(profile: SandboxProfile, workspace: Path) -> None:
    """Neither descriptors nor children of the runtime, however it went."""
    gc.collect()  # or it may close in the middle what an earlier test has left
    for words in (("true",), ("false",), ("nowhere",), ("sh", "-c", "sleep 78 &")):
        ended(invocation(profile, workspace, *words))
        before = _descriptors(), _children()
        ended(invocation(profile, workspace, *words))
        assert (_descriptors(), _children()) == before


@pytest.mark.parametrize("profile", ALL)
def test_the_limits_of_the_kernel(profile: SandboxProfile, workspace: Path) -> None:
    """Each limit is the one that was asked for, soft and hard, and no core file is left."""
    limits = Limits(timeout_ms=9_000, cpu_seconds=5, memory_bytes=2**30, file_bytes=2**20)
    script = "sleep 0.1; cat /proc/self/limits"
    found = ended(invocation(profile, workspace, "sh", "-c", script, limits=limits))
    told = {line[:26].strip(): line[26:].split()[:2] for line in found.stdout.text.splitlines()}
    assert told["Max cpu time"] == ["5", "6"]
    assert told["Max address space"] == [str(2**30)] * 2
    assert told["Max file size"] == [str(2**20)] * 2
    assert told["Max core file size"] in (["1"] * 2, ["0"] * 2)
    if profile is not SandboxProfile.UNRESTRICTED:
        assert told["Max processes"] == ["256"] * 2


@pytest.mark.parametrize("attempt", range(5))
def test_what_an_unrestricted_command_starts_at_once_is_limited_too(
    attempt: int, workspace: Path
) -> None:
    """It is limited from outside, and may have started another process before that."""
    del attempt
    script = "(sleep 0.1; ulimit -f) & (sleep 0.1; ulimit -f) & wait"
    asked = invocation(SandboxProfile.UNRESTRICTED, workspace, "dash", "-c", script)
    found = ended(asked._replace(limits=Limits(file_bytes=2**20)))
    assert found.stdout.text.split() == ["2048", "2048"]


@pytest.mark.parametrize("attempt", range(5))
def test_what_an_unrestricted_command_takes_at_once_counts_too(
    attempt: int, workspace: Path
) -> None:
    """It never has more memory than its limit for long: it gets none, or is killed for it."""
    del attempt
    words = ("dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1")
    asked = invocation(SandboxProfile.UNRESTRICTED, workspace, *words)
    found = ended(asked._replace(limits=Limits(memory_bytes=64 * 2**20)))
    assert found.failure is FailureReason.NON_ZERO_EXIT


@pytest.mark.parametrize("profile", ALL)
def test_a_command_that_computes_too_long_is_named(
    profile: SandboxProfile, workspace: Path
) -> None:
    """Time of the processor has a limit of its own, and the death it causes is explained."""
    limits = Limits(cpu_seconds=1)
    found = ended(invocation(profile, workspace, "sh", "-c", "while :; do :; done", limits=limits))
    assert (found.failure, found.signal) == (FailureReason.NON_ZERO_EXIT, signal.SIGXCPU)
    assert "time of the processor" in found.explanation


@pytest.mark.parametrize("profile", ALL)
def test_a_file_that_grows_too_large_is_named(
    profile: SandboxProfile, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for the largest file; unrestricted, from a moment after the start on."""
    monkeypatch.chdir(workspace)  # where an unrestricted command writes
    limits = Limits(file_bytes=2**16)
    script = "sleep 0.5; exec head -c 100000 /dev/zero > large"
    found = ended(invocation(profile, workspace, "bash", "-c", script, limits=limits))
    assert found.failure is FailureReason.NON_ZERO_EXIT
    assert found.signal == signal.SIGXFSZ
    assert "a file grew beyond 65,536 bytes" in found.explanation


def _descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def _runs(words: str) -> bool:
    """Whether a process of that command line runs."""
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and words in (folder / "cmdline").read_text():
                return True
        except OSError:
            continue
    return False


def test_nobody_is_the_user_of_confined_commands() -> None:
    """Where the runtime is root, unless another is named."""
    assert Invocation(("true",)).run_as == 65_534


@pytest.mark.parametrize("profile", ALL)
def test_without_descriptors_nothing_is_started(profile: SandboxProfile, workspace: Path) -> None:
    """However many there are: it runs, or it is a start that failed, and nothing is left of it."""
    asked = invocation(profile, workspace, "true")
    assert ended(asked).exit_code == 0
    cancelled = Cancellation()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    came_to = set()
    with ExitStack() as stack:
        highest = max(map(int, _descriptors()))
        while (filling := os.dup(0)) < highest:
            stack.callback(os.close, filling)
        os.close(filling)
        before, children = _descriptors(), _children()
        for more in range(16):
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + more, hard))
            try:
                found = run(asked, about_to_start=lambda: None, cancelled=cancelled)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            came_to.add((found.started, found.failure))
            assert _descriptors() == before
            assert _children() == children
    assert came_to == {(True, None), (False, FailureReason.SPAWN_ERROR)}


@pytest.mark.parametrize("profile", ALL)
def test_memory_without_a_limit(profile: SandboxProfile, workspace: Path) -> None:
    """What `allow_large_memory` comes to."""
    limits = Limits(memory_bytes=None)
    found = ended(invocation(profile, workspace, "sh", "-c", "ulimit -v", limits=limits))
    assert found.stdout.text == "unlimited\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a program that is root's")
def test_a_program_of_another_user_is_not_limited(workspace: Path) -> None:
    """Unrestricted, as sudo is: the kernel lets no one else limit it, and that is told.

    It becomes that user's a moment after its start; where it was limited before that, it stays so,
    and there is nothing to tell.
    """
    program = Path("/opt", f"tau-sleep-{os.getpid()}")
    shutil.copy(str(shutil.which("sleep")), program)
    program.chmod(0o4755)
    try:
        with Runtime(65_533, {}) as runtime:
            asked = invocation(SandboxProfile.UNRESTRICTED, workspace, str(program), "0.1")
            ends = [runtime.ended(asked) for _ in range(20)]
    finally:
        program.unlink()
    assert {(found.exit_code, found.failure) for found in ends} == {(0, None)}
    assert any("limits did not hold" in found.explanation for found in ends)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs commands as somebody else")
@pytest.mark.parametrize("profile", CONFINED)
def test_a_user_without_an_account(profile: SandboxProfile, workspace: Path) -> None:
    """Commands may run as a number that nobody else has, with a group of the same number."""
    found = ended(invocation(profile, workspace, "id", "-u", run_as=54_321))
    assert found.stdout.text == "54321\n"
    found = ended(invocation(profile, workspace, "id", "-G", run_as=54_321))
    assert found.stdout.text == "54321\n"


def _children() -> list[str]:
    own = os.getpid()
    return sorted(
        child
        for thread in Path(f"/proc/{own}/task").iterdir()
        for child in (thread / "children").read_text().split()
    )
