"""Which programs a template may not start: shells and what starts others, by name."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.policy.effective import as_written
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.policy.programs import LAUNCHERS, SHELLS, program_name
from tau_custom_command.policy.rules import denial

NO_SHELL = ExecutionPolicy()
ANY_SHELL = ExecutionPolicy(allow_shell=True)
FOLDERS = ["", "/bin/", "/usr/local/bin/", "./", "../x/", "//bin//", "/a.b/"]


def _reason(template: str, policy: ExecutionPolicy = NO_SHELL) -> str | None:
    return denial(as_written(policy), template=template, arguments=())


@pytest.mark.parametrize(
    "shell",
    [
        *("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "csh", "tcsh", "fish", "rbash"),
        *("lksh", "oksh", "hush", "sash", "pwsh", "yash", "elvish", "nu", "xonsh", "bsd-csh"),
        *("bash5", "bash-5.2", "zsh-5.9", "ksh93", "bash5.2.15"),
        *("bash-static", "zsh-static", "static-sh", "sh.distrib", "sh.exe", "Bash", "CMD.EXE"),
    ],
)
def test_a_shell_is_denied_by_any_path(shell: str) -> None:
    """A shell as the program is denied, by any path, in any version, with or without words."""
    for folder in FOLDERS:
        for words in ("", " -c {{script}}"):
            reason = _reason(f"{folder}{shell}{words}")
            assert reason is not None
            assert reason.startswith("the template starts a shell (")
            assert _reason(f"{folder}{shell}{words}", ANY_SHELL) is None


@pytest.mark.parametrize(
    "launcher",
    [
        *("env", "nice", "nohup", "timeout", "xargs", "sudo", "doas", "busybox", "setsid"),
        *("stdbuf", "chroot", "unshare", "nsenter", "watch", "parallel", "ssh", "su", "find"),
        *("flock", "strace", "systemd-run", "taskset", "time", "chrt", "ionice", "setarch"),
        *("toybox", "script", "runuser", "pkexec", "bwrap", "tmux", "screen", "gdb", "i386"),
        *("/lib64/ld-linux-x86-64.so.2", "ld.so", "ld-linux-aarch64.so.1", "ld-musl-x86_64.so.1"),
        *("busybox.static", "busybox-static", "gtimeout", "genv", "gnice", "gxargs", "gfind"),
        *("linux32", "x86_64", "s6-setuidgid", "proxychains4", "sudo-rs", "ssh-agent"),
    ],
)
def test_what_starts_another_program_is_denied_by_any_path(launcher: str) -> None:
    """A launcher is denied by its name, whatever its options: they are not read."""
    for folder in FOLDERS:
        for words in ("", " sh -c x", " -n 5 cat {{file}}", " {{program}}"):
            reason = _reason(f"{folder}{launcher}{words}")
            assert reason is not None
            assert reason.endswith(", which starts other programs, and allow_shell is false")
            assert _reason(f"{folder}{launcher}{words}", ANY_SHELL) is None


@pytest.mark.parametrize("name", sorted(SHELLS | LAUNCHERS))
def test_every_name_that_is_listed_is_found(name: str) -> None:
    """No suffix that is left out of a name hides a name that has one of its own."""
    assert program_name(name) == name
    assert _reason(f"/usr/bin/{name} x") is not None


@pytest.mark.parametrize(
    "template",
    [
        '"sh" -c x',
        "'sh' -c x",
        '"s"h -c x',
        "s''h -c x",
        r"s\h -c x",
        r"\s\h -c x",
        r"'s'\h -c x",
        '"/bin/"sh -c x',
        "/bin/s'h' -c x",
        "\tsh\t-c\tx",
        "   sh   -c x",
        "sh",
        "env\t'sh'",
        'e"n"v s\\h',
        "'nice' -n 5 \"sh\"",
    ],
)
def test_quotes_and_blanks_do_not_hide_a_program(template: str) -> None:
    """Words are read as they are started: without their quotes, backslashes, tabs and blanks."""
    assert _reason(template) is not None


@pytest.mark.parametrize(
    "template",
    [
        "printf 'hello %s\\n' {{who}}",
        "echo sh -c bash",
        "cat /bin/sh",
        "which bash",
        "ssh-keygen -l -f {{file}}",
        "shellcheck {{file}}",
        "bashate {{file}}",
        "sha256sum {{file}}",
        "chsh",
        "python3.11 -m tool {{x}}",
        "./deploy.sh {{where}}",
        "git commit -m {{message}}",
        "grep {{pattern}} file",
        "make {{target}}",
        "systemctl restart {{unit}}",
        "curl {{url}}",
        "findmnt {{where}}",
        "gsh-tool",
    ],
)
def test_what_commands_usually_look_like_is_accepted(template: str) -> None:
    """The rule is of use: ordinary programs are accepted, also with a shell's name in theirs."""
    assert _reason(template) is None


@pytest.mark.parametrize(
    "program",
    [
        *("/proc/self/exe", "//proc/./self/exe", "/usr/../proc/1/root/bin/sh", "../proc/self/exe"),
        *("/dev/fd/3", "/../../dev/stdin", "proc/self/exe"),
    ],
)
def test_what_the_kernel_shows_is_denied(program: str) -> None:
    """Its name tells nothing: in a sandbox /proc/self/exe is the shell that starts the command."""
    assert "any program" in (_reason(f"{program} -c {{{{x}}}}") or "")


@pytest.mark.parametrize("program", ["/opt/proc/tool", "/usr/dev/tool", "proc", "./tool", "dev"])
def test_a_folder_of_the_same_name_is_not(program: str) -> None:
    """Only those at the root are the kernel's."""
    assert _reason(f"{program} {{{{x}}}}") is None


@given(st.text(max_size=12))
def test_every_word_has_a_name(word: str) -> None:
    """Whatever the word, its name is one that is listed, or its own without the folder."""
    name = program_name(word)
    assert name in SHELLS | LAUNCHERS or name == word.rsplit("/", 1)[-1].lower()


@pytest.mark.parametrize("word", ["1" * 200_000 + "x", "sh" + "-1" * 100_000, "ld-linux" * 50_000])
def test_a_long_word_takes_no_long_time(word: str) -> None:
    """A word longer than a file's name can be is no known program, at once."""
    started = time.process_time()
    assert program_name(word) == word
    assert time.process_time() - started < 1
