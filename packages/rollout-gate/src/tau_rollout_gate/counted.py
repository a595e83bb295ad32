"""How many of something, for people: `1 host`, `2 hosts`."""


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number, and what it is of; `several` where that is not `one` with an s."""
    return f"{number} {one if number == 1 else several or f'{one}s'}"
