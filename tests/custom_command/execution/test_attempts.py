"""Attempts to get out, each against each profile that promises to hold it, by root and by a user.

Each is also made unconfined, where it gets through: an attempt that fails anyway proves nothing.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tau_custom_command.cycle.execution import Ended, FailureReason
from tau_custom_command.execution.limits import Limits
from tau_custom_command.execution.profiles import NOT_WITH_NETWORK, PROMISES, Promise
from tau_custom_command.limits import NOBODY
from tau_custom_command.policy.model import SandboxProfile
from tests.custom_command.execution.runtime import Runtime
from tests.custom_command.execution.sandboxes import invocation, needs_bubblewrap

ROOT, SOMEBODY = 0, 65_533
AM_ROOT = os.geteuid() == ROOT
_MARK = "tau-mark-of-the-runtime"
_SOURCE = Path(__file__).with_name("attempts.py").read_text()
_PYTHON = next(
    name for name in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(name).exists()
)


_TMP, _VAR_TMP, _SHM = "/tmp", "/var/tmp", "/dev/shm"  # noqa: S108 - what is to be out of reach
_OWN = f"tau-attempt-{os.getpid()}"


def _in(folder: str, name: str = "file") -> str:
    """A file that the test has made in one of the host's folders."""
    return f"{folder}/{_OWN}/{name}"


class Host(NamedTuple):
    """A runtime, and what there is on its host that a command must not reach."""

    runtime: Runtime
    user: int
    place: Path
    workspace: Path
    home: Path
    terminal: str
    tcp: int
    udp: int
    bystander: int


class Attempt(NamedTuple):
    """An attempt: which promise it is to break, how, and with what.

    `root_only`: nobody else gets through anyway. `root_made`: only root can make what it uses.
    `limits` are those it is made with, and `without` those with which it gets through.
    """

    promise: Promise
    name: str
    argument: Callable[[Host], object] = lambda _: ""
    root_only: bool = False
    root_made: bool = False
    limits: Limits = Limits()
    without: Limits = Limits()


