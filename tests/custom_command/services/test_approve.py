"""`approve`, `approvals`, `revoke`: what is recorded, and what voids it."""

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tau_custom_command.errors import (
    NotRegisteredError,
    StateDirectoryBusyError,
    StateUnusableError,
    StorageError,
)
from tau_custom_command.policy.approvals import Approvals, BrokenApprovals
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.services.approve import (
    ApprovalReport,
    ApprovalRequest,
    approve,
    free,
    revoke,
    standing,
)
from tau_custom_command.services.execute.subject import Surroundings
from tau_custom_command.storage.approvals import read_approvals
from tau_custom_command.storage.lock import APPROVALS_LOCK_FILE, locked
from tests.custom_command.cases import case_object
from tests.custom_command.running import START_UNIX_MS, Json, Runtime
from tests.custom_command.tracing import CHANGING, OPENING, needs_strace, run_words_traced

DAY_MS = 86_400_000


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder with a program, in which others can be put."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "tool").write_bytes(b"#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    return folder


class Approving:
    """Approvals of a runtime's commands, as they are given in a test."""

    def __init__(self, runtime: Runtime, tools: Path) -> None:
        self.runtime, self.tools = runtime, tools

    @property
    def around(self) -> Surroundings:
        """Return where commands run: programs are those of the test."""
        return Surroundings(path=str(self.tools))

    def create(self, template: str = "tool -- {{who}}", name: str = "greet", **more: Any) -> None:  # noqa: ANN401 - JSON
        """Have a command created, or created anew, by a case of another id."""
        case_id = f"{len(list(self.runtime.folder.iterdir()))}-{self.runtime.time.now_unix_ms}"
        self.runtime.run(case_object(case_id, "CREATE", name, template=template, **more))

    def give(self, name: str = "greet", **changes: Any) -> ApprovalReport:  # noqa: ANN401 - any
        """Approve a command by alice, without an end."""
        request = ApprovalRequest(
            state_dir=self.runtime.state_dir,
            command_name=name,
            approved_by="alice",
            expires_after_ms=None,
            pins={},
            around=self.around,
            wait_seconds=0,
            carry_out=True,
        )
        return approve(request._replace(**changes), now_unix_ms=START_UNIX_MS)

    def why_void(self, *, now_unix_ms: int = START_UNIX_MS, name: str = "greet") -> str | None:
        """Return why the approval of a command does not count."""
        found = standing(self.runtime.state_dir, self.around, now_unix_ms=now_unix_ms)
        (reason,) = [each.void for each in found if each.approval.subject.command_name == name]
        return reason


@pytest.fixture
def approving(runtime: Runtime, tools: Path) -> Approving:
    """Return a runtime with a command that can be approved."""
    approving = Approving(runtime, tools)
    approving.create()
    return approving


def kept(approving: Approving) -> Approvals:
    """Return what is approved."""
    found = read_approvals(approving.runtime.state_dir)
    assert not isinstance(found, BrokenApprovals)
    return found


def test_an_approval_is_recorded(approving: Approving) -> None:
    """Who, what, when and until when; the one before is replaced."""
    report = approving.give(expires_after_ms=DAY_MS, pins={"who": "you"})
    approval = report.approval
    assert kept(approving).approvals == (approval,)
    assert (approval.approved_by, approval.pins) == ("alice", {"who": "you"})
    assert approval.approved_unix_ms == START_UNIX_MS
    assert approval.expires_unix_ms == START_UNIX_MS + DAY_MS
    assert approval.subject.template == "tool -- {{who}}"
    assert (report.replaced, report.remarks) == (None, ())
    again = approving.give(approved_by="bob")
    assert again.replaced == approval
    assert kept(approving).approvals == (again.approval,)


def test_what_is_only_shown_is_not_recorded(approving: Approving) -> None:
    """Not even where the file is broken: it stays as it is."""
    path = approving.runtime.state_dir / "approvals.json"
    assert approving.give(carry_out=False).approval.approved_by == "alice"
    assert not path.exists()
    path.write_text("{")
    assert "not JSON" in approving.give(carry_out=False).remarks[0]
    assert path.read_text() == "{"


