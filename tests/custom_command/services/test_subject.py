"""What an approval is of: the program and the files that are really there."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.limits import LARGEST_NAMED_FILE_BYTES
from tau_custom_command.policy.approvals import ApprovedFile, Subject, unknown
from tau_custom_command.policy.model import SandboxProfile
from tau_custom_command.services.execute.subject import Surroundings, still, subject_of
from tests.custom_command.cases import registered

is_root = os.geteuid() == 0
SCRIPT = b"#!/bin/sh\n"


def program(path: Path, content: bytes = SCRIPT, *, mode: int = 0o755) -> Path:
    """Write a program, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def approved_file(path: Path, content: bytes = SCRIPT) -> ApprovedFile:
    """Return how a file with this content is told."""
    return ApprovedFile(path=str(path), sha256=sha256(content).hexdigest())


def record_of(template: str, profile: SandboxProfile | None = None) -> CommandRecord:
    """Return the record of a command, whose policy names a profile or none."""
    record = registered("greet", template="echo")["greet"]
    named = UNSET if profile is None else profile
    policy = replace(record.execution_policy, sandbox_profile=named)
    return replace(record, template=template, execution_policy=policy)


def subject(
    template: str,
    named: SandboxProfile | None = None,
    **around: Any,  # noqa: ANN401 - of several types
) -> Subject:
    """Return what would be approved of a command with this template."""
    return subject_of(record_of(template, named), Surroundings(**around))


class TestProgram:
    """The program is the one that would be started."""

    def test_the_first_in_path_that_can_be_started(self, tmp_path: Path) -> None:
        """As a shell finds it: neither a folder, nor what may not be executed."""
        (tmp_path / "a/tool").mkdir(parents=True)
        program(tmp_path / "b/tool", mode=0o644)
        right = program(tmp_path / "c/tool", b"c")
        program(tmp_path / "d/tool", b"d")
        path = os.pathsep.join(str(tmp_path / name) for name in "abcd")
        assert subject("tool x", path=path).program == approved_file(right, b"c")
        assert subject("tool x", path=str(tmp_path / "b")).program is None
        assert subject("tool x").program is None

    def test_what_is_registered_goes_with_it(self, tmp_path: Path) -> None:
        """Everything that the record says, as it stands there."""
        record = record_of("tool {{who}}", SandboxProfile.RESTRICTED)
        found = subject_of(record, Surroundings(path=str(tmp_path)))
        for field in ("command_name", "template", "default_arguments", "read_only"):
            assert getattr(found, field) == getattr(record, field)
        assert found.execution_policy == record.execution_policy

    def test_a_path_is_taken_as_it_is(self, tmp_path: Path) -> None:
        """Also one with blanks; the folder's links are followed, the program's name stays."""
        real = program(tmp_path / "real/a tool")
        (tmp_path / "link").symlink_to("real")
        (tmp_path / "real/other").symlink_to("a tool")
        assert subject(f"'{tmp_path}/link/a tool'").program == approved_file(real)
        assert subject(f"{tmp_path}/link/other").program == approved_file(tmp_path / "real/other")
        assert subject(f"{tmp_path}/real/none").program is None

    def test_a_relative_path_is_one_of_the_folder_that_it_starts_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The workspace, or the runtime's own; in a scratch directory there is nothing yet."""
        for name in ("here", "there"):
            program(tmp_path / name / "run.sh", name.encode())
        monkeypatch.chdir(tmp_path / "here")
        write, free = SandboxProfile.WORKSPACE_WRITE, SandboxProfile.UNRESTRICTED
        there = tmp_path / "there"
        assert subject("./run.sh", workspace=there).program is None
        found = subject("./run.sh", write, workspace=Path("../there")).program
        assert found == approved_file(there / "run.sh", b"there")
        found = subject("./run.sh", free, workspace=there).program
        assert found == approved_file(tmp_path / "here/run.sh", b"here")
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        assert subject("./run.sh", free).program is None

    @pytest.mark.skipif(is_root, reason="root may read everything")
    def test_what_cannot_be_read_is_not_known(self, tmp_path: Path) -> None:
        """It has no digest, which never counts."""
        path = program(tmp_path / "tool", mode=0o111)
        assert subject(str(path)).program == ApprovedFile(path=str(path), sha256=None)

    @pytest.mark.parametrize("template", ["", "  ", "'", "''", "\u00a0", "a\0b", "x" * 5_000])
    def test_any_template_has_an_answer(self, template: str) -> None:
        """A record that somebody edited names no program."""
        found = subject(template, path="/usr/bin:/bin")
        assert found.program is None
        assert list(unknown(found))


