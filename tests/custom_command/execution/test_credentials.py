"""What a thread starts that is another user for a moment is that user's, and nobody else is."""

import os
import subprocess
import sys
import threading

import pytest

from tau_custom_command.execution.bubblewrap.credentials import thread_of

USER, GROUP = 65533, 65532


def who() -> tuple[tuple[int, int, int], tuple[int, int, int], list[int]]:
    """Return who the calling thread is."""
    return os.getresuid(), os.getresgid(), os.getgroups()


def status_of_child() -> dict[str, list[str]]:
    """Return what the kernel says of a process that is started now."""
    child = subprocess.run(
        ["/bin/cat", "/proc/self/status"], capture_output=True, check=True, text=True
    )
    lines = (line.split(":", 1) for line in child.stdout.splitlines())
    return {name: text.split() for name, text in lines}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_what_is_started_is_the_users_for_good() -> None:
    """Real, effective and saved, without other groups and capabilities; then it is root again."""
    before = who()
    os.setgroups([0, 4])
    try:
        with thread_of(USER, GROUP):
            status = status_of_child()
            assert os.geteuid() == USER
        assert status["Uid"] == [str(USER)] * 4
        assert status["Gid"] == [str(GROUP)] * 4
        assert status["Groups"] == []
        assert {status[name][0] for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {"0" * 16}
        assert who() == (*before[:2], [0, 4])
    finally:
        os.setgroups(before[2])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_no_ambient_capability_goes_to_the_user() -> None:
    """As a service has them that a manager starts with some; bubblewrap refuses to run with any."""
    code = (
        "import ctypes, subprocess, sys\n"
        "from tau_custom_command.execution.bubblewrap.credentials import thread_of\n"
        "library, chown = ctypes.CDLL(None, use_errno=True), 0\n"
        "header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "assert library.capget(header, data) == 0\n"
        "data[2] |= 1 << chown\n"
        "assert library.capset(header, data) == 0\n"
        "assert library.prctl(47, 2, chown, 0, 0) == 0\n"
        "with thread_of(65533, 65532): subprocess.run(sys.argv[1:], check=True)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, "/bin/grep", "CapEff\\|CapAmb", "/proc/self/status"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["CapEff:", "0" * 16, "CapAmb:", "0" * 16]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_other_threads_are_root_meanwhile() -> None:
    """They write the state, into a directory that is root's alone."""
    seen: list[tuple[int, int, int]] = []
    is_changed, is_seen = threading.Event(), threading.Event()

    def look() -> None:
        is_changed.wait(10)
        seen.append(os.getresuid())
        is_seen.set()

    thread = threading.Thread(target=look)
    thread.start()
    with thread_of(USER, GROUP):
        is_changed.set()
        assert is_seen.wait(10)
    thread.join()
    assert seen == [(0, 0, 0)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_an_error_meanwhile_leaves_it_root() -> None:
    """As where the program cannot be executed by that user."""
    before = who()
    with pytest.raises(FileNotFoundError), thread_of(USER, GROUP):
        subprocess.run(["/no/such/program"], check=True)
    assert who() == before


def test_whoever_may_not_is_told() -> None:
    """The call, and the kernel's reason; nothing was started."""
    code = (
        "import ctypes, os\n"
        "from tau_custom_command.execution.bubblewrap.credentials import thread_of\n"
        "if os.geteuid() == 0: os.setgid(65532); os.setuid(65533)\n"
        "try:\n"
        "    with thread_of(65531, 65531): print('started')\n"
        "except PermissionError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.stdout == "[Errno 1] setgroups: Operation not permitted\n", told.stderr
