"""The page of `report`: the verdict in words, everything escaped, nothing from elsewhere."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from markupsafe import Markup

from tau_transport_health.files.state_directory import blocks_of
from tau_transport_health.formats.page import charts, figures
from tau_transport_health.formats.page.page import page
from tau_transport_health.health.assessment import DEFAULT_MAX_AGE_MS
from tau_transport_health.health.targets import Target
from tau_transport_health.services.diagnose import diagnosis_of
from tau_transport_health.services.inspect import Question, look
from tau_transport_health.services.report import template
from tests.transport_health.health.test_diagnosis import channel_entry
from tests.transport_health.reading import read_timeline
from tests.transport_health.running import Inspector, environment, unprintable
from tests.transport_health.state_files import (
    NOW_UNIX_MS,
    StateDirectory,
    chain,
    event,
    failed,
    line_of,
    minimal_event,
    minimal_state,
    snapshot,
    state_of,
)

HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=y>\x1b[31m\u202e\x00&amp;{{ 7 * 7 }}"
VOID = {"meta", "link", "img", "br", "hr", "input"}
DAMAGES: dict[str, tuple[object, list[bytes] | None]] = {
    "no directory": (None, None),
    "no log": (minimal_state(), None),
    "empty log": (minimal_state(), []),
    "not JSON": (b"{", [b"{}\n", b"\xff\n"]),
    "torn": (state_of(chain()[-1]), [*chain(), b'{"sch']),
}


class Elements(HTMLParser):
    """What a page is made of: its elements with their attributes, and what they say."""

    def __init__(self, text: str) -> None:
        """Read a page; every element that opens must close, in order."""
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Hold it against the one that is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what an element says."""
        if data.strip():
            self.said.append((self._open[-1], data.strip()))

    def of(self, tag: str) -> Iterator[dict[str, str | None]]:
        """Yield the attributes of each element of this kind."""
        return (attributes for name, attributes in self.found if name == tag)


def page_of(directory: StateDirectory, name: str = "custom-command", label: str = "") -> str:
    """Return the page about a state directory, as `report` makes it."""
    question = Question(
        name=name,
        root=directory.root.parent,
        state_dir=directory.root,
        targets_file=None,
        max_age_ms=DEFAULT_MAX_AGE_MS,
        now_unix_ms=NOW_UNIX_MS,
    )
    (inspection,) = look(question)
    if label:
        inspection = inspection._replace(target=Target(name=name, label=label))
    blocks = blocks_of(Path(inspection.events_log_path))
    timeline = read_timeline(blocks, chained=inspection.is_chained)
    return page(diagnosis_of(inspection), timeline, template=template())


def history(directory: StateDirectory) -> StateDirectory:
    """Write a log with each health, a gap, retries, an odd code, an invalid line, disorder."""
    lines: list[bytes] = []
    for number, (minute, changes) in enumerate(
        (
            (0, {}),
            (1, {"retry_attempts": 4, "backlog_cases": 12}),
            (90, failed(streak=1, cases=5)),
            (89, failed(streak=2)),
            (91, failed(streak=3)),
            (92, {"reason_codes": ["sunspots"]}),
            (93, {"backlog_cases": 0}),
        ),
        start=1,
    ):
        time = NOW_UNIX_MS - (93 - minute) * 60_000
        value = event(number=number, previous=lines[-1] if lines else None)
        lines.append(line_of(value | {"timestamp_unix_ms": time} | changes))
    directory.write(state_of(lines[-1]), [b"not JSON\n", *lines])
    return directory


def test_the_command_writes_the_page_that_status_agrees_with(inspector: Inspector) -> None:
    """The file holds health and gate of `status --json`; the exit code is the verdict's."""
    for changes, code in (({}, 0), (failed(streak=1), 3), (failed(streak=4), 3)):
        inspector.directory().good(3, **changes)
        ran = inspector("report", "custom-command", "--output", "new/page.html")
        status = inspector("status", "custom-command", "--json").json()
        (main,) = Elements((inspector.folder / "new/page.html").read_text("utf-8")).of("main")
        assert (ran.code, ran.out, ran.err) == (code, "", "wrote new/page.html\n")
        assert main["data-health-state"] == status["health_state"]
        assert main["data-rollout-gate"] == status["rollout_gate"]


