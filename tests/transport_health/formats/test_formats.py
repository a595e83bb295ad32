"""Every format is made from one judgement: all say the same, each by its own conventions."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tau_transport_health.files.state_directory import read_once
from tau_transport_health.formats.json_text import row
from tau_transport_health.formats.openmetrics import openmetrics
from tau_transport_health.formats.plugin_line import QueueLimits, plugin_line
from tau_transport_health.formats.text import inspection_text, targets_text
from tau_transport_health.health.assessment import Inspection, assess
from tau_transport_health.health.remedies import Hold
from tau_transport_health.health.targets import BUILT_IN, Target
from tau_transport_health.printable import printable
from tau_transport_health.services.report import write_report
from tests.transport_health.cli.test_damage import DAMAGES, Damage, at_work
from tests.transport_health.running import UNHURRIED
from tests.transport_health.state_files import NOW_UNIX_MS, StateDirectory, failed, minimal_state

TARGET = BUILT_IN["custom-command"]
HOSTILE = 'a"b\\c\nd|e\x1b[31m\u202e\x00</script>{}\r'
PERFDATA = re.compile(r"[a-z_]+=-?\d+(\.\d+)?s?")
"""A label, a value and at most a unit: the monitoring-plugins convention."""


def inspected(directory: StateDirectory, *, target: Target = TARGET, age_ms: int = 0) -> Inspection:
    """Return one look at a directory."""
    reading = read_once(directory.root, target)
    now = NOW_UNIX_MS + age_ms
    return Inspection(
        target=target,
        state_path=str(directory.state),
        events_log_path=str(directory.log),
        state_dir=str(directory.root),
        targets_file=None,
        reading=reading,
        assessment=assess(reading, now_unix_ms=now, max_age_ms=900_000),
        judged_unix_ms=now,
    )


def families_of(text: str) -> list[Metric]:
    """Return the metrics of an exposition, by the parser of prometheus-client."""
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call] # it has none


def samples_of(text: str) -> list[Sample]:
    """Return the samples of an exposition."""
    return [sample for family in families_of(text) for sample in family.samples]


def said_by_text(inspection: Inspection) -> tuple[str, str]:
    """Return the state and the gate of the text."""
    found = re.fullmatch(
        r"custom-command \(.*\): (\w+), gate (\w+)", inspection_text(inspection).splitlines()[0]
    )
    assert found is not None
    return found[1], found[2]


def said_by_json(inspection: Inspection) -> tuple[str, str]:
    """Return the state and the gate of the JSON row."""
    value = json.loads(json.dumps(row(inspection)))
    return value["health_state"], value["rollout_gate"]


def said_by_plugin_line(inspection: Inspection) -> tuple[str, str]:
    """Return the state and the gate of the plugin line."""
    found = re.match(
        r"[A-Z]+ - custom-command (\w+), gate (\w+): ", plugin_line(inspection, QueueLimits())
    )
    assert found is not None
    return found[1], found[2]


def said_by_openmetrics(inspection: Inspection) -> tuple[str, str]:
    """Return the state and the gate of the metrics."""
    samples = samples_of(openmetrics([inspection]))
    (state,) = (
        sample.labels["health_state"]
        for sample in samples
        if sample.name == "tau_transport_health_state" and sample.value == 1
    )
    (gate,) = (s.value for s in samples if s.name == "tau_transport_rollout_gate_pass")
    return state, {1: "pass", 0: "hold"}[int(gate)]


def said_by_page(inspection: Inspection) -> tuple[str, str]:
    """Return the state and the gate of the HTML page."""
    with TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write_report(inspection, page)
        text = page.read_text(encoding="utf-8")
    found = re.search(r'<main data-health-state="(\w+)" data-rollout-gate="(\w+)">', text)
    assert found is not None
    assert f"<title>custom-command: {found[1]}, rollout gate {found[2]}</title>" in text
    return found[1], found[2]


FORMATS: dict[str, Callable[[Inspection], tuple[str, str]]] = {
    "text": said_by_text,
    "JSON": said_by_json,
    "plugin line": said_by_plugin_line,
    "OpenMetrics": said_by_openmetrics,
    "HTML": said_by_page,
}
"""How each format says the health and the gate; a format is added by its line here."""


@pytest.mark.parametrize("situation", DAMAGES, ids=lambda damage: damage.name)
def test_all_formats_say_the_same(situation: Damage, directory: StateDirectory) -> None:
    """The state and the gate, in every situation of the damage table."""
    directory = StateDirectory(directory.root / ".tau/custom-command")
    directory.root.parent.parent.mkdir()
    situation.make(directory)
    inspection = inspected(directory)
    said = {name: read(inspection) for name, read in FORMATS.items()}
    assert said == dict.fromkeys(FORMATS, (situation.health, situation.gate))


def test_the_metrics_follow_the_conventions(directory: StateDirectory) -> None:
    """Gauges in base units; one TYPE and HELP each; no timestamp, no `_total`; then `# EOF`."""
    directory.good(cycle_duration_ms=1234)
    voice = inspected(directory)._replace(target=BUILT_IN["voice"])
    text = openmetrics([inspected(directory, age_ms=61_234), voice])
    assert text.endswith("# EOF\n")
    families = families_of(text)
    names = [family.name for family in families]
    assert len(set(names)) == len(names) > 8
    for family in families:
        assert family.name.startswith("tau_transport_")
        assert family.type == "gauge"
        assert not family.name.endswith(("_total", "_ms", "_milliseconds"))
        assert family.unit == ("seconds" if family.name.endswith("_seconds") else "")
        assert family.documentation.endswith(".")
        assert text.count(f"# HELP {family.name} ") == text.count(f"# TYPE {family.name} ") == 1
        for sample in family.samples:
            assert sample.timestamp is None
            assert {"transport", "target"} <= sample.labels.keys()
        assert {sample.labels["transport"] for sample in family.samples} == {
            "custom-command",
            "voice",
        }
    values = {s.name: s.value for s in samples_of(text) if s.labels["transport"] != "voice"}
    assert values["tau_transport_state_age_seconds"] == 61.234
    assert values["tau_transport_last_cycle_duration_seconds"] == 1.234
    assert values["tau_transport_queue_depth_cases"] == 1
    assert values["tau_transport_last_cycle_duplicate_cases"] == 1


def test_without_a_state_the_metrics_say_that_it_is_down(directory: StateDirectory) -> None:
    """`up` is 0, the state unknown, and no number is made up."""
    samples = samples_of(openmetrics([inspected(directory)]))
    assert [s.value for s in samples if s.name == "tau_transport_up"] == [0]
    assert {s.name for s in samples} == {
        "tau_transport_clock_pinned",
        "tau_transport_evaluated_timestamp_seconds",
        "tau_transport_up",
        "tau_transport_rollout_gate_pass",
        "tau_transport_hold",
        "tau_transport_health_state",
    }


def test_the_metrics_name_each_reason_to_hold(directory: StateDirectory) -> None:
    """Every reason is a sample, 1 where the gate holds for it; and when that was judged."""
    directory.good()
    samples = samples_of(openmetrics([inspected(directory, age_ms=900_001)]))
    holds = {s.labels["hold"]: s.value for s in samples if s.name == "tau_transport_hold"}
    assert holds.keys() == set(Hold)
    assert {hold for hold, value in holds.items() if value} == {Hold.STALE}
    (at,) = (s.value for s in samples if s.name == "tau_transport_evaluated_timestamp_seconds")
    assert at == (NOW_UNIX_MS + 900_001) / 1000


@pytest.mark.parametrize("number", [0, 999_999, 1_000_000, 1_234_567, 2**53 - 1])
def test_metrics_are_exact(number: int, directory: StateDirectory) -> None:
    """No digit is rounded away that a float can hold."""
    directory.good(backlog_cases=number, cycle_duration_ms=number)
    values = {s.name: s.value for s in samples_of(openmetrics([inspected(directory)]))}
    assert values["tau_transport_queue_depth_cases"] == number
    assert values["tau_transport_last_cycle_duration_seconds"] == number / 1000


def test_hostile_labels_stay_labels(directory: StateDirectory) -> None:
    """A label from the targets file neither breaks the exposition nor acts on a terminal."""
    directory.good()
    target = Target(name="mine", label=HOSTILE, state_dir="x")
    text = openmetrics([inspected(directory, target=target)])
    labels = {sample.labels["target"] for sample in samples_of(text)}
    assert len(labels) == 1
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize("situation", DAMAGES, ids=lambda damage: damage.name)
def test_the_plugin_line_follows_the_convention(
    situation: Damage, directory: StateDirectory
) -> None:
    """One line, its word first, at most one bar, and figures behind it that a system can parse."""
    directory = StateDirectory(directory.root / ".tau/custom-command")
    directory.root.parent.parent.mkdir()
    situation.make(directory)
    line = plugin_line(inspected(directory), QueueLimits())
    assert line.isprintable()
    assert line.split(" - ")[0] == situation.plugin[1]
    words, bar, figures = line.partition(" | ")
    assert "|" not in words
    assert "|" not in figures
    assert bool(bar) == (situation.health != "unknown")
    for figure in figures.split():
        assert PERFDATA.fullmatch(figure), figure


def test_the_plugin_line_says_what_was_not_judged(directory: StateDirectory) -> None:
    """A writer that does not chain its events passes, and the line says what that leaves open."""
    directory.write(minimal_state(), None)
    words, _, _ = plugin_line(
        inspected(directory, target=BUILT_IN["voice"]), QueueLimits()
    ).partition(" | ")
    assert words == (
        "OK - voice healthy, gate pass: the last cycle ended without a failed case (warning: the "
        "writer does not chain its events: state and log are not compared; there is no event log)"
    )


def test_a_bar_from_the_files_is_none(directory: StateDirectory) -> None:
    """The event's own words cannot add figures, lines or escape sequences."""
    directory.good(health_reason=f"{HOSTILE} | age=0s", backlog_cases=7)
    line = plugin_line(inspected(directory, age_ms=1500), QueueLimits())
    assert line.isprintable()
    assert line.count("|") == 1
    assert line.endswith(
        "| age=1.500s failure_streak=0 queue_depth=7 failed=0 completed=3 duplicates=1 "
        "cycle_duration=0.012s"
    )


