"""Execute mode: RUNs really run, in order or side by side, and no crash loses or repeats one.

The rules are the runbook's (custom-command-ops.md, "Running commands for real").
"""

import json
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from tau_custom_command.cycle.notes import Settled
from tau_custom_command.storage import journal
from tau_custom_command.storage.journal_format import NoteKind
from tests.custom_command.cases import case_object, retryable, success
from tests.custom_command.executing import (
    EXECUTE,
    RUN,
    UNCONFINED,
    create,
    execute,
    payloads,
    run,
    write,
)
from tests.custom_command.execution.sandboxes import needs_bubblewrap
from tests.custom_command.running import Command, Json, StateFiles
from tests.custom_command.tracing import needs_strace, run_traced

KILLS = int(os.environ.get("TAU_TEST_KILLS", "8"))
"""How often a run is killed at a random moment; 200 where there is time."""

MARKS = "sh -c 'echo $0 >> marks; sleep $1; echo $0 >> ends' {{name}} {{seconds}}"
"""Leaves a line when it starts, and one when it ends, in the folder of the runtime."""


def test_a_run_runs_and_its_record_tells(command: Command) -> None:
    """What it was started with, what it wrote, how it ended; and it counts as executed."""
    ended = execute(
        command,
        create("a", "sh -c 'echo $0; echo $1 >&2; pwd' {{one}} {{two}}"),
        run("1", "a", arguments={"one": "x y; z", "two": "$HOME"}),
    )
    assert ended.code == 0, ended
    said = ended.json()
    assert (said["executed_runs"], said["run_mode"]) == (1, "execute")
    audit = payloads(command.folder, "a")[-1]["run_audit"]
    assert audit.pop("duration_ms") >= 0
    assert audit == {
        "executed": True,
        "command_line": "sh -c 'echo $0; echo $1 >&2; pwd' 'x y; z' '$HOME'",
        "exit_code": 0,
        "stdout": f"x y; z\n{command.folder}\n",
        "stderr": "$HOME\n",
        "timed_out": False,
        "failure_reason": None,
        "working_directory": str(command.folder),
    }
    (record,) = StateFiles(command.folder / "state").state()["commands"]
    assert (record["last_exit_code"], record["last_stdout"]) == (0, audit["stdout"])
    assert (record["run_count"], record["last_command_line"]) == (1, audit["command_line"])


@pytest.mark.parametrize(
    ("template", "reason", "status", "counter"),
    [
        ("false", "non_zero_exit", 503, "run_non_zero_exit_failures"),
        ("sleep 60", "timeout", 503, "run_timeout_failures"),
        ("no-such-program", "executable_not_found", 422, "run_spawn_failures"),
        ("echo {{missing}}", "invalid_template", 422, None),
    ],
)
def test_how_it_fails(
    command: Command, template: str, reason: str, status: int, counter: str | None
) -> None:
    """Each failure has its status, its reason and its counter; the record stays but for a start."""
    ended = execute(
        command, create("a", template), run("1", "a"), options=("--run-timeout-ms=100",)
    )
    assert ended.code == 3
    payload = payloads(command.folder, "a")[-1]
    assert (payload["status_code"], payload["run_audit"]["failure_reason"]) == (status, reason)
    assert payload["drift"]["observed"]["response_body"]["reason"] == reason
    said = ended.json()
    failures = {name: said[name] for name in said if re.match(r"run_.*_failures", name)}
    assert failures == dict.fromkeys(failures, 0) | ({counter: 1} if counter else {})
    assert said["executed_runs"] == payload["run_audit"]["executed"] == (status == 503)


def test_a_run_that_was_started_is_settled_for_good(command: Command) -> None:
    """Whatever came of it: later cycles skip it, but for --rerun; what never started is tried."""
    cases = (
        create("bad", "false"),
        create("none", "no-such-program"),
        run("1", "bad"),
        run("2", "none"),
    )
    assert execute(command, *cases).json()["failed_cases"] == 2
    again = execute(command, *cases).json()
    assert (again["failed_cases"], again["duplicate_skips"]) == (1, 3)
    once_more = execute(command, *cases, options=("--rerun", "RUN:bad:1")).json()
    assert (once_more["executed_runs"], once_more["failed_cases"]) == (1, 2)
    assert execute(command, *cases).json()["executed_runs"] == 0
    state = StateFiles(command.folder / "state").state()
    assert state["executed_run_keys"] == ["RUN:bad:1"]
    assert state["failed_case_keys"] == ["RUN:none:2"]


