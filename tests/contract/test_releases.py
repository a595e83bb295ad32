"""What released packages wrote: today's programs read it, go on from it, and answer as they did.

`fixtures/state-contract/releases/` keeps it, a folder a release (runbooks/compatibility.md). What a
future version will write is the same with keys that nobody knows yet.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from scripts import keep_release
from tests import forking
from tests.contract.running import (
    COMMAND,
    STATE_CONTRACT,
    Ended,
    errors_of,
    schema_of,
    strictly,
)

RELEASES = STATE_CONTRACT.parent / "releases"
LOG = "runtime-events.jsonl"
UNKNOWN = "key_of_a_future_version"
DAY_MS = 24 * 60 * 60_000
PACKAGES = ("custom-command", "transport-health", "rollout-gate")
KEPT = sorted(path.parent for path in RELEASES.glob("*/release.json"))
STATES = sorted(path.parent for path in RELEASES.glob("**/state.json"))
ROLLOUTS = sorted(path.parent for path in RELEASES.glob("*/*/rollout/rollout.json"))
VERDICTS = {"open": 3, "complete": 0, "back": 4}

# Maps, whose keys are data; and a policy, of which an unknown key is refused (state-files.md).
NOT_EXTENDED = {"arguments", "default_arguments", "execution_policy", "expected"}


def named(path: Path) -> str:
    """Return how a folder is called: its path below all releases."""
    return str(path.relative_to(RELEASES))


by_release = pytest.mark.parametrize("folder", KEPT, ids=named)
by_state = pytest.mark.parametrize("kept", STATES, ids=named)
by_rollout = pytest.mark.parametrize("kept", ROLLOUTS, ids=named)


def about(folder: Path) -> dict[str, Any]:
    """Return what release.json says of the release."""
    value: dict[str, Any] = json.loads(folder.joinpath("release.json").read_bytes())
    return value


def ends(folder: Path, line: str, now_unix_ms: int) -> Ended:
    """Run a command line of today's programs, which begins without `tau-`, in a folder."""
    program, *words = line.split()
    done = forking.run(
        COMMAND.with_name(f"tau-{program}"),
        *words,
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "LOGNAME": "ann",
            **{
                f"TAU_{each}_NOW_UNIX_MS": str(now_unix_ms)
                for each in ("CUSTOM_COMMAND", "TRANSPORT_HEALTH", "ROLLOUT_GATE")
            },
        },
        timeout=60,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return Ended(
        exit_code=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode()
    )


def answer(folder: Path, line: str, now_unix_ms: int, *, code: int) -> Any:  # noqa: ANN401 - JSON
    """Return what a command answers in JSON."""
    ended = ends(folder, line, now_unix_ms)
    assert ended.exit_code == code, ended
    return json.loads(ended.stdout)


def copied(kept: Path, folder: Path) -> Path:
    """Copy what was kept; return the copy."""
    copy = folder / kept.name
    shutil.copytree(kept, copy)
    return copy


def last_time(state_dir: Path) -> int:
    """Return when the last cycle ended."""
    state = json.loads(state_dir.joinpath("state.json").read_bytes())
    time: int = state["health"]["updated_unix_ms"]
    return time


FORMS = {
    "state.json": "state",
    LOG: "event",
    "schema.json": "channel",
    "log.jsonl": "channel-log",
    "context.jsonl": "context",
    "index.jsonl": "artifact-index",
}
"""The form of each file of a state directory by its name, without a number where it was rotated."""


def json_files(state_dir: Path) -> dict[Path, str]:
    """Return the files of JSON in a state directory, each with its form, rotated ones included."""
    found = {path: path.name.rstrip(".0123456789") for path in sorted(state_dir.rglob("*.json*"))}
    return {path: FORMS[name] for path, name in found.items()}


def values_of(path: Path) -> list[Any]:
    """Return the values in a file of JSON: one, or one a line."""
    raw = path.read_bytes()
    return list(map(strictly, raw.splitlines() if ".jsonl" in path.name else [raw]))


