"""Programs that a template may not start without `allow_shell`: shells, and what starts others.

They are known by name, whatever their options: the first line of defence. A script, or a program
that is not listed, can start a shell all the same; the sandbox is the second line.
"""

import re
from functools import lru_cache

SHELLS = frozenset(
    (
        *("ash", "bash", "bsd-csh", "cmd", "csh", "dash", "elvish", "fish", "hush", "ksh", "lksh"),
        *("mksh", "nu", "oil", "oksh", "osh", "pdksh", "posh", "powershell", "pwsh", "rbash"),
        *("rksh", "sash", "sh", "static-sh", "tclsh", "tcsh", "xonsh", "yash", "ysh", "zsh"),
    )
)

LAUNCHERS = frozenset(
    (
        *("aa-exec", "at", "batch", "busybox", "bwrap", "capsh", "catatonit", "catchsegv"),
        *("cgexec", "chpst", "chronic", "chroot", "chrt", "command", "cpulimit", "daemon"),
        *("daemonize", "dbus-launch", "dbus-run-session", "doas", "dtach", "dumb-init"),
        *("eatmydata", "entr", "env", "envdir", "exec", "expect", "faketime", "fakeroot", "find"),
        *("firejail", "flock", "gdb", "gosu", "hyperfine", "i386", "ionice", "ld.so", "linux32"),
        *(
            "linux64",
            "ltrace",
            "machinectl",
            "mosh",
            "newgrp",
            "nice",
            "nocache",
            "nohup",
            "nsenter",
        ),
        *("numactl", "parallel", "perf", "pkexec", "prlimit", "proot", "proxychains", "rlwrap"),
        *("rsh", "runcon", "runuser", "s6-setuidgid", "screen", "script", "setarch", "setlock"),
        *("setpriv", "setsid", "setuidgid", "sg", "softlimit", "ssh", "ssh-agent"),
        *("start-stop-daemon", "stdbuf", "strace", "su", "su-exec", "sudo", "sudo-rs"),
        *("systemd-inhibit", "systemd-nspawn", "systemd-run", "taskset", "time", "timeout"),
        *("tini", "tmux", "torify", "torsocks", "toybox", "trickle", "unbuffer", "unshare"),
        *("valgrind", "watch", "x86_64", "xargs", "xvfb-run"),
    )
)
"""Programs that start another one named by their arguments, or read these as a shell does."""

_VERSION_SUFFIX = re.compile(r"([-.]?\d+(\.\d+)*)?([-.](static|distrib|exe))?$")
_LOADER = re.compile(r"ld(-linux.*|-musl.*|64)?\.so(\.\d+)*")
_LONGEST_NAME = 255  # bytes that a file's name can have


def has_no_name(word: str) -> bool:
    """Tell whether a program's word leads to where the kernel shows what runs: `/proc/self/exe`.

    What that is, its name does not tell: it can be a shell. Nor do programs lie in `/dev`.
    """
    parts: list[str] = []
    for part in word.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" in word and parts[:1] in (["proc"], ["dev"])


def program_name(word: str) -> str:
    """The name under which a program's word would be listed here.

    A folder, capitals, a version, `-static` and the `g` of GNU programs on other systems do not
    count. The loader `ld.so`, which starts any program, has one name on all machines.
    """
    name = word.rsplit("/", maxsplit=1)[-1].lower()
    return name if len(name) > _LONGEST_NAME else _listed_name(name)


@lru_cache  # a fixture starts few programs, many times
def _listed_name(name: str) -> str:
    if _LOADER.fullmatch(name):
        return "ld.so"
    plain = _VERSION_SUFFIX.sub("", name)
    names = (name, plain, plain.removeprefix("g"))
    return next((each for each in names if each in SHELLS or each in LAUNCHERS), name)
