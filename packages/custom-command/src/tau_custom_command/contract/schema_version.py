"""The version of the state-file contract, `schema_version` in the files of it.

The three packages share no code: each has this file, the same to the byte. It imports next to
nothing, since `--version` prints it.
"""

from typing import Final

SCHEMA_VERSION: Final = 1
"""The only one that is read or written; runbooks/state-files.md, "Rules for every file"."""
