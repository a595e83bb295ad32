"""`recover`: what can be rebuilt is, byte for byte; what cannot is listed; nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tau_custom_command.cli import text as summary
from tau_custom_command.contract.writes import AppendAt, Change, ReplaceFile
from tau_custom_command.errors import CommandRuntimeError, ExitCode
from tau_custom_command.services import recover as recovery
from tau_custom_command.storage.journal_format import encode
from tests.custom_command.cases import case_object, malformed, retryable, success
from tests.custom_command.running import Command, Finished, Json, Runtime
from tests.custom_command.scenarios import CASES, assert_chain_is_whole

STORE = "channel-store/custom-command"


@pytest.fixture
def used(runtime: Runtime) -> Runtime:
    """Return a runtime after two cycles in which all kinds of things happened."""
    runtime.run(*CASES)
    runtime.run(
        *CASES,
        case_object(
            "a1", "CREATE", "with-policy", execution_policy={"allow_network": True}, template="x"
        ),
        case_object("a2", "RUN", "kept"),
        case_object("a3", "RUN", "nowhere", expected=success("RUN")),
        case_object("a4", "DELETE", "nothing"),
    )
    return runtime


def recover(runtime: Runtime, *options: str) -> tuple[Finished, Json]:
    """Recover in process; return how the command would end, and what it would answer."""
    yes = "--yes" in options
    try:
        found = recovery.recover(runtime.state_dir, carry_out=yes, wait_seconds=0)
    except CommandRuntimeError as error:
        return Finished(code=error.exit_code, out="", err=str(error)), {}
    answer = summary.recovery_as_json(found, carried_out=yes)
    code = ExitCode.NO if found.steps and not yes else ExitCode.YES
    return Finished(code=code, out="", err=""), answer


def broken(runtime: Runtime, content: bytes = b"{") -> bytes:
    """Break `state.json`; return what it held."""
    path = runtime.state_dir / "state.json"
    before = path.read_bytes()
    path.write_bytes(content)
    return before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\0" * 100, b'{"schema_version": 2}'],
    ids=["empty", "torn", "zeros", "version"],
)
def test_a_broken_state_is_rebuilt_as_it_was(used: Runtime, content: bytes) -> None:
    """First shown, then done: the new file is the lost one, the broken one is kept beside."""
    before = broken(used, content)
    files = used.files.contents()
    shown, answer = recover(used)
    assert (shown.code, answer["needed"], answer["carried_out"]) == (3, True, False)
    assert used.files.contents() == files
    done, answer = recover(used, "--yes")
    assert (done.code, answer["carried_out"], answer["lost"]) == (0, True, [])
    assert (used.state_dir / "state.json").read_bytes() == before
    assert (used.state_dir / "state.json.corrupt").read_bytes() == content
    assert (used.state_dir / "state.json.corrupt").stat().st_mode & 0o777 == 0o600
    done, answer = recover(used, "--yes")
    assert (done.code, answer["needed"]) == (0, False)
    assert used.run(*CASES).warnings == ()
    assert_chain_is_whole(used.state_dir)


def test_a_missing_state_is_rebuilt(used: Runtime) -> None:
    """Where there are cycles and no state, the state follows from them."""
    before = broken(used)
    (used.state_dir / "state.json").unlink()
    assert recover(used, "--yes")[0].code == 0
    assert (used.state_dir / "state.json").read_bytes() == before
    assert not (used.state_dir / "state.json.corrupt").exists()


def test_no_earlier_broken_file_is_overwritten(used: Runtime) -> None:
    """Each broken state is kept under a name of its own, the same one once."""
    for content in (b"first", b"second", b"first"):
        broken(used, content)
        recover(used, "--yes")
    kept = {path.name: path.read_bytes() for path in used.state_dir.glob("*.corrupt")}
    assert kept == {"state.json.corrupt": b"first", "state.json.2.corrupt": b"second"}


def test_a_rotated_log_is_read(used: Runtime) -> None:
    """Where the log was just rotated, its last line is the last cycle."""
    before = broken(used)
    log = used.state_dir / "runtime-events.jsonl"
    log.rename(used.state_dir / "runtime-events.jsonl.1")
    (used.state_dir / "state.json").unlink()
    broken_state = used.state_dir / "state.json"
    broken_state.write_bytes(b"{")
    assert recover(used, "--yes")[0].code == 0
    assert broken_state.read_bytes() == before


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Change a file's text, which must be another one then."""
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("kept/MEMORY.md", lambda text: text.replace("again", "other\\n")),
        ("kept/MEMORY.md", lambda text: text.replace("- Runs: 2", "- Runs: x")),
        ("kept/MEMORY.md", lambda text: text.replace("200", "201")),
        ("kept/MEMORY.md", lambda text: text.replace("policy: `{", "policy: `[")),
        ("with-policy/MEMORY.md", lambda text: text.replace('{"allow', '{"forbid')),
        ("with-policy/MEMORY.md", lambda text: text.replace('{"allow_network":true}', "7")),
        ("kept/MEMORY.md", lambda _: ""),
    ],
)
def test_a_command_that_is_not_shown_for_sure_is_lost(
    used: Runtime, name: str, change: Callable[[str], str]
) -> None:
    """Nothing is guessed: which command it is is said, and what to do; the others are rebuilt."""
    broken(used)
    edit(used.state_dir / STORE / name, change)
    command = name.partition("/")[0]
    done, answer = recover(used, "--yes")
    assert done.code == 0
    (lost,) = answer["lost"]
    assert lost.startswith(f"{command}: the command is lost")
    assert "register it anew" in lost
    names = {record["command_name"] for record in used.files.state()["commands"]}
    assert names == {"kept", "with-policy"} - {command}


