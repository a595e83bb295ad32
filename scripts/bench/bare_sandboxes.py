"""Starts `true` in bubblewrap so many times, each after a word that its shell waits for.

The yardstick of confined RUNs: a loop that does nothing but start the same line as the same user,
which it becomes at its beginning, with a shell in it that says it is there, waits for a word and
executes `true`.
"""

import os
import platform
import socket
import subprocess
import sys

from tau_custom_command.execution.bubblewrap import seccomp
from tau_custom_command.execution.bubblewrap.launch import launch
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.run import described

_WAITING = ("/bin/sh", "-c", 'printf + >&0; read -r word; exec "$@" </dev/null', "sh", "true")


def main() -> None:
    """Start them one after the other.

    Raises:
        SystemExit: if bubblewrap cannot be used here.
    """
    asked = Invocation(("true",))
    how = launch(asked.run_as)
    if how.whom is not None:
        os.setgroups(())
        os.setgid(how.whom[1])
        os.setuid(how.whom[0])
    confined = (*how.words, *described(asked))
    calls = seccomp.program(seccomp.MACHINES[platform.machine()], allow_network=False)
    for _ in range(int(sys.argv[1])):
        (outer, inner), (reader, writer) = socket.socketpair(), os.pipe()
        with outer, inner:
            os.write(writer, calls)
            os.close(writer)
            process = subprocess.Popen(
                [*confined, "--seccomp", str(reader), "--", *_WAITING],
                stdin=inner.fileno(),
                cwd="/",
                start_new_session=True,
                pass_fds=(reader,),
            )
            inner.close()
            os.close(reader)
            if outer.recv(1) != b"+":
                raise SystemExit("bubblewrap cannot be used here: see tau-custom-command doctor")
            outer.sendall(b"\n")
            if process.wait():
                raise SystemExit(f"bubblewrap exited with {process.returncode}")


if __name__ == "__main__":
    main()
