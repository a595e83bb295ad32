"""The sign-off: what of a checklist is missing, who may sign, and which files are evidence."""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.contract.rollout import Channel, RecordedInput, Rollout
from tau_rollout_gate.errors import ExitCode, NamedFileError
from tau_rollout_gate.evidence.signoff import FoundFile, judge
from tau_rollout_gate.evidence.signoff_form import blank_signoff, checklist, parse_signoff
from tau_rollout_gate.evidence.values import SignoffEvidence
from tau_rollout_gate.files.signoff import look_up, read_signoff, repository_root
from tests.rollout_gate.making import pin, rollout

Json = dict[str, Any]

DAY_MS = 86_400_000
STARTED = 1_767_225_600_000  # 2026-01-01, midnight in UTC
NOW = STARTED + 3 * DAY_MS
OWN_SHA = "0f" * 32
KEYS = [
    "preflight.harness_passed",
    "preflight.ci_matrix_passed",
    "preflight.rollback_target_captured",
    "canary_phases.canary_1",
    "canary_phases.canary_2",
    "canary_phases.canary_3",
    "rollback_readiness.trigger_matrix_reviewed",
    "rollback_readiness.rollback_rehearsed",
    "surface_verification.custom-command",
    "general_availability.monitored_24_h",
    "general_availability.no_unresolved_trigger",
    "general_availability.final_approval",
]


def under_way(*surfaces: str, started_unix_ms: int = STARTED) -> Rollout:
    """Return an open rollout of these surfaces, or of the usual one."""
    pins = tuple(pin(name=name) for name in surfaces or ("custom-command",))
    return rollout(
        surfaces=pins, started_unix_ms=started_unix_ms, phase_entered_unix_ms=started_unix_ms
    )


def filled(**changes: Any) -> Json:  # noqa: ANN401 - any TOML
    """Return a complete checklist, but for `changes`: fields, or `section__item` for an item."""
    form: Json = {
        "release": "1.4.0",
        "channel": "stable",
        "date": "2026-01-02",
        "owner": "Ann Owner",
        "reviewers": ["Rob Reviewer"],
    }
    for key in KEYS:
        section, _, item = key.partition(".")
        form.setdefault(section, {})[item] = f"https://ci.tau-ops.dev/{key}"
    for name, value in changes.items():
        section, _, item = name.partition("__")
        if item:
            form[section][item] = value
        else:
            form[name] = value
    return {key: value for key, value in form.items() if value is not None}


def found_in(files: Mapping[str, str]) -> Any:  # noqa: ANN401 - a function
    """Return a look-up in which these paths are files with that content."""

    def look(text: str) -> FoundFile:
        if text in files:
            return FoundFile(sha256=sha256(files[text].encode()).hexdigest())
        return FoundFile(problem="is not there")

    return look


def judged(
    form: Json,
    of: Rollout | None = None,
    *,
    files: Mapping[str, str] | None = None,
    now_unix_ms: int = NOW,
) -> SignoffEvidence:
    """Return what of a checklist is missing."""
    return judge(
        parse_signoff(tomli_w.dumps(form).encode(), path="signoff.toml"),
        of or under_way(),
        found_in(files or {}),
        file=RecordedInput(path="signoff.toml", sha256=OWN_SHA),
        now_unix_ms=now_unix_ms,
    )


def test_a_complete_checklist() -> None:
    """Every item of the specification, in its order; addresses are listed as claims."""
    result = judged(filled())
    assert result.is_complete
    assert result.problems == ()
    assert [item.key for item in result.items] == KEYS
    assert [item.claim for item in result.items] == [f"https://ci.tau-ops.dev/{k}" for k in KEYS]
    assert {item.file for item in result.items} == {None}
    assert result.inputs == (RecordedInput(path="signoff.toml", sha256=OWN_SHA),)
    assert result.path == "signoff.toml"


@pytest.mark.parametrize("key", KEYS)
def test_each_item_is_needed(key: str) -> None:
    """An item that is blank, and one that is left out, is the one that is missing."""
    section, _, item = key.partition(".")
    blank, without = filled(), filled()
    blank[section][item] = " \t"
    del without[section][item]
    for form in (blank, without):
        result = judged(form)
        assert not result.is_complete
        assert [(one.key, one.problem) for one in result.items if one.problem] == [
            (key, "has no evidence yet")
        ]


