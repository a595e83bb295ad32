"""What `runbooks/monitoring/` installs fits what the programs export (its README.md).

The hosts here are real rollouts: each program's own command wrote what is looked at.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from prometheus_client.samples import Sample
from typer.testing import CliRunner

from tau_rollout_gate.cli.app import app as gate_app
from tau_transport_health.cli.app import app as inspector_app
from tests.end_to_end import promtool
from tests.end_to_end.promtool import needs_promtool, samples_of
from tests.end_to_end.rolling_out import COMMANDS, MINUTE, STATE_DIR, Release
from tests.transport_health.running import as_another_user

REPOSITORY = Path(__file__).parents[2]
MONITORING = REPOSITORY / "runbooks/monitoring"
RULES = MONITORING / "tau.rules.yml"
RULES_TESTS = (MONITORING / "tau.rules.test.yml", MONITORING / "tau.rules.days.test.yml")
DASHBOARD: dict[str, Any] = json.loads(MONITORING.joinpath("grafana-dashboard.json").read_bytes())
README = MONITORING.joinpath("README.md").read_text()
PLUGIN = MONITORING / "check_tau_rollout"

DRIFTS = REPOSITORY / "fixtures/contracts/drift.json"
INSTALLED = {
    "/usr/local/bin/tau-transport-health": str(COMMANDS / "tau-transport-health"),
    "/usr/local/lib/nagios/plugins/check_tau_rollout": str(PLUGIN),
}
AS_THE_RUNTIMES_USER = "/usr/bin/sudo -n -u tau "
OF_EVERY_HOST = {"job", "instance"}

_SELECTOR = re.compile(r"\b(tau_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:on|by|group_left)\s*\(([^)]*)\)")


def alerts() -> list[dict[str, Any]]:
    """Return the alerting rules."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def unit_tests() -> list[dict[str, Any]]:
    """Return the unit tests of the alerts."""
    return [test for path in RULES_TESTS for test in yaml.safe_load(path.read_text())["tests"]]


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels that ask something."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries(panel: Mapping[str, Any]) -> list[str]:
    """Return what a panel asks, with every host and transport chosen."""
    return [
        target["expr"].replace("$instance", ".*").replace("$transport", ".*")
        for target in panel["targets"]
    ]


# Hosts, and what they export.


def held(release: Release) -> None:
    """Let a healthy canary serve its soak."""
    release.enters_canary_1()
    release.cycle(after_ms=10 * MINUTE)


def frozen(release: Release) -> None:
    """Let somebody freeze it."""
    held(release)
    release.gate("freeze", "--reason", "the hall is moved", code=0)


def fired(release: Release) -> None:
    """Let three cycles in a row fail."""
    release.enters_canary_1()
    for _ in range(3):
        release.cycle(after_ms=5 * MINUTE, fixture=DRIFTS, code=3)


def backlogged(release: Release) -> None:
    """Let each cycle leave cases over."""
    release.enters_canary_1()
    release.cycle("--queue-limit=3", after_ms=5 * MINUTE)


def stopped(release: Release) -> None:
    """Let the runtime stop."""
    held(release)
    release.let_pass(16 * MINUTE)


def lost(release: Release) -> None:
    """Let the state go, and the end of the log be torn."""
    held(release)
    state_dir = release.folder / STATE_DIR
    state_dir.joinpath("state.json").unlink()


def torn(release: Release) -> None:
    """Let the end of the log be torn."""
    held(release)
    with release.folder.joinpath(STATE_DIR, "runtime-events.jsonl").open("ab") as log:
        log.write(b'{"timestamp')


def rolled_back(release: Release) -> None:
    """Let somebody roll back."""
    fired(release)
    release.gate("rollback", "--reason", "cases drift", code=0)


def cancelled(release: Release) -> None:
    """Let somebody cancel it, and two cycles with a failed case follow."""
    release.gate("cancel", "--reason", "not this one", code=0)
    for _ in range(2):
        release.cycle(after_ms=5 * MINUTE, fixture=DRIFTS, code=3)


HOSTS = {
    make.__name__: make
    for make in (held, frozen, fired, backlogged, stopped, lost, torn, rolled_back, cancelled)
}
CODES = {"fired": 4, "rolled_back": 4}
"""What `evaluate` exits with, where that is not 3: a hold."""

