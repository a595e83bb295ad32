"""Cases that register and run commands for real, unconfined, and what comes of them."""

import json
from pathlib import Path
from typing import Any

from tests.custom_command.cases import case_object
from tests.custom_command.running import Command, Finished, Json

UNCONFINED = ("--policy-sandbox-profile", "unrestricted", "--policy-allow-shell")
EXECUTE = ("--run-mode", "execute", "--no-policy-require-approval", "--json")
RUN = ("run", "fixture.json", "--state-dir", "state", *EXECUTE, *UNCONFINED)


def create(name: str, template: str, **changes: Any) -> Json:  # noqa: ANN401 - JSON
    """Return a case that registers a command, before all others."""
    policy = {"allow_shell": True, "sandbox_profile": "unrestricted"} | changes
    return case_object(f"0-{name}", "CREATE", name, template=template, execution_policy=policy)


def run(case_id: str, name: str, **changes: Any) -> Json:  # noqa: ANN401 - JSON
    """Return a case that runs a command, and succeeds."""
    return case_object(case_id, "RUN", name, **changes)


def execute(command: Command, *cases: Json, options: tuple[str, ...] = ()) -> Finished:
    """Execute a fixture of these cases in a cycle, unconfined."""
    write(command.folder, *cases)
    return command("run", "fixture.json", "--state-dir", "state", *EXECUTE, *UNCONFINED, *options)


def write(folder: Path, *cases: Json) -> None:
    """Write a fixture."""
    fixture = {"schema_version": 1, "name": "demo", "cases": cases}
    folder.joinpath("fixture.json").write_text(json.dumps(fixture))


def payloads(folder: Path, channel: str) -> list[Json]:
    """Return what the log of a channel says, line by line."""
    log = folder / "state/channel-store/custom-command" / channel / "log.jsonl"
    return [json.loads(line)["payload"] for line in log.read_text().splitlines()]
