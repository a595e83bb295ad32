"""After a crash the artifacts of what had ended are named, and no others are left."""

import json
from pathlib import Path

from tau_custom_command.contract.state import RunMode
from tau_custom_command.cycle import notes
from tau_custom_command.cycle.artifacts import Attempt
from tau_custom_command.cycle.attempt import Execution, result_of
from tau_custom_command.cycle.execution import MOST_TEXT_BYTES, Ended, FailureReason, Stream
from tau_custom_command.cycle.plan import CycleIdentity, CycleLimits, plan
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.cycle.settle import settle
from tau_custom_command.fixture.model import Case
from tau_custom_command.storage.artifacts import store
from tau_custom_command.storage.journal import noting
from tau_custom_command.storage.journal_format import NoteKind
from tau_custom_command.storage.lock import locked
from tau_custom_command.storage.state_directory import read_state
from tau_custom_command.storage.sync import TO_DISK
from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.one_cycle import cycle
from tests.custom_command.running import START_UNIX_MS

LONG = b"x" * (MOST_TEXT_BYTES + 1)
CASES = tuple(Case(case_id=str(n), operation="RUN", command_name="greet") for n in range(3))


def test_no_artifact_is_lost_and_none_is_left_without_its_line(tmp_path: Path) -> None:
    """Killed between storing and noting: the RUN is interrupted, and its files go.

    Those of a settled RUN, and of the attempts before, are in the index.
    """
    (tmp_path / "fixture.json").write_bytes(fixture_bytes(case_object("a", "CREATE", "greet")))
    cycle(tmp_path)
    identity = CycleIdentity(
        cycle_id="0000000000001-00000002-0a1b2c3d",
        cycle_number=2,
        previous_sha256=None,
        run_mode=RunMode.EXECUTE,
        fixture_name="x",
        fixture_sha256="0" * 64,
        runtime_version="1",
    )
    limits = CycleLimits(
        queue_limit=64, processed_case_cap=10, retry_max_attempts=2, retry_base_delay_ms=0
    )
    state = read_state(tmp_path / "state")
    assert state is not None
    registry = Registry.of(state.commands)
    planned = plan(CASES, None, identity, limits)
    with locked(tmp_path / "state", wait_seconds=0) as lock, noting(lock.root, TO_DISK) as notebook:

        def attempt(place: int, number: int) -> Execution:
            ended = Ended(
                started=True,
                command_line="x",
                failure=FailureReason.NON_ZERO_EXIT,
                exit_code=1,
                stdout=Stream(LONG, len(LONG)),
            )
            which = Attempt(identity.cycle_id, place, CASES[place].key, number)
            kept = store(lock, "greet", which, ended, TO_DISK, now_unix_ms=1, days=1)
            return Execution(kept, result_of(CASES[place], kept), START_UNIX_MS)

        def starts(place: int, *before: Execution) -> None:
            note = notes.Starts(place, CASES[place], START_UNIX_MS, "x", before)
            notebook.add(NoteKind.STARTS, notes.encode(note))

        began = notes.Began.of(planned, unix_ms=START_UNIX_MS)
        notebook.add(NoteKind.BEGAN, notes.encode(began))
        starts(0)
        done = attempt(0, 1)
        settled = settle(
            CASES[0], [done.result], registry, now_unix_ms=START_UNIX_MS, executions=[done]
        )
        notebook.add(NoteKind.SETTLED, notes.encode(notes.Settled(0, settled)))
        starts(1)
        starts(1, attempt(1, 1))
        attempt(1, 2)  # and there it was killed
        starts(2)
        notebook.sync()
    folder = tmp_path / "state/channel-store/custom-command/greet/artifacts"
    assert len(list(folder.glob("*.txt"))) == 3
    cycle(tmp_path)
    entries = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    assert [entry["run_id"].partition(" ")[2] for entry in entries] == [
        "RUN:greet:0 1",
        "RUN:greet:1 1",
    ]
    assert {Path(entry["relative_path"]).name for entry in entries} | {"index.jsonl"} == {
        path.name for path in folder.iterdir()
    }
