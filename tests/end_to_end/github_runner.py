"""As much of a GitHub runner as the workflows of this repository and its runbooks need.

It carries out the steps of a job, in their order, with the files and variables that a step gets;
those of a composite action too. What another action would do is a function that the test gives.
"""

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
OURS = ".github/actions/rollout-gate"
PATIENCE_SECONDS = 60.0

_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
_HEREDOC = re.compile(r"([^=\n]+)<<(.+)\n(?s:(.*?))\n?^\2\n", re.MULTILINE)
_COMMAND = re.compile(r"^::(error|warning|notice) ([^:]*(?::[^:]+)*?)::(.*)$", re.MULTILINE)

Does = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""What an action does with its inputs; it returns its outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What a step tells the job: of which kind, and in which words."""

    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that was carried out, or left out."""

    outcome: str
    """`success`, `failure` or `skipped`."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    code: int = 0
    log: str = ""

    @property
    def annotations(self) -> list[Annotation]:
        """Return what it told the job."""
        found = []
        for kind, properties, text in _COMMAND.findall(self.log):
            title = properties.rpartition("title=")[2]
            found.append(Annotation(kind=kind, title=_decoded(title), text=_decoded(text)))
        return found


def _decoded(text: str) -> str:
    for escape, character in (("%0A", "\n"), ("%0D", "\r"), ("%3A", ":"), ("%2C", ",")):
        text = text.replace(escape, character)
    return text.replace("%25", "%")


class Runner:
    """A job on a machine of its own: a workspace, a folder for what is temporary, and a `PATH`."""

    def __init__(self, workspace: Path, temporary: Path, **environment: str) -> None:
        """Begin a job.

        Args:
            workspace: Where its steps are started.
            temporary: An empty folder.
            environment: Variables of all steps.
        """
        self.workspace = workspace
        self.temporary = temporary
        self.environment = environment
        self.actions: dict[str, Does] = {}
        self.context: dict[str, Any] = {}
        self.summary = temporary / "summary.md"
        self.summary.touch()
        self._is_failed = False
        self._steps: dict[str, Step] = {}

    @property
    def is_green(self) -> bool:
        """Whether no step failed."""
        return not self._is_failed

    def carry_out(self, job: Mapping[str, Any]) -> list[Step]:
        """Carry out a job's steps; return how each ended."""
        values = {"env": self._filled(job.get("env", {}), {})}
        return [self._step(step, values) for step in job["steps"]]

    def _step(self, step: Mapping[str, Any], values: Mapping[str, Any]) -> Step:
        if not self.holds(step.get("if", "success()"), values):
            done = Step(outcome="skipped")
        elif "run" in step:
            done = self._run(step, values, {})
        else:
            done = self._use(step, self._filled(step.get("with", {}), values), values)
        self._is_failed |= done.outcome == "failure"
        if "id" in step:
            self._steps[step["id"]] = done
        return done

    def _run(
        self, step: Mapping[str, Any], values: Mapping[str, Any], more: Mapping[str, str]
    ) -> Step:
        names = ("output", "env")
        files = {name: self.temporary / f"file-{name}" for name in names}
        for path in files.values():
            path.write_text("")
        script = self.temporary / "script.sh"
        script.write_text(self.text(step["run"], values))
        options = ["--noprofile", "--norc", "-eo", "pipefail"] if step.get("shell") else ["-e"]
        done = subprocess.run(
            ["/bin/bash", *options, script],
            cwd=self.workspace,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.temporary),
                "CI": "true",
                "RUNNER_TEMP": str(self.temporary),
                "GITHUB_WORKSPACE": str(self.workspace),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                **{f"GITHUB_{name.upper()}": str(path) for name, path in files.items()},
                **self.environment,
                **values.get("env", {}),
                **self._filled(step.get("env", {}), values),
                **more,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        outputs = outputs_in(files["output"].read_text())
        outcome = "failure" if done.returncode else "success"
        return Step(outcome=outcome, outputs=outputs, code=done.returncode, log=done.stdout)

    def _use(
        self, step: Mapping[str, Any], inputs: Mapping[str, str], values: Mapping[str, Any]
    ) -> Step:
        name = step["uses"].partition("@")[0]
        if not name.endswith(OURS):
            return Step(outcome="success", outputs=self.actions[name](inputs))
        action = yaml.safe_load((REPOSITORY / OURS / "action.yml").read_text())
        assert inputs.keys() <= action["inputs"].keys(), "an input that the action has not"
        defaults = {key: str(value["default"]) for key, value in action["inputs"].items()}
        scope: dict[str, Any] = {"inputs": {**defaults, **inputs}, "steps": {}}
        path = {"GITHUB_ACTION_PATH": str(REPOSITORY / OURS)}
        log, code = "", 0
        for inner in action["runs"]["steps"]:
            if code == 0:
                done = self._run(inner, {**values, **scope}, path)
                scope["steps"][inner.get("id")] = {"outputs": done.outputs}
                log, code = log + done.log, done.code
        outputs = {
            key: self.text(value["value"], {**values, **scope})
            for key, value in action["outputs"].items()
        }
        outcome = "failure" if code else "success"
        return Step(outcome=outcome, outputs=outputs, code=code, log=log)

    def _filled(self, texts: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
        return {name: self.text(str(text), values) for name, text in texts.items()}

    def text(self, text: str, values: Mapping[str, Any]) -> str:
        """Return a text with its expressions worked out."""
        return _EXPRESSION.sub(lambda found: self._worked_out(found[1], values), text)

    def holds(self, condition: str, values: Mapping[str, Any]) -> bool:
        """Whether a condition does; one that names no state of the job wants success, too."""
        condition = _EXPRESSION.sub(r"\1", condition)
        if not re.search(r"\b(always|success|failure|cancelled)\(\)", condition):
            condition = f"success() && {condition}"
        return self._worked_out(condition, values) not in {"", "false"}

    def _worked_out(self, expression: str, values: Mapping[str, Any]) -> str:
        if " && " in expression:
            left, _, right = expression.partition(" && ")
            found = self._worked_out(left, values)
            return found if found in {"", "false"} else self._worked_out(right, values)
        for operator in (" == ", " != "):
            left, is_there, right = expression.partition(operator)
            if is_there:
                same = self._worked_out(left, values) == self._worked_out(right, values)
                return str(same is (operator == " == ")).lower()
        if expression.startswith("'"):
            return expression.strip("'")
        states = {"always()": True, "!cancelled()": True}
        states |= {"success()": self.is_green, "failure()": self._is_failed}
        if expression in states:
            return str(states[expression]).lower()
        return self._looked_up(expression.split("."), values)

    def _looked_up(self, names: Sequence[str], values: Mapping[str, Any]) -> str:
        steps = {
            name: {"outputs": step.outputs, "outcome": step.outcome}
            for name, step in self._steps.items()
        }
        runner = {"temp": str(self.temporary)}
        found: Any = {"steps": steps, "runner": runner} | self.context | dict(values)
        for name in names:
            found = found.get(name, "")
            if found == "":
                break
        assert isinstance(found, str), ".".join(names)
        return found


def outputs_in(text: str) -> dict[str, str]:
    """Return the outputs that a step wrote, in either form; what is neither fails."""
    found = {name: value for name, _, value in _HEREDOC.findall(text)}
    for line in _HEREDOC.sub("", text).splitlines():
        name, is_there, value = line.partition("=")
        assert is_there, line
        found[name] = value
    return found
