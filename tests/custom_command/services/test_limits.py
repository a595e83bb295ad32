"""No input exhausts memory: what is too much is refused by name, and what is promised is taken."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tau_custom_command import limits
from tau_custom_command.contract import strict_json
from tau_custom_command.contract.writes import AppendAt
from tau_custom_command.errors import FixtureRefusedError, StorageError
from tau_custom_command.fixture.loading import load
from tau_custom_command.storage import apply, read, state_directory
from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.running import COMMAND, Command, Runtime, environment

MOST_MIB = 450
"""What `validate` may take for 100,000 cases in 64 MiB: measured 410."""

SMALL_MIB = 130
"""What is refused before it costs memory may take: 34 at start-up, and the 64 that were read."""


def peak(*words: str | Path) -> tuple[int, str, int]:
    """Run the command; return its exit code, what it said, and its peak of memory in MiB."""
    script = (
        "import os, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "print(done.stdout + done.stderr)\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, COMMAND, *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    *said, figures = done.stdout.splitlines()
    code, mib = figures.split()
    return int(code), "\n".join(said), int(mib)


def padded(path: Path, cases: int, size: int) -> Path:
    """Write a fixture of so many cases that fills a size, and return its path."""
    one = json.dumps(case_object("{:06d}", "CREATE", "c-{:06d}", template="{}")).replace("{}", "@")
    room = (size - 200) // cases - len(one) - 2
    text = ", ".join(
        one.replace("{:06d}", f"{number:06d}").replace("@", "x" * room) for number in range(cases)
    )
    raw = f'{{"schema_version": 1, "name": "big", "cases": [{text}]}}'.encode()
    path.write_bytes(raw + b" " * (size - len(raw)))
    assert path.stat().st_size == size
    return path


def test_100_000_cases_in_64_mib_are_accepted(tmp_path: Path) -> None:
    """Both at once, which is the most that is promised; and the memory it takes is known."""
    fixture = padded(tmp_path / "most.json", 100_000, 64 * 1024 * 1024)
    code, said, mib = peak("validate", fixture)
    assert (code, said.splitlines()[0]) == (0, f"{fixture}: valid, 100000 cases")
    assert mib < MOST_MIB


def test_one_byte_more_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """And so is a sparse file of 10 GB."""
    fixture = tmp_path / "more.json"
    for size in (64 * 1024 * 1024 + 1, 10 * 1024**3):
        with fixture.open("wb") as file:
            file.truncate(size)
        code, said, mib = peak("validate", fixture)
        assert (code, mib < SMALL_MIB - 64) == (5, True)
        assert f"{fixture}: cannot read: it has more than 64 MiB" in said


def test_what_never_ends_is_refused(tmp_path: Path) -> None:
    """A device, and a pipe that somebody fills: their size shows only while they are read."""
    code, said, mib = peak("validate", "/dev/zero")
    assert (code, "/dev/zero: cannot read: it has more than 64 MiB" in said) == (5, True)
    assert mib < SMALL_MIB
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["/bin/sh", "-c", f"exec cat /dev/zero > {tmp_path}/pipe"]) as filler:
        code, said, mib = peak("run", tmp_path / "pipe", "--state-dir", tmp_path / "state")
        assert (code, "more than 64 MiB" in said) == (5, True)
        assert mib < SMALL_MIB
        filler.wait(timeout=20)
    assert not (tmp_path / "state").exists()


def test_a_fixture_may_come_through_a_pipe() -> None:
    """A shell's `<(…)` is one."""
    words: list[str | Path] = [COMMAND, "validate", "/dev/stdin"]
    done = subprocess.run(
        words,
        env=environment(),
        input=fixture_bytes(case_object()),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def problems(raw: bytes) -> list[str]:
    """Return the problems of a fixture."""
    with pytest.raises(FixtureRefusedError) as refused:
        load(raw, named="fixture.json")
    return [str(problem) for problem in refused.value.problems]


def test_one_case_more_is_refused() -> None:
    """Before each is looked at; the message names the limit."""
    raw = b'{"schema_version": 1, "name": "x", "cases": [%b1]}' % (b"1," * limits.MOST_CASES)
    assert problems(raw) == ["cases: holds 100,001 cases, and the most is 100,000; split it"]


@pytest.mark.parametrize(
    ("field", "most"),
    [("case_id", 10_000), ("operation", 10_000), ("command_name", 10_000), ("template", 1024**2)],
)
def test_texts_have_a_longest(field: str, most: int) -> None:
    """Each is refused with its case and its field, and not quoted as a whole."""
    case = case_object("a", "NOSUCH", expected=case_object()["expected"]) | {field: "x" * most}
    case["expected"] = {
        "outcome": "malformed_input",
        "status_code": 400,
        "error_code": "custom_command_invalid_operation",
    }
    load(fixture_bytes(case), named="fixture.json")
    (problem,) = problems(fixture_bytes(case | {field: "x" * (most + 1)}))
    expected = f"{field}: has {most + 1:,} characters, and the most is {most:,}; shorten it"
    assert problem.endswith(expected)
    assert len(problem) < 400


def test_header_texts_have_a_longest() -> None:
    """The name stands in every event, so it is bounded; a description has room."""
    long = {"name": "x" * 10_001, "description": "x" * (1024**2 + 1)}
    raw = fixture_bytes(case_object(), **long)
    assert [problem.partition(":")[0] for problem in problems(raw)] == ["name", "description"]


def test_a_suffix_has_a_longest(command: Command) -> None:
    """It becomes part of every case id."""
    (command.folder / "fixture.json").write_bytes(fixture_bytes(case_object()))
    done = command("run", "fixture.json", "--case-suffix", "x" * 10_001)
    assert (done.code, "10,000 characters" in done.err) == (2, True)


MANY_KEYS = {f"k{number}": 0 for number in range(50_000)}
MANY = [
    (
        {"execution_policy": {"allowed_env": [0] * 700_000}},
        "execution_policy.allowed_env.0: must be",
    ),
    ({"execution_policy": {"denied_env": ["1"] * 300_000}}, "execution_policy.denied_env: holds"),
    (
        {
            "command_spec": {
                "name": "greet",
                "template": "echo {{who}}",
                "execution_policy": {"allowed_env": ["a"] * 300_000},
            }
        },
        "command_spec.execution_policy.allowed_env: holds 300,000 names",
    ),
    (MANY_KEYS, "has 50,000 keys that are not known, 'k0' first"),
    ({"expected": MANY_KEYS}, "expected: has 50,000 keys that are not known, 'k0' first"),
    ({"command_spec": MANY_KEYS}, "command_spec: has 50,000 keys that are not known, 'k0' first"),
    (
        {"execution_policy": MANY_KEYS},
        "execution_policy: has 50,000 keys that are not known, 'k0' first",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), MANY, ids=[expected for _, expected in MANY])
def test_very_many_problems_of_a_case_take_little(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    """What there is too much of is one problem, however many it would be one by one."""
    fixture = tmp_path / "many.json"
    fixture.write_bytes(fixture_bytes(case_object("a", **changes)))
    code, said, mib = peak("validate", fixture)
    assert (code, f"case 'a': {expected}" in said) == (5, True)
    assert len(said.splitlines()) <= 3
    assert mib < SMALL_MIB


def test_very_many_unknown_keys_of_a_header_take_little(tmp_path: Path) -> None:
    """They are one problem, told by the first of them."""
    fixture = tmp_path / "many.json"
    fixture.write_bytes(fixture_bytes(**MANY_KEYS))
    code, said, mib = peak("validate", fixture)
    assert (code, f"{fixture}: has 50,000 keys that are not known, 'k0' first" in said) == (5, True)
    assert said.splitlines()[-1] == f"{fixture}: 1 problem"
    assert mib < SMALL_MIB


def test_no_more_problems_are_told_than_anybody_reads(tmp_path: Path) -> None:
    """100,000 cases of which each lacks everything: the first problems, and that there are more."""
    fixture = tmp_path / "many.json"
    cases = b",".join([b"{}"] * 100_000)
    fixture.write_bytes(b'{"schema_version": 1, "name": "x", "cases": [%b]}' % cases)
    code, said, mib = peak("validate", fixture)
    assert code == 5
    assert said.splitlines()[-2:] == [
        f"{fixture}: has more than 10,000 problems; these are the first",
        f"{fixture}: 10001 problems",
    ]
    assert mib < SMALL_MIB


@pytest.mark.unmeasured
def test_exactly_the_most_problems_are_all_told() -> None:
    """At the limit nothing is left out, and nothing says that there is more."""
    cases = [case_object(f"{number:05d}", template=1) for number in range(limits.MOST_PROBLEMS)]
    told = problems(fixture_bytes(*cases))
    assert len(told) == limits.MOST_PROBLEMS
    assert told[-1].startswith("case '09999': template: ")


def test_a_policy_may_name_a_thousand() -> None:
    """So many names are accepted in each list, and one more is refused."""
    names = [f"n{number}" for number in range(limits.MOST_NAMES)]
    case = case_object(template="echo {{n1}}", execution_policy={"allowed_env": names})
    load(fixture_bytes(case), named="fixture.json")
    case["execution_policy"] = {"allowed_env": [*names, "more"], "denied_env": ["n1"]}
    (problem,) = [each for each in problems(fixture_bytes(case)) if "allowed_env" in each]
    expected = "allowed_env: holds 1,001 names, and the most is 1,000; leave some out"
    assert problem.endswith(expected)


@pytest.mark.exhaustive
def test_very_many_values_are_refused_before_they_are_made() -> None:
    """However they are written: each would take many times the memory that it has in the file.

    They are so few too many that all of them count: elements, lists and objects.
    """
    ten = b'[],{},0,{"a":1},[[0]],'
    assert [ten.count(mark) for mark in (b",", b"[", b"{")] == [5, 3, 2]
    raw = b"[%b0]" % (ten * (strict_json.MOST_VALUES // 10))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(strict_json.JsonRefusedError, match="more than 10,000,000 values"):
        strict_json.decode(raw)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_marks_in_strings_are_no_values() -> None:
    """A text may hold as many commas and braces as it likes, also after escaped quotes."""
    text = ',[{\\"' * 4_000_000
    assert len(strict_json.decode(f'["{text}"]'.encode())[0]) == 4 * 4_000_000


class TestStateDirectories:
    """What lies in a state directory is read within limits too."""

    @pytest.mark.parametrize(
        "name", ["state.json", ".journal", ".journal.done", "runtime-events.jsonl"]
    )
    def test_sparse_files_are_not_read(self, runtime: Runtime, name: str) -> None:
        """10 GB of nothing: exit 5 with the file and the limit, or nothing to be read of it."""
        runtime.run(case_object())
        path = runtime.state_dir / name
        with path.open("ab") as file:
            file.truncate(10 * 1024**3)
        for words in (("registry", "list"), ("run", runtime.folder / "fixture.json"), ("recover",)):
            code, said, mib = peak(*words, "--state-dir", runtime.state_dir)
            assert mib < SMALL_MIB, words
            if code == 5:
                assert f"{path}: cannot " in said
                assert " MiB, the most" in said
        path.unlink(missing_ok=True)

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"processed_case_keys": ["a", *[0] * 400_000]}, "processed_case_keys.1: must be a"),
            ({"failed_case_keys": [0] * 400_000}, "failed_case_keys.0: must be a string (found 0)"),
            ({"commands": [{}] * 400_000}, "commands.0.case_key: is missing; add it"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_very_many_wrong_items_of_a_state_take_little(
        self, runtime: Runtime, changes: dict[str, object], expected: str
    ) -> None:
        """The first wrong item is told, and the rest is not looked for."""
        runtime.run(case_object())
        path = runtime.state_dir / "state.json"
        path.write_text(json.dumps(runtime.files.state() | changes))
        code, said, mib = peak("registry", "list", "--state-dir", runtime.state_dir)
        assert (code, f"{path}: {expected}" in said) == (5, True)
        assert ".2: " not in said
        assert mib < SMALL_MIB

    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            ({"allowed_env": ["a", *[0] * 400_000]}, "allowed_env.1: must be a string (found 0)"),
            (MANY_KEYS, " has 50,000 keys that are not known, 'k0' first"),
            (5, " must be an object (found 5)"),
        ],
        ids=["names", "keys", "no object"],
    )
    def test_very_much_that_is_wrong_with_a_policy_takes_little(
        self, runtime: Runtime, policy: object, expected: str
    ) -> None:
        """A record holds a form of the fixture's, and it is bounded there too."""
        runtime.run(case_object())
        state = runtime.files.state()
        state["commands"][0]["execution_policy"] = policy
        (runtime.state_dir / "state.json").write_text(json.dumps(state))
        code, said, mib = peak("registry", "list", "--state-dir", runtime.state_dir)
        found = said.partition("commands.0.execution_policy")[2]
        assert (code, found.lstrip(".:").startswith(expected)) == (5, True)
        assert mib < SMALL_MIB

    def test_a_state_may_hold_longer_policies_than_a_fixture(self, runtime: Runtime) -> None:
        """What an earlier version registered is read as it was."""
        runtime.run(case_object())
        state = runtime.files.state()
        names = [f"n{number}" for number in range(5_000)]
        state["commands"][0]["execution_policy"]["denied_env"] = names
        (runtime.state_dir / "state.json").write_text(json.dumps(state))
        runtime.run(case_object("b", "CREATE", "other"))
        assert runtime.files.state()["commands"][0]["execution_policy"]["denied_env"] == names

    def test_a_long_line_is_found_by_its_beginning(self, tmp_path: Path) -> None:
        """Reading backwards stops where a line is longer than any of ours."""
        log = tmp_path / "log.jsonl"
        log.write_bytes(b"x" * (limits.LONGEST_LINE_BYTES + 2 * 65536) + b"\nlast\n")
        lines = read.lines_backwards(log)
        assert next(lines) == b"last\n"
        with pytest.raises(StorageError, match="a line has more than 64 MiB"):
            next(lines)

    def test_a_state_that_could_not_be_read_back_is_not_written(
        self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The cycle that would make it too large is refused; the earlier state stays."""
        runtime.run(case_object())
        before = runtime.files.contents()
        monkeypatch.setattr(state_directory, "LARGEST_STATE_FILE_BYTES", 1000)
        with pytest.raises(Exception, match="nothing was written"):
            runtime.run(case_object("b", "CREATE", "other"))
        assert runtime.files.contents() == before

    def test_a_log_that_somebody_else_grew_is_not_read(self, tmp_path: Path) -> None:
        """What stands where lines belong is kept aside only as far as it can be held."""
        with (tmp_path / "log.jsonl").open("wb") as file:
            file.write(b"\n")
            file.truncate(limits.LARGEST_STATE_FILE_BYTES + 100)
        change = AppendAt(path="log.jsonl", offset=1, torn=b"", content=b"{}\n")
        with pytest.raises(StorageError, match="more to it than can be kept"):
            apply.bring_up(tmp_path, [change])
