"""Ledgers to test with, and the installed command as a process."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from tau_rollout_gate.cli.app import app
from tau_rollout_gate.contract.rollout import (
    DecisionCount,
    Frozen,
    Rollout,
    RolloutFile,
    RolloutStatus,
)
from tau_rollout_gate.decision.answer import Answer, Soak, TriggerResult, Verdict
from tau_rollout_gate.policy.findings import EvidenceRef
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.services.actor import CI_ACTORS
from tests import forking
from tests.rollout_gate import making
from tests.rollout_gate.making import ENTERED, MINUTE, SHA, SURFACE

COMMAND = Path(sys.executable).parent / "tau-rollout-gate"
PATIENCE_SECONDS = 60.0
ROLLOUT_DIR = ".tau/rollout/custom-command"


def decided(
    rollout_after: Rollout,
    action: Action = Action.FREEZE,
    *,
    before: DecisionCount | None = None,
    **changes: Any,  # noqa: ANN401 - any field
) -> Entry:
    """Return a decision that leaves a rollout so, as the entry after `before`."""
    values: dict[str, Any] = {"by": "ada", "decided_unix_ms": ENTERED}
    return Entry.following(before, action, rollout_after, **(values | changes))


@dataclass(slots=True)
class Ledger:
    """A ledger that grows, and the `rollout.json` that belongs to it."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, rollout_after: Rollout, action: Action, **changes: Any) -> "Ledger":  # noqa: ANN401 - any field
        """Add a decision."""
        self.entries.append(decided(rollout_after, action, before=self.count(), **changes))
        return self

    def count(self) -> DecisionCount | None:
        """Return the count and digest of the last entry; None where there is none."""
        return self.entries[-1].counted if self.entries else None

    def lines(self) -> list[bytes]:
        """Return the lines without their line breaks."""
        return [entry.as_line().removesuffix(b"\n") for entry in self.entries]

    def file(self) -> RolloutFile:
        """Return what `rollout.json` holds after the last decision."""
        last = self.entries[-1]
        return RolloutFile.after(last.rollout_after, last.counted)

    def write(self, root: Path) -> None:
        """Write both files into a rollout directory."""
        root.mkdir(parents=True)
        (root / "decisions.jsonl").write_bytes(b"".join(one.as_line() for one in self.entries))
        (root / "rollout.json").write_bytes(self.file().as_document())


def ledger_of(length: int) -> Ledger:
    """Return a ledger of that many entries: a start, then promotion frozen and free in turn."""
    ledger, opened = Ledger(), making.rollout("preflight")
    ledger.add(opened, Action.START)
    frozen = opened.replaced(frozen=frozen_by("ada"))
    for number in range(1, length):
        if number % 2:
            ledger.add(frozen, Action.FREEZE, decided_unix_ms=ENTERED + number)
        else:
            said = answer(Verdict.HOLD, phase="preflight")
            ledger.add(opened, Action.RESUME, decided_unix_ms=ENTERED + number, answer=said)
    return ledger


def led_to(after: Rollout, ledger: Ledger | None = None) -> Ledger:
    """Return a ledger, or that one after what it has, of how a rollout came to be as it is."""
    ledger = ledger or Ledger()
    pins = (pin.replaced(evidence_from=None, phase_from=None) for pin in after.surfaces)
    now = after.replaced(
        status=RolloutStatus.OPEN,
        phase=after.phases[0],
        canary_entered_unix_ms=None,
        surfaces=tuple(pins),
        frozen=None,
        fired_triggers=(),
    )
    ledger.add(now, Action.START)
    for phase in after.phases[1 : after.phases.index(after.phase) + 1]:
        said = answer(Verdict.PROMOTE, phase=now.phase)
        changes = {
            "phase": phase,
            "canary_entered_unix_ms": after.canary_entered_unix_ms,
            "surfaces": after.surfaces,
        }
        now = now.replaced(**changes)
        ledger.add(now, Action.ADVANCE, answer=said)
    if after.status is RolloutStatus.COMPLETE:
        said = answer(Verdict.COMPLETE, phase=now.phase)
        ledger.add(after, Action.ADVANCE, answer=said)
    elif after.status is RolloutStatus.ROLLED_BACK:
        ledger.add(after.replaced(frozen=after.frozen or frozen_by("ada")), Action.ROLLBACK)
    return ledger


