"""Forms: what is read is what was written, and what is wrong is told with its place."""

import json
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, ValidationError, field

from tau_rollout_gate.contract.forms import (
    LARGEST_INTEGER,
    Count,
    Form,
    Milliseconds,
    MisfitError,
    MistakenFormError,
    Name,
    Read,
    Sha256,
    Version,
    read_form,
)
from tau_rollout_gate.errors import FormRefusedError


class Colour(StrEnum):
    """Words."""

    RED = "red"
    GREEN = "green"


class Square(Form, frozen=True, kw_only=True, tag_field="kind", tag="square"):
    """One of two forms that a key tells apart."""

    side: Count


class Circle(Form, frozen=True, kw_only=True, tag_field="kind", tag="circle"):
    """The other."""

    radius: Count = 0


class Sheet(Form, frozen=True, kw_only=True):
    """A form with every type that a field of ours has."""

    schema_version: Version = 1
    name: Name
    colour: Colour = Colour.RED
    mode: Literal["record", "execute"] | None = None
    digest: Sha256 | None = None
    shapes: Annotated[tuple[Square | Circle, ...], Meta(max_length=3)] = ()
    counts: dict[Name, Count] = field(name="", default_factory=dict)
    notes: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=9)], ...], Meta()] = ()
    is_flat: bool = True
    equals: Count | str = 0
    soak: Milliseconds = Milliseconds(0)
    first: Circle | None = None
    anything: Any = None

    def __post_init__(self) -> None:
        """Refuse what no type tells."""
        if self.name == "whole":
            raise ValueError("is no name")
        if self.name == "part":
            raise MisfitError("is no name either", "shapes", 0)


KNOWN = sorted(filter(None, Sheet.__struct_encode_fields__))
RIGHT = {"name": "a", "shapes": [{"kind": "square", "side": 1}, {"kind": "circle"}], "soak": "30m"}


def mistakes(value: object) -> list[str]:
    """Return what is wrong with a sheet."""
    try:
        read_form(value, Sheet)
    except MistakenFormError as error:
        return error.sentences
    return []


def test_a_form_is_read() -> None:
    """Arrays make tuples, words their enum, a duration its milliseconds; nothing else changes."""
    read = read_form(RIGHT | {"colour": "green", "first": None, "equals": "x"}, Sheet)
    assert read.shapes == (Square(side=1), Circle())
    assert (read.colour, read.soak, read.equals) == (Colour.GREEN, 30 * 60 * 1000, "x")
    assert read.as_json()["soak"] == "30m"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "b c"}, "name: must match [A-Za-z0-9][A-Za-z0-9_.-]{0,63} (found 'b c')"),
        ({"name": "b\n"}, "name: must match [A-Za-z0-9][A-Za-z0-9_.-]{0,63} (found 'b\\n')"),
        ({"name": 1.5, "mode": None}, "name: must be text (found 1.5)"),
        ({"name": None}, "name: must be text (found null)"),
        ({"name": [1]}, "name: must be text (found an array)"),
        ({"schema_version": True}, "schema_version: must be an integer (found true)"),
        ({"schema_version": 2}, "schema_version: must be 1 (found 2)"),
        ({"schema_version": 1.0}, "schema_version: must be an integer (found 1.0)"),
        ({"colour": "grean"}, "colour: found 'grean'; did you mean 'green'?; must be red or green"),
        ({"colour": 7}, "colour: found 7; must be red or green"),
        ({"mode": {}}, "mode: found an object; must be execute or record"),
        ({"digest": "AB" * 32}, f"digest: must match [0-9a-f]{{64}} (found '{'AB' * 29}A…)"),
        ({"is_flat": 1}, "is_flat: must be true or false (found 1)"),
        ({"notes": [""]}, "notes[0]: must have at least 1 characters (found '')"),
        (
            {"notes": ["a", "b" * 10]},
            "notes[1]: must have at most 9 characters (found",
        ),
        ({"notes": "a"}, "notes: must be an array (found 'a')"),
        (
            {"counts": {}},
            "counts: is not a known key; known are anything, col",
        ),
        ({"": {"a": -1}}, "a: must be at least 0 (found -1)"),
        ({"": {"a b": 1}}, "a b: must match [A-Za-z0-9][A-Za-z0-9_.-]{0,63} (found 'a b')"),
        ({"": []}, "the whole: must be an object (found an array)"),
        ({"": {"a": 2**63}}, f"a: must be at most {LARGEST_INTEGER} (found {2**63})"),
        ({"shapes": [{}] * 4}, "shapes: must have at most 3 items (found 4)"),
        ({"shapes": [{"side": 1}]}, "shapes[0].kind: is missing; it is square or circle"),
        ({"shapes": [{"kind": "rect"}]}, "shapes[0].kind: found 'rect'; must be square or circle"),
        ({"shapes": [{"kind": 1}]}, "shapes[0].kind: found 1; must be square or circle"),
        ({"shapes": [{"kind": "square"}]}, "shapes[0].side: is missing; add it"),
        ({"shapes": [1]}, "shapes[0]: must be an object (found 1)"),
        ({"equals": -1}, "equals: must be at least 0 (found -1)"),
        ({"equals": True}, "equals: must be an integer or text (found true)"),
        ({"soak": 5}, 'soak: must be a duration in quotes, such as "30m"'),
        ({"soak": "5 m"}, "soak: '5 m' is not a duration: write 90s, 30m, 24h or 2d"),
        ({"first": {"radius": "1"}}, "first.radius: must be an integer (found '1')"),
        ({"naem": 1}, "naem: is not a known key; did you mean 'name'?"),
        ({"x\ny": 1}, "x\\ny: is not a known key; known are"),
        ({"name": "whole"}, "the whole: is no name"),
        ({"name": "part"}, "shapes[0]: is no name either"),
        ({"anything": [{}], "mode": 3}, "mode: found 3; must be execute or record"),
    ],
)
def test_a_mistake_is_told_with_its_place(changes: dict[str, Any], told: str) -> None:
    """One sentence: where, what was expected, and what was found."""
    (found,) = mistakes(RIGHT | changes)[:1]
    assert found.startswith(told)


