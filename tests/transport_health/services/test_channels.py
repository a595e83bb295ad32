"""`channels`: what the channel store holds, and whether it is sound; nothing outside of it."""

import json
import os
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tau_transport_health.contract.channel import (
    LONGEST_LINE_BYTES,
    check_description,
    is_channel_name,
    parse_artifact,
    parse_context_entry,
    parse_log_entry,
    path_parts,
)
from tau_transport_health.errors import ExitCode, NoChannelError, TransportHealthError
from tau_transport_health.files.channel_store import ChannelStore
from tau_transport_health.formats.channels import (
    entries_json,
    entries_text,
    sentences_json,
    sentences_text,
    summaries_json,
    summaries_text,
    verification_json,
    verification_text,
)
from tau_transport_health.services.channels import (
    PROBLEMS_KEPT,
    last_entries,
    last_sentences,
    summaries,
    verify,
)
from tests.transport_health.running import Inspector, as_another_user, unprintable
from tests.transport_health.state_files import NOW_UNIX_MS, Json, line_of

CONTRACT = Path(__file__).resolve().parents[3] / "fixtures/state-contract/v1"
ESCAPE = "\x1b[2J\x1b]0;owned\x07\u202e\n"
OUTPUT = b"Filesystem Use%\n" * 100


def entry(time: int = NOW_UNIX_MS, **payload: object) -> Json:
    """Return an entry of a channel's log."""
    whole: Json = {
        "outcome": "success",
        "operation": "run",
        "case_id": "020-run",
        "command_name": "disk-usage",
        "status_code": 200,
        "upserted_commands": 0,
        "deleted_commands": 0,
        "executed_runs": 1,
    }
    return {
        "timestamp_unix_ms": time,
        "direction": "system",
        "event_key": "RUN:disk-usage:020-run",
        "source": "tau-custom-command-runner",
        "payload": whole | payload,
    }


def audit(**changes: object) -> Json:
    """Return the audit of an executed run."""
    return {
        "executed": True,
        "command_line": "df -h /var",
        "exit_code": 0,
        "stdout": "",
        "stderr": "",
        "timed_out": False,
        "duration_ms": 7,
        "failure_reason": None,
    } | changes


def artifact(name: str = "a-stdout.txt", **changes: object) -> Json:
    """Return a line of the index, of an artifact that holds `OUTPUT`."""
    return {
        "id": name,
        "run_id": "a",
        "artifact_type": "stdout",
        "relative_path": f"artifacts/{name}",
        "bytes": len(OUTPUT),
        "checksum_sha256": sha256(OUTPUT).hexdigest(),
        "created_unix_ms": NOW_UNIX_MS,
        "expires_unix_ms": None,
    } | changes


class Store:
    """A channel store of the tests' own making, in a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.path = state_dir / "channel-store/custom-command"

    @property
    def read(self) -> ChannelStore:
        """Return it as the inspector reads it."""
        return ChannelStore(self.state_dir, "custom-command")

    def channel(self, name: str = "disk-usage", entries: int = 2) -> Path:
        """Write a sound channel with so many entries; return its folder."""
        folder = self.path / name
        folder.mkdir(parents=True)
        lines = [line_of(entry(NOW_UNIX_MS + 1000 * n)) for n in range(entries)]
        folder.joinpath("log.jsonl").write_bytes(b"".join(lines))
        context = line_of({"timestamp_unix_ms": NOW_UNIX_MS, "role": "system", "text": "It ran."})
        folder.joinpath("context.jsonl").write_bytes(context * entries)
        folder.joinpath("schema.json").write_bytes(
            line_of({"schema_version": 1, "transport": "custom-command", "channel_id": name})
        )
        return folder

    def artifacts(self, folder: Path, *lines: Json) -> Path:
        """Write an index and one artifact; return their folder."""
        artifacts = folder / "artifacts"
        artifacts.mkdir()
        artifacts.joinpath("index.jsonl").write_bytes(b"".join(map(line_of, lines)))
        artifacts.joinpath("a-stdout.txt").write_bytes(OUTPUT)
        return artifacts


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a channel store that does not exist yet."""
    return Store(tmp_path / ".tau/custom-command")


