"""The rules of a release, on a matrix of good and bad tags, files and runs of CI."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from scripts.releasing.fragments import missing_fragments
from scripts.releasing.plan import (
    Files,
    RefusedError,
    Version,
    ci_problems,
    entry_of,
    file_problems,
    prepared,
    read_tag,
)

PACKAGES = ("custom-command", "rollout-gate", "transport-health")
COMMIT = "c0ffee" + "0" * 34
TODAY = dt.date(2026, 2, 1)


def entry(version: str, day: str = "2026-01-31", text: str = "- A word.") -> str:
    """Return an entry of a changelog."""
    return f"## {version} - {day}\n\n{text}\n\n"


GOOD = Files(
    declared={"pyproject.toml": "0.2.0", "__init__.py": "0.2.0"},
    changelog=f"# Changelog\n\n{entry('0.2.0')}{entry('0.1.0', text='- Another.')}",
    fragments=(),
    tags=("tau-custom-command-v0.1.0", "tau-rollout-gate-v9.0.0", "v7", "tau-custom-command-vX"),
    today=TODAY,
)


def of(version: str, **other: Any) -> Files:  # noqa: ANN401 - any field of the files
    """Return good files, of a version."""
    declared = dict.fromkeys(GOOD.declared, version)
    return replace(GOOD, **{"declared": declared, "changelog": entry(version)} | other)


class TestTags:
    """A tag names one package and one version, or is refused."""

    @pytest.mark.parametrize(
        ("tag", "package", "version"),
        [
            ("tau-custom-command-v0.1.0", "custom-command", "0.1.0"),
            ("tau-rollout-gate-v10.20.30", "rollout-gate", "10.20.30"),
            ("tau-transport-health-v0.2.0rc1", "transport-health", "0.2.0rc1"),
            ("tau-transport-health-v0.2.0-rc.1", "transport-health", "0.2.0rc1"),
            ("tau-custom-command-v1.0.0-alpha.0", "custom-command", "1.0.0a0"),
            ("tau-custom-command-v1.0.0b12", "custom-command", "1.0.0b12"),
        ],
    )
    def test_good(self, tag: str, package: str, version: str) -> None:
        """Both spellings of a prerelease are one version; the package has it as PEP 440 does."""
        found, read = read_tag(tag, PACKAGES)
        assert (found, str(read)) == (package, version)
        assert read.is_prerelease is (not version[-3:].replace(".", "").isdigit())

    @pytest.mark.parametrize(
        "tag",
        [
            "",
            "v0.1.0",
            "custom-command-v0.1.0",
            "tau-custom-command-0.1.0",
            "tau-custom-command-v",
            "tau-custom-command-vv0.1.0",
            "tau-custom-command-v0.1",
            "tau-custom-command-v0.1.0.0",
            "tau-custom-command-v0.1.0 ",
            "tau-custom-command-v0.1.0\n",
            "tau-custom-command-v00.1.0",
            "tau-custom-command-v0.01.0",
            "tau-custom-command-v٠.1.0",  # noqa: RUF001 - a digit of another script is meant
            "tau-custom-command-v0.1.0.dev0",
            "tau-custom-command-v0.1.0-dev.1",
            "tau-custom-command-v0.1.0.post1",
            "tau-custom-command-v0.1.0+local",
            "tau-custom-command-v1!0.1.0",
            "tau-custom-command-v0.1.0rc",
            "tau-custom-command-v0.1.0rc01",
            "tau-custom-command-v0.1.0-rc1",
            "tau-custom-command-v0.1.0-b.1",
            "tau-custom-command-v0.1.0-rc.1.2",
            "tau-nothing-v0.1.0",
            "tau-../custom-command-v0.1.0",
            "TAU-custom-command-v0.1.0",
            "tau-custom-command-v0.1.0;id",
            "tau-custom-command-v0.1.0\npackage=rollout-gate",
        ],
    )
    def test_bad(self, tag: str) -> None:
        """What is not of the form, or of no package, is refused in a sentence."""
        with pytest.raises(RefusedError, match=r"no (package|version)"):
            read_tag(tag, PACKAGES)

    def test_versions_have_an_order(self) -> None:
        """A prerelease comes before its release, by kind and number, not by spelling."""
        rising = ["0.1.0", "0.2.0a2", "0.2.0b1", "0.2.0-beta.10", "0.2.0rc1", "0.2.0", "0.10.0"]
        versions = [Version.of(text) for text in rising]
        assert all(before < after for before, after in pairwise(versions))


class TestFiles:
    """Version, changelog and tag agree, or it is told what does not; all of it at once."""

    def test_good(self) -> None:
        """The first release, one after another, and one whose own tag is there already."""
        assert file_problems("custom-command", Version.of("0.2.0"), GOOD) == []
        assert file_problems("custom-command", Version.of("0.2.0"), replace(GOOD, tags=())) == []
        tags = (*GOOD.tags, "tau-custom-command-v0.2.0")
        assert file_problems("custom-command", Version.of("0.2.0"), replace(GOOD, tags=tags)) == []

    @pytest.mark.parametrize("version", ["0.3.0rc1", "0.2.0a1"])
    def test_a_prerelease(self, version: str) -> None:
        """It has an entry of its own, under the name that the package has."""
        assert file_problems("custom-command", Version.of(version), of(version)) == []

    @pytest.mark.parametrize(
        ("files", "told"),
        [
            (of("0.2.0.dev0", changelog=entry("0.2.0")), "version 0.2.0.dev0, not 0.2.0"),
            (replace(GOOD, declared={"a": "0.2.0", "b": "0.1.0"}), "b says version 0.1.0"),
            (of("0.2.0", changelog=""), "0 entries"),
            (of("0.2.0", changelog=entry("0.2.0rc1")), "0 entries"),
            (of("0.2.0", changelog=entry("0x2x0")), "0 entries"),
            (of("0.2.0", changelog=entry("0.2.0") * 2), "2 entries"),
            (of("0.2.0", changelog="## 0.2.0\n\n- A word.\n"), "0 entries"),
            (of("0.2.0", changelog="## Unreleased\n\n- A word.\n"), "0 entries"),
            (of("0.2.0", changelog=entry("0.2.0", day="2026-02-02")), "still to come"),
            (of("0.2.0", changelog=entry("0.2.0", day="2026-02-30")), "no day"),
            (of("0.2.0", changelog=entry("0.2.0", text="")), "says nothing"),
            (of("0.2.0", fragments=("+a.fix.md", "+b.fix.md")), r"holds \+a.fix.md, \+b.fix.md"),
            (of("0.2.0", tags=("tau-custom-command-v0.3.0",)), "v0.3.0 is a later version"),
            (of("0.2.0", tags=("tau-custom-command-v0.10.0rc1",)), "is a later version"),
        ],
    )
    def test_bad(self, files: Files, told: str) -> None:
        """One thing is wrong, and it is told."""
        problems = file_problems("custom-command", Version.of("0.2.0"), files)
        assert problems
        with pytest.raises(RefusedError, match=told):
            raise RefusedError("\n".join(problems))

    def test_one_version_has_one_tag(self) -> None:
        """The other spelling of a prerelease does not release it again."""
        tags = ("tau-custom-command-v0.3.0rc1", "tau-custom-command-v0.3.0-rc.1")
        problems = file_problems(
            "custom-command", Version.of("0.3.0rc1"), of("0.3.0rc1", tags=tags)
        )
        assert problems == ["0.3.0rc1 has two tags, one in each spelling; delete the one too many"]

    @pytest.mark.parametrize(
        ("version", "is_right"),
        [
            *[("0.3.0", True), ("0.3.1", False), ("1.0.0", True), ("1.1.0", False)],
            *[("1.0.1", False), ("2.0.0rc1", True)],
        ],
    )
    def test_what_breaks_users_raises_the_number_that_says_so(
        self, version: str, *, is_right: bool
    ) -> None:
        """The second one before 1.0, the first one after it."""
        text = "### Breaking changes\n\n- An option is gone."
        files = of(version, changelog=entry(version, text=text))
        problems = file_problems("custom-command", Version.of(version), files)
        assert (problems == []) is is_right

    def test_the_entry_is_the_text_of_the_release(self) -> None:
        """From below its heading to the next one."""
        assert entry_of(GOOD.changelog, Version.of("0.2.0")) == ("2026-01-31", "- A word.")
        assert entry_of(GOOD.changelog, Version.of("0.1.0")) == ("2026-01-31", "- Another.")

    def test_a_version_is_set_where_it_is_said(self) -> None:
        """One line of a file says it; of none, or two, nothing is made."""
        assert prepared('a = 1\nversion = "0.1.0.dev0"\n', "0.1.0") == 'a = 1\nversion = "0.1.0"\n'
        assert prepared('__version__ = "1"\n', "0.1.0") == '__version__ = "0.1.0"\n'
        for text in ("", 'version = "1"\nversion = "2"\n', 'requires-version = "1"\n'):
            with pytest.raises(RefusedError, match="lines say the version"):
                prepared(text, "0.1.0")


def run(number: int = 7, **other: object) -> dict[str, object]:
    """Return a run of CI on the commit, as GitHub lists it: one that passed."""
    passed = {
        "run_number": number,
        "head_sha": COMMIT,
        "head_branch": "main",
        "event": "push",
        "status": "completed",
        "conclusion": "success",
    }
    return passed | other


class TestCi:
    """CI passed on that commit of main; what is not known to have passed did not."""

    def test_passed(self) -> None:
        """The newest run counts: one that failed first and was begun anew is passed."""
        assert ci_problems({"workflow_runs": [run()]}, COMMIT) == []
        runs = [
            run(8),
            run(7, conclusion="failure"),
            run(9, head_sha="0" * 40, conclusion="failure"),
        ]
        assert ci_problems({"workflow_runs": runs}, COMMIT) == []

    @pytest.mark.parametrize(
        "runs",
        [
            [],
            [run(conclusion="failure")],
            [run(conclusion="cancelled")],
            [run(conclusion="skipped")],
            [run(conclusion="a word that is not known yet")],
            [run(conclusion=None, status="in_progress")],
            [run(conclusion="success", status="queued")],
            [run(head_sha="0" * 40)],
            [run(head_branch="a-branch")],
            [run(event="pull_request")],
            [run(event="workflow_dispatch")],
            [run(7), run(8, conclusion="failure")],
            [run(7), run(8, conclusion=None, status="in_progress")],
        ],
        ids=str,
    )
    def test_not_passed(self, runs: list[object]) -> None:
        """Of another commit, branch or cause, still going on, or not good."""
        assert len(ci_problems({"workflow_runs": runs}, COMMIT)) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            *[{}, [], None, "", {"message": "Not Found"}, {"workflow_runs": None}],
            *[{"workflow_runs": [None]}, {"workflow_runs": [{}]}],
            {"workflow_runs": [run(), run(run_number="8", conclusion="failure")]},
        ],
        ids=str,
    )
    def test_another_answer_is_no(self, answer: object) -> None:
        """An error of the API, or a form that is not known."""
        (problem,) = ci_problems(answer, COMMIT)
        assert "not in GitHub's form" in problem


class TestFragments:
    """A change of a package is told to its users, or the check fails."""

    SOURCE = "packages/rollout-gate/src/tau_rollout_gate/cli/app.py"
    INIT = "packages/rollout-gate/src/tau_rollout_gate/__init__.py"
    METADATA = "packages/rollout-gate/pyproject.toml"

    def missing(self, *paths: str, moved: tuple[str, ...] = (), **how: str) -> list[str]:
        """Return what is missing where paths are changed, and fragments in a way each."""
        changed = dict.fromkeys(paths, "M")
        for name, letter in how.items():
            changed[f"packages/rollout-gate/changes/+x.{name}.md"] = letter
        return missing_fragments(changed, packages=PACKAGES, moved=moved)

    def test_nothing_is_missing(self) -> None:
        """Each package that is changed has a fragment; what no user installs needs none."""
        assert self.missing(self.SOURCE, change="A") == []
        assert self.missing(self.METADATA, self.SOURCE, internal="M") == []
        documents = ["README.md", "packages/rollout-gate/README.md", "tests/rollout_gate/making.py"]
        assert self.missing(*documents, "packages/nothing/src/x.py") == []
        assert self.missing() == []

    def test_one_is_missing(self) -> None:
        """None at all, one that is taken away, or one of another package."""
        of_another = "packages/custom-command/changes/+x.fix.md"
        for missing in (
            self.missing(self.SOURCE),
            self.missing(self.METADATA),
            self.missing(self.INIT),
            self.missing(self.SOURCE, fix="D"),
            self.missing(self.SOURCE, of_another),
            self.missing(self.SOURCE, self.INIT, moved=("rollout-gate",)),
            self.missing(self.METADATA, moved=("custom-command",)),
        ):
            (problem,) = missing
            assert problem.startswith("packages/rollout-gate is changed and tells nobody: add ")
            assert problem.endswith("TYPE one of breaking, change, fix, internal")

    def test_the_commits_of_a_release_need_none(self) -> None:
        """What they change is the version, and the fragments that became the entry."""
        assert self.missing(self.METADATA, self.INIT, moved=("rollout-gate",), change="D") == []

    def test_a_type_that_is_none(self) -> None:
        """It would be left out of the changelog, or have it fail."""
        (problem,) = self.missing(self.SOURCE, feature="A")
        assert "its type is none of" in problem
