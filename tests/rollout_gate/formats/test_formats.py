"""Every format is made from one answer: all say the same, and no text in it acts on a reader."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from junitparser import JUnitXml, TestCase, TestSuite
from markdown_it import MarkdownIt
from markdown_it.token import Token
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tau_rollout_gate.cli.options import Format
from tau_rollout_gate.contract import strict_json
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.decision.decide import reason_of
from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats import explain, github, text
from tau_rollout_gate.formats.layout import Look
from tau_rollout_gate.formats.phrases import ago, document, headline, shown
from tau_rollout_gate.formats.renderers import RENDERERS
from tau_rollout_gate.policy.findings import GateStatus
from tests.rollout_gate.answers import (
    ENTERED,
    HOSTILE,
    LOG,
    MINUTE,
    NOW,
    SITUATIONS,
    WHERE,
    answer,
    answers,
    around,
    failing,
    filled_with,
    fired,
    gate,
    over,
    promoted,
    stuck,
    trigger,
)

SCHEMA = json.loads(
    Path(__file__)
    .resolve()
    .parents[3]
    .joinpath("fixtures/state-contract/v1/answer.schema.json")
    .read_bytes()
)
UNBROKEN = Look(width=10**6)
"""So wide that each sentence is one line."""

Said = tuple[str, list[str]]
"""The verdict and the reasons."""


# What GitHub's runner makes of a line, and of an output file: by its own published rules.

COMMANDS = {"error", "warning", "notice", "debug", "set-output", "add-mask", "group", "save-state"}


def unescaped(data: str) -> str:
    """Return the text of a command's data or property."""
    for sign, escape in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        data = data.replace(escape, sign)
    return data


def runner_command(line: str) -> tuple[str, dict[str, str], str] | None:
    """Return the command, properties and data that the runner reads in a line of a job's log."""
    found = re.match(r"\s*::(?P<command>.*?)::(?P<data>.*)", line)
    name, _, properties = (found["command"] if found else "").partition(" ")
    if found and name in COMMANDS:
        pairs = (pair.partition("=") for pair in properties.split(",") if pair)
        return name, {key: unescaped(value) for key, _, value in pairs}, unescaped(found["data"])
    old = re.search(r"##\[(?P<name>[^ \]]*)[^]]*\](?P<data>.*)", line)
    return (old["name"], {}, old["data"]) if old and old["name"] in COMMANDS else None


