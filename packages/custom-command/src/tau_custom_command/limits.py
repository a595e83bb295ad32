"""How much the runtime takes in, so that no input exhausts memory; each limit in one place.

100,000 cases in 64 MiB are always accepted. The rest is far beyond what a fixture needs; what is
beyond a limit is refused by name, most of it before it is read (runbooks/custom-command-ops.md,
"Limits").
"""

MIB = 1024 * 1024

LARGEST_FIXTURE_BYTES = 64 * MIB
LARGEST_TOML_BYTES = 512 * 1024
"""A fixture in TOML: people write it, and reading takes up to 500 times its size in memory."""

MOST_DOTTED_PARTS = 16
"""Parts of one key of TOML, `a.b.c`: reading it takes memory for the square of them."""

MOST_CASES = 100_000
LONGEST_NAME = 10_000
"""Characters of a fixture's name, a case id, an operation, a command name or a suffix."""

LONGEST_RELEASE = 128
"""Characters of the name of a release."""

NO_RELEASE = f"must be one line of at most {LONGEST_RELEASE} characters, such as 1.4.0"

LONGEST_TEXT = MIB
"""Characters of a template or a description."""

LONGEST_PATTERN = 1_000
"""Characters of a regular expression: compiling one of that length takes up to half a second."""

MOST_ATTEMPTS = 1_000
"""Attempts at a case, by the operator or by its own `retry_until`."""

LONGEST_RETRY_DELAY_MS = 3_600_000
"""An hour, between two attempts of `retry_until`."""

LARGEST_USER = 2**32 - 2
"""The largest id that a user has. The one after it tells the kernel to change nothing."""

NOBODY = 65_534
"""The user that confined commands run as where the runtime is root, unless another is named."""

MOST_CAPTURES = 100
"""Parts of its output that one case captures."""

MOST_NAMES = 1_000
"""Names in a policy's `allowed_env` or `denied_env` in a fixture."""

MOST_UNKNOWN_KEYS = 100
"""Unknown keys of one object that are told one by one."""

MOST_PROBLEMS = 10_000
"""Problems of a fixture that are told; there can be as many as it has values."""

LARGEST_STATE_FILE_BYTES = 256 * MIB
"""A file that is read as a whole: `state.json`, a channel's log that is repaired."""

LARGEST_NAMED_FILE_BYTES = 1024 * MIB
"""A program, or a file that a template names: what an approval can cover."""

LONGEST_LINE_BYTES = 64 * MIB
"""A line of a log."""


def is_release(text: str) -> bool:
    """Tell whether a text can name a release."""
    is_word = text.isascii() and text.isprintable() and " " not in text
    return is_word and 0 < len(text) <= LONGEST_RELEASE
