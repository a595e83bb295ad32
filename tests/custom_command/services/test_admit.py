"""What may run in execute mode, and what is refused: approvals, at real runs of real programs.

The rules are the runbook's (custom-command-ops.md, "Approval" and "Which policy counts").
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.custom_command.cases import case_object, fixture_object, malformed, success
from tests.custom_command.running import COMMAND, START_UNIX_MS, Command, Finished, Json

APPROVED = {"sandbox_profile": "unrestricted"}
"""A registered policy that asks for more than the options, so that it counts once approved."""


class Executing:
    """Runs of one command in execute mode, in a folder with a program of its own."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.tools = command.folder / "tools"
        self.tools.mkdir()
        self.write("tool", 'echo "$0" "$@"')
        self.cycles = 0

    @property
    def env(self) -> dict[str, str]:
        """Return an environment in which the programs of the test come first."""
        return {"PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}"}

    def write(self, name: str, script: str) -> Path:
        """Write a program."""
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def create(
        self,
        template: str = "tool -- {{who}}",
        policy: Json | None = None,
        **more: Any,  # noqa: ANN401 - JSON
    ) -> None:
        """Have the command created, or created anew."""
        stated = APPROVED if policy is None else policy
        self.cycle(case_object("1", template=template, execution_policy=stated, **more))

    def cycle(self, *cases: Json, options: tuple[str, ...] = ()) -> Finished:
        """Run one cycle of these cases, each as a new one."""
        self.cycles += 1
        self.command.write("f.json", fixture_object(*cases))
        words = ("run", "f.json", "--run-mode", "execute", "--case-suffix", f"@{self.cycles}")
        return self.command(*words, *options, env=self.env)

    def approve(self, *options: str) -> Finished:
        """Approve the command."""
        done = self.command("approve", "greet", "--by", "alice", *options, env=self.env)
        assert done.code == 0, done
        return done

    def run(self, *options: str, **changes: Any) -> Json:  # noqa: ANN401 - JSON
        """Run the command once, with an argument, and return what its channel says of that."""
        asked = {"arguments": {"who": "you"}} | changes
        self.cycle(case_object("2", "RUN", **asked), options=options)
        log = ".tau/custom-command/channel-store/custom-command/greet/log.jsonl"
        lines = (self.command.folder / log).read_bytes().splitlines()
        payload: Json = json.loads(lines[-1])["payload"]
        return payload

    def why_refused(self, *options: str, **changes: Any) -> str:  # noqa: ANN401 - JSON
        """Run the command, which must be refused for want of an approval; return the reason."""
        expected = malformed(403, "custom_command_policy_denied")
        payload = self.run(*options, **changes | {"expected": expected})
        assert payload["outcome"] == "malformed_input", payload
        assert payload["run_audit"]["failure_reason"] == "approval_required"
        assert not payload["run_audit"]["executed"]
        context = ".tau/custom-command/channel-store/custom-command/greet/context.jsonl"
        line = (self.command.folder / context).read_bytes().splitlines()[-1]
        text: str = json.loads(line)["text"]
        return text


@pytest.fixture
def executing(command: Command) -> Executing:
    """Return a folder in which a command is registered that can be run."""
    executing = Executing(command)
    executing.create()
    return executing


def test_what_is_approved_runs(executing: Executing) -> None:
    """Before nobody did, it is refused; afterwards the very program that was found is run."""
    reason = executing.why_refused()
    assert "asks for the sandbox_profile unrestricted, which the options do not allow" in reason
    assert "nobody approved it" in reason
    told = executing.cycle(case_object("2", "RUN", arguments={"who": "you"}))
    assert told.code == 3
    assert "approve the commands, if they are right" in told.out
    executing.approve()
    audit = executing.run()["run_audit"]
    tool = str(executing.tools / "tool")
    assert audit["command_line"] == f"{tool} -- you"
    assert audit["stdout"] == f"{tool} -- you\n"
    executing.command("revoke", "greet")
    assert "nobody approved it" in executing.why_refused()


