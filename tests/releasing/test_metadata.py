"""What the packages claim is what CI runs; workflows keep rules that zizmor has no word on."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
ACTION = REPOSITORY / ".github/actions/rollout-gate/action.yml"
PACKAGES = sorted(path.parent.name for path in REPOSITORY.glob("packages/*/pyproject.toml"))

by_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
by_package = pytest.mark.parametrize("package", PACKAGES)


def parsed(path: Path) -> dict[Any, Any]:
    """Return a workflow; YAML 1.1 reads its key `on` as true."""
    document = yaml.safe_load(path.read_text())
    assert isinstance(document, dict)
    return document


def jobs() -> Iterator[dict[str, Any]]:
    """Yield the jobs of all workflows."""
    for path in WORKFLOWS:
        yield from parsed(path)["jobs"].values()


def metadata(package: str) -> dict[str, Any]:
    """Return the `project` table of a package."""
    text = (REPOSITORY / "packages" / package / "pyproject.toml").read_text()
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


@by_package
def test_classifiers_claim_what_ci_runs(package: str) -> None:
    """Each Python that is named is tested, and none other; so is each system."""
    tested = {
        version
        for job in jobs()
        for version in job.get("strategy", {}).get("matrix", {}).get("python", [])
    }
    systems = {job["runs-on"].partition("-")[0] for job in jobs()}
    classifiers = metadata(package)["classifiers"]
    python = "Programming Language :: Python :: "
    named = {one.removeprefix(python) for one in classifiers if re.search(r":: 3\.\d+$", one)}
    assert named == tested
    assert systems == {"ubuntu"}
    assert [one for one in classifiers if one.startswith("Operating System")] == [
        "Operating System :: POSIX :: Linux"
    ]
    assert metadata(package)["requires-python"] == ">=3.11"


def test_every_push_is_tested_on_the_oldest_and_the_newest_python() -> None:
    """And so is what a release publishes; the quick checks come first."""
    for name, job in (("ci.yml", "test"), ("release.yml", "test")):
        found = parsed(REPOSITORY / ".github/workflows" / name)["jobs"][job]
        assert found["strategy"]["matrix"]["python"] == ["3.11", "3.14"], name
    assert parsed(REPOSITORY / ".github/workflows/ci.yml")["jobs"]["test"]["needs"] == "fast"


@by_package
def test_the_metadata_name_no_address(package: str) -> None:
    """The repository's is known at the release, where scripts/link_package.py puts it in."""
    project = metadata(package)
    assert "urls" not in project
    assert project["license-files"] == ["LICENSE"]
    assert (REPOSITORY / "packages" / package / "LICENSE").read_bytes() == (
        REPOSITORY / "LICENSE"
    ).read_bytes()


@by_package
def test_the_readme_leads_to_the_runbooks_that_a_user_needs(package: str) -> None:
    """To those of the program, and to what the files hold that it reads or writes."""
    readme = (REPOSITORY / "packages" / package / "README.md").read_text()
    of_program = [path.name for path in REPOSITORY.glob(f"runbooks/{package}*.md")]
    assert of_program
    for name in (*of_program, "state-files.md"):
        assert f"](../../runbooks/{name}" in readme, name


@by_workflow
def test_a_workflow_may_nothing_but_what_a_job_says(workflow: Path) -> None:
    """No permission for all jobs; a limit of time for each; actions by their digests."""
    document = parsed(workflow)
    assert document["permissions"] == {}
    for name, job in document["jobs"].items():
        assert job["timeout-minutes"] <= 90, name
        assert "permissions" in job, name
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}", step["uses"]), step


def test_an_action_has_one_digest_everywhere() -> None:
    """What dependabot moves in one place it moves in all, the runbook's examples too."""
    documents = [*WORKFLOWS, *REPOSITORY.glob("runbooks/*.md")]
    found: dict[str, set[str]] = {}
    for path in documents:
        for action, digest in re.findall(
            r"uses: (actions/[\w-]+|pypa/[\w-]+)@(\S+ # v[\d.]+)", path.read_text()
        ):
            found.setdefault(action, set()).add(digest)
    assert len(found) == 5
    assert {action for action, digests in found.items() if len(digests) != 1} == set()


def test_the_publishing_job_stores_no_secret() -> None:
    """It is trusted by what it is, attests what it publishes, and runs no script of ours."""
    publish = parsed(REPOSITORY / ".github/workflows/release.yml")["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert [set(step) & {"run"} for step in publish["steps"]] == [set(), set()]
    assert publish["steps"][-1]["with"] == {"attestations": True}
    texts = [path.read_text() for path in (*WORKFLOWS, ACTION)]
    assert not any("secrets." in text for text in texts)