def test_a_missing_channel_is_told_from_the_registry(used: Runtime) -> None:
    """A command whose folder is gone is known by the registry's own snapshot."""
    broken(used)
    for path in sorted((used.state_dir / STORE / "kept").iterdir()):
        path.unlink()
    (used.state_dir / STORE / "kept").rmdir()
    _, answer = recover(used)
    assert [loss[:40] for loss in answer["lost"]] == ["kept: the command is lost, since its cha"]


def test_lines_that_cannot_be_read_are_counted(used: Runtime) -> None:
    """Neither a channel's bad line nor the log's stops the rest from being rebuilt."""
    broken(used)
    for name in ("runtime-events.jsonl", f"{STORE}/gone/log.jsonl"):
        with (used.state_dir / name).open("ab") as log:
            log.write(b"{}\nnot JSON\n")
    done, answer = recover(used, "--yes")
    assert done.code == 0
    assert answer["lost"] == [
        "2 lines at the end of the event log cannot be read",
        "gone: 2 lines of its log cannot be read; their cases may be new again",
    ]
    assert used.run(*CASES).warnings != ()  # the break in the chain stays to be seen


def test_without_any_event_there_is_nothing_to_rebuild_from(used: Runtime) -> None:
    """Exit 5, and what to do instead; nothing is touched."""
    broken(used)
    (used.state_dir / "runtime-events.jsonl").write_bytes(b"not JSON\n")
    files = used.files.contents()
    done, _ = recover(used, "--yes")
    assert done.code == 5
    assert "put state.json back from a copy" in done.err
    assert used.files.contents() == files


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_channels_ahead_of_the_last_event_are_told(runtime: Runtime, kept: int) -> None:
    """Whoever gets the health of an older cycle is told, and by how much it is older."""
    for suffix in "abc":
        runtime.run(case_object("1", "CREATE", "greet"), case_suffix=suffix)
    log = runtime.state_dir / "runtime-events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[: kept + 1]))
    broken(runtime)
    lost = recover(runtime)[1]["lost"]
    if kept == 2:
        assert lost == []
    else:
        (loss,) = lost
        assert loss.startswith("2 lines of the channels, " if kept == 0 else "1 line of the ch")
        assert loss.endswith(
            f"of cycle {kept + 1}: health and the end of the chain are those of cycle {kept + 1}"
        )


def test_channels_without_any_event_are_nothing_to_rebuild_from(used: Runtime) -> None:
    """Exit 5 also where `state.json` is gone, too: entries mean that there were cycles."""
    (used.state_dir / "state.json").unlink()
    (used.state_dir / "runtime-events.jsonl").unlink()
    files = used.files.contents()
    for options in ((), ("--yes",)):
        done, _ = recover(used, *options)
        assert done.code == 5
        assert "put state.json back from a copy, or move the directory away" in done.err
        assert used.files.contents() == files


def test_an_executed_run_is_settled_whatever_came_of_it(used: Runtime) -> None:
    """A process that was started is not started again after a recovery either."""
    entry = used.files.entries("kept")[-1]
    entry["event_key"] = "RUN:kept:executed"
    entry["payload"] |= {"outcome": "retryable_failure", "status_code": 503}
    entry["payload"] |= {"error_code": "custom_command_backend_unavailable"}
    entry["payload"]["run_audit"] = {
        "executed": True,
        "command_line": "false",
        "exit_code": 1,
        "stdout": "",
        "stderr": "",
        "timed_out": False,
        "duration_ms": 1,
        "failure_reason": "non_zero_exit",
    }
    with (used.state_dir / STORE / "kept/log.jsonl").open("a") as log:
        log.write(json.dumps(entry) + "\n")
    broken(used)
    recover(used, "--yes")
    assert "RUN:kept:executed" in used.files.state()["processed_case_keys"]


