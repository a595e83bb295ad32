"""Which program a command line starts, also when it stands behind `env`, `sudo` and their like.

A policy that forbids shells must know what really runs. This module reads the words of a template
and follows the programs that start another program. Where it cannot be sure it says so, and the
policy treats that as a refusal. It is the first line of defence; the sandbox is the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class ProgramKind(Enum):
    """What the words of a command line turn out to start."""

    PLAIN = auto()
    SHELL = auto()
    UNCERTAIN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program that a command line starts in the end.

    `position` is the index of its word: up to and including it, no word may come from an argument.
    """

    kind: ProgramKind
    name: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Launcher:
    """How a program that starts another one reads its own words, from its manual page."""

    switches: frozenset[str] = frozenset()
    options_with_value: frozenset[str] = frozenset()
    operands: int = 0
    takes_assignments: bool = False


def _launcher(
    switches: str = "", options: str = "", *, operands: int = 0, takes_assignments: bool = False
) -> _Launcher:
    return _Launcher(
        switches=frozenset(switches.split()),
        options_with_value=frozenset(options.split()),
        operands=operands,
        takes_assignments=takes_assignments,
    )


# Options by which a launcher reads a script (env -S, flock -c, sudo -s and -i), starts a shell
# (strace -o) or puts something in the place of the program (xargs -I) are left out on purpose: an
# option that is not listed makes the answer uncertain.
_LAUNCHERS = {
    "busybox": _launcher(),
    "chrt": _launcher("-b -d -f -i -o -r -R -v", "-T -P -D", operands=1),
    "doas": _launcher("-n -L", "-u -C"),
    "eatmydata": _launcher(),
    "env": _launcher(
        "-i - -0 -v --ignore-environment --null --debug",
        "-u -C --unset --chdir",
        takes_assignments=True,
    ),
    "fakeroot": _launcher(),
    "flock": _launcher(
        "-s -x -e -n -o -u -F -v --shared --exclusive --nonblock --no-fork --close --verbose",
        "-w -E --timeout --conflict-exit-code",
        operands=1,
    ),
    "ionice": _launcher("-t --ignore", "-c -n --class --classdata"),
    "nice": _launcher("", "-n --adjustment"),
    "nohup": _launcher(),
    "numactl": _launcher("-l", "-m -N -C -i -p"),
    "setsid": _launcher("-c -f -w --ctty --fork --wait"),
    "stdbuf": _launcher("", "-i -o -e --input --output --error"),
    "sudo": _launcher(
        "-A -b -E -H -k -K -n -P -S --askpass --background --preserve-env --set-home "
        "--non-interactive --stdin",
        "-C -D -g -h -p -r -R -t -T -u --user --group --host --prompt --chdir --chroot",
        takes_assignments=True,
    ),
    "taskset": _launcher("-a --all-tasks -c --cpu-list", operands=1),
    "time": _launcher("-p -v -a -q", "-f -o"),
    "timeout": _launcher(
        "--foreground --preserve-status -v --verbose",
        "-k -s --kill-after --signal",
        operands=1,
    ),
    "xargs": _launcher(
        "-0 -o -p -r -t -x --null --no-run-if-empty --verbose --exit --open-tty",
        "-a -d -E -L -n -P -s --arg-file --delimiter --max-args --max-procs",
    ),
}

# Shells, and programs that read their arguments as a shell would (`su -c`, `watch`, `script -c`).
_SHELLS = frozenset(
    (
        *("ash", "bash", "bsd-csh", "csh", "dash", "elvish", "fish", "hush", "ksh", "lksh"),
        *("mksh", "nu", "oil", "oksh", "osh", "pdksh", "posh", "rbash", "rksh", "sash", "sh"),
        *("static-sh", "tclsh", "tcsh", "xonsh", "yash", "ysh", "zsh"),
        *("cmd", "powershell", "pwsh"),
        *("parallel", "runuser", "script", "ssh", "su", "toybox", "watch"),
    )
)

# Programs that start another one in ways not worth a table: their use is always uncertain.
_OPAQUE = frozenset(
    (
        *("aa-exec", "bwrap", "capsh", "catatonit", "catchsegv", "cgexec", "chpst", "chronic"),
        *("chroot", "command", "cpulimit", "daemon", "daemonize", "dbus-launch"),
        *("dbus-run-session", "dtach", "dumb-init", "entr", "envdir", "faketime", "firejail"),
        *("gdb", "gosu", "hyperfine", "i386", "linux32", "linux64", "ltrace", "machinectl"),
        *("newgrp", "nocache", "nsenter", "perf", "pkexec", "prlimit", "proot", "proxychains"),
        *("rlwrap", "runcon", "s6-setuidgid", "screen", "setarch", "setlock", "setpriv"),
        *("setuidgid", "sg", "softlimit", "ssh-agent", "start-stop-daemon", "strace", "su-exec"),
        *("sudo-rs", "systemd-inhibit", "systemd-nspawn", "systemd-run", "tini", "tmux"),
        *("torify", "torsocks", "trickle", "unbuffer", "unshare", "valgrind", "x86_64"),
        *("xvfb-run",),
    )
)
_LOADER = re.compile(r"ld(-linux.*|-musl.*|64)?\.so(\.\d+)*")
_VERSION_SUFFIX = re.compile(r"([-.]?\d+(\.\d+)*)?([-.](static|distrib|exe))?$")
_FINDS_FOLLOWED = 3
_LONGEST_NAME = 255  # bytes that a file's name can have
_FIND_STARTS = ("-exec", "-execdir", "-ok", "-okdir")


