"""Which program a template starts: no shell and no argument, whatever stands before it (page 5).

The forms of options are those of the manual pages, written down here anew; the last test starts
real processes and looks at what really ran.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tau_custom_command.policy.model import ExecutionPolicy, denial
from tau_custom_command.policy.programs import Program, ProgramKind, program_of

NO_SHELL = ExecutionPolicy()
ANY_SHELL = ExecutionPolicy(allow_shell=True)

SHELLS = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "csh", "tcsh", "fish", "rbash"]

# For each launcher, ways to write what stands between its name and the program it starts.
FORMS: dict[str, list[str]] = {
    "busybox": ["", "env", "env -i", "nice -n 5", "timeout 5", "xargs", "nohup", "setsid"],
    "chroot": ["/", "--skip-chdir /", "--userspec=0:0 /", "-- /", "--groups=0 /"],
    "chrt": ["1", "-f 1", "-o 0", "--fifo 1", "-T 1 -P 2 -D 3 -d 0", "-R 1", "-fv 1"],
    "doas": ["", "-n", "-u root", "-uroot", "-nu root", "--", "-C f", "-L"],
    "env": [
        *("", "-i", "-", "-i -", "-u HOME", "-uHOME", "--unset=HOME", "--unset HOME", "--uns=HOME"),
        *("-C /", "-C/", "--chdir=/", "-iv", "-iu HOME", "A=1", "A=1 B=2", "A=", "1x=2", "a.b=c"),
        *("=x", "a-b=1 A=1", "--", "-- A=1", "-- -", "-- - A=1", "-i -- - 1=1", "-v", "--debug"),
        *("--block-signal", "--default-signal=INT", "-0", "--argv0=x", "-a x"),
    ],
    "eatmydata": ["", "--"],
    "fakeroot": ["", "--", "-u", "-l lib", "--lib lib", "-s f -i f", "-b 5"],
    "flock": [
        *("f", "-n f", "-x f", "-w 5 f", "-w5 f", "--timeout=5 f", "-xn f", "-E 4 f", "-F f"),
        *("-- f", "--conflict-exit-code 3 f", "9"),
    ],
    "ionice": ["", "-c 3", "-c3", "-c 2 -n 7", "-c2 -n7", "--class idle", "--class=idle", "-t"],
    "linux32": ["", "-R", "-v", "-3"],
    "linux64": ["", "-R"],
    "ltrace": ["", "-f", "-o f", "-e x", "-S -f", "-fS", "-n 2", "-l lib", "-a 40"],
    "nice": [
        *("", "-n 5", "-n5", "-n -5"),
        *("-5", "--5", "--adjustment=5", "--adjustment 5", "--adj=5"),
    ],
    "nohup": ["", "--"],
    "nsenter": ["-t 1", "-t 1 -m", "-t1 -m", "--target=1 --mount", "-a -t 1", "-t 1 -m -S 0 -G 0"],
    "numactl": ["-l", "-N 0", "-N0", "-m 0 -C 1", "--cpunodebind=0", "-i all", "--", "-p 1"],
    "prlimit": ["", "--nofile=5", "--nofile=5 --core=0", "-n5", "--"],
    "runcon": ["system_u:r:t:s0", "-t t", "-t t -u u", "-tt", "-c", "--type=t", "-c -t t"],
    "setarch": ["x86_64", "x86_64 -R", "-R", "x86_64 -R -v", "x86_64 --addr-no-randomize", "-v -R"],
    "setpriv": ["", "--no-new-privs", "--reuid=0", "--reuid 0 --clear-groups", "--nnp"],
    "setsid": ["", "-w", "-f", "-wf", "--fork", "-c", "--"],
    "stdbuf": ["-oL", "-o L", "-o0 -eL", "--output=L", "--output L", "--out=L", "-i0 -o 0"],
    "strace": ["", "-f", "-ff", "-o f", "-e trace=x", "-etrace=x", "-fo f", "-E A=1", "-qq", "-D"],
    "sudo": [
        *("", "-n", "-nE", "-u root"),
        *("-uroot", "-nu root", "--user=root", "--user root", "--us=root"),
        *("A=1", "A=1 -u root", "A=1 -n B=2", "-u root --", "-u root A=1 B=2", "1x=2", "a.b=c"),
        *("--preserve-env=HOME", "-E -H", "-g adm", "-C 3", "-T 5", "-- A=1", "-p x", "-D /"),
    ],
    "systemd-run": [
        *("", "--scope", "--user -t", "-q --wait"),
        *("-p Nice=1", "--unit=u", "-tP", "-E A=1"),
    ],
    "taskset": ["1", "0x3", "-c 0", "-c 0-3", "--cpu-list 0", "-ac 0", "-a 1", "-- 1"],
    "time": ["", "-p", "-v", "-f x", "-fx", "-o f -a", "--format=x", "-vo f", "--"],
    "timeout": [
        *("5", "5s", "0.5", "-k 5 5", "-k5 5", "--kill-after=5 5", "--kill-after 5 5", "-s 9 5"),
        *("-s9 5", "--sig=9 5", "--foreground 5", "--preserve-status -v 5", "-- 5", "-vk 1 5"),
    ],
    "unshare": [
        *("", "-r", "-Ur", "-m -u -i -n -p -f"),
        *("--map-root-user", "-R /", "-w /", "--mount=f"),
    ],
    "xargs": [
        *("", "-0", "-r", "-0r", "-n 1", "-n1"),
        *("-I {}", "-I{}", "-i", "-i{}", "-L 1", "-L1", "-l1"),
        *("-P4", "--max-args=1", "--max-args 1", "--max-procs=2"),
        *("-d x", "-dx", "-a f", "-af", "-E e"),
        *("--arg-file=f", "--arg-file f", "--replace", "--replace={}"),
        *("--null", "--", "-s 99", "-t"),
    ],
}

# Launchers beside those of the first table: programs whose words name a program to start.
MORE_LAUNCHERS = [
    "/lib64/ld-linux-x86-64.so.2",
    "ld.so",
    "ld-linux-aarch64.so.1 --library-path /x",
    "/lib/ld-musl-x86_64.so.1",
    "i386",
    "x86_64 -R",
    "command",
    "command -p",
    "busybox.static",
    "busybox-static",
    "gtimeout 5",
    "genv -i",
    "gnice",
    "gxargs",
    "gstdbuf -o L",
    "tini --",
    "tini -s --",
    "dumb-init",
    "dumb-init -c --",
    "catatonit --",
    "gosu nobody",
    "su-exec nobody:nogroup",
    "setuidgid nobody",
    "s6-setuidgid nobody",
    "chpst -u nobody",
    "chpst -0",
    "envdir env",
    "setlock f",
    "softlimit -m 1000",
    "firejail",
    "bwrap --ro-bind / /",
    "proot -r /",
    "rlwrap",
    "rlwrap -a",
    "unbuffer",
    "unbuffer -p",
    "dbus-run-session --",
    "dbus-launch",
    "ssh-agent",
    "ssh-agent -t 5",
    "start-stop-daemon --start --exec",
    "start-stop-daemon -S -x",
    "daemonize",
    "daemon --",
    "pkexec",
    "pkexec --user root",
    "capsh -- -c",
    "sg adm",
    "newgrp",
    "aa-exec -p x",
    "cgexec -g cpu:x",
    "cpulimit -l 5 --",
    "nocache",
    "faketime 2020-01-01",
    "xvfb-run",
    "xvfb-run -a",
    "torsocks",
    "torify",
    "proxychains4",
    "proxychains",
    "trickle -d 5",
    "systemd-inhibit",
    "systemd-nspawn -D /",
    "valgrind",
    "gdb --args",
    "perf stat",
    "hyperfine",
    "entr",
    "tmux new",
    "screen",
    "dtach -n s",
    "machinectl shell x",
    "sudo-rs",
]


def _denied(template: str, policy: ExecutionPolicy = NO_SHELL) -> bool:
    return denial(policy, template=template, arguments=()) is not None


@pytest.mark.parametrize(
    "shell",
    [
        *SHELLS,
        *("lksh", "oksh", "hush", "sash", "pwsh", "yash", "elvish", "nu", "xonsh", "bsd-csh"),
        *("bash5", "bash-5.2", "zsh-5.9", "ksh93", "bash5.2.15"),
        *("bash-static", "zsh-static", "static-sh", "sh.distrib", "sh.exe"),
    ],
)
def test_a_shell_is_denied_by_any_path(shell: str) -> None:
    """A shell as the program is denied, by any path, in any version, with or without words."""
    for where in ("", "/bin/", "/usr/local/bin/", "./", "../x/", "//bin//", "/a.b/"):
        assert _denied(f"{where}{shell}")
        assert _denied(f"{where}{shell} -c {{{{script}}}}")
        assert not _denied(f"{where}{shell} -c {{{{script}}}}", ANY_SHELL)


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
def test_quotes_and_blanks_do_not_hide_a_shell(template: str) -> None:
    """Words are read as they are started: without their quotes, backslashes, tabs and blanks."""
    assert _denied(template)


@pytest.mark.parametrize(
    ("launcher", "form"),
    [pytest.param(name, form, id=f"{name} {form}") for name in FORMS for form in FORMS[name]],
)
def test_a_shell_behind_a_launcher_is_denied(launcher: str, form: str) -> None:
    """Behind a launcher with its options, a shell is denied as if it stood alone."""
    assert _denied(f"{launcher} {form} sh -c x")
    assert _denied(f"/usr/bin/{launcher} {form} /bin/bash {{{{script}}}}")


@pytest.mark.parametrize("launcher", MORE_LAUNCHERS)
def test_a_shell_behind_their_like_is_denied(launcher: str) -> None:
    """The launchers that the policy's page does not name are followed, or are not certain."""
    assert _denied(f"{launcher} sh -c x")


