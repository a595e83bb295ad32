"""Each damage that a state directory can have, and what each command says of it.

A row is one damage: the health, why the gate holds, and the words that name it. What each command
must print and exit with follows from those by the rules of `COMMANDS`, so that all of them say the
same of the same files. A command is added by adding its rule there.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.transport_health.running import Finished, Inspector
from tests.transport_health.state_files import (
    NOW_UNIX_MS,
    StateDirectory,
    chain,
    digest,
    event,
    failed,
    line_of,
    state_of,
)

FIFTEEN_MINUTES_MS = 15 * 60 * 1000
TWO_MINUTES_MS = 2 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A state directory with something wrong, or something that only looks so.

    `hold` is the code of why the gate holds, None where it passes. `words` must stand in what is
    shown. `invalid` is how many lines of the log are invalid.
    """

    name: str
    make: Callable[[StateDirectory], object]
    health: str
    hold: str | None
    words: str
    invalid: int = 0
    warning: str = ""
    in_the_log: str = ""
    """What `diagnose`, which reads the whole log, finds beyond the other commands."""

    @property
    def exit_code(self) -> int:
        """Return what `inspect` and `status` must exit with."""
        if self.hold is None:
            return 0
        return 5 if self.health == "unknown" else 3

    @property
    def plugin(self) -> tuple[int, str]:
        """Return what `check` must exit with, and its word."""
        if self.hold is None:
            return 0, "OK"
        if self.hold == "unhealthy":
            return {"degraded": (1, "WARNING"), "failing": (2, "CRITICAL")}[self.health]
        if self.hold in {"stale", "cut_off"}:
            return 2, "CRITICAL"
        return 3, "UNKNOWN"

    @property
    def gate(self) -> str:
        """Return the word for the gate."""
        return "pass" if self.hold is None else "hold"


def nothing(_directory: StateDirectory) -> None:
    """Leave no directory at all."""


def raw_state(content: bytes) -> Callable[[StateDirectory], None]:
    """Write a state of these bytes, with a good log."""
    return lambda directory: directory.write(content, chain())


def health(**changes: object) -> Callable[[StateDirectory], None]:
    """Write a state with one thing changed in its health block; `...` leaves a key out."""

    def make(directory: StateDirectory) -> None:
        lines = chain()
        state = state_of(lines[-1])
        state["health"] |= changes
        state["health"] = {k: v for k, v in state["health"].items() if v is not ...}
        directory.write(state, lines)

    return make


def state_text(old: bytes, new: bytes) -> Callable[[StateDirectory], None]:
    """Write a state in which some bytes were replaced."""

    def make(directory: StateDirectory) -> None:
        lines = chain()
        content = json.dumps(state_of(lines[-1])).encode()
        assert old in content
        directory.write(content.replace(old, new, 1), lines)

    return make


