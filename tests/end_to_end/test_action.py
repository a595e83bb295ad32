"""The GitHub action as a job has it: its steps, its outputs, what it tells; in both modes."""

from pathlib import Path

import pytest

from tests.end_to_end.github_runner import Annotation, Runner, Step
from tests.end_to_end.rolling_out import COMMANDS, MINUTE, Release

USES = "./.github/actions/rollout-gate"
PASSES, FAILS = {"passed": 16, "failed": 0}, {"passed": 15, "failed": 1}
MODES = ("gate", "advance")
NO_PIP = """#!/bin/sh
# A Python whose `venv` has no need of the network: the gate of the tests stands in for the one
# that pip would install.
case "$1 $2" in
  '-c '*) exec {python} "$@" ;;
  '-m venv') mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && echo "venv $4" >>{log} ;;
  '-m pip')
    shift 2
    echo "pip $*" >>{log}
    test ! -e {refusal} && ln -sf {gate} "${{0%/*}}/tau-rollout-gate"
    ;;
  *) exit 9 ;;
esac
"""


class Asked:
    """A job of one step, the action, beside a release under rollout."""

    def __init__(self, release: Release, folder: Path) -> None:
        """Make the machine."""
        self.release = release
        self.log = folder / "installed.log"
        self.refusal = folder / "refuse"
        self.gate = folder / "gate"
        self.gate.symlink_to(COMMANDS / "tau-rollout-gate")
        programs = folder / "programs"
        programs.mkdir()
        text = NO_PIP.format(
            python=COMMANDS / "python",
            gate=self.gate,
            log=self.log,
            refusal=self.refusal,
        )
        (programs / "python3").write_text(text)
        (programs / "python3").chmod(0o755)
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.path = f"{programs}:/usr/bin:/bin"
        self.runner: Runner | None = None

    def __call__(self, mode: str | None = None, **inputs: str) -> Step:
        """Carry out the action."""
        given = inputs if mode is None else {"mode": mode} | inputs
        names = {name.replace("_", "-"): value for name, value in given.items()}
        environment = self.release.environment() | {"PATH": self.path}
        self.runner = Runner(self.release.folder, self.temporary, **environment)
        (step,) = self.runner.carry_out({"steps": [{"uses": USES, "with": names}]})
        assert self.runner.is_green is (step.code == 0)
        return step

    @property
    def summary(self) -> str:
        """Return the summary of the job."""
        assert self.runner
        return self.runner.summary.read_text()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Return a release that is still in preflight."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return Release(folder)


@pytest.fixture
def asked(release: Release, tmp_path: Path) -> Asked:
    """Return the job."""
    return Asked(release, tmp_path)


def kinds(step: Step) -> set[str]:
    """Return of which kinds its annotations are, the warnings left out."""
    return {one.kind for one in step.annotations} - {"warning"}


def test_gate_promotes_and_writes_nothing(asked: Asked, release: Release) -> None:
    """A yes is green; where the rollout stands is told, and stays as it is."""
    before = release.rollout
    step = asked("gate", validation=release.report(**PASSES))
    assert (step.code, release.rollout) == (0, before)
    assert step.outputs == {
        "verdict": "promote",
        "exit-code": "0",
        "release": "1.4.0",
        "phase": "preflight",
        "canary-percent": "0",
        "next-phase": "canary-1",
        "next-canary-percent": "5",
        "advanced": "false",
        "changed": "true",
        "phase-now": "preflight",
        "canary-percent-now": "0",
        "earliest-promotion": step.outputs["earliest-promotion"],
        "reasons": step.outputs["reasons"],
    }
    assert kinds(step) == {"notice"}
    assert "PROMOTE" in asked.summary.upper()


def test_gate_is_the_default(asked: Asked, release: Release) -> None:
    """Whoever says nothing changes nothing."""
    step = asked(validation=release.report(**PASSES))
    assert (step.outputs["verdict"], release.rollout["phase"]) == ("promote", "preflight")


def test_advance_promotes_and_records_it(asked: Asked, release: Release) -> None:
    """The share that the canary is to have now is an output, and stays one while it holds."""
    step = asked("advance", validation=release.report(**PASSES))
    moved = {name: step.outputs[name] for name in ("advanced", "phase-now", "canary-percent-now")}
    assert moved == {"advanced": "true", "phase-now": "canary-1", "canary-percent-now": "5"}
    assert (step.code, release.rollout["phase"], kinds(step)) == (0, "canary-1", {"notice"})
    step = asked("advance")
    moved = {name: step.outputs[name] for name in moved}
    assert moved == {"advanced": "false", "phase-now": "canary-1", "canary-percent-now": "5"}


def test_a_hold_is_red_of_gate(asked: Asked) -> None:
    """The job does not go on, and sees why."""
    step = asked("gate")
    assert (step.code, step.outputs["verdict"], step.outputs["exit-code"]) == (3, "hold", "3")
    assert kinds(step) == {"error"}
    assert "validation" in step.outputs["reasons"]