ALARMS = {
    "held": set(),
    "frozen": {"TauRolloutHeld"},
    "fired": {"TauTransportFailing", "TauRolloutRollback"},
    "backlogged": {"TauTransportBacklog", "TauRolloutHeld"},
    "stopped": {"TauTransportStale"},
    "lost": {"TauTransportUnreadable", "TauRolloutHeld"},
    "torn": {"TauTransportDoubtful", "TauRolloutHeld"},
    "rolled_back": {"TauTransportFailing", "TauRolloutRolledBack"},
    "cancelled": {"TauTransportDegraded"},
}
"""The alerts that fire after 75 minutes in which nothing changes but the time of the answers."""


def made(name: str, folder: Path) -> Release:
    """Make a host in an empty folder."""
    release = Release(folder)
    HOSTS[name](release)
    return release


def placed(line: str, places: Mapping[str, str]) -> str:
    """Return a command line with the paths that it has here."""
    for there, here in places.items():
        line = line.replace(there, here)
    return line


def inspector(release: Release) -> dict[str, str]:
    """Return the environment that tells the inspector the time."""
    return {"TAU_TRANSPORT_HEALTH_NOW_UNIX_MS": str(release.now_unix_ms)}


def exported(release: Release, *, code: int) -> str:
    """Return what both programs of a host export, to be parsed as one."""
    transports = release.ends(
        *("tau-transport-health", "export", "--all", "--root", ".tau", "--output", "t.prom"),
        env=inspector(release),
    )
    assert transports.code == 0, transports
    release.gate("evaluate", "--format=openmetrics", "--output=r.prom", code=code)
    parts = [release.folder.joinpath(name).read_text() for name in ("t.prom", "r.prom")]
    return parts[0].removesuffix("# EOF\n") + parts[1]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Sample]]:
    """Return what each host exports."""
    return {
        name: samples_of(
            exported(made(name, tmp_path_factory.mktemp(name)), code=CODES.get(name, 3))
        )
        for name in HOSTS
    }


@pytest.fixture(scope="module")
def labels(hosts: Mapping[str, list[Sample]]) -> dict[str, dict[str, set[str]]]:
    """Return the labels of each metric that is exported, and the values that they have."""
    found: dict[str, dict[str, set[str]]] = {}
    for sample in chain.from_iterable(hosts.values()):
        of_metric = found.setdefault(sample.name, {})
        for name, value in sample.labels.items():
            of_metric.setdefault(name, set()).add(value)
    return found


# Queries name what is exported.