@pytest.mark.parametrize(
    ("launcher", "form"),
    [
        pytest.param(name, form, id=f"{name} {form}")
        for name in FORMS
        for form in FORMS[name]
        if name != "busybox"
    ],
)
def test_an_argument_is_never_what_a_launcher_starts(launcher: str, form: str) -> None:
    """No placeholder stands where a launcher's program stands, nor before it; with a shell too."""
    for policy in (NO_SHELL, ANY_SHELL):
        assert _denied(f"{launcher} {form} {{{{program}}}} x", policy)
        assert _denied(f"{launcher} {{{{option}}}} {form} cat x", policy)


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("env -S 'sh -c x'", id="env -S"),
        pytest.param("env -S'sh -c x'", id="env -S attached"),
        pytest.param("env -iS 'sh -c x'", id="env -iS"),
        pytest.param("env -vS 'sh -c x'", id="env -vS"),
        pytest.param("env --split-string='sh -c x'", id="env --split-string="),
        pytest.param("env --split-string 'sh -c x'", id="env --split-string"),
        pytest.param("env --sp='sh -c x'", id="env --sp, abbreviated"),
        pytest.param("sudo -s", id="sudo -s"),
        pytest.param("sudo -i", id="sudo -i"),
        pytest.param("sudo -ns", id="sudo -ns"),
        pytest.param("sudo --shell", id="sudo --shell"),
        pytest.param("sudo --login", id="sudo --login"),
        pytest.param("sudo A=1 -s", id="sudo -s behind an assignment"),
        pytest.param("sudo A=1 -i", id="sudo -i behind an assignment"),
        pytest.param("doas -s", id="doas -s"),
        pytest.param("flock f -c 'cat x'", id="flock -c"),
        pytest.param("flock f --command 'cat x'", id="flock --command"),
        pytest.param("flock -n f -c 'cat x'", id="flock -n -c"),
        pytest.param("strace -o '!cat' ls", id="strace -o to a command"),
        pytest.param("systemd-run -p ExecStartPre='/bin/sh -c x' ls", id="systemd-run -p"),
        pytest.param("systemd-run --shell", id="systemd-run --shell"),
        pytest.param("setarch x86_64", id="setarch alone"),
        pytest.param("linux32", id="linux32 alone"),
        pytest.param("chroot /", id="chroot alone"),
        pytest.param("unshare -r", id="unshare alone"),
        pytest.param("nsenter -t 1 -m", id="nsenter alone"),
        pytest.param("capsh --", id="capsh --"),
        pytest.param("su -c x", id="su"),
        pytest.param("su root", id="su root"),
        pytest.param("runuser -u nobody x", id="runuser"),
        pytest.param("script -c x", id="script -c"),
        pytest.param("watch x", id="watch"),
        pytest.param("parallel x", id="parallel"),
        pytest.param("busybox", id="busybox alone"),
    ],
)
def test_what_starts_a_shell_without_naming_one_is_denied(template: str) -> None:
    """A launcher that starts a shell by itself, or reads a word as a script, is denied."""
    assert _denied(template)


