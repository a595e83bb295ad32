"""Every example of rollout-gate-in-ci.md is parsed, and carried out as far as it can be here.

What stands in for a runner, an object store or a cluster is small and of the tests' own; the gate,
the runtime and the action are the real ones.
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.github_runner import OURS, Runner, Step
from tests.end_to_end.rolling_out import COMMANDS, MINUTE, ROLLOUT_DIR, STATE_DIR, Release

REPOSITORY = Path(__file__).parents[2]
RUNBOOK = REPOSITORY / "runbooks/rollout-gate-in-ci.md"
DIRECTORY = "/var/lib/tau/rollout"
"""Where the examples have the rollout directory; here it is the release's."""

_FENCE = re.compile(r"^```(\w+)\n(?:#|//) ([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

BLOCKS: dict[str, tuple[str, str]] = {
    title: (language, text) for language, title, text in _FENCE.findall(RUNBOOK.read_text())
}
WORKFLOWS = [title for title in BLOCKS if title.startswith(".github/workflows/")]
YAML = [title for title, (language, _) in BLOCKS.items() if language == "yaml"]
DISK = ".github/workflows/rollout.yml, on the runner's disk"
STORE = ".github/workflows/rollout.yml, in an object store"
ARTIFACT = ".github/workflows/rollout.yml, in an artifact"
DEPLOY = ".github/workflows/deploy.yml"


def block(title: str) -> str:
    """Return an example by what its first line calls it."""
    return BLOCKS[title][1]


def parsed(title: str) -> dict[Any, Any]:
    """Return an example in YAML."""
    document = yaml.safe_load(block(title))
    assert isinstance(document, dict)
    return document


def test_no_example_is_forgotten() -> None:
    """Each has a title, by which a test here takes it up."""
    assert len(BLOCKS) == RUNBOOK.read_text().count("\n```") / 2
    assert len(WORKFLOWS) == 4
    others = {
        ".gitlab-ci.yml",
        "Jenkinsfile",
        "/etc/cron.d/tau-rollout",
        "/etc/systemd/system/tau-rollout.service",
        "/etc/systemd/system/tau-rollout.timer",
        "analysis-template.yaml",
        "rollout.yaml, its strategy",
        "webhook.py PORT ROLLOUT_DIR",
        "canary.yaml",
    }
    assert set(BLOCKS) == {*WORKFLOWS, *others}


@pytest.mark.parametrize("title", YAML)
def test_yaml_is_parsed(title: str) -> None:
    """Strictly: a key that stands twice would hide the first."""
    tree = yaml.compose(block(title))
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), keys
            left += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            left += node.value