def program_of(words: list[str], *, finds_around: int = 0) -> Program:
    """Return the program that `words` (not empty) start, following every launcher before it.

    `finds_around` is how many `find` commands the words stand in.
    """
    position = 0
    while True:
        name = _known_name(words[position])
        if name in _SHELLS:
            return Program(kind=ProgramKind.SHELL, name=name, position=position)
        if name == "find":
            if finds_around == _FINDS_FOLLOWED:
                return _uncertain(name, words)
            return _program_of_find(words, position, finds_around)
        following: int | None = None
        if name not in _OPAQUE and not _LOADER.fullmatch(name):
            launcher = _LAUNCHERS.get(name)
            if launcher is None:
                return Program(kind=ProgramKind.PLAIN, name=name, position=position)
            following = _position_after(launcher, words, position)
        if following is None:
            return _uncertain(name, words)
        position = following


def _uncertain(name: str, words: list[str]) -> Program:
    return Program(kind=ProgramKind.UNCERTAIN, name=name, position=len(words) - 1)


def _known_name(word: str) -> str:
    """Return the name that a program's word goes by in the tables, where it is in one.

    A folder, a version, `-static` and the `g` of GNU programs on other systems do not count.
    """
    name = word.rsplit("/", maxsplit=1)[-1]
    if name in _OPAQUE or _LOADER.fullmatch(name) or len(name) > _LONGEST_NAME:
        return name
    plain = _VERSION_SUFFIX.sub("", name)
    without_g = plain.removeprefix("g")
    return without_g if without_g == "find" or without_g in _LAUNCHERS else plain


def _position_after(launcher: _Launcher, words: list[str], position: int) -> int | None:
    """Return where the program that `launcher` starts stands; None where that is not certain."""
    position += 1
    while position < len(words):
        word = words[position]
        if word == "--":
            position += 1
            break
        if word in launcher.options_with_value:
            position += 2
        elif word in launcher.switches or _has_its_value(word, launcher.options_with_value):
            position += 1
        elif word.startswith("-"):
            return None
        else:
            break
    while launcher.takes_assignments and position < len(words) and "=" in words[position]:
        position += 1
    position += launcher.operands
    if position >= len(words) or not words[position] or words[position].startswith("-"):
        return None
    return position


def _has_its_value(word: str, options_with_value: frozenset[str]) -> bool:
    """Tell whether a word is an option together with its value: `--signal=KILL`, `-n10`."""
    if word.startswith("--"):
        return "=" in word and word.partition("=")[0] in options_with_value
    return word[:2] in options_with_value


def _program_of_find(words: list[str], position: int, finds_around: int) -> Program:
    """Return `find` itself, unless what it starts may be a shell, a found file or an argument."""
    for start in _starts_of_find(words, position):
        program = program_of(words[start:], finds_around=finds_around + 1)
        if program.kind is ProgramKind.SHELL:
            return Program(kind=program.kind, name=program.name, position=len(words) - 1)
        started = words[start : start + program.position + 1]
        if program.kind is ProgramKind.UNCERTAIN or any(
            "{}" in word or "{{" in word for word in started
        ):
            return _uncertain("find", words)
    return Program(kind=ProgramKind.PLAIN, name="find", position=position)


def _starts_of_find(words: list[str], position: int) -> Iterator[int]:
    """Yield where a program that `find` starts may stand: after each -exec, or what may become one.

    An argument may, where it begins its word or what stands before it fits; but not among the
    words of a program, unless an argument before it may have ended those, as `;` and `+` do.
    """
    is_among_words = False
    for index in range(position + 1, len(words) - 1):
        before, braces, _ = words[index].partition("{{")
        if words[index] in _FIND_STARTS:
            is_among_words = True
            yield index + 1
        elif is_among_words:
            ends = words[index] == "+" and words[index - 1] == "{}"
            is_among_words = not (ends or (braces and not before))
        elif braces and any(option.startswith(before) for option in _FIND_STARTS):
            yield index + 1
