"""A shell in which a reader types what a document says, one command after the other."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.end_to_end.blocks import Typed, as_pattern

COMMANDS = Path(sys.executable).parent
PATIENCE_SECONDS = 300.0

_TYPE = """
type_one() {{ . "$1.sh" >"$1.out" 2>&1 </dev/null; code=$?; }}
for number in {numbers}; do
  typed="$TYPED/$number" tries=1
  read -r wanted waits <"$typed.wanted"
  [ "$waits" = no ] || tries=240
  while type_one "$typed"; [ "$code" -ne "$wanted" ] && [ $((tries -= 1)) -gt 0 ]; do
    command sleep 0.25
  done
  echo "$code" >"$typed.code"
  [ "$code" -eq "$wanted" ] || exit 1
done
"""


def type_all(typed: Sequence[Typed], folder: Path) -> None:
    """Type commands in a folder, with little in the environment; each does what it is said to do.

    A `sleep` is not slept: what comes after it is typed again until it exits as it should, for a
    minute at most, so that a busy machine may take longer and an idle one does not wait.

    Raises:
        AssertionError: if one exits otherwise, or prints something else.
    """
    notes = folder / ".typed"
    notes.mkdir()
    waits = False
    numbers = []
    for number, one in enumerate(typed):
        if one.command.startswith("sleep "):
            waits = True
            continue
        (notes / f"{number}.sh").write_text(one.command + "\n")
        (notes / f"{number}.wanted").write_text(f"{one.code} {'yes' if waits else 'no'}\n")
        numbers.append(number)
        waits = False
    environment = {
        "PATH": f"{COMMANDS}:/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TYPED": str(notes),
        "LOGNAME": "ada",
    }
    script = _TYPE.format(numbers=" ".join(map(str, numbers)))
    bash = shutil.which("bash")
    assert bash
    with subprocess.Popen(
        [bash, "-c", script], cwd=folder, env=environment, start_new_session=True
    ) as shell:
        try:
            shell.wait(timeout=PATIENCE_SECONDS)
        finally:
            _end(shell.pid)
    for number in numbers:
        one, said = typed[number], (notes / f"{number}.out").read_text()
        code = int((notes / f"{number}.code").read_text())
        assert code == one.code, f"{one.command}\nexit {code}\n{said}"
        if one.printed is not None:
            plain = "".join(f"{line.rstrip()}\n" for line in said.splitlines())
            assert as_pattern(one.printed).fullmatch(plain), f"{one.command}\n{said}"


def _end(session: int) -> None:
    """End what a session left behind, such as a loop in its background."""
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        return
