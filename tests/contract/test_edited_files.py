"""What people edit or hand over may begin with a byte order mark, and may be a pipe."""

import codecs
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.contract.running import CONTRACTS
from tests.contract.test_commands import PACKAGES, app_of

RUNTIME, GATE, _ = PACKAGES

JUNIT = b'<testsuite tests="1" failures="0"><testcase name="a"/></testsuite>'
CASES = b"""policy = "built-in"
[[cases]]
name = "a first cycle holds"
history = [{ after = "5m" }]
expect = { verdict = "hold" }
"""


def said(package: str, *words: str | Path) -> tuple[int, str]:
    """Return how a command ended, and what it said on stdout."""
    done = CliRunner().invoke(app_of(package), [*map(str, words)], catch_exceptions=False)
    return done.exit_code, done.stdout


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a fixture in both forms, a policy, its cases, a sign-off, reports."""
    root = tmp_path_factory.mktemp("edited")
    (root / "fixture.json").write_bytes((CONTRACTS / "rollout-pass.json").read_bytes())
    (root / "cases.toml").write_bytes(CASES)
    (root / "report.json").write_bytes(b'{"total": 1, "passed": 1, "failed": 0}')
    (root / "report.xml").write_bytes(JUNIT)
    said(RUNTIME, "new", root / "fixture.toml")
    said(GATE, "policy", "init", root / "policy.toml")
    surface = f"custom-command={root / 'state'}"
    where = ("--rollout-dir", root / "ro", "--surface", surface)
    said(GATE, "start", "--release", "1.4.0", "--rollback-to", "1.3.2", *where)
    said(GATE, "signoff", "init", root / "signoff.toml", "--rollout-dir", root / "ro")
    return root


EDITED = {
    "fixture.json": (RUNTIME, ("validate",), ()),
    "fixture.toml": (RUNTIME, ("validate",), ()),
    "policy.toml": (GATE, ("policy", "show", "--policy"), ()),
    "cases.toml": (GATE, ("policy", "test", "--json"), ()),
    "signoff.toml": (GATE, ("signoff", "verify"), ("--rollout-dir", "{}/ro")),
    "report.json": (GATE, ("evaluate", "--validation"), ("--rollout-dir", "{}/ro")),
    "report.xml": (GATE, ("evaluate", "--validation"), ("--rollout-dir", "{}/ro")),
}
"""A file, and the words before and behind it of a command that reads it."""


def marked(path: Path) -> Path:
    """Return a copy of a file that begins with a byte order mark."""
    copy = path.with_name(f"marked-{path.name}")
    copy.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    return copy


def piped(path: Path) -> Path:
    """Return a pipe that holds what a file holds."""
    readable, writable = os.pipe()
    with closing(os.fdopen(writable, "wb")) as file:
        file.write(path.read_bytes())
    return Path(f"/dev/fd/{readable}")


@pytest.mark.parametrize(
    ("name", "changed"),
    # A fixture in TOML is known by the ending of its name, which no pipe has.
    [(n, how) for n in EDITED for how in (marked, piped) if (n, how) != ("fixture.toml", piped)],
)
def test_it_is_read_like_the_plain_file(
    root: Path, name: str, changed: Callable[[Path], Path]
) -> None:
    """By every command that reads one: the same answer, but for the name of the file."""
    package, before, behind = EDITED[name]
    answers = []
    for path in (root / name, changed(root / name)):
        code, out = said(package, *before, path, *(word.format(root) for word in behind))
        lines = [line for line in out.splitlines() if "digest" not in line]
        answers.append((code, "\n".join(lines).replace(str(path), "FILE")))
    assert answers[0] == answers[1]
    assert answers[0][0] in {0, 3}
