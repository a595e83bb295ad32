"""A log adds up: its lines and its codes, in bounded memory."""

from tau_transport_health.log.codes import MOST_UNKNOWN_CODES, OTHER_CODES, warnings_of
from tau_transport_health.log.counts import count_events
from tau_transport_health.log.decode import PROBLEMS_KEPT
from tests.transport_health.state_files import chain, event, line_of, minimal_event


def test_a_log_adds_up() -> None:
    """Valid and invalid lines are counted, codes once a line, the first problems kept by number."""
    codes = ["healthy_cycle", "healthy_cycle", "unheard_of"]
    lines = [
        *chain(2),
        b"broken\n",
        line_of(event(number=4, previous=b"", reason_codes=codes)),
        line_of(minimal_event()),
    ]
    assert count_events([b"".join(lines)], chained=True) == count_events(lines, chained=True)
    counts = count_events(lines[-1:] + lines[:-1], chained=True)
    assert [each.line for each in counts.invalid.first] == [1, 4]
    counts = count_events(lines, chained=True)
    assert (counts.valid, counts.invalid.total) == (3, 2)
    assert counts.last_reason_codes == tuple(codes)
    assert counts.reason_code_counts == {
        "command_registry_mutated": 2,
        "command_runs_recorded": 2,
        "healthy_cycle": 1,
        "unheard_of": 1,
    }
    assert [each.line for each in counts.invalid.first] == [3, 5]
    assert count_events(lines, chained=False).valid == 4


def test_an_empty_log_adds_up_to_nothing() -> None:
    """No line, no count, no code."""
    counts = count_events([], chained=True)
    assert (counts.valid, counts.invalid.total, counts.last_reason_codes) == (0, 0, ())


def test_few_problems_are_kept_of_many() -> None:
    """Memory does not grow with a log of nothing but broken lines; the count is right."""
    for blocks in ([b"{\n"] * 1000, [b"{\n" * 1000]):
        counts = count_events(blocks, chained=False)
        assert (counts.valid, counts.invalid.total) == (0, 1000)
        assert [each.line for each in counts.invalid.first] == list(range(1, PROBLEMS_KEPT + 1))


def test_endless_codes_take_no_endless_memory() -> None:
    """Of a log whose every line names a new code all lines count, and some codes are told."""
    template = line_of(event(reason_codes=["healthy_cycle", "code-X"]))
    lines = (template.replace(b"code-X", b"code-%d" % number) for number in range(10_050))
    counts = count_events(lines, chained=True)
    assert (counts.valid, counts.invalid.total) == (10_050, 0)
    assert counts.reason_code_counts["healthy_cycle"] == 10_050
    assert len(counts.reason_code_counts) == 1 + MOST_UNKNOWN_CODES + 1
    assert counts.reason_code_counts[OTHER_CODES] == 10_050 - MOST_UNKNOWN_CODES


def test_only_codes_that_are_not_known_are_warned_of() -> None:
    """By name, sorted; those that share a name are warned of without it."""
    counts = {"b": 1, "healthy_cycle": 1, "a": 1, OTHER_CODES: 1}
    others, *named = warnings_of(counts.keys())
    assert others == "there are more codes that are not known than are counted by name"
    assert named == ["the reason code 'a' is not known", "the reason code 'b' is not known"]