def problems(store: Store, channel: str | None = None) -> list[tuple[str, int | None, str]]:
    """Return what is unsound: file, line, reason."""
    verification = verify(store.read, channel, now_unix_ms=NOW_UNIX_MS)
    assert verification.exit_code == (ExitCode.NO if verification.problem_count else ExitCode.YES)
    return [(f"{p.channel}/{p.file}", p.line, p.reason) for p in verification.problems]


# Entries.


def samples(kind: str, form: str) -> list[Any]:
    """Return the contract's samples of a form, by name."""
    paths = sorted((CONTRACT / kind / form).glob("*.json"))
    return [pytest.param(form, path.read_bytes(), id=f"{form}-{path.stem}") for path in paths]


FORMS = ("channel-log", "context", "artifact-index", "channel")


def parse(form: str, raw: bytes) -> None:
    """Read a sample as its form."""
    match form:
        case "channel-log":
            parse_log_entry(raw)
        case "context":
            parse_context_entry(raw)
        case "artifact-index":
            parse_artifact(raw)
        case _:
            name = json.loads(raw).get("channel_id")
            check_description(raw, channel=str(name), transport="custom-command")


@pytest.mark.parametrize(("form", "raw"), [s for form in FORMS for s in samples("valid", form)])
def test_the_contracts_valid_samples_are_read(form: str, raw: bytes) -> None:
    """Whatever the contract calls valid is read, with keys that nobody knows."""
    parse(form, raw)


@pytest.mark.parametrize(("form", "raw"), [s for form in FORMS for s in samples("invalid", form)])
def test_the_contracts_invalid_samples_are_refused(form: str, raw: bytes) -> None:
    """Whatever the contract calls invalid is refused, with a reason."""
    with pytest.raises(TransportHealthError):
        parse(form, raw)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "the line: is not an object"),
        (None, "the line: is missing or null"),
        (
            entry(run_audit=audit(exit_code=True)),
            "exit_code: found True; must be an integer or null",
        ),
        (entry(run_audit=audit(executed=1)), "executed: found 1; must be true or false"),
        (entry(run_audit={k: v for k, v in audit().items() if k != "exit_code"}), "is missing"),
        (entry(run_audit="yes"), "payload.run_audit: is not an object"),
        (entry(drift={"expected": {"outcome": "success"}}), "payload.drift.expected.response_body"),
        (
            entry(
                drift={
                    "expected": {
                        "outcome": "success",
                        "status_code": 200,
                        "error_code": None,
                        "response_body": "text",
                    }
                }
            ),
            "response_body: found 'text'; must be an object or null",
        ),
    ],
)
def test_a_refused_entry_names_the_field(value: object, reason: str) -> None:
    """Whoever reads the reason knows where to look."""
    with pytest.raises(TransportHealthError, match=reason):
        parse_log_entry(line_of(value))


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({}, ""),
        ({"run_audit": audit()}, "exit 0 after 7 ms"),
        ({"run_audit": audit(exit_code=None, executed=False, duration_ms=0)}, ""),
        (
            {"run_audit": audit(timed_out=True, failure_reason="timeout", stderr=" slow \n")},
            "timed out after 7 ms; stderr: slow",
        ),
        (
            {"run_audit": audit(exit_code=2, failure_reason="failed")},
            "exit 2 after 7 ms; failed",
        ),
        (
            {"run_audit": audit(exit_code=137, signal=9, failure_reason="non_zero_exit")},
            "died of signal 9 after 7 ms",
        ),
        (
            {"run_audit": audit(exit_code=None, failure_reason="interrupted", left_behind=True)},
            "ended after 7 ms; interrupted; left processes behind, which were ended",
        ),
        (
            {"run_audit": audit(exit_code=None, duration_ms=0, failure_reason="interrupted")},
            "interrupted",
        ),
        (
            {"run_audit": audit(stderr="a\nb\n\nc\n d\n...<truncated:9 bytes>")},
            "exit 0 after 7 ms; stderr: b / c / d / ...<truncated:9 bytes>",
        ),
        (
            {"run_audit": audit(stderr="as ...<truncated:9 of them")},
            "exit 0 after 7 ms; stderr: as ...<truncated:9 of them",
        ),
    ],
)
def test_what_stands_out_in_an_entry(changes: Json, remark: str) -> None:
    """An entry's remark says how its run ended, and nothing where nothing stands out."""
    assert parse_log_entry(line_of(entry(**changes))).remark == remark


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("registry", True),
        ("disk-usage_2", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        (".", False),
        ("..", False),
        ("a/b", False),
        ("a\n", False),
        ("7a", False),
        ("é", False),
        ("a\0", False),
    ],
)
def test_what_a_channel_can_be_called(name: str, *, wanted: bool) -> None:
    """Only what a command can be called, so no path."""
    assert is_channel_name(name) is wanted


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("artifacts/a.txt", ("artifacts", "a.txt")),
        ("artifacts/a/b", ("artifacts", "a", "b")),
        ("artifacts", None),
        ("log.jsonl", None),
        ("/artifacts/a", None),
        ("artifacts/../log.jsonl", None),
        ("artifacts//a", None),
        ("artifacts/./a", None),
        ("artifacts/a\0", None),
        ("", None),
    ],
)
def test_where_an_artifact_can_be(path: str, parts: tuple[str, ...] | None) -> None:
    """Only below the channel's own artifacts."""
    assert path_parts(path) == parts


