"""What a command did is judged by what its fixture expects, and each difference is shown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract.form_errors import read_form
from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.cycle.checks.assertions import failure, judge, pause_before_retry_ms
from tau_custom_command.cycle.checks.pattern_match import Unmatched
from tau_custom_command.cycle.execution import (
    MOST_KEPT_BYTES,
    Difference,
    Ended,
    FailureReason,
    Stream,
)
from tau_custom_command.fixture.model import Expectation, RetryUntil
from tests.custom_command.cases import retryable, success
from tests.custom_command.cycle.test_pattern_match import matches

Json = dict[str, Any]
CUT = MOST_KEPT_BYTES


def _expected(**checks: Any) -> Expectation:  # noqa: ANN401 - JSON
    return read_form(success("RUN", **checks), Expectation)


def _ended(
    stdout: bytes | str = b"",
    *,
    left_out: int = 0,
    stderr: bytes = b"",
    **how: Any,  # noqa: ANN401 - any of its fields
) -> Ended:
    kept = stdout.encode() if isinstance(stdout, str) else stdout
    return Ended(started=True, command_line="x", exit_code=0)._replace(
        stdout=Stream(kept=kept, size=len(kept) + left_out, left_out=left_out),
        stderr=Stream(kept=stderr, size=len(stderr)),
        **how,
    )


def _told(ended: Ended, **checks: Any) -> list[tuple[str, ...]]:  # noqa: ANN401 - JSON
    return [tuple(each) for each in judge(_expected(**checks), ended, matches)]


def _of_stdout(output: bytes | str, left_out: int = 0, **checks: Any) -> tuple[str, str]:  # noqa: ANN401 - JSON
    """Return what is said of the one assertion that does not hold; blanks where it does."""
    found = _told(_ended(output, left_out=left_out), stdout=checks)
    if not found:
        return ("", "")
    ((field, *texts),) = found
    assert field == f"stdout.{next(iter(checks))}"
    expected, observed = texts
    return expected, observed


HOLDS = ("", "")


def test_nothing_stated_nothing_judged() -> None:
    """An output of any kind is as good as another where nothing is expected of it."""
    assert _told(_ended(b"\xff", stderr=b"oops", exit_code=3, duration_ms=10**9)) == []


def test_all_that_differs_is_told() -> None:
    """In the order of the form; the two streams are told apart."""
    ended = _ended("a", stderr=b"b", exit_code=1, duration_ms=11)
    checks: Json = {
        "exit_code": 0,
        "stdout": {"equals": "b", "contains": "c"},
        "stderr": {"equals": "a"},
        "max_duration_ms": 10,
    }
    assert _told(ended, **checks) == [
        ("exit_code", "0", "1"),
        ("stdout.equals", "'b'", "'a' at line 1, column 1"),
        ("stdout.contains", "'c'", "'a' at line 1, column 1"),
        ("stderr.equals", "'a'", "'b' at line 1, column 1"),
        ("max_duration_ms", "at most 10", "11"),
    ]


def test_the_longest_duration_is_allowed() -> None:
    """The bound itself is no difference."""
    assert _told(_ended(duration_ms=10), max_duration_ms=10) == []


def test_a_death_by_signal_is_named() -> None:
    """Its code alone could be an exit code too."""
    ended = _ended(exit_code=137, signal=9, failure=FailureReason.NON_ZERO_EXIT)
    assert _told(ended, exit_code=0) == [("exit_code", "0", "137 (signal 9)")]
    assert _told(ended, exit_code=137) == []


class TestEquals:
    """The whole output, to the byte, but for one line break at its end."""

    @pytest.mark.parametrize(
        ("expected", "output"),
        [("a", "a"), ("a", "a\n"), ("a\n", "a"), ("a\n", "a\n"), ("", ""), ("", "\n"), ("é", "é")],
    )
    def test_one_final_line_break_is_forgiven(self, expected: str, output: str) -> None:
        """On either side: a text in a fixture may end with one, as output does."""
        assert _of_stdout(output, equals=expected) == HOLDS

    @pytest.mark.parametrize(
        ("expected", "output", "told"),
        [
            ("a", "a\n\n", ("'a'", r"'a\n\n' at line 1, column 2")),
            ("a\nb", "a\r\nb\n", (r"'a\nb'", r"'a\r\nb\n' at line 1, column 2")),
            ("a", "a\r", ("'a'", r"'a\r' at line 1, column 2")),
            ("a", "a ", ("'a'", "'a ' at line 1, column 2")),
            ("a", "", ("'a'", "'' at line 1, column 1")),
            ("", "a", ("''", "'a' at line 1, column 1")),
            ("a", "\x1b[31ma", ("'a'", r"'\x1b[31ma' at line 1, column 1")),
            (
                "1\n2\nthree",
                "1\n2\nthere",
                (r"'1\n2\nthree'", r"'1\n2\nthere' at line 3, column 3"),
            ),
            ("a\u0301", "\u00e1", ("'a\u0301'", "'\u00e1' at line 1, column 1")),
        ],
    )
    def test_the_first_difference_is_shown(
        self, expected: str, output: str, told: tuple[str, str]
    ) -> None:
        """In its context, with escapes for what cannot be seen."""
        assert _of_stdout(output, equals=expected) == told

    def test_of_a_long_text_the_context_is_shown(self) -> None:
        """What stands before and behind is left out."""
        expected, observed = "a" * 300 + "b" + "c" * 300, "a" * 300 + "d" + "c" * 300
        assert _of_stdout(observed, equals=expected) == (
            f"…'{'a' * 24}b{'c' * 23}'…",
            f"…'{'a' * 24}d{'c' * 23}'… at line 1, column 301",
        )

    def test_bytes_that_are_no_text_never_equal_what_stands_for_them(self) -> None:
        """They are shown by the sign that stands for them, and it is said so."""
        told = ("'a\ufffd'", "'a\ufffd' at line 1, column 3 (not all of it is UTF-8)")
        assert _of_stdout(b"a\xff", equals="a\ufffd") == told

    def test_what_was_cut_is_not_known(self) -> None:
        """Where the kept part agrees, the rest may or may not; where it does not, that is told."""
        half = "é" * (CUT // 2)
        expected, observed = _of_stdout(half, 1, equals=half + "b")
        assert expected == "'" + "é" * 99 + "…"
        assert observed.startswith("output_truncated: what follows the first MiB is not known")
        expected, observed = _of_stdout("a" * CUT, 1, equals="ab")
        assert (expected, observed) == ("'ab'", f"'a{'a' * 24}'… at line 1, column 2")


class TestContains:
    """A text that stands somewhere in the output."""

    @pytest.mark.parametrize("text", ["b", "a\nb", "é", "c\n"])
    def test_anywhere(self, text: str) -> None:
        """Also over line breaks."""
        assert _of_stdout("a\nb é\nc\n", contains=text) == HOLDS

    def test_the_nearest_is_shown(self) -> None:
        """Where the longest beginning of the text stands."""
        output = "status: down\nstatus: starting\nsta"
        told = ("'status: started'", r"…'atus: down\nstatus: starting\nsta' at line 2, column 14")
        assert _of_stdout(output, contains="status: started") == told

    def test_where_nothing_is_near(self) -> None:
        """The beginning of the output is shown."""
        assert _of_stdout("abc", contains="xyz") == ("'xyz'", "'abc' at line 1, column 1")
        assert _of_stdout("", contains="xyz") == ("'xyz'", "'' at line 1, column 1")

    def test_what_was_cut_is_not_known(self) -> None:
        """It counts where it stands in the kept part."""
        assert _of_stdout("a" * CUT, 1, contains="aa") == HOLDS
        expected, observed = _of_stdout("a" * CUT, 1, contains="ab")
        assert expected == "'ab'"
        assert observed.startswith("output_truncated: ")


class TestMatches:
    """A regular expression that is found somewhere in the output."""

    def test_anywhere(self) -> None:
        """As `re.search` finds it."""
        assert _of_stdout("x\nversion 1.4\n", matches=r"(?m)^version [0-9.]+$") == HOLDS

    def test_the_beginning_is_shown(self) -> None:
        """There is no first difference from a pattern."""
        told = (r"^\d", r"'abc\n'")
        assert _of_stdout("abc\n", matches=r"^\d") == told
        told = ("b", "'a\ufffd' (not all of it is UTF-8)")
        assert _of_stdout(b"a\xff", matches="b") == told

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (Unmatched.TIMED_OUT, "match_timeout: "),
            (Unmatched.FAILED, "match_failed: "),
            (Unmatched.TRUNCATED, "output_truncated: "),
        ],
    )
    def test_what_could_not_be_decided_is_named(self, answer: Unmatched, code: str) -> None:
        """It does not hold, and says why by a word that programs can look for."""
        expected = _expected(stdout={"matches": "a"})
        (difference,) = judge(expected, _ended("a"), lambda *_: answer)
        assert difference.field == "stdout.matches"
        assert difference.observed.startswith(code)

    def test_a_pattern_may_be_undecided_in_what_was_kept(self) -> None:
        """The end of the output is not there to be matched."""
        _, observed = _of_stdout("a" * CUT, 1, matches="a$")
        assert observed.startswith("output_truncated: ")


class TestJson:
    """The output parsed as JSON."""

    @pytest.mark.parametrize(
        ("output", "checks"),
        [
            ('{"a": 5.0, "b": [1]}\n', {"json": {"b": [1], "a": 5}}),
            ('{"a": 5.0, "b": [1]}', {"json_contains": {"a": 5}}),
            ("null", {"json": None}),
            (" [ ] ", {"json": []}),
            ('"\\u00e9"', {"json": "é"}),
        ],
    )
    def test_that_holds(self, output: str, checks: Json) -> None:
        """By value, whatever the blanks, the order of keys and the escapes are."""
        assert _of_stdout(output, **checks) == HOLDS

    @pytest.mark.parametrize(
        ("output", "checks", "told"),
        [
            ('{"a": [1, 2]}', {"json": {"a": [1, 3]}}, ("3 at /a/1", "2 at /a/1")),
            ('{"a": 1}', {"json": {}}, ("nothing at /a", "1 at /a")),
            ('{"b": 1}', {"json_contains": {"a": None}}, ("null at /a", "nothing at /a")),
            (
                '[{"b": 1}, 2]',
                {"json_contains": [2]},
                ("2 at /0", '{"b": 1} at /0 (arrays are compared whole and in order)'),
            ),
            ("[1, 2]", {"json": [1]}, ("nothing at /1", "2 at /1")),
            ("true", {"json": 1}, ("1", "true")),
            ('"a\\nb"', {"json": "ab"}, ('"ab"', '"a\\nb"')),
        ],
    )
    def test_the_first_difference_is_shown(
        self, output: str, checks: Json, told: tuple[str, str]
    ) -> None:
        """With its place, as a JSON Pointer."""
        assert _of_stdout(output, **checks) == told

    @pytest.mark.parametrize(
        "output",
        ["", "{", '{"a": 1, "a": 1}', "NaN", "1 2", "\ufeff1", "1e999", "[" * 200_000, '"\\ud800"'],
    )
    def test_what_is_no_json(self, output: str) -> None:
        """Nothing is guessed: what two readers might read differently is no JSON."""
        checks: list[Json] = [{"json": {"a": 1}}, {"json_contains": {"a": 1}}]
        for check in checks:
            expected, observed = _of_stdout(output, **check)
            assert expected == '{"a": 1}'
            assert observed.startswith("no JSON: ")

    def test_bytes_that_are_not_utf8_are_no_json(self) -> None:
        """So is the output shown as text with what stands for them."""
        told = (
            '"a"',
            "no JSON: line 1: not UTF-8 text (byte 1): '\"\ufffd\"' (not all of it is UTF-8)",
        )
        assert _of_stdout(b'"\xff"', json="a") == told

    def test_what_was_cut_is_no_json(self) -> None:
        """Even where the kept part is a value by itself."""
        expected, observed = _of_stdout("1" + " " * (CUT - 1), 1, json=1)
        assert expected == "1"
        assert observed.startswith("output_truncated: ")

    def test_a_long_value_is_cut(self) -> None:
        """What is shown stays on a line."""
        expected, observed = _of_stdout(json.dumps("a" * 1000), json="b" * 1000)
        assert expected == '"' + "b" * 99 + "…"
        assert observed == '"' + "a" * 99 + "…"


class TestWhatIsJudged:
    """A process that ended by itself, and one that was to end by its time limit."""

    CHECKS: Json = {"stdout": {"equals": "x"}}  # noqa: RUF012 - never changed

    @pytest.mark.parametrize("reason", [None, FailureReason.NON_ZERO_EXIT])
    def test_what_ended_by_itself(self, reason: FailureReason | None) -> None:
        """Whatever its exit code."""
        assert _told(_ended(failure=reason), **self.CHECKS)

    @pytest.mark.parametrize(
        "reason", [reason for reason in FailureReason if reason is not FailureReason.NON_ZERO_EXIT]
    )
    def test_what_did_not(self, reason: FailureReason) -> None:
        """A process that never started wrote nothing; one that was ended did not finish."""
        started = reason in {FailureReason.TIMEOUT, FailureReason.INTERRUPTED}
        assert _told(_ended(started=started, failure=reason), **self.CHECKS) == []

    def test_a_time_limit_that_is_expected(self) -> None:
        """Then what the command wrote until then can be judged, and nothing else is."""
        expected = read_form(retryable(**self.CHECKS), Expectation)
        late = _ended("y", failure=FailureReason.TIMEOUT, exit_code=143)
        assert judge(expected, late, matches) == (
            Difference("stdout.equals", "'x'", "'y' at line 1, column 1"),
        )
        lost = late._replace(failure=FailureReason.INTERRUPTED)
        assert judge(expected, lost, matches) == ()


def test_an_exit_code_that_is_expected_is_no_failure() -> None:
    """Any other failure, and any other code, is one."""
    non_zero = FailureReason.NON_ZERO_EXIT
    assert failure(_expected(exit_code=3), _ended(exit_code=3, failure=non_zero)) is None
    assert failure(_expected(exit_code=3), _ended(exit_code=1, failure=non_zero)) is non_zero
    assert failure(_expected(), _ended(exit_code=3, failure=non_zero)) is non_zero
    late = _ended(exit_code=143, failure=FailureReason.TIMEOUT)
    assert failure(_expected(exit_code=143), late) is FailureReason.TIMEOUT
    assert failure(_expected(exit_code=3), _ended(exit_code=0)) is None


@pytest.mark.parametrize(
    ("attempts", "outcome", "as_expected", "pause"),
    [
        (1, Outcome.RETRYABLE_FAILURE, False, 250),
        (1, Outcome.SUCCESS, False, 250),
        (2, Outcome.SUCCESS, False, 250),
        (3, Outcome.SUCCESS, False, None),
        (1, Outcome.SUCCESS, True, None),
        (1, Outcome.RETRYABLE_FAILURE, True, None),
        (1, Outcome.MALFORMED_INPUT, False, None),
    ],
)
def test_a_run_is_tried_until_it_comes_out(
    attempts: int,
    outcome: Outcome,
    as_expected: bool,  # noqa: FBT001 - a table
    pause: int | None,
) -> None:
    """As often as the case says; what is malformed stays so, and what is as expected ends it."""
    found = pause_before_retry_ms(
        RetryUntil(attempts=3, every_ms=250),
        attempts=attempts,
        outcome=outcome,
        as_expected=as_expected,
    )
    assert found == pause


OUTPUTS = st.text("ab\n\r\x1b\u202eé", max_size=80)


@given(OUTPUTS, OUTPUTS)
def test_texts_are_equal_or_both_are_shown(expected: str, output: str) -> None:
    """What differs is told on one line, with nothing in it that acts on a terminal."""
    same = expected.removesuffix("\n") == output.removesuffix("\n")
    told = _of_stdout(output, equals=expected)
    assert (told == HOLDS) is same
    assert "".join(told).isprintable()
    if not same and len(expected) < 24 > len(output):
        assert told[0] == repr(expected)
        assert told[1].startswith(repr(output) + " at line ")


@given(st.binary(max_size=40), OUTPUTS)
def test_any_bytes_are_judged(output: bytes, text: str) -> None:
    """No output is too strange to be told from another."""
    checks: Json = {"equals": text, "contains": text + "x", "matches": "x\\Z"}
    ended = _ended(output)
    for difference in judge(_expected(stdout=checks, stderr={"json": text}), ended, matches):
        assert all(part.isprintable() for part in difference)