def runner_outputs(content: str) -> dict[str, str]:
    """Return the outputs that the runner reads in an output file."""
    values: dict[str, str] = {}
    lines = iter(content.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            values[line[:equals]] = line[equals + 1 :]
            continue
        assert heredoc > 0, line
        name, end = line[:heredoc], line[heredoc + 2 :]
        held = []
        while (one := next(lines)) != end:
            held.append(one)
        values[name] = "\n".join(held)
    return values


# How each format is read


def squeezed(words: str) -> str:
    """Return words with the spaces that laying lines out may change."""
    return " ".join(words.split())


def said_by_text(one: Answer) -> Said:
    """Return what the text says."""
    head, *lines = text.render(one, look=UNBROKEN).splitlines()
    verdict, _, sentence = head.partition("  ")
    assert squeezed(sentence) == squeezed(shown(headline(one)))
    reasons: list[str] = []
    for line in lines:
        if line[:10].strip() not in ({"why"} if not reasons else {""}) or not line:
            break
        reasons.append(squeezed(line[10:]))
    return verdict.lower(), reasons


def said_by_json(one: Answer) -> Said:
    """Return what the JSON object says."""
    value = strict_json.decode(RENDERERS["json"](one).encode())
    assert shown(value["phase"]) == shown(readable(one.phase))
    return value["verdict"], [squeezed(shown(reason)) for reason in value["reasons"]]


def readable(words: str) -> str:
    """Return words as UTF-8 can hold them."""
    return words.encode("utf-8", "backslashreplace").decode()


def suite_of(one: Answer) -> TestSuite:
    """Return the one suite of the report, by junitparser."""
    report = JUnitXml.fromstring(RENDERERS["junit"](one).encode())
    (suite,) = report
    return suite


def properties_of(one: Answer) -> dict[str, str]:
    """Return the properties of the report."""
    properties = suite_of(one).properties()  # type: ignore[no-untyped-call] # it has no types
    return {each.name: each.value for each in properties}


def said_by_junit(one: Answer) -> Said:
    """Return what the JUnit report says."""
    properties = properties_of(one)
    assert properties["phase"] == shown(one.phase)
    reasons = [properties[f"reason.{at}"] for at in range(1, len(one.reasons) + 1)]
    return properties["verdict"], list(map(squeezed, reasons))


def commands_of(one: Answer) -> list[tuple[str, dict[str, str], str]]:
    """Return the workflow commands; every line is one."""
    found = [runner_command(line) for line in RENDERERS["github"](one).splitlines()]
    assert None not in found
    return [each for each in found if each]


def said_by_github(one: Answer) -> Said:
    """Return what the first annotation says, which is what the outputs say too."""
    name, properties, data = commands_of(one)[0]
    assert name == ("notice" if one.verdict in {Verdict.PROMOTE, Verdict.COMPLETE} else "error")
    verdict = properties["title"].removeprefix("rollout gate: ")
    sentence, *reasons = data.split("\n")
    assert sentence == shown(headline(one))
    outputs = runner_outputs(github.outputs(one))
    assert outputs["verdict"] == verdict
    assert outputs["phase"] == shown(one.phase)
    assert outputs["reasons"].split("\n") == reasons
    return verdict, list(map(squeezed, reasons))


def tokens_of(one: Answer) -> list[Token]:
    """Return the summary's Markdown, by markdown-it."""
    return MarkdownIt("commonmark").enable(["table"]).parse(RENDERERS["markdown"](one))


def text_of(token: Token) -> str:
    """Return the text of an inline token, which must hold no other markup than emphasis."""
    for child in token.children or []:
        assert child.type in {"text", "strong_open", "strong_close", "softbreak"}, child
    return "".join(child.content for child in token.children or []).replace("\u200b", "")


def said_by_markdown(one: Answer) -> Said:
    """Return what the heading and the first list say."""
    tokens = tokens_of(one)
    assert [token.type for token in tokens[:2]] == ["heading_open", "inline"]
    verdict, _, sentence = text_of(tokens[1]).partition(": ")
    assert squeezed(sentence) == squeezed(shown(headline(one)))
    end = next(at for at, token in enumerate(tokens) if token.type == "bullet_list_close")
    reasons = [text_of(token) for token in tokens[3:end] if token.type == "inline"]
    return verdict.lower(), list(map(squeezed, reasons))


def families_of(one: Answer) -> dict[str, Metric]:
    """Return the metrics by their names, by the parser of prometheus-client."""
    exposition = RENDERERS["openmetrics"](one)
    families = list(
        text_string_to_metric_families(exposition)  # type: ignore[no-untyped-call] # it has none
    )
    assert len({family.name for family in families}) == len(families)
    return {family.name: family for family in families}


def said_by_openmetrics(one: Answer) -> Said:
    """Return what the metrics say."""
    families = families_of(one)
    (verdict,) = (
        sample.labels["verdict"]
        for sample in families["tau_rollout_verdict"].samples
        if sample.value == 1
    )
    (info,) = families["tau_rollout_info"].samples
    assert info.labels["phase"] == shown(one.phase_now)
    reasons: list[Sample] = families["tau_rollout_reason_info"].samples
    assert [sample.labels["number"] for sample in reasons] == [
        str(number) for number in range(1, len(reasons) + 1)
    ]
    return verdict, [squeezed(sample.labels["reason"]) for sample in reasons]


SAID: dict[str, Callable[[Answer], Said]] = {
    "text": said_by_text,
    "json": said_by_json,
    "junit": said_by_junit,
    "github": said_by_github,
    "markdown": said_by_markdown,
    "openmetrics": said_by_openmetrics,
}
"""How each format says the verdict and the reasons; a format is added by its line here."""


def explained(one: Answer) -> str:
    """Return the explanation, in the usual surroundings."""
    return explain.render(one, around())


# All formats


def test_the_formats_are_those_of_the_option() -> None:
    """What `--format` takes can be printed, and read here."""
    assert set(RENDERERS) == set(Format) == set(SAID)


@given(answers())
@settings(deadline=None)
def test_all_formats_say_the_same(one: Answer) -> None:
    """Verdict, phase and reasons, whatever the answer is."""
    expected = (one.verdict.value, [squeezed(shown(reason)) for reason in one.reasons])
    for read in SAID.values():
        assert read(one) == expected


@given(answers())
@settings(deadline=None)
def test_every_answer_is_text_that_utf_8_can_hold(one: Answer) -> None:
    """Whatever it is made of, bytes that are no text among it; each line ends with its break."""
    for render in (*RENDERERS.values(), explained):
        assert render(one).encode().endswith(b"\n")


@pytest.mark.unmeasured
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_hostile_text_acts_on_no_reader(situation: str, hostile: str) -> None:
    """In every string of an answer, in every format: the readers read what they would without."""
    plain = SITUATIONS[situation]
    one = filled_with(plain, hostile)
    hostile_around = around(
        rollout_dir=hostile,
        state_dirs={"custom-command": hostile},
        place=("--rollout-dir", hostile),
        reports={"validation": hostile},
        signoff=hostile,
        archive=hostile,
    )
    printed = {name: render(one) for name, render in RENDERERS.items()}
    printed["explain"] = explain.render(one, hostile_around)
    for name, page in printed.items():
        lines = page.split("\n")
        assert all(line.isprintable() for line in lines), name
        if name != "github":
            assert not any(map(runner_command, lines)), name
    expected = (plain.verdict.value, [squeezed(shown(hostile))] * len(plain.reasons))
    for read in SAID.values():
        assert read(one) == expected
    commands = commands_of(one)
    assert [name for name, _, _ in commands] == [name for name, _, _ in commands_of(plain)]
    assert [sorted(keys) for _, keys, _ in commands] == [
        sorted(keys) for _, keys, _ in commands_of(plain)
    ]
    for (_, keys, data), (_, of_plain, _) in zip(commands, commands_of(plain), strict=True):
        assert keys.get("file") == (shown(hostile) if "file" in of_plain else None)
        assert keys["title"].startswith(("rollout gate", f"gate {shown(hostile)}", "trigger "))
        assert shown(hostile) in data
    assert runner_outputs(github.outputs(one)).keys() == (
        runner_outputs(github.outputs(plain)).keys()
    )
    assert [token.type for token in tokens_of(one)] == [token.type for token in tokens_of(plain)]
    assert families_of(one).keys() == families_of(plain).keys()
    # Neither half-drawn nor coloured by anybody else.
    coloured = text.render(one, look=Look(is_coloured=True))
    assert re.sub(r"\x1b\[[0-9;]+m", "", coloured) == text.render(one)


# Text


def test_the_text_begins_with_the_verdict_and_why() -> None:
    """What an operator looks for comes first: the verdict, why, how long, until when."""
    stuck_by = stuck(warnings=("the log is not chained",))
    soak, queue = map(reason_of, stuck_by.failing_gates)
    assert text.render(stuck_by._replace(reasons=(queue, soak))) == (
        "HOLD  1.4.0 stays in canary-1 (5 %)\n"
        f"why       {queue}\n"  # and not the soak, which only follows from it
        "next      canary-2 (25 %): the soak begins anew with the next clean cycle: 30 min from "
        "then.\n"
        "warning   the log is not chained\n"
        "\n"
        "GATES\n"
        "  ✗ FAIL  queue_depth  mend queue_depth\n"
        "      see: .tau/custom-command/runtime-events.jsonl line 4, 2 min 5 s ago\n"
        "  ↳ what follows from that: soak\n"
        "\n"
        "TRIGGERS\n"
        "  ✓ 1 did not fire\n"
    )


def test_an_answer_that_advance_followed_says_what_is_now() -> None:
    """Nothing of what might be done: it is done, and the new share is to be given."""
    moved = promoted(advanced=True)
    assert text.render(moved).startswith(
        "PROMOTE  1.4.0 is now in canary-2: give it 25 %\n"
        "why       every gate of canary-1 holds, and no rollback trigger fired\n\nGATES\n"
    )
    assert "Soak" not in RENDERERS["markdown"](moved)
    said = json.loads(RENDERERS["json"](moved))
    assert (said["phase"], said["advanced"], said["phase_now"], said["canary_percent_now"]) == (
        *("canary-1", True, "canary-2", 25),
    )
    last = promoted(
        verdict=Verdict.COMPLETE, next_phase=None, next_canary_percent=None, advanced=True
    )
    assert text.render(last).startswith("COMPLETE  1.4.0 is rolled out: complete in canary-1 (5 %)")
    assert (last.phase_now, last.canary_percent_now) == ("canary-1", 5)


def test_the_text_tells_what_is_in_the_way_and_counts_the_rest() -> None:
    """What is in the way is marked by a sign and a word; a place is told once."""
    gates = (
        gate("a"),
        gate("b", status=GateStatus.NOT_APPLICABLE),
        failing("c", status=GateStatus.UNKNOWN, observed=None),
        failing("d"),
        failing("e", evidence=WHERE._replace(line=5)),
    )
    lines = text.render(answer(gates=gates, triggers=())).splitlines()
    assert lines[lines.index("GATES") + 1 :] == [
        "  ? UNKNOWN  c  mend c",
        f"      see: {LOG} line 4, 2 min 5 s ago",
        "  ✗ FAIL     d  mend d",
        "  ✗ FAIL     e  mend e",
        f"      see: {LOG} line 5, 2 min 5 s ago",
        "  ✓ 2 others let pass (--format json lists them)",
    ]


def test_where_a_trigger_fired_the_text_tells_of_triggers_alone() -> None:
    """Those of an earlier decision are marked; no gate matters any more."""
    triggers = (
        trigger("e"),
        trigger("f", fired=True),
        trigger("g", fired=True, is_latched=True, evidence=WHERE),
    )
    lines = text.render(fired(triggers=triggers)).splitlines()
    assert "GATES" not in lines
    assert lines[lines.index("TRIGGERS") + 1 :] == [
        "  ! FIRED    f  roll back at once",
        "  ! FIRED *  g  roll back at once",
        f"      see: {LOG} line 4, 2 min 5 s ago",
        "  ✓ 1 other did not fire",
        "  * fired and recorded earlier: it stays fired until the rollback",
    ]


def test_surfaces_are_named_where_there_are_several() -> None:
    """A gate of two surfaces can be told apart; of a single surface nothing is repeated."""
    voice = failing("queue_depth", surface="voice")
    assert "  voice           mend queue_depth" in text.render(
        answer(gates=(failing("queue_depth"), voice))
    )
    assert "custom-command  " not in text.render(stuck())


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_lines_are_no_wider_than_the_terminal(situation: str, width: int) -> None:
    """Text and explanation keep to the width; commands stay whole, so that they can be copied."""
    look = Look(width=width)
    one = SITUATIONS[situation]
    printed = text.render(one, look=look) + explain.render(one, around(), look=look)
    for line in printed.splitlines():
        is_command = re.match(r" +(tau-[a-z-]+|git|cp|grep) ", line)
        assert len(line) <= width or is_command, line


def test_wide_letters_take_two_columns() -> None:
    """Names in any script keep the columns aligned."""
    # Two columns each, and a mark that takes none.
    names = ("\u968a\u5217\u0301", "abcd")
    gates = tuple(failing(name, evidence=None, remedy="mend it") for name in names)
    rows = text.render(answer(gates=gates, triggers=())).splitlines()[-2:]
    assert rows == [f"  ✗ FAIL  {name}  mend it" for name in names]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (
            answer(),
            "next      canary-2 (25 %): at the earliest 2026-01-01T00:30:00Z (in 12 min), if",
        ),
        (promoted(), "next      canary-2 (25 %): now."),
        (
            answer(soak=answer().soak._replace(since_unix_ms=NOW - 29 * MINUTE - 1)),
            "at the earliest 2026-01-01T00:19:00Z (in 1 min)",
        ),
        (answer(), "soak      16 min of 30 min held, since 2026-01-01T00:00:00Z"),
        (SITUATIONS["preflight"], "soak      none is required"),
    ],
)
def test_the_text_tells_when(one: Answer, expected: str) -> None:
    """The soak, and the earliest promotion as a time in UTC and from now."""
    assert expected in text.render(one)


