"""The runbook of a fleet, followed to the letter: its files are written, its commands are run.

What it cannot have here is put in its place: `ssh` runs a command on this machine as that host,
`apt-get` installs nothing, `/etc/tau` and `/srv` lie in a folder, and the hosts' logs are made, of
whatever release is written where the runbook writes it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.rollout_gate.making import ENTERED, MINUTE, SURFACE, History, Json, failed

REPOSITORY = Path(__file__).parents[2]
ROSTER, DEPLOY = "From a roster to complete", "deploy.sh 1.4.0"
RUNBOOK = REPOSITORY / "runbooks" / "fleet-ops.md"
COMMANDS = Path(sys.executable).parent
NAMES = tuple(f"web-{number:02d}" for number in range(40))
_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXITS = re.compile(r"#.*?\bexit (\d)(?: or (\d))?")
_SSH = """#!/bin/sh
# ssh -n HOST COMMAND: runs it on this machine, with the files of that host
[ "$1" = -n ] && shift
host=$1
shift
mkdir -p "$ROOT/hosts/$host"
printf '%s\\n' "$*" | sed "s#/etc/tau#$ROOT/hosts/$host#g" | sh
"""
PATIENCE_SECONDS = 60.0


def blocks(section: str) -> Iterator[tuple[str, str, str]]:
    """Yield the language, the file's name and the text of each block of a section."""
    text = RUNBOOK.read_text("utf-8")
    part = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert part is not None, section
    yield from (tuple(found) for found in _FENCE.findall(part[1]))


class Operator:
    """Somebody who follows the runbook, and a fleet that does what it does meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = ENTERED
        self.logs = {name: History() for name in NAMES}
        self.bad: tuple[str, ...] = ()
        programs = folder / "programs"
        programs.mkdir()
        shims = {"ssh": _SSH, "sudo": '#!/bin/sh\nexec "$@"\n', "apt-get": "#!/bin/sh\n"}
        for name, text in shims.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        roster = (f"{name}\tzone-{'ab'[at % 2]}\n" for at, name in enumerate(NAMES))
        (folder / "roster.tsv").write_text("".join(roster))
        (folder / "report.json").write_text(
            '{"release": "1.4.0", "total": 9, "passed": 9, "failed": 0}'
        )
        self.cycles(3)

    def release(self, name: str) -> str:
        """Return what a host's `/etc/tau/release` says."""
        told = self.folder / "hosts" / name / "release"
        return told.read_text().strip() if told.exists() else "1.3.2"

    @property
    def carrying(self) -> int:
        """Return how many hosts have the release."""
        return sum(self.release(name) == "1.4.0" for name in self.logs)

    def cycles(self, count: int) -> None:
        """Let every host run cycles, five minutes apart."""
        for _ in range(count):
            self.now += 5 * MINUTE
            for name, log in self.logs.items():
                streak = 1 + (log.last()["failure_streak"] if log.lines else 0)
                trouble: Json = failed(streak=streak) if name in self.bad else {}
                release = self.release(name)
                log.add(self.now, release=release, runtime_version=release, **trouble)
        for name, log in self.logs.items():
            log.write(self.folder / "srv/fleet" / name / SURFACE)

    def run(self, line: str, code: int | None = None, **environment: str) -> str:
        """Run a line of the runbook; it exits with `code`, else with 0 or as its comment says."""
        words = line.replace("/srv/", f"{self.folder}/srv/")
        ran = subprocess.run(
            ["/bin/sh", "-c", words],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder}/programs:{COMMANDS}:/usr/bin:/bin",
                "HOME": str(self.folder),
                "ROOT": str(self.folder),
                "TAU_ROLLOUT_GATE_NOW_UNIX_MS": str(self.now),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        said = _EXITS.search(line)
        codes = {0, *(int(each) for each in said.groups() if each)} if said else {0}
        assert ran.returncode in ({code} if code is not None else codes), f"{line}\n{ran}"
        return ran.stdout

    def write(self, name: str, text: str) -> None:
        """Write a file of the runbook; what is of one file in several blocks is one."""
        path = self.folder / name
        mine = text.replace("/srv/", f"{self.folder}/srv/")
        path.write_text((path.read_text() if path.exists() else "") + mine)
        path.chmod(0o755 if text.startswith("#!") else 0o644)

    def follow(self, section: str, until: str = "") -> list[str]:
        """Write the files and run the commands of a section, up to one; return the rest."""
        left: list[str] = []
        for language, name, text in blocks(section):
            if name:
                self.write(name, text)
            elif language == "sh":
                for line in text.splitlines():
                    if left or (until and until in line):
                        left.append(line)
                    else:
                        self.run(line)
        return left

    def signs_off(self) -> None:
        """Fill in the checklist, as people do."""
        (path,) = self.folder.rglob("signoff.toml")
        day = datetime.fromtimestamp(self.now / 1000, UTC).date()
        text = path.read_text().replace('date = ""', f"date = {day}")
        text = text.replace('owner = ""', 'owner = "ada"').replace("= []", '= ["bob"]')
        proofs = [self.folder / f"proof-{number}.md" for number in range(text.count('= ""'))]
        for proof in proofs:  # each item needs evidence of its own
            proof.write_text(f"{proof.name}: seen")
        names = (f'= "{proof.name}"' for proof in proofs)
        path.write_text(re.sub('= ""$', lambda _: next(names), text, flags=re.MULTILINE))


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """Return somebody with the runbook, and a fleet of forty hosts in two zones."""
    return Operator(tmp_path)


