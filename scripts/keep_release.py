#!/usr/bin/env python3
"""Keeps what a released wheel writes: fixtures/state-contract/releases/<package>-<version>/.

The wheel is installed alone in an empty environment and takes the commands of `SCENARIOS`, with the
time pinned. What it leaves is kept beside `release.json`, which says which wheel that was, which
commands it took, how each ended, and which file has its answer. What a package only reads was
written by the command runtime of this checkout, which `release.json` names. Today's programs are
tested against all that was kept (tests/contract/test_releases.py, runbooks/compatibility.md).

Run again with the same wheel it writes the same, but for the ids of cycles, which are drawn, and
all that holds their digests; for how long commands took that really ran; and for inodes in a
journal.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / "fixtures/contracts"
RELEASES = ROOT / "fixtures/state-contract/releases"
RUNTIME = ROOT / ".venv/bin/tau-custom-command"
UV = ROOT / ".venv/bin/uv"

PLACE = Path("/tmp/tau-release")  # noqa: S108 - refused if anything is there
"""Where the commands run: one place, since a rollout holds absolute paths and their digests."""

BEGIN_UNIX_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
MONITOR_MINUTES = 24 * 60
"""How long the last phase is, which ends with the sign-off."""


class Step(NamedTuple):
    """A command line: the program without its `tau-`, when it runs, how it ends, what it answers.

    `answer` names the file for its stdout; None where that is not kept.
    """

    line: str
    after_ms: int = 0
    exits: int = 0
    answer: str | None = None


def cycle(state_dir: str, number: int, **more: Any) -> Step:  # noqa: ANN401 - a step's own
    """Return a cycle in which all goes well."""
    line = f"custom-command run given/rollout-pass.json --state-dir {state_dir}"
    return Step(f"{line} --case-suffix=-{number}", **more)


def runtime_steps() -> Iterator[Step]:
    """Yield cycles that end in every way, rotated logs, and commands that really run."""
    run = "custom-command run given/{}.json --state-dir recorded --json"
    yield Step(run.format("mixed-outcomes"), answer="run-mixed")
    yield Step(run.format("rollout-pass"), 5 * MINUTE_MS, answer="run")
    yield Step(run.format("drift"), 5 * MINUTE_MS, exits=3, answer="run-drift")
    rotate = " --max-events-bytes=1 --max-channel-log-bytes=2000"
    yield Step(run.format("rollout-pass") + " --queue-limit=3 --case-suffix=-b" + rotate, HOUR_MS)
    yield Step(run.format("rollout-pass") + " --release=1.4.0 --case-suffix=-c", 5 * MINUTE_MS)
    policy = "--policy-sandbox-profile=unrestricted --policy-allow-shell"
    executing = f"--run-mode=execute --no-policy-require-approval {policy}"
    yield Step(
        f"custom-command run given/executed.json --state-dir executed --json {executing}",
        exits=3,
        answer="run-executed",
    )
    yield Step("custom-command validate given/mixed-outcomes.json --json", answer="validate")
    for words, answer in (("list", "registry-list"), ("show disk-usage", "registry-show")):
        yield Step(f"custom-command registry {words} --state-dir recorded --json", answer=answer)


def inspector_steps() -> Iterator[Step]:
    """Yield every question about a state directory with some history."""
    yield from (step._replace(answer=None) for step in runtime_steps() if " run " in step.line)
    where = "--state-dir recorded"
    for command in ("inspect", "status", "diagnose"):
        asked = f"transport-health {command} custom-command {where} --json"
        yield Step(asked, answer=command)
        yield Step(asked.replace("recorded", "executed"), exits=3, answer=f"{command}-executed")
    yield Step(f"transport-health check custom-command {where}", answer="check")
    yield Step(f"transport-health export custom-command {where}", answer="export")
    for words in ("list", "verify", "show"):
        channel = " disk-usage" if words == "show" else ""
        yield Step(
            f"transport-health channels {words} custom-command{channel} {where} --json",
            answer=f"channels-{words}",
        )
    yield Step(
        "transport-health targets add billing --state-dir b --label x --targets targets.toml"
    )
    yield Step("transport-health targets list --targets targets.toml --json", answer="targets")


def gate_steps() -> Iterator[Step]:
    """Yield three rollouts: one that is open, one that completes, and one that is rolled back."""
    for name in ("open", "complete", "back"):
        yield from _rollout(name)


def _rollout(name: str) -> Iterator[Step]:
    state_dir, place = f"{name}/state", f"--rollout-dir {name}/rollout"
    gate = "rollout-gate {} " + place
    yield cycle(state_dir, 0)
    yield Step(
        gate.format("start") + " --release 1.4.0 --rollback-to 1.3.2 --cycle-interval 2h "
        f"--surface custom-command={state_dir}"
    )
    yield Step(gate.format("advance") + " --validation given/report.json")
    numbers = iter(range(1, 100))
    phases = ((30, 2), (60, 2), (120, 2), (MONITOR_MINUTES, 4))
    for minutes, cycles in phases[: {"open": 1, "complete": 4, "back": 2}[name]]:
        for _ in range(cycles):
            yield cycle(state_dir, next(numbers), after_ms=minutes * MINUTE_MS // cycles)
        signed = " --signoff given/signoff.toml" if minutes == MONITOR_MINUTES else ""
        yield Step(gate.format("advance") + signed)
    if name == "open":
        yield cycle(state_dir, next(numbers), after_ms=MINUTE_MS)
    if name == "back":
        drift = f"custom-command run given/drift.json --state-dir {state_dir}"
        yield Step(drift, 5 * MINUTE_MS, exits=3)
        yield Step(gate.format("advance"), exits=4)
        yield Step(gate.format("rollback") + " --reason drift")
    verdict = {"open": 3, "complete": 0, "back": 4}[name]
    for form in ("json", "junit", "openmetrics", "markdown", "github"):
        asked = gate.format("evaluate") + f" --format {form}"
        yield Step(asked, exits=verdict, answer=f"{name}-{form}")
    for command in ("status", "history", "verify"):
        yield Step(gate.format(command) + " --format json", answer=f"{name}-{command}")


SCENARIOS = {
    "custom-command": runtime_steps,
    "transport-health": inspector_steps,
    "rollout-gate": gate_steps,
}


def given() -> Iterator[tuple[str, bytes]]:
    """Yield the files that the commands are given, each with its name."""
    for name in ("rollout-pass", "mixed-outcomes", "drift"):
        yield f"{name}.json", CONTRACTS.joinpath(f"{name}.json").read_bytes()
    policy = {"allow_shell": True, "sandbox_profile": "unrestricted"}
    templates = {
        "fine": "echo {{word}}",
        "fails": "sh -c 'echo err >&2; exit 3'",
        "long": "seq 1 5000",
        "none": "no-such-program",
    }
    cases: list[dict[str, Any]] = []
    for name, template in templates.items():
        about = {"command_name": name, "template": template, "execution_policy": policy}
        cases.append({"case_id": f"0-{name}", "operation": "CREATE", **about})
        cases.append({"case_id": f"1-{name}", "operation": "RUN", "command_name": name})
    cases[1]["arguments"] = {"word": "x"}
    fixture = {"schema_version": 1, "name": "executed", "cases": cases}
    yield "executed.json", json.dumps(fixture, indent=2).encode() + b"\n"
    report = {"release": "1.4.0", "total": 16, "passed": 16, "failed": 0}
    yield "report.json", json.dumps(report).encode() + b"\n"
    yield "signoff.toml", _signoff().encode()


def _signoff() -> str:
    items = {
        "preflight": ("harness_passed", "ci_matrix_passed", "rollback_target_captured"),
        "canary_phases": ("canary_1", "canary_2", "canary_3"),
        "rollback_readiness": ("trigger_matrix_reviewed", "rollback_rehearsed"),
        "surface_verification": ("custom-command",),
        "general_availability": ("monitored_24_h", "no_unresolved_trigger", "final_approval"),
    }
    head = 'release = "1.4.0"\nchannel = "stable"\ndate = "2026-01-02"\nowner = "Ann"\n'
    text = head + 'reviewers = ["Rob"]\n'
    for section, names in items.items():
        text += f"\n[{section}]\n"
        text += "".join(f'{name} = "https://ci.acme.dev/{section}/{name}"\n' for name in names)
    return text


def take(steps: Sequence[Step], place: Path, programs: Path) -> Iterator[dict[str, Any]]:
    """Run each command in `place`; yield what release.json says of it.

    Raises:
        RuntimeError: if one does not end as it should.
    """
    now = BEGIN_UNIX_MS
    for step in steps:
        now += step.after_ms
        name, *words = step.line.split()
        own = programs / f"tau-{name}"
        pinned = {
            f"TAU_{each}_NOW_UNIX_MS": str(now)
            for each in ("CUSTOM_COMMAND", "TRANSPORT_HEALTH", "ROLLOUT_GATE")
        }
        done = subprocess.run(
            [own if own.exists() else RUNTIME, *words],
            cwd=place,
            env={"PATH": "/usr/bin:/bin", "HOME": str(place), "LOGNAME": "ann", **pinned},
            capture_output=True,
            check=False,
        )
        if done.returncode != step.exits:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise RuntimeError(f"{step.line}: exit {done.returncode}, not {step.exits}\n{said}")
        if step.answer is not None:
            answers = place / "answers"
            answers.mkdir(exist_ok=True)
            answers.joinpath(f"{step.answer}.txt").write_bytes(done.stdout)
        yield {"line": step.line, "now_unix_ms": now, "exits": step.exits, "answer": step.answer}


def version_of(program: Path) -> str:
    """Return the version that a program says it is."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return told.stdout.splitlines()[0].split()[1]