# list


def test_the_list(store: Store) -> None:
    """Each channel is told with its entries, the last one, its invalid lines and its artifacts."""
    folder = store.channel()
    store.artifacts(folder, artifact())
    other = store.channel("registry", entries=0)
    other.joinpath("log.jsonl").write_bytes(b"{}\n" + line_of(entry()) + b'{"torn')
    rows = summaries_json(summaries(store.read))
    assert rows == [
        {
            "channel": "disk-usage",
            "entries": 2,
            "last_unix_ms": NOW_UNIX_MS + 1000,
            "last_outcome": "success",
            "invalid_lines": 0,
            "artifacts": 1,
            "unread_files": [],
        },
        {
            "channel": "registry",
            "entries": 1,
            "last_unix_ms": NOW_UNIX_MS,
            "last_outcome": "success",
            "invalid_lines": 2,
            "artifacts": 0,
            "unread_files": [],
        },
    ]
    table = summaries_text(summaries(store.read)).splitlines()
    assert table[1].split() == ["disk-usage", "2", "2026-01-01T00:00:01Z", "success", "0", "1"]
    assert (
        len({line.index(word) for line, word in zip(table, ("OUT", "suc", "suc"), strict=True)})
        == 1
    )


def test_an_empty_list(store: Store) -> None:
    """A store without a channel, and a channel without an entry, are shown as that."""
    store.path.mkdir(parents=True)
    assert summaries_text(summaries(store.read)) == "there is no channel yet"
    store.channel(entries=0)
    assert summaries_text(summaries(store.read)).splitlines()[1].split()[1:4] == ["0", "-", "-"]


# show


def test_the_last_entries(store: Store) -> None:
    """The last ones are shown, oldest first, of how many, and what stands out in each."""
    folder = store.channel(entries=12)
    with folder.joinpath("log.jsonl").open("ab") as log:
        log.write(b"nonsense\n")
        log.write(line_of(entry(10**18, run_audit=audit(exit_code=3, stderr="disk full"))))
        log.write(b'{"torn')
    entries = last_entries(store.read, "disk-usage", last=2)
    assert [place for *place, _ in entries.entries] == [["log.jsonl", 12], ["log.jsonl", 14]]
    head, *lines = entries_text(entries).splitlines()
    assert head.split() == ["TIME", "OPERATION", "CASE", "OUTCOME", "STATUS", "REMARK"]
    assert lines[0].split() == ["2026-01-01T00:00:11Z", "run", "020-run", "success", "200"]
    assert lines[1].endswith("exit 3 after 7 ms; stderr: disk full")
    assert lines[1].startswith(str(10**18))
    assert lines[2].startswith("2 of 13 entries of ")
    assert "1 invalid line is left out" in lines[3]
    assert "torn" in lines[4]
    value = entries_json(entries)
    assert (value["entry_count"], value["invalid_lines"], value["torn"]) == (13, 1, True)
    assert value["entries"][1]["run_audit"]["stderr"] == "disk full"


