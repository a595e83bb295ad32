"""`approve`, `approvals` and `revoke` as users meet them: real processes, output, exit codes."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from tests.custom_command.cases import case_object, fixture_object
from tests.custom_command.running import START_UNIX_MS, Command

AT = ("--now-unix-ms", str(START_UNIX_MS))
ECHO = Path(shutil.which("echo") or "")
POLICY = {
    "allow_network": True,
    "sandbox_profile": "unrestricted",
    "allowed_env": ["who", "b", "A"],
}


@pytest.fixture
def registered(command: Command) -> Command:
    """Return the command with two registered commands."""
    spec = {"name": "greet", "template": "echo 'a b' {{who}} f.json"}
    about = {"default_arguments": {"who": "é"}, "read_only": True, "execution_policy": POLICY}
    cases = [
        case_object("a", template=spec["template"], command_spec=spec | about),
        case_object("b", "CREATE", "other", template="echo {{a}} {{b}}"),
    ]
    command.write("f.json", fixture_object(*cases))
    assert command("run", "f.json").code == 0
    return command


def digest(path: Path) -> str:
    """Return the digest of a file."""
    return sha256(path.read_bytes()).hexdigest()


def test_what_is_approved_is_shown(registered: Command) -> None:
    """Each part on a line of its own, what stays free, and what was done."""
    done = registered("approve", "greet", "--by", " alice ", "--expires", "30d", *AT)
    assert (done.code, done.err) == (0, "")
    fixture = registered.folder / "f.json"
    assert done.out.splitlines() == [
        "template:           echo 'a b' {{who}} f.json",
        "words:              echo  'a b'  {{who}}  f.json",
        "free:               who",
        "pinned:             nothing",
        "other arguments:    variables of the environment: a, b, who",
        'default arguments:  {"who": "é"}',
        "read only:          yes, as its author says",
        (
            'policy:             allow_network true; sandbox_profile "unrestricted"; allowed_env '
            '["who", "b", "A"]; what it leaves out, the options of \'run\' say'
        ),
        f"runs as:            user {registered.folder.stat().st_uid}, workspace none",
        f"program:            {ECHO.parent.resolve() / 'echo'}, SHA-256 {digest(ECHO)}",
        f"file:               {fixture.resolve()}, SHA-256 {digest(fixture)}",
        "greet is approved by alice, until 2026-01-31 00:00:00Z",
    ]


def test_what_would_be_approved_is_only_shown(registered: Command) -> None:
    """With --dry-run; and an approval that is there is named before it is replaced."""
    registered("approve", "other", "--by", "alice", *AT)
    pins = ("--pin", "b=x y", "--pin", "a=")
    done = registered("approve", "other", "--by", "bob", "--dry-run", *pins)
    assert "free:               no placeholder\n" in done.out
    assert "pinned:             b='x y', a=''\n" in done.out
    assert done.out.splitlines()[-1] == (
        "other would be approved by bob, without an end; nothing was changed "
        "(instead of alice's of 2026-01-01 00:00:00Z)"
    )
    assert [each["approved_by"] for each in registered("approvals", "--json").json()] == ["alice"]


def test_approvals_are_listed(registered: Command) -> None:
    """Whether each counts, and below the table why not."""
    assert registered("approvals").out == "Nothing is approved.\n"
    registered("approve", "greet", "--by", "alice", "--expires", "1d", *AT)
    registered("approve", "other", "--by", "bob", "--pin", "a=1", *AT)
    done = registered("approvals", *AT)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "COMMAND  COUNTS  BY     GIVEN                 EXPIRES               PINNED",
        "greet    yes     alice  2026-01-01 00:00:00Z  2026-01-02 00:00:00Z  nothing",
        "other    yes     bob    2026-01-01 00:00:00Z  never                 a=1",
    ]
    registered.write("f.json", fixture_object(case_object("c", "DELETE", "other")))
    registered("run", "f.json")
    done = registered("approvals")
    assert [line.split()[1] for line in done.out.splitlines()[1:3]] == ["no", "no"]
    assert done.out.splitlines()[3].startswith("greet: what alice approved has changed: a file ")
    assert done.out.splitlines()[4] == "other: the command is not registered any more"
    told = registered("approvals", "--json").json()
    assert [each["counts"] for each in told] == [False, False]
    assert told[1]["why_not"] == "the command is not registered any more"


def test_an_approval_is_withdrawn(registered: Command) -> None:
    """Once; a second time there is none, which is a no."""
    registered("approve", "greet", "--by", "alice", *AT)
    done = registered("revoke", "greet")
    assert (done.code, done.out) == (
        0,
        "greet: the approval by alice at 2026-01-01 00:00:00Z is withdrawn\n",
    )
    done = registered("revoke", "greet", "--json")
    assert (done.code, done.out) == (3, "")
    assert "nobody approved 'greet'" in done.err
    registered("approve", "greet", "--by", "alice", *AT)
    assert registered("revoke", "greet", "--json").json()["approved_by"] == "alice"


def test_programs_are_told_the_same(registered: Command) -> None:
    """The approval as the file holds it, with what follows from it."""
    told = registered("approve", "greet", "--by", "alice", "--pin", "x=1", "--json").json()
    path = registered.folder / ".tau/custom-command/approvals.json"
    (held,) = json.loads(path.read_bytes())["approvals"]
    assert told == held | {
        "free_placeholders": ["who"],
        "remarks": ["'x' is pinned as the variable $x; no placeholder has this name"],
        "carried_out": True,
    }


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["greet"], 2, "Missing option '--by'"),
        (["greet", "--by", " "], 2, "it is blank"),
        (["greet", "--by", "x" * 10_001], 2, "has more than 10,000 characters"),
        (["greet", "--by", "a", "--expires", "30"], 2, "is not a duration"),
        (["greet", "--by", "a", "--expires", "0s"], 2, "is no time at all"),
        (["greet", "--by", "a", "--pin", "who"], 2, "'who' is not NAME=VALUE"),
        (["greet", "--by", "a", "--pin", "a-b=1"], 2, "'a-b=1' is not NAME=VALUE"),
        (["greet", "--by", "a", "--pin", "=1"], 2, "'=1' is not NAME=VALUE"),
        (["greet", "--by", "a", "--pin", "a=1", "--pin", "a=2"], 2, "stands there twice"),
        (["greet", "--by", "a", "--run-as", "0"], 2, "--run-as"),
        (["greet", "--by", "a", "--workspace", ""], 2, "it is blank"),
        (["nobody", "--by", "a"], 3, "'nobody' is not registered"),
        (["greet", "--by", "a", "--state-dir", "none"], 5, "there is no state.json"),
    ],
    ids=lambda each: " ".join(each)[:40] if isinstance(each, list) else None,
)
def test_a_slip_is_told(registered: Command, words: list[str], code: int, told: str) -> None:
    """On stderr, with what to do, and nothing is approved."""
    done = registered("approve", *words)
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert registered("approvals").out == "Nothing is approved.\n"


def test_a_captured_value_can_be_pinned(registered: Command) -> None:
    """By its placeholder's name."""
    done = registered("approve", "other", "--by", "a", "--pin", "capture.v=1")
    assert "pinned:             capture.v=1\n" in done.out