def test_a_hold_is_a_notice_of_advance(asked: Asked, release: Release) -> None:
    """A schedule is green while a release soaks; what the hold is for is told all the same."""
    release.enters_canary_1()
    release.cycle(after_ms=MINUTE)
    step = asked("advance")
    assert (step.code, step.outputs["verdict"], step.outputs["exit-code"]) == (0, "hold", "3")
    assert kinds(step) == {"notice"}
    assert step.annotations[0].title == "rollout gate: hold"
    assert any(one.title.startswith("gate soak") for one in step.annotations)
    assert "HOLD" in asked.summary.upper()


@pytest.mark.parametrize("mode", MODES)
def test_a_rollback_is_red(mode: str, asked: Asked, release: Release) -> None:
    """In both; `advance` has frozen the rollout by then."""
    step = asked(mode, validation=release.report(**FAILS))
    assert (step.code, step.outputs["verdict"], kinds(step)) == (4, "rollback", {"error"})
    assert (release.rollout["frozen"] is not None) is (mode == "advance")


def no_answer(step: Step, code: int) -> Annotation:
    """Expect that a step told of having no answer; return the annotation."""
    outputs = dict(step.outputs)
    assert outputs.pop("reasons")
    assert {name: value for name, value in outputs.items() if value} == {
        "verdict": "unknown",
        "exit-code": str(code),
        "advanced": "false",
    }
    assert step.code == code
    (told,) = [one for one in step.annotations if "no answer" in one.title]
    assert (told.kind, told.title) == ("error", f"rollout gate: no answer (exit {code})")
    assert told.text == step.outputs["reasons"]
    return told


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("inputs", "code", "words"),
    [
        ({"rollout_dir": "nowhere"}, 5, "nowhere"),
        ({"validation": "none.json"}, 5, "none.json"),
        ({"surfaces": "a=b\nc"}, 2, "c"),
        ({"surfaces": "50%=x\n25%=y"}, 5, "50%"),
    ],
)
def test_no_answer_is_red_and_told(
    mode: str, inputs: dict[str, str], code: int, words: str, asked: Asked
) -> None:
    """An output, an annotation and the summary say why, in the words of the gate."""
    step = asked(mode, **inputs)
    assert words in no_answer(step, code).text
    assert f"no answer (exit {code})" in asked.summary
    assert words in asked.summary


@pytest.mark.parametrize("mode", ["", "evaluate", "rollback", "advance --yes", "gate\nadvance"])
def test_there_are_two_modes(mode: str, asked: Asked, release: Release) -> None:
    """Any other is refused before the gate is asked."""
    before = release.rollout
    told = no_answer(asked(mode), 2)
    assert (told.text, release.rollout) == ("mode is neither gate nor advance", before)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("code", "verdict"),
    [(0, "hold"), (0, "rollback"), (0, ""), (0, "yes"), (3, "promote"), (3, ""), (4, "hold"),
     (1, "promote"), (137, "hold"), (127, "")],
)  # fmt: skip
def test_a_code_that_does_not_fit_the_verdict_is_no_answer(
    mode: str, code: int, verdict: str, asked: Asked
) -> None:
    """A gate that was killed, or another program in its place, is believed in neither word."""
    words = f"echo verdict={verdict} >>$GITHUB_OUTPUT\n" if verdict else ""
    words += "printf 'reasons<<x\\nverdict=promote\\nx\\n' >>$GITHUB_OUTPUT\n"
    asked.gate.unlink()
    asked.gate.write_text(
        f"#!/bin/sh\ntest $1 != --version || exit 0\n{words}echo told >&2\nexit {code}\n"
    )
    asked.gate.chmod(0o755)
    step = asked(mode)
    assert no_answer(step, code or 1).text == "told"


class TestInstalling:
    """The gate that is asked is the one beside the action, or a version of it."""

    def test_beside_the_action(self, asked: Asked) -> None:
        """That of the checkout that the action is in."""
        asked()
        folder = Path(__file__).parents[2] / "packages/rollout-gate"
        venv, pip = asked.log.read_text().splitlines()
        assert venv == f"venv {asked.temporary}/tau-rollout-gate"
        assert pip == f"pip install --quiet --disable-pip-version-check -- {folder}"

    def test_a_version(self, asked: Asked) -> None:
        """By its number, from the index."""
        asked(version="0.2.0rc1")
        assert asked.log.read_text().endswith(" -- tau-rollout-gate==0.2.0rc1\n")

    def test_where_it_cannot_be_installed(self, asked: Asked) -> None:
        """The job is red, and the annotation says in which step to look."""
        asked.refusal.touch()
        step = asked("advance")
        assert (step.code, step.outputs["verdict"]) == (5, "")
        assert [one.kind for one in step.annotations] == ["error"]


@pytest.mark.parametrize("mode", MODES)
def test_a_rollout_that_was_rolled_back_stays_red(
    mode: str, asked: Asked, release: Release
) -> None:
    """So does whatever a schedule goes on asking, until the next rollout is started."""
    release.gate("rollback", "--reason", "not today", code=0)
    step = asked(mode)
    assert (step.code, step.outputs["verdict"]) == (4, "rollback")
