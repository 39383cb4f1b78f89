"""Charts in JupyterLab: small on the wire, clicked and stepped through, light and dark."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect

SETUP = """
from dataclasses import replace

from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.solving import Known, PlanRoom
from studio_core.samples import sample_path
from studio_core.session import Session
from studio_widgets.charts.facts import ChartFacts
from studio_widgets.charts_panel import ChartsPanel

session = Session.open(sample_path("digits_cnn"))
plan = session.planner.distribute(0.5)
perf = list(session.measure_perf(levels=(0.5,), iterations=8, warmup=1))[-1].analysis()
loss = list(session.measure(levels=(0.3, 0.5, 0.7, 0.9), samples=32))[-1].analysis()
room = PlanRoom(session, Removal(), Known(loss, perf))
facts = ChartFacts(session.layers, plan, loss, perf, (), room)
ids = [layer.id for layer in session.layers]
"""
PANEL = "panel = ChartsPanel(lambda: facts)\npanel"
FIVE = """
import ipywidgets

from studio_widgets.charts import layer_bars, layer_lines, loss_curves, op_times, treemap
from studio_widgets.charts.facts import LayerQuantity
from studio_widgets.figure import Figure

charts = [
    layer_bars.layer_bars(facts, LayerQuantity.MACS),
    layer_lines.layer_lines(facts, list(LayerQuantity)[:3]),
    loss_curves.loss_curves(loss),
    treemap.treemap(facts, LayerQuantity.PARAMETERS),
    op_times.op_times(op_times.times_of_layers(facts)),
]
ipywidgets.VBox([Figure(c.figure, label=c.label, summary=c.summary) for c in charts])
"""
HOSTILE = """
names = ["<b>a</b>.<a href='javascript:alert(1)'>x</a>", "<b>a</b>.<img src=x onerror=alert(1)>",
         "$x^2$.%{y}&lt;i&gt;", "c.\\u202ed"]
hostile = [replace(layer, name=n, op_type="<a href='/x'>Op</a>")
           for layer, n in zip(session.layers, names)]
odd = ChartsPanel(lambda: ChartFacts(tuple(hostile)))
odd
"""
LARGE = """
many = [replace(session.layers[i % 14], id=f"layer {i}", name=f"stage{i // 100}.block{i}.weight")
        for i in range(5000)]
