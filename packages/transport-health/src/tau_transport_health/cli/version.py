"""What `--version` prints: the program's version, and that of the forms that it reads.

The forms are called as their schemas are, in fixtures/state-contract/.
"""

from tau_transport_health import __version__
from tau_transport_health.contract.schema_version import SCHEMA_VERSION

READS = ("state", "event", "channel", "channel-log", "context", "artifact-index", "paused")

VERSION = f"""tau-transport-health {__version__}
reads version {SCHEMA_VERSION} of: {", ".join(READS)}"""