def test_the_page_is_written_where_nobody_said_where(inspector: Inspector) -> None:
    """Without a state the page is written all the same, and the exit code says it."""
    assert inspector("report", "custom-command").code == 5
    assert "There is no valid snapshot" in (
        inspector.folder / "transport-health-report.html"
    ).read_text("utf-8")


def test_a_page_that_cannot_be_written_is_an_error(inspector: Inspector) -> None:
    """A directory in the file's place is named; what was there stays."""
    (inspector.folder / "page").mkdir()
    ran = inspector("report", "custom-command", "--output", "page")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("error: page: cannot be written: ")
    assert [path.name for path in inspector.folder.iterdir()] == ["page"]


def test_the_verdict_comes_first_and_in_words(directory: StateDirectory) -> None:
    """The first heading after the name is the health; gate, reason and remedy follow."""
    directory.good(3, **failed(streak=3))
    said = [text for _, text in Elements(page_of(directory)).said]
    start = said.index("Failing")
    assert said[start : start + 4] == ["Failing", "Rollout gate", "hold", "Reason"]
    assert "2 cases failed in the last cycle" in said
    assert said.index("What to do") < said.index("Health snapshot") < said.index("Over time")


def test_a_healthy_state_that_is_stale_is_not_to_be_relied_on(directory: StateDirectory) -> None:
    """A dead runtime does not look healthy."""
    directory.good(2, timestamp_unix_ms=NOW_UNIX_MS - DEFAULT_MAX_AGE_MS - 1)
    text = page_of(directory)
    assert "Healthy on record, not to be relied on" in text
    assert 'class="card verdict unknown"' in text


def test_symptoms_and_failing_cases_come_before_the_charts(directory: StateDirectory) -> None:
    """Each with its severity in words, where it shows and what to do, its commands apart."""
    lines = chain(3, **failed(streak=1, cases=30), cycle_duration_ms=5)
    directory.write(state_of(lines[-1]), [b"{}\n", *lines])
    sides = {"outcome": "success", "status_code": 200, "error_code": None, "response_body": None}
    drift = {"expected": sides, "observed": sides}
    log = directory.root / "channel-store/custom-command/greet/log.jsonl"
    log.parent.mkdir(parents=True)
    entries = [channel_entry(case_id=f"c{number}", drift=drift) for number in range(30)]
    old = line_of(json.loads(entries[0]) | {"timestamp_unix_ms": NOW_UNIX_MS - 6})
    log.write_bytes(b"".join([old.replace(b"c0", b"older"), *entries]))
    text = page_of(directory)
    said = [words for _, words in Elements(text).said]
    order = ["Symptoms", "fault", "Failing cases", "Health snapshot", "Over time"]
    places = [said.index(words) for words in order]
    assert places == sorted(places)
    commands = {words for tag, words in Elements(text).said if tag == "code"}
    look = f"custom-command --state-dir {directory.root}"
    assert f"tau-transport-health diagnose {look}" in commands
    assert f"tau-transport-health channels show {look} greet" in commands
    assert {"case_processing_failed", "invalid_lines", "runtime-events.jsonl line 1"} <= commands
    assert "What the channels say of the cases that failed in the last cycle, 20 of 30." in said
    assert not [words for words in said if "older" in words]


def test_without_symptoms_the_page_says_so(directory: StateDirectory) -> None:
    """And lists no failing case, also where an earlier cycle had some."""
    directory.good(2, backlog_cases=0)
    quiet = chain(1, backlog_cases=0)
    directory.write(state_of(quiet[-1]), quiet)
    text = page_of(directory)
    assert "Nothing wrong was found in state, log and channels." in text
    assert "Failing cases" not in text


def test_all_figures_of_the_log_are_said(directory: StateDirectory) -> None:
    """Totals, peaks, shares, codes and warnings stand on the page as text."""
    text = page_of(history(directory))
    for words in (
        "7 cycles: 4 healthy (57.1 %), 2 degraded (28.6 %), 1 failing (14.3 %).",
        "9 in all; at most 5 within ",
        "4 in all; at most 4 within ",
        "At most 12 within ",
        "; 0 after the last cycle.",
        "The last 7 of 7, newest first.",
        "1 line is invalid in the event log, and counted nowhere else on this page",
        "1 event is dated before the one above; the first is line 5",
        "the reason code &#39;sunspots&#39; is not known",
        "column 1: not JSON: Expecting value",
    ):
        assert words in text, words