@needs_strace
def test_that_a_process_starts_is_on_the_disk_before_it_does(tmp_path: Path) -> None:
    """No kill tells that, only a loss of power: the journal is synced before each process."""
    folder = tmp_path / "run"
    folder.mkdir()
    write(folder, create("a", "true"), run("1", "a"), run("2", "a"))
    done, calls = run_traced(folder, *EXECUTE, *UNCONFINED, calls=["fsync", "execve"])
    assert done.returncode == 0, done
    labels = [call.label for call in calls]
    starts = [place for place, label in enumerate(labels) if label.endswith('/true"')]
    synced = [place for place, label in enumerate(labels) if label.endswith("/state/.journal")]
    first, second = starts
    assert any(place < first for place in synced)
    assert any(first < place < second for place in synced)


def test_runs_that_were_only_recorded_are_told_of(command: Command) -> None:
    """They count as done: else a cycle that starts nothing would look like one that ran them."""
    write(command.folder, create("a", "true"), run("1", "a"), run("2", "a"))
    recorded = command("run", "fixture.json", "--state-dir", "state", *UNCONFINED)
    assert (recorded.code, recorded.err) == (0, "")
    passed_over = command(*RUN)
    assert passed_over.code == 0
    assert "2 RUNs were recorded by an earlier cycle, and never run" in passed_over.err
    assert "never run" not in command(*RUN, "--fresh").err
    write(command.folder, create("b", "true"), run("1", "b"))
    command("run", "fixture.json", "--state-dir", "state", *UNCONFINED)
    assert "1 RUN was recorded" in command(*RUN).err


def test_a_rerun_of_what_the_fixture_has_not_is_refused(command: Command) -> None:
    """A slip is told, and no key is forgotten: its own fixture would run that RUN unasked."""
    cases = create("a", "true"), run("1", "a")
    assert execute(command, *cases).code == 0
    before = (command.folder / "state/state.json").read_bytes()
    other = create("b", "true"), run("2", "b")
    refused = execute(command, *other, options=("--rerun", "RUN:a:1"))
    assert (refused.code, "no case has the key 'RUN:a:1'" in refused.err) == (5, True)
    assert (command.folder / "state/state.json").read_bytes() == before
    assert execute(command, *cases).json()["executed_runs"] == 0


@pytest.mark.parametrize("options", [(), ("--run-mode", "execute", "--fresh")])
def test_a_rerun_where_nothing_is_run_once_more_is_wrong_usage(
    command: Command, options: tuple[str, ...]
) -> None:
    """Record mode would take the RUN for one that never ran; a fresh cycle has keys of its own."""
    write(command.folder, create("a", "true"), run("1", "a"))
    assert command("run", "fixture.json", *options, "--rerun", "RUN:a:1").code == 2


def test_a_fresh_cycle_leaves_no_keys(command: Command) -> None:
    """Its keys end with its number, so nothing could have them again."""
    for _ in range(2):
        fresh = execute(command, create("a", "true"), run("1", "a"), options=("--fresh",))
        assert fresh.json()["executed_runs"] == 1
    assert "executed_run_keys" not in StateFiles(command.folder / "state").state()


def test_a_failure_is_tried_again_only_where_it_is_asked(command: Command) -> None:
    """Each attempt is in the channel's log; the last one counts."""
    flaky = create("a", "sh -c 'echo x >> tries; test $(wc -l < tries) -gt 2'")
    assert execute(command, flaky, run("1", "a")).code == 3
    (command.folder / "tries").unlink()
    ended = execute(command, run("2", "a"), options=("--retry-max-attempts=5",))
    assert ended.code == 0
    said = ended.json()
    assert (said["executed_runs"], said["retry_attempts"], said["retryable_failures"]) == (3, 2, 2)
    outcomes = [payload["outcome"] for payload in payloads(command.folder, "a")[-3:]]
    assert outcomes == ["retryable_failure", "retryable_failure", "success"]


