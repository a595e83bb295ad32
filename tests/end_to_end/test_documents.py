"""README, runbooks and the rest: links lead somewhere, commands work as they stand."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.contract.running import execute_runs
from tests.end_to_end.blocks import SHOWN, TYPED, Typed, blocks_of, typed_in
from tests.end_to_end.shell import type_all

REPOSITORY = Path(__file__).parents[2]
COMMANDS = Path(sys.executable).parent
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY)
    for path in REPOSITORY.rglob("*.md")
    if not any(part.startswith(".") for part in path.relative_to(REPOSITORY).parts)
)
RECORDED_IN_ROOT = (
    f"tau-custom-command run {REPOSITORY}/fixtures/contracts/rollout-pass.json"
    " --state-dir srv/custom-command"
)
RECORDED = "tau-custom-command run fixtures/contracts/rollout-pass.json"
_SECTION = re.compile(r"([\w-]+\.md), \"([^\"]+)\"")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

BEFORE = {
    "README.md": ("mkdir .tau",),
    "packages/transport-health/README.md": (RECORDED,),
    "runbooks/release-channel-ops.md": (RECORDED,),
}
"""What a document takes to be there already: what it says before that, or another one does."""

by_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


def without_fences(text: str) -> str:
    """Return a document's text without its code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Return the names under which a document's headings can be linked to."""
    headings = _HEADING.findall(without_fences(document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


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
def test_each_block_is_run_or_says_why_not(document: Path) -> None:
    """What is typed is run here, or by the test that its mark names; or the mark gives a reason."""
    for block in blocks_of((REPOSITORY / document).read_text()):
        place = f"{document}:{block.line}"
        assert block.language in TYPED | SHOWN, f"{place}: what is a block of {block.language!r}?"
        if block.language == "text":
            assert block.mark or not block.looks_typed, f"{place}: neither run nor marked"
        kind, _, named = (block.mark or "").partition(" by ")
        if kind == "run":
            test = (REPOSITORY / named).read_text()
            assert document.name in test or document.parent.name in test, f"{place}: {named}"


@by_document
def test_what_is_typed_works(document: Path, tmp_path: Path) -> None:
    """All blocks that are typed, in one shell and in their order, as a reader would.

    Each command exits with 0, or with the code that the comment behind it says, and prints what the
    document shows below it, if anything.
    """
    blocks = blocks_of((REPOSITORY / document).read_text())
    ours = [one for one in blocks if one.language in TYPED and one.mark is None]
    typed = [one for block in ours for one in typed_in(block)]
    taken = [Typed(command=one, code=0, printed=None) for one in BEFORE.get(str(document), ())]
    for name in ("fixtures", "scripts", ".venv"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    type_all([*taken, *typed], tmp_path)


def test_the_digests_of_artifacts_are_checked_as_the_runbook_says(tmp_path: Path) -> None:
    """The block of custom-command-ops.md, in a channel that has an artifact."""
    text = (REPOSITORY / "runbooks/custom-command-ops.md").read_text()
    (block,) = [one for one in blocks_of(text) if "artifacts/index.jsonl" in one.text]
    there = execute_runs(tmp_path) / "channel-store/custom-command/long"
    checks = block.text.replace(".tau/smoke/channel-store/custom-command/fetch", str(there))
    ran = subprocess.run(
        ["/bin/sh", "-ec", checks], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.count(": OK\n") == len(list(there.glob("artifacts/*.txt"))) > 0


def test_the_crontabs_of_the_inspector_work(tmp_path: Path) -> None:
    """Those of transport-health-ops.md are silent while all is well, and write their metrics."""
    text = (REPOSITORY / "runbooks/transport-health-ops.md").read_text()
    shown = "".join(one.text for one in blocks_of(text) if one.language == "text")
    lines = re.findall(r"^\*\S* \* \* \* \* (.+)$", shown, re.MULTILINE)
    assert len(lines) == 3
    for there, here in (("/srv/tau", "srv"), ("/var/lib/node_exporter/", ""), ("/tmp/", "")):  # noqa: S108 - of the crontab
        lines = [line.replace(there, here) for line in lines]
    typed = [Typed(command=line, code=0, printed="") for line in lines]
    type_all([Typed(command=RECORDED_IN_ROOT, code=0, printed=None), *typed], tmp_path)
    assert "tau_transport_rollout_gate_pass{" in (tmp_path / "tau.prom").read_text()


@by_document
def test_what_is_shown_is_sound(document: Path) -> None:
    """A file that is shown, or a part of one, is of its language."""
    sound: dict[str, Callable[[str], object]] = {
        "toml": tomllib.loads,
        "yaml": yaml.safe_load,
        "python": ast.parse,
    }
    for block in blocks_of((REPOSITORY / document).read_text()):
        if block.language in sound:
            sound[block.language](block.text)


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