def test_nothing_but_approvals_changes(approving: Approving) -> None:
    """State, events, channels and the journal that `recover` needs are left as they are."""
    root = approving.runtime.state_dir
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    approving.give()
    revoke(root, "greet", wait_seconds=0)
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert after.keys() - before.keys() == {root / "approvals.json", root / ".approvals.lock"}
    assert all(after[path] == content for path, content in before.items())


SPEC: Json = {"name": "greet", "template": "tool -- {{who}}"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"command_spec": SPEC}, None),
        ({"template": "tool -- '{{who}}'"}, "the template"),
        ({"execution_policy": {"allow_network": True}}, "the registered policy"),
        ({"execution_policy": {"require_approval": True}}, "the registered policy"),
        ({"command_spec": SPEC | {"default_arguments": {"who": "x"}}}, "the default arguments"),
        ({"command_spec": SPEC | {"read_only": True}}, "read_only"),
    ],
    ids=str,
)
def test_a_command_that_is_registered_anew(
    approving: Approving, change: Json, told: str | None
) -> None:
    """As it was approved: it counts, whatever case registered it. Otherwise it is void."""
    approving.give()
    approving.create(**change)
    reason = approving.why_void()
    assert reason == (told and f"what alice approved has changed: {told}")


def test_runs_void_nothing(approving: Approving) -> None:
    """What came of a run stands in the record, and is not what was approved."""
    approving.give()
    approving.runtime.run(case_object("900", "RUN", "greet", arguments={"who": "a"}))
    assert approving.why_void() is None


def test_a_program_that_changed_voids_it(approving: Approving) -> None:
    """Replaced in its place, put before it in PATH, or gone; put back, it counts again."""
    approving.give()
    tool = approving.tools / "tool"
    before = tool.read_bytes()
    tool.write_bytes(b"#!/bin/sh\nid\n")
    assert "the program was" in str(approving.why_void())
    tool.unlink()
    assert "is not found" in str(approving.why_void())
    tool.write_bytes(before)
    tool.chmod(0o755)
    assert approving.why_void() is None


def test_a_file_that_the_template_names_voids_it(approving: Approving, tmp_path: Path) -> None:
    """A script is as much what was approved as the program that reads it."""
    script = tmp_path / "script"
    script.write_text("1")
    approving.create(f"tool {script}")
    approving.give()
    script.write_text("2")
    assert "a file that the template names was" in str(approving.why_void())


def test_a_command_that_is_gone(approving: Approving) -> None:
    """Its approval counts for nothing until the same is registered again."""
    approving.give()
    approving.runtime.run(case_object("900", "DELETE", "greet"))
    assert approving.why_void() == "the command is not registered any more"
    approving.create()
    assert approving.why_void() is None


def test_an_approval_expires(approving: Approving) -> None:
    """It is listed all the same, with when it did."""
    approving.give(expires_after_ms=1_000)
    assert approving.why_void(now_unix_ms=START_UNIX_MS + 999) is None
    assert "expired at" in str(approving.why_void(now_unix_ms=START_UNIX_MS + 1_000))


def test_workspace_and_user_are_those_that_were_approved(
    approving: Approving, tmp_path: Path
) -> None:
    """The list holds neither against an approval: whoever runs it there is told so."""
    approving.create(execution_policy={"sandbox_profile": "workspace_write"})
    around = Surroundings(path=str(approving.tools), workspace=tmp_path, run_as=1234)
    subject = approving.give(around=around).approval.subject
    assert subject.workspace == str(tmp_path)
    assert subject.user == (1234 if os.geteuid() == 0 else os.geteuid())
    assert approving.why_void() is None