def test_gaps_and_zeros_differ(directory: StateDirectory) -> None:
    """A time without cycles has no bar; one whose cycles failed nothing has a mark."""
    page_text = page_of(history(directory))
    failures = page_text.partition('id="failed"')[2].partition("</svg>")[0]
    kinds = re.findall(r'<rect class="(\w+)"', failures)
    assert set(kinds) == {"failed", "zero"}
    assert 0 < len(kinds) < 24
    assert all(float(height) > 0 for height in re.findall(r'height="([\d.]+)"', failures))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_gives_a_page_that_holds(directory: StateDirectory, damage: str) -> None:
    """Whatever the directory looks like there is a page, and it passes nothing untrue."""
    directory.write(*DAMAGES[damage])
    name = "voice" if damage in {"no log", "empty log"} else "custom-command"
    elements = Elements(page_of(directory, name))
    (main,) = elements.of("main")
    healthy = name == "voice"
    assert main["data-rollout-gate"] == ("pass" if healthy else "hold")
    assert [tag for tag, _ in elements.found].count("h1") == 1


def test_another_transport_has_no_cycle_numbers(directory: StateDirectory) -> None:
    """A writer that chains nothing gets the same page, a dash where it gives no number."""
    directory.write(minimal_state(), [line_of(minimal_event())])
    said = [text for _, text in Elements(page_of(directory, "voice")).said]
    assert "-" in said
    assert "1 cycle: 1 healthy (100 %)." in said


def test_hostile_text_stays_text(directory: StateDirectory) -> None:
    """Markup, escape sequences, right-to-left marks and NUL never act; no element comes of them."""
    codes = [HOSTILE, "case_processing_failed"]
    changes = failed(streak=1) | {"health_reason": HOSTILE, "reason_codes": codes}
    benign = {**changes, "health_reason": "x", "reason_codes": ["x", "case_processing_failed"]}
    pages = []
    for change in (changes, benign):
        lines = chain(2, **change)
        directory.write(state_of(lines[-1]), [b'{"schema_version": "%s"}\n' % b"<b>", *lines])
        pages.append(page_of(directory, label=HOSTILE if change is changes else "x"))
    hostile, plain = pages
    assert Elements(hostile).found == Elements(plain).found
    assert unprintable(hostile) == set()
    assert "\\u202e" in hostile
    assert "{{ 7 * 7 }}" in hostile


def test_nothing_comes_from_elsewhere(directory: StateDirectory) -> None:
    """No script, nothing that is fetched, nothing that looks like an address."""
    text = page_of(history(directory))
    elements = Elements(text)
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "use", "image"}
    assert re.findall(r"\w*:?//[^\s\"'<>]*", text) == []
    assert not re.search(r"url\(|@import|@font-face|javascript:|xlink", text)
    for _, attributes in elements.found:
        assert not attributes.keys() & {"src", "srcset", "style", "action"}
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_the_page_can_be_read_by_a_screen_reader(directory: StateDirectory) -> None:
    """Language, title, headings in order, scopes of table heads, names of charts, unique ids."""
    elements = Elements(page_of(history(directory)))
    ids = [a["id"] for _, a in elements.found if "id" in a]
    levels = [int(tag[1]) for tag, _ in elements.found if re.fullmatch("h[1-6]", tag)]
    assert next(elements.of("html")) == {"lang": "en"}
    assert ("title", "custom-command: healthy, rollout gate pass") in elements.said
    assert len(ids) == len(set(ids))
    assert levels[0] == 1
    assert all(deeper <= upper + 1 for upper, deeper in pairwise(levels))
    assert all(head["scope"] in {"col", "row"} for head in elements.of("th"))
    drawings = list(elements.of("svg"))
    assert len(drawings) == 6 + 4
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert set((drawing["aria-labelledby"] or "").split()) <= set(ids)


