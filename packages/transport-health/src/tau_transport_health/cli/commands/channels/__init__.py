"""Look into the channel store."""

COMMANDS = ("list", "show", "verify")
"""The modules of this folder, as `--help` lists them; it begins with the docstring above."""