def test_a_broken_file_names_the_way_out(registered: Command) -> None:
    """5 for who asks; approving anew keeps it beside."""
    path = registered.folder / ".tau/custom-command/approvals.json"
    path.write_text("{")
    for words in (["approvals"], ["revoke", "greet"]):
        done = registered(*words)
        assert (done.code, done.out) == (5, "")
        assert "nothing is approved" in done.err
        assert "tau-custom-command approve NAME --by WHO --state-dir" in done.err
    done = registered("approve", "greet", "--by", "alice")
    assert done.code == 0
    assert "note: approvals.json is kept in approvals.json.corrupt" in done.out
    assert path.with_name("approvals.json.corrupt").read_text() == "{"
    assert len(registered("approvals", "--json").json()) == 1


def test_hostile_text_acts_on_no_terminal(registered: Command) -> None:
    """Neither who approves, nor a template, nor a pin."""
    bad = "a\x1b[31m\u202eb"
    cases = [case_object("h", template=f"echo '{bad}'")]
    registered.write("h.json", fixture_object(*cases))
    registered("run", "h.json")
    for words in (["approve", "greet", "--by", bad, "--pin", f"x={bad}"], ["approvals"]):
        done = registered(*words)
        assert done.code == 0
        assert "\x1b" not in done.out
        assert "\u202e" not in done.out
