"""What is known beside an answer when it is explained: the rollout, its files, how it was asked.

It makes whole commands, to be copied: with the directories that this rollout has. What is left to
do by hand after a rollback is made of them: the gate reverts nothing itself
(runbooks/rollout-gate-ops.md, "Rolling back").
"""

import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tau_rollout_gate.contract.cycle import Event
from tau_rollout_gate.contract.pin import CHAINED_SURFACE
from tau_rollout_gate.contract.rollout import Channel, Rollout
from tau_rollout_gate.durations import utc, written
from tau_rollout_gate.evidence.values import UNPACKERS, SurfaceEvidence
from tau_rollout_gate.policy.findings import EvidenceRef

PROGRAM = "tau-rollout-gate"
INSPECTED = frozenset(
    f"{CHAINED_SURFACE} voice dashboard memory browser-automation gateway deployment multi-agent "
    "multi-channel".split()
)
"""The surfaces that tau-transport-health knows by their names."""

STATE_DIR = "STATE_DIR"
"""What stands for the state directory of a host that is not this machine."""

_OF_A_SURFACE = {"diagnose", "recover", "run"}

_VALUES = {"release": "VERSION", "runtime_version": "VERSION", "fixture_sha256": "SHA256"}


class Surroundings(NamedTuple):
    """Where an answer was asked for.

    Args:
        rollout: The rollout.
        rollout_dir: Its directory.
        state_dirs: The directory of each surface's state files.
        place: The option that names the directory, where it is not the usual one.
        options: Those that nearly every command needs again: the surfaces, a policy.
        reports: The reports that were given, by name, each as its option has it.
        signoff: The sign-off that was given.
        surfaces: What was read of each surface; nothing of a rollout that is over.
        required_run_mode: The run mode that the policy requires of each cycle; None for any.
        archive: The evidence that its rollback captured; None without any.
        lacking: What of it could not be captured, and why.
        gone: The directories of surfaces where nothing can be seen.
        host: Of a fleet, the one host that is asked about; None for all of them.
        host_words: What that host is to the rollout, in sentences.
    """

    rollout: Rollout
    rollout_dir: str
    state_dirs: Mapping[str, str]
    place: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    reports: Mapping[str, str] = {}
    signoff: str | None = None
    surfaces: Mapping[str, SurfaceEvidence] = {}
    required_run_mode: str | None = None
    archive: str | None = None
    lacking: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    host: str | None = None
    host_words: tuple[str, ...] = ()

    def of_host(self, host: str, words: tuple[str, ...]) -> "Surroundings":
        """The same about one host of a fleet.

        What is in the store is not its state directory: where that is, the host alone knows.
        """
        there = dict.fromkeys(self.state_dirs, STATE_DIR)
        return self._replace(host=host, host_words=words, state_dirs=there)

    def evidence_words(self) -> Iterator[str]:
        """Yield where the evidence of the rollback is, and what it lacks."""
        yield f"evidence: {self.archive or 'none'}"
        yield from (f"not captured: {one}" for one in self.lacking)
        if self.lacking or self.archive is None:
            yield "'rollback' once more captures again, as much as can be read then"

    def command(self, words: str, surface: str | None = None) -> str:
        """A command, whole; `words` are as a shell reads them.

        It is one of this program, but for what is done about a `surface`: its runtime runs or
        recovers it, where that is the custom command's, the one that is known here; the inspector
        diagnoses it, where it knows it.
        """
        if words.startswith(tuple(UNPACKERS.values())):
            return words
        if surface is not None and words.partition(" ")[0] in _OF_A_SURFACE:
            return self._of_surface(words, surface)
        options = [*self.place]
        if self.host is not None and words.startswith("reenter"):
            options += ["--host", self.host]  # without it every host would begin anew
        if words.startswith("signoff"):  # of the rollout alone
            options += [] if self.signoff is None or words.endswith("init") else [self.signoff]
        else:
            for option, value in zip(self.options[::2], self.options[1::2], strict=True):
                if f"{option} {value.partition('=')[0]}=" not in words:
                    options += [option, value]
        if words.startswith("policy") and "--policy" in options:  # another one
            del options[options.index("--policy") :]
        if words.startswith(("advance", "evaluate")):
            for name, report in self.reports.items():
                options += [] if f"--validation {name}=" in words else ["--validation", report]
            options += [] if self.signoff is None else ["--signoff", self.signoff]
        return " ".join([PROGRAM, words, *([shlex.join(options)] if options else [])])

    def _of_surface(self, words: str, surface: str) -> str:
        if surface not in INSPECTED:
            return self.command("evaluate")
        where = shlex.join(["--state-dir", self.state_dirs[surface]])
        if surface == CHAINED_SURFACE and words != "diagnose":
            run = self._run(words, surface) if words.startswith("run ") else words
            return f"tau-custom-command {run} {where}"
        return f"tau-transport-health diagnose {surface} {where}"

    def _run(self, words: str, surface: str) -> str:
        """A cycle that counts: no duplicate, told its release where others are, and executed.

        The last where the policy requires it, or others are and it does not say.
        """
        words = words.replace(" --fresh", "")
        read = self.surfaces.get(surface)
        cycles = read.cycles if read else ()
        if any(cycle.event.release is not None for cycle in cycles) and " --release " not in words:
            words += f" --release {shlex.quote(self.rollout.release)}"
        is_seen = any(cycle.event.run_mode == "execute" for cycle in cycles)
        mode = self.required_run_mode or ("execute" if is_seen else "record")
        if mode == "execute" and " --run-mode " not in words:
            words += " --run-mode execute"
        return f"{words} --fresh"

    def event_at(self, surface: str | None, place: EvidenceRef | None) -> Event | None:
        """Find the cycle that stands at a place; None where it is not known."""
        read = None if surface is None else self.surfaces.get(surface)
        if read is None or place is None:
            return None
        wanted = (place.file, place.line, place.cycle_id)
        found = (
            cycle.event
            for cycle in read.cycles
            if (cycle.file, cycle.line, cycle.event.cycle_id) == wanted
        )
        return next(found, None)

    def next_start(self, rollback_to: str, channel: Channel) -> str:
        """The command that opens the next rollout, of the same surfaces and pins."""
        return " ".join(
            [PROGRAM, "start --release VERSION", *self._start_options(rollback_to, channel)]
        )

    def _start_options(self, rollback_to: str, channel: Channel) -> Iterator[str]:
        rollout = self.rollout
        yield shlex.join(["--rollback-to", rollback_to, "--channel", rollout.channel])
        if channel is not rollout.channel:
            yield f"--rollback-channel {channel}"
        yield shlex.join(["--rollout-dir", self.rollout_dir])
        if rollout.fleet is None:
            for name, state_dir in self.state_dirs.items():
                yield shlex.join(["--surface", f"{name}={state_dir}"])
        else:
            yield "--fleet FILE"  # that of the start, which is no longer known
        yield f"--cycle-interval {written(rollout.cycle_interval_ms)}"
        for pin in rollout.surfaces:
            for field in sorted(pin.expected):
                yield shlex.join(["--expect", f"{pin.name}:{field}={_VALUES[field]}"])
        if rollout.policy_file is not None:
            yield shlex.join(["--policy", rollout.policy_file])