@pytest.mark.parametrize("verdict", [Verdict.COMPLETE, Verdict.ROLLBACK])
def test_of_a_closed_rollout_nothing_is_foretold(verdict: Verdict) -> None:
    """Neither soak nor next phase: verdict and reason alone."""
    lines = text.render(over(verdict)).splitlines()
    assert [line[:8].strip() for line in lines] == [verdict.upper()[:8], "why"]


@pytest.mark.parametrize(
    ("unix_ms", "expected"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (ENTERED + 999, "2026-01-01T00:00:00Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59Z"),
        (253_402_300_800_000, "253402300800000 ms"),
        (-1, "-1 ms"),
    ],
)
def test_times_are_in_utc(unix_ms: int, expected: str) -> None:
    """To the second; where no calendar has it, the number."""
    assert utc(unix_ms) == expected


@pytest.mark.parametrize(
    ("age_ms", "expected"),
    [(0, "0 s ago"), (61_999, "1 min 1 s ago"), (-1000, "1 s ahead of the clock")],
)
def test_an_age_is_said_as_people_do(age_ms: int, expected: str) -> None:
    """To the second, and what is in the future says so."""
    assert ago(age_ms) == expected


# JSON


def test_json_has_the_documented_keys_in_their_order() -> None:
    """The keys of the answer's page, one object, ended by a line break."""
    printed = RENDERERS["json"](fired())
    value = json.loads(printed)
    assert printed.endswith("}\n")
    without = [key for key in SCHEMA["properties"] if key != "fleet"]
    assert list(value) == without
    assert SCHEMA["required"] == [key for key in without if key != "changed"]  # which came later
    assert list(value["soak"]) == list(SCHEMA["properties"]["soak"]["properties"])
    for key, form in (("gates", "gate"), ("triggers", "trigger"), ("inputs", "input")):
        assert list(value[key][-1]) == list(SCHEMA["$defs"][form]["properties"])
    assert list(value["triggers"][1]["evidence"]) == list(SCHEMA["$defs"]["evidence"]["properties"])
    assert value["gates"][0]["evidence"] is None
    assert value["inputs"][0].keys() == {"path", "sha256"}


