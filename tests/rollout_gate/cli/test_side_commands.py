"""`signoff`, as a process: what they print, write and exit with."""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tau_rollout_gate.contract.rollout import Rollout, RolloutStatus
from tests.rollout_gate import recording
from tests.rollout_gate.making import ENTERED, HOUR, pin, rollout
from tests.rollout_gate.recording import Finished, led_to

NOW = ENTERED + HOUR
EVIDENCE = ("ci", "rc", "c1", "c2", "c3", "tm", "rr", "s1", "s2", "m", "n", "f")


class Gate(recording.Gate):
    """The installed command, an hour after the rollouts made here were entered."""

    def __call__(
        self, *arguments: str | bytes | Path, env: Mapping[str, str] | None = None
    ) -> Finished:
        """Run the command to its end, as a process."""
        now = {"TAU_ROLLOUT_GATE_NOW_UNIX_MS": str(NOW)}
        return self.process(*arguments, env=now | dict(env or {}))

    def open(self, **changes: Any) -> Rollout:  # noqa: ANN401 - any field of a rollout
        """Open a rollout of two surfaces in that directory."""
        opened = rollout(**({"surfaces": (pin(), pin(name="voice"))} | changes))
        led_to(opened).write(self.root)
        return opened


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Return the command in an empty folder that git keeps."""
    (tmp_path / ".git").mkdir()
    return Gate(tmp_path)


def fill_in(path: Path, folder: Path) -> None:
    """Fill in every blank of a checklist: one item by a file, the others by addresses."""
    (folder / "report.json").write_text("{}")
    text = path.read_text()
    text = text.replace('date = ""', 'date = "2026-01-01"').replace('owner = ""', 'owner = "Ann"')
    text = text.replace("reviewers = []", 'reviewers = ["Rob"]')
    text = text.replace('harness_passed = ""', 'harness_passed = "report.json"')
    for name in EVIDENCE:
        text = text.replace('= ""', f'= "https://ci.tau-ops.dev/{name}"', 1)
    assert '= ""' not in text
    path.write_text(text)


def test_a_checklist_from_blank_to_complete(gate: Gate) -> None:
    """`init` writes it, `verify` holds until it is filled in, and then says yes."""
    gate.open()
    missing = gate("signoff", "verify")
    assert (missing.code, missing.out) == (5, "")
    assert missing.err.endswith(
        "signoff.toml: there is no such file; tau-rollout-gate signoff init writes one to fill in\n"
    )
    made = gate("signoff", "init")
    path = gate.root / "signoff.toml"
    assert (made.code, made.out) == (0, "")
    assert "wrote .tau/rollout/custom-command/signoff.toml" in made.err
    blank = gate("signoff", "verify")
    assert blank.code == 3
    assert blank.out.startswith(
        ".tau/rollout/custom-command/signoff.toml: not complete for 1.4.0 (stable): 0 of 13 items"
    )
    assert "missing  owner: is not filled in\n" in blank.out
    fill_in(path, gate.folder)
    done = gate("signoff", "verify")
    assert (done.code, done.err) == (0, "")
    assert "signoff.toml: complete for 1.4.0 (stable): 13 of 13 items have evidence\n" in done.out
    assert (
        "\n\npreflight\n  file   harness_passed            report.json (44136fa355b3)\n" in done.out
    )
    assert "  claim  voice                     https://ci.tau-ops.dev/" in done.out
    sections = [
        line for line in done.out.splitlines() if line and line.islower() and " " not in line
    ]
    assert sections == [
        "preflight",
        "canary_phases",
        "rollback_readiness",
        "surface_verification",
        "general_availability",
    ]


def test_the_checklist_of_the_rollout_before_is_moved_away(gate: Gate) -> None:
    """Which is said with the command; that of this rollout, and what is no checklist, stay."""
    gate.open()
    assert gate("signoff", "init").code == 0
    path = gate.root / "signoff.toml"
    for mine in (path.read_text(), "release = 1", path.read_text().replace("1.4.0", "it; rm x")):
        path.write_text(mine)
        own = gate("signoff", "init")
        assert own.code == 2
        assert "is there already" in own.err
    text = mine.replace("it; rm x", "1.3.2")
    path.write_text(text)
    other = gate("signoff", "init")
    assert other.code == 2
    told = "signoff.toml: is the checklist of 1.3.2, and this rollout is of 1.4.0: mv "
    assert told in other.err
    command = other.err.partition("1.4.0: ")[2].partition(" keeps it")[0]
    subprocess.run(["/bin/sh", "-c", command], cwd=gate.folder, check=True)
    assert path.with_name("signoff-1.3.2.toml").read_text() == text
    assert gate("signoff", "init").code == 0


def test_the_same_as_json(gate: Gate) -> None:
    """Everything that the text says, for programs."""
    gate.open()
    path = gate.folder / "mine.toml"
    assert gate("signoff", "init", path).code == 0
    blank = gate("signoff", "verify", "mine.toml", "--format", "json")
    assert blank.code == 3
    assert json.loads(blank.out)["complete"] is False
    fill_in(path, gate.folder)
    done = gate("signoff", "verify", "mine.toml", "--format", "json")
    answer = json.loads(done.out)
    assert done.code == 0
    assert list(answer) == [
        "schema_version",
        "complete",
        "release",
        "channel",
        "path",
        "problems",
        "warnings",
        "items",
        "inputs",
    ]
    assert (answer["complete"], answer["problems"], answer["path"]) == (True, [], "mine.toml")
    assert answer["items"][0] == {
        "key": "preflight.harness_passed",
        "problem": None,
        "claim": None,
        "file": "report.json",
    }
    assert [one["path"] for one in answer["inputs"]] == ["mine.toml", "report.json"]


@pytest.mark.parametrize("file", [(), ("my list.toml",)])
def test_what_init_says_to_type_verifies_that_checklist(gate: Gate, file: tuple[str, ...]) -> None:
    """With the file and the directory that were given, as a shell reads them."""
    gate.open()
    gate.root.rename(gate.folder / "my rollout")
    where = ("--rollout-dir", "my rollout")
    told = gate("signoff", "init", *file, *where).err.partition("after filling it in: ")[2]
    program, *words = shlex.split(told)
    assert program == "tau-rollout-gate"
    done = gate(*words)
    assert (done.code, "owner" in done.out) == (3, True), done


def test_init_leaves_alone_what_is_there(gate: Gate) -> None:
    """A file, also a link to nowhere, is not written over: the command is refused."""
    gate.open()
    path = gate.folder / "mine.toml"
    path.write_text("mine")
    link = gate.folder / "link.toml"
    link.symlink_to(gate.folder / "nowhere")
    for taken in (path, link):
        done = gate("signoff", "init", taken)
        assert (done.code, done.out) == (2, "")
        assert f"error: {taken}: is there already" in done.err
    assert path.read_text() == "mine"
    assert not (gate.folder / "nowhere").exists()
    missing = gate("signoff", "init", "no/such/folder.toml")
    assert missing.code == 5
    assert "cannot be created: No such file or directory" in missing.err


@pytest.mark.parametrize("status", [RolloutStatus.COMPLETE, RolloutStatus.ROLLED_BACK])
def test_a_closed_rollout_gets_no_new_checklist(gate: Gate, status: RolloutStatus) -> None:
    """`init` is refused; what was signed can still be verified."""
    gate.open(phase="general-availability", status=status)
    done = gate("signoff", "init", "mine.toml")
    assert done.code == 2
    assert "the rollout of 1.4.0 is over" in done.err
    assert not (gate.folder / "mine.toml").exists()
    (gate.folder / "mine.toml").write_text("release = '1.4.0'\n")
    assert gate("signoff", "verify", "mine.toml").code == 3


def test_a_sign_off_that_cannot_be_used(gate: Gate) -> None:
    """No rollout, no file, no TOML: exit code 5, and nothing on stdout."""
    assert gate("signoff", "verify").code == 5
    assert gate("signoff", "init").code == 5
    gate.open()
    for path, raw in (("missing.toml", None), ("wrong.toml", b"{"), (b"\xff.toml", b"owner = 1")):
        if raw is not None:
            (gate.folder / os.fsdecode(path)).write_bytes(raw)
        done = gate("signoff", "verify", path)
        assert (done.code, done.out) == (5, "")
        assert done.err.startswith("error: ")


def test_text_of_a_checklist_cannot_act_on_a_terminal(gate: Gate) -> None:
    """Control characters, and a file's name that is no text, come out escaped in both formats."""
    gate.open()
    name = os.fsdecode(b"\xff.toml")
    (gate.folder / name).write_text(
        'owner = "a\\u001b[2J"\n[preflight]\n"\\u001b]0;x\\u0007" = "x"\n'
    )
    done = gate("signoff", "verify", name)
    assert done.code == 3
    assert not {character for character in done.out if not character.isprintable()} - {"\n"}
    found = json.loads(gate("signoff", "verify", name, "--format", "json").out)
    assert found["path"] == found["inputs"][0]["path"] == r"\udcff.toml"
