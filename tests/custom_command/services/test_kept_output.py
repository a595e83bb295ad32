"""What commands write, in a real cycle: cut in the record, kept as artifacts, masked everywhere."""

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tau_custom_command.cli import execution_options
from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.services.stopping import noted
from tests import forking
from tests.custom_command.cases import case_object, success
from tests.custom_command.running import (
    COMMAND,
    PATIENCE_SECONDS,
    Command,
    Finished,
    Json,
    StateFiles,
    environment,
)
from tests.custom_command.storing import assert_artifacts_are_those_of_the_records

POLICY = ("--policy-sandbox-profile", "unrestricted", "--policy-allow-shell")
RUN = ("run", "fixture.json", "--state-dir", "state", "--run-mode", "execute", *POLICY)
KILLS = int(os.environ.get("TAU_TEST_KILLS", "20"))
DAY_MS = 24 * 60 * 60 * 1000
SECRET = "hunter22-and-more"  # noqa: S105 - it is looked for


def create(name: str, template: str) -> Json:
    """Return a case that registers a command, before all others."""
    policy = {"allow_shell": True, "sandbox_profile": "unrestricted"}
    return case_object(f"0-{name}", "CREATE", name, template=template, execution_policy=policy)


def execute(
    command: Command, *cases: Json, options: tuple[str, ...] = (), **variables: str
) -> Finished:
    """Execute a fixture of these cases in a cycle, unconfined."""
    fixture = {"schema_version": 1, "name": "demo", "cases": cases}
    command.folder.joinpath("fixture.json").write_text(json.dumps(fixture))
    env = environment() | variables
    return command(*RUN, "--no-policy-require-approval", *options, env=env)


def said(ended: Finished) -> str:
    """Return all that was printed."""
    return ended.out + ended.err


def artifacts(folder: Path, channel: str) -> list[Json]:
    """Return the lines of a channel's index; each names a file that is what it says."""
    channel_folder = folder / "state/channel-store/custom-command" / channel
    index = channel_folder / "artifacts/index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    for line in lines:
        content = (channel_folder / line["relative_path"]).read_bytes()
        assert (line["bytes"], line["checksum_sha256"]) == (
            len(content),
            sha256(content).hexdigest(),
        )
    named = {Path(line["relative_path"]).name for line in lines}
    assert {path.name for path in index.parent.iterdir()} == named | {"index.jsonl"}
    return lines


def audit(folder: Path, channel: str) -> Json:
    """Return what the last line of a channel's log says of its run."""
    log = folder / "state/channel-store/custom-command" / channel / "log.jsonl"
    found: Json = json.loads(log.read_text().splitlines()[-1])["payload"]["run_audit"]
    return found


def everything(folder: Path) -> bytes:
    """Return the bytes of every file below the state directory, with its name."""
    paths = [path for path in (folder / "state").rglob("*") if path.is_file()]
    return b"".join(str(path).encode() + path.read_bytes() for path in paths)


def test_long_output_is_kept_beside_its_record(command: Command) -> None:
    """The first MiB as it was; the record has the beginning, and says how much is missing."""
    script = r"sh -c 'head -c 2000000 /dev/zero; yes e | head -c 20000 >&2'"
    assert execute(command, create("big", script), case_object("1", "RUN", "big")).code == 0
    out, err = artifacts(command.folder, "big")
    assert (out["artifact_type"], out["bytes"]) == ("stdout", 1024 * 1024)
    assert (err["artifact_type"], err["bytes"]) == ("stderr", 20_000)
    assert out["run_id"].split(" ")[1:] == ["RUN:big:1", "1"]
    assert out["expires_unix_ms"] == out["created_unix_ms"] + 30 * DAY_MS
    record = audit(command.folder, "big")
    missing = 2_000_000 - 16 * 1024
    assert record["stdout"] == "\0" * 16 * 1024 + f"...<truncated:{missing} bytes>"
    assert record["stderr"].endswith(f"...<truncated:{20_000 - 16 * 1024} bytes>")
    assert ".journal" not in {path.name for path in (command.folder / "state").iterdir()}


