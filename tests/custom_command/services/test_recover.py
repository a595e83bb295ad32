"""`recover`: a state that is lost or broken comes back byte for byte, or nothing is changed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tau_custom_command.cli.answers import text as summary
from tau_custom_command.contract.writes import AppendAt, Change, ReplaceFile
from tau_custom_command.errors import CommandRuntimeError, ExitCode
from tau_custom_command.services import recover as recovery
from tau_custom_command.services.repair_channels import repair
from tau_custom_command.storage.journal import DONE_FILE, state_in
from tau_custom_command.storage.journal_format import NoteKind, encode, note
from tests.custom_command.cases import case_object, fixture_bytes, success
from tests.custom_command.running import Command, Finished, Json, Runtime
from tests.custom_command.scenarios import CASES, assert_chain_is_whole
from tests.custom_command.tracing import CHANGING, OPENING, needs_strace, run_words_traced

STORE = "channel-store/custom-command"
EVENTS = "runtime-events.jsonl"


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
    code = ExitCode.NO if found and not yes else ExitCode.YES
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
def test_a_broken_state_comes_back_as_it_was(used: Runtime, content: bytes) -> None:
    """First shown, then done: the new file is the lost one, the broken one is kept beside."""
    before = broken(used, content)
    files = used.files.contents()
    shown, answer = recover(used)
    assert (shown.code, answer["needed"], answer["carried_out"]) == (3, True, False)
    assert used.files.contents() == files
    done, answer = recover(used, "--yes")
    assert (done.code, answer["carried_out"]) == (0, True)
    assert (used.state_dir / "state.json").read_bytes() == before
    assert (used.state_dir / "state.json.corrupt").read_bytes() == content
    assert (used.state_dir / "state.json.corrupt").stat().st_mode & 0o777 == 0o600
    done, answer = recover(used, "--yes")
    assert (done.code, answer["needed"]) == (0, False)
    assert used.run(*CASES).warnings == ()
    assert_chain_is_whole(used.state_dir)


def test_a_missing_state_comes_back(used: Runtime) -> None:
    """Where there are cycles and no state, it is that after the last of them."""
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


def test_any_command_comes_back(runtime: Runtime) -> None:
    """Also one whose template no snapshot shows for sure, and keys that no channel has any more."""
    runtime.run(
        case_object("a", "CREATE", template="echo '`' \u00e9"), case_object("b", "LIST", "")
    )
    for log in runtime.state_dir.glob(f"{STORE}/*/log.jsonl"):
        log.unlink()
    before = broken(runtime)
    assert recover(runtime, "--yes")[0].code == 0
    assert (runtime.state_dir / "state.json").read_bytes() == before


def test_a_state_that_was_recovered_can_be_recovered_again(used: Runtime) -> None:
    """The recovery itself goes through the journal, which keeps its state too."""
    for _ in range(3):
        before = broken(used)
        assert recover(used, "--yes")[0].code == 0
        assert (used.state_dir / "state.json").read_bytes() == before


def test_the_repair_of_a_channel_keeps_the_state(used: Runtime) -> None:
    """Its own batches have none, so the one of the last cycle stays."""
    with (used.state_dir / STORE / "kept/log.jsonl").open("ab") as log:
        log.write(b"no entry\n")
    assert repair(used.state_dir, None, carry_out=True, wait_seconds=0) != ()
    assert not (used.state_dir / ".journal").exists()
    before = broken(used)
    assert recover(used, "--yes")[0].code == 0
    assert (used.state_dir / "state.json").read_bytes() == before


def test_lines_that_are_no_events_are_passed_over(used: Runtime) -> None:
    """What was spoilt behind the last event stays to be seen, and does not keep the state away."""
    before = broken(used)
    with (used.state_dir / EVENTS).open("ab") as log:
        log.write(b"{}\nnot JSON\n")
    assert recover(used, "--yes")[0].code == 0
    assert (used.state_dir / "state.json").read_bytes() == before
    assert used.run(*CASES).warnings != ()  # the break in the chain


def nothing_kept(used: Runtime) -> None:
    """As in a directory that was copied without its hidden files."""
    (used.state_dir / ".journal.done").unlink()


def torn(used: Runtime) -> None:
    """As a loss of power leaves a file."""
    os.truncate(used.state_dir / ".journal.done", 1_000)


def altered(used: Runtime) -> None:
    """One byte of the batch is another one."""
    kept = used.state_dir / ".journal.done"
    kept.write_bytes(kept.read_bytes().replace(b"again", b"agaIn"))


def of_a_newer_version(used: Runtime) -> None:
    """A form that this version does not know."""
    (used.state_dir / ".journal.done").write_bytes(b"tau-custom-command journal 2 batch\n")


def without_a_state(used: Runtime) -> None:
    """A whole batch, but of something else."""
    change = ReplaceFile(path="other.json", content=b"{}")
    (used.state_dir / ".journal.done").write_bytes(b"".join(encode([change])))


def with_a_state_of_another_form(used: Runtime) -> None:
    """A whole batch whose state this version does not read."""
    change = ReplaceFile(path="state.json", content=b'{"schema_version": 2}')
    (used.state_dir / ".journal.done").write_bytes(b"".join(encode([change])))


def of_another_directory(used: Runtime) -> None:
    """The batch of other cycles, of the same number."""
    other = Runtime(used.folder / "other")
    other.folder.mkdir()
    other.run(*CASES)
    other.run(*CASES)
    (other.state_dir / ".journal.done").rename(used.state_dir / ".journal.done")


def of_an_earlier_cycle(used: Runtime) -> None:
    """The log is a line ahead of what is kept, as where somebody put an older copy back."""
    kept = (used.state_dir / ".journal.done").read_bytes()
    used.run(case_object("newer"))
    (used.state_dir / ".journal.done").write_bytes(kept)


def of_a_later_cycle(used: Runtime) -> None:
    """The last event was removed."""
    lines = used.files.event_lines()
    (used.state_dir / EVENTS).write_bytes(b"".join(lines[:-1]))


def without_any_event(used: Runtime) -> None:
    """Nothing is left that the state could be held against."""
    (used.state_dir / EVENTS).write_bytes(b"not JSON\n")


def without_the_event_log(used: Runtime) -> None:
    """Entries of channels alone say that there were cycles."""
    (used.state_dir / EVENTS).unlink()


@pytest.mark.parametrize("is_missing", [True, False], ids=["lost", "broken"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (nothing_kept, "does not hold the last cycle whole"),
        (torn, "does not hold the last cycle whole"),
        (altered, "does not hold the last cycle whole"),
        (of_a_newer_version, "does not hold the last cycle whole"),
        (without_a_state, "does not hold the last cycle whole"),
        (with_a_state_of_another_form, "does not hold the last cycle whole"),
        (of_another_directory, "is of cycle 2, which is not the last one in runtime-events.jsonl"),
        (of_an_earlier_cycle, "is of cycle 2, which is not the last one in"),
        (of_a_later_cycle, "is of cycle 2, which is not the last one in"),
        (without_any_event, "is of cycle 2, which is not the last one in"),
        (without_the_event_log, "is of cycle 2, which is not the last one in"),
    ],
)
def test_a_state_that_is_not_that_of_the_last_cycle_is_refused(
    used: Runtime, spoil: Callable[[Runtime], None], said: str, *, is_missing: bool
) -> None:
    """Exit 5: which file, what is wrong with it, and the ways out, of which one always works."""
    spoil(used)
    broken(used)
    if is_missing:
        (used.state_dir / "state.json").unlink()
    files = used.files.contents()
    for options in ((), ("--yes",)):
        done, _ = recover(used, *options)
        assert done.code == 5
        assert done.err.startswith(f"{used.state_dir / '.journal.done'}: {said}")
        way_out = f"put state.json back from a copy, or move {used.state_dir} away to begin anew"
        assert done.err.endswith(way_out)
        assert used.files.contents() == files
    used.state_dir.rename(used.folder / "away")
    assert used.run(*CASES).event.cycle_number == 1


@pytest.mark.exhaustive
@needs_strace
@pytest.mark.parametrize("is_missing", [True, False], ids=["lost", "broken"])
def test_killed_at_any_call_the_next_recovery_completes_it(
    used: Runtime, tmp_path: Path, *, is_missing: bool
) -> None:
    """Wherever a recovery is killed, the state can still be had, whole."""
    expected = broken(used)
    if is_missing:
        (used.state_dir / "state.json").unlink()
    words = ["recover", "--yes", "--state-dir"]
    clean = shutil.copytree(used.state_dir, tmp_path / "clean")
    _, points = run_words_traced(clean, [*words, clean], calls=[*CHANGING, *OPENING])
    of_files = [point for point in points if "FOLDER" in point.label]
    for number, point in enumerate(of_files):
        folder = shutil.copytree(used.state_dir, tmp_path / str(number))
        inject = f"{point.name}:signal=SIGKILL:when={point.ordinal}"
        killed, _ = run_words_traced(folder, [*words, folder], calls=[point.name], inject=inject)
        assert killed.returncode == -9
        recovery.recover(folder, carry_out=True, wait_seconds=0)
        assert (folder / "state.json").read_bytes() == expected, point.label
        assert state_in(folder, DONE_FILE) == expected, point.label
        assert not (folder / ".journal").exists()
    assert len(of_files) > 10


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
        assert not (used.state_dir / ".journal").exists()
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

    @pytest.mark.parametrize("is_lost", [False, True])
    def test_a_journal_that_is_older_than_the_state_is_refused(
        self, used: Runtime, *, is_lost: bool
    ) -> None:
        """As in a copy that was made while a runner worked: its cycles would be undone.

        Also where the state is lost, since the journal of the last cycle has it.
        """
        self.commit(used)
        journal = used.state_dir / ".journal"
        stale = journal.read_bytes()
        used.run(case_object("y", "CREATE", "newest"))
        if is_lost:
            (used.state_dir / "state.json").unlink()
        before = used.files.contents()
        journal.write_bytes(stale)
        for words in (("recover", "--yes"), ("run", used.folder / "fixture.json")):
            refused = Command(used.folder)(*words, "--state-dir", used.state_dir)
            assert refused.code == 5
            assert "copy the directory again, or move .journal away" in refused.err
        journal.unlink()
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

    def test_a_journal_of_a_newer_version_beside_a_broken_state(self, used: Runtime) -> None:
        """What is shown is what is done: both are kept beside, and the state comes back."""
        before = broken(used)
        (used.state_dir / ".journal").write_bytes(b"tau-custom-command journal 2 batch\n")
        steps = recover(used)[1]["steps"]
        assert [step.partition(" ")[0] for step in steps] == ["keep", "keep", "write"]
        assert recover(used, "--yes")[1]["steps"] == steps
        assert (used.state_dir / "state.json").read_bytes() == before

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

    def test_notes_of_another_version_are_kept(self, used: Runtime) -> None:
        """Of a cycle that executed commands: exit 5 until `recover` has put them aside."""
        journal = used.state_dir / ".journal"
        noted = note(NoteKind.BEGAN, b'["another form"]')
        journal.write_bytes(noted)
        fixture = used.folder / "one.json"
        fixture.write_bytes(fixture_bytes(case_object("late")))
        refused = Command(used.folder)("run", fixture, "--state-dir", used.state_dir)
        assert (refused.code, "recover --state-dir" in refused.err) == (5, True), refused
        steps = recover(used)[1]["steps"]
        assert [".journal.corrupt" in step for step in steps] == [True]
        assert recover(used, "--yes")[1]["steps"] == steps
        assert (used.state_dir / ".journal.corrupt").read_bytes() == noted
        assert used.run(*CASES).warnings == ()

    def test_a_journal_that_is_a_link_leads_nowhere(self, used: Runtime) -> None:
        """What it points at is not emptied."""
        victim = used.folder / "victim"
        victim.write_bytes(b"precious")
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
    assert (done.code, done.json()["carried_out"]) == (0, True)


def test_text_for_people(used: Runtime) -> None:
    """What would be done, and how to go on."""
    command = Command(used.folder)
    words = ("recover", "--state-dir", used.state_dir)
    assert command(*words).out == f"{used.state_dir}: nothing to recover\n"
    broken(used)
    shown = command(*words).out.splitlines()
    assert [line.partition(": ")[0] for line in shown] == [
        "would",
        "would",
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