def test_what_failed_last_is_tried_again(runtime: Runtime) -> None:
    """The last word on a case counts: drift and failures are failed keys, as they were."""
    cases = [
        case_object("a", "LIST", "", simulate_retryable_failure=True, expected=retryable()),
        case_object("b", "LIST", "", expected=malformed()),
        case_object("c"),
    ]
    runtime.run(*cases)
    runtime.run(*cases[1:], case_object("a", "LIST", ""))
    before = broken(runtime)
    assert recover(runtime, "--yes")[0].code == 0
    assert (runtime.state_dir / "state.json").read_bytes() == before
    assert runtime.files.state()["failed_case_keys"] == ["LIST::b"]


class TestTheJournal:
    """A committed cycle is completed; readers see it before that."""

    def commit(self, runtime: Runtime) -> bytes:
        """Leave a cycle committed and nothing of it done; return the state that follows."""
        files = runtime.files.contents()
        runtime.run(case_object("new", "CREATE", "late"))
        after = runtime.files.contents()
        state = (runtime.state_dir / "state.json").read_bytes()
        log = "runtime-events.jsonl"
        end = len(files[log])
        changes: list[Change] = [
            ReplaceFile(path=path, content=content)
            for path, content in after.items()
            if files.get(path) != content and path != log
        ]
        changes.append(AppendAt(path=log, offset=end, torn=b"", content=after[log][end:]))
        for path in after.keys() - files.keys():
            (runtime.state_dir / path).unlink()
        for path, content in files.items():
            (runtime.state_dir / path).write_bytes(content)
        (runtime.state_dir / ".journal").write_bytes(b"".join(encode(changes)))
        return state

    @pytest.mark.parametrize("content", [None, b"", b"{"], ids=["earlier", "empty", "broken"])
    def test_a_committed_cycle_is_completed(self, used: Runtime, content: bytes | None) -> None:
        """`recover` does what the next run would, also where a loss of power broke the state."""
        expected = self.commit(used)
        if content is not None:
            (used.state_dir / "state.json").write_bytes(content)
        shown, answer = recover(used)
        assert shown.code == 3
        assert answer["steps"] == ["complete the cycle that is committed to the journal"]
        done, _ = recover(used, "--yes")
        assert done.code == 0
        assert (used.state_dir / "state.json").read_bytes() == expected
        kept = used.state_dir / "state.json.corrupt"
        assert (kept.read_bytes() if kept.exists() else None) == (content or None)
        assert (used.state_dir / ".journal").read_bytes() == b""
        assert_chain_is_whole(used.state_dir)

    def test_a_state_that_was_put_back_meanwhile_is_kept(self, used: Runtime) -> None:
        """The committed cycle is what happened; what an operator put there is not thrown away."""
        state = used.state_dir / "state.json"
        older = state.read_bytes()
        used.run(case_object("x", "CREATE", "another"))
        expected = self.commit(used)
        state.write_bytes(older)
        done, _ = recover(used, "--yes")
        assert (done.code, state.read_bytes()) == (0, expected)
        assert (used.state_dir / "state.json.corrupt").read_bytes() == older

    def test_a_journal_that_is_older_than_the_state_is_refused(self, used: Runtime) -> None:
        """As in a copy that was made while a runner worked: its cycles would be undone."""
        self.commit(used)
        journal = used.state_dir / ".journal"
        stale = journal.read_bytes()
        used.run(case_object("y", "CREATE", "newest"))
        before = used.files.contents()
        journal.write_bytes(stale)
        for words in (("recover", "--yes"), ("run", used.folder / "fixture.json")):
            refused = Command(used.folder)(*words, "--state-dir", used.state_dir)
            assert refused.code == 5
            assert "copy the directory again, or move .journal away" in refused.err
        journal.write_bytes(b"")
        assert used.files.contents() == before

    def test_readers_see_what_is_committed(self, used: Runtime) -> None:
        """`registry` answers from the journal, and changes nothing."""
        self.commit(used)
        shown = Command(used.folder)("registry", "show", "late", "--state-dir", used.state_dir)
        assert shown.code == 0
        assert (used.state_dir / ".journal").read_bytes() != b""

    def test_the_next_run_completes_it_and_says_so(self, used: Runtime) -> None:
        """The operator is told that a cycle was cut off, and that it is complete."""
        self.commit(used)
        report = used.run(case_object("new", "CREATE", "late"))
        assert report.event.duplicate_skips == 1
        (warning,) = report.warnings
        assert "it has been completed" in warning

    def test_a_cycle_that_was_not_committed_never_was(self, used: Runtime) -> None:
        """What a kill leaves of a journal is dropped, and said."""
        self.commit(used)
        journal = used.state_dir / ".journal"
        journal.write_bytes(journal.read_bytes()[:-1])
        assert recover(used, "--yes")[1]["needed"] is False
        journal.write_bytes(b"garbage")
        report = used.run(case_object("new", "CREATE", "late"))
        assert report.event.applied_cases == 1
        assert "nothing of it remains" in report.warnings[0]

    def test_a_journal_of_a_newer_version_is_kept(self, used: Runtime) -> None:
        """It is neither run over nor thrown away: exit 5, and `recover` puts it aside."""
        journal = used.state_dir / ".journal"
        journal.write_bytes(b"tau-custom-command journal 2 batch\nsecret")
        refused = Command(used.folder)("registry", "list", "--state-dir", used.state_dir)
        assert refused.code == 5
        assert "recover --state-dir" in refused.err
        shown, answer = recover(used)
        assert (shown.code, ".journal.corrupt" in answer["steps"][0]) == (3, True)
        assert journal.read_bytes() != b""
        assert recover(used, "--yes")[0].code == 0
        kept = (used.state_dir / ".journal.corrupt").read_bytes()
        assert kept == b"tau-custom-command journal 2 batch\nsecret"
        assert used.run(*CASES).warnings == ()

    def test_a_journal_that_is_a_link_leads_nowhere(self, used: Runtime) -> None:
        """What it points at is not emptied."""
        victim = used.folder / "victim"
        victim.write_bytes(b"precious")
        (used.state_dir / ".journal").unlink()
        (used.state_dir / ".journal").symlink_to(victim)
        done = Command(used.folder)("recover", "--state-dir", used.state_dir, "--yes")
        assert victim.read_bytes() == b"precious"
        run = Command(used.folder)("run", "fixture.json", "--state-dir", used.state_dir)
        assert (done.code, run.code) == (0, 5)
        assert victim.read_bytes() == b"precious"

    def test_a_batch_that_was_rotated_away_is_completed_there(self, used: Runtime) -> None:
        """Where logrotate came between the crash and the next run, no line is doubled."""
        before = (used.state_dir / "runtime-events.jsonl").read_bytes()
        for cut in (5, 0):
            line = b'{"a":1}\n'
            change = AppendAt(
                path="runtime-events.jsonl", offset=len(before), torn=b"", content=line
            )
            (used.state_dir / ".journal").write_bytes(b"".join(encode([change])))
            (used.state_dir / "runtime-events.jsonl").unlink(missing_ok=True)
            rotated = used.state_dir / "runtime-events.jsonl.1"
            rotated.write_bytes(before + line[: len(line) - cut])
            recover(used, "--yes")
            assert rotated.read_bytes() == before + line
            assert not (used.state_dir / "runtime-events.jsonl").exists()


