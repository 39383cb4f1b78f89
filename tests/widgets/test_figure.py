from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import plotly
import plotly.graph_objects as go
import pytest

from studio_widgets._assets import css, esm
from studio_widgets.charts.palette import GROUND, TOKENS
from studio_widgets.figure import Figure

from .conftest import Wire

MOST_BYTES = 60_000
BUNDLE = Path(plotly.__file__).parent / "package_data" / "widgetbundle.js"


def bars(count: int = 50) -> go.Figure:
    heights = np.arange(count, dtype=np.float32)
    return go.Figure(go.Bar(y=heights), layout={"template": "none"})


def clicked(figure: Figure, trace: int, point: int) -> None:
    """What the browser sends when a person clicks."""
    points = {"trace_indexes": [trace], "point_indexes": [point], "xs": [0], "ys": [0]}
    message = {"event_type": "plotly_click", "points": points, "device_state": None}
    figure.set_state({"_js2py_pointsCallback": {**message, "selector": None}})


def test_a_figure_costs_kilobytes_where_plotlys_own_costs_megabytes(wire: Wire) -> None:
    for _ in range(5):
        Figure(bars(), label="Bars", summary="Fifty bars.")
    ours = sum(wire.take())
    assert ours < 5 * MOST_BYTES
    go.FigureWidget(bars())
    assert sum(wire.take()) > 4_000_000 > 10 * ours


def test_the_state_that_a_notebook_saves_holds_no_script() -> None:
    figure = Figure(bars())
    state = figure.get_state()
    assert len(json.dumps(state, default=lambda view: "x" * view.nbytes)) < MOST_BYTES
    assert state["_bundle"] == plotly.__version__
    assert "maplibre" not in state["_esm"]


def test_clicks_reach_python() -> None:
    figure = Figure(bars())
    heard: list[list[int]] = []
    figure.data[0].on_click(lambda _trace, points, _state: heard.append(points.point_inds))
    clicked(figure, 0, 7)
    assert heard == [[7]]


def test_another_figure_takes_its_place_in_one_message(wire: Wire) -> None:
    figure = Figure(bars())
    wire.take()
    figure.draw(bars(3), label="Three", summary="Now three.")
    assert len(wire.contents) == 1
    state = wire.contents[0]["state"]
    assert (state["label"], len(state["_widget_data"])) == ("Three", 1)
    assert not {"_py2js_addTraces", "_py2js_deleteTraces", "_py2js_relayout"} & set(state)
    heard: list[list[int]] = []
    figure.data[0].on_click(lambda _trace, points, _state: heard.append(points.point_inds))
    clicked(figure, 0, 2)
    assert (heard, len(figure.data)) == ([[2]], 1)


def test_a_mark_does_not_send_the_data_again(wire: Wire) -> None:
    figure = Figure(bars(5_000))
    wire.take()
    figure.place([{"type": "rect", "x0": 0, "x1": 1, "y0": 0, "y1": 1}])
    assert len(figure.layout.shapes) == 1
    assert sum(wire.take()) < 1_000
    figure.place([])
    assert len(figure.layout.shapes) == 0


def test_a_page_that_is_loaded_anew_gets_the_figure_as_it_is_now() -> None:
    figure = Figure(bars(2))
    figure.data[0].name = "changed"
    figure.layout.title.text = "changed too"
    state = figure.get_state()
    assert state["_widget_data"][0]["name"] == "changed"
    assert state["_widget_layout"]["title"]["text"] == "changed too"


def answers(figure: Figure, monkeypatch: pytest.MonkeyPatch, content: Any) -> list[Any]:
    sent: list[Any] = []
    monkeypatch.setattr(type(figure), "send", lambda _, *given: sent.append(given))
    figure._handle_custom_msg(content, [])
    return sent


def test_the_kernel_has_the_script_for_pages_without_a_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [(content, [packed])] = answers(Figure(bars()), monkeypatch, {"kind": "bundle"})
    assert content == {"kind": "bundle"}
    assert zlib.decompress(packed) == BUNDLE.read_bytes()


def test_what_changed_while_the_script_was_loaded_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure(bars(2))
    figure.data[0].name = "changed"
    assert figure._widget_data[0].get("name") is None
    answers(figure, monkeypatch, {"kind": "refresh"})
    assert figure._widget_data[0]["name"] == "changed"


@pytest.mark.parametrize("content", [None, "bundle", {}, {"kind": ["bundle"]}, {"kind": "step"}])
def test_other_messages_do_nothing(monkeypatch: pytest.MonkeyPatch, content: Any) -> None:
    assert answers(Figure(bars()), monkeypatch, content) == []


def test_arrow_keys_are_told() -> None:
    figure, heard = Figure(bars()), []
    assert not figure._has_steps
    figure.on_step(heard.append)
    assert figure._has_steps
    for by in (-1, 1, "no number"):
        figure._handle_custom_msg({"kind": "step", "by": by}, [])
    assert heard == [-1, 1, 1]


def test_each_colour_of_the_charts_follows_the_theme() -> None:
    style = css("figure")
    dark = style.split('[data-jp-theme-light="false"] .studio {', 1)[1].split("}", 1)[0]
    from_lab = {name for name in TOKENS.values() if f"{name}: var(--jp-" in style}
    assert len(TOKENS) == len(set(TOKENS.values())) > 20
    for name in set(TOKENS.values()) - from_lab:
        assert f"{name}:" in dark, name
    assert Figure(bars())._colours == {"tokens": dict(TOKENS), "ground": GROUND}


def test_texts_reach_the_page_as_text() -> None:
    script = esm("figure")
    assert "innerHTML" not in script
    assert "studio/plotly/" in script
