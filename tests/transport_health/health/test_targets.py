"""Targets: the built-in ones, those of a TOML file, and what is refused of either."""

import os
import re
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_transport_health.errors import OutputError, TargetError, UnreadableError
from tau_transport_health.files import targets as targets_file
from tau_transport_health.files.targets import add_target, read_targets, remove_target
from tau_transport_health.health.targets import BUILT_IN, Target, find, parse_targets
from tau_transport_health.services.inspect import Question, known_targets, look
from tests.transport_health.running import (
    COMMAND,
    PATIENCE_SECONDS,
    UNHURRIED,
    Inspector,
    as_another_user,
    environment,
)
from tests.transport_health.state_files import StateDirectory

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
        ("a = " + "[" * 1500, "arrays and tables are nested too deeply"),
        ('[targets.a]\nstate_dir="a\\u0000b"', "targets.a.state_dir: "),
        ("a" + ".a" * 1_000_000 + " = 1", "is larger than 64 KiB"),
        ("a" + ".a" * 1_000 + " = 1", "line 1 is longer than 2000 bytes"),
        ("a = " + "9" * 1_900, "a: is not a known table"),
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
    with pytest.raises(TargetError, match="not UTF-8 text"):
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


@pytest.mark.parametrize("file", ["/dev/zero", "a.toml"])
def test_a_file_that_is_no_targets_file_is_exit_5(file: str, inspector: Inspector) -> None:
    """A file that cannot be used is no wrong usage; one without an end is read to a limit only."""
    (inspector.folder / "a.toml").write_text("[[[", encoding="utf-8")
    for command in (["inspect", "--all"], ["status", "voice"], ["targets", "list"]):
        done = inspector(*command, "--targets", file)
        assert (done.code, done.out) == (5, "")
        assert done.err.startswith(f"error: {file}: ")


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
    assert found[name] == Target(name=name, label=label, state_dir=str(Path(state_dir).absolute()))
    if name != "first-of-all":
        assert found["first-of-all"].label == "first-of-all"


WRITTEN = """\
# Whose these are, and why.
[targets.b]   # the second letter
state_dir = "b" # a folder beside this file

# The first letter, which comes second.
[targets.a]
label = "A"
state_dir = "/srv/a"
# The end.
"""


def test_a_file_keeps_all_that_is_not_changed(tmp_path: Path) -> None:
    """Comments, order, line ends, mode and the link that leads to it; nothing is left beside it."""
    real = tmp_path / "real" / "t.toml"
    real.parent.mkdir()
    path = tmp_path / "link.toml"
    path.symlink_to(real)
    for written in (WRITTEN, WRITTEN.replace("\n", "\r\n")):
        real.write_bytes(written.encode())
        real.chmod(0o640)
        add_target(path, "c", state_dir="/srv/c", label=None)
        assert real.read_bytes().startswith(written.rstrip().encode())
        add_target(path, "a", state_dir="/srv/other", label=None)
        remove_target(path, "c")
        assert real.read_text().rstrip() == WRITTEN.replace("/srv/a", "/srv/other").rstrip()
        assert (path.is_symlink(), real.stat().st_mode & 0o777) == (True, 0o640)
        assert [each.name for each in real.parent.iterdir()] == [real.name]
    add_target(path, "b", state_dir="/srv/b", label="B")
    head, _, rest = real.read_text().partition("# The first letter")
    assert tomllib.loads(head) == {"targets": {"b": {"state_dir": "/srv/b", "label": "B"}}}
    assert rest.startswith(", which comes second.")


@pytest.mark.parametrize(
    "form",
    [
        "",
        "[targets]\n",
        'targets = { a = { state_dir = "x" } }\n',
        'targets.a.state_dir = "x"\n',
        '[targets]\na = { state_dir = "x" }\n',
        "\ufeff[targets.a]\nstate_dir = 'x'\n",
    ],
)
def test_every_form_of_the_file_is_changed(form: str, tmp_path: Path) -> None:
    """Whatever way TOML has to say it, what is added is there, and what is removed is not."""
    path = tmp_path / "t.toml"
    path.write_text(form)
    others = read_targets(path)
    add_target(path, "b", state_dir="/srv/b", label="B")
    assert read_targets(path) == others | {"b": Target("b", "B", "/srv/b")}
    add_target(path, "b", state_dir="/srv/other", label=None)
    assert read_targets(path) == others | {"b": Target("b", "B", "/srv/other")}
    remove_target(path, "b")
    assert read_targets(path) == others