def asked() -> Iterator[tuple[str, str]]:
    """Yield every query, each with where it stands."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        yield from ((panel["title"], query) for query in queries(panel))
    for test in unit_tests():
        yield from ((test["name"], one["series"]) for one in test["input_series"])


def test_every_metric_and_label_that_is_asked_for_is_exported(
    labels: Mapping[str, Mapping[str, set[str]]],
) -> None:
    """A slip in a name would make an alert that never fires, and a panel that is empty."""
    for where, query in asked():
        selectors = _SELECTOR.findall(query)
        assert selectors, where
        for metric, matchers in selectors:
            assert metric in labels, f"{where}: {metric}"
            for label, operator, value in _MATCHER.findall(matchers):
                if label in OF_EVERY_HOST:
                    continue
                assert label in labels[metric], f"{where}: {metric}: {label}"
                # Of what a person or a file says, the values are as they come.
                if label in {"hold", "health_state", "verdict", "status"}:
                    wanted = value.split("|") if "~" in operator else [value]
                    assert set(wanted) <= labels[metric][label], f"{where}: {label}: {value}"
        for names in _GROUPING.findall(query):
            of_all = set[str].intersection(*(set(labels[metric]) for metric, _ in selectors))
            assert {name.strip() for name in names.split(",")} <= of_all | OF_EVERY_HOST, where


def test_every_label_that_is_shown_is_exported(
    labels: Mapping[str, Mapping[str, set[str]]],
) -> None:
    """Names in legends, columns and the words of alerts: an empty one says nothing to a person."""
    shown = [
        (rule["alert"], rule["expr"], re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        for rule in alerts()
    ]
    for panel in panels():
        columns = [
            name
            for each in panel.get("transformations", ())
            for name in each["options"]["include"]["names"]
        ]
        assert bool(columns) == (panel["type"] == "table")
        for target in panel["targets"]:
            named = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            assert named or columns, panel["title"]
            shown.append((panel["title"], target["expr"], named + columns))
    for where, query, names in shown:
        metrics = [metric for metric, _ in _SELECTOR.findall(query)]
        first = labels[metrics[0]].keys() if metrics else set()
        assert set(names) <= first | OF_EVERY_HOST, where


def test_the_readme_lists_what_is_exported(
    labels: Mapping[str, Mapping[str, set[str]]],
) -> None:
    """All metrics with all labels, and no other ones."""
    section = README.partition("\n## What is exported\n")[2]
    listed = {
        metric: set(re.findall(r"`(\w+)`", row.split("|")[2]))
        for row in re.findall(r"^\| `tau_.*$", section, re.MULTILINE)
        for metric in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    everywhere = {"transport", "target"}
    assert listed == {name: labels[name].keys() - everywhere for name in labels}


def test_the_readme_lists_the_alerts() -> None:
    """Each with its severity, in the order of the rules."""
    listed = re.findall(r"^\| `(Tau\w+)` \| (\w+) \|", README, re.MULTILINE)
    assert listed == [(rule["alert"], rule["labels"]["severity"]) for rule in alerts()]


IN_WORDS = {
    "5m": "5 minutes",
    "10m": "10 minutes",
    "15m": "15 minutes",
    "30m": "30 minutes",
    "1h": "an hour",
    "2d": "two days",
    "600": "10 minutes",
    "1800": "30 minutes",
    "3600": "an hour",
}


def test_the_readme_says_how_long_an_alert_waits() -> None:
    """The duration of each, and the ages in seconds that it looks for."""
    for rule in alerts():
        row = re.search(rf"^\| `{rule['alert']}` \|.*$", README, re.MULTILINE)
        assert row
        waits = [rule["for"]] if "for" in rule else []
        for each in waits + re.findall(r"\b\d{3,}\b", rule["expr"]):
            assert IN_WORDS[each] in row[0], rule["alert"]


def test_the_runbook_of_every_alert_is_there() -> None:
    """A person who is woken finds the page, and the heading in it."""
    for rule in alerts():
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^#+ (.+)$", REPOSITORY.joinpath(path).read_text(), re.MULTILINE)
        assert not anchor or anchor in {each.lower().replace(" ", "-") for each in headings}
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}


# Queries give what is so.


def test_what_an_alert_says_to_type_is_about_the_directory_that_it_is_of(tmp_path: Path) -> None:
    """That of the cron lines: typed in another folder it would be about nothing."""
    release = Release(tmp_path)
    held(release)
    told = [
        command
        for rule in alerts()
        for command in re.findall("`(tau-[^`]*)`", rule["annotations"]["description"])
    ]
    assert len(told) >= 9
    assert "/srv/tau/.tau --output" in README
    for command in told:
        assert "/srv/tau/.tau" in command
        words = command.replace("{{ $labels.transport }}", "custom-command").replace(
            "/srv/tau/.tau", str(tmp_path / ".tau")
        )
        if " rollback " not in command:
            ended = release.ends(*shlex.split(words))
            assert (ended.code, "custom-command" in ended.out) in {(0, True), (3, True)}, ended


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_who_may_not_read_is_never_told_that_all_is_well() -> None:
    """Each row of the page: what the three say, and with which exit code."""
    with TemporaryDirectory() as name:
        release = Release(Path(name))
        held(release)
        tau, rollout = release.folder / ".tau", release.root
        for path in (release.folder, tau, tau / "rollout", rollout, *rollout.rglob("*")):
            path.chmod(0o755)
        (tau / "custom-command").chmod(0o700)
        asked = {
            "check": (inspector_app, ["check", "custom-command", "--root", str(tau)]),
            "export": (inspector_app, ["export", "--all", "--root", str(tau)]),
            "evaluate": (gate_app, ["evaluate", "--rollout-dir", str(rollout)]),
        }

        def ended() -> list[tuple[int, str]]:
            found = [CliRunner().invoke(app, words) for app, words in asked.values()]
            return [(each.exit_code, each.stdout) for each in found]

        ended()  # in this process, so that nothing is left to be imported by who may not read it
        with as_another_user():
            checked, (code, metrics), evaluated = ended()
        assert (checked[0], code, evaluated[0]) == (3, 0, 3)
        assert re.findall(r"^tau_transport_up.* (\d)$", metrics, re.MULTILINE) == ["0"]
        assert re.search('hold="permission_denied"} 1$', metrics, re.MULTILINE)
        tau.chmod(0o700)
        with as_another_user():
            checked, *others = ended()
        assert (checked[0], others) == (3, [(5, ""), (5, "")])
        section = README.partition("## Under which user")[2].partition("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(asked)


@needs_promtool
def test_the_rules_are_valid_and_pass_their_unit_tests() -> None:
    """As the README says to do after a change."""
    for command, *paths in (("check", RULES), ("test", *RULES_TESTS)):
        done = promtool.run(command, "rules", *paths)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


def test_every_alert_has_a_unit_test_in_which_it_fires() -> None:
    """An alert without one may never fire."""
    tests = unit_tests()
    fires = {
        case["alertname"]
        for test in tests
        for case in test.get("alert_rule_test", ())
        if case["exp_alerts"]
    } | {
        found
        for test in tests
        for case in test.get("promql_expr_test", ())
        for sample in case["exp_samples"]
        for found in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert fires == {rule["alert"] for rule in alerts()}


@needs_promtool
def test_alerts_fire_for_what_the_programs_export(
    hosts: Mapping[str, list[Sample]], tmp_path: Path
) -> None:
    """On each host those that fit, and no other; the clock of all is pinned, which is told too."""
    series = [one for host, found in hosts.items() for one in promtool.series(host, found)]
    query = 'count by (instance, alertname) (ALERTS{alertstate="firing"})'
    (found,) = promtool.query(tmp_path, series, [query], minutes=75, rules=RULES).values()
    firing: dict[str, set[str]] = {host: set() for host in hosts}
    for one in found:
        firing[one.labels["instance"]].add(one.labels["alertname"])
    assert firing == {host: {*ALARMS[host], "TauTransportClockPinned"} for host in hosts}


SHOWN = {
    ("Rollout gate", "held"): 1,
    ("Rollout gate", "fired"): 0,
    ("State that can be read", "held"): 1,
    ("State that can be read", "lost"): 0,
    ("Clock that is pinned", "held"): 1,
    ("Age of these metrics", "held"): 0,
    ("Health", "held"): 0,
    ("Health", "cancelled"): 1,
    ("Health", "fired"): 2,
    ("Health", "lost"): 3,
    ("Cases left over", "held"): 0,
    ("Canary", "held"): 0.05,
    ("Canary", "cancelled"): 0,
    ("Soak", "held"): 1 / 3,
    ("Age of the answer", "held"): 0,
    ("Age of the state", "stopped"): 16 * 60,
    ("Promotion at the earliest", "held"): 1000 * 20 * 60,
}
"""What single panels show of a host."""

LISTED = {
    ("Why it holds", "torn"): [{"hold": "log_torn"}],
    ("Why it holds", "stopped"): [{"hold": "stale"}],
    ("Verdict", "held"): [{"verdict": "hold"}],
    ("Verdict", "fired"): [{"verdict": "rollback"}],
    ("Status", "rolled_back"): [{"status": "rolled_back"}],
    ("Release and phase", "held"): [{"release": "1.4.0", "phase": "canary-1"}],
    ("Gates in the way", "held"): [
        {"gate": "soak", "status": "fail"},
        {"gate": "work_advances", "status": "unknown"},
    ],
    ("Triggers that fired", "held"): [],
}
"""The labels that others list."""


@needs_promtool
def test_every_panel_shows_what_is_so(hosts: Mapping[str, list[Sample]], tmp_path: Path) -> None:
    """Every query gives something for one of the hosts, and what is known of them."""
    series = [one for host, found in hosts.items() for one in promtool.series(host, found)]
    every = list(dict.fromkeys(query for panel in panels() for query in queries(panel)))
    found = promtool.query(tmp_path, series, every, minutes=0)
    assert [query for query in every if not found[query]] == []
    seen = {
        panel["title"]: [one for query in queries(panel) for one in found[query]]
        for panel in panels()
    }
    of_host = {
        (title, host): [one for one in seen[title] if one.labels["instance"] == host]
        for title, host in (*SHOWN, *LISTED)
    }
    for where, value in SHOWN.items():
        assert [one.value for one in of_host[where]] == [pytest.approx(value)], where
    for where, wanted in LISTED.items():
        listed = of_host[where]
        assert len(listed) == len(wanted), where
        assert all(
            each.items() <= one.labels.items() for one, each in zip(listed, wanted, strict=True)
        ), where


def test_the_crontab_writes_what_anyone_may_read(tmp_path: Path) -> None:
    """Both lines as they stand, but for where things are; the collector is another user."""
    release = made("held", tmp_path)
    lines = re.findall(r"^\*\S* \* \* \* \* tau (umask .+)$", README, re.MULTILINE)
    assert len(lines) == 2
    places = {
        "/usr/local/bin": str(COMMANDS),
        "/srv/tau": str(tmp_path),
        "/var/lib/node_exporter/tau": str(tmp_path / "collected"),
    }
    for line in lines:
        ran = subprocess.run(
            ["/bin/sh", "-c", placed(line, places)],
            env=release.environment(inspector(release)),
            check=True,
            capture_output=True,
        )
        assert (ran.stdout, ran.stderr) == (b"", b"")  # a hold is written, and no mail
    written = sorted(tmp_path.glob("collected/*.prom"))
    assert [path.name for path in written] == ["rollout.prom", "transports.prom"]
    for path in written:
        assert path.stat().st_mode & 0o777 == 0o644
        assert samples_of(path.read_text())


# The dashboard, as Grafana reads it.


def test_the_dashboard_can_be_imported() -> None:
    """It brings no data source and no id of another Grafana, and no panel hides another."""
    assert DASHBOARD["id"] is None
    assert 8 <= len(DASHBOARD["uid"]) <= 40
    assert DASHBOARD["schemaVersion"] == 39
    source, *others = DASHBOARD["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == (
        *("datasource", "datasource", "prometheus"),
    )
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert [each["datasource"] for each in (*others, *panels())] == [chosen] * (
        len(others) + len(panels())
    )
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"] == chosen
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


# Nagios and Icinga.


def nagios_objects() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the objects of the Nagios configuration, each with its kind."""
    text = re.sub(r"^#.*\n", "", MONITORING.joinpath("nagios.cfg").read_text(), flags=re.MULTILINE)
    found = re.findall(r"define (\w+) \{\n(.*?)\n\}\n", text, re.DOTALL)
    assert re.sub(r"define \w+ \{\n.*?\n\}\n", "", text, flags=re.DOTALL).strip() == ""
    for kind, body in found:
        yield kind, dict(line.split(maxsplit=1) for line in body.splitlines())