P = Promise
RESTRICTED = SandboxProfile.RESTRICTED
ATTEMPTS = {
    "home": Attempt(P.HOMES_HIDDEN, "read", lambda host: host.home / "file"),
    "home of root": Attempt(P.HOMES_HIDDEN, "read", lambda _: _in("/root"), root_only=True),
    "home of another": Attempt(P.HOMES_HIDDEN, "read", lambda _: _in("/home"), root_made=True),
    "state directory": Attempt(P.OWN_FILES_HIDDEN, "read", lambda host: host.place / "state/file"),
    "state in the workspace": Attempt(
        P.OWN_FILES_HIDDEN, "read", lambda host: host.workspace / ".tau/state/file"
    ),
    "new state": Attempt(P.OWN_FILES_HIDDEN, "write", lambda host: host.workspace / ".tau/state"),
    "state moved away": Attempt(P.OWN_FILES_HIDDEN, "move", lambda host: host.workspace / ".tau"),
    "state itself moved": Attempt(
        P.OWN_FILES_HIDDEN, "move", lambda host: host.workspace / ".tau/state"
    ),
    "shadow": Attempt(P.FILES_OF_OTHERS, "read", lambda _: "/etc/shadow", root_only=True),
    "closed file": Attempt(
        P.FILES_OF_OTHERS, "read", lambda host: host.place / "closed", root_only=True
    ),
    "write": Attempt(P.READ_ONLY_OUTSIDE, "write", lambda host: host.place / "open"),
    "overwrite": Attempt(P.READ_ONLY_OUTSIDE, "overwrite", lambda host: host.place / "own"),
    "write in shared memory": Attempt(P.READ_ONLY_OUTSIDE, "write", lambda _: _SHM),
    "write in a home": Attempt(P.READ_ONLY_OUTSIDE, "write", lambda host: host.home),
    "mode": Attempt(P.READ_ONLY_OUTSIDE, "change_mode", lambda host: host.place / "own"),
    "times": Attempt(P.READ_ONLY_OUTSIDE, "change_times", lambda host: host.place / "own"),
    "workspace": Attempt(P.READ_ONLY, "write", lambda host: host.workspace),
    "tcp": Attempt(P.NO_NETWORK, "tcp", lambda host: host.tcp),
    "udp": Attempt(P.NO_NETWORK, "udp", lambda host: host.udp),
    "abstract socket": Attempt(P.NO_NETWORK, "unix", lambda host: f"@{host.place}"),
    "socket elsewhere": Attempt(P.NO_NETWORK, "unix", lambda host: host.place / "socket"),
    "packets": Attempt(P.NO_NETWORK, "packets", root_only=True),
    "hypervisor": Attempt(P.NO_NETWORK, "hypervisor"),
    "socket in a home": Attempt(
        P.NO_SOCKETS_OF_THE_HOST, "unix", lambda host: host.home / "socket"
    ),
    "socket in /run": Attempt(
        P.NO_SOCKETS_OF_THE_HOST, "unix", lambda _: _in("/run", "socket"), root_made=True
    ),
    "socket in /tmp": Attempt(P.NO_SOCKETS_OF_THE_HOST, "unix", lambda _: _in(_TMP, "socket")),
    "socket in /var/tmp": Attempt(
        P.NO_SOCKETS_OF_THE_HOST, "unix", lambda _: _in(_VAR_TMP, "socket")
    ),
    "ptrace": Attempt(P.PROCESSES_HIDDEN, "trace", lambda host: host.bystander),
    "signal": Attempt(P.PROCESSES_HIDDEN, "send_signal", lambda host: host.bystander),
    "command line": Attempt(P.PROCESSES_HIDDEN, "see", lambda host: host.bystander),
    "environment": Attempt(P.PROCESSES_HIDDEN, "environments", lambda _: _MARK),
    "setuid": Attempt(P.NO_PRIVILEGES, "setuid", lambda host: host.place / "id", root_made=True),
    "device": Attempt(P.NO_PRIVILEGES, "device", lambda _: _SHM, root_only=True),
    "device in scratch": Attempt(P.NO_PRIVILEGES, "device", lambda _: _TMP, root_only=True),
    "kernel log": Attempt(P.NO_PRIVILEGES, "kernel_log", root_only=True),
    "mount": Attempt(P.NO_PRIVILEGES, "mount", lambda host: host.place / "open", root_only=True),
    "kernel files": Attempt(P.NO_PRIVILEGES, "kernel_files", root_only=True),
    "bpf": Attempt(P.FEWER_SYSTEM_CALLS, "bpf", root_only=True),
    "user namespace": Attempt(P.FEWER_SYSTEM_CALLS, "namespace"),
    "cloned user namespace": Attempt(P.FEWER_SYSTEM_CALLS, "cloned_namespace"),
    "io_uring": Attempt(P.FEWER_SYSTEM_CALLS, "io_uring"),
    "keyring": Attempt(P.FEWER_SYSTEM_CALLS, "keyring"),
    "terminal": Attempt(
        P.FEWER_SYSTEM_CALLS, "type_into", lambda host: host.terminal, root_only=True
    ),
    "setuid program": Attempt(P.FEWER_SYSTEM_CALLS, "set_user", lambda _: _TMP),
    "typing": Attempt(P.FEWER_SYSTEM_CALLS, "type_into_own"),
    "100 forks": Attempt(P.PROCESSES_LIMITED, "fork", lambda _: 100, limits=Limits(processes=20)),
    "memory": Attempt(
        P.LIMITED,
        "allocate",
        lambda _: 2 * 2**30,
        limits=Limits(memory_bytes=512 * 2**20),
        without=Limits(memory_bytes=None),
    ),
    "memory apart": Attempt(
        P.LIMITED,
        "allocate_apart",
        lambda _: 64 * 2**20,
        limits=Limits(memory_bytes=2**30, file_bytes=128 * 2**20),
    ),
    "shared memory": Attempt(P.LIMITED, "share", lambda _: 64 * 2**20),
    "full scratch": Attempt(
        P.LIMITED, "fill", lambda _: _TMP, limits=Limits(scratch_bytes=8 * 2**20)
    ),
}


def _kept(profile: SandboxProfile) -> frozenset[Promise]:
    """The promises of a profile, with what follows from them."""
    promises = PROMISES[profile]
    return promises | ({P.READ_ONLY_OUTSIDE} if P.READ_ONLY in promises else set())