@pytest.mark.parametrize("profile", ["unrestricted", "restricted"])
@pytest.mark.parametrize("umask", [0o002, 0o027])
def test_a_command_has_the_umask_of_the_operator(tmp_path: Path, profile: str, umask: int) -> None:
    """Not that of the runtime, whose files are its owner's alone."""
    if profile == "restricted" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    policy = {"allow_shell": True, "sandbox_profile": profile}
    cases = [
        case_object("0", "CREATE", "a", template="sh -c umask", execution_policy=policy),
        case_object("1", "RUN", "a"),
    ]
    Command(tmp_path).write("fixture.json", {"schema_version": 1, "name": "x", "cases": cases})
    words = (*RUN, "--no-policy-require-approval")
    done = forking.run(
        COMMAND, *words, cwd=tmp_path, env=environment(), timeout=PATIENCE_SECONDS, umask=umask
    )
    assert done.returncode == 0, done
    assert audit(tmp_path, "a")["stdout"] == f"{umask:04o}\n"
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "state").rglob("*")}
    assert modes == {0}


def test_what_is_shown_of_output_acts_on_no_terminal_and_no_log(command: Command) -> None:
    """`registry show` and the summary have it on one line, escaped; JSON says the same."""
    acting = "\x1b]0;title\x07::error::x\n##vso[task]\u202e"
    command.folder.joinpath("acting").write_text(acting)
    expected = {"outcome": "success", "status_code": 200, "stdout": {"equals": "x"}}
    run = case_object("1", "RUN", "a", expected=expected)
    ended = execute(command, create("a", "sh -c 'cat acting; cat acting >&2'"), run)
    shown = command("registry", "show", "a", "--state-dir", "state")
    as_json = command("registry", "show", "a", "--state-dir", "state", "--json")
    assert as_json.json()["last_stdout"] == as_json.json()["last_stderr"] == acting
    assert (ended.code, shown.code) == (3, 0)
    assert len(shown.out.splitlines()) == len(as_json.json())
    for printed in (ended.out, shown.out, as_json.out):
        assert not re.search(r"[\x1b\x07\u202e]|(^|\s)::|##vso", printed), printed
    assert "\\x1b]0;title" in shown.out


def test_each_attempt_has_its_own(command: Command) -> None:
    """None overwrites another's, and a short output leaves none."""
    script = "sh -c 'head -c 20000 /dev/zero; false'"
    cases = (create("big", script), create("small", "echo x"))
    runs = (case_object("1", "RUN", "big"), case_object("2", "RUN", "small"))
    execute(command, *cases, *runs, options=("--retry-max-attempts=3", "--artifact-days=never"))
    lines = artifacts(command.folder, "big")
    assert [line["run_id"].rpartition(" ")[2] for line in lines] == ["1", "2", "3"]
    assert {line["expires_unix_ms"] for line in lines} == {None}
    assert not (command.folder / "state/channel-store/custom-command/small/artifacts").exists()


def test_many_attempts_take_no_more_room_than_what_they_wrote(command: Command) -> None:
    """The journal has each of them once, however often a fixture has a RUN tried."""
    script = "sh -c 'yes x | head -c 10000; false'"
    cases = (create("a", script), case_object("1", "RUN", "a"))
    assert execute(command, *cases, options=("--retry-max-attempts=40",)).code == 3
    entries = StateFiles(command.folder / "state").entries("a")
    assert sum("run_audit" in entry["payload"] for entry in entries) == 40
    journal = command.folder / "state/.journal.done"
    # As a note when it has ended, with all others when the case is settled, and as a log's line.
    assert journal.stat().st_size < 40 * 3 * 20_000


def test_what_has_expired_goes_with_the_next_cycle(command: Command) -> None:
    """In every channel, also one that the cycle does not touch; in record mode nothing goes."""
    script = "head -c 20000 /dev/zero"
    first = (create("one", script), case_object("1", "RUN", "one"))
    then = (create("two", script), case_object("2", "RUN", "two"))

    def at(day: int, *cases: Json, days: str = "10") -> None:
        options = (f"--now-unix-ms={day * DAY_MS}", f"--artifact-days={days}")
        assert execute(command, *cases, options=options).code == 0

    at(0, *first)
    at(5, *then, days="1")
    at(6, *first)
    assert (len(artifacts(command.folder, "one")), artifacts(command.folder, "two")) == (1, [])
    command("run", "fixture.json", "--state-dir", "state", f"--now-unix-ms={99 * DAY_MS}")
    assert len(artifacts(command.folder, "one")) == 1
    at(99, *then)
    assert artifacts(command.folder, "one") == []