def closed(schema: Any) -> Any:  # noqa: ANN401 - a schema is any JSON value
    """Return the schema with every object closed, so that a key that it lacks is an error."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: closed(value) for key, value in schema.items()}
    return copy | {"additionalProperties": False} if schema.get("type") == "object" else copy


VALIDATOR = Draft202012Validator(closed(SCHEMA))


@given(answers())
@settings(deadline=None)
def test_json_is_as_its_schema_says(one: Answer) -> None:
    """The published schema takes every answer, and names every key."""
    VALIDATOR.validate(json.loads(RENDERERS["json"](one)))


def test_the_schema_is_sound() -> None:
    """It is a JSON Schema of the dialect that it names, and describes every key."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    forms = [SCHEMA, SCHEMA["properties"]["soak"], *SCHEMA["$defs"].values()]
    assert all(each["description"] for form in forms for each in form["properties"].values())


@given(answers())
@settings(deadline=None)
def test_json_holds_the_very_text(one: Answer) -> None:
    """A reader of the JSON gets every string as it was, not as a terminal may see it."""
    value = json.loads(RENDERERS["json"](one))
    assert value["reasons"] == list(map(readable, one.reasons))
    assert [each["observed"] for each in value["triggers"]] == [
        readable(each.observed) for each in one.triggers
    ]