def test_by_default_every_command_needs_an_approval(executing: Executing) -> None:
    """One that asks for nothing, too; what it or its case says lifts nothing."""
    executing.create(policy={"require_approval": False})
    reason = executing.why_refused(execution_policy={"require_approval": False})
    assert "its policy asks for an approval" in reason


def test_a_case_that_asks_is_asked(executing: Executing) -> None:
    """Where the operator lifts the default, a case may still ask for an approval."""
    options = ("--no-policy-require-approval", "--policy-sandbox-profile", "unrestricted")
    assert executing.run(*options)["outcome"] == "success"
    reason = executing.why_refused(*options, execution_policy={"require_approval": True})
    assert "its policy asks for an approval" in reason


def test_whatever_changes_voids_the_approval(executing: Executing) -> None:
    """Template, policy, program, a file that it names: each is told, and put back it counts."""
    executing.approve()
    tool = executing.write("tool", "echo other")
    assert "the program was" in executing.why_refused()
    executing.write("tool", 'echo "$0" "$@"')
    assert executing.run()["outcome"] == "success"
    executing.create("tool -- {{who}} more")
    assert "has changed: the template" in executing.why_refused()
    executing.create(policy={**APPROVED, "allow_network": True})
    assert "has changed: the registered policy" in executing.why_refused()
    executing.create()
    tool.unlink()
    assert "and is not found" in executing.why_refused()
    executing.write("tool", 'echo "$0" "$@"')
    assert executing.run()["outcome"] == "success"


def test_a_fixture_cannot_change_what_was_approved_and_run_it(executing: Executing) -> None:
    """Not in one and the same cycle either; the command as it was approved runs in the next."""
    executing.approve()
    executing.cycle(
        case_object("1", "UPDATE", template="tool -- evil", execution_policy=APPROVED),
        case_object("2", "RUN", expected=malformed(403, "custom_command_policy_denied")),
        case_object("3", "UPDATE", template="tool -- {{who}}", execution_policy=APPROVED),
        case_object("4", "RUN", arguments={"who": "you"}),
    )
    log = ".tau/custom-command/channel-store/custom-command/greet/log.jsonl"
    lines = (executing.command.folder / log).read_bytes().splitlines()
    audits = [json.loads(line)["payload"].get("run_audit") for line in lines]
    assert [(each["executed"], each["stdout"][-6:]) for each in audits if each] == [
        (False, ""),
        (True, "- you\n"),
    ]


def test_another_file_of_the_same_name_is_not_run(executing: Executing) -> None:
    """A program that is put before the approved one in PATH is another program."""
    executing.approve()
    before = executing.tools / "before"
    before.mkdir()
    executing.write("before/tool", "echo evil")
    path = {"PATH": f"{before}{os.pathsep}{executing.env['PATH']}"}
    executing.command.write(
        "f.json",
        fixture_object(
            case_object(
                "9",
                "RUN",
                arguments={"who": "you"},
                expected=malformed(403, "custom_command_policy_denied"),
            )
        ),
    )
    done = executing.command("run", "f.json", "--run-mode", "execute", env=path)
    assert done.code == 0, done
    assert "the program was" in done.out


def test_it_is_looked_at_again_before_each_start(executing: Executing) -> None:
    """A program that is replaced between two attempts is not started a second time."""
    executing.write("tool", f"echo 'exit 0' >> {executing.tools}/tool; exit 3")
    executing.approve()
    executing.cycle(
        case_object(
            "2",
            "RUN",
            arguments={"who": "you"},
            expected=malformed(403, "custom_command_policy_denied"),
        ),
        options=("--retry-max-attempts", "3"),
    )
    log = ".tau/custom-command/channel-store/custom-command/greet/log.jsonl"
    lines = (executing.command.folder / log).read_bytes().splitlines()
    audits = [json.loads(line)["payload"].get("run_audit") for line in lines]
    assert [(each["executed"], each["failure_reason"]) for each in audits if each] == [
        (True, "non_zero_exit"),
        (False, "approval_required"),
    ]