_PATIENCE_SECONDS = 60
"""How long the kernel may take to put 200 sandboxes away, on a machine that has more to do."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            ROOT, id="root", marks=pytest.mark.skipif(not AM_ROOT, reason="only root can be root")
        ),
        pytest.param(SOMEBODY if AM_ROOT else os.geteuid(), id="somebody"),
    ],
)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A runtime, and around it what commands must not reach, all of it there and open to them."""
    user: int = request.param
    runs_as = NOBODY if user == ROOT else user
    with ExitStack() as stack:
        place = _folder(stack, tempfile.mkdtemp(dir="/opt" if AM_ROOT else _VAR_TMP))
        for name in (
            "home",
            "state",
            "open",
            "workspace",
            "workspace/.tau",
            "workspace/.tau/state",
        ):
            _folder(stack, place / name, mode=0o777)
        for folder in (_TMP, _VAR_TMP, *(("/root", "/home", "/run") if AM_ROOT else ())):
            _folder(stack, _in(folder, ""))
            Path(_in(folder)).write_text("secret")
        for file in ("home/file", "state/file", "workspace/.tau/state/file", "own", "closed"):
            (place / file).write_text("secret")
        (place / "own").chmod(0o666)
        (place / "closed").chmod(0o600)
        if AM_ROOT:
            os.chown(place / "own", runs_as, runs_as)
            shutil.copy("/usr/bin/id", place / "id")
            (place / "id").chmod(0o4755)
        for path in (place / "socket", place / "home/socket", f"\0{place}"):
            _greet(stack, socket.AF_UNIX, str(path))
        for folder in (_TMP, _VAR_TMP, *(("/run",) if AM_ROOT else ())):
            _greet(stack, socket.AF_UNIX, _in(folder, "socket"))
        ends = os.openpty()
        for end in ends:
            stack.callback(os.close, end)
        bystander = stack.enter_context(
            subprocess.Popen(
                ["/bin/sleep", "600"],
                user=runs_as if AM_ROOT else None,
                group=runs_as if AM_ROOT else None,
                extra_groups=[] if AM_ROOT else None,
            )
        )
        stack.callback(bystander.kill)
        environment = {"HOME": str(place / "home"), "TAU_MARK": _MARK}
        yield Host(
            runtime=stack.enter_context(Runtime(user, environment)),
            user=user,
            place=place,
            workspace=place / "workspace",
            home=place / "home",
            terminal=os.ttyname(ends[1]),
            tcp=_greet(stack, socket.AF_INET, ("127.0.0.1", 0)),
            udp=_answer(stack),
            bystander=bystander.pid,
        )


def _folder(stack: ExitStack, path: str | Path, mode: int = 0o755) -> Path:
    folder = Path(path)
    folder.mkdir(exist_ok=True)
    folder.chmod(mode)
    stack.callback(shutil.rmtree, folder)
    return folder


def _greet(stack: ExitStack, family: int, address: str | tuple[str, int]) -> int:
    """Say hello to whoever connects; return the number of the port, where there is one."""
    listener = stack.enter_context(socket.socket(family))
    listener.bind(address)
    listener.listen()
    if isinstance(address, str) and not address.startswith("\0"):
        Path(address).chmod(0o777)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.sendall(b"hello")

    threading.Thread(target=serve, daemon=True).start()
    stack.callback(listener.shutdown, socket.SHUT_RDWR)
    return int(listener.getsockname()[1]) if family == socket.AF_INET else 0


