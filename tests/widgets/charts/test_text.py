from __future__ import annotations

import html
from pathlib import Path

import plotly
import pytest

from studio_widgets.charts.text import listed, plotly_text, short_name

NAMES = [
    '<img src=x onerror="alert(1)">',
    "<b>bold</b><br><sup>2</sup>",
    '<a href="javascript:alert(1)">x</a>',
    "&lt;b&gt; &amp; &#60;",
    "$x^2$ and $$y$$",
    "%{y} %{customdata[0]} %_xother",
    "line\nbreak\ttab\x00nul\u2028separator",
]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_plotly_reads_is_left(name: str) -> None:
    shown = plotly_text(name)
    assert not set("<>$%{\n\t\x00\u2028") & set(shown)
    plain = "".join(" " if ord(c) < 32 or c == "\u2028" else c for c in name)
    assert html.unescape(shown) == plain  # and every letter is there


def test_plotly_knows_the_entities_that_are_written() -> None:
    """Its list is short: `&quot;` would be shown as it stands."""
    bundle = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text("utf-8")
    assert 'amp:"&",lt:"<",gt:">"' in bundle
    assert plotly_text('"') == '"'


def test_a_cut_name_holds_no_cut_entity() -> None:
    assert html.unescape(short_name("<" * 100, 9)) == "<" * 2 + "…" + "<" * 6


def test_a_list_of_names_ends_with_how_many_more() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcde")) == "a, b, c and 2 more"
