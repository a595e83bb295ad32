"""The installed commands as processes, each forked from one that has imported its program already.

Starting Python and importing takes most of a short run, and the tests make thousands of them. What
is forked is the installed script, run to its end as ever in a folder and an environment of its own,
with its own stdin, stdout and stderr. What starting itself does is for tests of real starts.
"""

import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

READ_AT_START = ("PYTHON", "COVERAGE_", "LANG", "LC_")
"""How the variables begin that are read when Python starts."""

_servers: dict[tuple[Path, frozenset[tuple[str, str]]], subprocess.Popen[str]] = {}


def run(
    command: Path,
    *arguments: str | bytes | Path,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    umask: int = -1,
) -> subprocess.CompletedProcess[bytes]:
    """Run an installed command to its end, as `subprocess.run` does, with nothing on stdin.

    Its stdout and stderr are files. A `umask` of -1 is this process's own.

    Raises:
        subprocess.TimeoutExpired: when it took longer than `timeout` seconds; it is killed then.
    """
    server = _server(command, env)
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        words = [os.fsdecode(argument) for argument in arguments]
        json.dump([folder, str(cwd), dict(env), umask, words], server.stdin)
        server.stdin.write("\n")
        server.stdin.flush()
        child = int(server.stdout.readline())
        is_late = not select.select([server.stdout], [], [], timeout)[0]
        if is_late:
            os.kill(child, 9)
        code = int(server.stdout.readline())
        out, err = (Path(folder, name).read_bytes() for name in ("out", "err"))
    if is_late:
        raise subprocess.TimeoutExpired([command, *arguments], timeout, out, err)
    return subprocess.CompletedProcess([command, *arguments], code, out, err)


def end() -> None:
    """End the processes that are forked from."""
    for server in _servers.values():
        server.communicate()
    _servers.clear()


def _server(command: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Return the process to fork from, which started with the same of what is read at the start."""
    key = command, frozenset(pair for pair in env.items() if pair[0].startswith(READ_AT_START))
    if key not in _servers:
        _servers[key] = subprocess.Popen(
            [sys.executable, __file__, command],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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
        while (request := requests.readline()) and (child := os.fork()):
            print(child, file=answers, flush=True)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    if not request:
        return
    folder, cwd, environment, umask, words = json.loads(request)
    os.chdir(folder)
    making = os.O_RDWR | os.O_CREAT
    for number, name in enumerate((os.devnull, "out", "err")):
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
    runpy.run_path(str(command), run_name="__main__")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