def test_rotated_logs_are_read_on(store: Store) -> None:
    """A higher number is older; the entries of all files count, and each is told with its file."""
    folder = store.channel(entries=0)
    for name, times in {"log.jsonl.10": (1, 2), "log.jsonl.2": (3,), "log.jsonl": (4, 5)}.items():
        lines = [line_of(entry(NOW_UNIX_MS + 1000 * time)) for time in times]
        folder.joinpath(name).write_bytes(b"".join(lines))
    folder.joinpath("log.jsonl.1.corrupt").write_bytes(b"none of it\n")
    folder.joinpath("context.jsonl").rename(folder / "context.jsonl.1")
    shown = last_entries(store.read, "disk-usage", last=4)
    assert [place for *place, _ in shown.entries] == [
        ["log.jsonl.10", 2],
        ["log.jsonl.2", 1],
        ["log.jsonl", 1],
        ["log.jsonl", 2],
    ]
    assert [one["file"] for one in entries_json(shown)["entries"]][:2] == [
        "log.jsonl.10",
        "log.jsonl.2",
    ]
    assert "4 of 5 entries of" in entries_text(shown)
    (row,) = summaries(store.read)
    assert (row.entries, row.invalid_lines) == (5, 0)
    assert problems(store) == []
    with folder.joinpath("log.jsonl.2").open("ab") as log:
        log.write(b"{}\n{")
    folder.joinpath("log.jsonl.3").symlink_to("log.jsonl")
    assert problems(store) == [
        (
            "disk-usage/log.jsonl.3",
            None,
            "cannot be opened: log.jsonl.3 is a symbolic link, which is not followed",
        ),
        ("disk-usage/log.jsonl.2", 2, "direction: is missing; must be 'system'"),
        ("disk-usage/log.jsonl.2", None, "its last line is torn: it has no line break"),
    ]
    shown = last_entries(store.read, "disk-usage", last=4)
    assert (shown.total, shown.invalid_lines, shown.is_torn) == (5, 2, False)


def test_what_cannot_be_read_is_told(store: Store, inspector: Inspector) -> None:
    """Entries that are left out with their file are no silence: a note, a key, and exit 3."""
    folder = store.channel(entries=3)
    folder.joinpath("log.jsonl").rename(folder / "log.jsonl.1")
    folder.joinpath("log.jsonl").mkdir()
    store.channel("registry", entries=1)
    reason = "cannot be opened: not a regular file"
    shown = last_entries(store.read, "disk-usage", last=2)
    assert (shown.total, shown.exit_code) == (3, ExitCode.NO)
    assert entries_json(shown)["unread_files"] == [{"file": "log.jsonl", "reason": reason}]
    assert entries_text(shown).splitlines()[-2:] == [
        f"2 of 3 entries of {folder / 'log.jsonl'}",
        f"log.jsonl {reason}: what it holds is left out",
    ]
    store.path.joinpath("registry/artifacts/index.jsonl").mkdir(parents=True)
    found = summaries(store.read)
    assert [each.exit_code for each in found] == [ExitCode.NO, ExitCode.NO]
    assert summaries_text(found).splitlines()[-2:] == [
        f"disk-usage/log.jsonl {reason}: what it holds is left out",
        f"registry/artifacts/index.jsonl {reason}: what it holds is left out",
    ]
    for words in (["list", "custom-command"], ["show", "custom-command", "disk-usage"]):
        assert inspector("channels", *words).code == 3
        done = inspector("channels", *words, "--json")
        value = done.json() if words[0] == "show" else done.json()[0]
        assert (done.code, value["unread_files"]) == (3, [{"file": "log.jsonl", "reason": reason}])


