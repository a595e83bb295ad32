"""The process that looks for regular expressions: started by its path, it imports nothing of ours.

It reads a line of JSON for each pattern, `[pattern, text, seconds]`, and writes one for what came
of it: the groups, null where there is no match, or false where that took too much memory, or is too
much for the runtime to take in. Whoever takes longer than he may is ended by a signal that does not
wait for the interpreter. So the process also ends, at the latest after that time, if the runtime
was killed meanwhile.
"""

import json
import re
import resource
import signal
import sys
from collections.abc import Iterable
from typing import TextIO

MOST_MEMORY_BYTES = 1024 * 1024 * 1024
MOST_CHARACTERS = 8 * 1024 * 1024
"""Of all groups together: they overlap, so each may have all of a text of a million."""


def answer(pattern: str, text: str) -> list[str | None] | bool | None:
    """What comes of looking for a pattern in a text, as it is written."""
    try:
        found = re.search(pattern, text)
    except (MemoryError, RecursionError):
        return False
    if found is None:
        return None
    spans = map(found.span, range(found.re.groups + 1))
    if sum(end - start for start, end in spans) > MOST_CHARACTERS:
        return False
    return [found[0], *found.groups()]


def serve(requests: Iterable[str], answers: TextIO) -> None:
    """Answer each request, one after the other, until there are no more."""
    for request in requests:
        pattern, text, seconds = json.loads(request)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        found = answer(pattern, text)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    # Those who ask to stop ask the runtime, which may look for this pattern still.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whatever the runtime's own parent made of it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin, sys.stdout)
