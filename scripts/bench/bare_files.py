"""Makes the folders and files of a tree anew elsewhere, with the same bytes, and nothing besides.

The yardstick of a cycle that makes many: `bare_files.py TREE ELSEWHERE make`; with `read` it stops
once it has read the tree, which is what is taken off.
"""

import os
import sys


def main() -> None:
    """Read a tree, and make it elsewhere."""
    tree, elsewhere, what = sys.argv[1:]
    folders: list[str] = []
    files: list[tuple[str, bytes]] = []
    for path, _, names in os.walk(tree):
        place = elsewhere + path.removeprefix(tree)
        folders.append(place)
        for name in names:
            with open(f"{path}/{name}", "rb") as file:  # noqa: PTH123 - as fast as can be
                files.append((f"{place}/{name}", file.read()))
    if what == "read":
        return
    for folder in folders:
        os.mkdir(folder, 0o700)  # noqa: PTH102 - as above
    for place, content in files:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, content)
        os.close(descriptor)


if __name__ == "__main__":
    main()
