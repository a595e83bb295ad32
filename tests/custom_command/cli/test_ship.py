"""`ship` and `run --ship-to` as people see them (custom-command-ops.md, "Shipping to a fleet")."""

import json
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.running import COMMAND, Command, environment

RUN = ("run", "fixture.json", "--state-dir", "state", "--fresh")
SHIP = ("ship", "--state-dir", "state")
INTO = "fleet/{host}/{surface}"


@pytest.fixture
def ran(command: Command) -> Command:
    """Return the command, after a cycle."""
    (command.folder / "fixture.json").write_bytes(fixture_bytes(case_object()))
    assert command(*RUN).code == 0
    return command


def last(folder: Path, host: str = "web-1") -> int:
    """Return up to which cycle a host was shipped."""
    raw = (folder / f"fleet/{host}/custom-command/state.json").read_bytes()
    number: int = json.loads(raw)["last_cycle"]["cycle_number"]
    return number


def test_what_was_shipped_is_told(ran: Command) -> None:
    """In words and as JSON; a second time there is nothing to do."""
    said = ran(*SHIP, "--to", INTO, "--host", "web-1")
    size = (ran.folder / "fleet/web-1/custom-command/segments/1.jsonl").stat().st_size
    told = f"fleet/web-1/custom-command: up to cycle 1: wrote 1 segment of {size:,} bytes\n"
    assert (said.code, said.out, said.err) == (0, told, "")
    assert ran(*SHIP, "--to", INTO, "--host", "web-1").out == (
        "fleet/web-1/custom-command: up to cycle 1 already\n"
    )
    env = {"TAU_CUSTOM_COMMAND_SHIP_TO": INTO, "TAU_CUSTOM_COMMAND_HOST": "web-2"}
    assert ran(*SHIP, "--json", env=env).json() == {
        "url": "fleet/web-2/custom-command",
        "cycle_number": 1,
        "segments": 1,
        "bytes": size,
        "took_over": False,
    }


