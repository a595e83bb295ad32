"""What `--version` prints."""

from tau_custom_command import __version__

VERSION = f"tau-custom-command {__version__}"
