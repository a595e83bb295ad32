"""evidence: say here what this room is, and what it may import."""