def truncated(directory: StateDirectory) -> None:
    """Cut the state off in the middle."""
    directory.good()
    content = directory.state.read_bytes()
    directory.state.write_bytes(content[: len(content) // 2])


def timed(shift_ms: int) -> Callable[[StateDirectory], object]:
    """Write a good directory whose last cycle ended that much after now."""
    return lambda directory: directory.good(timestamp_unix_ms=NOW_UNIX_MS + shift_ms)


def at_work(heard_ms: int) -> Callable[[StateDirectory], None]:
    """Write a good directory in which a cycle began, and was heard of so long ago."""

    def make(directory: StateDirectory) -> None:
        directory.good()
        journal = directory.root / ".journal"
        journal.touch()
        os.utime(journal, ns=(0, (NOW_UNIX_MS - heard_ms) * 1_000_000))

    return make


def no_log(directory: StateDirectory) -> None:
    """Remove the log."""
    directory.good()
    directory.log.unlink()


def torn(directory: StateDirectory) -> None:
    """Leave a line behind that was cut off."""
    lines = directory.good()
    directory.write(None, [*lines, line_of(event(number=4))[:100]])


def one_percent_invalid(directory: StateDirectory) -> None:
    """Break 10 lines of 1,000, none of them at the end."""
    lines = chain(1000)
    directory.write(state_of(lines[-1]), lines)
    for number in range(50, 1000, 100):
        lines[number] = b'{"broken": ' + lines[number][20:]
    directory.write(None, lines)


def last_line_invalid(directory: StateDirectory) -> None:
    """End the log with a whole line that is no event."""
    lines = directory.good()
    directory.write(None, [*lines, b"{}\n"])


def log_behind(directory: StateDirectory) -> None:
    """Put an older log beside the state."""
    lines = directory.good(5)
    directory.write(None, lines[:-1])


def log_two_ahead(directory: StateDirectory) -> None:
    """Put an older state beside the log."""
    lines = chain(5)
    directory.write(state_of(lines[2]), lines)


def log_one_ahead(**last: object) -> Callable[[StateDirectory], None]:
    """Stop between the event and the state, as a crash does, in a cycle with these changes."""

    def make(directory: StateDirectory) -> None:
        lines = chain(5, **last)
        directory.write(state_of(lines[3]), lines)

    return make


def numbers_differ(directory: StateDirectory) -> None:
    """Make a failing state look healthy."""
    lines = chain(3, **failed(streak=3))
    state = state_of(lines[-1])
    state["health"] |= {"failure_streak": 0, "last_cycle_failed": 0}
    directory.write(state, lines)


def last_line_edited(directory: StateDirectory) -> None:
    """Make the last line say something else."""
    lines = directory.good()
    directory.write(
        None, [*lines[:-1], lines[-1].replace(b'"applied_cases":3', b'"applied_cases":4')]
    )


def chain_broken(directory: StateDirectory) -> None:
    """Edit a line in the middle: every line is valid, and the end fits the state."""
    lines = directory.good(6)
    lines[2] = lines[2].replace(b'"applied_cases":3', b'"applied_cases":4')
    directory.write(None, lines)


def rotated(directory: StateDirectory) -> None:
    """Rename the log, and write nothing since."""
    directory.good()
    directory.log.rename(directory.rotated)


def rotated_and_going_on(directory: StateDirectory) -> None:
    """Rename the log, and continue the chain in a new one; the state belongs to the old one."""
    lines = chain(4)
    directory.write(state_of(lines[2]), lines[3:])
    directory.rotated.write_bytes(b"".join(lines[:3]))


def bad_health(streak: int) -> Callable[[StateDirectory], object]:
    """Write a directory without any damage, of a runtime with failures."""
    return lambda directory: directory.good(**failed(streak=streak))


def a_folder_for(name: str) -> Callable[[StateDirectory], object]:
    """Put a folder in the place of a file."""

    def make(directory: StateDirectory) -> None:
        directory.good()
        (directory.root / name).unlink()
        (directory.root / name).mkdir()

    return make


def a_file_for_the_directory(directory: StateDirectory) -> None:
    """Put a file in the place of the whole directory."""
    directory.root.parent.mkdir(parents=True)
    directory.root.write_bytes(b"")


def unknown(name: str, make: Callable[[StateDirectory], object], words: str) -> Damage:
    """Return a damage after which there is no valid state."""
    return Damage(name=name, make=make, health="unknown", hold="invalid_state", words=words)


DAMAGES = (
    Damage(
        name="none",
        make=StateDirectory.good,
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
    ),
    Damage(
        name="no directory",
        make=nothing,
        health="unknown",
        hold="no_state",
        words=".tau/custom-command: there is no such directory",
    ),
    Damage(
        name="no state",
        make=lambda directory: directory.write(None, []),
        health="unknown",
        hold="no_state",
        words="state.json: there is no such file",
    ),
    Damage(
        name="state lost",
        make=lambda directory: directory.write(None, chain()),
        health="unknown",
        hold="lost_state",
        words="state.json: there is no such file",
    ),
    unknown("empty state", raw_state(b""), "state.json: column 1: not JSON"),
    unknown("an empty object", raw_state(b"{}"), "schema_version: is missing"),
    unknown("null", raw_state(b"null"), "is missing or null"),
    unknown("health key missing", health(queue_depth=...), "health.queue_depth: is missing"),
    unknown("truncated", truncated, "state.json: column 501: not JSON"),
    unknown(
        "other version",
        state_text(b'"schema_version": 1', b'"schema_version": 2'),
        "schema_version: found 2; 1 is known",
    ),
    unknown("NaN", state_text(b'"queue_depth": 1', b'"queue_depth": NaN'), "NaN is not a JSON"),
    unknown("boolean", health(last_cycle_failed=False), "health.last_cycle_failed: found False"),
    unknown("fraction", health(last_cycle_failed=0.0), "health.last_cycle_failed: found 0.0"),
    unknown("negative", health(failure_streak=-1), "health.failure_streak: found -1"),
    unknown(
        "duplicate key",
        state_text(b'"failure_streak": 0', b'"failure_streak": 0, "failure_streak": 0'),
        "the key 'failure_streak' stands twice",
    ),
    unknown("state no file", a_folder_for("state.json"), "state.json: cannot be read"),
    Damage(
        name="a file for the directory",
        make=a_file_for_the_directory,
        health="unknown",
        hold="no_state",
        words=".tau/custom-command: is not a directory",
    ),
    Damage(
        name="future",
        make=timed(60_001),
        health="healthy",
        hold="future",
        words="dated 1 min 0 s in the future",
    ),
    Damage(
        name="barely future",
        make=timed(60_000),
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
    ),
    Damage(
        name="stale",
        make=timed(-FIFTEEN_MINUTES_MS - 1),
        health="healthy",
        hold="stale",
        words="stale: written 15 min 0 s ago",
    ),
    Damage(
        name="barely fresh",
        make=timed(-FIFTEEN_MINUTES_MS),
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
    ),
    Damage(
        name="a cycle cut off",
        make=at_work(TWO_MINUTES_MS + 1),
        health="healthy",
        hold="cut_off",
        words="a cycle was cut off: it began, and was last heard of 2 min 0 s ago",
    ),
    Damage(
        name="a cycle at work",
        make=at_work(TWO_MINUTES_MS),
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
    ),
    Damage(
        name="no log",
        make=no_log,
        health="healthy",
        hold="no_log",
        words="there is no event log",
    ),
    Damage(
        name="log empty",
        make=lambda directory: directory.write(state_of(chain()[-1]), []),
        health="healthy",
        hold="log_disagrees",
        words="not at the end of the event log",
    ),
    Damage(
        name="log no file",
        make=a_folder_for("runtime-events.jsonl"),
        health="healthy",
        hold="unreadable_log",
        words="runtime-events.jsonl: cannot be read: not a regular file",
    ),
    Damage(name="torn", make=torn, health="healthy", hold="log_torn", words="is torn"),
    Damage(
        name="1 % invalid",
        make=one_percent_invalid,
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
        invalid=10,
        warning="10 lines are invalid in the event log; the first is line 51",
        in_the_log="runtime-events.jsonl line 51",
    ),
    Damage(
        name="last line invalid",
        make=last_line_invalid,
        health="healthy",
        hold="log_invalid",
        words="the last line of the event log is invalid",
        invalid=1,
        warning="1 line is invalid in the event log; the first is line 4",
    ),
    Damage(
        name="log behind",
        make=log_behind,
        health="healthy",
        hold="log_disagrees",
        words="not at the end of the event log",
    ),
    Damage(
        name="log two ahead",
        make=log_two_ahead,
        health="healthy",
        hold="log_disagrees",
        words="not at the end of the event log",
    ),
    Damage(
        name="log one ahead",  # a crash, or a write under way: allowed by the contract
        make=log_one_ahead(),
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
    ),
    Damage(
        name="log one ahead, and failing",
        make=log_one_ahead(**failed(streak=3)),
        health="failing",
        hold="unhealthy",
        words="the event log's last line says failing, and the state healthy",
    ),
    Damage(
        name="log one ahead, failing, by a clock that was set back",
        make=log_one_ahead(**failed(streak=1), timestamp_unix_ms=NOW_UNIX_MS - 10_000),
        health="degraded",
        hold="unhealthy",
        words="the event log's last line says degraded, and the state healthy",
    ),
    Damage(
        name="numbers differ",
        make=numbers_differ,
        health="failing",
        hold="unhealthy",
        words="failure_streak is 0 in the state, 3 in its event",
    ),
    Damage(
        name="last line edited",
        make=last_line_edited,
        health="healthy",
        hold="log_disagrees",
        words="not at the end of the event log",
    ),
    Damage(
        name="chain broken",  # `diagnose` alone reads the whole chain
        make=chain_broken,
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
        in_the_log="runtime-events.jsonl line 4",
    ),
    Damage(
        name="rotated",
        make=rotated,
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
    ),
    Damage(
        name="rotated and going on",
        make=rotated_and_going_on,
        health="healthy",
        hold=None,
        words="the last cycle ended without a failed case",
    ),
    Damage(
        name="degraded",
        make=bad_health(1),
        health="degraded",
        hold="unhealthy",
        words="2 cases failed in the last cycle",
    ),
    Damage(
        name="failing",
        make=bad_health(3),
        health="failing",
        hold="unhealthy",
        words="2 cases failed in the last cycle",
    ),
)


def inspect_says(damage: Damage, done: Finished, as_json: Finished) -> None:
    """Hold what `inspect` says against a damage."""
    assert (done.code, done.err) == (damage.exit_code, "")
    head, *rest = done.out.splitlines()
    assert head.endswith(f": {damage.health}, gate {damage.gate}")
    assert damage.words in "\n".join(rest)
    (row,) = as_json.json()
    assert (row["health_state"], row["rollout_gate"]) == (damage.health, damage.gate)
    assert [hold["code"] for hold in row["holds"]][:1] == ([damage.hold] if damage.hold else [])
    assert (row["health"] is None) == (damage.health == "unknown")
    assert damage.words in json.dumps(row)


def status_says(damage: Damage, done: Finished, as_json: Finished) -> None:
    """Hold what `status` says against a damage; its words need not be all of the report."""
    assert (done.code, done.err) == (damage.exit_code, "")
    report = as_json.json()
    assert (report["health_state"], report["rollout_gate"]) == (damage.health, damage.gate)
    assert done.out.splitlines()[0].endswith(f": {damage.health}, gate {damage.gate}")
    assert report["invalid_cycle_reports"] == damage.invalid
    assert damage.warning in "\n".join(report["warnings"])
    if damage.hold is not None:
        assert damage.words in done.out, "a hold without its reason helps nobody"


def check_says(damage: Damage, done: Finished, _as_json: Finished | None) -> None:
    """Hold what `check` says against a damage."""
    code, word = damage.plugin
    assert (done.code, done.err) == (code, "")
    (line,) = done.out.splitlines()
    assert line.startswith(f"{word} - custom-command {damage.health}, gate {damage.gate}: ")
    words = line.partition(" | ")[0]
    # The line has room for one reason: the health's own is the classification's.
    assert damage.words in words or damage.hold == "unhealthy"


def diagnose_says(damage: Damage, done: Finished, as_json: Finished) -> None:
    """Hold what `diagnose` says against a damage: more than the others, and never less."""
    assert (done.code, done.err) == (3 if damage.in_the_log else damage.exit_code, "")
    head = done.out.splitlines()[0]
    assert f": {damage.health}, gate {damage.gate}, " in head
    value = as_json.json()
    assert (value["health_state"], value["rollout_gate"]) == (damage.health, damage.gate)
    # Of what is built here, a case is left over by each cycle, and only the last one is aged; that
    # is told, and is no damage.
    found = {symptom["code"] for symptom in value["symptoms"]}
    found -= {"backlog_growing", "clock_backwards"}
    assert (found == set()) == (damage.hold is None and not damage.in_the_log)
    assert all(symptom["action"] for symptom in value["symptoms"])
    assert damage.in_the_log in done.out


COMMANDS: dict[str, tuple[bool, Callable[..., None]]] = {
    "inspect": (True, inspect_says),
    "status": (True, status_says),
    "check": (False, check_says),
    "diagnose": (True, diagnose_says),
}
"""The command, whether it has `--json`, and what it must say of a damage."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_damage_is_told_and_never_passes(
    command: str, damage: Damage, inspector: Inspector
) -> None:
    """The exit code, the words, and a pass only where the specification allows one."""
    directory = inspector.directory()
    damage.make(directory)
    before = contents(directory)
    has_json, says = COMMANDS[command]
    done = inspector(command, "custom-command")
    says(damage, done, inspector(command, "custom-command", "--json") if has_json else None)
    assert contents(directory) == before, "the inspector writes nothing into a state directory"


def test_only_a_log_in_its_place_counts_as_present(inspector: Inspector) -> None:
    """`status` says whether there is an event log, whatever else is wrong."""
    directory = inspector.directory()
    directory.good()
    assert inspector("status", "custom-command", "--json").json()["events_log_present"] is True
    directory.log.unlink()
    assert inspector("status", "custom-command", "--json").json()["events_log_present"] is False


def test_the_digest_of_the_tables_is_the_contracts() -> None:
    """The builders chain as the runtime does: by the bytes without the line break."""
    first, second = chain(2)
    assert json.loads(second)["previous_sha256"] == digest(first)


def contents(directory: StateDirectory) -> dict[str, bytes]:
    """Return the bytes of every file of a directory."""
    return {
        str(path): path.read_bytes() for path in sorted(directory.root.rglob("*")) if path.is_file()
    }
