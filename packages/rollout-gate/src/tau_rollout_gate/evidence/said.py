"""What a validation report says, in whatever form it is."""

from dataclasses import dataclass

MOST_VALUES = 1_000_000
"""Values in JSON, elements and attributes in XML: each costs far more than its bytes do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a report says.

    Args:
        total: How many there are.
        passed: How many of them passed.
        failed: How many failed; where the report says it more than once, the largest.
        contradiction: What in the report speaks against itself, or shows that not all ran.
        releases: Each release that the report says it is of.
    """

    total: int
    passed: int
    failed: int
    contradiction: str | None = None
    releases: tuple[str, ...] = ()
