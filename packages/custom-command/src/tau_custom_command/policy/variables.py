"""Variables of the environment that an argument never sets: they change what a program loads.

Known by name, compared exactly: as with `programs`, the first line of defence, and no whole one.
Who wants to know which variables arguments can set lists them in `allowed_env`.
"""

_NAMES = frozenset(
    (
        # Where programs are found, and where a command keeps its own files.
        *("PATH", "HOME", "TMPDIR"),
        # What a shell reads before its script, or makes of it.
        *("BASH_ENV", "ENV", "IFS", "BASHOPTS", "SHELLOPTS", "PROMPT_COMMAND", "PS4", "ZDOTDIR"),
        # With what a shell ends, or complains: one starts each confined command.
        *("BASH_COMPAT", "OPTIND", "TMOUT"),
        # What the C library and OpenSSL load.
        *("GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH"),
        *("OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES"),
        # Code and options of interpreters.
        *("NODE_OPTIONS", "NODE_PATH", "PERLLIB", "PHPRC", "PHP_INI_SCAN_DIR", "TCLLIBPATH"),
        *("CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"),
        *("AWKLIBPATH", "AWKPATH", "DOTNET_STARTUP_HOOKS"),
        # Programs that others start.
        *("EDITOR", "LESSOPEN", "PAGER", "RSYNC_RSH", "RUSTC_WRAPPER", "SHELL", "SSH_ASKPASS"),
        "VISUAL",
        # Options and files of settings that name such programs.
        *("CURL_HOME", "EXINIT", "FPATH", "KUBECONFIG", "MAKEFILES", "MAKEFLAGS", "PSQLRC"),
        *("TAR_OPTIONS", "VIMINIT", "WGETRC", "XDG_CONFIG_HOME"),
    )
)
_BEGINNINGS = ("LD_", "DYLD_", "PYTHON", "PERL5", "RUBY", "GIT_", "LUA_")


def changes_loading(name: str) -> bool:
    """Tell whether a variable of this name can have a program load or start something else."""
    return name in _NAMES or name.startswith(_BEGINNINGS)