def _answer(stack: ExitStack) -> int:
    """Say hello to whoever sends something; return the number of the port."""
    service = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    service.bind(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                _, sender = service.recvfrom(9)
                if not sender[1]:
                    return
                service.sendto(b"hello", sender)

    threading.Thread(target=serve, daemon=True).start()
    return int(service.getsockname()[1])


def _made(
    host: Host,
    profile: SandboxProfile,
    attempt: Attempt,
    limits: Limits,
    *,
    allow_network: bool = False,
) -> Ended:
    words = (_PYTHON, "-I", "-c", _SOURCE, attempt.name, str(attempt.argument(host)))
    asked = invocation(
        profile,
        host.workspace,
        *words,
        limits=limits,
        allow_network=allow_network,
        hidden=(host.place / "state", host.workspace / ".tau/state"),
    )
    return host.runtime.ended(asked)


@needs_bubblewrap
@pytest.mark.parametrize(
    ("profile", "name"),
    [
        (profile, name)
        for profile in PROMISES
        for name, attempt in ATTEMPTS.items()
        if profile is not SandboxProfile.UNRESTRICTED and attempt.promise in _kept(profile)
    ],
)
def test_an_attempt_to_get_out_is_stopped(host: Host, profile: SandboxProfile, name: str) -> None:
    """Whatever a profile promises, it keeps."""
    attempt = ATTEMPTS[name]
    found = _made(host, profile, attempt, attempt.limits)
    assert found.started, found.explanation
    assert found.stdout.text.startswith("STOPPED by"), found


@needs_bubblewrap
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, attempt in ATTEMPTS.items()
        if attempt.promise in _kept(RESTRICTED) - NOT_WITH_NETWORK
    ],
)
def test_the_network_opens_nothing_else(host: Host, name: str) -> None:
    """With the host's network, all other promises hold."""
    attempt = ATTEMPTS[name]
    found = _made(host, RESTRICTED, attempt, attempt.limits, allow_network=True)
    assert found.started, found.explanation
    assert found.stdout.text.startswith("STOPPED by"), found


@pytest.mark.parametrize("name", ATTEMPTS)
def test_unconfined_it_gets_through(host: Host, name: str) -> None:
    """Each attempt is a real one: with nothing in its way it succeeds."""
    attempt = ATTEMPTS[name]
    if (attempt.root_only and host.user != ROOT) or (attempt.root_made and not AM_ROOT):
        pytest.skip("nobody but root can do it anyway")
    found = _made(host, SandboxProfile.UNRESTRICTED, attempt, attempt.without)
    assert found.stdout.text.splitlines()[-1:] == ["THROUGH"], found


def test_every_promise_is_tried() -> None:
    """None stands in the table that no attempt was made to break."""
    confined = {*PROMISES[SandboxProfile.RESTRICTED], *PROMISES[SandboxProfile.WORKSPACE_WRITE]}
    tried = {attempt.promise for attempt in ATTEMPTS.values()}
    assert tried | {P.NOTHING_IS_LEFT} == confined  # the rest of this file, and test_run.py


_SUPERVISOR = (_PYTHON, "-I", "-c", _SOURCE, "supervisor", "")


@needs_bubblewrap
def test_the_first_process_of_a_sandbox_is_out_of_reach(host: Host) -> None:
    """Who could write into it would keep it alive when the runtime is killed."""
    found = host.runtime.ended(invocation(RESTRICTED, host.workspace, *_SUPERVISOR))
    assert found.stdout.text.startswith("STOPPED by FileNotFoundError"), found


@needs_bubblewrap
@pytest.mark.skipif(
    Path("/proc/sys/kernel/yama/ptrace_scope").exists(), reason="Yama forbids it here anyway"
)
def test_in_a_bare_sandbox_it_is_within_reach(host: Host) -> None:
    """The same attempt gets through where bubblewrap is used plainly."""
    plain = ("bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-all", "--")
    asked = invocation(SandboxProfile.UNRESTRICTED, host.workspace, *plain, *_SUPERVISOR)
    if host.user == ROOT:
        pytest.skip("root keeps privileges in a sandbox of its own; somebody's is the one to try")
    assert host.runtime.ended(asked).stdout.text == "THROUGH\n"


