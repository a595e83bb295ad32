"""Why commands cannot be confined here, and how they can be. Pure but for `facts`.

The remedies are the runbook's (custom-command-ops.md, "Where nothing can be confined").
"""

from pathlib import Path
from typing import NamedTuple

NO_BUBBLEWRAP = (
    "bubblewrap is not installed; install the package of that name"
    " (apt install bubblewrap, dnf install bubblewrap, apk add bubblewrap)"
)

NO_UNSHARE = (
    "the program unshare is not there, which keeps mounts of the host away from commands; install"
    " the package util-linux"
)

NO_LINUX = (
    "commands are confined by Linux alone, on x86-64 and ARM64 and from 5.14 on; run it there"
)

_APPARMOR_PROFILE = """\
abi <abi/4.0>,
include <tunables/global>
profile {name} /usr/bin/{name} flags=(unconfined) {{
  userns,
}}"""


class Facts(NamedTuple):
    """What the kernel says of user namespaces; None where it has no such setting.

    Whether unprivileged users may make them, how many there may be, whether AppArmor restricts them
    to programs that have a profile, and whether a filter of system calls is on this very process.
    """

    unprivileged: str | None
    most: str | None
    apparmor: str | None
    is_filtered: bool


def facts() -> Facts:
    """Read them."""
    status = _setting("/proc/self/status") or ""
    return Facts(
        _setting("/proc/sys/kernel/unprivileged_userns_clone"),
        _setting("/proc/sys/user/max_user_namespaces"),
        _setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        "Seccomp:\t2" in status,
    )


def _setting(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def explain(said: str, found: Facts) -> str:
    """Say what to do about what bubblewrap said when it could not set a sandbox up."""
    words = said.casefold()
    if "unknown option" in words:
        remedy = "bubblewrap is too old; 0.8.0 is the first that will do"
    elif "source path" in words or "can't chdir" in words:
        remedy = (
            "the user that commands run as cannot reach a folder; let it search the folders above"
            " (chmod o+x), or name another user: --run-as UID"
        )
    elif "mount proc" in words:
        remedy = (
            "/proc is masked here, as in a container; start that with"
            " --security-opt systempaths=unconfined (podman: --security-opt unmask=ALL)"
        )
    elif any(each in words for each in _OF_NAMESPACES):
        remedy = _about_namespaces("unshare" if words.startswith("unshare") else "bwrap", found)
    else:
        remedy = "the sandbox could not be set up"
    return f"{remedy}: {said}" if said else remedy


_OF_NAMESPACES = (
    *("namespace", "uid map", "gid map", "setgroups", "rtm_"),
    *("unshare: unshare failed", "uid_map", "gid_map", "cannot change root filesystem propagation"),
)
"""Words that bubblewrap and unshare say where user namespaces are refused or of no use."""


def _about_namespaces(program: str, found: Facts) -> str:
    if found.unprivileged == "0":
        return (
            "the kernel lets only root make user namespaces;"
            " sysctl -w kernel.unprivileged_userns_clone=1 allows them"
        )
    if found.most == "0":
        return "the kernel allows no user namespaces; sysctl -w user.max_user_namespaces=10000 does"
    if found.apparmor == "1":
        return (
            f"AppArmor keeps {program} from making user namespaces; write this profile to"
            f" /etc/apparmor.d/{program}, and load it with apparmor_parser -r"
            f" /etc/apparmor.d/{program}\n{_APPARMOR_PROFILE.format(name=program)}\n"
        )
    if found.is_filtered:
        return (
            "a filter of system calls forbids user namespaces, as in a container; start that with"
            " --security-opt seccomp=unconfined, or with a filter that lets unshare, clone,"
            " mount, umount2, pivot_root and setns pass"
        )
    return "the kernel refuses user namespaces"
