"""Horizontal bars, and values with their errors, as SVG."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.reports.records import Bar, BarChart, Interval, IntervalChart
from studio_core.reports.svg import Axis, chart, element, rounded_up, short, text

WIDTH = 760
_NAMES, _VALUES = 250, 110
_ROW = 26.0
_NUM_ERRORS = 2.0


def bar_chart_svg(drawn: BarChart) -> str:
    top = 26.0 if drawn.legend else 4.0
    height = top + _ROW * len(drawn.bars) + 4
    most = max((max(b.value, b.former or 0.0) for b in drawn.bars), default=0.0)
    x = Axis(0.0, most or 1.0, _NAMES, WIDTH - _VALUES)
    return chart(WIDTH, height, drawn.title, _bar_parts(drawn, x, top))


def _bar_parts(drawn: BarChart, x: Axis, top: float) -> Iterator[str]:
    if drawn.legend is not None:
        left = float(_NAMES)
        for number, words in enumerate(drawn.legend):
            kind = "bar former" if number else "bar"
            yield element("rect", class_=kind, x=left, y=4, width=12, height=12, rx=2)
            yield text(left + 18, 14.0, words, class_="axis")
            left += 18 + 7.0 * len(words) + 20
    for number, bar in enumerate(drawn.bars):
        yield from _bar(bar, x, top + _ROW * number)


def _bar(bar: Bar, x: Axis, y: float) -> Iterator[str]:
    yield text(_NAMES - 10.0, y + 17, bar.name, most=36, class_="name", text_anchor="end")
    ends = [x.at(bar.value)]
    top, height = y + 5, 16.0
    if bar.former is not None:
        ends.append(x.at(bar.former))
        yield _rectangle("bar former", x.start, ends[1], y + 4, 18)
        top, height = y + 8, 10.0
    yield _rectangle("bar", x.start, ends[0], top, height)
    yield text(max(ends) + 8, y + 17, bar.text, class_="value")


def _rectangle(class_: str, start: float, end: float, y: float, height: float) -> str:
    width = max(1.0, end - start)
    return element("rect", class_=class_, x=start, y=y, width=width, height=height, rx=2)


def interval_chart_svg(drawn: IntervalChart) -> str:
    height = _ROW * 1.4 * len(drawn.intervals) + 40
    reach = [_reach(i) for i in drawn.intervals]
    low = min([0.0, *(a for a, _ in reach)])
    x = Axis(low, rounded_up(max([b for _, b in reach], default=1.0)), _NAMES, WIDTH - _VALUES - 40)
    return chart(WIDTH, height, drawn.title, _interval_parts(drawn, x, height))


def _interval_parts(drawn: IntervalChart, x: Axis, height: float) -> Iterator[str]:
    bottom = height - 34
    for value in x.ticks():
        yield element("line", class_="grid", x1=x.at(value), x2=x.at(value), y1=0, y2=bottom)
        yield text(x.at(value), bottom + 14, short(value), class_="tick", text_anchor="middle")
    middle = (x.start + x.end) / 2
    yield text(middle, height - 3, drawn.x_label, class_="axis", text_anchor="middle")
    for number, interval in enumerate(drawn.intervals):
        yield from _interval(interval, x, 1.4 * _ROW * (number + 0.5), number)


def _interval(interval: Interval, x: Axis, y: float, number: int) -> Iterator[str]:
    colour = f"c{number % 2}"
    yield text(_NAMES - 10.0, y + 4, interval.name, most=36, class_="name", text_anchor="end")
    low, high = _reach(interval)
    if interval.error is not None:
        ends = f"M{x.at(low):.1f} {y - 5:.1f}v10M{x.at(high):.1f} {y - 5:.1f}v10"
        line = f"M{x.at(low):.1f} {y:.1f}L{x.at(high):.1f} {y:.1f}{ends}"
        yield element("path", class_=f"error {colour}", d=line)
    yield element("circle", class_=f"dot {colour}", cx=x.at(interval.value), cy=y, r=5)
    yield text(x.end + 14, y + 4, interval.text, class_="value")


def _reach(interval: Interval) -> tuple[float, float]:
    error = _NUM_ERRORS * (interval.error or 0.0)
    return interval.value - error, interval.value + error