def test_json_for_programs(used: Runtime) -> None:
    """Exit 3 where there is something to recover, 0 when it is done."""
    broken(used)
    command = Command(used.folder)
    words = ("recover", "--json", "--state-dir")
    shown = command(*words, used.state_dir)
    assert (shown.code, shown.json()["needed"], shown.json()["carried_out"]) == (3, True, False)
    done = command(*words, used.state_dir, "--yes")
    assert (done.code, done.json()["carried_out"], done.json()["lost"]) == (0, True, [])


def test_text_for_people(used: Runtime) -> None:
    """What would be done, what is lost, and how to go on."""
    command = Command(used.folder)
    words = ("recover", "--state-dir", used.state_dir)
    assert command(*words).out == f"{used.state_dir}: nothing to recover\n"
    broken(used)
    (used.state_dir / STORE / "kept/MEMORY.md").write_bytes(b"")
    shown = command(*words).out.splitlines()
    assert [line.partition(": ")[0] for line in shown] == [
        "would",
        "would",
        "lost",
        str(used.state_dir),
    ]
    assert shown[-1].endswith("nothing was changed; --yes does it")
    assert command(*words, "--yes").out.endswith(f"{used.state_dir}: recovered\n")


def test_a_directory_that_is_not_there(command: Command) -> None:
    """No directory is made by looking for what is broken in it."""
    done = command("recover", "--state-dir", "none")
    assert (done.code, (command.folder / "none").exists()) == (5, False)
    assert "there is no such directory" in done.err


def test_a_directory_without_any_cycle(command: Command) -> None:
    """Nothing has happened there, so nothing is to be recovered."""
    (command.folder / "empty").mkdir()
    assert command("recover", "--state-dir", "empty").code == 0
