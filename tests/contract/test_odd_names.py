"""Names of bytes that are no UTF-8: what is printed is text all the same, in every form.

JSON with an escape of half a surrogate pair looks sound, and is refused by programs that read it.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import forking
from tests.contract.running import CONTRACTS, PATIENCE_SECONDS, Ended

ODD = os.fsdecode(b"odd-\xe9")
AS_TEXT = r"odd-\udce9"
"""How such a name is shown, in JSON too."""

RUNTIME, INSPECTOR, GATE = "tau-custom-command", "tau-transport-health", "tau-rollout-gate"
OF_STATE = ("--state-dir", f"{ODD}/state")
OF_ROLLOUT = ("--rollout-dir", "ro")
START = ("start", "--release", "1.4.0", "--rollback-to", "1.3.2")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with odd names in it, one of a state directory, and a rollout."""
    folder = tmp_path_factory.mktemp("place")
    (folder / ODD).mkdir()
    fixture = (CONTRACTS / "rollout-pass.json").read_bytes()
    (folder / ODD / "fixture.json").write_bytes(fixture)
    (folder / ODD / "broken.json").write_bytes(fixture.replace(b'"RUN"', b'"NO"'))
    (folder / "report.json").write_text('{"total": 1, "passed": 1, "failed": 0}')
    # So that the same words mean the same in the folder of that name.
    for name, to in ((ODD, "."), ("ro", "../ro"), ("report.json", "../report.json")):
        (folder / ODD / name).symlink_to(to)
    for state_dir in (f"{ODD}/state", "state"):
        done = ran(folder, RUNTIME, "run", f"{ODD}/fixture.json", "--state-dir", state_dir)
        assert done.exit_code == 0
    (folder / "state" / ODD).write_text("x")
    done = ran(folder, GATE, *START, *OF_ROLLOUT, "--surface", "custom-command=state")
    assert done.exit_code == 0, done.stderr
    return folder


def ran(folder: Path, program: str, *words: str) -> Ended:
    """Run a program in a folder; what it prints has to be UTF-8, and no traceback."""
    command = Path(sys.executable).parent / program
    done = forking.run(command, *words, cwd=folder, env=os.environ, timeout=PATIENCE_SECONDS)
    told = Ended(
        exit_code=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode()
    )
    assert "Traceback" not in told.stderr
    return told


JSON: dict[str, tuple[str, Sequence[str]]] = {
    "validate": (RUNTIME, ("validate", f"{ODD}/broken.json")),
    "inspect": (INSPECTOR, ("inspect", "custom-command", *OF_STATE)),
    "status": (INSPECTOR, ("status", "custom-command", *OF_STATE)),
    "diagnose": (INSPECTOR, ("diagnose", "custom-command", "--state-dir", f"{ODD}/none")),
    "channels verify": (INSPECTOR, ("channels", "verify", "custom-command", *OF_STATE)),
    "targets list": (INSPECTOR, ("targets", "list", "--root", ODD)),
    "signoff verify": (GATE, ("signoff", "verify", f"{ODD}/signoff.toml", *OF_ROLLOUT)),
    "replay": (GATE, ("replay", "--events", f"{ODD}/state/runtime-events.jsonl")),
}
"""Commands that print such a name in JSON; a name that a record would hold is refused instead."""


@pytest.mark.parametrize(("program", "words"), JSON.values(), ids=JSON)
def test_json_shows_the_name_as_text(place: Path, program: str, words: Sequence[str]) -> None:
    """Whoever reads it gets text that can be written again, which shows the bytes."""
    if words[0] == "signoff":
        ran(place, GATE, "signoff", "init", f"{ODD}/signoff.toml", *OF_ROLLOUT)
    done = ran(place, program, *words, "--json")
    assert done.exit_code in {0, 3, 5}
    again = json.dumps(json.loads(done.stdout), ensure_ascii=False)
    assert again.encode()
    assert json.dumps(AS_TEXT)[1:-1] in again