@pytest.mark.parametrize(
    "template",
    [
        "find . -exec sh -c x {} +",
        "find . -name x -execdir bash {} +",
        "find . -ok sh {} +",
        "find . -okdir /bin/dash {} +",
        "find . -exec env -i sh {} +",
        "find . -exec cat {} + -exec sh {} +",
        "find . -exec sh {} + -exec cat {} +",
        "find . -exec find . -exec sh {} +",
        "env find . -exec sh {} +",
        "find . -exec env -S x {} +",
        "find /bin/sh script -exec {} +",
        "find . -execdir {} +",
        "find /bin/sh -exec env {} +",
        "find /bin/sh -exec nice -n 5 {} +",
        "find . -execdir ./{} +",
        "gfind . -exec sh {} +",
    ],
)
def test_find_starts_no_shell(template: str) -> None:
    """What `find` starts is judged too: every -exec of it; a file it found is no program."""
    assert _denied(template)


@pytest.mark.parametrize(
    "template",
    [
        "find . -exec {{p}} {} +",
        "find . -exec env {{p}} {} +",
        "find . -exec nice -n {{n}} cat {} +",
        "find . {{a}} {{b}} {{c}}",
        "find {{a}} {{b}} {{c}} -name x",
        "find . -name x {{a}} {{b}} {{c}} {{d}}",
        "find . {{a}} sh -c x {} +",
        "find . -{{a}} sh -c x {} +",
        "find . -e{{a}} sh -c x {} +",
        "find . {{a}} env sh {} +",
        "find . {{a}} env {{b}} {} +",
        "find . -name -name {{a}} {{b}} {{c}}",
        "env find . {{a}} {{b}} {{c}}",
        "find . -exec echo {{a}} {{b}} {{c}} {} +",
        "find . -exec echo {{a}} {{b}} sh {} +",
        "find . -exec echo {} {{a}} {{b}} sh {} +",
        "find . -exec echo {} + {{a}} sh {} +",
    ],
)
def test_an_argument_is_never_what_find_starts(template: str) -> None:
    """An argument of `find` may be any word, `-exec` too: then no program comes from it either."""
    assert _denied(template)