def test_a_log_that_is_not_there(store: Store, inspector: Inspector) -> None:
    """A channel without a log has no entry, and nothing of it is unread."""
    store.channel().joinpath("log.jsonl").unlink()
    assert inspector("channels", "list", "custom-command", "--json").json()[0]["entries"] == 0
    for words in (["list", "custom-command"], ["show", "custom-command", "disk-usage"]):
        assert inspector("channels", *words).code == 0


def test_a_drift_is_shown(store: Store) -> None:
    """What was expected and what was observed stand side by side."""
    side: Json = {
        "outcome": "success",
        "status_code": 200,
        "error_code": None,
        "response_body": None,
    }
    folder = store.channel(entries=0)
    refused = side | {"outcome": "malformed_input", "error_code": "custom_command_invalid_name"}
    log = [
        entry(drift={"expected": side, "observed": side | {"response_body": {}}}),
        entry(drift={"expected": side, "observed": refused}),
    ]
    folder.joinpath("log.jsonl").write_bytes(b"".join(map(line_of, log)))
    entries = last_entries(store.read, "disk-usage", last=5)
    _, *lines = entries_text(entries).splitlines()
    assert lines[0].endswith("drift: expected success 200, observed another response body")
    assert lines[1].endswith("observed malformed_input 200 custom_command_invalid_name")
    drift = entries_json(entries)["entries"][1]["drift"]
    assert drift["expected"] == {"outcome": "success", "status_code": 200, "error_code": None}


def test_hostile_text_is_harmless(store: Store) -> None:
    """No control character of a file reaches the terminal, and no text is longer than a line."""
    folder = store.channel(entries=0)
    hostile = entry(
        operation=ESCAPE.lower() + "\x85",
        case_id=ESCAPE * 1000,
        command_name=ESCAPE,
        run_audit=audit(stderr=ESCAPE * 1000),
    )
    folder.joinpath("log.jsonl").write_bytes(line_of(hostile))
    text = entries_text(last_entries(store.read, "disk-usage", last=1))
    assert not unprintable(text)
    assert len(text) < 3000
    store.path.joinpath(f"{ESCAPE}x").mkdir()
    folder.joinpath("context.jsonl").write_bytes(line_of({ESCAPE: 1}))
    assert not unprintable(verification_text(verify(store.read, None, now_unix_ms=NOW_UNIX_MS)))


@pytest.mark.parametrize(
    "name", ["..", ".", "", "/etc", "a/../../..", "disk-usage/../registry", "x\n", "\0"]
)
def test_a_name_never_leads_out_of_the_store(store: Store, name: str) -> None:
    """What is no channel of the store is refused before anything is opened."""
    store.channel()
    for ask in (
        lambda: last_entries(store.read, name, last=1),
        lambda: verify(store.read, name, now_unix_ms=NOW_UNIX_MS),
    ):
        with pytest.raises(NoChannelError, match="is not a channel's name"):
            ask()


def test_a_store_that_may_not_be_read_says_whose_it_is() -> None:
    """It is no store that is missing, and no answer that cannot be written."""
    with TemporaryDirectory() as folder:
        state_dir = Path(folder) / "state"
        state_dir.mkdir(0)
        Path(folder).chmod(0o755)
        with (
            as_another_user(),
            pytest.raises(NoChannelError, match=r"cannot be read: Permission denied: it is .*'s"),
        ):
            summaries(ChannelStore(state_dir, "voice"))


