"""Charts as inline SVG, drawn by pygal: no script, no style and no address of their own.

The page's style sheet gives them their colours, so that they follow light and dark. What a chart
shows is also in its title and description, and in the page's tables.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pygal  # type: ignore[import-untyped] # it ships no types
from markupsafe import Markup
from pygal.etree import etree  # type: ignore[import-untyped] # as above
from pygal.util import get_texts_box  # type: ignore[import-untyped] # as above

# pygal leaves an importer behind, for map plugins, that Python 3.11 warns of at later imports.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

LARGEST_DRAWN = 10**15
"""A greater number is drawn as this one: a hostile file must not overflow the drawing."""

_FONT_SIZE = 12
_SPACING = 6
_MARGIN = 10
_LEFT = 68
_SVG = "http://www.w3.org/2000/svg"
_NUMERIC = frozenset({"x", "y", "d"})
_NUMBER = re.compile(r"-?\d+\.\d+")
_ZERO_MARK = 1.5  # how high the mark is that tells a bar of nothing from a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its value, what it says when it is pointed at, and its class in the style sheet."""

    value: int
    says: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A chart's name within its page, what it shows, and what there is to see in it."""

    name: str
    title: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a chart is drawn, in the units of its view box."""

    name: str
    width: int
    height: int


WIDE = Size(name="wide", width=1040, height=150)
NARROW = Size(name="narrow", width=340, height=150)
SPARK = Size(name="spark", width=180, height=22)


def bar_chart(
    bars: Sequence[Bar | None],
    *,
    times: Sequence[str],
    values: Sequence[tuple[int, str]],
    words: Words,
    size: Size,
) -> Markup:
    """Return a chart with axes and a bar for each time; None is a gap.

    Args:
        bars: The bars.
        times: The label of each bar; "" where it has none.
        values: The labelled values, the least first; the axis ends with the last.
        words: What the chart says without being seen.
        size: One of the sizes.
    """
    labels_width = get_texts_box([label for _, label in values], _FONT_SIZE)[1]
    chart = _chart(
        size,
        # pygal adds the width of the labels; this makes the charts of a page start at one line.
        margin_left=_LEFT - _SPACING - int(labels_width),
        range=(0, values[-1][0]),
        x_labels=times,
        x_labels_major=sorted(set(times) - {""}),
        y_labels=[{"label": label, "value": value} for value, label in values],
    )
    return _drawn(chart, bars, words=words, size=size)


def sparkline(bars: Sequence[Bar | None], *, words: Words) -> Markup:
    """Return a small chart without axes, for a table's cell."""
    chart = _chart(
        SPARK,
        margin=1,
        spacing=0,
        range=(0, max((bar.value for bar in bars if bar is not None), default=0) or 1),
        show_x_labels=False,
        show_y_labels=False,
    )
    return _drawn(chart, bars, words=words, size=SPARK)


def value_axis(peak: int) -> tuple[tuple[int, str], ...]:
    """Return the labelled values of an axis from 0 to at least `peak`: round, at most five."""
    highest = max(1, min(peak, LARGEST_DRAWN))
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if 4 * step >= highest:
                steps = -(-highest // step)
                return tuple((step * index, short(step * index)) for index in range(steps + 1))
        size *= 10


def short(value: int) -> str:
    """Return a round number in at most five characters: `950`, `1.5k`, `20M`."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return str(value)


def _chart(size: Size, **options: object) -> Any:  # noqa: ANN401 - pygal ships no types
    return pygal.Bar(
        **{
            "width": size.width,
            "height": size.height,
            "margin": _MARGIN,
            "margin_bottom": 1,
            "spacing": _SPACING,
            "show_legend": False,
            "show_minor_x_labels": False,
            "truncate_label": -1,
            "js": (),
            "css": (),
            "style": pygal.style.Style(label_font_size=_FONT_SIZE),
            **options,
        }
    )


def _drawn(
    chart: Any,  # noqa: ANN401 - as above
    bars: Sequence[Bar | None],
    *,
    words: Words,
    size: Size,
) -> Markup:
    name = f"{words.name}-{size.name}"
    chart.add(
        words.title,
        [
            None
            if bar is None
            else {
                "value": min(bar.value, LARGEST_DRAWN),
                **({"label": bar.says} if bar.says else {}),
                "node": {"class": f"bar {bar.kind}".rstrip()},
            }
            for bar in bars
        ],
    )
    rendered = chart.render_tree()
    root = etree.Element("svg", {"xmlns": _SVG, "viewBox": rendered.get("viewBox")})
    root.attrib.update({"id": name, "class": f"chart {size.name}", "role": "img"})
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for tag, text in (("title", words.title), ("desc", words.summary)):
        etree.SubElement(root, tag, {"id": f"{name}-{tag}"}).text = text
    # The first group of the graph is the plot, axes and bars; the rest is for scripts.
    root.append(_tidied(rendered.find("g/g")))
    # It is XML of a renderer that escapes all text, and every text here went through it.
    return Markup(etree.tostring(root, encoding="unicode"))  # noqa: S704 - see above


def _tidied(node: Any) -> Any:  # noqa: ANN401 - as above
    """Return a copy with what a page without scripts can use, in fewer characters."""
    copy = etree.Element(node.tag, {key: _rounded(key, text) for key, text in node.items()})
    copy.text = node.text
    for child in node:
        if child.get("class") == "bar":
            copy.append(_bar(child))
        elif child.tag in {"g", "path", "text"}:
            copy.append(_tidied(child))
    return copy


def _bar(group: Any) -> Any:  # noqa: ANN401 - as above
    rectangle = group.find("rect")
    x, y, width, height = (float(rectangle.get(key)) for key in ("x", "y", "width", "height"))
    if height == 0:
        y, height = y - _ZERO_MARK, _ZERO_MARK
    bar = etree.Element("rect", {"class": rectangle.get("class")})
    for key, number in (("x", x), ("y", y), ("width", width), ("height", height)):
        bar.set(key, f"{number:.1f}")
    label = group.find("desc[@class='label']")
    if label is not None:
        etree.SubElement(bar, "title").text = label.text
    return bar


def _rounded(key: str, text: str) -> str:
    return _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", text) if key in _NUMERIC else text
