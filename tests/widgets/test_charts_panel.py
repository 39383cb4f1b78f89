from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest
import traitlets

from studio_core.errors import InvalidRequestError
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.solving import Known, PlanRoom
from studio_core.plans import PruningPlan
from studio_core.samples import sample_path
from studio_core.session import Session
from studio_widgets._chart_controls import CHARTS
from studio_widgets.charts.facts import ChartFacts
from studio_widgets.charts_panel import ChartsPanel

from .conftest import Wire
from .fakes import loss_of_layers, make_layers


class Facts:
    """What a panel asks for, counting how often."""

    def __init__(self, facts: ChartFacts) -> None:
        self.facts = facts
        self.num_asked = 0

    def __call__(self) -> ChartFacts:
        self.num_asked += 1
        return self.facts


@pytest.fixture
def ask() -> Facts:
    layers = make_layers(12)
    plan = PruningPlan({layer.id: 0.5 for layer in layers if layer.is_prunable})
    return Facts(ChartFacts(layers, plan, loss_of_layers(layers)))


@pytest.fixture
def panel(ask: Facts) -> ChartsPanel:
    return ChartsPanel(ask, is_shown=True)


def test_nothing_is_drawn_before_it_is_shown(ask: Facts) -> None:
    panel = ChartsPanel(ask)
    panel.refresh()
    panel.chart, panel.selected_layer = "treemap", "out_1"
    assert (ask.num_asked, panel.figure, panel.summary) == (0, None, "")
    panel.is_shown = True
    assert ask.num_asked == 1 and panel.figure is not None
    panel.is_shown = False
    panel.is_shown = True
    assert ask.num_asked == 1  # nothing has changed


def test_plotly_is_not_imported_before_it_is_shown() -> None:
    code = (
        "import sys, studio_widgets.charts_panel as c, studio_widgets.op_times as o;"
        "c.ChartsPanel(lambda: None); o.OpTimes(); print('plotly' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_displaying_it_shows_it(ask: Facts) -> None:
    panel = ChartsPanel(ask)
    panel._repr_mimebundle_()
    assert panel.is_shown and panel.summary


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_drawn_or_says_why_not(panel: ChartsPanel, chart: str) -> None:
    panel.chart = chart
    assert panel.figure is not None and panel.figure.summary == panel.summary != ""
    assert panel.messages.value == ""


def test_the_figure_stays_when_the_chart_changes(panel: ChartsPanel, wire: Wire) -> None:
    first = panel.figure
    panel.chart = "lines"
    assert panel.figure is first and first is not None
    assert first.label == "Over the depth of the model"


def test_a_click_selects_the_layer_and_marks_it(panel: ChartsPanel) -> None:
    assert panel.figure is not None
    trace = panel.figure.data[0]
    points = {"trace_indexes": [0], "point_indexes": [1], "xs": [0], "ys": [0]}
    message = {"event_type": "plotly_click", "points": points, "device_state": None}
    panel.figure.set_state({"_js2py_pointsCallback": {**message, "selector": None}})
    place = int(trace.x[1])
    assert panel.selected_layer == f"out_{place}"
    [band] = panel.figure.layout.shapes
    assert band.x0 == place - 0.5
    panel.selected_layer = ""
    assert len(panel.figure.layout.shapes) == 0


def test_a_selection_from_elsewhere_is_marked_in_each_chart(panel: ChartsPanel) -> None:
    panel.selected_layer = "out_3"
    assert panel.figure is not None and len(panel.figure.layout.shapes) == 1
    panel.chart = "treemap"
    assert len(panel.figure.layout.shapes) == 0
    assert max(panel.figure.data[0].marker.line.width) == 4
    panel.chart = "curves"
    assert max(trace.line.width for trace in panel.figure.data) == 4
    panel.chart = "lines"
    assert len(panel.figure.layout.shapes) == 1


def test_arrow_keys_go_from_layer_to_layer(panel: ChartsPanel) -> None:
    assert panel.figure is not None
    for by, expected in ((1, "out_0"), (1, "out_1"), (-1, "out_0"), (-1, "out_0")):
        panel.figure._handle_custom_msg({"kind": "step", "by": by}, [])
        assert panel.selected_layer == expected


def test_chart_and_quantity_are_those_of_the_controls(panel: ChartsPanel) -> None:
    panel.controls.charts.value = "treemap"
    panel.controls.quantities.value = "MACs"
    assert (panel.chart, panel.quantity) == ("treemap", "MACs")
    assert panel.figure is not None and panel.figure.label == "MACs by module"
    panel.quantity = "sensitivity"  # has no area
    assert panel.figure.label == "Parameters by module"
    assert panel.controls.order.layout.display == "none"
    assert panel.controls.colour_by.layout.display == ""


def test_lines_are_chosen_by_their_buttons(panel: ChartsPanel) -> None:
    panel.chart = "lines"
    assert panel.figure is not None and len(panel.figure.data) == 3
    for button in panel.controls.lines.values():
        button.value = False
    assert len(panel.figure.data) == 0
    assert [q for q, b in panel.controls.lines.items() if b.disabled] == ["measured time"]


async def changes(panel: ChartsPanel, ask: Facts) -> int:
    before = ask.num_asked
    for _ in range(20):
        panel.refresh()
        await asyncio.sleep(0)
    assert ask.num_asked == before
    for _ in range(100):
        await asyncio.sleep(0.02)
        if ask.num_asked > before:
            break
    await asyncio.sleep(0.02)
    return ask.num_asked - before


def test_many_changes_in_a_moment_are_drawn_once(panel: ChartsPanel, ask: Facts) -> None:
    plan = PruningPlan(dict.fromkeys(ask.facts.plan.sparsities, 0.9))  # type: ignore[union-attr]
    panel.quantity = "planned sparsity"
    ask.facts = replace(ask.facts, plan=plan)
    assert asyncio.run(changes(panel, ask)) == 1
    assert "0.90" in panel.summary


def test_a_trade_off_is_solved_once_for_all_plans() -> None:
    session = Session.open(sample_path("digits_cnn"))
    room = PlanRoom(session, Removal(), Known())
    plans = [session.planner.distribute(target) for target in (0.3, 0.6)]
    ask = Facts(ChartFacts(session.layers, plans[0], session.loss, None, (), room))
    panel = ChartsPanel(ask, chart="trade-off", is_shown=True)
    first, points = panel.summary, panel._points
    ask.facts = replace(ask.facts, plan=plans[1])
    panel.draw()
    assert panel.summary != first and panel._points is points
    assert [name for name, _ in panel.controls.against.options] == ["sparsity", "bytes", "MACs"]


def test_what_goes_wrong_is_said_in_the_panel() -> None:
    def ask() -> ChartFacts:
        raise InvalidRequestError("There is no model.")

    panel = ChartsPanel(ask, is_shown=True)
    assert "There is no model." in panel.messages.value
    with pytest.raises(InvalidRequestError):
        panel.draw()


def test_unknown_settings_and_charts_are_refused(ask: Facts) -> None:
    with pytest.raises(TypeError, match="Did you mean 'chart'"):
        ChartsPanel(ask, charts="bars")
    with pytest.raises(traitlets.TraitError):
        ChartsPanel(ask, chart="pie")
    assert repr(ChartsPanel(ask)) == "<studio_widgets.ChartsPanel>"


def test_a_panel_with_five_charts_costs_kilobytes(ask: Facts, wire: Wire) -> None:
    panel = ChartsPanel(ask, is_shown=True)
    for chart in CHARTS:
        panel.chart = chart
    assert sum(wire.take()) < 200_000
