"""While a state directory is paused, no cycle begins in it (custom-command-ops.md, "Pausing")."""

import os
import pwd
import stat

import pytest

from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.running import PATIENCE_SECONDS, Command

RUN = ("run", "fixture.json", "--state-dir", "state")


@pytest.fixture
def ran(command: Command) -> Command:
    """Return the command, after a cycle."""
    (command.folder / "fixture.json").write_bytes(fixture_bytes(case_object()))
    assert command(*RUN).code == 0
    return command


def test_a_paused_directory_is_refused_until_it_is_unpaused(ran: Command) -> None:
    """Whoever comes by is told since when, by whom, why, and how to go on; nothing is written."""
    files = sorted(ran.folder.joinpath("state").rglob("*"))
    now = ("--now-unix-ms", "1767225600000")
    said = ran(
        "pause", "--reason", "the hall\x1b[2J is moved", "--by", "Ann", "--state-dir", "state", *now
    )
    assert (said.code, said.out) == (0, "state: paused; no cycle begins until unpause\n")
    refused = ran(*RUN)
    assert (refused.code, refused.err) == (
        5,
        (
            "error: state: paused since 2026-01-01 00:00:00Z by Ann: the hall\\x1b[2J is moved; "
            "'tau-custom-command unpause --state-dir state' lets cycles run again\n"
        ),
    )
    assert ran("unpause", "--state-dir", "state").out == "state: cycles run again\n"
    assert sorted(ran.folder.joinpath("state").rglob("*")) == files
    assert ran(*RUN).code == 0
    assert ran("unpause", "--state-dir", "state").out == "state: was not paused\n"


def test_what_is_no_file_is_not_waited_for(ran: Command) -> None:
    """A pipe in its place, which nobody ever writes into, is refused, and can be taken away."""
    os.mkfifo(ran.folder / "state" / "paused.json")
    with ran.start(*RUN) as refused:
        try:
            _, said = refused.communicate(timeout=PATIENCE_SECONDS)
        finally:
            refused.kill()
    assert refused.returncode == 5
    assert said == "error: state/paused.json: cannot read: it is not a regular file\n"
    assert ran("unpause", "--state-dir", "state").out == "state: cycles run again\n"


@pytest.mark.parametrize(
    ("name", "content", "words", "said"),
    [
        ("paused.json", "", RUN, "unpause --state-dir 'a b'"),
        ("state.json", "", RUN, "recover --state-dir 'a b'"),
        ("approvals.json", "", ("approvals",), "approve NAME --by WHO --state-dir 'a b'"),
        (".journal", "tau-custom-command journal 9\n", RUN, "recover --state-dir 'a b'"),
    ],
)
def test_what_it_says_to_do_can_be_pasted(
    ran: Command, name: str, content: str, words: tuple[str, ...], said: str
) -> None:
    """Into a shell, also where the directory's name has a blank."""
    (ran.folder / "state").rename(ran.folder / "a b")
    (ran.folder / "a b" / name).write_text(content)
    (ran.folder / "a b" / name).chmod(0o600)
    refused = ran(*words[:2], "--state-dir", "a b")
    assert (refused.code, f"tau-custom-command {said}" in refused.err) == (5, True), refused.err


def test_only_its_owner_can_read_why(ran: Command) -> None:
    """As all that the runtime writes; the login name stands where no other is given."""
    said = ran("pause", "--reason", "x", "--state-dir", "state", env={"LOGNAME": "rob"})
    assert said.code == 0, said
    path = ran.folder / "state/paused.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert '"by": "rob"' in path.read_text()


def test_who_paused_it_is_known_without_a_variable(ran: Command) -> None:
    """As in a unit of systemd; a container's user need not have a name."""
    said = ran("pause", "--reason", "x", "--state-dir", "state", env={"LOGNAME": "", "USER": ""})
    assert said.code == 0, said
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = "unknown"
    assert f'"by": "{name}"' in (ran.folder / "state/paused.json").read_text()


@pytest.mark.parametrize("content", ["", "{}", "[", '{"schema_version": 2}'])
def test_what_cannot_be_read_counts_as_paused(ran: Command, content: str) -> None:
    """Unknown is no; and unpause gets out of it."""
    (ran.folder / "state/paused.json").write_text(content)
    refused = ran(*RUN)
    assert (refused.code, "counts as paused" in refused.err) == (5, True)
    assert ran("unpause", "--state-dir", "state").code == 0
    assert ran(*RUN).code == 0


def test_what_is_asked_wrongly(command: Command) -> None:
    """No reason, or no directory."""
    assert command("pause", "--reason", " ").code == 2
    assert command("pause").code == 2
    assert command("pause", "--reason", "x", "--state-dir", "none").code == 5
    assert command("unpause", "--state-dir", "none").code == 5