def test_json_prints_nothing_that_acts() -> None:
    """What no terminal prints is escaped, which to a JSON parser is the same text."""
    said = "é\x7f\u202e"
    assert '"said": "é\\u007f\\u202e"' in document(said=said)
    assert json.loads(document(said=said))["said"] == said


# JUnit


def test_junit_has_a_case_for_each_gate_and_trigger() -> None:
    """What is in the way is a failure, also what is unknown; what does not apply is skipped."""
    gates = (
        gate("a"),
        failing("b", surface=None),
        failing("c", status=GateStatus.UNKNOWN, observed=None, evidence=None),
        gate("d", status=GateStatus.NOT_APPLICABLE),
    )
    triggers = (trigger("e"), trigger("f", fired=True, surface=None, evidence=WHERE))
    suite = suite_of(answer(gates=gates, triggers=triggers))
    cases = {(case.classname, case.name): kinds_of(case) for case in suite}
    assert cases == {
        ("gate.custom-command", "a"): [],
        ("gate.rollout", "b"): [("Failure", "fail", "b is 7; required: b = 0")],
        ("gate.custom-command", "c"): [("Failure", "unknown", "nothing seen; required: c = 0")],
        ("gate.custom-command", "d"): [("Skipped", None, "d is 0")],
        ("trigger.custom-command", "e"): [],
        ("trigger.rollout", "f"): [
            ("Failure", "fired", "in none of 4 cycles; fires at failure_streak >= 3")
        ],
    }
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 3, 0, 1)