def test_colours_have_contrast() -> None:
    """Text has at least 4.5 to 1 on page and card, in light and in dark; bars at least 3 to 1."""
    schemes = re.findall(r":root \{([^}]*--ink[^}]*)\}", template())
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): #(\w{6})", scheme))
        for ground in ("page", "card"):
            for name in ("ink", "quiet", "healthy", "degraded", "failing", "unknown"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
            assert contrast(colours["bar"], colours[ground]) >= 3


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4))
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_worst_log_still_makes_a_page_of_bounded_size(directory: StateDirectory) -> None:
    """The largest numbers, texts of megabytes, endless codes: a page below a megabyte."""
    huge = 2**63 - 1
    lines = [
        line_of(
            minimal_event(
                timestamp_unix_ms=NOW_UNIX_MS + number * 10_000,
                backlog_cases=huge,
                retry_attempts=huge,
                reason_codes=[f"code-{index}" for index in range(40)],
            )
        )
        for number in range(130)
    ]
    lines.append(line_of(minimal_event(health_reason="x" * 3_000_000, reason_codes=["y" * 10**6])))
    directory.write({"schema_version": 1, "health": snapshot(active_runs=huge)}, lines)
    text = page_of(directory, "voice")
    assert len(text.encode()) < 1_000_000
    assert "over 10^15" in text
    assert "there are more codes that are not known than are counted by name" in text


def test_more_invalid_lines_than_are_listed_are_counted(directory: StateDirectory) -> None:
    """The table ends after the first ones, and says of how many."""
    directory.write(minimal_state(), [b"{}\n"] * 1234)
    text = page_of(directory, "voice")
    assert "1,234 lines are invalid" in text
    assert "The first 20 of 1,234." in text
    assert "There is no valid line in" in text


@pytest.mark.parametrize("peak", [0, 1, 2, 3, 4, 5, 7, 12, 99, 100, 101, 1600, 10**6 + 1, 10**400])
def test_an_axis_reaches_its_peak_in_round_steps(peak: int) -> None:
    """The labels start at 0, are few, short and rise evenly."""
    axis = charts.value_axis(peak)
    values = [value for value, _ in axis]
    assert values[0] == 0
    assert values[-1] >= min(peak, figures.LARGEST_WRITTEN)
    assert 2 <= len(axis) <= 5
    assert {after - before for before, after in pairwise(values)} == {values[1]}
    assert all(len(label) <= 5 for _, label in axis)


def test_figures_are_written_for_people() -> None:
    """Thousands apart, no percent rounded to nothing or all, UTC, lengths in the largest unit."""
    assert figures.figure(1234567) == "1,234,567"
    assert [figures.share(part, 10_000) for part in (0, 1, 5000, 9999, 10_000)] == [
        "0 %",
        "0.1 %",
        "50.0 %",
        "99.9 %",
        "100 %",
    ]
    assert figures.utc(NOW_UNIX_MS) == "2026-01-01 00:00:00"
    assert figures.utc(10**20) == "after the year 9999"
    assert [figures.span(ms) for ms in (1000, 300_000, 3_600_000, 172_800_000)] == [
        "1 second",
        "5 minutes",
        "1 hour",
        "2 days",
    ]
    assert figures.written(Markup("<b>")) == "<b>"
    assert figures.written("x" * 1000) == "x" * figures.LONGEST_TEXT + "…"


@pytest.mark.parametrize("step_ms", [1000, 3_600_000, 40 * 86_400_000])
def test_the_time_axis_fits_the_length_of_the_bins(directory: StateDirectory, step_ms: int) -> None:
    """Clock times for seconds, days and times for hours, dates for more."""
    times = [NOW_UNIX_MS - step_ms * index for index in range(30)][::-1]
    lines = [line_of(minimal_event(timestamp_unix_ms=time)) for time in times]
    directory.write(minimal_state(), lines)
    labels = re.findall(r'<text class="time[^>]*>([^<]+)</text>', page_of(directory, "voice"))
    form = {1000: r"\d\d:\d\d:\d\d", 3_600_000: r"\w{3} \d\d \d\d:\d\d"}.get(
        step_ms, r"\d{4}-\d\d-\d\d"
    )
    assert len([label for label in labels if re.fullmatch(form, label)]) >= 6


def test_only_report_loads_the_renderer(tmp_path: Path) -> None:
    """`check`, which cron and prompts call, does not pay for the page."""
    imported = {}
    for command in ("check", "report"):
        ran = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "tau_transport_health", command, "voice"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            check=False,
            text=True,
        )
        imported[command] = " jinja2\n" in ran.stderr
    assert imported == {"check": False, "report": True}