@pytest.mark.parametrize("section", ["preflight", "general_availability"])
def test_each_section_is_needed(section: str) -> None:
    """A section that is left out is as blank as its items."""
    result = judged(filled(**{section: None}))
    missing = {item.key for item in result.items if item.problem}
    assert missing == {key for key in KEYS if key.startswith(section)}


def test_each_surface_is_one_item() -> None:
    """A surface without its item is missing; an item of no surface of this rollout is named."""
    result = judged(filled(), under_way("custom-command", "voice"))
    assert [item.key for item in result.items if item.problem] == ["surface_verification.voice"]
    form = filled(surface_verification__voice="https://ci.tau-ops.dev/voice")
    assert judged(form, under_way("custom-command", "voice")).is_complete
    assert judged(form).problems == ("surface_verification.voice: is not an item of this rollout",)
    assert not judged(form).is_complete


def test_a_slip_in_a_key_is_named() -> None:
    """An item that the checklist does not have is no item, and not a silent one."""
    form = filled(preflight__harnes_passed="https://ci.tau-ops.dev/x")
    assert judged(form).problems == ("preflight.harnes_passed: is not an item of this rollout",)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ("TBD", "has no evidence yet: 'TBD' names nothing that can be looked at"),
        (" see logs ", "has no evidence yet: 'see logs' names nothing"),
        ("http://ci.tau-ops.dev/run", "'http://ci.tau-ops.dev/run' is http; give an https address"),
        ("https://localhost/run", "'https://localhost/run' has the host 'localhost', which means"),
        ("../notes.md", "'../notes.md' has .. in it"),
        ("/etc/hostname", "is not inside the repository"),
        (".git/HEAD", "is git's own"),
        ("missing.json", "'missing.json' is not there"),
    ],
)
def test_evidence_that_does_not_count(evidence: str, words: str) -> None:
    """The item is missing, with the reason; a path is not even looked up, whatever is there."""
    there = {evidence.strip(): "content"} if evidence != "missing.json" else {}
    result = judged(filled(preflight__harness_passed=evidence), files=there)
    assert words in (result.items[0].problem or "")
    assert {item.problem for item in result.items[1:]} == {None}
    assert not result.is_complete
    assert (result.items[0].claim, result.items[0].file) == (None, None)


def test_a_file_is_recorded_by_its_digest() -> None:
    """It is no claim but an input, once, however many items it serves."""
    form = filled(preflight__harness_passed="r/h.json", general_availability__final_approval="a")
    form["preflight"]["ci_matrix_passed"] = " r/h.json "
    result = judged(form, files={"r/h.json": "1", "a": "2"})
    assert result.is_complete
    assert (result.items[0].file, result.items[0].claim) == ("r/h.json", None)
    assert result.inputs[1:] == (
        RecordedInput(path="r/h.json", sha256=sha256(b"1").hexdigest()),
        RecordedInput(path="a", sha256=sha256(b"2").hexdigest()),
    )


def test_the_checklist_is_no_evidence_of_itself() -> None:
    """Its own digest does not count, whatever the path that leads to it."""
    result = judge(
        parse_signoff(tomli_w.dumps(filled(preflight__harness_passed="s")).encode(), path="s"),
        under_way(),
        lambda _: FoundFile(sha256=OWN_SHA),
        file=RecordedInput(path="s", sha256=OWN_SHA),
        now_unix_ms=NOW,
    )
    assert result.items[0].problem == "'s' is this checklist itself"
    assert not result.is_complete