def kinds_of(case: TestCase) -> list[tuple[str, str | None, str]]:
    """Return what became of a case: kind, type and message."""
    return [(type(result).__name__, result.type, result.message) for result in case.result]


@given(answers())
@settings(deadline=None)
def test_a_junit_report_is_green_for_a_yes_alone(one: Answer) -> None:
    """Its figures are those of its cases, and a hold or a rollback never goes without a failure."""
    suite = suite_of(one)
    kinds = [kind for case in suite for kind, _, _ in kinds_of(case)]
    assert suite.tests == len(list(suite))
    assert suite.failures == kinds.count("Failure")
    assert suite.skipped == kinds.count("Skipped")
    if one.verdict in {Verdict.HOLD, Verdict.ROLLBACK}:
        assert suite.failures > 0


def test_junit_of_a_rolled_back_rollout_fails() -> None:
    """Nothing is judged any longer, and that is not a pass."""
    (case,) = suite_of(over(Verdict.ROLLBACK))
    assert kinds_of(case) == [("Failure", "rollback", "1.4.0 was rolled back in canary-1 (5 %)")]
    assert list(suite_of(over(Verdict.COMPLETE))) == []


# GitHub


def test_annotations_lead_to_the_line() -> None:
    """The verdict first, then each thing in the way, with its file and line."""
    one = fired(
        gates=(failing("queue_depth"), failing("files", evidence=WHERE._replace(line=None))),
        warnings=("the log is not chained",),
    )
    assert [(name, keys) for name, keys, _ in commands_of(one)] == [
        ("error", {"title": "rollout gate: rollback"}),
        (
            "error",
            {
                "file": WHERE.file,
                "line": "4",
                "title": "trigger failure_streak_breach of custom-command",
            },
        ),
        (
            "error",
            {"file": WHERE.file, "line": "4", "title": "gate queue_depth of custom-command: fail"},
        ),
        ("error", {"file": WHERE.file, "title": "gate files of custom-command: fail"}),
        ("warning", {"title": "rollout gate"}),
    ]


