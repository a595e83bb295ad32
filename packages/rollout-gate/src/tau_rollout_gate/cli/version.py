"""What `--version` prints: the program's version, and those of the forms that it reads and writes.

The forms are called as their schemas are, in fixtures/state-contract/.
"""

from tau_rollout_gate import __version__
from tau_rollout_gate.contract.schema_version import SCHEMA_VERSION

READS = ("state", "event", "shipped-state", "rollout", "decision")
WRITES = ("rollout", "decision", "answer")


def _line(verb: str, forms: tuple[str, ...]) -> str:
    return f"{verb} version {SCHEMA_VERSION} of: {', '.join(forms)}"


VERSION = "\n".join(
    [f"tau-rollout-gate {__version__}", _line("reads", READS), _line("writes", WRITES)]
)
