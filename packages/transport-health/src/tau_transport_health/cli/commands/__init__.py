"""The commands: a module each, whose function `command` is imported only when it is called.

A command that is slow to import imports in its function what is slow, since `--help` imports all.
"""

COMMANDS = (
    "inspect",
    "status",
    "diagnose",
    "check",
    "export",
    "watch",
    "report",
    "targets",
    "channels",
)
"""The modules and folders of this folder, as `--help` lists them."""