def test_every_mistake_is_told() -> None:
    """In the order of the form; what a form says of its fields together waits for sound ones."""
    assert mistakes(
        {"name": "whole", "colour": "blue", "zebra": 1, "shapes": [{"kind": "square"}]}
    ) == [
        "colour: found 'blue'; must be red or green",
        "shapes[0].side: is missing; add it",
        f"zebra: is not a known key; known are {', '.join(KNOWN)}",
    ]
    assert mistakes([]) == ["the whole: must be an object (found an array)"]


class Foreign(Read, frozen=True, kw_only=True):
    """A part of another program's file."""

    cycle_number: Count


def test_what_others_write_may_have_more_keys() -> None:
    """The first mistake is told, and none of a key that is not known."""
    assert Foreign.of({"cycle_number": 4, "more": []}).cycle_number == 4
    with pytest.raises(FormRefusedError, match=r"^cycle_number: is missing; add it$"):
        Foreign.of({"more": []})


def test_a_mistake_that_is_not_found_again_is_told_as_the_library_says_it() -> None:
    """What refuses is the library: its word counts, whatever the search for the place finds."""
    from tau_rollout_gate.contract.form_errors import mistakes_in  # noqa: PLC0415 - as it is used

    assert mistakes_in({"cycle_number": 1}, Foreign, ValidationError("odd")) == (((), "odd"),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*Sheet.__struct_encode_fields__, "x"]), JSON, max_size=4))
def test_whatever_is_refused_has_a_mistake_in_a_field(changes: dict[str, Any]) -> None:
    """And what is read is written and read again."""
    told = mistakes(RIGHT | changes)
    if told:
        assert not any("Expected" in one for one in told)
    else:
        read = read_form(RIGHT | changes, Sheet)
        assert read_form(json.loads(json.dumps(read.as_json())), Sheet) == read


def test_what_is_written_is_held_to_its_form() -> None:
    """A value that could not be read again ends in an error before it is written."""
    assert Circle(radius=3).checked() == Circle(radius=3)
    with pytest.raises(ValidationError):
        Circle(radius=-1).checked()