class TestFiles:
    """The files that a template names as words."""

    def test_files_are_known_by_what_they_hold(self, tmp_path: Path) -> None:
        """Sorted, each once; not folders, what is not there, or what an argument fills."""
        names = ("b", "a", "c d")
        for name in names:
            (tmp_path / name).write_text(name)
        words = [f"'{tmp_path / name}'" for name in (*names, "a", "none", "", "{{x}}")]
        long = "/" + "x" * 5_000
        found = subject(f"cat -n {' '.join(words)} {long} --config={tmp_path}/a b")
        expected = [approved_file(tmp_path / name, name.encode()) for name in sorted(names)]
        assert list(found.files) == expected

    def test_relative_names_are_those_of_the_workspace(self, tmp_path: Path) -> None:
        """And of nothing where each run has a folder of its own."""
        (tmp_path / "conf").write_text("x")
        write = SandboxProfile.WORKSPACE_WRITE
        assert subject("cat conf", workspace=tmp_path).files == ()
        found = subject("cat conf", write, workspace=tmp_path).files
        assert found == (approved_file(tmp_path / "conf", b"x"),)

    def test_what_the_kernel_shows_as_files_is_not_covered(self, tmp_path: Path) -> None:
        """It changes by itself; nor is a link to it, or a device."""
        (tmp_path / "load").symlink_to("/proc/loadavg")
        assert subject(f"cat /proc/loadavg {tmp_path}/load /dev/null /sys").files == ()

    def test_a_file_that_is_too_large_is_not_known(self, tmp_path: Path) -> None:
        """It would hold every run up; a sparse one is as large as any."""
        path = tmp_path / "image"
        with path.open("wb") as file:
            file.truncate(LARGEST_NAMED_FILE_BYTES + 1)
        assert subject(f"cat {path}").files == (ApprovedFile(path=str(path), sha256=None),)

    @pytest.mark.skipif(is_root, reason="root may look into every folder")
    def test_a_folder_that_may_not_be_looked_into_holds_nothing(self, tmp_path: Path) -> None:
        """The command, which has no more rights, finds nothing there either."""
        (tmp_path / "a").mkdir(mode=0o000)
        assert subject(f"cat {tmp_path}/a/b").files == ()


class TestSurroundings:
    """User and workspace, as they are for the profile that counts."""

    @pytest.mark.parametrize("named", [None, *SandboxProfile])
    def test_the_user_is_the_one_that_it_runs_as(self, named: SandboxProfile | None) -> None:
        """Where the runtime is root, a confined command runs as another, and only it does."""
        for options in SandboxProfile:
            found = subject("true", named, profile=options, run_as=1234)
            is_confined = (named or options) is not SandboxProfile.UNRESTRICTED
            assert found.user == (1234 if is_root and is_confined else os.geteuid())

    def test_a_workspace_is_of_what_may_write_to_it(self, tmp_path: Path) -> None:
        """By its real name; it says nothing of the others."""
        (tmp_path / "link").symlink_to(".")
        write = SandboxProfile.WORKSPACE_WRITE
        around: dict[str, Any] = {"workspace": tmp_path / "link"}
        assert subject("true", write, **around).workspace == str(tmp_path)
        assert subject("true", profile=write, **around).workspace == str(tmp_path)
        assert subject("true", SandboxProfile.RESTRICTED, profile=write, **around).workspace is None
        assert subject("true", SandboxProfile.UNRESTRICTED, **around).workspace is None
        assert subject("true", write).workspace is None
        (tmp_path / "loop").symlink_to("loop")
        assert subject("true", write, workspace=tmp_path / "loop").workspace is not None


def test_just_before_it_starts_it_is_looked_at_again(tmp_path: Path) -> None:
    """The program, and each file: replaced, changed, gone, or never known."""
    tool, conf = program(tmp_path / "tool"), tmp_path / "conf"
    conf.write_text("x")
    found = subject(f"{tool} {conf}")
    assert still(found) is None
    conf.write_text("y")
    assert still(found) == f"{conf} has changed since it was held against its approval"
    conf.write_text("x")
    assert still(found) is None
    tool.rename(tmp_path / "old")
    assert str(tool) in str(still(found))
    program(tool, b"other")
    assert str(tool) in str(still(found))
    program(tool)
    assert still(found) is None
    not_known = replace(found, files=(ApprovedFile(path=str(conf), sha256=None),))
    assert str(conf) in str(still(not_known))
    conf.unlink()
    assert str(conf) in str(still(not_known))