PRINTS = "sh -c 'echo out $TOKEN; echo err $TOKEN >&2; seq 9999; echo $TOKEN; exit 3'"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_secret_is_given_and_found_nowhere(command: Command, form: tuple[str, ...]) -> None:
    """Not in records, logs, artifacts, journals or file names, nor in what is printed."""
    path = command.folder / "key"
    path.write_text("-----BEGIN-----\nMIIEvAIBADAN\n-----END-----\n")
    path.chmod(0o600)
    multi = 'sh -c \'echo "$KEY"; echo "$KEY" | tail -n 2 >&2\''
    cases = (create("a", PRINTS), case_object("1", "RUN", "a"))
    more = (create("b", multi), case_object("2", "RUN", "b"))
    options = ("--secret", "TOKEN", "--secret", f"KEY=file:{path}", *form)
    ended = execute(command, *cases, *more, options=options, TOKEN=SECRET)
    assert ended.code == 3
    record = audit(command.folder, "a")
    assert (record["stdout"][:8], record["stderr"]) == ("out ***\n", "err ***\n")
    assert audit(command.folder, "b")["stdout"] == "***\n"
    assert audit(command.folder, "b")["stderr"] == "***\n***\n"
    (kept,) = artifacts(command.folder, "a")
    folder = command.folder / "state/channel-store/custom-command/a"
    assert (folder / kept["relative_path"]).read_text().endswith("\n9999\n***\n")
    written = everything(command.folder) + said(ended).encode()
    for value in (SECRET, "MIIEvAIBADAN"):
        assert value.encode() not in written


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_a_confined_command_is_given_it_and_no_word_shows_it(command: Command) -> None:
    """It comes by the environment: not in the words of the sandbox, the shell in it, or its own."""
    policy = {"allow_shell": True}
    words = "sh -c 'echo $TOKEN ${#TOKEN}; sleep 1'"
    cases = [case_object("0", "CREATE", "a", template=words, execution_policy=policy)]
    cases.append(case_object("1", "RUN", "a"))
    command.write("fixture.json", {"schema_version": 1, "name": "x", "cases": cases})
    options = (*RUN[:-3], "--policy-allow-shell", "--no-policy-require-approval")
    seen: set[bytes] = set()
    ended = subprocess.Popen(
        [COMMAND, *options, "--secret", "TOKEN"],
        cwd=command.folder,
        env=environment({"TOKEN": SECRET}),
    )
    while ended.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                seen.add(path.read_bytes())
        time.sleep(0.05)
    assert ended.returncode == 0
    assert audit(command.folder, "a")["stdout"] == f"*** {len(SECRET)}\n"
    assert any(b"bwrap" in words and b"${#TOKEN}" in words for words in seen)
    assert not any(SECRET.encode() in words for words in seen)


def test_a_denied_variable_of_the_runtime_is_masked(command: Command) -> None:
    """A command that gets at it all the same cannot have it written anywhere."""
    command.folder.joinpath("found").write_text(f"key: {SECRET}\n")
    cases = (create("a", "sh -c 'cat found; env'"), case_object("1", "RUN", "a"))
    ended = execute(command, *cases, OPENAI_API_KEY=SECRET)
    assert ended.code == 0, ended
    printed = audit(command.folder, "a")["stdout"]
    assert printed.startswith("key: ***\n")
    assert "OPENAI_API_KEY" not in printed  # nor is it inherited
    assert SECRET.encode() not in everything(command.folder) + said(ended).encode()


HOLDING: list[Json] = [
    {"arguments": {"x": f"--token={SECRET}"}},
    {"arguments": {"x": [{SECRET: 1}]}},
    {"template": f"echo {SECRET}"},
    {"expected": {"outcome": "success", "status_code": 200, "response_body": {"x": SECRET}}},
]


@pytest.mark.parametrize("changes", HOLDING)
@pytest.mark.parametrize("name", ["TOKEN", "OPENAI_API_KEY"])
def test_a_fixture_that_holds_a_secret_is_refused(
    command: Command, name: str, changes: dict[str, Any]
) -> None:
    """It would be written to the state, or stand in the list of processes; nothing of it is."""
    case = case_object("1", "RUN", "a") | changes
    secret = ("--secret", "TOKEN") if name == "TOKEN" else ()
    ended = execute(command, create("a", "echo {{x}}"), case, options=secret, **{name: SECRET})
    assert ended.code == 5
    assert f"holds the value of {name}, which is a secret: leave it out" in said(ended)
    assert SECRET not in said(ended)
    assert not (command.folder / "state/state.json").exists()


