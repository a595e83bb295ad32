"""How long ago something was, in words."""


def age(duration_ms: int) -> str:
    """An age as people say it: `3 min 20 s ago`, `2 h 5 min ago`, `5 s in the future`."""
    seconds = abs(duration_ms) // 1000
    for unit, below, size, smaller, smaller_size in (
        ("d", None, 86_400, "h", 3600),
        ("h", 86_400, 3600, "min", 60),
        ("min", 3600, 60, "s", 1),
    ):
        if seconds >= size and (below is None or seconds < below):
            text = f"{seconds // size} {unit} {seconds % size // smaller_size} {smaller}"
            break
    else:
        text = f"{seconds} s"
    return f"{text} in the future" if duration_ms < 0 else f"{text} ago"