@pytest.mark.parametrize("title", WORKFLOWS)
def test_workflows_are_clean(title: str, tmp_path: Path) -> None:
    """As those of this repository are: under actionlint and zizmor."""
    path = tmp_path / ".github/workflows/example.yml"
    path.parent.mkdir(parents=True)
    path.write_text(f"# {title}\n{block(title)}")
    environment = {**os.environ, "PATH": f"{COMMANDS}:{os.environ['PATH']}"}
    labels = tmp_path / "actionlint.yaml"
    labels.write_text("self-hosted-runner: {labels: [canary-host]}\n")
    for program, *words in (
        ["actionlint", "-config-file", labels],
        ["zizmor", "--offline", "--no-progress", "--pedantic"],
    ):
        done = subprocess.run(
            [COMMANDS / str(program), *words, path],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_tables_of_the_action_are_its_own() -> None:
    """Each input and output is told of, and no other."""
    action = yaml.safe_load((REPOSITORY / OURS / "action.yml").read_text())
    section = RUNBOOK.read_text().partition("## GitHub")[2].partition("### ")[0]
    inputs, outputs = section.split("| output | what |")
    for table, names in ((inputs, action["inputs"]), (outputs, action["outputs"])):
        cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        assert sorted(re.findall(r"`([\w-]+)`", " ".join(cells))) == sorted(names)


class Site:
    """A release under rollout, a machine, and the programs of it that are none of ours."""

    def __init__(self, folder: Path) -> None:
        """Open the rollout; the canary's share is what `deploy.sh` was told last."""
        workspace = folder / "workspace"
        workspace.mkdir()
        self.folder = folder
        self.release = Release(workspace)
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.program("deploy.sh", f'echo "$1" >{folder}/share', where=workspace)
        self.program("sleep", "exit 0")
        gate = COMMANDS / "tau-rollout-gate"
        self.program(
            "python3", 'case "$*" in *venv*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python";; '
            f'*pip*) ln -sf {gate} "${{0%/*}}/tau-rollout-gate";; esac'
        )  # fmt: skip
        self.program("python", "exit 0")

    def program(self, name: str, text: str, *, where: Path | None = None) -> None:
        """Put a program on the path, or elsewhere."""
        path = (where or self.programs) / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of the machine."""
        path = f"{self.programs}:{COMMANDS}:/usr/bin:/bin"
        return self.release.environment({"PATH": path})

    @property
    def share(self) -> str:
        """Return the share that the canary was given last."""
        path = self.folder / "share"
        return path.read_text().strip() if path.exists() else ""

    def shell(self, script: str, *, by: str = "/bin/sh") -> subprocess.CompletedProcess[str]:
        """Run a script of an example, in the folder of the release."""
        script = script.replace(DIRECTORY, str(self.release.root))
        return subprocess.run(
            [by, "-c", script],
            cwd=self.release.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def soak(self) -> None:
        """Let clean cycles run for the soak of the first canary phase."""
        for _ in range(4):
            self.release.cycle(after_ms=8 * MINUTE)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site whose release is still in preflight."""
    return Site(tmp_path)


def job_of(title: str, site: Site) -> dict[str, Any]:
    """Return the one job of a workflow, its paths those of the site."""
    ((_, job),) = parsed(title)["jobs"].items()
    text = json.dumps(job).replace(DIRECTORY, str(site.release.root))
    found: dict[str, Any] = json.loads(text)
    return found


class Run:
    """A run of a workflow on a new machine, which has nothing but the checkout."""

    def __init__(self, title: str, site: Site, number: int, **inputs: str) -> None:
        """Carry out its job."""
        temporary = site.folder / f"machine-{number}"
        temporary.mkdir()
        self.runner = Runner(site.release.folder, temporary, **site.environment)
        variables = {"ROLLOUT_BUCKET": "bucket", "ROLLOUT_KEY_ID": "x", "ROLLOUT_REGION": "x"}
        self.runner.context = {
            "inputs": {"release": "", "rollback-to": "", **inputs},
            "github": {"token": "x", "repository": "ops/service", "run_id": str(number)},
            "vars": variables,
            "secrets": {"ROLLOUT_KEY": "x"},
        }
        nothing: Mapping[str, str] = {}
        actions = dict.fromkeys(("actions/checkout", "actions/setup-python"), lambda _: nothing)
        self.runner.actions |= actions
        artifact = site.folder / "artifact"
        self.runner.actions["actions/upload-artifact"] = lambda given: kept(
            site.release.folder / given["path"], artifact
        )
        self.runner.actions["actions/download-artifact"] = lambda given: kept(
            artifact, site.release.folder / given["path"]
        )
        self.steps: list[Step] = self.runner.carry_out(job_of(title, site))

    @property
    def outcomes(self) -> str:
        """Return how the steps ended, a letter each."""
        return "".join(step.outcome[:2] + " " for step in self.steps).strip()


def kept(source: Path, target: Path) -> dict[str, str]:
    """Copy a folder over another, as an artifact is."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    return {}


class TestGitHub:
    """The workflows, on a runner of the tests' own."""

    def test_on_the_runners_disk(self, site: Site) -> None:
        """Green while it holds, the share follows the phase, and a rollback takes it back."""
        site.release.enters_canary_1()
        site.release.cycle(after_ms=MINUTE)
        run = Run(DISK, site, 1)
        assert (run.runner.is_green, site.share) == (True, "5")
        site.soak()
        assert Run(DISK, site, 2).runner.is_green
        assert (site.share, site.release.rollout["phase"]) == ("25", "canary-2")
        site.release.gate("rollback", "--reason", "not today", code=0)
        run = Run(DISK, site, 3)
        assert (run.runner.is_green, site.share) == (False, "0")

    def test_without_an_answer_the_share_stays(self, site: Site) -> None:
        """Neither given anew nor taken back, and the run is red."""
        site.release.enters_canary_1()
        assert Run(DISK, site, 1).runner.is_green
        site.release.root.joinpath("rollout.json").write_text("{")
        run = Run(DISK, site, 2)
        assert (run.outcomes, site.share) == ("su fa sk sk", "5")

    def test_in_an_object_store(self, site: Site) -> None:
        """Each run is on an empty machine; what it decided is there at the next one."""
        store = site.folder / "bucket"
        site.program(
            "aws",
            'test ! -e "$HOME/../no-store" || exit 1; shift 3\n'
            f"from=$(echo \"$1\" | sed 's,^s3:/,{site.folder},')\n"
            f"to=$(echo \"$2\" | sed 's,^s3:/,{site.folder},')\n"
            'mkdir -p "$to" && cp -a "$from/." "$to"',
        )
        site.release.enters_canary_1()
        site.soak()
        tau = site.release.folder / ".tau"
        shutil.copytree(site.release.folder / STATE_DIR, store / "state")
        shutil.copytree(site.release.root, store / "rollout")
        shutil.rmtree(tau)
        run = Run(STORE, site, 1)
        assert (run.runner.is_green, site.share) == (True, "25")
        kept_phase = json.loads((store / "rollout/rollout.json").read_bytes())["phase"]
        assert kept_phase == "canary-2"

        before = (store / "rollout/rollout.json").read_bytes()
        shutil.rmtree(tau)
        (site.folder / "no-store").touch()
        run = Run(STORE, site, 2)
        assert (run.outcomes, site.share) == ("su su fa sk sk sk", "25")
        assert (store / "rollout/rollout.json").read_bytes() == before

    def test_in_an_artifact(self, site: Site) -> None:
        """Begun by hand, it goes on from what the last run kept; without that, it is red."""
        tau = site.release.folder / ".tau"
        shutil.rmtree(tau)
        fixtures = site.release.folder / "fixtures"
        fixtures.symlink_to(REPOSITORY / "fixtures")
        last = site.folder / "last"
        site.program("gh", f'test "$1" = api && cat {last} 2>/dev/null || true')
        run = Run(ARTIFACT, site, 1)
        assert not run.runner.is_green
        assert not (site.folder / "artifact").exists()

        run = Run(ARTIFACT, site, 2, **{"release": "1.5.0", "rollback-to": "1.4.0"})
        assert run.runner.is_green, [step.log for step in run.steps]
        assert run.outcomes == "su su su sk sk su su su su"
        last.write_text("2\n")
        shutil.rmtree(tau)
        site.release.let_pass(10 * MINUTE)
        run = Run(ARTIFACT, site, 3)
        assert run.outcomes == "su su su su su sk su su su"
        events = (tau / "custom-command/runtime-events.jsonl").read_text().splitlines()
        assert [json.loads(line)["cycle_number"] for line in events] == [1, 2]
        assert site.release.rollout["release"] == "1.5.0"

    def test_only_a_yes_lets_a_job_go_on(self, site: Site) -> None:
        """Without its report preflight holds, which is red; with it the deployment goes on."""
        site.release.report(passed=0, failed=0)
        assert Run(DEPLOY, site, 1).outcomes == "su fa sk"
        assert site.share == ""
        site.release.report(passed=16, failed=0)
        assert Run(DEPLOY, site, 2).outcomes == "su su su"
        assert site.share == "5"


def promote(site: Site) -> None:
    """Have the gate say yes."""
    site.release.enters_canary_1()
    site.soak()


def hold(site: Site) -> None:
    """Have it hold."""
    site.release.enters_canary_1()


def rollback(site: Site) -> None:
    """Have it say that the release goes back."""
    site.release.gate("rollback", "--reason", "not today", code=0)


def damage(site: Site) -> None:
    """Have it give no answer."""
    site.release.root.joinpath("rollout.json").write_text("{")


situations = pytest.mark.parametrize(
    ("happens", "code"), [(promote, 0), (hold, 3), (rollback, 4), (damage, 5)]
)


class TestOthers:
    """The scripts of the other examples, as their tools would start them."""

    @situations
    def test_gitlab(self, happens: Callable[[Site], None], code: int, site: Site) -> None:
        """A hold ends with the code that is allowed to fail; the report has every gate."""
        happens(site)
        job = parsed(".gitlab-ci.yml")["rollout"]
        variables = "".join(f"export {name}={value}\n" for name, value in job["variables"].items())
        done = site.shell("set -e\n" + variables + "\n".join(job["script"]), by="/bin/bash")
        assert done.returncode == code
        assert job["allow_failure"]["exit_codes"] == 3
        assert site.share == ("25" if code == 0 else "")
        report = site.release.folder / job["artifacts"]["reports"]["junit"]
        assert report.exists() is (code != 5)

    @situations
    def test_jenkins(self, happens: Callable[[Site], None], code: int, site: Site) -> None:
        """What its step starts ends with the code that it is asked for."""
        happens(site)
        text = block("Jenkinsfile")
        (script,) = re.findall(r"'''(.*?)'''", text, re.DOTALL)
        assert site.shell(script).returncode == code
        plain = re.sub(r"'''.*?'''|'[^']*'|\"[^\"]*\"", "", text, flags=re.DOTALL)
        for opened, closed in ("{}", "()"):
            assert plain.count(opened) == plain.count(closed)
        assert "code == 3" in text

    @situations
    def test_cron(self, happens: Callable[[Site], None], code: int, site: Site) -> None:
        """Mail is sent for what is neither a yes nor a hold."""
        happens(site)
        *_, line = block("/etc/cron.d/tau-rollout").strip().splitlines()
        *times, user, command = line.split(maxsplit=6)
        assert (times, user) == (["*/10", "*", "*", "*", "*"], "tau")
        assert "%" not in command  # which cron takes for the end of the line
        done = site.shell(command)
        assert (done.stdout != "") is (code in {4, 5})
        assert done.stderr == ""

    @situations
    def test_an_argo_job(self, happens: Callable[[Site], None], code: int, site: Site) -> None:
        """It waits in a hold, and ends with what follows: 0 is a yes, anything else aborts."""
        happens(site)
        (metric,) = parsed("analysis-template.yaml")["spec"]["metrics"]
        spec = metric["provider"]["job"]["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
        assert spec["activeDeadlineSeconds"] > 24 * 60 * 60
        environment = "".join(f"{one['name']}={one['value']}\n" for one in container["env"])
        assert container["command"] == ["/bin/sh", "-c"]
        if code == 3:  # while it waits, somebody stops the rollout
            stop = f"cd {site.release.folder} && tau-rollout-gate rollback --reason stop >/dev/null"
            site.program("sleep", stop)
            code = 4
        assert site.shell(environment + container["args"][0]).returncode == code

    def test_the_steps_of_argo_are_the_phases(self) -> None:
        """One analysis before each share, and one before the end."""
        steps = parsed("rollout.yaml, its strategy")["spec"]["strategy"]["canary"]["steps"]
        name = parsed("analysis-template.yaml")["metadata"]["name"]
        asked = [step for step in steps if "analysis" in step]
        assert [step["setWeight"] for step in steps if "setWeight" in step] == shares()
        assert asked == [{"analysis": {"templates": [{"templateName": name}]}}] * 5
        assert steps[::2] == asked

    def test_flagger(self, site: Site) -> None:
        """200 is a yes, to the one question that a path is for; nothing else is."""
        canary = parsed("canary.yaml")["spec"]["analysis"]
        hooks = {hook["type"]: hook["url"].rpartition("/")[2] for hook in canary["webhooks"]}
        assert hooks == {
            "confirm-traffic-increase": "go",
            "confirm-promotion": "go",
            "rollback": "rollback",
        }
        assert canary["stepWeights"] == shares()
        site.release.enters_canary_1()
        with webhook(site) as post:
            assert (post("/go"), post("/rollback"), post("/"), post("/go?x")) == (403,) * 4
        site.soak()
        with webhook(site) as post:
            assert (post("/go"), post("/go"), post("/rollback")) == (200, 403, 403)
        assert site.release.rollout["phase"] == "canary-2"
        rollback(site)
        with webhook(site) as post:
            assert (post("/go"), post("/rollback")) == (403, 200)
        damage(site)
        with webhook(site) as post:
            assert (post("/go"), post("/rollback")) == (403, 403)

    def test_systemd(self, tmp_path: Path) -> None:
        """The units are what systemd takes; a hold is a success of the service."""
        analyze = shutil.which("systemd-analyze")
        units = [title for title in BLOCKS if title.startswith("/etc/systemd/")]
        for title in units:
            text = block(title).replace("/usr/local/bin/tau-rollout-gate", "/bin/true")
            (tmp_path / Path(title).name).write_text(text.replace("User=tau", "User=root"))
        assert "\nSuccessExitStatus=3\n" in block(units[0])
        if analyze is None:
            pytest.skip("systemd-analyze is not installed")
        for title in units:
            done = subprocess.run(
                [analyze, "verify", tmp_path / Path(title).name],
                check=False,
                capture_output=True,
                text=True,
                env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
            )
            about = [line for line in done.stderr.splitlines() if "tau-rollout" in line]
            assert (done.returncode, about) == (0, []), done.stderr


def shares() -> list[int]:
    """Return the shares of the phases of the built-in policy, above 0."""
    text = subprocess.run(
        [COMMANDS / "tau-rollout-gate", "policy", "show"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = [int(share) for share in re.findall(r"^canary_percent = (\d+)", text, re.MULTILINE)]
    return [share for share in found if share]


@contextmanager
def webhook(site: Site) -> Iterator[Callable[[str], int]]:
    """Start the service of the example on a port of this machine; yield what posts to a path."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    script = site.folder / "webhook.py"
    text = block("webhook.py PORT ROLLOUT_DIR").replace('("", int', '("127.0.0.1", int')
    script.write_text(text)
    service = subprocess.Popen(
        [sys.executable, script, str(port), site.release.root],
        cwd=site.release.folder,
        env=site.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def post(path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", path, body=b"{}")
        return connection.getresponse().status

    try:
        for _ in range(200):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield post
    finally:
        service.terminate()
        service.wait(10)


def test_the_directories_of_the_examples_are_those_of_the_programs() -> None:
    """What is not said is the default, which the workflows name where they copy it."""
    for title in (STORE, ARTIFACT):
        assert f"custom-command={STATE_DIR}" in block(title)
    assert ROLLOUT_DIR in block(STORE)
