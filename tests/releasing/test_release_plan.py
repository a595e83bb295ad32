"""The script as it is typed: in a repository of a test's own, with its commits and tags."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.releasing.fragments import TYPES
from scripts.releasing.plan import DEVELOPMENT, Version, entry_of

REPOSITORY = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in REPOSITORY.glob("packages/*/pyproject.toml"))
TAG = "tau-rollout-gate-v0.1.0"


class Ended(NamedTuple):
    """How it ended: exit code, and what it printed where."""

    code: int
    out: str
    err: str


class Repository:
    """A repository with what a release is made of, on main and as its origin has it."""

    def __init__(self, root: Path) -> None:
        """Make one commit of this repository's files."""
        self.root = root
        root.mkdir()
        for path in ("scripts", *(f"packages/{package}" for package in PACKAGES)):
            ignored = shutil.ignore_patterns("__pycache__", "src")
            shutil.copytree(REPOSITORY / path, root / path, ignore=ignored)
        for module in REPOSITORY.glob("packages/*/src/*/__init__.py"):
            target = root / module.relative_to(REPOSITORY)
            target.parent.mkdir(parents=True)
            shutil.copy(module, target)
        (root / ".gitignore").write_text("__pycache__/\n")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("everything")

    def git(self, *words: str) -> str:
        """Run git as nobody in particular."""
        nobody = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER")
                  for what in ("NAME", "EMAIL")}  # fmt: skip
        env = {"PATH": os.environ["PATH"], "HOME": str(self.root.parent), **nobody}
        done = subprocess.run(
            [shutil.which("git") or "git", *words],
            cwd=self.root,
            env=env | {"GIT_CONFIG_NOSYSTEM": "1"},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, message: str, *, is_on_main: bool = True) -> str:
        """Commit all that there is; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        if is_on_main:
            self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        return self.git("rev-parse", "HEAD")

    def plan(self, *words: str | Path) -> Ended:
        """Run the script of the repository."""
        done = subprocess.run(
            [sys.executable, "scripts/release_plan.py", *words],
            cwd=self.root,
            check=False,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def runs(self, *conclusions: str) -> Path:
        """Write down runs of CI on the newest commit of main, the oldest first."""
        of_main = {"head_branch": "main", "event": "push", "status": "completed"}
        of_main["head_sha"] = self.git("rev-parse", "HEAD")
        runs = [
            {**of_main, "run_number": number, "conclusion": conclusion}
            for number, conclusion in enumerate(conclusions)
        ]
        path = self.root.parent / "runs.json"
        path.write_text(json.dumps({"workflow_runs": runs}))
        return path

    def prepare(self, version: str = "0.1.0", package: str = "rollout-gate") -> None:
        """Prepare a release, and commit it."""
        assert self.plan("prepare", package, version) == Ended(0, "", "")
        self.commit(f"{package} {version}")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a repository whose packages are as they are here."""
    return Repository(tmp_path / "repository")


def test_a_release_from_its_fragments_to_its_tag(repository: Repository) -> None:
    """What `prepare` makes, committed and tagged, is released; the next commit is none."""
    fragments = repository.root / "packages/rollout-gate/changes"
    (fragments / "+one.fix.md").write_text("- A word\n  in two lines.\n")
    (fragments / "+two.breaking.md").write_text("- An option is gone.\n")
    (fragments / "+three.internal.md").write_text("")
    repository.prepare()
    assert not list(fragments.glob("*.md"))
    repository.git("tag", TAG)
    told = "package=rollout-gate\nversion=0.1.0\nprerelease=false\n"
    assert repository.plan("check", TAG) == Ended(0, told, "")
    assert repository.plan("check", TAG, "--runs", repository.runs("success")) == Ended(0, told, "")

    notes = repository.plan("notes", TAG).out
    assert re.findall("^### .*", notes, re.MULTILINE) == [
        "### Breaking changes",
        "### Added and changed",
        "### Mended",
    ]
    assert "- A word\n  in two lines.\n" in notes
    assert "\n\n\n" not in notes
    changelog = (repository.root / "packages/rollout-gate/CHANGELOG.md").read_text()
    assert changelog.count("towncrier release notes start") == 1

    assert repository.plan("prepare", "rollout-gate", "0.2.0.dev0").code == 0
    repository.commit("the next one")
    assert "says version 0.2.0.dev0, not 0.1.0" in repository.plan("check", TAG).err
    module = repository.root / "packages/rollout-gate/src/tau_rollout_gate/__init__.py"
    assert '__version__ = "0.2.0.dev0"' in module.read_text()


def test_a_prerelease_in_either_spelling(repository: Repository) -> None:
    """The tag as semver has it is of the version that PEP 440 names; the index is told."""
    repository.prepare("0.1.0-rc.1")
    for spelling in ("0.1.0-rc.1", "0.1.0rc1"):
        told = repository.plan("check", f"tau-rollout-gate-v{spelling}")
        assert told == Ended(0, "package=rollout-gate\nversion=0.1.0rc1\nprerelease=true\n", "")