def nagios_command(name: str, *arguments: str) -> str:
    """Return the command line of a check, its macros filled in as Nagios does."""
    (line,) = (
        one["command_line"]
        for kind, one in nagios_objects()
        if kind == "command" and one["command_name"] == name
    )
    for number, argument in enumerate(arguments, start=1):
        line = line.replace(f"$ARG{number}$", argument)
    assert "$" not in line
    return line


def icinga_command(name: str, **variables: str) -> str:
    """Return the command line of a CheckCommand, as Icinga 2 makes it of these variables."""
    text = MONITORING.joinpath("icinga2.conf").read_text()
    body = re.search(
        rf'^object CheckCommand "{name}" \{{\n(.*?)^\}}$', text, re.DOTALL | re.MULTILINE
    )
    assert body
    command = re.search(r"command = (\[.*?\])\n", body[1])
    assert command
    words: list[str] = json.loads(command[1])
    given = dict(re.findall(r'vars\.(\w+) = "?([\w-]+)"?\n', body[1])) | variables
    for option, value, more in re.findall(
        r'"([\w-]+)" = \{\n +value = "\$(\w+)\$"\n(.*?)\n +\}', body[1], re.DOTALL
    ):
        assert value in given or "required = true" not in more, value
        if value in given:
            words += [given[value]] if "skip_key = true" in more else [option, given[value]]
    return " ".join(words)


