"""Puts the repository's address into a package that is about to be built for an index.

An index shows a package's README on a page of its own, where a link to another file of the
repository leads nowhere; and it shows the addresses that the package's metadata names. The release
is where the address is known, so nothing of it is written down in the repository. Changes the
working copy: `[project.urls]` in the package's pyproject.toml, each relative link in its README.
"""

import argparse
import json
import posixpath
import re
from pathlib import Path

_RELATIVE_LINK = re.compile(r"\]\((?![a-z][a-z0-9+.-]*:|#)([^)\s]+)\)")


def absolute_links(text: str, *, folder: str, address: str, tag: str) -> str:
    """Return a document's text with its relative links led into the repository at a tag.

    Args:
        text: The document, in Markdown.
        folder: Where it stands, from the repository's root.
        address: The repository's address, https.
        tag: The tag that is released.
    """

    def absolute(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[1]))
        return f"]({address}/blob/{tag}/{path})"

    return _RELATIVE_LINK.sub(absolute, text)


def project_urls(folder: str, address: str, tag: str) -> str:
    """Return the table of addresses for a package's pyproject.toml."""
    urls = {
        "Repository": address,
        "Documentation": f"{address}/blob/{tag}/{folder}/README.md",
        "Runbooks": f"{address}/tree/{tag}/runbooks",
        "Changelog": f"{address}/blob/{tag}/{folder}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }
    lines = (f"{name} = {json.dumps(url)}" for name, url in urls.items())
    return "\n".join(["", "[project.urls]", *lines, ""])


def main() -> None:
    """Change the working copy of one package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", help="its folder under packages/")
    parser.add_argument("address", help="of the repository, https://HOST/OWNER/NAME")
    parser.add_argument("tag", help="that is released, as tau-custom-command-v0.1.0")
    asked = parser.parse_args()
    folder = f"packages/{asked.package}"
    root = Path(__file__).resolve().parents[1]
    metadata, readme = (root / folder / name for name in ("pyproject.toml", "README.md"))
    written = metadata.read_text()
    if "[project.urls]" in written:
        parser.error(
            f"{folder}/pyproject.toml names addresses already; begin with a clean checkout"
        )
    readme.write_text(
        absolute_links(readme.read_text(), folder=folder, address=asked.address, tag=asked.tag)
    )
    metadata.write_text(written + project_urls(folder, asked.address, asked.tag))


if __name__ == "__main__":
    main()
