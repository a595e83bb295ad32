"""What is wrong with JSON is told where it is: a line of a file, a column of a line."""

import pytest

from tau_transport_health.contract.fields import json_of
from tau_transport_health.errors import FormRefusedError


@pytest.mark.parametrize(
    ("raw", "place"),
    [(b'{"a": 1,}', "column 9: "), (b'{\n"a": 1,\n}', "line 3, column 1: ")],
    ids=["a line", "a file"],
)
def test_a_mistake_is_told_where_it_is(raw: bytes, place: str) -> None:
    """Which line it is of a log, its reader tells."""
    with pytest.raises(FormRefusedError) as refused:
        json_of(raw)
    assert str(refused.value).startswith(f"{place}not JSON: ")
