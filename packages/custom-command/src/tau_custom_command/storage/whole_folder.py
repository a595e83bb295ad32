"""Makes a folder that is missing as a whole: under another name, with its files, and then renamed.

Nothing has to be looked for in it and no file in it replaced, so a new channel takes 18 system
calls instead of 38, which are most of the time of a cycle that creates commands. Readers see it
once it is complete. What a kill leaves under the other name goes when the journal, which still has
the changes, is carried out again.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tau_custom_command.contract.writes import AppendAt, Change
from tau_custom_command.storage.folders import FILE_MODE, NO_LINK, FolderWalk
from tau_custom_command.storage.read import refused
from tau_custom_command.storage.sync import write_whole

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK


def files_of(changes: Iterable[Change]) -> dict[str, bytes] | None:
    """What each file holds after changes to a folder that is missing, by its name.

    None where they were placed while files were there: those are gone, which is not for here.
    """
    files: dict[str, bytes] = {}
    for change in changes:
        name = change.path.rpartition("/")[2]
        content, before = change.content, files.get(name, b"")
        if isinstance(change, AppendAt):
            at_end = change.offset == len(before) and not change.torn
            if not at_end or change.identity or change.rotated:
                return None
            content = before + content if before else content
        elif change.instead_of:
            return None
        files[name] = content
    return files


def make(root: Path, folder: str, files: Mapping[str, bytes], folders: FolderWalk) -> None:
    """Make a folder below `root` that is missing, with files in it.

    Raises:
        StorageError: at the first file that the operating system refuses; nothing of it is left.
        OSError: if it refuses the folder itself.
    """
    above, slash, name = folder.rpartition("/")
    new = f"{above}{slash}.{name}.new"
    try:
        made = folders.make_folder(new)
    except FileExistsError:  # a kill left it
        folders.remove_folder(new)
        made = folders.make_folder(new)
    try:
        for name, content in files.items():
            try:
                _create(name, content, made)
            except OSError as error:
                raise refused(error, root / folder / name, "write") from error
        folders.rename(new, folder)
    except BaseException:
        with suppress(OSError):
            folders.remove_folder(new)  # it would take room where there may be none
        raise


def _create(name: str, content: bytes, folder: int) -> None:
    file = os.open(name, _NEW_FILE, FILE_MODE, dir_fd=folder)
    try:
        write_whole(file, content, 0)
    finally:
        os.close(file)