@pytest.mark.parametrize(
    ("template", "policy", "pins", "told"),
    [
        ("tool {{who}}", {}, {"who": "a"}, []),
        (
            "tool {{who}}",
            {},
            {"why": "a"},
            ["'why' is pinned as the variable $why; no placeholder"],
        ),
        ("sh -c {{who}}", {"allow_shell": True}, {}, ["it starts sh, which may take what fills"]),
        ("sh -c {{who}}", {"allow_shell": True}, {"who": "id"}, []),
        ("sh -c id", {"allow_shell": True}, {}, []),
        ("tool", {"sandbox_profile": "workspace_write"}, {}, ["pass --workspace"]),
    ],
)
def test_who_approves_is_told_what_to_look_at(
    approving: Approving, template: str, policy: Json, pins: dict[str, str], told: list[str]
) -> None:
    """A shell that reads arguments, a pin of nothing, a workspace that is missing."""
    (approving.tools / "sh").symlink_to("tool")
    approving.create(template, execution_policy=policy)
    remarks = approving.give(pins=pins).remarks
    assert len(remarks) == len(told)
    assert all(part in remark for part, remark in zip(told, remarks, strict=True))


def test_what_its_own_policy_denies_is_told(approving: Approving) -> None:
    """A command that only the options of its CREATE allowed."""
    (approving.tools / "sh").symlink_to("tool")
    value = approving.runtime.files.state()
    value["commands"][0]["template"] = "sh"
    (approving.runtime.state_dir / "state.json").write_text(json.dumps(value))
    (remark,) = approving.give().remarks
    assert remark.startswith("its own policy denies it")
    assert "allow_shell is false" in remark


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        ({}, ("OPENAI_API_KEY", "capture.id", "who")),
        ({"denied_env": ("openai_api_key", "Id")}, ("who",)),
        ({"allowed_env": ("who",)}, ("who",)),
    ],
)
def test_what_can_never_be_filled_is_not_free(
    approving: Approving, policy: dict[str, Any], left: tuple[str, ...]
) -> None:
    """What its own policy denies by name no options allow; what it leaves out they decide."""
    approval = approving.give(pins={"x": "1"}).approval
    subject = replace(
        approval.subject,
        template="tool -- {{OPENAI_API_KEY}} {{capture.id}} {{who}} {{x}}",
        execution_policy=ExecutionPolicy(**policy),
    )
    assert free(replace(approval, subject=subject)) == left


def test_a_broken_file_is_kept_beside(approving: Approving) -> None:
    """Nothing was approved; what is approved now is, and what else was lost is said."""
    root = approving.runtime.state_dir
    (root / "approvals.json").write_text("{")
    with pytest.raises(StateUnusableError, match=r"nothing is approved: .*not JSON"):
        standing(root, approving.around, now_unix_ms=0)
    with pytest.raises(StateUnusableError, match="nothing is approved"):
        revoke(root, "greet", wait_seconds=0)
    report = approving.give()
    assert report.replaced is None
    assert len(report.remarks) == 2
    assert "approvals.json is kept in approvals.json.corrupt" in report.remarks[1]
    assert (root / "approvals.json.corrupt").read_text() == "{"
    assert kept(approving).approvals == (report.approval,)


def test_what_cannot_be_told_is_not_approved(approving: Approving) -> None:
    """A program that is not there could be anything later."""
    approving.create("other {{who}}")
    with pytest.raises(StateUnusableError) as refused:
        approving.give()
    assert str(refused.value) == (
        f"greet: cannot be approved: the program 'other' is not found; PATH is {approving.tools}"
    )
    big = approving.tools / "big"
    with big.open("wb") as file:
        file.truncate(2 * 1024**3)
    approving.create(f"tool {big}")
    with pytest.raises(StateUnusableError) as refused:
        approving.give()
    assert str(refused.value) == (
        f"greet: cannot be approved: {big} cannot be read, or is too large to look through"
    )
    assert not kept(approving).approvals


def test_who_is_not_registered_is_not_approved(approving: Approving) -> None:
    """Neither a name that is unknown, nor one in a directory without a state."""
    with pytest.raises(NotRegisteredError, match="'other' is not registered"):
        approving.give("other")
    nowhere = approving.runtime.folder / "nowhere"
    with pytest.raises(StorageError, match=r"there is no state\.json"):
        approving.give(state_dir=nowhere)
    with pytest.raises(StorageError, match=r"there is no state\.json"):
        standing(nowhere, approving.around, now_unix_ms=0)
    with pytest.raises(StorageError, match="there is no such directory"):
        revoke(nowhere, "greet", wait_seconds=0)
    assert not nowhere.exists()


