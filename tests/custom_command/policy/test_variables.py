"""Which variables an argument never sets."""

import pytest

from tau_custom_command.policy.variables import changes_loading


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONPATH"),
        *("PYTHONSTARTUP", "BASH_ENV", "ENV", "IFS", "NODE_OPTIONS", "PERL5LIB", "PERL5OPT"),
        *("RUBYOPT", "RUBYLIB", "GIT_SSH_COMMAND", "GIT_DIR", "HOME", "LUA_INIT"),
        *("GLIBC_TUNABLES", "JAVA_TOOL_OPTIONS", "OPENSSL_CONF", "PAGER"),
        *(
            "OPTIND",
            "TMOUT",
            "BASH_COMPAT",
            "TAR_OPTIONS",
            "MAKEFLAGS",
            "RSYNC_RSH",
            "XDG_CONFIG_HOME",
            "VISUAL",
        ),
    ],
)
def test_what_changes_how_programs_load_is_known(name: str) -> None:
    """Each of the runbook's names and beginnings is known."""
    assert changes_loading(name)


@pytest.mark.parametrize(
    "name", ["path", "Path", "ld_preload", "PATHS", "XLD_A", "ENVIRONMENT", "who", "LD", "git_dir"]
)
def test_other_names_are_not(name: str) -> None:
    """They are compared exactly: programs do not look for them in other letters."""
    assert not changes_loading(name)