def test_what_is_tried_until_it_holds_counts_once(command: Command) -> None:
    """The last attempt alone; each is in the channel's log. Only a command that reads may be."""
    template = "sh -c 'echo x >> tries; wc -l < tries'"
    spec = {"name": "a", "template": template, "read_only": True}
    until = {"attempts": 9, "every_ms": 1}
    expected = {"outcome": "success", "status_code": 200, "stdout": {"contains": "3"}}
    case = run("1", "a", retry_until=until, expected=expected)
    ended = execute(command, create("a", template) | {"command_spec": spec}, case)
    assert ended.code == 0, ended
    said = ended.json()
    assert (said["executed_runs"], said["failed_cases"], said["retryable_failures"]) == (3, 0, 0)
    assert len(payloads(command.folder, "a")) == 4
    refused = execute(command, create("b", template), run("1", "b", retry_until=until))
    assert payloads(command.folder, "b")[-1]["run_audit"]["failure_reason"] == "policy_denied"
    assert refused.code == 3


def test_commands_run_side_by_side(command: Command) -> None:
    """Two that wait for each other come to their ends, where two may run."""
    meet = "sh -c 'mkfifo -m 600 $0 2>/dev/null; echo x > $0' {{pipe}}"
    take = "sh -c 'mkfifo -m 600 $0 2>/dev/null; cat $0' {{pipe}}"
    os.mkfifo(command.folder / "pipe")
    arguments = {"pipe": "pipe"}
    ended = execute(
        command,
        create("a", meet),
        create("b", take),
        run("1", "a", arguments=arguments),
        run("2", "b", arguments=arguments),
        options=("--max-parallel=2", "--run-timeout-ms=10000"),
    )
    assert ended.code == 0, ended