def test_what_is_checked_out_is_the_commit_of_main_that_the_tag_is_on(
    repository: Repository,
) -> None:
    """Neither a branch, nor another commit, nor a file that was changed, nor a missing main."""
    repository.prepare()
    runs = repository.runs("success")
    assert repository.plan("check", TAG, "--runs", runs).code == 1
    repository.git("tag", TAG)
    assert repository.plan("check", TAG, "--runs", runs).code == 0
    assert repository.plan("check", TAG, "--runs", runs, "--main", "origin/none").code == 1

    (repository.root / "scripts/stray.py").write_text("")
    assert "working copy" in repository.plan("check", TAG, "--runs", runs).err
    repository.commit("on a branch alone", is_on_main=False)
    assert "is not on the commit" in repository.plan("check", TAG, "--runs", runs).err
    repository.git("tag", "--force", TAG)
    assert "not on a commit of origin/main" in repository.plan("check", TAG, "--runs", runs).err


@pytest.mark.parametrize("conclusions", [(), ("failure",), ("success", "failure")], ids=str)
def test_ci_has_to_have_passed(repository: Repository, conclusions: tuple[str, ...]) -> None:
    """On that commit; the newest run counts."""
    repository.prepare()
    repository.git("tag", TAG)
    ended = repository.plan("check", TAG, "--runs", repository.runs(*conclusions))
    assert (ended.code, ended.out) == (1, "")
    assert "CI" in ended.err


def test_an_answer_that_is_no_json_is_no(repository: Repository, tmp_path: Path) -> None:
    """And so is a file that is missing."""
    repository.prepare()
    repository.git("tag", TAG)
    (tmp_path / "cut").write_text('{"workflow_runs": [')
    for runs in (tmp_path / "cut", tmp_path / "none"):
        ended = repository.plan("check", TAG, "--runs", runs)
        assert (ended.code, ended.out) == (1, "")


def test_other_packages_stay_as_they_are(repository: Repository) -> None:
    """A release is of one package; the tag of another is refused."""
    before = repository.git("rev-parse", "HEAD")
    repository.prepare()
    changed = repository.git("diff", "--name-only", before, "HEAD").splitlines()
    assert {path.split("/")[1] for path in changed} == {"rollout-gate"}
    assert repository.plan("check", "tau-custom-command-v0.1.0").code == 1
    assert repository.plan("prepare", "none", "0.1.0").code == 1
    assert repository.plan("prepare", "custom-command", "0.1").code == 1
    assert repository.git("status", "--porcelain") == ""


def test_a_branch_that_changes_a_package_has_a_fragment(repository: Repository) -> None:
    """It is compared with where it left the branch that it goes to; a release needs none."""
    repository.git("checkout", "--quiet", "-b", "work")
    assert repository.plan("fragments", "main") == Ended(0, "", "")
    module = repository.root / "packages/rollout-gate/src/tau_rollout_gate/odd name\t.py"
    module.write_text("")
    repository.commit("a change", is_on_main=False)
    ended = repository.plan("fragments", "main")
    assert ended.code == 1
    assert "packages/rollout-gate is changed and tells nobody" in ended.err
    (repository.root / "packages/rollout-gate/changes/+it.fix.md").write_text("- It.\n")
    repository.commit("and its fragment", is_on_main=False)
    assert repository.plan("fragments", "main") == Ended(0, "", "")

    repository.git("checkout", "--quiet", "-b", "release", "main")
    repository.prepare()
    assert repository.plan("fragments", "main") == Ended(0, "", "")
    assert repository.plan("fragments", "none").code == 1


@pytest.mark.parametrize("package", PACKAGES)
class TestThisRepository:
    """What is here now is in order, for the next release and between two."""

    def test_a_build_of_main_is_no_release(self, package: str) -> None:
        """It calls itself a development version, unless the commit is that of a release."""
        folder = REPOSITORY / "packages" / package
        version = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
        (module,) = folder.glob("src/*/__init__.py")
        assert f'__version__ = "{version}"\n' in module.read_text()
        if not DEVELOPMENT.fullmatch(version):
            assert entry_of((folder / "CHANGELOG.md").read_text(), Version.of(version))

    def test_fragments_are_lists(self, package: str) -> None:
        """So that an entry is one list a heading; a fragment that is internal may be empty."""
        folder = REPOSITORY / "packages" / package
        for path in folder.glob("changes/[!.]*"):
            named = re.fullmatch(r"\+?[a-z0-9][a-z0-9.-]*\.([a-z]+)\.md", path.name)
            assert named, path
            assert named[1] in TYPES, path
            lines = path.read_text().splitlines()
            assert all(line.startswith(("- ", "  ")) for line in lines), path
            assert lines or named[1] == "internal", path
        above = (folder / "CHANGELOG.md").read_text().partition("release notes start -->\n")[0]
        assert "\n## " not in above, "what is not released is a fragment in changes/"

    def test_all_are_configured_alike(self, package: str) -> None:
        """One template and one set of types; the name is the package's."""
        table = tomllib.loads((REPOSITORY / "packages" / package / "pyproject.toml").read_text())
        first = tomllib.loads(
            (REPOSITORY / "packages" / PACKAGES[0] / "pyproject.toml").read_text()
        )
        ours, theirs = table["tool"]["towncrier"], first["tool"]["towncrier"]
        assert ours | {"name": ""} == theirs | {"name": ""}
        assert ours["name"] == f"tau-{package}" == table["project"]["name"]
        assert [one["directory"] for one in ours["type"]] == list(TYPES)
