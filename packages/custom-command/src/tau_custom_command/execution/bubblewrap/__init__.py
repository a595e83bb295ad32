"""Confines commands with bubblewrap: what they see, what they may call, and what waits inside."""