def test_text_is_one_line_a_fact(directory: StateDirectory) -> None:
    """Hostile words stay on their line."""
    directory.good(health_reason=HOSTILE)
    hostile = Target(name="mine", label=HOSTILE, state_dir="x")
    text = inspection_text(inspected(directory, target=hostile))
    assert len(text.splitlines()) == 5
    assert all(line.isprintable() for line in text.split("\n"))
    rows = [{"transport": "a", "target": HOSTILE, "exists": True, "state_dir": HOSTILE}]
    assert all(line.isprintable() for line in targets_text(rows).split("\n"))


@UNHURRIED
@given(st.text())
def test_harmless_text_is_printable_and_keeps_what_is(text: str) -> None:
    """Nothing that could act is left, and nothing else is changed."""
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


def test_lone_surrogates_are_harmless(tmp_path: Path) -> None:
    """A folder's name that is no text can be shown."""
    shown = printable(str(tmp_path / "\udcff"))
    assert shown.encode()
    assert shown.endswith(r"\udcff")


def test_a_cycle_at_work_is_told(directory: StateDirectory) -> None:
    """With when it was last heard of; one that was cut off is a hold instead."""
    at_work(5_000)(directory)
    assert "now:        a cycle is at work, last heard of 5 s ago" in inspection_text(
        inspected(directory)
    )
    assert "is at work" not in inspection_text(inspected(directory, age_ms=200_000))


