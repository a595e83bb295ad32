"""Targets: the built-in ones, those of a TOML file, and what is refused of either."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_transport_health.errors import OutputError, TargetError, UnreadableError
from tau_transport_health.files.targets import add_target, read_targets
from tau_transport_health.health.targets import BUILT_IN, Target, find, parse_targets
from tests.transport_health.running import UNHURRIED, Inspector

BUILT_IN_NAMES = [
    "custom-command",
    "voice",
    "dashboard",
    "memory",
    "browser-automation",
    "gateway",
    "deployment",
    "multi-agent",
    "multi-channel",
]


def test_the_built_in_targets_are_those_of_the_specification() -> None:
    """Nine transports; the command runtime has a label of its own and alone always chains."""
    assert list(BUILT_IN) == BUILT_IN_NAMES
    assert BUILT_IN["custom-command"].label == "no-code-command-registry"
    assert BUILT_IN["voice"].label == "voice"
    assert [name for name, target in BUILT_IN.items() if target.is_chained] == ["custom-command"]


def test_a_target_is_found_by_its_name() -> None:
    """Built in or named in a file; another name is refused with the list of those there are."""
    mine = Target(name="mine", label="Mine", state_dir="/x")
    assert find("mine", {**BUILT_IN, "mine": mine}) is mine
    assert find("voice", {**BUILT_IN, "mine": mine}) is BUILT_IN["voice"]
    with pytest.raises(TargetError, match=r"'nope' is not a target; known are custom-.*, mine$"):
        find("nope", {**BUILT_IN, "mine": mine})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1", "x: is not a known table"),
        ("targets = 1", "targets: must be tables"),
        ("targets.a = 1", "targets.a: must be a table"),
        ("[targets.voice]\nstate_dir='x'", "'voice' is built in"),
        ("[targets.1a]\nstate_dir='x'", "'1a' is not a target's name"),
        ("[targets.'a b']\nstate_dir='x'", "'a b' is not a target's name"),
        ("[targets.a]", "targets.a.state_dir: is missing"),
        ("[targets.a]\nstate_dir='x'\nextra=1", "targets.a.extra: is not a known key"),
        ("[targets.a]\nstate_dir=1", "targets.a.state_dir: must be a string"),
        ("[targets.a]\nstate_dir='  '", "targets.a.state_dir: must be a string that is not blank"),
        ("[targets.a]\nstate_dir='x'\nlabel=''", "targets.a.label: must be a string that"),
        ("[targets.a]\nstate_dir='x'\n[targets.a]\nstate_dir='y'", "not TOML"),
        ("[[[", "not TOML"),
        ("a = " + "[" * 5000, "not TOML"),
        ('[targets.a]\nstate_dir="a\\u0000b"', "targets.a.state_dir: "),
    ],
    ids=lambda text: text[:30],
)
def test_a_file_of_another_form_is_refused_by_its_place(
    content: str, words: str, tmp_path: Path
) -> None:
    """The file and the place in it are named."""
    path = tmp_path / "targets.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TargetError) as refused:
        read_targets(path)
    assert str(refused.value).startswith(f"{path}: {words}")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A file that was named must be there and be read; bytes that are no text are an error."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(UnreadableError, match="cannot be read"):
            read_targets(path)
    (tmp_path / "t").write_bytes(b"\xff")
    with pytest.raises(TargetError, match="not TOML"):
        read_targets(tmp_path / "t")


def test_a_named_file_that_is_not_there_is_exit_5(inspector: Inspector) -> None:
    """As one that cannot be read; the default file alone may be missing, and not be unreadable."""
    for command in (["inspect", "voice"], ["targets", "list"], ["channels", "list", "voice"]):
        for file in ("none.toml", "."):
            done = inspector(*command, "--targets", file)
            assert (done.code, done.out) == (5, "")
            assert done.err.startswith(f"error: {file}: cannot be read: ")
    assert inspector("targets", "list").code == 0
    (inspector.folder / ".tau/targets.toml").mkdir(parents=True)
    assert inspector("targets", "list").code == 5
    assert inspector("targets", "add", "a", "--state-dir", "b").code == 5


def test_no_table_is_no_target() -> None:
    """An empty file names nothing."""
    assert parse_targets({}) == {}


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@UNHURRIED
@given(
    name=st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,63}", fullmatch=True).filter(
        lambda name: name not in BUILT_IN
    ),
    state_dir=TEXTS.filter(str.strip),
    label=TEXTS.filter(str.strip),
)
def test_what_was_added_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, state_dir: str, label: str
) -> None:
    """Any text survives the way through the file, beside what was there before."""
    path = tmp_path_factory.mktemp("targets") / "deep" / "targets.toml"
    add_target(path, "first-of-all", state_dir="/first", label=None)
    add_target(path, name, state_dir=state_dir, label=label)
    found = read_targets(path)
    assert found[name] == Target(name=name, label=label, state_dir=state_dir)
    if name != "first-of-all":
        assert found["first-of-all"].label == "first-of-all"


def test_a_target_is_changed_by_adding_it_again(tmp_path: Path) -> None:
    """The second time replaces the first."""
    path = tmp_path / "t.toml"
    for folder in ("/a", "/b"):
        add_target(path, "mine", state_dir=folder, label="Mine")
    assert read_targets(path) == {"mine": Target(name="mine", label="Mine", state_dir="/b")}


@pytest.mark.parametrize("name", ["voice", "", "a b", "9", "a" * 65, "a\n", "../x"])
def test_a_name_that_may_not_be_is_not_added(name: str, tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(TargetError):
        add_target(tmp_path / "t.toml", name, state_dir="x", label=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("state_dir", "label"), [("", None), ("  ", None), ("x", "  ")])
def test_what_could_not_be_read_back_is_not_added(
    state_dir: str, label: str | None, tmp_path: Path
) -> None:
    """A blank folder or label would make the file useless to every later command."""
    with pytest.raises(TargetError):
        add_target(tmp_path / "t.toml", "mine", state_dir=state_dir, label=label)
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_none_is_refused(tmp_path: Path) -> None:
    """A folder's name that is no UTF-8 cannot stand in TOML; what was there stays."""
    path = tmp_path / "t.toml"
    add_target(path, "mine", state_dir="x", label=None)
    with pytest.raises(OutputError, match="not text"):
        add_target(path, "other", state_dir="\udcff", label=None)
    assert list(read_targets(path)) == ["mine"]