@pytest.mark.parametrize(
    ("template", "program"),
    [
        ("cat x", ("cat", 0)),
        ("/bin/cat x", ("cat", 0)),
        ("nice -n 5 cat x", ("cat", 3)),
        ("env A=1 B=2 nice cat", ("cat", 4)),
        ("timeout -k 5 --signal=9 5 cat", ("cat", 5)),
        ("sudo -u root -- cat", ("cat", 4)),
        ("busybox cat x", ("cat", 1)),
        ("find . -name x", ("find", 0)),
        ("find . -exec nice cat {} +", ("find", 0)),
        ("echo sh", ("echo", 0)),
    ],
)
def test_follows_launchers_to_the_program(template: str, program: tuple[str, int]) -> None:
    """The program behind launchers is found, with the index of its word."""
    name, position = program
    assert program_of(template.split()) == Program(
        kind=ProgramKind.PLAIN, name=name, position=position
    )


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
        "env LANG=C sort {{file}}",
        "env -i A=1 date",
        "env -u HOME -C / date",
        "nice -n 10 make {{target}}",
        "nice make",
        "timeout 5 curl {{url}}",
        "timeout -k 5 10s cat {{file}}",
        "timeout --kill-after=5 10 cat",
        "xargs -0 -n 1 echo {{prefix}}",
        "sudo -n -u deploy systemctl restart {{unit}}",
        "sudo A=1 id",
        "busybox cat {{file}}",
        "nohup cat {{file}}",
        "stdbuf -o L grep {{pattern}} file",
        "ionice -c 3 nice -n 19 tar -cf {{file}} .",
        "flock -n lock make {{target}}",
        "setsid -w cat {{file}}",
        "find . -name {{pattern}}",
        "find . -name '*.py' -newer {{file}}",
        "find . -type f -exec cat {} +",
        "find . -exec grep {{pattern}} {} +",
    ],
)
def test_what_commands_usually_look_like_is_accepted(template: str) -> None:
    """The rule is of use: ordinary templates, also behind launchers, are accepted."""
    assert denial(NO_SHELL, template=template, arguments=()) is None


CHAINS = st.lists(
    st.sampled_from([f"{name} {form}" for name in sorted(FORMS) for form in FORMS[name]]),
    min_size=1,
    max_size=4,
)


@given(CHAINS, st.sampled_from(SHELLS), st.sampled_from(["", "/bin/", "./"]))
def test_no_chain_of_launchers_hides_a_shell(chain: list[str], shell: str, where: str) -> None:
    """However many launchers stand before it, with whatever options: a shell is denied."""
    assert _denied(f"{' '.join(chain)} {where}{shell} -c {{{{script}}}}")


@given(CHAINS)
def test_no_chain_of_launchers_starts_an_argument(chain: list[str]) -> None:
    """However many launchers stand before it: a placeholder as the program is denied."""
    assert _denied(f"{' '.join(chain)} {{{{program}}}} -c x")
    assert _denied(f"{' '.join(chain)} {{{{program}}}} -c x", ANY_SHELL)


