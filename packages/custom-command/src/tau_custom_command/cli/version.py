"""What `--version` prints: the program's version, and those of the forms that it reads and writes.

The forms are called as their schemas are, in fixtures/state-contract/.
"""

from tau_custom_command import __version__
from tau_custom_command.contract.schema_version import SCHEMA_VERSION

READS = (
    "fixture",
    "state",
    "event",
    "channel",
    "channel-log",
    "context",
    "artifact-index",
    "paused",
    "shipped-state",
)
WRITES = READS[1:]


def _line(verb: str, forms: tuple[str, ...]) -> str:
    return f"{verb} version {SCHEMA_VERSION} of: {', '.join(forms)}"


VERSION = "\n".join(
    [f"tau-custom-command {__version__}", _line("reads", READS), _line("writes", WRITES)]
)