# What is kept.


def test_there_is_a_folder_of_each_package() -> None:
    """Its name is the release's, and it names the wheel that wrote it."""
    assert {about(folder)["package"] for folder in KEPT} == {f"tau-{each}" for each in PACKAGES}
    for folder in KEPT:
        said = about(folder)
        assert f"tau-{folder.name}" == f"{said['package']}-{said['version']}"
        assert said["wheel"].startswith(f"{said['package'].replace('-', '_')}-{said['version']}-")
        assert len(said["wheel_sha256"]) == 64
        answers = {each["answer"] for each in said["commands"]} - {None}
        assert {path.stem for path in folder.glob("answers/*")} == answers


@by_release
def test_what_was_written_has_the_published_forms(folder: Path) -> None:
    """Today's schemas take it, whatever they have learnt since."""
    found = 0
    for state_dir in (path for path in STATES if path.is_relative_to(folder)):
        found += sum(conforms(form, path) for path, form in json_files(state_dir).items())
    for root in (path for path in ROLLOUTS if path.is_relative_to(folder)):
        found += conforms("rollout", root / "rollout.json")
        found += conforms("decision", root / "decisions.jsonl")
    assert found > 10


def conforms(form: str, path: Path) -> int:
    """Expect a file to be of a form; return how many values are in it."""
    validator = Draft202012Validator(schema_of(form))
    values = values_of(path)
    assert [text for value in values for text in errors_of(validator, value)] == [], path
    return len(values)


def test_a_command_is_kept_with_how_it_ended(tmp_path: Path) -> None:
    """And its answer; one that ends otherwise ends all."""
    steps = list(keep_release.SCENARIOS["custom-command"]())[:1]
    for name, raw in keep_release.given():
        tmp_path.joinpath("given").mkdir(exist_ok=True)
        tmp_path.joinpath("given", name).write_bytes(raw)
    (command,) = keep_release.take(steps, tmp_path, COMMAND.parent)
    assert command["line"] == steps[0].line
    assert (command["exits"], command["answer"]) == (0, "run-mixed")
    kept = json.loads(tmp_path.joinpath("answers/run-mixed.txt").read_bytes())
    assert kept["timestamp_unix_ms"] == command["now_unix_ms"] == keep_release.BEGIN_UNIX_MS
    with pytest.raises(RuntimeError, match="exit 0, not 3"):
        list(keep_release.take([steps[0]._replace(exits=3)], tmp_path, COMMAND.parent))