WORDS = st.one_of(
    st.sampled_from(["env", "sh", "{{x}}", "--", "-", "-n", "A=1", "find", "-exec", "{}", "+", ""]),
    st.text(max_size=5),
)


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_every_line_of_words_has_an_answer(words: list[str]) -> None:
    """Whatever the words, there is one program, and it stands among them."""
    program = program_of(words)
    assert 0 <= program.position < len(words)


# What really starts. Programs of this machine are run in an empty directory, with shells and a
# program that arguments may name replaced by a script that leaves a mark.

TOKENS = [
    *("env", "nice", "nohup", "timeout", "xargs", "stdbuf", "flock", "setarch", "find", "time"),
    *("-", "--", "-n", "-i", "-u", "-o", "-a", "-c", "-R", "-I", "-exec", "+", "{}", "5", "L", "."),
    *("lock", "A=1", "1x=2", "=x", "x86_64", "sh", "true", "{{a}}", "{{b}}", "{{c}}", "words"),
]
STARTERS = TOKENS[:10]
VALUES = ["canary", "sh", "-exec", "+", ";", "--", "-c", "A=1", "-", "{}", "-n", "5"]


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="the launchers' forms are those of Linux")
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.tuples(st.sampled_from(STARTERS), st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6)),
    st.tuples(*[st.sampled_from(VALUES)] * 3),
)
@example(("env", ["--", "-", "sh"]), ("5", "5", "5"))
@example(("env", ["1x=2", "sh"]), ("5", "5", "5"))
@example(("flock", ["lock", "-c", "sh"]), ("5", "5", "5"))
@example(("setarch", ["-R", "sh", "true"]), ("5", "5", "5"))
@example(("setarch", ["x86_64", "-R", "sh"]), ("5", "5", "5"))
@example(("find", [".", "{{a}}", "{{b}}", "{{c}}"]), ("-exec", "canary", ";"))
@example(("find", [".", "{{a}}", "sh", "{}", "+"]), ("-exec", "5", "5"))
@example(("find", [".", "-exec", "echo", "{{a}}", "{{b}}", "sh", "{}", "+"]), (";", "-exec", "5"))
@example(("find", ["sh", "words", "-exec", "{}", "+"]), ("5", "5", "5"))
@example(("xargs", ["-a", "words", "echo"]), ("5", "5", "5"))
def test_what_really_starts_is_no_shell_and_no_argument(
    line: tuple[str, list[str]], values: tuple[str, str, str]
) -> None:
    """A template that the policy accepts, filled with any arguments, starts neither, for real."""
    words = [line[0], *line[1]]
    assume({"sh", "{{a}}", "{{b}}", "{{c}}"} & set(words))
    assume(not _denied(" ".join(words)))
    assume(shutil.which(words[0]) is not None)
    named = dict(zip("abc", values, strict=True))
    filled = [re.sub(r"\{\{(\w+)\}\}", lambda m: named[m[1]], word) for word in words]
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "mark")
        programs = Path(folder, "bin")
        work = Path(folder, "work")
        work.mkdir()
        work.joinpath("words").write_text("echo\n", encoding="utf-8")
        programs.mkdir()
        for name in ("sh", "canary"):
            script = programs / name
            script.write_text(f"#!/bin/sh\n: > {shlex.quote(str(mark))}\n", encoding="utf-8")
            script.chmod(0o700)
        environment = {"PATH": f"{programs}:/usr/bin:/bin", "SHELL": str(programs / "sh")}
        # Two flocks on one file wait for each other; what they had started by then still counts.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                filled,
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=5,
                check=False,
            )
        assert not mark.exists(), f"{' '.join(words)!r} with {named} started what it must not"


def test_finds_in_finds_end_somewhere() -> None:
    """However deep they are nested, the answer comes, and it is no permission."""
    words = ["find", ".", *["-exec", "find", "."] * 1500, "-exec", "cat", "{}", "+"]
    assert program_of(words).kind is ProgramKind.UNCERTAIN


@pytest.mark.parametrize("word", ["1" * 200_000 + "x", "sh" + "-1" * 100_000, "ld-linux" * 50_000])
def test_a_long_word_takes_no_long_time(word: str) -> None:
    """A word longer than a file's name can be is no known program, at once."""
    started = time.monotonic()
    assert program_of([word]).kind is ProgramKind.PLAIN
    assert time.monotonic() - started < 1
