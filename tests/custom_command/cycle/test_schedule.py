"""What runs side by side, and what waits (custom-command-ops.md, "Parallel runs")."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.cycle.schedule import Schedule
from tau_custom_command.fixture.model import Case


def queue(*named: str) -> tuple[Case, ...]:
    """Return RUNs of these commands; `*` is a LIST."""
    return tuple(
        Case(
            case_id=f"{number:03}",
            operation="LIST" if name == "*" else "RUN",
            command_name="" if name == "*" else name,
        )
        for number, name in enumerate(named)
    )


def ready(schedule: Schedule) -> list[int]:
    """Take all that may start now."""
    taken = []
    while (place := schedule.next()) is not None:
        taken.append(place)
    return taken


def test_commands_run_side_by_side_and_each_in_order() -> None:
    """The second case of a command starts once its first is done."""
    schedule = Schedule(queue("a", "b", "a", "b"), {})
    assert ready(schedule) == [0, 1]
    schedule.done(1)
    assert ready(schedule) == [3]
    schedule.done(0)
    assert ready(schedule) == [2]


def test_a_list_waits_for_all_before_it_and_all_after_it_wait() -> None:
    """So what it lists does not depend on how many run at once."""
    schedule = Schedule(queue("a", "b", "*", "c", "*"), {})
    assert ready(schedule) == [0, 1]
    schedule.done(0)
    assert ready(schedule) == []
    schedule.done(1)
    assert ready(schedule) == [2]
    schedule.done(2)
    assert ready(schedule) == [3]
    schedule.done(3)
    assert ready(schedule) == [4]


def test_a_consumer_waits_for_its_producers() -> None:
    """Of another command, too; and for each of them once, however often they are named."""
    schedule = Schedule(queue("a", "b", "c"), {2: (0, 1, 1)})
    assert ready(schedule) == [0, 1]
    schedule.done(1)
    assert ready(schedule) == []
    schedule.done(0)
    assert ready(schedule) == [2]


@given(st.lists(st.sampled_from("ab*c"), max_size=12), st.data())
def test_every_case_runs_once_and_in_its_order(names: Sequence[str], data: st.DataObject) -> None:
    """Whatever ends first, all come to run, and none before what it has to wait for."""
    cases = queue(*names)
    schedule = Schedule(cases, {})
    running = ready(schedule)
    begun, ended = [*running], list[int]()
    while running:
        place = data.draw(st.sampled_from(running))
        running.remove(place)
        ended.append(place)
        schedule.done(place)
        for new in ready(schedule):
            before = (
                earlier
                for earlier, name in enumerate(names[:new])
                if "*" in {name, names[new]} or name == names[new]
            )
            assert set(before) <= set(ended)
            running.append(new)
            begun.append(new)
    assert sorted(begun) == list(range(len(cases)))