def test_a_registered_command_that_holds_a_secret_does_not_run(command: Command) -> None:
    """It was registered before its word became one."""
    command.folder.joinpath("fixture.json").write_text(
        json.dumps({"schema_version": 1, "name": "x", "cases": [create("a", f"touch {SECRET}")]})
    )
    assert command("run", "fixture.json", "--state-dir", "state").code == 0
    ended = execute(
        command, case_object("1", "RUN", "a"), options=("--secret", "TOKEN"), TOKEN=SECRET
    )
    assert (ended.code, audit(command.folder, "a")["failure_reason"]) == (3, "policy_denied")
    assert not (command.folder / SECRET).exists()
    assert "holds the value of a secret" in said(ended)


def test_a_secret_that_json_escapes_is_found_nowhere(command: Command) -> None:
    """Reading the output brings it out: neither a difference nor what is captured tells it."""
    escaped = "".join(rf"\u{ord(character):04x}" for character in SECRET)
    (command.folder / "said.json").write_text(f'{{"{escaped}": "{escaped}", "a": "{escaped}"}}')
    ended = execute(
        command,
        create("a", "cat said.json"),
        create("b", "echo {{capture.x}}"),
        case_object("1", "RUN", "a", expected=success("RUN", stdout={"json": {"a": 1}})),
        case_object("2", "RUN", "a", capture={"x": {"stdout": "json", "pointer": "/a"}}),
        case_object("3", "RUN", "b", expected=success("RUN", stdout={"equals": "***"})),
        options=("--secret", "TOKEN"),
        TOKEN=SECRET,
    )
    assert ended.code == 3, ended
    assert 'observed "***" at /a' in said(ended)
    assert SECRET not in said(ended)
    for path in (command.folder / "state").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path
    log = command.folder / "state/channel-store/custom-command/b/log.jsonl"
    assert json.loads(log.read_text().splitlines()[-1])["payload"]["outcome"] == "success"


def test_a_secret_file_is_read_anew_in_each_cycle(command: Command) -> None:
    """So a key that is renewed reaches the next cycle, masked as the one before."""
    key = command.folder / "key"
    key.touch(mode=0o600)
    key.write_text(f"{SECRET}-1")
    cases = [create("a", "sh -c 'echo $KEY ${KEY##*-}'"), case_object("1", "RUN", "a")]
    command.write("fixture.json", {"schema_version": 1, "name": "x", "cases": cases})
    options = ("--no-policy-require-approval", "--every", "300ms", "--secret", "KEY=file:key")
    printed: set[str] = set()
    with command.start(*RUN, *options) as process:
        deadline = time.monotonic() + 3 * PATIENCE_SECONDS
        while len(printed) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
            with contextlib.suppress(FileNotFoundError):  # before the first cycle
                printed.add(audit(command.folder, "a")["stdout"])
            if printed:
                key.write_text(f"{SECRET}-2")
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, printed) == (0, {"*** 1\n", "*** 2\n"}), err
    assert SECRET.encode() not in everything(command.folder) + (out + err).encode()


