"""What a cycle writes, as data: `cycle` decides it, `storage` carries it out.

Paths are relative to the state directory. A `Write` says what is wanted, whatever the files hold; a
`Change` says where in the files that is, so that it can be carried out again and again: it is what
the journal records.
"""

from typing import NamedTuple


class AppendLines(NamedTuple):
    """Add whole lines to a JSON Lines file, which is made if it is not there."""

    path: str
    lines: tuple[bytes, ...]


class ReplaceFile(NamedTuple):
    """Put a whole file in the place of what is there, if anything.

    `instead_of` says which version of a log it is made from: it takes the place of that one alone,
    under whatever name it is by now. 0 for whatever has the name.
    """

    path: str
    content: bytes
    instead_of: int = 0


class CreateFile(NamedTuple):
    """Put a whole file where there is none; one that is there stays as it is."""

    path: str
    content: bytes


class AppendAt(NamedTuple):
    """An idempotent append: afterwards `content`, whole lines, is in the file at `offset`.

    `offset` is the end of the whole lines before, and `torn` what followed it: part of a line,
    which is kept elsewhere and goes. `identity` tells the file from another one, should the log be
    rotated before the lines are in it; 0 where there was none. Then `rotated` says which file had
    the log's name with `.1`, 0 for none: the first one after it is the one that has the lines,
    once there is any.
    """

    path: str
    offset: int
    torn: bytes
    content: bytes
    identity: int = 0
    rotated: int = 0

    def foreign(self, found: bytes) -> bytes:
        """Tell what of `found`, the file from the offset on, was put there by somebody else.

        Not foreign are part of the lines, all of them, and what was added after all of them.
        """
        is_ours = self.content.startswith(found) or found.startswith(self.content)
        return b"" if is_ours or found == self.torn else found


Write = AppendLines | ReplaceFile | CreateFile
Change = AppendAt | ReplaceFile