def test_at_most_ten_annotations_of_a_kind() -> None:
    """As many as GitHub shows of a step: the last one tells how many more there are, and where."""
    for many in (9, 10, 40):
        one = stuck(
            gates=tuple(failing(f"gate_{number}") for number in range(many)),
            warnings=tuple(f"warning {number}" for number in range(many + 1)),
        )
        commands = commands_of(one)
        for kind in ("error", "warning"):
            of_kind = [data for name, _, data in commands if name == kind]
            assert len(of_kind) == 10
            rest = f"{many + 1 - 9} more are in the summary of the job and in --format json"
            assert (of_kind[-1] == rest) == (many > 9)


def test_the_outputs_are_for_later_steps() -> None:
    """Every output is there, empty where there is nothing to say."""
    assert runner_outputs(github.outputs(answer(reasons=("end", "EOF", "reasons")))) == {
        "verdict": "hold",
        "release": "1.4.0",
        "phase": "canary-1",
        "canary_percent": "5",
        "next_phase": "canary-2",
        "next_canary_percent": "25",
        "advanced": "false",
        "changed": "true",
        "phase_now": "canary-1",
        "canary_percent_now": "5",
        "earliest_promotion": "2026-01-01T00:30:00Z",
        "reasons": "end\nEOF\nreasons",
    }
    moved = runner_outputs(github.outputs(promoted(advanced=True)))
    assert (moved["advanced"], moved["phase_now"], moved["canary_percent_now"]) == (
        *("true", "canary-2", "25"),
    )
    outputs = runner_outputs(github.outputs(fired()))
    assert [name for name, value in outputs.items() if not value] == [
        "next_phase",
        "next_canary_percent",
        "earliest_promotion",
    ]


# Markdown


def test_the_summary_is_a_table_of_gates_and_one_of_triggers() -> None:
    """A row each, with what to do and where to look for what is in the way alone."""
    one = fired(gates=(gate("a"), failing("b", remedy="mend | it")), warnings=("w",))
    cells = [text_of(token) for token in tokens_of(one) if token.type == "inline"]
    where = f"{WHERE.file} line 4, 2 min 5 s ago"
    surface = "custom-command"
    rows = [
        ("✗ FAIL", "b", surface, "b is 7", "b = 0", "mend | it", where),
        ("✓ pass", "a", surface, "a is 0", "a = 0", "", ""),
        (
            "! FIRED",
            "failure_streak_breach",
            surface,
            "failure_streak is 3",
            "failure_streak >= 3",
            "roll back at once",
            where,
        ),
    ]
    for row in rows:
        at = cells.index(row[1]) - 1
        assert tuple(cells[at : at + len(row)]) == row
    assert "Warning: w" in cells
    assert cells[-1] == "Judged at 2026-01-01T00:18:00Z by the policy abababababab."


def test_the_summary_tells_when() -> None:
    """The soak of an open rollout, and the earliest promotion of one that is held."""
    printed = "".join(text_of(token) for token in tokens_of(answer()) if token.type == "inline")
    assert "Soak: 16 min of 30 min held, since 2026-01-01T00:00:00Z." in printed
    assert "Next: canary-2 (25 %): at the earliest 2026-01-01T00:30:00Z (in 12 min)" in printed
    assert "earliest" not in RENDERERS["markdown"](stuck())
    assert "Soak" not in RENDERERS["markdown"](over(Verdict.COMPLETE))


def test_nobody_is_called_and_nothing_is_linked() -> None:
    """Neither people nor issues are mentioned, whoever wrote the text."""
    html = (
        MarkdownIt("commonmark")
        .enable(["table"])
        .render(RENDERERS["markdown"](filled_with(answer(), HOSTILE["references"])))
    )
    assert "@team" not in html
    assert "#12" not in html
    # GitHub makes links of addresses whose sign is not escaped.
    markdown = RENDERERS["markdown"](filled_with(answer(), HOSTILE["references"]))
    assert "https://" not in markdown
    assert "www." not in markdown


# OpenMetrics


