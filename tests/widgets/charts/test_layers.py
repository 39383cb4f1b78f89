"""Bars and lines: one place a layer, what is not known is no number."""

from __future__ import annotations

import numpy as np
import pytest

from studio_widgets.charts.chart import Chart
from studio_widgets.charts.facts import ChartFacts, LayerQuantity
from studio_widgets.charts.layer_bars import LARGEST_FIRST, MOST_RANKED, layer_bars
from studio_widgets.charts.layer_lines import layer_lines

from ..fakes import HOSTILE, loss_of_layers, make_layers
from .conftest import foreign_texts

Q = LayerQuantity


def drawn(chart: Chart) -> dict[str, tuple[float, float]]:
    """Place and height of each layer's bar."""
    return {
        key: (float(x), float(y))
        for trace, keys in zip(chart.figure.data, chart.keys, strict=True)
        for key, x, y in zip(keys, trace.x, trace.y, strict=True)
        if trace.type == "bar"
    }


@pytest.mark.parametrize("quantity", list(LayerQuantity))
def test_each_layer_has_its_bar_in_the_order_of_the_model(
    facts: ChartFacts, quantity: LayerQuantity
) -> None:
    chart = layer_bars(facts, quantity)
    values = facts.values(quantity)
    assert np.isfinite(values).all()
    for i, layer in enumerate(facts.layers):
        place, height = drawn(chart)[layer.id]
        assert place == i and height == pytest.approx(values[i], rel=1e-6)
    assert [trace.name for trace in chart.figure.data] == ["Conv", "Gemm"]


def test_the_numbers_are_those_of_the_records(facts: ChartFacts) -> None:
    layer = facts.layers[3]
    assert facts.plan is not None and facts.loss is not None and facts.profile is not None
    expected = {
        Q.PARAMETERS: layer.num_params,
        Q.MACS: layer.macs,
        Q.SIZE: layer.num_bytes,
        Q.SPARSITY: facts.plan.sparsities[layer.id],
        Q.TIME: facts.profile.layers[layer.id].median_ms,
    }
    for quantity, value in expected.items():
        assert facts.values(quantity)[3] == value


def test_what_is_not_known_is_a_dash_and_named(made: ChartFacts) -> None:
    chart = layer_bars(made, Q.MACS)
    unknown = [layer for layer in made.layers if layer.macs is None]
    dashes = chart.figure.data[-1]
    assert (dashes.type, dashes.name) == ("scatter", "not known")
    assert chart.keys[-1] == tuple(layer.id for layer in unknown)
    assert not {layer.id for layer in unknown} & set(drawn(chart))
    assert "17 of 20 layers" in chart.summary
    assert f"Not known: {unknown[0].name}" in chart.summary


def test_nothing_known_says_what_would_help(made: ChartFacts) -> None:
    chart = layer_bars(made, Q.TIME)
    assert len(chart.figure.data) == 0
    assert chart.summary == "No measured time is known. Measure the performance first."


def test_the_largest_come_first_and_the_others_together() -> None:
    made = ChartFacts(make_layers(200))
    chart = layer_bars(made, Q.PARAMETERS, order=LARGEST_FIRST)
    [bars] = chart.figure.data
    amounts = bars.x[:MOST_RANKED]
    assert list(amounts) == sorted(amounts, reverse=True)
    assert len(bars.x) == MOST_RANKED + 1 and chart.keys[0][-1] == ""
    assert sum(bars.x) == pytest.approx(np.nansum(made.values(Q.PARAMETERS)))
    assert "170 other layers" in chart.figure.layout.yaxis.ticktext[-1]
    # Sensitivities have no sum.
    ranked = layer_bars(
        ChartFacts(made.layers, None, loss_of_layers(made.layers)),
        Q.SENSITIVITY,
        order=LARGEST_FIRST,
    )
    assert len(ranked.figure.data[0].x) == MOST_RANKED


def test_a_band_marks_a_layer(made: ChartFacts) -> None:
    chart = layer_bars(made, Q.PARAMETERS)
    [band] = chart.band("out_7")
    assert (band["x0"], band["x1"]) == (6.5, 7.5)
    assert chart.band("no layer") == []


def test_arrow_keys_go_along_the_model(made: ChartFacts) -> None:
    chart = layer_bars(made, Q.PARAMETERS)
    assert chart.after("out_7", 1) == "out_8"
    assert chart.after("", 1) == chart.after("out_0", -1) == "out_0"
    assert chart.after("", -1) == chart.after("out_19", 1) == "out_19"


def test_five_thousand_layers_are_numbers_in_binary() -> None:
    made = ChartFacts(make_layers(5_000))
    for chart in (layer_bars(made, Q.PARAMETERS), layer_lines(made, [Q.PARAMETERS, Q.MACS])):
        assert all(isinstance(trace.y, np.ndarray) for trace in chart.figure.data)
        assert not chart.figure.layout.xaxis.ticktext  # nobody could read them
        assert sum(map(len, chart.keys)) >= 5_000


def test_lines_have_a_plot_each_and_gaps(made: ChartFacts) -> None:
    chart = layer_lines(made, [Q.SENSITIVITY, Q.SPARSITY, Q.MACS, Q.TIME])
    assert len(chart.figure.data) == 3  # nothing is known of times
    macs = chart.figure.data[2]
    assert macs.yaxis == "y3" and not macs.connectgaps
    assert np.isnan(macs.y).sum() == 3
    domains = [chart.figure.layout[f"yaxis{n}"].domain for n in ("", 2, 3)]
    assert domains[0][1] == 1 and domains[2][0] == pytest.approx(0, abs=1e-9)
    assert domains[0][0] > domains[1][1] and domains[1][0] > domains[2][1]
    assert "Highest planned sparsity" in chart.summary


def test_lines_of_nothing_known_say_so(made: ChartFacts) -> None:
    assert len(layer_lines(made, [Q.TIME]).figure.data) == 0


def test_a_hostile_name_is_shown_as_text(made: ChartFacts) -> None:
    for chart in (
        layer_bars(made, Q.PARAMETERS),
        layer_bars(made, Q.PARAMETERS, order=LARGEST_FIRST),
        layer_lines(made, [Q.PARAMETERS]),
    ):
        texts = foreign_texts(chart)
        assert "<" not in texts and "%{" not in texts
        assert "&lt;" in texts and "&#37;" in texts
    assert HOSTILE[:20] in layer_bars(ChartFacts(made.layers[4:5]), Q.PARAMETERS).summary