@pytest.mark.parametrize(
    ("pieces", "files"),
    [
        (["https://a.dev/x", "https://A.dev/x/", "https://a.dev/x#y"], {}),
        (["f", "f", "f"], {"f": "1"}),
        (["f", "copy", "other"], {"f": "1", "copy": "1", "other": "1"}),
    ],
)
def test_a_piece_serves_at_most_two_items(pieces: list[str], files: Mapping[str, str]) -> None:
    """Two are served, the third is not; a copy of a file, or another spelling, is the same."""
    form = filled()
    form["preflight"]["harness_passed"], form["canary_phases"]["canary_1"] = pieces[:2]
    assert judged(form, files=files).is_complete
    form["general_availability"]["final_approval"] = pieces[2]
    result = judged(form, files=files)
    assert [(item.key, item.problem) for item in result.items if item.problem] == [
        (
            "general_availability.final_approval",
            "its evidence serves preflight.harness_passed and canary_phases.canary_1 already",
        )
    ]
    form["general_availability"]["monitored_24_h"] = pieces[0]
    assert sum(item.problem is not None for item in judged(form, files=files).items) == 2


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"release": "v1.4.0"}, None),
        ({"release": " 1.4.0 "}, None),
        ({"release": "1.3.2"}, "release: is '1.3.2'; the rollout's is '1.4.0'"),
        ({"release": None}, "release: is ''; the rollout's is '1.4.0'"),
        ({"channel": "beta"}, "channel: is 'beta'; the rollout's is 'stable'"),
        ({"channel": None}, "channel: is ''; the rollout's is 'stable'"),
        ({"owner": ""}, "owner: is not filled in"),
        ({"owner": "TBD"}, "owner: is not filled in"),
        ({"owner": "Green"}, None),  # a word that is no evidence may be a name
        ({"reviewers": None}, "reviewers: none is named"),
        ({"reviewers": []}, "reviewers: none is named"),
        ({"reviewers": [" "]}, "reviewers: one is blank"),
        ({"reviewers": ["Rob", "n/a"]}, "reviewers: one is blank"),
        ({"reviewers": ["Rob", "Eve"]}, None),
        (
            {"reviewers": ["Rob", " ann  OWNER"]},
            "reviewers: ' ann  OWNER' is the owner; somebody else has to review",
        ),
        ({"reviewers": ["Rob", "@ROB"]}, "reviewers: '@ROB' stands there twice"),
        ({"reviewers": ["Rob", "R\u200bob"]}, "reviewers: 'R\\u200bob' stands there twice"),
        ({"date": None}, "date: is not filled in"),
        ({"date": "TBD"}, "date: is not filled in"),
        ({"date": "2.1.2026"}, "date: '2.1.2026' is not a day; write 2026-01-31"),
        ({"date": "2026-02-30"}, "date: '2026-02-30' is not a day; write 2026-01-31"),
        ({"date": " 2026-01-02 "}, None),
        ({"date": "2026-01-01"}, None),
        ({"date": "2026-01-04"}, None),
        ({"date": "2025-12-31"}, "date: 2025-12-31 is before the day on which the rollout started"),
        ({"date": "2026-01-05"}, "date: 2026-01-05 is yet to come (UTC)"),
    ],
)
def test_the_fields_above_the_items(changes: Json, problem: str | None) -> None:
    """Release and channel are the rollout's, the day is within it, the owner does not review."""
    result = judged(filled(**changes))
    assert len(result.problems) == (problem is not None)
    assert result.is_complete == (problem is None)
    if problem is not None:
        assert result.problems[0].startswith(problem)


def test_days_are_those_of_utc() -> None:
    """The last millisecond of a day belongs to it, the first of the next one does not."""
    form = filled(date="2026-01-01")
    assert judged(form, under_way(started_unix_ms=STARTED + DAY_MS - 1)).is_complete
    assert not judged(form, under_way(started_unix_ms=STARTED + DAY_MS)).is_complete
    form = filled(date="2026-01-02")
    assert judged(form, now_unix_ms=STARTED + DAY_MS).is_complete
    assert not judged(form, now_unix_ms=STARTED + DAY_MS - 1).is_complete
    assert not judged(form, under_way(started_unix_ms=2**63 - 1)).is_complete