def test_the_journal_of_another_transport_is_not_looked_at(directory: StateDirectory) -> None:
    """What it is there is that transport's own affair."""
    at_work(10**9)(directory)
    directory.write(minimal_state(), [])
    inspection = inspected(directory, target=BUILT_IN["voice"])
    assert (inspection.reading.journal_unix_ms, inspection.assessment.holds) == (None, ())


@pytest.mark.parametrize("age_ms", [0, 10**9])
def test_what_to_do_about_a_pause_is_to_end_it(age_ms: int, directory: StateDirectory) -> None:
    """Also once the state is stale: then nobody is sent to look for a runtime that is not there."""
    directory.good()
    pause = {"schema_version": 1, "paused_unix_ms": 0, "by": HOSTILE, "reason": "`reboot`"}
    (directory.root / "paused.json").write_text(json.dumps(pause))
    inspection = inspected(directory, age_ms=age_ms)
    assert inspection.recommendation.startswith("it is paused")
    assert re.findall("`(.*?)`", inspection.recommendation) == [
        f"tau-custom-command unpause --state-dir {directory.root}"
    ]
    text = inspection_text(inspection)
    assert "no cycle begins: paused 204" in text
    assert all(line.isprintable() for line in text.split("\n"))
    assert "no cycle begins" in plugin_line(inspection, QueueLimits())


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "column 1: not JSON"),
        (b"{}", "schema_version: is missing"),
        (b'{"schema_version": 2}', "found 2; 1 is known"),
        (b"[1]", "is not an object"),
        (b" " * 1024 * 1025, "is longer than 1 MiB"),
    ],
)
def test_a_pause_that_cannot_be_read_is_one(
    raw: bytes, why: str, directory: StateDirectory
) -> None:
    """As for the runtime, which begins no cycle then."""
    directory.good()
    (directory.root / "paused.json").write_bytes(raw)
    assert why in str(inspected(directory).reading.pause)
    (directory.root / "paused.json").unlink()
    (directory.root / "paused.json").mkdir()
    assert "cannot be read" in str(inspected(directory).reading.pause)


def test_a_command_that_is_told_judges_by_the_same_age(directory: StateDirectory) -> None:
    """Else it would find another answer than the one that sent there."""
    directory.good(**failed(streak=1))
    inspection = inspected(directory)
    assert "--max-age" not in inspection.recommendation
    told = re.findall("`(.*?)`", inspection._replace(max_age="1h").recommendation)
    assert told == [
        f"tau-transport-health diagnose custom-command --state-dir {directory.root} --max-age 1h"
    ]
