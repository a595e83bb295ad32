"""Where the files of the contract are, relative to the state directory."""

STATE_DIR = ".tau/custom-command"
"""The state directory itself, where no other is named."""

STATE_FILE = "state.json"
PAUSED_FILE = "paused.json"
APPROVALS = "approvals.json"
EVENT_LOG = "runtime-events.jsonl"
CHANNEL_STORE = "channel-store/custom-command"
CHANNEL_LOGS = ("log.jsonl", "context.jsonl")
"""In a channel's folder: what grows by a line a case."""
ARTIFACT_INDEX = "artifacts/index.jsonl"
"""In a channel's folder: a line an artifact."""
SURFACE = "custom-command"
"""What the rollout gate calls what this runtime writes."""