def test_the_hosts_name_is_that_of_the_machine(ran: Command) -> None:
    """Unless another one is given."""
    assert ran(*SHIP, "--to", INTO).code == 0
    assert len(list((ran.folder / "fleet").iterdir())) == 1


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", ".", "a\nb", "a\x1b[2J", "ä", "-a", "a" * 254, "{host}", "a\\b"]
)
def test_a_hostile_name_of_a_host_is_refused(ran: Command, name: str) -> None:
    """It would lead elsewhere, or act on a terminal; nothing is written."""
    said = ran(*SHIP, "--to", INTO, f"--host={name}")
    assert (said.code, said.out) == (2, "")
    assert "is no host's name" in said.err
    assert "\x1b" not in said.err
    assert not (ran.folder / "fleet").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--to", "ftp://x/y"), "ftp:// is not known"),
        (("--to", " "), "blank"),
        (("--to", "s3://a:b@c/d"), "the name of a bucket alone"),
        (("--to", "fleet/{zone}"), "{host} and {surface} are known"),
        (("--to", "fleet/x", "--host", "web-1"), "has no {host} to put it in"),
        (("--to", "fleet/x", "--take-over"), "say why, with --reason"),
        (("--to", "fleet/x", "--take-over", "--reason", " "), "say why, with --reason"),
        (("--to", "fleet/x", "--reason", "why"), "add --take-over"),
        ((), "Missing option '--to'"),
    ],
)
def test_wrong_usage(ran: Command, words: tuple[str, ...], told: str) -> None:
    """It is told, and nothing is written."""
    said = ran(*SHIP, *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert not (ran.folder / "fleet").exists()


def test_another_chain_is_refused_unless_it_is_to_be_replaced(ran: Command) -> None:
    """Why goes along."""
    assert ran(*SHIP, "--to", "fleet/x").code == 0
    assert ran("run", "fixture.json", "--state-dir", "other").code == 0
    other = ("ship", "--state-dir", "other", "--to", "fleet/x")
    said = ran(*other)
    assert (said.code, said.out) == (5, "")
    assert "another machine has this name" in said.err
    assert ran(*other, "--take-over", "--reason", "a new disk").out.endswith(
        "; another chain's were replaced\n"
    )
    assert ran(*other, "--json").json()["took_over"] is False


def test_each_cycle_is_shipped(ran: Command) -> None:
    """By `run --ship-to`, whose answer and exit code stay as they are."""
    assert ran(*RUN, "--ship-to", "fleet/web-1/custom-command").code == 0
    assert last(ran.folder) == 2
    (ran.folder / "fixture.json").write_bytes(
        fixture_bytes(case_object(expected={"outcome": "success", "status_code": 418}))
    )
    said = ran(*RUN, "--ship-to", "fleet/web-1/custom-command", "--json")
    assert (said.code, said.json()["failure_streak"]) == (3, 1)
    assert last(ran.folder) == 3


def test_the_hosts_name_is_that_of_the_option_or_of_the_environment(ran: Command) -> None:
    """By `run --ship-to` as by `ship`: what is shipped by either is of one host."""
    to = ("--ship-to", "fleet/{host}/custom-command")
    assert ran(*RUN, *to, env={"TAU_CUSTOM_COMMAND_HOST": "web-1"}).code == 0
    assert last(ran.folder) == 2
    assert ran(*RUN, *to, "--host", "web-1", env={"TAU_CUSTOM_COMMAND_HOST": "web-2"}).code == 0
    assert last(ran.folder) == 3
    assert [each.name for each in (ran.folder / "fleet").iterdir()] == ["web-1"]
    assert ran(*RUN, env={"TAU_CUSTOM_COMMAND_HOST": "web-1"}).code == 0  # nothing is shipped
    for words, told in ((("--host", "x"), "add --ship-to"), ((*to, "--host", "../x"), "no host's")):
        said = ran(*RUN, *words)
        assert (said.code, told in said.err) == (2, True), said


def test_what_cannot_be_shipped_changes_no_exit_code(ran: Command) -> None:
    """It is a warning; the next cycle takes it along."""
    (ran.folder / "fleet").write_bytes(b"")
    said = ran(*RUN, "--ship-to", "fleet/web-1/custom-command")
    assert said.code == 0
    assert said.err.startswith("warning: not shipped, and tried again with the next cycle: fleet/")
    (ran.folder / "fleet").unlink()
    assert ran(*RUN, "--ship-to", "fleet/web-1/custom-command").err == ""
    assert last(ran.folder) == 3
    assert ran(*RUN, "--ship-to", "ftp://x").code == 2
    assert ran(*RUN, "--dry-run", "--ship-to", "fleet/web-2/custom-command").code in {0, 3}
    assert not (ran.folder / "fleet/web-2").exists()


def test_a_loop_ships_each_cycle(ran: Command) -> None:
    """And ends as it does without."""
    with ran.start(*RUN[:-1], "--every", "50ms", "--ship-to", "fleet/web-1/{surface}") as process:
        deadline = time.monotonic() + 60
        path = ran.folder / "fleet/web-1/custom-command/state.json"
        while not path.exists() or last(ran.folder) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_a_store_that_does_not_answer_can_be_interrupted(ran: Command) -> None:
    """At once, and not when the request is over."""
    pytest.importorskip("obstore")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "NO_PROXY": "127.0.0.1"}
        env = environment({"AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"} | keys)
        with (
            subprocess.Popen(
                [COMMAND, *SHIP, "--to", "s3://bucket/x"], cwd=ran.folder, env=env
            ) as process,
            server.accept()[0],
        ):
            began = time.monotonic()
            process.terminate()
            assert process.wait(timeout=60) == 143
            assert time.monotonic() - began < 10


def test_without_the_extra_it_is_named(ran: Command, tmp_path: Path) -> None:
    """`ship` cannot answer; a cycle goes on all the same."""
    (tmp_path / "none").mkdir()
    (tmp_path / "none/obstore.py").write_text("raise ImportError\n")
    told = "s3://bucket/x: needs the library obstore: pip install 'tau-custom-command[ship]'\n"
    for words, code in (((*SHIP, "--to"), 5), ((*RUN, "--ship-to"), 0)):
        said = subprocess.run(
            [COMMAND, *words, "s3://bucket/x"],
            cwd=ran.folder,
            env=environment({"PYTHONPATH": str(tmp_path / "none")}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == code
        assert said.stderr.endswith(told)
