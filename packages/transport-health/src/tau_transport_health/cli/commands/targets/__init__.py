"""See and name targets."""

COMMANDS = ("list", "add")
"""The modules of this folder, as `--help` lists them; it begins with the docstring above."""