def test_from_a_roster_to_complete(operator: Operator) -> None:
    """Forty hosts get the release, phase by phase; nobody has it who is not to."""
    deploy, advance, init, verify, *looks = operator.follow(ROSTER, until=DEPLOY)
    for minutes, share in ((35, 2), (65, 10), (125, 20)):
        operator.run(deploy)
        operator.run(advance, code=3)
        assert operator.carrying == share
        operator.cycles(minutes // 5)
        assert "PROMOTE" in operator.run(advance, code=0)
    operator.run(deploy)
    assert operator.carrying == 40
    operator.cycles(24 * 12 + 1)
    assert "signoff" in operator.run(advance, code=3)
    operator.run(init)
    operator.run(verify, code=3)
    for line in looks:
        operator.run(line, code=0 if " hosts " in line else 3)
    assert (operator.folder / "rollout.html").read_text().count("<i title=") == 40
    assert operator.run("./inventory.sh --list", RELEASE="1.4.0").count("web-") == 40
    operator.run("./inventory.sh --list", code=2, RELEASE="1.3.9")  # a timer that was left over
    operator.signs_off()
    operator.run(verify, code=0)
    assert "COMPLETE" in operator.run(advance, code=0)


def test_hosts_that_are_not_clean_and_going_back(operator: Operator) -> None:
    """What it says of single hosts works on them; then the canaries fail, and it goes back."""
    deploy, advance, *_ = operator.follow(ROSTER, until=DEPLOY)
    for minutes in (35, 65):
        operator.run(deploy)
        operator.cycles(minutes // 5)
        operator.run(advance, code=0)
    operator.run(deploy)
    operator.cycles(14)  # in canary-3: those of canary-2 have served their soak, the new ones not
    operator.run(advance, code=3)
    one, gone, *others = operator.run("tau-rollout-gate cohort").split()
    roster = operator.folder / "roster.tsv"
    roster.write_text(roster.read_text().replace(f"{gone}\t", f"other-{gone}\t"))
    for line in operator.follow("When a host is not clean", until="tau-"):
        operator.run(line.replace("HOST", one), code=3 if "explain" in line else 0)
    operator.bad = tuple(others[:6])
    operator.cycles(1)
    assert "ROLLBACK" in operator.run(advance, code=4)
    back, carrying, revert = operator.follow("Going back", until="tau-")
    operator.run(back)
    assert len(operator.run(carrying).split()) == operator.carrying == 20
    operator.run("tau-rollout-gate cohort", code=4)
    operator.run(revert.replace("1.3.2", "1.4.0"), code=2)
    operator.run(revert)
    operator.cycles(1)
    operator.run(carrying, code=2)


def test_a_host_that_is_dead(operator: Operator) -> None:
    """It holds the phase until it is off the roster, and the phase is entered anew without it."""
    deploy, advance, *_ = operator.follow(ROSTER, until=DEPLOY)
    operator.run(deploy)
    operator.cycles(1)
    dead, _ = operator.run("tau-rollout-gate cohort").split()
    del operator.logs[dead]
    operator.cycles(7)
    operator.run(advance, code=3)
    for line in operator.follow("A host that is dead", until="sed"):
        operator.run(line.replace("HOST", dead))
    assert dead not in operator.run("tau-rollout-gate cohort").split()
    operator.run(deploy)
    operator.cycles(8)
    operator.run(advance, code=0)


def test_a_host_ships_and_is_made_anew(operator: Operator, tmp_path: Path) -> None:
    """Its service's command fills its place in the store; a new disk is let in by what is told."""
    (unit,) = (text for language, _, text in blocks(ROSTER) if language == "ini")
    told = r"`(tau-custom-command ship .*?--take-over .*?)`"
    (take_over,) = re.findall(told, RUNBOOK.read_text())
    command = unit.partition("ExecStart=/usr/local/bin/")[2].replace("--every 5m", "")
    (tmp_path / "release").write_text("1.4.0\n")
    fixture = REPOSITORY / "fixtures/contracts/rollout-pass.json"

    def there(words: str, code: int = 0) -> str:
        words = words.replace("/etc/tau/smoke.toml", str(fixture))
        words = words.replace("/etc/tau", str(tmp_path)).replace("/var/lib", str(tmp_path))
        return operator.run(words, code)

    there(command)
    (segments,) = tmp_path.glob("srv/fleet/*/custom-command/segments")
    place = segments.parent
    shipped = (place / "state.json").read_bytes()
    assert b'"release":"1.4.0"' in (place / "segments/1.jsonl").read_bytes()
    shutil.rmtree(tmp_path / "tau")
    there(command)  # which warns that it does not ship
    assert (place / "state.json").read_bytes() == shipped
    there(take_over)
    assert (place / "state.json").read_bytes() != shipped


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_dask_with_an_authority_of_ones_own(operator: Operator) -> None:
    """Its commands make what its configuration names; without that nobody is let in."""
    pytest.importorskip("distributed")
    operator.follow(ROSTER, until=DEPLOY)
    operator.follow("On a Dask cluster")
    config = operator.folder / "tls.yaml"
    config.write_text(config.read_text().replace("/etc/tau/dask", str(operator.folder)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tls://127.0.0.1:{port}"
    scheduler = ("scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", str(port))
    worker = ("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    evaluate = f"tau-rollout-gate evaluate --engine dask={address}"
    with started(operator, *scheduler, "--no-dashboard"), started(operator, *worker):
        found = operator.run(evaluate, code=3, DASK_CONFIG=str(config))
        assert found == operator.run("tau-rollout-gate evaluate", code=3)
        config.write_text("")
        operator.run(evaluate, code=5, DASK_CONFIG=str(config))
        config.write_text("distributed: {")
        operator.run(evaluate, code=5, DASK_CONFIG=str(config))


@contextmanager
def started(operator: Operator, *words: str) -> Iterator[None]:
    """Run a part of a cluster by the runbook's configuration, and end it."""
    environment = os.environ | {"DASK_CONFIG": str(operator.folder / "tls.yaml")}
    with (operator.folder / f"{words[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
            cwd=operator.folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
