"""What it costs to run commands by the runtime rather than by a bare loop, in time and in memory.

Each row has its yardstick, measured in turn with it, and its bound:

- unrestricted: 1,000 RUNs of `true`, one at a time, against `seq 1000 | xargs -n1 true`.
- restricted: RUNs of `true` against a loop that does nothing but start the same bubblewrap line as
  the same user, with a shell in it that says it is there, waits for a word and executes `true`.
- 300 MB of output: how much more memory than the same cycle takes for a command that writes none.

Both times are shown, that of the processor (of all processes together) and that by the clock; the
median of each is taken, and start-up is part of it. The bounds are held by the clock where the
machine is quiet, and else by the processor, whose time others who use the machine hardly change.
--directory chooses the file system of the state directories: compare one in memory (/dev/shm) with
one on a disk.

Run with .venv/bin/python; exits with 1 if a figure is above its bound.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.execution.bubblewrap.launch import launch
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.run import described

UNRESTRICTED_BOUND, RESTRICTED_BOUND, MOST_MEMORY_MB = 1.6, 1.3, 5
QUIET_LOAD = 2
"""The load of the machine, when this starts, below which the time by the clock says something."""

OUTPUT = "head -c 300000000 /dev/zero"
COMMAND = Path(sys.executable).with_name("tau-custom-command")
WAITING_SHELL = 'printf + >&0; read -r word; exec "$@" </dev/null'


class Taken(NamedTuple):
    """What something took: seconds of the processor, seconds by the clock, bytes of memory."""

    cpu: float
    clock: float
    memory: int


def measured(words: list[str]) -> Taken:
    """Run a program to its end, and return what it took with all that it started."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    clock = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(cpu, clock, usage.ru_maxrss * 1024)


def cycle(folder: Path, profile: str, template: str, runs: int) -> Taken:
    """Run one cycle with so many RUNs of a command in a fresh state directory."""
    policy = {"sandbox_profile": profile}
    create: dict[str, object] = {"template": template, "execution_policy": policy}
    cases = [
        {
            "case_id": f"{number:06d}",
            "command_name": "bench",
            "operation": "RUN" if number else "CREATE",
            **({} if number else create),
        }
        for number in range(runs + 1)
    ]
    fixture, state_dir = folder / "fixture.json", tempfile.mkdtemp(dir=folder)
    fixture.write_text(json.dumps({"schema_version": 1, "name": "bench", "cases": cases}))
    os.sync()  # what an earlier cycle left to be written is not this one's
    options = ("--run-mode", "execute", "--no-policy-require-approval", "--max-parallel", "1")
    limits = ("--policy-sandbox-profile", profile, "--queue-limit", str(len(cases)))
    return measured(
        [str(COMMAND), "run", str(fixture), "--state-dir", state_dir, *options, *limits]
    )


def bare_loop(runs: int) -> None:
    """Start `true` in bubblewrap so many times, each after a word that its shell waits for."""
    asked = Invocation(("true",))
    how = launch(asked.run_as)
    words = [*how.words, *described(asked), "--", "/bin/sh", "-c", WAITING_SHELL, "sh", "true"]
    for _ in range(runs):
        outer, inner = socket.socketpair()
        with outer, inner:
            process = subprocess.Popen(
                words,
                stdin=inner.fileno(),
                cwd="/",
                start_new_session=True,
                user=how.user,
                group=how.group,
                extra_groups=how.extra_groups,
            )
            inner.close()
            if outer.recv(1) != b"+":
                raise SystemExit("bubblewrap cannot be used here: see tau-custom-command doctor")
            outer.sendall(b"\n")
            if process.wait():
                raise SystemExit(f"bubblewrap exited with {process.returncode}")


def alternating(rounds: int, *ways: Callable[[], Taken]) -> list[list[Taken]]:
    """Take the ways in turn, and return what each took, a figure for each round."""
    taken: list[list[Taken]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, figures in zip(ways, taken, strict=True):
            figures.append(way())
    return taken


def compared(
    label: str, ours: list[Taken], yardstick: list[Taken], bound: float, *, by_clock: bool
) -> bool:
    """Print a row; tell whether the ratio that counts is within its bound."""
    cpu, bare_cpu = (statistics.median(t.cpu for t in each) for each in (ours, yardstick))
    clock, bare_clock = (statistics.median(t.clock for t in each) for each in (ours, yardstick))
    print(
        f"{label:<18}  {bound:>5}  {cpu:>5.2f} s  {bare_cpu:>6.2f} s  {cpu / bare_cpu:>5.2f}"
        f"  {clock:>5.2f} s  {bare_clock:>6.2f} s  {clock / bare_clock:>5.2f}"
    )
    return (clock / bare_clock if by_clock else cpu / bare_cpu) <= bound


def main() -> int:
    """Measure, print a table, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each way [default: 5]")
    parser.add_argument("--directory", type=Path, help="where to write [default: the system's]")
    parser.add_argument("--bare-loop", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare_loop:
        bare_loop(arguments.bare_loop)
        return 0
    quiet = os.getloadavg()[0] < QUIET_LOAD
    bare = [sys.executable, __file__, "--bare-loop", "1000"]
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        folder, rounds = Path(name), arguments.rounds
        ours, yardstick = alternating(
            rounds,
            lambda: cycle(folder, "unrestricted", "true", 1_000),
            lambda: measured(["sh", "-c", "seq 1000 | xargs -n1 true"]),
        )
        columns = f"{'cpu':>7}  {'bare':>8}  ratio  {'clock':>7}  {'bare':>8}  ratio"
        print(f"{'held by the ' + ('clock' if quiet else 'cpu'):<18}  bound  {columns}")
        is_good = compared(
            "1,000 unrestricted", ours, yardstick, UNRESTRICTED_BOUND, by_clock=quiet
        )
        ours, yardstick = alternating(
            rounds,
            lambda: cycle(folder, "restricted", "true", 1_000),
            lambda: measured(bare),
        )
        is_good &= compared("1,000 restricted", ours, yardstick, RESTRICTED_BOUND, by_clock=quiet)
        loud, silent = alternating(
            rounds,
            lambda: cycle(folder, "unrestricted", OUTPUT, 1),
            lambda: cycle(folder, "unrestricted", "true", 1),
        )
    large, small = (statistics.median(t.memory for t in each) / 1e6 for each in (loud, silent))
    more = large - small
    told = f"{large:.1f} MB, {small:.1f} MB without: {more:.1f} MB more"
    print(f"{'300 MB of output':<18}  {MOST_MEMORY_MB:>5}  {told}")
    return 0 if is_good and more <= MOST_MEMORY_MB else 1


if __name__ == "__main__":
    sys.exit(main())
