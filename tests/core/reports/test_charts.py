"""Charts: lines and bars where their values are, gaps where nothing is known."""

from __future__ import annotations

import re

import pytest

from studio_core.reports.bar_chart import bar_chart_svg, interval_chart_svg
from studio_core.reports.line_chart import line_chart_svg
from studio_core.reports.records import (
    Bar,
    BarChart,
    Column,
    Interval,
    IntervalChart,
    LineChart,
    Series,
    Table,
)
from studio_core.reports.svg import Axis, rounded_up

NO_TABLE = Table((Column("x"),), ())


def lines(*series: Series) -> str:
    return line_chart_svg(LineChart("t", "x", "y", series, NO_TABLE))


def test_an_axis_has_round_steps_and_holds_its_values() -> None:
    assert list(Axis(0.0, 1.0, 0, 100).ticks()) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert Axis(0.0, 2.0, 100, 0).at(0.5) == 75.0
    assert list(Axis(3.0, 3.0, 0, 1).ticks()) == [3.0]
    for value in (1e-9, 0.03, 1.0, 7.7, 1e12):
        assert value <= rounded_up(value) <= 2 * value
    assert rounded_up(0.0) == rounded_up(float("inf")) == 1.0


def test_a_gap_in_a_line_stays_a_gap_and_a_single_point_is_a_dot() -> None:
    whole = lines(Series("a", (0, 1, 2), (0, 1, 2)))
    broken = lines(Series("a", (0, 1, 2), (0, None, 2)))
    paths = [re.findall(r'<path d="([^"]*)"', svg)[0] for svg in (whole, broken)]
    assert [path.count("M") for path in paths] == [1, 2]
    assert [path.count("L") for path in paths] == [2, 0]
    assert broken.count("<circle") == 2


def test_names_at_the_ends_do_not_lie_on_each_other() -> None:
    svg = lines(*(Series(f"s{i}", (0, 1), (0, 1.0)) for i in range(6)))
    places = [float(y) for y in re.findall(r'<text x="[\d.]+" y="([\d.]+)" class="name', svg)]
    assert len(places) == 6
    assert all(b - a >= 14.9 for a, b in zip(sorted(places), sorted(places)[1:], strict=False))


def test_bars_are_as_long_as_their_values() -> None:
    svg = bar_chart_svg(BarChart("t", (Bar("a", 4.0, "4"), Bar("b", 1.0, "1", former=2.0))))
    widths = [float(w) for w in re.findall(r'<rect [^>]*width="([\d.]+)"', svg)]
    assert widths == pytest.approx([widths[0], widths[0] / 2, widths[0] / 4])


def test_an_interval_reaches_two_errors_to_both_sides() -> None:
    svg = interval_chart_svg(
        IntervalChart("t", "loss", (Interval("p", 0.5, 0.1, ""), Interval("q", 1.0, None, "")))
    )
    low, high = map(
        float, re.findall(r'<path class="error c0" d="M([\d.]+) [\d.]+L([\d.]+)', svg)[0]
    )
    dots = [float(x) for x in re.findall(r'<circle class="dot c\d" cx="([\d.]+)"', svg)]
    assert (low + high) / 2 == pytest.approx(dots[0], abs=0.2)
    assert (high - low) == pytest.approx(0.8 * (dots[1] - dots[0]), abs=0.3)
    assert svg.count('class="error') == 1


def test_no_values_make_no_error() -> None:
    assert lines(Series("a", (0, 1), (None, None))).startswith("<svg")
    assert bar_chart_svg(BarChart("t", ())).startswith("<svg")