def test_what_is_handed_on_shows_no_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where it is printed, and so in no traceback."""
    monkeypatch.setenv("TOKEN", SECRET)
    given = execution_options.DEFAULTS._replace(secrets=("TOKEN",))
    limits = CycleLimits(
        queue_limit=1, processed_case_cap=1, retry_max_attempts=1, retry_base_delay_ms=0
    )
    with noted() as stopping:
        found = execution_options.executing(given, ExecutionPolicy(), limits, tmp_path, stopping)
    assert (repr(found), found.secrets.values) == ("Executing(Secrets(TOKEN))", (SECRET.encode(),))


@pytest.mark.parametrize("template", ["echo {{token}}", "echo {{Token}} x"])
@pytest.mark.parametrize("arguments", [{}, {"token": "x"}, {"Token": "x"}])
def test_nothing_may_be_called_as_a_secret_is(
    command: Command, template: str, arguments: Json
) -> None:
    """Neither a placeholder nor an argument, in any case of letters: it could take its place."""
    case = case_object("1", "RUN", "a", arguments=arguments)
    options = ("--secret", "TOKEN")
    ended = execute(command, create("a", template), case, options=options, TOKEN=SECRET)
    assert ended.code == 3
    record = audit(command.folder, "a")
    assert (record["executed"], record["failure_reason"]) == (False, "policy_denied")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--secret", "NOSUCH"), "the variable NOSUCH is not set"),
        (("--secret", f"TOKEN={SECRET}"), "a value is never given on the command line"),
        (("--artifact-days", "0"), "must be a number of days from 1 to 36,500, or 'never'"),
        (("--artifact-days", "soon"), "must be a number of days"),
    ],
)
def test_wrong_usage(command: Command, words: tuple[str, ...], told: str) -> None:
    """Exit 2, with what is wrong, and without the value."""
    ended = execute(command, create("a", "true"), options=words)
    assert ended.code == 2
    assert told in " ".join(said(ended).replace("│", " ").split())
    assert SECRET not in said(ended)


def test_a_secret_file_that_is_gone_stops_the_cycle(command: Command) -> None:
    """Exit 5, and nothing runs."""
    options = ("--secret", "KEY=file:nosuch")
    ended = execute(command, create("a", "true"), case_object("1", "RUN", "a"), options=options)
    assert (ended.code, "nosuch: cannot read: No such file" in said(ended)) == (5, True)
    assert not (command.folder / "state").exists()


def test_what_cannot_be_stored_is_exit_5(command: Command) -> None:
    """The run counts as interrupted, and nothing of its artifact is left."""
    folder = "state/channel-store/custom-command/big"
    script = (
        f"sh -c 'head -c 20000 /dev/zero; touch {folder}/artifacts'"  # where the folder belongs
    )
    cases = (create("big", script), case_object("1", "RUN", "big"))
    assert execute(command, cases[0]).code == 0
    ended = execute(command, *cases)
    assert (ended.code, "-stdout.txt: cannot write: Not a directory" in said(ended)) == (5, True)
    (command.folder / folder / "artifacts").unlink()
    again = execute(command, *cases)
    assert (again.code, "1 RUN interrupted" in said(again)) == (0, True)
    assert audit(command.folder, "big")["failure_reason"] == "interrupted"
    assert not list((command.folder / folder).rglob("*.txt*"))


@pytest.mark.exhaustive
def test_killed_at_random_artifacts_and_records_agree(tmp_path: Path) -> None:
    """RUNs side by side, each of which writes more than a record holds: at any moment."""
    names = [f"c{number}" for number in range(6)]
    script = "sh -c 'head -c 30000 /dev/zero; head -c 30000 /dev/zero >&2'"
    cases = [create(name, script) for name in names]
    cases += [case_object(f"{name}-{n}", "RUN", name) for name in names for n in range(3)]
    options = (*RUN, "--no-policy-require-approval", "--max-parallel", "6")
    chance = random.Random()  # noqa: S311 - any moment will do
    for number in range(KILLS):
        command = Command(tmp_path / str(number))
        command.folder.mkdir()
        command.write("fixture.json", {"schema_version": 1, "name": "x", "cases": cases})
        with command.start(*options) as process:
            while not (command.folder / "state/.journal").exists() and process.poll() is None:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
        assert command(*options).code in {0, 3}
        state = command.folder / "state"
        interrupted = sum(
            entry["payload"].get("run_audit", {}).get("failure_reason") == "interrupted"
            for name in names
            for entry in StateFiles(state).entries(name)
        )
        assert assert_artifacts_are_those_of_the_records(state) == 2 * (18 - interrupted)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
def test_300_mb_cost_a_cycle_less_than_5_mb(command: Command) -> None:
    """From the pipe to the artifact and the record, on both streams."""

    def peak(megabytes: int) -> int:
        half = megabytes * 500_000
        script = f"sh -c 'head -c {half} /dev/zero; head -c {half} /dev/zero >&2'"
        name = f"m{megabytes}"
        cases = [create(name, script), case_object("1", "RUN", name)]
        command.write("fixture.json", {"schema_version": 1, "name": "x", "cases": cases})
        measuring = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        words: list[str | Path] = [
            sys.executable,
            "-c",
            measuring,
            COMMAND,
            *RUN,
            "--no-policy-require-approval",
        ]
        done = subprocess.run(
            words, cwd=command.folder, env=environment(), stdout=subprocess.PIPE, check=True
        )
        return int(done.stdout.split()[-1]) * 1024

    small, large = peak(0), peak(300)
    assert [line["bytes"] for line in artifacts(command.folder, "m300")] == [1024 * 1024] * 2
    print(f"{(large - small) / 1e6} MB more")  # noqa: T201 - pytest -rP shows it
    assert large - small < 5_000_000