@needs_bubblewrap
@pytest.mark.exhaustive
@pytest.mark.parametrize("longest_ms", [1, 30])
def test_a_runtime_that_is_killed_leaves_nothing(host: Host, longest_ms: int) -> None:
    """200 times within 1 ms of the spawn, and as often at any time until the command runs.

    Nothing of the sandbox is there a moment later: neither bubblewrap, nor the shell in it, nor the
    command.
    """
    mark = f"tau-left-behind-{os.getpid()}-{host.user}-{longest_ms}"
    asked = invocation(RESTRICTED, host.workspace, "sh", "-c", "exec sleep 77 #" + mark)
    times = random.Random(longest_ms)  # noqa: S311 - the same moments each time
    for _ in range(200):
        runtime = host.runtime.running(asked)
        while not _sandboxes(runtime):
            pass  # it has not spawned yet
        time.sleep(times.uniform(0, longest_ms) / 1000)
        os.kill(runtime, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (left := _processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


@needs_bubblewrap
def test_a_sandbox_that_stands_still_is_killed_with_the_runtime(host: Host) -> None:
    """At a moment when bubblewrap does not die with its parent yet, nor its first process with it.

    It may also be killed there, with the first process waiting for it: the rarest moment of all.
    """
    mark = f"tau-stands-still-{os.getpid()}"
    asked = invocation(RESTRICTED, host.workspace, "sh", "-c", "exec sleep 77 #" + mark)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for delay_ms in range(10):
            runtime = host.runtime.running(asked)
            while not (sandboxes := _sandboxes(runtime)):
                pass
            time.sleep(delay_ms / 2000)
            for each in sandboxes:
                os.kill(each, number)
            os.kill(runtime, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (left := _processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


def _sandboxes(runtime: int) -> list[int]:
    """What a runtime has started, but for the first, which watches over the others.

    And but for what is still the runtime itself, about to become bubblewrap: stopped there, it
    would hold all that the runtime had open.
    """
    started = Path(f"/proc/{runtime}/task/{runtime}/children").read_text().split()[1:]
    return [int(pid) for pid in started if _program(int(pid)) not in {None, _program(runtime)}]


def _program(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 - its text
    except OSError:
        return None


@needs_bubblewrap
def test_a_sandbox_that_is_given_up_leaves_nothing(host: Host) -> None:
    """At whatever moment of its being set up that is."""
    mark = f"tau-given-up-{os.getpid()}"
    asked = invocation(RESTRICTED, host.workspace, "sh", "-c", "exec sleep 77 #" + mark)
    for setup_ms in [*range(20)] * 3:
        limits = Limits(setup_ms=setup_ms, timeout_ms=10, stop_grace_ms=5)
        found = host.runtime.ended(asked._replace(limits=limits))
        assert found.failure in {FailureReason.SPAWN_ERROR, FailureReason.TIMEOUT}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (left := _processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


def _processes(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdecimal() and mark in (words := (folder / "cmdline").read_text()):
                found.append(words)
    return found


@needs_bubblewrap
@pytest.mark.parametrize("profile", [RESTRICTED, SandboxProfile.WORKSPACE_WRITE])
@pytest.mark.parametrize("ending", ["exit 0", "sleep 77"])
def test_a_daemon_is_gone_before_the_result_is_told(
    host: Host, profile: SandboxProfile, ending: str
) -> None:
    """After an end and after the time limit, though it left the session and holds no output."""
    mark = f"tau-daemon-{os.getpid()}"
    daemon = f"trap '' TERM HUP INT; while :; do sleep 0.1; done #{mark}"
    script = f'setsid sh -c "{daemon}" >/dev/null 2>&1 </dev/null & sleep 0.1; {ending}'
    limits = Limits(timeout_ms=500, stop_grace_ms=100)
    asked = invocation(profile, host.workspace, "sh", "-c", script, limits=limits)
    found = host.runtime.ended(asked)
    assert not _processes(mark)
    assert (found.left_behind, found.timed_out) == (True, ending == "sleep 77")


@needs_bubblewrap
@pytest.mark.skipif(not AM_ROOT, reason="only root can mount something")
@pytest.mark.parametrize("user", [ROOT, SOMEBODY])
@pytest.mark.parametrize("profile", PROMISES)
def test_what_is_mounted_meanwhile_does_not_arrive(
    profile: SandboxProfile, user: int, workspace: Path
) -> None:
    """Where mounts are shared, as with systemd, a sandbox would have it too, and writable."""
    place = Path("/opt", f"tau-later-{os.getpid()}")
    place.mkdir()
    script = f"sleep 3; : > {place}/file"
    try:
        with Runtime(user, {}, ("unshare", "--mount", "--propagation", "shared")) as runtime:
            asked = invocation(profile, workspace, "sh", "-c", script)
            assert runtime.ended(asked._replace(words=("true",))).started  # it is there by now
            there = ("nsenter", "--mount", "--target", str(runtime.pid))
            mounting = "sleep 0.7; mount -t tmpfs -o mode=0777 later " + str(place)
            with subprocess.Popen([*there, "sh", "-c", mounting]):
                found = runtime.ended(asked)
        is_through = profile is SandboxProfile.UNRESTRICTED
        assert (found.started, found.exit_code == 0) == (True, is_through), found
    finally:
        place.rmdir()