def test_the_metrics_follow_the_conventions() -> None:
    """Base units, one TYPE and HELP each, no timestamp; then `# EOF`."""
    printed = RENDERERS["openmetrics"](answer())
    assert printed.endswith("\n# EOF\n")
    for name, family in families_of(answer()).items():
        assert family.type == "gauge"  # which the text format of collectors has, too
        unit = name.rpartition("_")[2]
        assert family.unit == (unit if unit in {"seconds", "ratio"} else "")
        assert family.documentation.endswith(".")
        assert printed.count(f"# HELP {name} ") == printed.count(f"# TYPE {name} ") == 1
        assert all(sample.timestamp is None for sample in family.samples)


def test_the_metrics_hold_the_figures() -> None:
    """Times and durations in seconds, the share as a ratio, 1 at the status that a gate has."""
    soak = answer().soak._replace(held_ms=1234)
    families = families_of(answer(soak=soak))
    values = {name: family.samples[0].value for name, family in families.items()}
    assert values["tau_rollout_canary_ratio"] == 0.05
    assert values["tau_rollout_soak_required_seconds"] == 1800
    assert values["tau_rollout_soak_held_seconds"] == 1.234
    assert values["tau_rollout_earliest_promotion_timestamp_seconds"] == 1_767_227_400
    assert values["tau_rollout_evaluated_timestamp_seconds"] == 1_767_226_680
    statuses = {
        (sample.labels["gate"], sample.labels["surface"]): sample.labels["status"]
        for sample in families["tau_rollout_gate_status"].samples
        if sample.value == 1
    }
    assert statuses == {
        ("queue_depth", "custom-command"): "pass",
        ("soak", ""): "fail",
        ("turns_handled", "custom-command"): "not_applicable",
    }
    assert [
        (sample.labels, sample.value)
        for sample in families_of(fired())["tau_rollout_trigger_fired"].samples
    ] == [
        ({"trigger": "health_regression", "surface": "custom-command"}, 0),
        ({"trigger": "failure_streak_breach", "surface": "custom-command"}, 1),
    ]
    assert "tau_rollout_earliest_promotion_timestamp_seconds" not in families_of(stuck())


def test_after_an_advance_the_metrics_are_of_the_phase_that_was_entered() -> None:
    """Its name and its share; the soak was that of the phase before, and is left out."""
    families = families_of(promoted(advanced=True))
    (info,) = families["tau_rollout_info"].samples
    assert (info.labels["phase"], info.labels["next_phase"]) == ("canary-2", "")
    assert families["tau_rollout_canary_ratio"].samples[0].value == 0.25
    assert not [name for name in families if "soak" in name or "earliest" in name]
    last = promoted(
        verdict=Verdict.COMPLETE, next_phase=None, next_canary_percent=None, advanced=True
    )
    assert families_of(last)["tau_rollout_soak_held_seconds"].samples[0].value == 1800
    (info,) = families_of(promoted())["tau_rollout_info"].samples
    assert (info.labels["phase"], info.labels["next_phase"]) == ("canary-1", "canary-2")


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (answer(), "open"),
        (fired(), "open"),
        (promoted(), "open"),
        (promoted(advanced=True), "open"),
        (promoted(verdict=Verdict.COMPLETE, next_phase=None), "open"),
        (promoted(verdict=Verdict.COMPLETE, next_phase=None, advanced=True), "complete"),
        (over(Verdict.COMPLETE), "complete"),
        (over(Verdict.ROLLBACK), "rolled_back"),
        (over(Verdict.HOLD), "cancelled"),
    ],
)
def test_the_metrics_tell_what_is_over_from_what_goes_on(one: Answer, status: str) -> None:
    """A rollout that was rolled back or cancelled answers so for ever; an alarm must end."""
    samples = families_of(one)["tau_rollout_status"].samples
    assert {sample.labels["status"]: sample.value for sample in samples} == {
        each: each == status for each in ("open", "complete", "rolled_back", "cancelled")
    }
