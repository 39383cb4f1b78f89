"""Curves as SVG: a few in colour with their names beside their ends, the others grey behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from studio_core.reports.plain_text import visible
from studio_core.reports.records import LineChart, Series
from studio_core.reports.svg import NUM_COLOURS, Axis, chart, element, rounded_up, short, text

WIDTH, HEIGHT = 760, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 190, 16, 44
_LINE_HEIGHT = 15.0
_MOST_GREY = 150


def line_chart_svg(drawn: LineChart) -> str:
    values = [v for s in drawn.series for v in s.values if v is not None]
    low = min([0.0, *values])
    high = rounded_up(max([*values, *([drawn.limit[0]] if drawn.limit else [])], default=1.0))
    places = [p for s in drawn.series for p in s.places]
    x = Axis(min(places, default=0.0), max(places, default=1.0), _LEFT, WIDTH - _RIGHT)
    y = Axis(low, high, HEIGHT - _BOTTOM, _TOP)
    return chart(WIDTH, HEIGHT, drawn.title, _parts(drawn, x, y))


def _parts(drawn: LineChart, x: Axis, y: Axis) -> Iterator[str]:
    yield from _grid(drawn, x, y)
    grey = [s for s in drawn.series if not s.is_main][:_MOST_GREY]
    main = [s for s in drawn.series if s.is_main]
    for series in grey:
        yield _line(series, x, y, "line grey", series.name)
    if drawn.limit is not None:
        yield from _limit(*drawn.limit, y)
    for number, series in enumerate(main):
        yield _line(series, x, y, f"line c{number % NUM_COLOURS}", series.name)
    yield from _labels(main, x, y)


def _grid(drawn: LineChart, x: Axis, y: Axis) -> Iterator[str]:
    for value in y.ticks():
        at = y.at(value)
        yield element("line", class_="grid", x1=x.start, x2=x.end, y1=at, y2=at)
        yield text(x.start - 8, at + 4, short(value), class_="tick", text_anchor="end")
    for value in x.ticks():
        words = f"{100 * value:.0f} %" if drawn.is_share else short(value)
        yield text(x.at(value), y.start + 18, words, class_="tick", text_anchor="middle")
    middle = (x.start + x.end) / 2
    yield text(middle, HEIGHT - 6.0, drawn.x_label, class_="axis", text_anchor="middle")
    turned = f"rotate(-90 14 {(y.start + y.end) / 2:g})"
    yield text(
        14.0, (y.start + y.end) / 2, drawn.y_label,
        class_="axis", text_anchor="middle", transform=turned,
    )  # fmt: skip


def _limit(value: float, name: str, y: Axis) -> Iterator[str]:
    at = y.at(value)
    yield element("line", class_="limit", x1=_LEFT, x2=WIDTH - _RIGHT, y1=at, y2=at)
    yield text(WIDTH - _RIGHT + 8.0, at + 4, name, most=28, class_="name limit-name")


def _line(series: Series, x: Axis, y: Axis, class_: str, name: str) -> str:
    """The known parts of a line; a gap stays a gap, and a single point is a dot."""
    path, dots, is_open = "", "", False
    known = [*zip(series.places, series.values, strict=True)]
    for number, (place, value) in enumerate(known):
        if value is None:
            is_open = False
            continue
        at = f"{x.at(place):.1f} {y.at(value):.1f}"
        is_last = number + 1 == len(known) or known[number + 1][1] is None
        if not is_open and is_last:
            dots += element("circle", cx=x.at(place), cy=y.at(value), r=2.5)
        path += f"{'L' if is_open else 'M'}{at}"
        is_open = True
    title = element("title", escape(visible(name)))
    return element("g", title + element("path", d=path) + dots, class_=class_)


def _labels(main: Sequence[Series], x: Axis, y: Axis) -> Iterator[str]:
    """Names beside the ends of their lines, pushed apart where they would lie on each other."""
    ends = [
        (y.at(last), number, s) for number, s in enumerate(main) if (last := _last(s)) is not None
    ]
    spread = _spread([at for at, _, _ in sorted(ends, key=lambda e: e[0])], y)
    for (at, number, series), place in zip(sorted(ends, key=lambda e: e[0]), spread, strict=True):
        yield element(
            "path", class_=f"leader c{number % NUM_COLOURS}",
            d=f"M{x.end + 2:.1f} {at:.1f}L{x.end + 10:.1f} {place:.1f}",
        )  # fmt: skip
        yield text(
            x.end + 14, place + 4, series.name, most=26, class_=f"name c{number % NUM_COLOURS}"
        )


def _last(series: Series) -> float | None:
    return next((v for v in reversed(series.values) if v is not None), None)


def _spread(places: Sequence[float], y: Axis) -> list[float]:
    """Rising places at least a line apart, inside the axis as far as they find room."""
    found: list[float] = []
    for at in places:
        found.append(max(at, found[-1] + _LINE_HEIGHT) if found else at)
    lowest = y.start
    for number in range(len(found) - 1, -1, -1):
        found[number] = min(found[number], lowest)
        lowest = found[number] - _LINE_HEIGHT
    return found