def checked(line: str, release: Release) -> tuple[int, str]:
    """Run a check's command line as this user; return its exit code and its line."""
    assert line.startswith(AS_THE_RUNTIMES_USER)
    line = placed(line.removeprefix(AS_THE_RUNTIMES_USER), INSTALLED)
    env = release.environment(inspector(release)) | {
        "PATH": os.pathsep.join([str(COMMANDS), os.environ["PATH"]])
    }
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=release.folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.count("|") <= 1
    return done.returncode, done.stdout.partition(" ")[0]


TRANSPORTS = {
    "held": (0, "OK"),
    "cancelled": (1, "WARNING"),
    "backlogged": (1, "WARNING"),
    "fired": (2, "CRITICAL"),
    "stopped": (2, "CRITICAL"),
    "lost": (3, "UNKNOWN"),
}
ROLLOUTS = {
    "held": (0, "OK"),
    "cancelled": (0, "OK"),
    "frozen": (1, "WARNING"),
    "rolled_back": (1, "WARNING"),
    "fired": (2, "CRITICAL"),
}
"""What the checks exit with, and the word that their line begins with."""


@pytest.mark.parametrize("name", TRANSPORTS)
def test_the_checks_of_a_transport_say_how_it_is(name: str, tmp_path: Path) -> None:
    """The command lines of Nagios and of Icinga 2 alike."""
    release = made(name, tmp_path)
    lines = (
        nagios_command("check_tau_transport", "custom-command", ".tau", "1", "100"),
        icinga_command("tau-transport", tau_root=".tau"),
    )
    for line in lines:
        assert checked(line, release) == TRANSPORTS[name]
    if name != "backlogged":  # this one sets no limit on the queue
        by_directory = nagios_command("check_tau_state", "custom-command", STATE_DIR, "15m")
        assert checked(by_directory, release) == TRANSPORTS[name]