def test_the_commands_add_list_and_use_a_target(inspector: Inspector) -> None:
    """`targets add` writes it, `targets list` shows it, `inspect` and `--all` look at it."""
    directory = inspector.directory("elsewhere")
    directory.good()
    added = inspector("targets", "add", "mine", "--state-dir", ".tau/elsewhere", "--label", "Mine")
    assert (added.code, added.out, added.err) == (0, "", "wrote .tau/targets.toml\n")
    rows = inspector("targets", "list", "--json").json()
    assert [row["transport"] for row in rows] == [*BUILT_IN_NAMES, "mine"]
    assert rows[-1] == {
        "transport": "mine",
        "target": "Mine",
        "state_dir": ".tau/elsewhere",
        "exists": True,
    }
    table = inspector("targets", "list").out.splitlines()
    assert table[0].split() == ["TARGET", "LABEL", "STATE", "DIRECTORY"]
    assert table[-1].split() == ["mine", "Mine", "there", ".tau/elsewhere"]
    assert inspector("inspect", "mine", "--json").json()[0]["target"] == "Mine"
    assert [row["transport"] for row in inspector("inspect", "--all", "--json").json()] == ["mine"]


def test_another_targets_file_may_be_named(inspector: Inspector) -> None:
    """By option or by environment; without it the name is not known: wrong usage."""
    inspector.directory("elsewhere").good()
    options = ["--state-dir", ".tau/elsewhere", "--targets", "my.toml"]
    assert inspector("targets", "add", "mine", *options).code == 0
    assert inspector("inspect", "mine").code == 2
    assert inspector("inspect", "mine", "--targets", "my.toml").code == 0
    assert inspector("inspect", "mine", env={"TAU_TRANSPORT_HEALTH_TARGETS": "my.toml"}).code == 0


def test_a_folder_that_cannot_be_is_no_bug(inspector: Inspector) -> None:
    """A name too long for the system is a state that is not there, with every command."""
    options = ["--state-dir", "a" * 300]
    assert inspector("targets", "add", "mine", *options).code == 0
    assert inspector("inspect", "mine").code == 5
    assert inspector("inspect", "--all").code == 5
    assert inspector("targets", "list").code == 0


def test_what_cannot_be_written_is_said(inspector: Inspector) -> None:
    """A link to nowhere in the place of the targets file's folder: exit 5, one line."""
    (inspector.folder / "link").symlink_to("nowhere/at/all")
    done = inspector("targets", "add", "mine", "--state-dir", "x", "--targets", "link/t.toml")
    assert done.code == 5
    assert done.err.startswith("error: link/t.toml: cannot be written: ")