def test_links_are_not_followed(store: Store, tmp_path: Path) -> None:
    """Neither a channel, nor its files, nor the store itself may be a link to elsewhere."""
    outside = Store(tmp_path / "outside").channel()
    folder = store.channel()
    store.path.joinpath("linked").symlink_to(outside)
    store.path.joinpath("file").touch()
    with pytest.raises(NoChannelError, match="linked: is a symbolic link, which is not followed"):
        last_entries(store.read, "linked", last=1)
    rows = {row.channel: (row.exit_code, row.unread_files) for row in summaries(store.read)}
    assert rows == {
        "disk-usage": (ExitCode.YES, ()),
        "file": (ExitCode.NO, (("", "is not a channel's folder"),)),
        "linked": (ExitCode.NO, (("", "is a symbolic link, which is not followed"),)),
    }
    folder.joinpath("log.jsonl").unlink()
    folder.joinpath("log.jsonl").symlink_to(outside / "log.jsonl")
    assert last_entries(store.read, "disk-usage", last=1).entries == ()
    found = problems(store)
    assert found[:2] == [
        ("file/", None, "is not a channel's folder"),
        ("linked/", None, "is a symbolic link, which is not followed"),
    ]
    linked = "cannot be opened: log.jsonl is a symbolic link, which is not followed"
    assert found[2] == ("disk-usage/log.jsonl", None, linked)
    away = tmp_path / "away"
    store.path.rename(away)
    store.path.symlink_to(away)
    for path in (store.path, store.path.parent):
        if path != store.path:
            path.rename(tmp_path / "above")
            path.symlink_to(tmp_path / "above")
        with pytest.raises(NoChannelError, match=f"{path.name} is a symbolic link, which is not "):
            summaries(store.read)


# verify


def test_a_sound_store(store: Store) -> None:
    """Where all is sound, it says so, with what was looked at."""
    store.artifacts(store.channel(), artifact())
    store.channel("registry", entries=0)
    verification = verify(store.read, None, now_unix_ms=NOW_UNIX_MS)
    assert (verification.exit_code, verification.remedy) == (ExitCode.YES, None)
    assert verification_text(verification) == (
        f"{store.path}: sound; 2 channels, 5 lines, 1 artifact"
    )
    assert verification_json(verification)["problems"] == []


def test_a_channel_that_is_being_made_is_none_yet(store: Store) -> None:
    """What its writer has yet to give its name is no problem; a folder of another kind is one."""
    store.channel()
    for name in (".greet.new", ".9.new", "greet.new", ".greet"):
        store.path.joinpath(name).mkdir()
    others = dict.fromkeys((".9.new", "greet.new", ".greet"), "is not a channel's folder")
    assert ChannelStore(store.state_dir, "custom-command").names() == (["disk-usage"], others)


def test_a_registry_without_an_entry_is_sound(store: Store) -> None:
    """Its folder comes before its first entry; one log without the other is a problem."""
    for name in ("disk-usage", "registry"):
        folder = store.channel(name)
        for log in ("log.jsonl", "context.jsonl"):
            folder.joinpath(log).unlink()
    assert problems(store, "registry") == []
    missing = [(f"disk-usage/{log}", None, "is missing") for log in ("log.jsonl", "context.jsonl")]
    assert problems(store) == missing
    store.path.joinpath("registry/context.jsonl").touch()
    assert problems(store, "registry") == [("registry/log.jsonl", None, "is missing")]


