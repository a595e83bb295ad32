"""Where the contract lies, and how its tests start the command: as a process, like anyone else."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests import forking

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "fixtures/contracts"
STATE_CONTRACT = ROOT / "fixtures/state-contract/v1"
COMMAND = Path(sys.executable).parent / "tau-custom-command"
PATIENCE_SECONDS = 60.0
"""How long a test waits for a process before it gives up."""

FORMS = (
    "fixture",
    "state",
    "event",
    "channel",
    "channel-log",
    "context",
    "artifact-index",
    "paused",
    "shipped-state",
)
"""What the runtime leaves or reads; each has samples, but for the fixture."""

FORMS_OF_THE_GATE = ("answer", "rollout", "decision")
"""What the gate prints, and what it leaves in the rollout directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended: its exit code, and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


def start(*arguments: str | Path, umask: int = -1) -> Ended:
    """Run the command with `arguments` to its end; a `umask` of -1 is this process's own."""
    done = forking.run(
        COMMAND, *arguments, cwd=Path.cwd(), env=os.environ, timeout=PATIENCE_SECONDS, umask=umask
    )
    return Ended(
        exit_code=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode()
    )


def run_fixture(fixture: Path, state_dir: Path, *options: str) -> tuple[Ended, dict[str, Any]]:
    """Process a fixture in one cycle; return how that ended, and the summary for programs."""
    ended = start("run", fixture, "--state-dir", state_dir, "--json", *options)
    return ended, json.loads(ended.stdout) if ended.stdout else {}


def execute_runs(folder: Path) -> Path:
    """Execute RUNs that end in every way, in a cycle; return the state directory.

    They succeed, fail, drift, are not found, are refused, take too long, die of a signal, and write
    much, no text, or nothing.
    """
    policy = {"allow_shell": True, "sandbox_profile": "unrestricted"}
    templates = {
        "fine": "echo {{word}}",
        "fails": "sh -c 'echo out; echo err >&2; exit 3'",
        "long": "sh -c 'head -c 2000000 /dev/zero; head -c 20000 /dev/zero >&2'",
        "bytes": r"printf '\\377\\n'",
        "dies": "sh -c 'kill -9 $$'",
        "slow": "sleep 60",
        "none": "no-such-program",
    }
    cases: list[dict[str, Any]] = []
    for name, template in templates.items():
        about = {"command_name": name, "template": template, "execution_policy": policy}
        cases.append({"case_id": f"0-{name}", "operation": "CREATE", **about})
        run = {"case_id": f"1-{name}", "operation": "RUN", "command_name": name}
        cases.append(run | {"timeout_ms": 500} if name == "slow" else run)
    cases[1]["arguments"] = {"word": "x"}
    missing = {"case_id": "2-fine", "operation": "RUN", "command_name": "fine"}
    drifts = {"outcome": "success", "status_code": 200, "stdout": {"equals": "y"}}
    cases += [missing, cases[1] | {"case_id": "3-fine", "expected": drifts}]
    fixture = folder / "execute.json"
    fixture.write_text(json.dumps({"schema_version": 1, "name": "execute", "cases": cases}))
    options = ("--policy-sandbox-profile=unrestricted", "--policy-allow-shell")
    executing = ("--run-mode=execute", "--no-policy-require-approval")
    ended, _ = run_fixture(fixture, folder / "state", *executing, *options)
    assert ended.exit_code == 3, ended
    return folder / "state"


def schema_of(form: str) -> dict[str, Any]:
    """Return the published schema of a form."""
    schema: dict[str, Any] = json.loads(STATE_CONTRACT.joinpath(f"{form}.schema.json").read_bytes())
    return schema


def closed(schema: Any) -> Any:  # noqa: ANN401 - a schema is any JSON value
    """Return `schema` with every object closed, so that a key it lacks is an error.

    The forms are what says `type: object`; a condition names some properties without that.
    """
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: closed(item) for key, item in schema.items()}
    if copy.get("type") == "object" and "properties" in copy:
        copy.setdefault("additionalProperties", False)
    return copy


def state_files(state_dir: Path) -> Iterator[tuple[str, Path]]:
    """Yield the form and the path of every file of the contract in a state directory.

    Raises:
        KeyError: for a file that the contract does not know.
    """
    forms = {
        "state.json": "state",
        "runtime-events.jsonl": "event",
        "schema.json": "channel",
        "log.jsonl": "channel-log",
        "context.jsonl": "context",
        "index.jsonl": "artifact-index",
        "MEMORY.md": "",
        ".lock": "",
        ".journal.done": "",
    }
    for path in sorted(state_dir.rglob("*")):
        if path.parent.name == "artifacts" and path.suffix == ".txt":
            continue  # bytes that a command wrote
        if path.is_file() and forms[path.name]:
            yield forms[path.name], path


def values_in(path: Path) -> list[Any]:
    """Return the values in a state file: one of a document, one a line of JSON Lines.

    Raises:
        ValueError: where one is not strict JSON, or the last line has no line break.
    """
    raw = path.read_bytes()
    if path.suffix != ".jsonl":
        return [strictly(raw)]
    *lines, torn = raw.split(b"\n")
    if torn:
        raise ValueError("the last line is torn")
    return [strictly(line) for line in lines]


def strictly(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value
    """Return the JSON value in `raw`, read by the contract's rules for every file.

    A number with a fraction becomes a Decimal, which is no integer to a schema even where the
    fraction is 0.

    Raises:
        ValueError: for all that a plain JSON reader would let pass, and all that it would not.
    """

    def refuse(text: str) -> Any:  # noqa: ANN401 - never returns
        raise ValueError(f"{text} is not a JSON number")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise ValueError("a key stands twice in one object")
        return value

    return json.loads(
        raw.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse, parse_float=Decimal
    )


def errors_of(validator: Draft202012Validator, value: object) -> list[str]:
    """Return what is wrong with `value`, a line for each error."""
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
