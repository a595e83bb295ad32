"""What `--version` prints."""

from tau_rollout_gate import __version__

VERSION = f"tau-rollout-gate {__version__}"
