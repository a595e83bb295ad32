"""The installed commands as processes, each forked from one that has imported its program already.

Starting Python and importing takes most of a short run, and the tests make thousands of them. What
is forked is the installed script, run to its end as ever in a folder and an environment of its own,
with its own stdin, stdout and stderr. What starting itself does is for tests of real starts.
"""

import ctypes
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

READ_AT_START = ("PYTHON", "COVERAGE_", "LANG", "LC_")
"""How the variables begin that are read when Python starts."""

_PR_SET_PTRACER = 0x59616D61
_ANYBODY = ctypes.c_ulong(-1)

_servers: dict[tuple[Path, frozenset[tuple[str, str]]], subprocess.Popen[bytes]] = {}


def run(  # noqa: PLR0913 - of what subprocess.run takes
    command: Path,
    *arguments: str | bytes | Path,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    umask: int = -1,
    strace: Sequence[str | Path] = (),
    output: str = "",
) -> subprocess.CompletedProcess[bytes]:
    """Run an installed command to its end, as `subprocess.run` does, with nothing on stdin.

    Its stdout and stderr are files, or both are the device `output`, which the caller reads. A
    `umask` of -1 is this process's own. The command line `strace`, if any, is attached before the
    first call of the command.

    Raises:
        subprocess.TimeoutExpired: when it took longer than `timeout` seconds; it is killed then.
    """
    server = _server(command, env)
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.NamedTemporaryFile() as out_file, tempfile.NamedTemporaryFile() as err_file:
        words = [os.fsdecode(argument) for argument in arguments]
        files = out_file, err_file
        outputs = [output or file.name for file in files]
        request = [bool(strace), outputs, str(cwd), dict(env), umask, words]
        server.stdin.write(json.dumps(request).encode() + b"\n")
        child = int(server.stdout.readline())
        with _attached(strace, child):
            is_late = not select.select([server.stdout], [], [], timeout)[0]
            if is_late:
                os.kill(child, signal.SIGKILL)
            code = int(server.stdout.readline())
        out, err = (file.read() for file in files)
    if is_late:
        raise subprocess.TimeoutExpired([command, *arguments], timeout, out, err)
    return subprocess.CompletedProcess([command, *arguments], code, out, err)


def end() -> None:
    """End the processes that are forked from."""
    for server in _servers.values():
        server.communicate()
    _servers.clear()


@contextmanager
def _attached(strace: Sequence[str | Path], child: int) -> Iterator[None]:
    """Have a process that has stopped go on under `strace`; without that, it was never stopped."""
    if not strace:
        yield
        return
    with subprocess.Popen([*strace, "-p", str(child)], stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        os.kill(child, signal.SIGCONT)
        yield
        assert b"attached" in said, said + tracer.stderr.read()


def _server(command: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Return the process to fork from, which started with the same of what is read at the start."""
    key = command, frozenset(pair for pair in env.items() if pair[0].startswith(READ_AT_START))
    if key not in _servers:
        _servers[key] = subprocess.Popen(
            [sys.executable, __file__, command],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # a line that lay in a buffer would be waited for
        )
    return _servers[key]


def _serve(command: Path) -> None:
    """Fork for each line on stdin, and say which process that is and how it ended.

    Returns in each child, which is to be the command, and at the end.
    """
    package = f"{command.name.replace('-', '_')}.cli"
    import_module(f"{package}.app")
    commands = import_module(f"{package}.commands")
    for module in iter_modules(commands.__path__, f"{commands.__name__}."):
        import_module(module.name)
    with os.fdopen(os.dup(0)) as requests, os.fdopen(os.dup(1), "w") as answers:
        for line in requests:
            is_traced, outputs, cwd, environment, umask, words = json.loads(line)
            child = os.fork()
            if child == 0:
                break
            if is_traced:
                os.waitpid(child, os.WUNTRACED)
            print(child, file=answers, flush=True)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
        else:
            return
    making = os.O_RDWR | os.O_CREAT
    for number, name in enumerate((os.devnull, *outputs)):
        opened = os.open(name, making, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(cwd)
    if umask != -1:
        os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = str(command.parent)
    sys.argv = [str(command), *words]
    if is_traced:
        sys.dont_write_bytecode = True  # it would be among the calls, or not
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
    runpy.run_path(str(command), run_name="__main__")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