@pytest.mark.parametrize("code", [0, 3])
def test_what_is_withdrawn_starts_no_more(executing: Executing, code: int) -> None:
    """In the middle of a cycle: neither another RUN of the command nor another attempt at one."""
    executing.write("tool", f"{COMMAND} revoke greet && exit {code}")
    executing.approve()
    denied = malformed(403, "custom_command_policy_denied")
    arguments = {"who": "you"}
    cases = [
        case_object("2", "RUN", arguments=arguments, expected=denied if code else success("RUN")),
        case_object("3", "RUN", arguments=arguments, expected=denied),
    ]
    done = executing.cycle(*cases, options=("--retry-max-attempts", "3"))
    assert done.code == 0, done
    log = ".tau/custom-command/channel-store/custom-command/greet/log.jsonl"
    lines = (executing.command.folder / log).read_bytes().splitlines()
    audits = [json.loads(line)["payload"].get("run_audit") for line in lines]
    failures = [each["failure_reason"] for each in audits if each]
    refused = ["approval_required"]
    assert failures == (["non_zero_exit", *refused] if code else [None]) + refused


@pytest.mark.parametrize(
    ("pin", "changes", "runs"),
    [
        ("who=you", {}, True),
        ("who=me", {}, False),
        ("who=me", {"arguments": {"who": "me", "other": 1}}, True),
        ("n=1", {"arguments": {"who": "x", "n": 1}}, True),
        ("n=1", {"arguments": {"who": "x"}}, False),
    ],
)
def test_a_pinned_argument_has_its_value(
    executing: Executing, pin: str, changes: Json, *, runs: bool
) -> None:
    """Every other value is refused, and is not told."""
    executing.approve("--pin", pin)
    if runs:
        assert executing.run(**changes)["outcome"] == "success"
    else:
        reason = executing.why_refused(**changes)
        assert "alice approved" in reason
        assert "'you'" not in reason


def test_a_default_argument_fills_a_pin(executing: Executing) -> None:
    """What a RUN leaves out has the registered value, for a pin as for a placeholder."""
    spec = {"name": "greet", "template": "tool -- {{who}}", "default_arguments": {"who": "all"}}
    executing.create(command_spec=spec)
    executing.approve("--pin", "who=all")
    assert executing.run(arguments={})["run_audit"]["stdout"].endswith("-- all\n")
    assert "alice approved who" in executing.why_refused()


def test_an_approval_that_expired_counts_no_more(executing: Executing) -> None:
    """From that millisecond on."""
    executing.approve("--expires", "1s", "--now-unix-ms", str(START_UNIX_MS))
    last = ("--now-unix-ms", str(START_UNIX_MS + 999))
    assert executing.run(*last)["outcome"] == "success"
    assert "expired at" in executing.why_refused("--now-unix-ms", str(START_UNIX_MS + 1_000))


def test_by_a_broken_file_nothing_is_approved(executing: Executing) -> None:
    """The reason and the way out are told; what needs no approval runs all the same."""
    executing.approve()
    path = executing.command.folder / ".tau/custom-command/approvals.json"
    path.chmod(0o666)
    reason = executing.why_refused()
    assert "other users may write to it" in reason
    assert "tau-custom-command approve NAME --by WHO" in reason
    options = ("--no-policy-require-approval", "--policy-sandbox-profile", "unrestricted")
    assert executing.run(*options)["outcome"] == "success"
    executing.approve()
    assert executing.run()["outcome"] == "success"


def test_a_case_can_only_narrow_what_is_approved(executing: Executing) -> None:
    """What it asks for beyond is not had, and what it forbids is forbidden."""
    executing.approve()
    payload = executing.run(
        execution_policy={"denied_env": ["who"]},
        expected=malformed(403, "custom_command_policy_denied"),
    )
    assert (payload["outcome"], payload["run_audit"]["executed"]) == ("malformed_input", False)


@pytest.mark.parametrize("value", ["-x", "a b; id", "$(id)", "{{who}}", "\n"])
def test_an_argument_stays_one_word_of_a_real_program(executing: Executing, value: str) -> None:
    """Behind the -- of its template also one that begins with -."""
    executing.write("tool", 'printf "%s|" "$@"')
    executing.approve()
    stdout = executing.run(arguments={"who": value}, expected=success("RUN"))["run_audit"]["stdout"]
    assert stdout == f"--|{value}|"
