"""`report` of a fleet as people call it: one look, each host on the page, also once it is over."""

import re
from pathlib import Path

from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.fleet.partial import partial_of, read_partial
from tau_rollout_gate.fleet.plan import Host, HostRow, Part
from tau_rollout_gate.fleet.tally import counted_rows
from tau_rollout_gate.policy.fleet import FleetRules
from tau_rollout_gate.services.evaluate import Question
from tau_rollout_gate.services.report import look
from tests.rollout_gate.fleet.fleets import plan_of
from tests.rollout_gate.fleet.made import MadeFleet, hosts
from tests.rollout_gate.formats.drawn import row_of
from tests.rollout_gate.recording import ROLLOUT_DIR


def states(page: str) -> list[str]:
    """Return the states of the cells of a page, one for each run of a group."""
    return re.findall(r'<span class="\w+ (\w+)"><i', page)


def test_each_host_is_on_the_page_until_the_rollout_is_over_and_then(tmp_path: Path) -> None:
    """It exits as `evaluate` does; after the rollback the cells are as they were recorded."""
    fleet = MadeFleet(tmp_path, hosts(40), rules=FleetRules(tolerate=1))
    fleet.begin()
    one, two = fleet.cohort()
    fleet.step(bad=(one,))
    done = fleet("report", "--output", "-")
    assert done.code == 3
    assert done.out.count("<i title=") == 40
    assert states(done.out) == ["failed", "soaking", "clean"]
    assert "one more rolls back" in done.out
    assert re.search(rf'<i title="{one}: [^"]*[a-z]', done.out)
    fleet.step(bad=(one, two))
    fleet.advance(code=4)
    assert fleet("rollback", "--reason", "two failed", "--by", "ada").code == 0
    done = fleet("report", "--output", "-")
    assert done.code == 4
    assert done.out.count("<i title=") == 40
    assert states(done.out)[0] == "failed"
    assert "Every host, as it was recorded last" in done.out


def test_who_only_watches_asks_for_no_host(tmp_path: Path) -> None:
    """The live view of a fleet needs its counts alone."""
    fleet = MadeFleet(tmp_path, hosts(3))
    fleet.begin()
    question = Question(rollout_dir=tmp_path / ROLLOUT_DIR, now_unix_ms=fleet.now)
    sight = look(question, default_rollout_dir=tmp_path)
    assert (sight.hosts, sight.restarts) == ((), {})
    assert sight.answer.fleet is not None


def test_rows_say_what_the_counts_say() -> None:
    """A canary that tells no release, where another does, is without it in both; else as it is."""
    told = row_of("a", "z", HostState.CLEAN)
    quiet = {"told": (), "untold": ("custom-command",)}
    rows = [
        told,
        row_of("b", "z", HostState.CLEAN, **quiet),
        row_of("c", "z", HostState.SILENT, **quiet),
        row_of("d", "z", HostState.CLEAN, part=Part.CONTROL, arm=None, **quiet),
    ]

    def counted(rows: list[HostRow]) -> list[HostState]:
        own = [Host(row.host, row.group) for row in rows]
        plan = plan_of(own)
        partial = read_partial(plan, own, 0, partial_of(plan, 0, rows))
        found = counted_rows(plan, partial, rows)
        assert all(row.counts_as_unclean for row in found if row.state is HostState.NOT_UPGRADED)
        return [row.state for row in found]

    clean, silent = HostState.CLEAN, HostState.SILENT
    assert counted(rows) == [clean, HostState.NOT_UPGRADED, silent, clean]
    assert counted(rows[1:]) == [clean, silent, clean]
    unread = [*rows[1:3], rows[3]._replace(part=Part.CANARY, untold=(), is_unread=True)]
    assert counted(unread) == [HostState.NOT_UPGRADED, silent, clean]