def test_folders_are_found_from_where_the_file_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added from one folder is found from any other; the file may move with its folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = Path("tau/targets.toml")
    add_target(path, "below", state_dir="tau/x", label=None)
    add_target(path, "beside", state_dir="x", label=None)
    add_target(path, "above", state_dir="../x", label=None)
    text = path.read_text()
    assert 'state_dir = "x"' in text
    assert f'state_dir = "{tmp_path}/here/x"' in text
    monkeypatch.chdir("/")
    for name, folder in (("below", "here/tau/x"), ("beside", "here/x"), ("above", "x")):
        found = read_targets(tmp_path / "here/tau/targets.toml")[name].state_dir
        assert Path(found or "").resolve() == tmp_path / folder


def test_targets_added_at_once_are_all_there(tmp_path: Path) -> None:
    """Each process waits for the one before."""
    names = [f"t{number}" for number in range(4)]
    running = [
        subprocess.Popen(
            [COMMAND, "targets", "add", name, "--state-dir", name], cwd=tmp_path, env=environment()
        )
        for name in names
    ]
    assert [each.wait(PATIENCE_SECONDS) for each in running] == [0, 0, 0, 0]
    assert sorted(read_targets(tmp_path / ".tau/targets.toml")) == names


def test_a_lock_that_is_not_given_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, and nothing is changed."""
    monkeypatch.setattr(targets_file, "LOCK_SECONDS", 0.1)
    path = tmp_path / "t.toml"
    with targets_file.locked(path), pytest.raises(OutputError, match="locked: see fuser -v "):
        add_target(path, "mine", state_dir="x", label=None)
    assert list(tmp_path.iterdir()) == []


def test_a_target_is_removed(inspector: Inspector) -> None:
    """Its own files stay; what is not in the file cannot be removed from it."""
    inspector.directory("mine").good()
    inspector("targets", "add", "mine", "--state-dir", ".tau/mine")
    done = inspector("targets", "remove", "mine")
    assert (done.code, done.out, done.err) == (0, "", "wrote .tau/targets.toml\n")
    assert inspector("inspect", "mine").code == 2
    assert inspector("inspect", "custom-command", "--state-dir", ".tau/mine").code == 0
    missing = "has no target 'mine'; known there are none"
    for name, words in (("mine", missing), ("voice", "'voice' is built in")):
        done = inspector("targets", "remove", name)
        assert done.code == 2
        assert words in done.err


def test_a_named_target_is_always_reported(inspector: Inspector) -> None:
    """A folder that is gone, empty or hidden is down; a built-in one that never was is left out."""
    inspector.directory().good()
    inspector.directory("voice").root.mkdir(parents=True)
    (inspector.folder / ".tau/memory").symlink_to("/not/mounted")
    (inspector.folder / ".tau/gateway").write_bytes(b"")
    inspector("targets", "add", "gone", "--state-dir", "volume/gone")
    done = inspector("inspect", "--all", "--json")
    assert done.code == 5
    rows = {row["transport"]: row["holds"] for row in done.json()}
    assert list(rows) == ["custom-command", "voice", "memory", "gateway", "gone"]
    reasons = {name: holds[0]["reason"] for name, holds in rows.items() if holds}
    assert reasons == {
        "voice": ".tau/voice/state.json: there is no such file",
        "memory": ".tau/memory: is a link to /not/mounted, which is not there",
        "gateway": ".tau/gateway: is not a directory",
        "gone": f"{inspector.folder}/volume/gone: there is no such directory",
    }
    up = re.findall('up{transport="(.*?)",.*} 0', inspector("export", "--all").out)
    assert up == ["voice", "memory", "gateway", "gone"]


def test_a_root_that_may_not_be_looked_into_hides_nothing() -> None:
    """What may be there is reported, since nobody knows that it is not."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / ".tau"
        root.mkdir(0)
        Path(folder).chmod(0o755)
        question = Question(name=None, root=root, targets_file=Path("/dev/null"))
        with as_another_user():
            looks = look(question)
            rows = known_targets(question)
    assert [each.target.name for each in looks] == BUILT_IN_NAMES
    assert {each.assessment.holds[0][0] for each in looks} == {"permission_denied"}
    assert {row["exists"] for row in rows} == {False}