def test_a_wheel_that_is_not_there_is_named() -> None:
    """Before an environment is made for it, and without a traceback."""
    asked = [sys.executable, keep_release.__file__, "gone.whl"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: gone.whl: there is no such file" in done.stderr


# The command line: what a release took is taken, and answered by at least what was answered.


@by_release
def test_the_command_lines_of_a_release_still_do_what_they_did(
    folder: Path, tmp_path: Path
) -> None:
    """Each ends as it did, from an empty folder on, and its answer has all keys that it had."""
    shutil.copytree(folder / "given", tmp_path / "given")
    for command in about(folder)["commands"]:
        ended = ends(tmp_path, command["line"], command["now_unix_ms"])
        assert ended.exit_code == command["exits"], (command["line"], ended)
        if command["answer"] is not None:
            before = folder.joinpath("answers", f"{command['answer']}.txt").read_text()
            assert lost(before, ended.stdout) == [], command["line"]


def lost(before: str, now: str) -> list[str]:
    """Tell what an answer had that today's has no more, in its own format."""
    if before.startswith(("{", "[")):
        return list(lost_keys(json.loads(before), json.loads(now), "$"))
    if before.endswith("# EOF\n"):
        return sorted(labelled(before) - labelled(now))
    # Of a text, the first word is for programs: a plugin's line, a command of a workflow, a tag.
    return [] if before.split()[:1] == now.split()[:1] else [before]


def lost_keys(before: Any, now: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield each place in JSON that had a key, or a type, that is there no more."""
    if before is None:
        return
    if type(before) is not type(now):
        yield f"{where}: {before!r} is {now!r}"
    elif isinstance(before, dict):
        for key, value in before.items():
            if key not in now:
                yield f"{where}.{key}"
            else:
                yield from lost_keys(value, now[key], f"{where}.{key}")
    elif isinstance(before, list) and before and now and isinstance(before[0], dict):
        keys = {key for item in now for key in item}
        yield from (f"{where}[].{key}" for item in before for key in item if key not in keys)


def labelled(exposition: str) -> set[str]:
    """Return each metric with its labels."""
    families = text_string_to_metric_families(exposition)  # type: ignore[no-untyped-call] # it has none
    return {
        f"{sample.name}{sorted(sample.labels)}" for family in families for sample in family.samples
    }


# State directories.


@by_state
def test_the_inspector_reads_what_the_runtime_wrote(kept: Path, tmp_path: Path) -> None:
    """Every line counts, the chain is whole, the channels are sound."""
    copy = copied(kept, tmp_path)
    assert inspected(copy) == inspected(kept)
    lines = [value for path in segments(copy) for value in values_of(path)]
    assert len(inspected(copy)["chain"]) == 0
    now = last_time(copy)
    shown = ends(
        tmp_path, f"transport-health channels verify custom-command --state-dir {copy}", now
    )
    assert shown.exit_code == 0, shown
    status = status_of(copy)
    assert status["invalid_cycle_reports"] == 0
    assert status["cycle_reports"] == len(values_of(copy / LOG)) <= len(lines)


def status_of(state_dir: Path) -> dict[str, Any]:
    """Return the guardrail report of a state directory, judged at its last cycle."""
    line = f"transport-health status custom-command --state-dir {state_dir} --json"
    ended = ends(state_dir.parent, line, last_time(state_dir))
    assert ended.exit_code in {0, 3}, ended
    status: dict[str, Any] = json.loads(ended.stdout)
    return status


def inspected(state_dir: Path) -> dict[str, Any]:
    """Return what the inspector says of a state directory, but for where it lies."""
    line = f"transport-health diagnose custom-command --state-dir {state_dir} --json"
    ended = ends(state_dir.parent, line, last_time(state_dir))
    codes = [symptom["code"] for symptom in json.loads(ended.stdout)["symptoms"]]
    status = status_of(state_dir)
    for key in ("state_path", "events_log_path"):
        del status[key]
    damage = {"chain_broken", "log_disagrees", "invalid_lines", "torn_line"}
    return {**status, "codes": codes, "chain": sorted(damage & set(codes))}


def segments(state_dir: Path) -> list[Path]:
    """Return the files of the event log, the oldest first."""
    rotated = {int(path.suffix[1:]): path for path in state_dir.glob(f"{LOG}.[0-9]*")}
    return [rotated[number] for number in sorted(rotated, reverse=True)] + [state_dir / LOG]


@by_state
def test_the_runtime_goes_on_from_what_an_older_one_left(kept: Path, tmp_path: Path) -> None:
    """The next cycle continues its chain and knows its commands; `recover` finds nothing to do."""
    copy = copied(kept, tmp_path)
    goes_on(copy)


def goes_on(state_dir: Path) -> None:
    """Let the runtime run a cycle, and expect it to continue what is there."""
    before, now = status_of(state_dir), last_time(state_dir) + 60_000
    last = json.loads(state_dir.joinpath("state.json").read_bytes())["last_cycle"]
    fixture = keep_release.CONTRACTS / "rollout-pass.json"
    run = f"custom-command run {fixture} --state-dir {state_dir} --case-suffix=-next --json"
    # It lists all commands: those of another fixture are a drift.
    event = json.loads(ends(state_dir.parent, run, now).stdout)
    assert event["cycle_number"] == last["cycle_number"] + 1
    assert event["previous_sha256"] == last["event_sha256"]
    after = inspected(state_dir)
    assert after["chain"] == []
    assert set(before["command_name_counts"]) <= set(after["command_name_counts"])
    recover = f"custom-command recover --state-dir {state_dir}"
    assert ends(state_dir.parent, recover, now).exit_code == 0


@by_state
def test_the_runtime_brings_back_a_state_that_an_older_one_wrote(
    kept: Path, tmp_path: Path
) -> None:
    """What the journal of that cycle holds is enough, in the form that it had then."""
    copy = copied(kept, tmp_path)
    state = copy.joinpath("state.json").read_bytes()
    now = last_time(copy)
    copy.joinpath("state.json").unlink()
    recovered = ends(tmp_path, f"custom-command recover --state-dir {copy} --yes", now)
    assert recovered.exit_code == 0, recovered
    assert strictly(copy.joinpath("state.json").read_bytes()) == strictly(state)


@by_state
def test_the_gate_judges_what_the_runtime_wrote(kept: Path, tmp_path: Path) -> None:
    """A rollout can be opened on it, and what it has of history can be replayed."""
    copy = copied(kept, tmp_path)
    assert judged(copy) == judged(copied(kept, tmp_path / "again"))


def judged(state_dir: Path) -> list[Any]:
    """Return what the gate makes of a state directory: at preflight, and of its history."""
    now, folder = last_time(state_dir), state_dir.parent
    root = f"--rollout-dir {folder}/rollout"
    opened = ends(
        folder,
        f"rollout-gate start --release 9.0.1 --rollback-to 9.0.0 {root} "
        f"--surface custom-command={state_dir}",
        now,
    )
    assert opened.exit_code == 0, opened
    found = answer(folder, f"rollout-gate evaluate {root} --format json", now, code=3)
    gates = {gate["name"]: gate["status"] for gate in found["gates"]}
    assert {gates[each] for each in ("files_present", "state_valid", "log_end_known")} == {"pass"}
    shutil.rmtree(folder / "rollout")
    events = " ".join(f"--events {path}" for path in segments(state_dir))
    replayed = ends(folder, f"rollout-gate replay {events} --policy built-in", now)
    assert replayed.exit_code in {0, 3, 4}, replayed
    assert "lines_valid" not in replayed.stdout
    assert "chain_whole" not in replayed.stdout
    return [gates, replayed.exit_code]


# A future version.


@by_state
def test_keys_of_a_future_version_change_nothing(kept: Path, tmp_path: Path) -> None:
    """In every object of every file: the readers say the same, and the runtime goes on."""
    copy = copied(kept, tmp_path)
    assert extend(copy) > 20
    assert inspected(copy) == inspected(kept)
    assert judged(copy) == judged(copied(kept, tmp_path / "plain"))
    goes_on(copy)
    assert UNKNOWN not in copy.joinpath("state.json").read_text()  # which was written anew


def extend(state_dir: Path) -> int:
    """Add a key to each object, and make the chain whole again; return how many were extended."""
    count, previous = 0, None
    for path in segments(state_dir):
        lines = []
        for value in values_of(path):
            count += extend_value(value)
            value["previous_sha256"] = previous
            lines.append(dumped(value))
            previous = sha256(lines[-1]).hexdigest()
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    of_channels = [*state_dir.glob("channel-store/**/*.json"), *state_dir.glob("**/log.jsonl")]
    for path in (
        *of_channels,
        *state_dir.glob("**/context.jsonl"),
        *state_dir.glob("**/index.jsonl"),
    ):
        values = values_of(path)
        count += sum(extend_value(value) for value in values)
        path.write_bytes(b"".join(dumped(value) + b"\n" for value in values))
    state = strictly(state_dir.joinpath("state.json").read_bytes())
    state["last_cycle"]["event_sha256"] = previous
    count += extend_value(state)
    state_dir.joinpath("state.json").write_bytes(dumped(state) + b"\n")
    return count


def extend_value(value: Any) -> int:  # noqa: ANN401 - JSON
    """Add a key to each object in a value, but where keys are data; return to how many."""
    if isinstance(value, list):
        return sum(extend_value(item) for item in value)
    if not isinstance(value, dict):
        return 0
    count = sum(extend_value(each) for key, each in value.items() if key not in NOT_EXTENDED)
    value[UNKNOWN] = {"of": ["any", 1, None, True]}
    return count + 1


def dumped(value: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return a value as one line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
    return text.encode()


# Rollout directories.


def moved(kept: Path, folder: Path) -> tuple[str, int]:
    """Copy a rollout with its surface; return the options that name both, and when it was left."""
    shutil.copytree(kept.parent, folder / "moved")
    options = "--rollout-dir moved/rollout --surface custom-command=moved/state"
    lines = [
        each["now_unix_ms"]
        for each in about(kept.parents[1])["commands"]
        if f" {kept.parent.name}/rollout" in each["line"]
    ]
    return options, lines[-1]


@by_rollout
def test_the_gate_reads_a_rollout_of_an_older_one(kept: Path, tmp_path: Path) -> None:
    """Its record is whole, and the verdict is what it was."""
    options, now = moved(kept, tmp_path)
    name = kept.parent.name
    for command in ("status", "history", "verify"):
        line = f"rollout-gate {command} {options} --format json"
        told = answer(tmp_path, line, now, code=0)
        before = kept.parents[1].joinpath("answers", f"{name}-{command}.txt").read_bytes()
        assert list(lost_keys(json.loads(before), told, "$")) == []
    line = f"rollout-gate evaluate {options} --format json"
    found = answer(tmp_path, line, now, code=VERDICTS[name])
    before = json.loads(kept.parents[1].joinpath("answers", f"{name}-json.txt").read_bytes())
    for key in ("verdict", "release", "phase", "canary_percent", "soak", "reasons"):
        assert found[key] == before[key], key
    assert errors_of(Draft202012Validator(schema_of("answer")), before) == []


@by_rollout
def test_the_gate_goes_on_with_a_rollout_of_an_older_one(kept: Path, tmp_path: Path) -> None:
    """An open one advances, a complete one is followed by the next, a rolled back one captures."""
    options, now = moved(kept, tmp_path)
    root, _, _ = options.partition(" --surface")
    if kept.parent.name == "open":
        fixture = keep_release.CONTRACTS / "rollout-pass.json"
        for number in range(2):
            now += 30 * 60_000
            run = f"custom-command run {fixture} --state-dir moved/state --case-suffix=-m{number}"
            assert ends(tmp_path, run, now).exit_code == 0
        line = f"rollout-gate advance {options} --format json"
        assert answer(tmp_path, line, now, code=0)["next_phase"] == "canary-3"
    elif kept.parent.name == "complete":
        opened = ends(tmp_path, f"rollout-gate start --release 1.5.0 {options}", now)
        assert opened.exit_code == 0, opened
        assert list(tmp_path.glob("moved/rollout/archive/*-1.4.0.json"))
    else:
        again = ends(tmp_path, f"rollout-gate rollback --reason again {options}", now + DAY_MS)
        assert again.exit_code == 0, again
        assert len(list(tmp_path.glob("moved/rollout/evidence/*.tar.gz"))) == 2
    assert ends(tmp_path, f"rollout-gate verify {root}", now).exit_code == 0


@by_rollout
def test_the_gate_refuses_a_rollout_of_a_newer_one(kept: Path, tmp_path: Path) -> None:
    """A key of its own files that it does not know: it does not decide on what it cannot read."""
    options, now = moved(kept, tmp_path)
    path = tmp_path / "moved/rollout/rollout.json"
    rollout = json.loads(path.read_bytes())
    path.write_bytes(dumped(rollout | {UNKNOWN: 1}))
    refused = ends(tmp_path, f"rollout-gate evaluate {options}", now)
    assert refused.exit_code == 5, refused
    assert UNKNOWN in refused.stderr
