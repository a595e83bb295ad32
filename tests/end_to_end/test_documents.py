"""README, runbooks and the rest: links lead somewhere, commands work as they stand."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
COMMANDS = Path(sys.executable).parent
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY)
    for path in REPOSITORY.rglob("*.md")
    if not any(part.startswith(".") for part in path.relative_to(REPOSITORY).parts)
)
_SECTION = re.compile(r"([\w-]+\.md), \"([^\"]+)\"")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^( *)```bash\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"#.*\bexit (\d+)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

by_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


def without_fences(text: str) -> str:
    """Return a document's text without its code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Return the names under which a document's headings can be linked to."""
    headings = _HEADING.findall(without_fences(document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def command_lines(document: Path) -> list[str]:
    """Return the lines of a document's bash blocks, without comments."""
    blocks = (block for _, block in _FENCE.findall((REPOSITORY / document).read_text()))
    lines = (line.strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@by_document
def test_links_lead_somewhere(document: Path) -> None:
    """A link inside the repository names a file that is there, and a heading that it has."""
    text = without_fences((REPOSITORY / document).read_text())
    for target in _LINK.findall(text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (REPOSITORY / document).parent / path if path else REPOSITORY / document
        assert linked.exists(), f"{document}: {target}"
        assert not anchor or anchor in anchors(linked), f"{document}: {target}"


@pytest.mark.parametrize("package", ["custom-command", "transport-health", "rollout-gate"])
def test_a_released_package_links_to_the_repository(package: str, tmp_path: Path) -> None:
    """What an index shows of a package has addresses, and no link that leads nowhere there."""
    for part in ("scripts", f"packages/{package}"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    words = [package, "https://example.org/ops/tau-ops", f"tau-{package}-v0.1.0"]
    naming = [sys.executable, "scripts/link_package.py", *words]
    subprocess.run(naming, cwd=tmp_path, check=True)
    folder = tmp_path / "packages" / package
    links = _LINK.findall(without_fences((folder / "README.md").read_text()))
    within = [link for link in links if link.startswith("https://example.org/")]
    assert len(within) >= 3
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    urls = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["urls"]
    start = f"https://example.org/ops/tau-ops/blob/tau-{package}-v0.1.0/"
    for link in (*within, urls["Documentation"], urls["Changelog"]):
        assert (REPOSITORY / link.removeprefix(start).partition("#")[0]).exists(), link
    again = subprocess.run(naming, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (again.returncode, "names addresses already" in again.stderr) == (2, True)


@by_document
def test_commands_work(document: Path, tmp_path: Path) -> None:
    """Commands of ours run as they stand, in their order; a script that is named is there.

    Each exits with 0, or with the code that the comment behind it says.
    """
    environment = {"PATH": f"{COMMANDS}:/usr/bin:/bin", "HOME": str(tmp_path)}
    (tmp_path / ".tau").mkdir()
    (tmp_path / "fixtures").symlink_to(REPOSITORY / "fixtures")
    for line in command_lines(document):
        words = shlex.split(line, comments=True)
        program = words[0].removeprefix(".venv/bin/")
        if program.startswith("tau-"):
            ran = subprocess.run(
                ["/bin/sh", "-c", shlex.join([program, *words[1:]])],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            said = _EXIT.search(line)
            code = int(said[1]) if said else 0
            assert ran.returncode == code, f"{document}: {line}\n{ran.stdout}{ran.stderr}"
        elif program.startswith("./scripts/"):
            assert os.access(REPOSITORY / program, os.X_OK), f"{document}: {line}"


@by_document
def test_codes_and_scripts_in_prose_exist(document: Path) -> None:
    """A path of the repository that is written as code names something that is there."""
    text = without_fences((REPOSITORY / document).read_text())
    for path in re.findall(r"`((?:packages|fixtures|runbooks|scripts|tests)/[\w./-]+)`", text):
        assert (REPOSITORY / path).exists(), f"{document}: {path}"


def test_the_sections_that_the_code_cites_are_there() -> None:
    """Whoever looks up where a rule comes from finds it: the runbook, and the heading in it."""
    cited = []
    for path in REPOSITORY.glob("packages/*/src/**/*.py"):
        for runbook, section in _SECTION.findall(" ".join(path.read_text().split())):
            document = REPOSITORY / "runbooks" / runbook
            assert document.is_file(), f"{path.name}: {runbook}"
            headings = _HEADING.findall(document.read_text().replace("`", ""))
            assert section.replace("`", "") in headings, f"{path.name}: {runbook}: {section}"
            cited.append(section)
    assert len(cited) > 40


@pytest.mark.parametrize(
    ("package", "count"), [("custom-command", 15), ("transport-health", 9), ("rollout-gate", 22)]
)
def test_the_package_readme_names_every_command(package: str, count: int) -> None:
    """The README's table of commands has all that --help lists."""
    help_text = subprocess.run(
        [COMMANDS / f"tau-{package}", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^  ([\w-]+)  ", help_text.partition("Commands:")[2], re.MULTILINE)
    readme = (REPOSITORY / "packages" / package / "README.md").read_text()
    assert len(commands) == count
    assert [command for command in commands if f"`{command}" not in readme] == []
