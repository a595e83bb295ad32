"""Attempts to get out of a sandbox, each a function. Run as a program: the name, and what to use.

It is run inside a sandbox, by whatever Python is there, from its text. It prints THROUGH, or
STOPPED and by what.
"""

import ctypes
import fcntl
import mmap
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
ADD_KEY = {"x86_64": 248, "aarch64": 217}[platform.machine()]
BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PTRACE_ATTACH = 16
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
TIOCSTI = 0x5412


def checked(result: int) -> int:
    """What a call of the C library gave.

    Raises:
        OSError: where it failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def system_call(*arguments: object) -> int:
    """Make a system call by its number."""
    return checked(libc.syscall(*arguments))


def read(path: str) -> None:
    """Read a file."""
    Path(path).read_bytes()


def write(path: str) -> None:
    """Make a file in a folder in which everybody may."""
    file = Path(path) / "made"
    file.write_bytes(b"x")
    file.unlink()


def overwrite(path: str) -> None:
    """Write into a file that everybody may write."""
    with Path(path).open("ab") as file:
        file.write(b"x")


def change_mode(path: str) -> None:
    """Change the mode of one's own file."""
    Path(path).chmod(0o640)


def change_times(path: str) -> None:
    """Change the times of one's own file."""
    os.utime(path, (1, 1))


def move(path: str) -> None:
    """Move a folder, with what is in it, and leave another in its place."""
    moved = Path(path + "-moved")
    Path(path).rename(moved)
    moved.rename(path)


def tcp(port: str) -> None:
    """Connect to a service of the host."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=2) as connection:
        assert connection.recv(9) == b"hello"


def udp(port: str) -> None:
    """Ask a service of the host, and be answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(2)
        connection.sendto(b"?", ("127.0.0.1", int(port)))
        assert connection.recv(9) == b"hello"


def unix(address: str) -> None:
    """Connect to a socket of the host: by its path, or by its abstract name after an @."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
        assert connection.recv(9) == b"hello"


def packets(_: str) -> None:
    """See what passes over the network."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def hypervisor(_: str) -> None:
    """Have a socket of a kind that knows no network namespaces."""
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()


def trace(pid: str) -> None:
    """Trace a process of the host."""
    checked(libc.ptrace(PTRACE_ATTACH, int(pid), None, None))


def send_signal(pid: str) -> None:
    """Send a signal to a process of the host."""
    os.kill(int(pid), 0)


def see(pid: str) -> None:
    """See the command line of a process of the host."""
    assert Path("/proc", pid, "cmdline").read_bytes()


def environments(mark: str) -> None:
    """Find a variable in the environment of any process but this one."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    return
            except OSError:
                continue
    raise LookupError("no process has it")


def supervisor(_: str) -> None:
    """Write into the memory of the first process, which holds the sandbox together."""
    Path("/proc/1/mem").open("r+b").close()


def setuid(program: str) -> None:
    """Run a program that is to run as root."""
    said = subprocess.run([program, "-u"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "0", f"it runs as {said}"


def device(folder: str) -> None:
    """Make a device of one's own, and open it."""
    path = Path(folder, f"device-{os.getpid()}")
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    try:
        path.open("wb").close()
    finally:
        path.unlink()


def kernel_log(_: str) -> None:
    """Open a device of the host."""
    os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))


def mount(folder: str) -> None:
    """Mount something, and take it off again."""
    checked(libc.mount(b"tau", folder.encode(), b"tmpfs", 0, None))
    checked(libc.umount2(folder.encode(), 2))


def namespace(_: str) -> None:
    """Make a user namespace, in which one is root."""
    checked(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))


def cloned_namespace(_: str) -> None:
    """The same, by another call."""
    child = system_call(
        {"x86_64": 56, "aarch64": 220}[platform.machine()],
        *(CLONE_NEWUSER | signal.SIGCHLD, None, None, None, None),
    )
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def io_uring(_: str) -> None:
    """Have a queue of calls that no filter sees."""
    parameters = ctypes.create_string_buffer(120)
    os.close(system_call(425, 8, parameters))


def keyring(_: str) -> None:
    """Leave a key for other processes of the user."""
    system_call(ADD_KEY, b"user", b"tau-attempt", b"x", 1, -4)


def kernel_files(_: str) -> None:
    """Open any file of the kernel's for writing."""
    own = {"self", "thread-self", str(os.getpid())}
    for top in ("/proc", "/sys"):
        for folder, below, names in os.walk(top):
            if folder == "/proc":
                below[:] = [name for name in below if name not in own]
            for file in (Path(folder, name) for name in names):
                try:
                    descriptor = os.open(file, os.O_WRONLY | os.O_NONBLOCK)
                except OSError:
                    continue
                os.close(descriptor)
                sys.stdout.write(f"{file}\n")
                return
    raise LookupError("not one")


def type_into(path: str) -> None:
    """Type a character into a terminal."""
    with Path(path).open("rb") as terminal:
        fcntl.ioctl(terminal, TIOCSTI, b"x")


def set_user(folder: str) -> None:
    """Leave a program that runs as its owner, whoever starts it."""
    path = Path(folder, f"tau-attempt-{os.getpid()}")
    path.touch()
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


def type_into_own(_: str) -> None:
    """The same, on a terminal of one's own making."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            end = os.openpty()[1]
            fcntl.ioctl(end, 0x540E, 0)  # TIOCSCTTY
            fcntl.ioctl(end, TIOCSTI, b"x")
        except OSError:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def bpf(_: str) -> None:
    """Load something into the kernel: make a map."""
    attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)  # BPF_MAP_TYPE_ARRAY of one
    os.close(system_call(BPF, 0, attributes, 128))


def fork(number: str) -> None:
    """Have so many processes at a time."""
    children = []
    try:
        for _ in range(int(number)):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def allocate(size: str) -> None:
    """Have so many bytes of memory."""
    mmap.mmap(-1, int(size)).close()


def allocate_apart(size: str) -> None:
    """Have so many bytes of memory that are in no process's address space."""
    with open(os.memfd_create("tau"), "wb") as file:  # noqa: PTH123 - a descriptor
        file.writelines(bytes(2**20) for _ in range(int(size) // 2**20))


def share(size: str) -> None:
    """The same, in a segment of System V."""
    libc.shmctl(checked(libc.shmget(0, int(size), 0o1600)), 0, None)  # made, and removed


def fill(path: str) -> None:
    """Write 1 MiB into a folder, again and again, up to 40 MiB."""
    file = Path(path, "filled")
    with file.open("wb", buffering=0) as target:
        for _ in range(40):
            assert target.write(bytes(2**20)) == 2**20
    file.unlink()


def main() -> None:
    """Make one attempt."""
    name, argument = sys.argv[1:3]
    attempt: Callable[[str], None] = globals()[name]
    try:
        attempt(argument)
    except Exception as error:  # noqa: BLE001 - whatever stops it
        sys.stdout.write(f"STOPPED by {error!r}\n")
    else:
        sys.stdout.write("THROUGH\n")


if __name__ == "__main__":
    main()
