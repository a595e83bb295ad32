"""What `--version` prints."""

from tau_transport_health import __version__

VERSION = f"tau-transport-health {__version__}"