@pytest.mark.parametrize(
    ("file", "content", "line", "reason"),
    [
        ("log.jsonl", b'{}\n{"torn', 1, "direction: is missing"),
        ("log.jsonl", b"{}{}\n", 1, "not JSON"),
        ("log.jsonl", b"\xff\n", 1, "not UTF-8"),
        ("log.jsonl", b"\n", 1, "not JSON"),
        ("log.jsonl", b"{", None, "torn"),
        ("log.jsonl", None, None, "is missing"),
        ("context.jsonl", b'{"role":"user"}\n', 1, "timestamp_unix_ms: is missing"),
        ("context.jsonl", None, None, "is missing"),
        ("schema.json", b"{}", None, "schema_version: is missing; 1 is known"),
        ("schema.json", b"[]", None, "the file: is not an object"),
        (
            "schema.json",
            b'{"schema_version":1,"transport":"custom-command","channel_id":"other"}',
            None,
            "channel_id: found 'other'; must be 'disk-usage'",
        ),
        (
            "schema.json",
            b'{"schema_version":1,"transport":"voice","channel_id":"disk-usage"}',
            None,
            "transport: found 'voice'",
        ),
        ("schema.json", None, None, "is missing"),
    ],
)
def test_an_unsound_file(
    store: Store, file: str, content: bytes | None, line: int | None, reason: str
) -> None:
    """A file that is missing, invalid or torn is named, with the line and the reason."""
    store.channel("registry")
    path = store.channel() / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    found = problems(store)
    assert found[0][:2] == (f"disk-usage/{file}", line)
    assert reason in found[0][2]
    assert problems(store, "disk-usage") == found
    assert problems(store, "registry") == []
    text = verification_text(verify(store.read, None, now_unix_ms=NOW_UNIX_MS))
    assert f"disk-usage/{file}" in text
    assert (
        f"tau-custom-command channels repair --state-dir {store.state_dir}, which moves them aside "
        "under its lock"
    ) in text


def test_the_longest_line(store: Store) -> None:
    """A line as long as the runtime writes one is read; a longer one is refused as too long."""
    log = store.channel(entries=0) / "log.jsonl"
    context = log.with_name("context.jsonl")
    valid = line_of({"timestamp_unix_ms": 0, "role": "system", "text": ""}).removesuffix(b"\n")
    longest = valid.replace(b'""', b'"%s"' % (b"x" * (LONGEST_LINE_BYTES - len(valid))))
    context.write_bytes(longest + b"\n")
    assert problems(store) == []
    log.write_bytes(b" " * (LONGEST_LINE_BYTES + 1) + b"\n" + line_of(entry()))
    assert problems(store) == [("disk-usage/log.jsonl", 1, "the line is too long")]
    assert last_entries(store.read, "disk-usage", last=1).total == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bytes": 3}, f"has {len(OUTPUT)} bytes, not 3"),
        ({"checksum_sha256": "0" * 64}, "has another checksum"),
        ({"relative_path": "artifacts/gone.txt"}, "No such file"),
        ({"relative_path": "artifacts/linked"}, "symbolic link"),
        ({"relative_path": "artifacts/pipe"}, "not a regular file"),
        ({"relative_path": "artifacts/../log.jsonl"}, "leads out of the channel's artifacts"),
        ({"relative_path": "/etc/passwd"}, "leads out of the channel's artifacts"),
        ({"bytes": True}, "bytes: found True"),
    ],
)
def test_an_unsound_artifact(store: Store, changes: Json, reason: str) -> None:
    """An artifact must be there, inside, of its size and with its checksum; no link, no pipe."""
    folder = store.artifacts(store.channel(), artifact(), artifact(**changes))
    folder.joinpath("linked").symlink_to("a-stdout.txt")
    os.mkfifo(folder / "pipe")
    ((file, line, words),) = problems(store)
    assert (file, line) == ("disk-usage/artifacts/index.jsonl", 2)
    assert reason in words


@pytest.mark.parametrize(("expires_in_ms", "unsound"), [(1, [1, 2]), (0, [2]), (-1, [2])])
def test_an_artifact_that_has_expired_may_be_gone(
    store: Store, expires_in_ms: int, unsound: list[int]
) -> None:
    """Its writer removes the file first and its line after; one that is there has to be sound."""
    expires_unix_ms = NOW_UNIX_MS + expires_in_ms
    gone = artifact("gone.txt", expires_unix_ms=expires_unix_ms)
    other = artifact(expires_unix_ms=expires_unix_ms, bytes=3)
    store.artifacts(store.channel(), gone, other)
    assert [line for _, line, _ in problems(store)] == unsound


def test_a_description_that_is_no_file(store: Store) -> None:
    """A folder in the place of a file is named."""
    folder = store.channel()
    folder.joinpath("schema.json").unlink()
    folder.joinpath("schema.json").mkdir()
    assert "not a regular file" in problems(store)[0][2]