class Step(NamedTuple):
    """What to do, and the commands for it, to be copied."""

    words: str
    commands: tuple[str, ...] = ()


def steps(around: Surroundings) -> Iterator[Step]:
    """Yield what is left to do after a rollback, in this order."""
    rollout, target = around.rollout, around.rollout.rollback
    # The name of the incident, which is that of its archive.
    incident = (around.archive or "incident").rpartition("/")[2].removesuffix(".tar.gz")
    if rollout.canary_entered_unix_ms is not None:
        yield Step(f"Set the share of {rollout.release} back to 0 % (it was in {rollout.phase}).")
    yield from _of_hosts(around) if rollout.fleet else _of_surfaces(around, incident)
    unpause = () if rollout.fleet else _unpausing(around)
    yield Step(
        f"Note the incident time: {utc(target.rollback_reference_unix_ms or 0)} "
        f"({target.rollback_reference_unix_ms}), incident {incident}."
    )
    yield Step(
        f"Put the rollback target in place of {rollout.release}: {target.rollback_version} on "
        f"{target.rollback_channel}."
    )
    yield Step(
        f"Validate again: run the validation on {target.rollback_version}; start the runner only "
        "if it passes" + (":" if unpause else "."),
        unpause,
    )
    ref = target.rollback_ref
    since = target.rollback_version if ref is None else ref
    yield Step(
        f"In the repository, on the commit of {rollout.release}, revert what it brought since "
        f"{since}" + ("." if ref is None else ":"),
        () if ref is None else (shlex.join(["git", "revert", "--no-edit", f"{ref}..HEAD"]),),
    )
    yield Step(
        "With the cause mended, open the next rollout:",
        (around.next_start(target.rollback_version, target.rollback_channel),),
    )


def _of_surfaces(around: Surroundings, incident: str) -> Iterator[Step]:
    """Yield how the runners are stopped, and what they left is preserved."""
    rollout = around.rollout
    for name, state_dir in around.state_dirs.items():
        if name == CHAINED_SURFACE and state_dir not in around.gone:
            because = shlex.quote(f"{rollout.release} is rolled back")
            where = shlex.join(["--state-dir", state_dir])
            yield Step(
                f"Pause the runner on {state_dir}, and wait for a cycle that runs; each job that "
                "starts one is refused then:",
                (f"tau-custom-command pause --reason {because} {where}",),
            )
            continue
        runner = "tau-custom-command" if name == CHAINED_SURFACE else f"the runner of {name}"
        yield Step(
            f"Stop the runner: end every job that starts {runner} on {state_dir}, and wait for one "
            "that runs."
        )
    copies = tuple(
        shlex.join(["cp", "-a", each, f"{each.rstrip('/') or each}.{incident}"])
        for each in around.state_dirs.values()
        if each not in around.gone
    )
    if copies:
        yield Step("Preserve the state directory:", copies)
    for each in around.gone:
        yield Step(
            f"Nothing can be seen at {each}: find out where it is now, and preserve that too."
        )


def _of_hosts(around: Surroundings) -> Iterator[Step]:
    """Yield how the hosts of a fleet get back what they had; the gate touches none of them."""
    where = shlex.join(["--rollout-dir", around.rollout_dir])
    yield Step(
        f"Stop what deploys {around.rollout.release}, and put the rollback target back on each "
        "host that still carries it; again, until none is listed:",
        (f"{PROGRAM} cohort --carrying {where}",),
    )


def _unpausing(around: Surroundings) -> tuple[str, ...]:
    return tuple(
        shlex.join(["tau-custom-command", "unpause", "--state-dir", state_dir])
        for name, state_dir in around.state_dirs.items()
        if name == CHAINED_SURFACE and state_dir not in around.gone
    )