def frozen_by(name: str) -> Frozen:
    """Return a freeze."""
    return Frozen(reason="look at it", by=name, since_unix_ms=ENTERED)


def answer(
    verdict: Verdict,
    *,
    fired: Sequence[TriggerResult] = (),
    **changes: Any,  # noqa: ANN401 - any field
) -> Answer:
    """Return an answer with a verdict."""
    values: dict[str, Any] = {
        "verdict": verdict,
        "release": "1.4.0",
        "phase": "canary-1",
        "canary_percent": 5,
        "next_phase": "canary-2",
        "next_canary_percent": 25,
        "evaluated_unix_ms": ENTERED + 40 * MINUTE,
        "soak": Soak(required_ms=0, held_ms=0, since_unix_ms=None, earliest_promotion_unix_ms=None),
        "gates": (),
        "triggers": tuple(fired),
        "reasons": ("so it is",),
        "warnings": (),
        "policy_sha256": SHA,
        "inputs": (),
    }
    return Answer(**(values | changes))


def trigger(name: str = "failure_streak_breach", **changes: Any) -> TriggerResult:  # noqa: ANN401 - any field
    """Return a trigger that fired a minute before the answer."""
    values: dict[str, Any] = {
        "name": name,
        "surface": SURFACE,
        "fired": True,
        "observed": "failure_streak is 3",
        "threshold": "failure_streak >= 3",
        "evidence": EvidenceRef(file="e.jsonl", line=4, cycle_id="c-4", age_ms=MINUTE),
        "action": "roll back at once",
    }
    return TriggerResult(**(values | changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a process ended, and what it said where."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Gate:
    """`tau-rollout-gate` in a folder: in this process, or as one of its own."""

    folder: Path

    def __call__(
        self, *arguments: str | bytes | Path, env: Mapping[str, str] | None = None
    ) -> Finished:
        """Run a command to its end in this process, which is much faster."""
        with chdir(self.folder):
            done = CliRunner().invoke(
                app,
                [os.fsdecode(argument) for argument in arguments],
                env=dict.fromkeys(set(os.environ) - set(environment())) | dict(env or {}),
            )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Finished(code=done.exit_code, out=done.stdout, err=done.stderr)

    def process(
        self,
        *arguments: str | bytes | Path,
        env: Mapping[str, str] | None = None,
        umask: int = -1,
    ) -> Finished:
        """Run the installed command to its end; `env` adds to its environment."""
        done = forking.run(
            COMMAND,
            *arguments,
            cwd=self.folder,
            env=environment() | dict(env or {}),
            timeout=PATIENCE_SECONDS,
            umask=umask,
        )
        err = done.stderr.decode(errors="backslashreplace")
        assert "Traceback" not in err, err
        return Finished(code=done.returncode, out=done.stdout.decode(), err=err)

    def popen(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start the command; the test ends it."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def begin(self, *arguments: str) -> None:
        """Open a rollout from 1.3.2 to 1.4.0; a surface that is not named may be a new one."""
        new = () if "--surface" in arguments else ("--first-run", SURFACE)
        done = self("start", "--release", "1.4.0", "--rollback-to", "1.3.2", *new, *arguments)
        assert done.code == 0, done.err

    @property
    def root(self) -> Path:
        """Return the rollout directory."""
        return self.folder / ROLLOUT_DIR

    def contents(self) -> dict[str, bytes]:
        """Return every file below the folder by its path, folders among them; not the lock."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else b""
            for path in sorted(self.folder.rglob("*"))
            if path.name != ".lock"
        }


def environment() -> dict[str, str]:
    """Return the tests' environment without what names an actor or an option."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in CI_ACTORS and not name.startswith("TAU_ROLLOUT_GATE_")
    }
