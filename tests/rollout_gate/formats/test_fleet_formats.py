"""How a fleet is shown, whatever there is of it; nothing grows with the number of its hosts."""

import re

import pytest

from tau_rollout_gate.cli.progress import progress_bar
from tau_rollout_gate.decision.answer import Answer, Soak, Verdict
from tau_rollout_gate.decision.fleet import (
    Cohort,
    FleetStanding,
    GroupStanding,
    HostState,
    ReasonCount,
    StateCount,
    WorstHost,
)
from tau_rollout_gate.formats import explain, github, markdown, openmetrics, phrases
from tau_rollout_gate.formats.fleet import standing
from tau_rollout_gate.formats.fleet.hosts import HOST_FORMATS
from tests.rollout_gate.answers import around
from tests.rollout_gate.making import MINUTE, SHA
from tests.rollout_gate.recording import answer

WORST = tuple(
    WorstHost(
        host=f"web-{number:05d}",
        group="zone-1",
        state=HostState.DAMAGED,
        reason="chain_whole",
        why="w" * 300,
        file="s3://fleet/edge/e.jsonl" if number else None,
        line=number or None,
        age_ms=MINUTE if number else None,
    )
    for number in range(20)
)


def large(groups: int = 200) -> Answer:
    """Return the answer for ten thousand hosts, of which a good many are not clean."""
    fleet = FleetStanding(
        name="edge",
        roster_sha256=SHA,
        hosts=10_000,
        cohort=Cohort(
            hosts=500, percent=5, not_clean=40, tolerated=10, joined=2, left=1, excused=3
        ),
        canaries=(StateCount(HostState.DAMAGED, 40), StateCount(HostState.CLEAN, 460)),
        control=(StateCount(HostState.CLEAN, 9_500),),
        contaminated=1,
        groups=tuple(
            GroupStanding(
                name=f"group-{number}",
                hosts=50,
                cohort=3,
                cutoff=SHA,
                failed=0,
                not_clean=number % 3,
                tolerated=1,
            )
            for number in range(groups)
        ),
        more_groups=5,
        reasons=tuple(ReasonCount(f"reason_{number}", 9 - number) for number in range(7)),
        worst=WORST,
        more=20,
        comparison=None,
        root_sha256=SHA,
    )
    return answer(Verdict.HOLD)._replace(fleet=fleet)


def test_what_is_shown_of_a_large_fleet() -> None:
    """The verdict first; twenty hosts, ten groups, five reasons, and how many more there are."""
    text = explain.render(large(), around())
    assert text.startswith("HOLD")
    assert "Not clean: 40, and 10 may be: 30 too many to go on." in text
    assert "Of the cohort since its entry: 2 joined, 1 left, 3 count no more." in text
    assert "And 20 more: 'hosts' lists them." in text
    assert "2 more reasons" in text
    assert len(re.findall(r"group-\d+: ", text)) == 10
    assert text.count("2 of 3 not clean, 0 of them failed; 1 tolerated") == 10
    one = explain.render(large(groups=1), around())
    assert "GROUPS THAT STAND OUT" not in one


def test_a_soak_that_not_every_canary_serves_says_by_how_many_it_is() -> None:
    """It is that of those which are clean or soaking; of the others there is none."""
    one = large()._replace(soak=Soak(MINUTE, MINUTE, 1, None))
    assert "1 min of 1 min served by 460 of 500 canaries, since " in phrases.soak_words(one)
    assert one.fleet is not None
    clean = one.fleet._replace(canaries=(StateCount(HostState.CLEAN, 1),))
    assert " by " not in phrases.soak_words(one._replace(fleet=clean))
    alone = one.fleet._replace(canaries=(StateCount(HostState.NOT_UPGRADED, 1),))
    assert "by 0 of 1 canary" in phrases.soak_words(one._replace(fleet=alone))


def test_before_the_first_draw_nobody_has_the_release() -> None:
    """And of one there is one, not several."""
    fleet = large().fleet
    assert fleet is not None
    early = fleet._replace(hosts=1, cohort=fleet.cohort._replace(percent=0, hosts=1))
    first, *_ = standing.sentences(large()._replace(fleet=early))
    assert first == "edge: 1 host; none has the release yet, and 1 would be the first to get it."
    few = fleet._replace(control=(StateCount(HostState.CLEAN, 1),))
    first, *_ = standing.sentences(large()._replace(fleet=few))
    assert first.endswith("the cohort of 5 % has 500, and 1 is without the release.")


def test_a_summary_is_below_900_kb() -> None:
    """However large the fleet is, with the verdict in its first line."""
    shown = markdown.render(large())
    assert shown.startswith("## HOLD")
    assert "And 20 more that are not clean." in shown
    assert len(shown) < 30_000
    assert github.render(large()).startswith("::error title=rollout gate%3A hold::")


def test_metrics_name_no_host() -> None:
    """By state and by group alone."""
    shown = openmetrics.render(large())
    assert "web-" not in shown
    assert 'tau_rollout_fleet_hosts{arm="canary",state="damaged"} 40\n' in shown
    assert "tau_rollout_fleet_tolerated_hosts 10\n" in shown


def test_an_answer_for_one_host_says_nothing_of_a_fleet() -> None:
    """Nor is there a line of it in any form."""
    one = answer(Verdict.HOLD)
    assert list(standing.sentences(one)) == []
    assert "fleet" not in markdown.render(one) + openmetrics.render(one)


@pytest.mark.parametrize("name", HOST_FORMATS)
def test_hosts_without_a_place_to_look_at(name: str) -> None:
    """They are listed all the same."""
    shown = HOST_FORMATS[name]([(WORST[0], "canary"), (WORST[1], "canary")], 2)
    assert "web-00000" in shown
    fileless = WORST[1]._replace(line=None)
    assert "e.jsonl" in HOST_FORMATS[name]([(fileless, "canary")], 1)


def test_a_bar_is_drawn_where_it_takes_longer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal, after a second; and wiped away at the end."""
    assert progress_bar() is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    bar = progress_bar()
    assert bar is not None
    bar(1, 4)
    assert capsys.readouterr().err == ""
    now = 2.0
    bar(4, 4)
    assert capsys.readouterr().err == ""
    bar(2, 4)
    assert capsys.readouterr().err == "\r[###############...............] 2 of 4 chunks of hosts"
    bar(4, 4)
    assert capsys.readouterr().err == "\r\x1b[K"
