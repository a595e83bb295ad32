"""What is written where evidence belongs: an address, a path, or words that are none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.errors import FormRefusedError
from tau_rollout_gate.evidence.references import (
    identity_of_address,
    is_address,
    is_blank,
    problem_of_path,
)

NOTHING = ["", " ", "-", "--", "?", "...", "…", "TBD", "tbd", "T.B.D.", "[TBD]", "<TODO>", "n/a"]
NOTHING += ["N/A", "none", "\uff34\uff22\uff24", "\u200b", "T\u200bBD", "unknown", "pending"]
NOTHING += ["see logs", "See logs.", "see  logs", "logs", "done", "DONE!"]
NOTHING += ["ok", "yes", "x", "✓", "passed", "someone", "nobody"]


@pytest.mark.parametrize("text", NOTHING)
def test_words_that_stand_for_nothing(text: str) -> None:
    """Blank, `TBD`, `see logs` and their like do not count, even where a file is called so."""
    assert is_blank(text)


@pytest.mark.parametrize(
    "text", ["reports/x.json", "https://ci.tau-ops.dev", "ok.txt", "see.md", "Ann"]
)
def test_what_names_something_is_not_taken_for_nothing(text: str) -> None:
    """A name that only contains such a word can be looked at."""
    assert not is_blank(text)


@pytest.mark.parametrize(
    ("address", "identity"),
    [
        ("https://ci.tau-ops.dev/run/1", "https://ci.tau-ops.dev/run/1"),
        ("HTTPS://CI.Tau-Ops.dev/run/1", "https://ci.tau-ops.dev/run/1"),
        ("https://ci.tau-ops.dev:443/run/1/", "https://ci.tau-ops.dev/run/1"),
        ("https://ci.tau-ops.dev//run/./1/.", "https://ci.tau-ops.dev/run/1"),
        ("https://ci.tau-ops.dev/x/../run/%2e/1", "https://ci.tau-ops.dev/run/1"),
        ("https://ci.tau-ops.dev/../run/1?", "https://ci.tau-ops.dev/run/1"),
        ("https://ci.tau-ops.dev/run/1?&#", "https://ci.tau-ops.dev/run/1"),
        ("https://ci.tau-ops.dev/run/?b=%31&&a=2", "https://ci.tau-ops.dev/run?a=2&b=1"),
        ("https://ci.tau-ops.dev./run/1#step", "https://ci.tau-ops.dev/run/1"),
        ("https://ci.tau-ops.dev/%72un/1", "https://ci.tau-ops.dev/run/1"),
        ("https://ci.tau-ops.dev:8443/run/1", "https://ci.tau-ops.dev:8443/run/1"),
        ("https://ci.tau-ops.dev/run?id=1", "https://ci.tau-ops.dev/run?id=1"),
        ("https://bücher.de/x", "https://xn--bcher-kva.de/x"),
        ("https://ci.build.internal", "https://ci.build.internal"),
        ("https://xn--bcher-kva.xn--p1ai/", "https://xn--bcher-kva.xn--p1ai"),
        (f"https://{'a' * 63}.dev", f"https://{'a' * 63}.dev"),
        (f"https://{'abcd.' * 50}dev", f"https://{'abcd.' * 50}dev"),  # 253 characters
        ("https://myexample.com/x", "https://myexample.com/x"),
    ],
)
def test_an_address_with_a_real_host(address: str, identity: str) -> None:
    """Two spellings of one address are one piece of evidence."""
    assert is_address(address)
    assert identity_of_address(address) == identity


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://ci.tau-ops.dev/run", "is http; give an https address, or a path"),
        ("file:///etc/passwd", "is file"),
        ("ftp://ci.tau-ops.dev", "is ftp"),
        ("mailto:ann@tau-ops.dev", "is mailto"),
        ("https://", "where the name of a host belongs"),
        ("https:///run/1", "where the name of a host belongs"),
        ("https:/ci.tau-ops.dev", "where the name of a host belongs"),
        ("https://localhost/run", "which means nothing to others"),
        ("https://LOCALHOST.:8080/run", "which means nothing to others"),
        ("https://intranet/run", "which means nothing to others"),
        ("https://ci.localhost", "which means nothing to others"),
        ("https://printer.local", "which means nothing to others"),
        ("https://host.localdomain", "which means nothing to others"),
        ("https://example.com/x", "which means nothing to others"),
        ("https://www.example.org/x", "which means nothing to others"),
        ("https://example.net", "which means nothing to others"),
        ("https://ci.example", "which means nothing to others"),
        ("https://ci.test", "which means nothing to others"),
        ("https://ci.invalid", "which means nothing to others"),
        ("https://127.0.0.1/run", "which means nothing to others"),
        ("https://127.1/run", "which means nothing to others"),
        ("https://10.0.0.7/run", "which means nothing to others"),
        ("https://2130706433/run", "which means nothing to others"),
        ("https://0x7f.0x1/run", "which means nothing to others"),
        ("https://[::1]/run", "where the name of a host belongs"),
        ("https://[fe80::1%25eth0]/run", "where the name of a host belongs"),
        ("https://[::1/run", "is not an address"),
        ("https://\uff11\uff12\uff17.0.0.1/run", "which means nothing to others"),
        ("https://ci.tau-ops.dev:99999", "is not an address"),
        ("https://ci.tau-ops.dev:x", "is not an address"),
        ("https://ci.tau-ops.dev/a b", "has characters that no address has"),
        ("https://ci.tau-ops.dev/\u202e", "has characters that no address has"),
        ("https://ci.tau-ops.dev\\@localhost", "has characters that no address has"),
        ("https://ann@ci.tau-ops.dev/x", "has a name or password in it"),
        ("https://:secret@ci.tau-ops.dev/x", "has a name or password in it"),
        ("https://ci..tau-ops.dev", "where the name of a host belongs"),
        ("https://-ci.tau-ops.dev", "where the name of a host belongs"),
        ("https://ci_1.tau-ops.dev", "where the name of a host belongs"),
        (f"https://{'a' * 64}.dev", "where the name of a host belongs"),
        (f"https://{'abcd.' * 50}devs", "where the name of a host belongs"),
        (f"https://{'a.' * 130}dev", "where the name of a host belongs"),
        ("https://ci.d", "which means nothing to others"),
    ],
)
def test_an_address_that_is_no_evidence(address: str, words: str) -> None:
    """Only `https`, only a name, and only one that means the same to everybody."""
    assert is_address(address)
    with pytest.raises(FormRefusedError, match=words):
        identity_of_address(address)


@given(st.text(max_size=40).map(lambda text: f"https://{text}"))
def test_no_address_ends_in_a_traceback(address: str) -> None:
    """Any text is an address with an identity of its own kind, or is refused."""
    with suppress(FormRefusedError):
        assert identity_of_address(address).startswith("https://")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/hostname", "is not inside the repository"),
        ("~/notes.md", "is not inside the repository"),
        ("../notes.md", "has .. in it"),
        ("a/../../b", "has .. in it"),
        ("a/..", "has .. in it"),
        ("a\\b", "is neither an https address nor a path"),
        ("a\nb", "is neither an https address nor a path"),
        ("a\0b", "is neither an https address nor a path"),
        (".git/HEAD", "is git's own"),
        ("sub/.GIT/config", "is git's own"),
    ],
)
def test_a_path_that_is_no_evidence(path: str, words: str) -> None:
    """It is refused by its text, whatever is there."""
    assert words in (problem_of_path(path) or "")