TEXT: dict[str, tuple[str, Sequence[str]]] = {
    "run": (RUNTIME, ("run", f"{ODD}/fixture.json", *OF_STATE)),
    "new": (RUNTIME, ("new", f"{ODD}/new.json")),
    "validate": (RUNTIME, ("validate", f"{ODD}/none.json")),
    "inspect": (INSPECTOR, ("inspect", "custom-command", *OF_STATE)),
    "check": (INSPECTOR, ("check", "custom-command", "--state-dir", f"{ODD}/none")),
    "export": (INSPECTOR, ("export", "custom-command", *OF_STATE)),
    "report": (INSPECTOR, ("report", "custom-command", *OF_STATE, "--output", "-")),
    "page": (GATE, ("report", *OF_ROLLOUT, "--output", "-")),
    **{
        form: (GATE, ("evaluate", *OF_ROLLOUT, "--validation", "report.json", "--format", form))
        for form in ("text", "json", "junit", "github", "markdown", "openmetrics")
    },
}


@pytest.mark.parametrize(("program", "words"), TEXT.values(), ids=TEXT)
def test_every_other_form_is_text(place: Path, program: str, words: Sequence[str]) -> None:
    """With such a name on the command line, and as the working directory's."""
    for folder in (place, place / ODD):
        done = ran(folder, program, *words)
        assert done.exit_code in {0, 3, 5}
        assert done.stdout or done.stderr


REFUSED = {
    "release": ("--release", ODD),
    "rollback-to": ("--rollback-to", ODD),
    "rollback-ref": ("--rollback-ref", ODD),
    "first-run": ("--first-run", ODD),
    "expect": ("--expect", f"custom-command:release={ODD}"),
    "surface": ("--surface", f"custom-command={ODD}"),
    "name of a surface": ("--surface", f"{ODD}=state"),
    "policy": ("--policy", ODD),
    "by": ("--by", ODD),
    "rollout-dir": ("--rollout-dir", ODD),
}


@pytest.mark.parametrize("option", REFUSED.values(), ids=REFUSED)
def test_what_a_record_would_hold_is_refused(place: Path, option: Sequence[str]) -> None:
    """By the name of the option, and nothing is written."""
    done = ran(place, GATE, *START, "--rollout-dir", "other", *option)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {option[0]}: ")
    assert not (place / "other").exists()


def test_in_a_directory_of_such_a_name_relative_paths_cannot_be_pinned(place: Path) -> None:
    """What is pinned is absolute; another path to the same place can be."""
    done = ran(place / ODD, GATE, *START, "--rollout-dir", "other", "--first-run", "custom-command")
    assert done.exit_code == 2
    assert f"/{AS_TEXT}/.tau/custom-command: is not UTF-8 text" in done.stderr
    assert not (place / ODD / "other").exists()
    (place / "plain").symlink_to(ODD)
    state = f"custom-command={place}/plain/state"
    done = ran(place / ODD, GATE, *START, "--rollout-dir", "other", "--surface", state)
    assert done.exit_code == 0, done.stderr
    adopted = ("policy", "adopt", "--reason", "x", "--policy", "p.toml", "--rollout-dir", "other")
    ran(place / ODD, GATE, "policy", "init", "p.toml")
    policy = place / ODD / "p.toml"
    policy.write_text(policy.read_text().replace('"30m"', '"31m"'))
    assert ran(place / ODD, GATE, *adopted).exit_code == 2
    rolled_back = ran(place / ODD, GATE, "rollback", "--reason", "x", "--rollout-dir", "other")
    assert rolled_back.exit_code == 0


def test_a_surface_of_a_replay_is_text(place: Path) -> None:
    """Its name stands in every answer."""
    log = "state/runtime-events.jsonl"
    done = ran(place, GATE, "replay", "--events", log, "--surface-name", ODD)
    assert (done.exit_code, done.stderr) == (2, "error: --surface-name: is not UTF-8 text\n")