def test_a_day_may_be_a_day_of_toml() -> None:
    """Written with quotes or without, it is the same day."""
    raw = tomli_w.dumps(filled()).replace('date = "2026-01-02"', "date = 2026-01-02").encode()
    signoff = parse_signoff(raw, path="s")
    file = RecordedInput(path="s", sha256=OWN_SHA)
    assert judge(signoff, under_way(), found_in({}), file=file, now_unix_ms=NOW).is_complete
    late = judge(signoff, under_way(), found_in({}), file=file, now_unix_ms=STARTED)
    assert late.problems == ("date: 2026-01-02 is yet to come (UTC)",)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\xff", "not UTF-8 text"),
        (b"release", "not TOML"),
        (b"owner = 'a'\nowner = 'b'", "not TOML"),
        (b"[preflight]\n[preflight]", "not TOML"),
        (b"a = " + b"[" * 100_000, "is larger than"),
        (b"a = " + b"9" * 5000, "line 1 is longer than"),
        (b"a = 1979-02-30", "not TOML"),
        (b"sign_off = 1", "sign_off: is not a known key"),
        (b"release = 1", "release: "),
        (b"owner = ['a']", "owner: "),
        (b"reviewers = 'ann'", "reviewers: "),
        (b"reviewers = [1]", "reviewers[0]: "),
        (b"date = 2026-01-02T10:00:00Z", "date"),
        (b"date = 10:00:00", "date"),
        (b"date = 20260102", "date"),
        (b"preflight = 'x'", "preflight: "),
        (b"[preflight]\nharness_passed = true", "preflight.harness_passed: "),
        (b"[preflight.harness_passed]\nevidence = 'x'", "preflight.harness_passed: "),
        (b"[[canary_phases]]\ncanary_1 = 'x'", "canary_phases: "),
    ],
)
def test_what_is_no_checklist_is_refused(raw: bytes, words: str) -> None:
    """Not TOML, or not of the form: the file and the place are named, and nothing is coerced."""
    with pytest.raises(NamedFileError) as raised:
        parse_signoff(raw, path="x/signoff.toml")
    assert str(raised.value).startswith(f"x/signoff.toml: {words}")
    assert raised.value.exit_code is ExitCode.CANNOT_ANSWER


def test_all_that_is_wrong_with_the_form_is_told_at_once() -> None:
    """A line each, in the order of the form; where it is no TOML, that comes first of all."""
    raw = b"release = 1\nreviewers = ['ann', 2]\nowner = []\n[preflight]\nharness_passed = true\n"
    with pytest.raises(NamedFileError) as raised:
        parse_signoff(raw, path="s.toml")
    places = [line.split(": ")[:2] for line in str(raised.value).splitlines()]
    wrong = ["release", "owner", "reviewers[1]", "preflight.harness_passed"]
    assert places == [["s.toml", place] for place in wrong]
    with pytest.raises(NamedFileError, match=r"\As.toml: not TOML: .*line 6.*\Z"):
        parse_signoff(raw + b"= 1", path="s.toml")


@given(st.binary(max_size=100) | st.text(max_size=60).map(str.encode))
def test_no_bytes_end_in_a_traceback(raw: bytes) -> None:
    """Any file is a checklist, most often a blank one, or is refused with its name."""
    with suppress(NamedFileError):
        result = judge(
            parse_signoff(raw, path="s"),
            under_way(),
            found_in({}),
            file=RecordedInput(path="s", sha256=OWN_SHA),
            now_unix_ms=NOW,
        )
        assert not result.is_complete


@given(
    st.fixed_dictionaries(
        {
            key: st.sampled_from(["", "TBD", "f", "g", "https://a.dev", "http://a.dev"])
            for key in KEYS
        }
    )
)
def test_complete_is_evidence_for_all_and_no_piece_for_three(evidence: Mapping[str, str]) -> None:
    """The rule as a whole, over checklists filled in at random."""
    form = filled()
    for key, text in evidence.items():
        section, _, item = key.partition(".")
        form[section][item] = text
    good = {"f", "g", "https://a.dev"}
    result = judged(form, files={"f": "1", "g": "2"})
    unserved = [item for item in result.items if item.problem is not None]
    bad = [text for text in evidence.values() if text not in good]
    spent = sum(max(list(evidence.values()).count(piece) - 2, 0) for piece in good)
    assert len(unserved) == len(bad) + spent
    assert result.is_complete == (not bad and not spent)


def test_a_blank_checklist_asks_for_everything() -> None:
    """It is TOML of the form, has every item with what it asks for, and is not complete."""
    of = rollout(
        release="v2.0.0-rc.1",
        channel=Channel.BETA,
        surfaces=(pin(), pin(name="a.b_c"), pin(name="1")),
        started_unix_ms=STARTED,
    )
    text = blank_signoff(of)
    result = judge(
        parse_signoff(text.encode(), path="s"),
        of,
        found_in({}),
        file=RecordedInput(path="s", sha256=OWN_SHA),
        now_unix_ms=NOW,
    )
    assert result.problems == (
        "date: is not filled in",
        "owner: is not filled in",
        "reviewers: none is named",
    )
    assert {item.problem for item in result.items} == {"has no evidence yet"}
    value = tomllib.loads(text)
    assert list(value["surface_verification"]) == ["custom-command", "a.b_c", "1"]
    for _, _, question in checklist(("custom-command", "a.b_c", "1")):
        assert f"# {question}\n" in text