def test_an_approval_is_withdrawn(approving: Approving) -> None:
    """The others stay; what is not approved cannot be withdrawn."""
    approving.create(name="other")
    given, other = approving.give(), approving.give("other")
    root = approving.runtime.state_dir
    assert revoke(root, "greet", wait_seconds=0) == given.approval
    assert kept(approving).approvals == (other.approval,)
    with pytest.raises(NotRegisteredError, match="nobody approved 'greet'"):
        revoke(root, "greet", wait_seconds=0)


def test_two_at_once_do_not_lose_one(approving: Approving) -> None:
    """Approvals are read and written under a lock of their own."""
    names = [f"c{number}" for number in range(8)]
    for name in names:
        approving.create(name=name)
    threads = [
        threading.Thread(target=approving.give, args=[name], kwargs={"wait_seconds": 20})
        for name in names
    ]
    umask = os.umask(0o022)  # each sets its own and puts back what it found, in any order
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.umask(umask)
    assert [each.subject.command_name for each in kept(approving).approvals] == names
    with locked(approving.runtime.state_dir, wait_seconds=0, file=APPROVALS_LOCK_FILE) as lock:
        with pytest.raises(StateDirectoryBusyError):
            approving.give()
        with pytest.raises(StateDirectoryBusyError):
            revoke(approving.runtime.state_dir, "c0", wait_seconds=0)
        lock.check()


def test_a_cycle_that_is_at_work_is_not_waited_for(approving: Approving) -> None:
    """What may run no more is told so at once."""
    with locked(approving.runtime.state_dir, wait_seconds=0):
        given = approving.give().approval
        assert revoke(approving.runtime.state_dir, "greet", wait_seconds=0) == given


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_a_fixture_approves_nothing(approving: Approving, operation: str) -> None:
    """Whatever its cases are called and hold, the file of approvals is not among what it writes."""
    report = approving.give()
    path = approving.runtime.state_dir / "approvals.json"
    before = path.read_bytes()
    approval = json.loads(before)["approvals"][0]
    for name in ("approvals", "approvals.json", "../approvals.json", "..", "/approvals.json"):
        approving.runtime.run(
            case_object(
                f"../../approvals.json-{name}",
                operation,
                name,
                template=json.dumps(approval),
                arguments={"approvals": [approval]},
                execution_policy={"require_approval": False},
            )
        )
    assert path.read_bytes() == before
    assert kept(approving).approvals == (report.approval,)


@needs_strace
def test_killed_or_refused_at_any_call_the_approvals_are_whole(
    approving: Approving, tmp_path: Path
) -> None:
    """They are the earlier ones or the new ones, byte for byte; a refusal is told, with exit 5."""
    approving.create(f"{approving.tools}/tool {{{{who}}}}")
    approving.give(approved_by="bob")
    root, words = approving.runtime.state_dir, ["approve", "greet", "--by", "alice"]
    before = (root / "approvals.json").read_bytes()
    words += ["--now-unix-ms", str(START_UNIX_MS), "--state-dir"]
    clean = shutil.copytree(root, tmp_path / "clean")
    done, points = run_words_traced(clean, [*words, clean], calls=[*CHANGING, *OPENING])
    assert done.returncode == 0, done
    after = (clean / "approvals.json").read_bytes()
    of_files = [point for point in points if "FOLDER" in point.label]
    found: set[bytes] = set()
    for number, point in enumerate(of_files):
        for how in ("signal=SIGKILL", "error=ENOSPC"):
            folder = shutil.copytree(root, tmp_path / f"{number}-{how}")
            inject = f"{point.name}:{how}:when={point.ordinal}"
            ended, _ = run_words_traced(folder, [*words, folder], calls=[point.name], inject=inject)
            held = (folder / "approvals.json").read_bytes()
            assert held in {before, after}, point.label
            assert ended.returncode in {-9, 5}, (point.label, ended)
            if ended.returncode == 5:
                assert b"error: " in ended.stderr
                assert b"Traceback" not in ended.stderr
            assert not isinstance(read_approvals(folder), BrokenApprovals)
            found.add(held)
            assert approving.give(state_dir=folder).approval.approved_by == "alice"
    assert found == {before, after}
    assert len(of_files) > 5