def files_of(folder: Path) -> Json:
    """Return the state files of a folder, without times and what follows from them."""
    varying = re.compile(
        rb'("(?:timestamp_unix_ms|updated_unix_ms|duration_ms|cycle_duration_ms|last_duration_ms)"'
        rb'\s*:\s*)\d+|"(?:cycle_id|previous_sha256|event_sha256)"\s*:\s*(?:"[^"]*"|null)'
        rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|after \d+ ms"
    )
    return {
        str(path.relative_to(folder)): varying.sub(rb"\1", path.read_bytes())
        for path in sorted((folder / "state").rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def fixture_by_chance(chance: random.Random) -> list[Json]:
    """Return cases of a few commands, in any order, that end in any way."""
    names = ["a", "b", "c"]
    templates = ["echo {{n}}", "false", "sh -c 'sleep 0.0$0; echo $0' {{n}}", "none {{n}}"]
    cases = [create(name, chance.choice(templates)) for name in names]
    for number in range(chance.randrange(4, 12)):
        name, case_id = chance.choice(names), f"{number + 1:02}"
        kind = chance.choice(["RUN"] * 6 + ["LIST", "DELETE", "UPDATE"])
        if kind == "RUN":
            cases.append(run(case_id, name, arguments={"n": chance.randrange(9)}))
        elif kind == "LIST":
            cases.append(case_object(case_id, "LIST", ""))
        else:
            changes = {"template": "echo {{n}}"} if kind == "UPDATE" else {}
            cases.append(case_object(case_id, kind, name, **changes))
    return cases


@pytest.mark.parametrize("seed", range(8))
def test_the_files_are_the_same_however_many_run_at_once(tmp_path: Path, seed: int) -> None:
    """But for times and durations."""
    cases = fixture_by_chance(random.Random(seed))  # noqa: S311 - to be had again
    found = []
    for parallel in ("1", "8"):
        command = Command(tmp_path)
        ended = execute(command, *cases, options=("--max-parallel", parallel))
        assert ended.code in {0, 3}, ended
        found.append(files_of(tmp_path))
        tmp_path.joinpath("state").rename(tmp_path / f"state-{parallel}")
    assert found[0] == found[1]


def parallel_fixture(folder: Path, seconds: str) -> list[str]:
    """Write a fixture of eight commands that run twice each; return the keys of the RUNs."""
    names = [f"c{number}" for number in range(8)]
    arguments = [{"name": f"{name}-{turn}", "seconds": seconds} for turn in "12" for name in names]
    runs = [
        run(f"{number:02}", each["name"][:2], arguments=each)
        for number, each in enumerate(arguments, 1)
    ]
    write(folder, *(create(name, MARKS) for name in names), *runs)
    return [f"RUN:{each['command_name']}:{each['case_id']}" for each in runs]


def events(folder: Path) -> list[Json]:
    """Return the lines of the event log, which must be chained."""
    raw = folder.joinpath("state/runtime-events.jsonl").read_bytes().splitlines()
    lines = [json.loads(line) for line in raw]
    digests = [None, *(sha256(line).hexdigest() for line in raw)]
    assert [line["previous_sha256"] for line in lines] == digests[:-1]
    assert [line["cycle_number"] for line in lines] == list(range(1, len(lines) + 1))
    return lines


def entries_of_runs(folder: Path) -> Iterator[tuple[str, Json]]:
    """Yield the keys of all RUNs in the channels' logs, each with its payload."""
    for log in folder.glob("state/channel-store/custom-command/c*/log.jsonl"):
        for line in map(json.loads, log.read_text().splitlines()):
            if line["payload"]["operation"] == "run":
                yield line["event_key"], line["payload"]


def killed(command: Command, *options: str, moment: float, begun: Callable[[], object]) -> None:
    """Run the fixture, and kill the runtime so long after something has begun."""
    with command.start(*RUN, *options) as process:
        while not begun() and process.poll() is None:
            time.sleep(0.02)  # less, and looking takes a core from what is looked at
        time.sleep(moment)
        process.kill()


def settled_in_the_journal(folder: Path) -> set[str]:
    """Return the keys of the cases that are noted as settled, and not written elsewhere yet."""
    with journal.opened(folder / "state") as found:
        settled = [raw for kind, raw in found.notes() if kind is NoteKind.SETTLED]
    return {msgspec.json.decode(raw, type=Settled).settlement.case.key for raw in settled}


@pytest.mark.unmeasured
def test_no_kill_loses_or_repeats_a_run(tmp_path: Path) -> None:
    """Killed at any moment during parallel runs: what finished stands, what started is told."""
    options = ("--max-parallel", "8")
    chance = random.Random()  # noqa: S311 - any moment will do
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        keys = parallel_fixture(folder, "0.05")
        command = Command(folder)
        moment, is_in_the_middle = chance.uniform(0, 0.3), number % 4
        begun = partial(marks, folder, "marks") if is_in_the_middle else lambda: True
        killed(command, *options, moment=moment, begun=begun)
        time.sleep(0.1)  # unconfined commands outlive the runtime; each is done by then
        before, settled = Counter(marks(folder, "marks")), settled_in_the_journal(folder)
        ended = command(*RUN, *options)
        assert ended.code in {0, 3}, ended
        told = outcomes_of_runs(folder, keys)
        assert {told[key] for key in settled & set(keys)} <= {"success"}, "what finished stands"
        after = Counter(marks(folder, "marks"))
        assert set(after.values()) <= {1}, "none is started twice"
        assert before <= after


@needs_bubblewrap
@pytest.mark.unmeasured
def test_no_confined_process_outlives_a_kill(tmp_path: Path) -> None:
    """Killed at any moment during parallel runs: nothing of them is left, and each is told."""
    options = ("--max-parallel", "8", "--policy-sandbox-profile", "restricted")
    chance = random.Random()  # noqa: S311 - any moment will do
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        mark = f"0.0000{os.getpid()}{number:04}"
        names = [f"c{each}" for each in range(8)]
        runs = [
            run(f"{turn}{name}", name, arguments={"mark": mark}) for turn in "12" for name in names
        ]
        policy = {"sandbox_profile": "restricted"}
        creates = (create(name, "sleep 0.05 {{mark}}", **policy) for name in names)
        write(folder, *creates, *runs)
        command = Command(folder)
        killed(command, *options, moment=chance.uniform(0, 0.2), begun=partial(processes, mark))
        for _ in range(2_000):  # one that is killed may still wait in the kernel, for a disk, say
            if not processes(mark):
                break
            time.sleep(0.01)
        assert not processes(mark)
        ended = command(*RUN, *options)
        assert ended.code in {0, 3}, ended
        keys = [f"RUN:{each['command_name']}:{each['case_id']}" for each in runs]
        outcomes_of_runs(folder, keys)


def processes(mark: str) -> list[str]:
    """Return the processes whose words have a mark."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if mark.encode() in each.read_bytes():
                found.append(each.parent.name)
    return found


def outcomes_of_runs(folder: Path, keys: list[str]) -> dict[str, str]:
    """Return how each RUN ended after a kill and another cycle: each has one entry, and once."""
    entries = list(entries_of_runs(folder))
    assert sorted(key for key, _ in entries) == sorted(keys), "each RUN has one entry"
    found = {}
    for key, entry in entries:
        is_cut_off = entry["run_audit"]["failure_reason"] == "interrupted"
        assert is_cut_off or entry["outcome"] == "success"
        found[key] = "interrupted" if is_cut_off else "success"
    interrupted = list(found.values()).count("interrupted")
    assert interrupted <= 8, "no more than ran at once"
    is_recovered = [event["recovered"] for event in events(folder)]
    assert is_recovered in ([False], [False, False], [True, False])
    assert not interrupted or is_recovered[0]
    assert sum(event["executed_runs"] for event in events(folder)) == len(keys)
    return found


def test_where_nothing_can_be_written_no_attempt_is_waited_for(command: Command) -> None:
    """Also the pause before the next attempt ends, so that the directory is free at once."""
    large = "sh -c 'sleep 0.3; rm state/.lock; head -c 20000 /dev/zero'"
    policy = {"sandbox_profile": "unrestricted"}
    spec = {"template": "false", "read_only": True, "execution_policy": policy}
    began = time.monotonic()
    ended = execute(
        command,
        case_object("0-a", "CREATE", "a", template="false", command_spec=spec),
        create("b", large),
        run("1", "a", retry_until={"attempts": 2, "every_ms": 60_000}),
        run("2", "b"),
        options=("--max-parallel", "2"),
    )
    assert (ended.code, "the lock is lost" in ended.err) == (5, True), ended
    assert time.monotonic() - began < 30


def test_a_signal_ends_the_pause_of_a_simulated_failure(command: Command) -> None:
    """As it ends all that is no process: nothing is left to wait for."""
    expected = retryable()
    write(
        command.folder,
        case_object("0", "LIST", simulate_retryable_failure=True, expected=expected),
        create("a", "true"),
        run("1", "a"),
    )
    pausing = ("--retry-max-attempts", "2", "--retry-base-delay-ms", "60000")
    journal = command.folder / "state/.journal"
    with command.start(*RUN, *pausing) as process:
        while not (journal.exists() and journal.stat().st_size):
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        assert process.wait(45) == 128 + signal.SIGTERM  # and not after the minute


def test_recover_closes_what_was_cut_off(command: Command) -> None:
    """Also where `state.json` is gone: it is put back first. Without --yes it only says so."""
    assert execute(command, create("b", "true"), run("1", "b")).code == 0
    write(command.folder, create("a", MARKS), run("2", "a", arguments={"name": 1, "seconds": 1}))
    with command.start(*RUN) as process:
        while not marks(command.folder, "marks"):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    (command.folder / "state/state.json").unlink()
    shown = command("recover", "--state-dir", "state")
    assert (shown.code, "close the cycle that was cut off" in shown.out) == (3, True)
    done = command("recover", "--state-dir", "state", "--yes")
    assert (done.code, "--rerun RUN:a:2" in done.out) == (0, True), done
    assert [event["recovered"] for event in events(command.folder)] == [False, True]
    assert payloads(command.folder, "a")[-1]["run_audit"]["failure_reason"] == "interrupted"
    assert command("recover", "--state-dir", "state").out == "state: nothing to recover\n"


def test_a_fresh_cycle_that_was_cut_off_is_told_to_be_run_afresh(command: Command) -> None:
    """Its keys are kept by nobody, so that none is told to be run once more."""
    write(command.folder, create("a", MARKS), run("2", "a", arguments={"name": 1, "seconds": 9}))
    with command.start(*RUN, "--fresh") as process:
        while not marks(command.folder, "marks"):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    done = command("recover", "--state-dir", "state", "--yes")
    assert (done.code, "1 RUN interrupted, and run again only with --fresh" in done.out) == (
        0,
        True,
    )


def test_a_cycle_is_closed_also_where_its_command_is_registered_no_more(command: Command) -> None:
    """As after an older state was put back since the kill: its channel has what ran."""
    assert execute(command, create("b", "true")).code == 0
    older = (command.folder / "state/state.json").read_bytes()
    assert execute(command, create("a", MARKS)).code == 0
    write(command.folder, run("2", "a", arguments={"name": 1, "seconds": 1}))
    with command.start(*RUN) as process:
        while not marks(command.folder, "marks"):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    (command.folder / "state/state.json").write_bytes(older)
    done = command("recover", "--state-dir", "state", "--yes")
    assert (done.code, "1 RUN interrupted" in done.out) == (0, True), done
    state = StateFiles(command.folder / "state").state()
    assert [record["command_name"] for record in state["commands"]] == ["b"]
    assert state["executed_run_keys"] == ["RUN:a:2"]
    assert payloads(command.folder, "a")[-1]["run_audit"]["failure_reason"] == "interrupted"


@pytest.mark.parametrize("damage", ["", "no entry", "compressed"])
def test_a_state_that_was_put_back_runs_nothing_again(command: Command, damage: str) -> None:
    """What was executed since is known from the channels; where it is not, that has to be taken."""
    folder, state = command.folder, command.folder / "state/state.json"
    assert execute(command, create("a", MARKS)).code == 0
    older = state.read_bytes()
    cases = [run(f"{n}", "a", arguments={"name": n, "seconds": 0}) for n in range(1, 4)]
    assert execute(command, *cases, options=("--max-channel-log-bytes=1",)).code == 0
    assert execute(command, run("4", "a", arguments={"name": 4, "seconds": 0})).code == 0
    state.write_bytes(older)
    channel = folder / "state/channel-store/custom-command/a"
    if damage == "no entry":
        with (channel / "log.jsonl").open("a") as log:
            log.write("{}\n")
    if damage == "compressed":
        (channel / "log.jsonl.1").rename(channel / "log.jsonl.1.gz")
    ended = execute(command, *cases)
    if damage:
        assert (ended.code, "--accept-lost-keys" in ended.err) == (5, True), ended
        ended = execute(command, *cases, options=("--accept-lost-keys",))
    assert ended.code == 0, ended
    assert ended.json()["executed_runs"] == (3 if damage else 0)
    assert len(marks(folder, "marks")) == 4 + ended.json()["executed_runs"]
    if not damage:
        keys = StateFiles(folder / "state").state()["executed_run_keys"]
        assert keys == [f"RUN:a:{n}" for n in range(1, 5)]


def marks(folder: Path, name: str) -> list[str]:
    """Return the lines that the commands have left."""
    path = folder / name
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_wish_to_stop_lets_what_runs_finish(command: Command, number: signal.Signals) -> None:
    """No other case starts; those that did not are neither failed nor counted, and come next."""
    keys = parallel_fixture(command.folder, "0.5")
    with command.start(*RUN, "--max-parallel", "3") as process:
        while len(marks(command.folder, "marks")) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    said = json.loads(out)
    assert (said["executed_runs"], said["failed_cases"], said["discovered_cases"]) == (3, 0, 11)
    assert len(marks(command.folder, "ends")) == 3
    after = command(*RUN)
    assert (after.code, after.json()["executed_runs"]) == (0, len(keys) - 3)


@pytest.mark.parametrize("how", ["twice", "timeout"])
def test_what_does_not_finish_in_time_is_interrupted(command: Command, how: str) -> None:
    """After --stop-timeout, or at a second signal: ended, recorded so, and not run again."""
    write(command.folder, create("a", MARKS), run("1", "a", arguments={"name": 1, "seconds": 60}))
    patience = ("--stop-timeout", "60s" if how == "twice" else "10ms")
    with command.start(*RUN, *patience) as process:
        while not marks(command.folder, "marks"):
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        if how == "twice":
            time.sleep(0.1)
            process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    (entry,) = payloads(command.folder, "a")[1:]
    assert entry["run_audit"]["failure_reason"] == "interrupted"
    assert command(*RUN).json()["duplicate_skips"] == 2


@needs_bubblewrap
def test_rollouts_are_hidden_from_what_may_write_beside_them() -> None:
    """The folder .tau, and what --hide names, are there, and empty; the rest can be written."""
    with tempfile.TemporaryDirectory(dir="/srv") as name:
        folder = Path(name)
        folder.chmod(0o777)
        for place in (".tau/rollout/custom-command", "elsewhere/rollout"):
            (folder / place).mkdir(parents=True)
            (folder / place / "rollout.json").write_text("{}")
        template = "sh -c 'find . -type f | sort; touch written' -"
        policy = {"allow_shell": True, "sandbox_profile": "workspace_write"}
        write(
            folder,
            case_object("0", "CREATE", "a", template=template, execution_policy=policy),
            run("1", "a"),
        )
        options = ("--policy-sandbox-profile", "workspace_write", "--policy-allow-shell")
        ended = Command(folder)(
            *("run", "fixture.json", *EXECUTE, *options),
            *("--workspace", name, "--hide", "elsewhere/rollout"),
        )
        assert ended.code == 0, ended
        log = folder / ".tau/custom-command/channel-store/custom-command/a/log.jsonl"
        audit = json.loads(log.read_text().splitlines()[-1])["payload"]["run_audit"]
        assert audit["stdout"] == "./fixture.json\n"
        assert (folder / "written").exists()


@pytest.mark.parametrize(
    ("option", "most"),
    [
        ("--run-as", 2**32 - 2),
        ("--max-memory-bytes", 2**63 - 1),
        ("--max-file-bytes", 2**63 - 1),
        ("--max-cpu-seconds", 10**9),
        ("--max-processes", 2**63 - 1),
        ("--scratch-bytes", 2**63 - 1),
    ],
)
def test_no_number_is_more_than_the_kernel_takes(command: Command, option: str, most: int) -> None:
    """The largest one does, where nothing confines and where something does; another is usage."""
    cases = (create("a", "true"), run("1", "a"))
    ended = execute(command, *cases, options=(option, str(most)))
    assert ended.code == 0, ended
    for profile in ("restricted", "unrestricted"):
        options = (option, str(most + 1), "--policy-sandbox-profile", profile)
        ended = execute(command, *cases, options=("--fresh", *options))
        assert (ended.code, "is not in the range" in ended.err) == (2, True), ended
    if shutil.which("bwrap") and option != "--run-as":  # that user need not exist in a container
        ended = execute(
            command,
            *(create("b", "true", sandbox_profile="restricted"), run("2", "b")),
            options=(option, str(most), "--policy-sandbox-profile", "restricted"),
        )
        assert ended.code == 0, ended


def test_the_longest_time_to_stop(command: Command) -> None:
    """A hundred years can be waited for: the command may finish."""
    write(command.folder, create("a", MARKS), run("1", "a", arguments={"name": 1, "seconds": 1}))
    with command.start(*RUN, "--stop-timeout", "36500d") as process:
        while not marks(command.folder, "marks"):
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert payloads(command.folder, "a")[-1]["outcome"] == "success"


@needs_bubblewrap
@pytest.mark.parametrize("here", ["workspace", "."])
def test_no_command_makes_what_is_hidden(here: str) -> None:
    """A state of its own making, with approvals, would be the one of the next run there."""
    with tempfile.TemporaryDirectory(dir="/srv") as name:
        folder = Path(name)
        folder.chmod(0o755)
        workspace = folder / "workspace"
        workspace.mkdir()
        workspace.chmod(0o777)
        template = (
            "sh -c 'touch written; mkdir -p .tau/x rollouts/a/x; mv .tau y; rmdir rollouts/a'"
        )
        policy = {"allow_shell": True, "sandbox_profile": "workspace_write"}
        started = folder / here
        write(
            started,
            case_object("0", "CREATE", "a", template=template, execution_policy=policy),
            run("1", "a", expected=success("RUN", exit_code=1)),
        )
        options = ("--policy-sandbox-profile", "workspace_write", "--policy-allow-shell")
        hidden = workspace / "rollouts/a"
        ended = Command(started)(
            *("run", "fixture.json", "--state-dir", f"{folder}/state", *EXECUTE, *options),
            *("--workspace", str(workspace), "--hide", str(hidden)),
        )
        assert ended.code == 0, ended
        assert (workspace / "written").exists()
        for path in (workspace / ".tau", hidden):
            assert (path.stat().st_uid, *path.iterdir()) == (os.geteuid(),)


@needs_bubblewrap
def test_no_argument_ends_the_shell_that_starts_a_command(command: Command) -> None:
    """Its names are read by shells themselves: they fill placeholders, and are no variables."""
    given = {"OPTIND": "abc", "TMOUT": "1", "BASH_COMPAT": "99"}
    ended = execute(
        command,
        create("a", "echo {{OPTIND}} {{TMOUT}} {{BASH_COMPAT}}", sandbox_profile="restricted"),
        run("1", "a", arguments=given, expected=success("RUN", stdout={"equals": "abc 1 99"})),
        options=("--policy-sandbox-profile", "restricted"),
    )
    assert ended.code == 0, ended


@needs_bubblewrap
def test_no_workspace_is_made_of_a_slip(command: Command) -> None:
    """One that is not there is refused, and not there afterwards."""
    policy = {"sandbox_profile": "workspace_write"}
    write(command.folder, create("a", "true", **policy), run("1", "a"))
    options = ("--policy-sandbox-profile", "workspace_write", "--workspace", "slip")
    told = command(*RUN[: -len(UNCONFINED)], *options, "--policy-allow-shell")
    assert (told.code, "slip is not there; make the folder" in told.err) == (3, True), told
    assert not (command.folder / "slip").exists()


def test_what_is_approved_in_the_workspace_runs_alone_there() -> None:
    """Else a command beside it could replace it between the last look at it and its start."""
    with tempfile.TemporaryDirectory(dir="/srv") as name:
        folder, workspace = Path(name), Path(name) / "workspace"
        folder.chmod(0o755)
        workspace.mkdir()
        workspace.chmod(0o777)
        tool = workspace / "tool"
        tool.write_text("#!/bin/sh\nsleep 0.2; ls | grep busy || echo alone\n")
        tool.chmod(0o755)
        (folder / "link").symlink_to(tool)
        slow, rest = "do sleep 0.05; done;", "sleep 0.5; rm"
        templates = {
            "tool": str(tool),
            "link": f"{folder}/link",
            "named": f"sh {tool}",
            "slow-1": f"sh -c 'touch 1; until test -e 2; {slow} touch busy-1; {rest} busy-1'",
            "slow-2": f"sh -c 'touch 2; until test -e 1; {slow} touch busy-2; {rest} busy-2'",
        }
        policy = {"allow_shell": True, "sandbox_profile": "workspace_write"}
        write(
            folder,
            *(
                case_object(f"0-{each}", "CREATE", each, template=text, execution_policy=policy)
                for each, text in templates.items()
            ),
        )
        command = Command(folder)
        profile = ("--policy-sandbox-profile", "workspace_write")
        where = ("--state-dir", "state", "--workspace", str(workspace), *profile)
        how = ("run", "fixture.json", "--run-mode", "execute", "--policy-allow-shell", *where)
        assert command(*how).code == 0
        for each in templates:
            assert command("approve", each, "--by", "alice", *where).code == 0
        both = [run(f"1-{number}", f"slow-{number}") for number in (1, 2)]
        write(folder, *both)  # each waits for the other
        assert command(*how, "--max-parallel", "2").code == 0
        alone = success("RUN", stdout={"equals": "alone"})
        write(
            folder,
            *(case | {"case_id": f"2-{case['case_id']}"} for case in both),
            *(run(f"3-{each}", each, expected=alone) for each in ("tool", "link", "named")),
            *(case | {"case_id": f"4-{case['case_id']}"} for case in both),
        )
        ended = command(*how, "--max-parallel", "8", "--json")
        assert (ended.code, ended.json()["executed_runs"]) == (0, 7), ended


def test_what_is_to_be_hidden_and_is_not_there_is_told(command: Command) -> None:
    """A slip of the pen would hide nothing; what is there, or is made in the workspace, is fine."""
    (command.folder / "there").mkdir()
    cases = (create("a", "true"), run("1", "a"))
    hidden = ("--hide", "there", "--hide", "rolouts", "--workspace", "there", "--hide", "there/new")
    ended = execute(command, *cases, options=hidden)
    assert ended.code == 0, ended
    assert "warning: --hide rolouts: it is not there, so nothing is hidden\n" in ended.err
    assert ended.err.count("warning: --hide") == 1


@needs_bubblewrap
@pytest.mark.parametrize("options", [("--workspace", "circle"), ("--hide", "circle")])
def test_links_that_lead_in_a_circle_are_refused(
    command: Command, options: tuple[str, str]
) -> None:
    """By name: where they lead, nobody can tell."""
    (command.folder / "circle").symlink_to("circle")
    profile = {"sandbox_profile": "workspace_write"}
    ended = execute(
        command,
        *(create("a", "true", **profile), run("1", "a")),
        options=("--workspace", ".", *options, "--policy-sandbox-profile", "workspace_write"),
    )
    assert (ended.code, "circle" in ended.err, "Traceback" in ended.err) == (3, True, False), ended