def test_the_repository_is_the_nearest_that_git_keeps(tmp_path: Path) -> None:
    """A folder or a worktree's file marks it; without one it is the folder itself."""
    below = tmp_path / "one" / "two"
    below.mkdir(parents=True)
    assert repository_root(below) in {below, *tmp_path.parents}
    (tmp_path / ".git").mkdir()
    assert repository_root(below) == tmp_path
    (tmp_path / "one" / ".git").write_text("gitdir: elsewhere")
    assert repository_root(below) == tmp_path / "one"
    assert repository_root(tmp_path) == tmp_path


def test_what_is_found_at_a_path(tmp_path: Path) -> None:
    """A file with something in it, also through a link that stays inside; nothing else."""
    root = tmp_path / "repository"
    (root / "reports").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_text("ref")
    (root / "reports" / "a.json").write_text("{}")
    (root / "empty").write_bytes(b"")
    (root / "blank").write_bytes(b" \n" * 1_000_000)
    (root / "late").write_bytes(b" " * (1024 * 1024) + b"x")
    (root / "early").write_bytes(b"x" + b" " * (2 * 1024 * 1024))
    (tmp_path / "outside").write_text("x")
    (tmp_path / "repository-2").mkdir()
    (tmp_path / "repository-2" / "near").write_text("x")
    os.mkfifo(root / "pipe")
    for name, target in {
        "inside": "reports/a.json",
        "out": "../outside",
        "near": "../repository-2/near",
        "absolute": str(tmp_path / "outside"),
        "git": ".git/HEAD",
        "loop": "loop",
        "dangling": "nowhere",
    }.items():
        (root / name).symlink_to(target)
    (root / "folder-out").symlink_to(tmp_path)
    good = FoundFile(sha256=sha256(b"{}").hexdigest())
    for text in ("reports/a.json", "reports//./a.json", "inside"):
        assert look_up(root, text) == good
    late = sha256(b" " * (1024 * 1024) + b"x").hexdigest()
    assert look_up(root, "late") == FoundFile(sha256=late)
    assert look_up(root, "early").problem is None
    for text, words in {
        "empty": "is empty",
        "blank": "is empty",
        "reports": "not a regular file",
        "pipe": "not a regular file",
        ".": "not a regular file",
        "missing": "No such file",
        "dangling": "No such file",
        "loop": "symbolic links",
        "reports/a.json/x": "Not a directory",
        "x" * 300: "name too long",
        "out": "leads out of the repository",
        "near": "leads out of the repository",
        "absolute": "leads out of the repository",
        "folder-out/outside": "leads out of the repository",
        "git": "leads out of the repository",
    }.items():
        found = look_up(root, text)
        assert found.sha256 is None
        assert words in (found.problem or ""), text


def test_a_repository_behind_a_link(tmp_path: Path) -> None:
    """Its own path may lead through links: what counts is what is below it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("x")
    (tmp_path / "link").symlink_to("real")
    assert look_up(tmp_path / "link", "a") == FoundFile(sha256=sha256(b"x").hexdigest())


def test_a_sign_off_is_read_with_the_files_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are those of the repository, from wherever in it the command is called."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "report.json").write_text("{}")
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    path = below / "signoff.toml"
    form = filled(preflight__harness_passed="report.json")
    path.write_text(tomli_w.dumps(form))
    result = read_signoff(path, under_way(), now_unix_ms=NOW)
    assert result.is_complete
    assert result.inputs == (
        RecordedInput(path=str(path), sha256=sha256(path.read_bytes()).hexdigest()),
        RecordedInput(path="report.json", sha256=sha256(b"{}").hexdigest()),
    )
    form["preflight"]["harness_passed"] = "below/signoff.toml"
    path.write_text(tomli_w.dumps(form))
    problem = read_signoff(path, under_way(), now_unix_ms=NOW).items[0].problem
    assert problem == "'below/signoff.toml' is this checklist itself"


def test_a_sign_off_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, no file, far too large, not TOML: exit code 5, with the file's name."""
    large = tmp_path / "large"
    large.write_bytes(b"#" * (1024 * 1024 + 1))
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"{}")
    for path in (tmp_path / "missing", tmp_path, large, wrong):
        with pytest.raises(NamedFileError, match=str(path)):
            read_signoff(path, under_way(), now_unix_ms=NOW)