@pytest.mark.parametrize("name", ROLLOUTS)
def test_the_checks_of_a_rollout_say_how_it_stands(name: str, tmp_path: Path) -> None:
    """The plugin, by the command lines of Nagios and of Icinga 2."""
    release = made(name, tmp_path)
    for line in rollout_lines(".tau/rollout/custom-command"):
        assert checked(line, release) == ROLLOUTS[name]


def rollout_lines(rollout_dir: str) -> tuple[str, str]:
    """Return the command lines of the check of a rollout."""
    return (
        nagios_command("check_tau_rollout", rollout_dir),
        icinga_command("tau-rollout", tau_rollout_dir=rollout_dir),
    )


def test_the_check_of_a_rollout_over_time(tmp_path: Path) -> None:
    """OK once the soak is served, a warning an hour past its time; unknown where it is gone."""
    release = made("held", tmp_path)
    line, _ = rollout_lines(".tau/rollout/custom-command")
    release.cycle(after_ms=20 * MINUTE)
    assert checked(line, release) == (0, "OK")
    release.let_pass(10 * 60 * MINUTE)  # no cycle any more: it is stale, which the next one mends
    assert checked(line, release) == (1, "WARNING")
    for other in rollout_lines("nowhere"):
        assert checked(other, release) == (3, "UNKNOWN")


def test_the_services_of_nagios_name_commands_that_are_there() -> None:
    """With as many arguments as the command takes."""
    objects = list(nagios_objects())
    commands = {
        one["command_name"]: one["command_line"] for kind, one in objects if kind == "command"
    }
    services = [one["check_command"].split("!") for kind, one in objects if kind == "service"]
    assert services
    for name, *arguments in services:
        macros = set(re.findall(r"\$ARG\d\$", commands[name]))
        assert macros == {f"$ARG{number}$" for number in range(1, len(arguments) + 1)}


def test_the_services_of_icinga_name_commands_that_are_there() -> None:
    """And set variables that those take."""
    text = MONITORING.joinpath("icinga2.conf").read_text()
    assert text.count("{") == text.count("}")
    applied = re.findall(
        r'^apply Service .*?check_command = "([\w-]+)"', text, re.DOTALL | re.MULTILINE
    )
    assert set(applied) == set(re.findall(r'object CheckCommand "([\w-]+)"', text))
    for variable in re.findall(r"^  vars\.(\w+) =", text, re.MULTILINE):
        assert f'"${variable}$"' in text


def test_the_sudoers_lines_cover_what_is_run() -> None:
    """Nothing is asked for that they do not allow, and they allow nothing that is not asked for."""
    allowed = set(re.findall(r"^nagios ALL=\(tau\) NOPASSWD: (.+) \*$", README, re.MULTILINE))
    lines = [one["command_line"] for kind, one in nagios_objects() if kind == "command"]
    lines += [icinga_command("tau-transport"), *rollout_lines("x")]
    commands = [line.removeprefix(AS_THE_RUNTIMES_USER) for line in lines]
    assert {each for each in allowed if any(line.startswith(each) for line in commands)} == allowed
    assert all(any(line.startswith(f"{each} ") for each in allowed) for line in commands)