large = ChartsPanel(lambda: ChartFacts(tuple(many)))
large
"""
MOST_BYTES = 60_000
KERNELS_OWN_BYTES = 60_000
"""A notebook that shows nothing takes 39 kB."""


def drawn(page: Any, count: int = 1) -> None:
    page.wait_for_function(
        "n => document.querySelectorAll('.js-plotly-plot .main-svg').length >= n",
        arg=count,
        timeout=30_000,
    )


@pytest.mark.slow
def test_five_charts_cost_kilobytes_and_plotly_is_loaded_once(run_cells: Any, page: Any) -> None:
    received: list[int] = []
    scripts: list[str] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda x: received.append(len(x))))
    page.on(
        "request", lambda r: scripts.append(r.url) if r.url.endswith("/widgetbundle.js") else None
    )
    notebook = run_cells(SETUP, FIVE, name="five.ipynb")
    expect(page.locator(".studio-figure")).to_have_count(5, timeout=30_000)
    drawn(page, 5)
    assert len(scripts) == 1
    size = sum(received)
    print(f"websocket: {size:,} bytes for five charts, and what a kernel says anyway")
    assert size < 5 * MOST_BYTES + KERNELS_OWN_BYTES
    notebook.command("docmanager:save")
    document = json.dumps(
        page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.toJSON()")
    )
    assert len(document) < 1_000_000 and "maplibre" not in document
    # Another page of the same kernel gets them from the kernel's state.
    page.reload()
    expect(page.locator(".studio-figure")).to_have_count(5, timeout=60_000)
    drawn(page, 5)


def test_a_click_and_an_arrow_key_select_the_layer_in_python(run_cells: Any, page: Any) -> None:
    notebook = run_cells(SETUP, PANEL, name="click.ipynb")
    drawn(page)
    box = page.locator(".bars .point").nth(9).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".hoverlayer text").first).to_contain_text("block4.conv1.weight")
    page.mouse.down()
    page.mouse.up()
    notebook.wait_for("panel.selected_layer == ids[9]", "True")
    expect(page.locator(".shapelayer path")).to_have_count(1)
    figure = page.get_by_role("group", name="Parameters by layer")
    figure.focus()
    figure.press("ArrowRight")
    notebook.wait_for("panel.selected_layer == ids[10]", "True")
    page.get_by_role("button", name="Treemap").click()
    expect(page.locator(".treemaplayer .slice").first).to_be_visible()
    tile = page.locator(".treemaplayer .slice", has_text="fc1.weight").last.bounding_box()
    page.mouse.click(tile["x"] + tile["width"] / 2, tile["y"] + tile["height"] / 2)
    notebook.wait_for("panel.selected_layer == ids[12]", "True")


def test_every_chart_light_dark_and_narrow(run_cells: Any, page: Any) -> None:
    notebook = run_cells(SETUP, PANEL, name="looks.ipynb")
    drawn(page)
    panel = page.locator(".studio-charts")
    ink = "getComputedStyle(document.querySelector('.js-plotly-plot .ytick text')).fill"
    light = page.evaluate(ink)
    for dark in (False, True):
        notebook.set_theme(dark=dark)
        for chart in ("bars", "lines", "curves", "treemap", "trade-off", "time"):
            notebook.evaluate(f"setattr(panel, 'chart', {chart!r})")
            page.wait_for_timeout(350)
            name = f"chart_{chart.replace('-', '_')}_{'dark' if dark else 'light'}"
            panel.screenshot(path=_shot(name))
    notebook.evaluate("setattr(panel, 'chart', 'bars')")
    page.wait_for_timeout(350)
    assert page.evaluate(ink) != light  # the theme was followed, in a figure that was there
    page.set_viewport_size({"width": 760, "height": 900})
    page.wait_for_timeout(500)
    assert page.evaluate(
        "() => { const p = document.querySelector('.js-plotly-plot');"
        "return p._fullLayout.width <= p.parentElement.clientWidth + 1 }"
    )
    panel.screenshot(path=_shot("chart_narrow"))
    notebook.set_theme(dark=False)


def _shot(name: str) -> str:
    from .conftest import SCREENSHOTS

    SCREENSHOTS.mkdir(exist_ok=True)
    return str(SCREENSHOTS / f"{name}.png")


def test_hostile_names_are_shown_as_text(run_cells: Any, page: Any) -> None:
    notebook = run_cells(SETUP, HOSTILE, name="hostile.ipynb")
    drawn(page)
    for chart in ("bars", "treemap"):
        notebook.evaluate(f"setattr(odd, 'chart', {chart!r})")
        page.wait_for_timeout(400)
        plot = page.locator(".js-plotly-plot")
        assert plot.locator("svg a, img, foreignObject").count() == 0
        expect(plot).to_contain_text("<a href=")
    expect(plot).to_contain_text("$x^2$")


@pytest.mark.slow
def test_five_thousand_layers_are_drawn(run_cells: Any, page: Any) -> None:
    notebook = run_cells(SETUP, LARGE, name="large.ipynb")
    drawn(page)
    for chart in ("bars", "lines", "treemap"):
        notebook.evaluate(f"setattr(large, 'chart', {chart!r})")
        page.wait_for_timeout(600)
        expect(page.locator(".studio-figure-words")).not_to_be_empty()
    page.locator(".studio-charts").screenshot(path=_shot("chart_many_layers"))


@pytest.mark.slow
def test_where_no_server_has_plotly_the_kernel_does(
    run_cells: Any, page: Any, watched: Any
) -> None:
    page.route("**/studio/plotly/**", lambda route: route.fulfill(status=404, body="{}"))
    run_cells(SETUP, PANEL, name="kernel.ipynb")
    drawn(page)
    refused = [error for error in watched.errors if "404" in error]
    watched.errors[:] = [error for error in watched.errors if error not in refused]
    assert len(refused) == 1