def test_a_root_of_somebody_else_is_told_of_the_target() -> None:
    """The runtime makes its root for its user alone: the advice is not lost to the targets file.

    Where that file would have to be read, whose it is stands in the error.
    """
    with TemporaryDirectory() as folder:
        root = Path(folder) / ".tau"
        root.mkdir(0)
        Path(folder).chmod(0o755)
        with as_another_user():
            (seen,) = look(Question(name="voice", root=root))
            with pytest.raises(UnreadableError, match=r"denied: it is .*'s, and this runs as "):
                look(Question(name=None, root=root))
    assert seen.assessment.holds[0][0] == "permission_denied"
    assert f"inspect voice --state-dir {root}/voice" in seen.recommendation or os.geteuid() != 0


def test_the_targets_file_lies_in_the_root(inspector: Inspector) -> None:
    """Of every command; relative folders are relative to it, and a file that is named wins."""
    StateDirectory(inspector.folder / "deep/root/mine").good()
    added = inspector(
        "targets", "add", "mine", "--root", "deep/root", "--state-dir", "deep/root/mine"
    )
    assert added.err == "wrote deep/root/targets.toml\n"
    assert (inspector.folder / "deep/root/targets.toml").read_text().endswith('"mine"\n')
    assert inspector("inspect", "mine").code == 2
    assert inspector("inspect", "mine", "--root", "deep/root").code == 0
    assert inspector("inspect", "--all", env={"TAU_TRANSPORT_HEALTH_ROOT": "deep/root"}).code == 0
    assert inspector("targets", "remove", "mine", "--root", "deep/root").code == 0


def test_a_targets_file_may_be_a_pipe(inspector: Inspector) -> None:
    """It is read once; folders in it are relative to the current one."""
    inspector.directory("elsewhere").good()
    pipe = inspector.folder / "pipe"
    os.mkfifo(pipe)
    content = b'[targets.mine]\nstate_dir = ".tau/elsewhere"\n'
    for words in (["inspect", "mine"], ["inspect", "--all"], ["targets", "list"]):
        with ThreadPoolExecutor() as pool:
            writing = pool.submit(pipe.write_bytes, content)
            done = inspector(*words, "--targets", "pipe")
            assert writing.result() == len(content)
        assert (done.code, done.err) == (0, "")
        assert "mine" in done.out
    refused = inspector("targets", "add", "a", "--state-dir", "b", "--targets", "pipe")
    assert (refused.code, "is no regular file" in refused.err) == (5, True)


def test_a_targets_file_that_leads_nowhere_is_not_taken_for_none(inspector: Inspector) -> None:
    """A link to a volume that is not mounted: the targets in it are not known."""
    inspector.directory().good()
    (inspector.folder / ".tau/targets.toml").symlink_to("/not/mounted/targets.toml")
    for words in (["inspect", "--all"], ["targets", "list"]):
        done = inspector(*words)
        assert done.code == 5
        assert ".tau/targets.toml: cannot be read: No such file" in done.err


def test_a_byte_order_mark_is_passed_over(inspector: Inspector) -> None:
    """Some editors write one: the targets are read, and `targets list` names it."""
    inspector.directory("elsewhere").good()
    content = b'\xef\xbb\xbf[targets.mine]\nstate_dir = ".tau/elsewhere"\n'
    (inspector.folder / "t.toml").write_bytes(content)
    done = inspector("inspect", "mine", "--targets", "t.toml")
    assert (done.code, done.err) == (0, "")
    done = inspector("targets", "list", "--targets", "t.toml")
    assert (done.code, "mine" in done.out) == (0, True)
    assert done.err == "t.toml begins with a byte order mark, which is passed over\n"


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