def keep(wheel: Path, place: Path, releases: Path) -> Path:
    """Make the folder of a wheel anew; return it."""
    package = wheel.name.partition("-")[0].removeprefix("tau_").replace("_", "-")
    with TemporaryDirectory() as scratch:
        venv = Path(scratch) / "venv"
        quietly = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
        lock = ROOT / "requirements.lock"
        make = ("venv", "--quiet", "--no-project", "--python", sys.executable, venv)
        install = ("pip", "install", "--quiet", "--python", venv / "bin/python")
        for words in (make, (*install, "--constraints", lock, wheel)):
            subprocess.run([UV, *words], env=quietly, check=True)
        programs = venv / "bin"
        about: Mapping[str, Any] = {
            "package": f"tau-{package}",
            "version": version_of(programs / f"tau-{package}"),
            "wheel": wheel.name,
            "wheel_sha256": sha256(wheel.read_bytes()).hexdigest(),
            "runtime_version": version_of(
                RUNTIME if package != "custom-command" else programs / "tau-custom-command"
            ),
            "place": str(place),
        }
        place.joinpath("given").mkdir()
        for name, raw in given():
            place.joinpath("given", name).write_bytes(raw)
        commands = list(take(list(SCENARIOS[package]()), place, programs))
    place.joinpath("release.json").write_text(
        json.dumps({**about, "commands": commands}, indent=2) + "\n"
    )
    folder = releases / f"{package}-{about['version']}"
    # A development version stands in until there is a release, and for no other one.
    for each in (folder, *releases.glob(f"{package}-*.dev*")):
        shutil.rmtree(each, ignore_errors=True)
    # Without their modes: a checkout has those of files that anyone may read.
    shutil.copytree(
        place, folder, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns(".lock")
    )
    return folder


def main() -> int:
    """Keep what each wheel writes; tell where."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL", help="a released wheel")
    parser.add_argument("--releases", type=Path, default=RELEASES, help="where the folders are")
    parser.add_argument("--place", type=Path, default=PLACE, help="where the commands run")
    options = parser.parse_args()
    for wheel in options.wheels:
        if not wheel.is_file():
            parser.error(f"{wheel}: there is no such file; name the wheel that was published")
        try:
            options.place.mkdir(mode=0o700)
        except FileExistsError:
            parser.error(f"{options.place} is there already: remove it, or wait for who uses it")
        try:
            print(keep(wheel.resolve(), options.place, options.releases))
        except RuntimeError as error:
            print(f"keep_release: {error}", file=sys.stderr)
            return 1
        finally:
            shutil.rmtree(options.place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