def test_many_problems_are_counted(store: Store) -> None:
    """All problems are counted; of each channel the first ones are told."""
    folder = store.channel()
    folder.joinpath("log.jsonl").write_bytes(b"{}\n" * 500)
    verification = verify(store.read, None, now_unix_ms=NOW_UNIX_MS)
    assert (verification.problem_count, len(verification.problems)) == (500, PROBLEMS_KEPT)
    assert "and 480 more" in verification_text(verification)


def test_another_transports_own_store(store: Store) -> None:
    """A transport with a folder of its own in the store is looked at there."""
    store.channel()
    assert ChannelStore(store.state_dir, "voice").path == store.path
    own = store.state_dir / "channel-store/voice"
    own.mkdir()
    assert ChannelStore(store.state_dir, "voice").names() == ([], {})


# Through the command.


def test_the_commands(inspector: Inspector, store: Store) -> None:
    """Each of the three answers in text and in JSON, and exits as documented."""
    folder = store.channel()
    for command in (["list"], ["show", "disk-usage", "--last", "1"], ["verify"]):
        words = ["channels", command[0], "custom-command", *command[1:]]
        text = inspector(*words)
        assert (text.code, text.err) == (0, "")
        assert "disk-usage" in text.out or "sound" in text.out
        assert inspector(*words, "--json").json()
    folder.joinpath("log.jsonl").write_bytes(b"{}\n")
    assert inspector("channels", "verify", "custom-command").code == 3
    assert inspector("channels", "verify", "custom-command", "disk-usage", "--json").code == 3


@pytest.mark.parametrize(
    "words", [["list"], ["show", "disk-usage"], ["verify"], ["verify", "disk-usage"]]
)
def test_no_store_and_no_channel(inspector: Inspector, store: Store, words: list[str]) -> None:
    """Without a store, or without the channel, there is no answer: exit 5, and why on stderr."""
    command = ["channels", words[0], "custom-command", *words[1:]]
    done = inspector(*command)
    assert (done.code, done.out) == (5, "")
    assert "there is no channel store" in done.err
    if len(words) == 2:
        store.channel("other")
        done = inspector(*command)
        assert (done.code, done.out) == (5, "")
        assert "there is no such channel; known are other\n" in done.err
        for number in range(10):
            store.channel(f"more-{number}")
        told = inspector(*command).err
        assert "known are more-0, more-1, " in told
        assert told.endswith(", more-9 and 1 more\n")


def test_an_unknown_target(inspector: Inspector) -> None:
    """A target that is not known is wrong usage."""
    assert inspector("channels", "list", "nobody").code == 2


def test_what_happened_is_shown_in_sentences(store: Store, inspector: Inspector) -> None:
    """`--context` has the last ones whole, harmless, oldest first; as JSON with their places."""
    context = store.channel(entries=2).joinpath("context.jsonl")
    long = {"timestamp_unix_ms": NOW_UNIX_MS, "role": "system", "text": f"\x1b{'x' * 300}"}
    context.write_bytes(context.read_bytes() + line_of(long) + b"no JSON\n")
    words = ("channels", "show", "custom-command", "disk-usage", "--context", "--last", "2")
    where = ("--state-dir", store.state_dir)
    done = inspector(*words, *where)
    assert (done.code, done.out.splitlines()) == (
        0,
        [
            "2026-01-01T00:00:00Z  It ran.",
            f"2026-01-01T00:00:00Z  \\x1b{'x' * 300}",
            f"2 of 3 entries of {context}",
            "1 invalid line is left out: see channels verify",
        ],
    )
    told = inspector(*words, *where, "--json").json()
    sentences = last_sentences(store.read, "disk-usage", last=2)
    assert sentences_text(sentences) + "\n" == done.out
    assert sentences_json(sentences) == told
    assert told["entries"][0] == {
        "file": "context.jsonl",
        "line": 2,
        "timestamp_unix_ms": NOW_UNIX_MS,
        "text": "It ran.",
    }
