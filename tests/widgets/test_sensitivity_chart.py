from __future__ import annotations

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest

import studio_widgets as studio
from studio_core.samples import sample_path
from studio_core.sensitivity import Analysis, AnalysisKind, LossCurve, Source
from studio_widgets._curves import axis_label, curve_set

from .conftest import Wire
from .fakes import HOSTILE, LEVELS, LOSS, loss_of_layers, make_layer, make_layers, perf_of_layers


def _labels(chart: studio.SensitivityChart) -> dict[str, object]:
    labels: dict[str, object] = json.loads(zlib.decompress(chart._labels))
    return labels


def _loss(*curves: LossCurve) -> Analysis:
    return Analysis(AnalysisKind.LOSS, "x", Source.ESTIMATED, LOSS, curves)


def test_the_buffer_holds_scores_levels_values_and_errors() -> None:
    layers = make_layers(7)
    chart = studio.SensitivityChart(loss_of_layers(layers, errors=True))
    n, m = 6, len(LEVELS) + 1  # the baseline comes first
    numbers = np.frombuffer(chart._curves, "<f4")
    assert _labels(chart)["shared_levels"] is True
    assert numbers.size == n + m + 2 * n * m
    assert numbers[n : n + m].tolist() == pytest.approx([0.0, *LEVELS])


def test_levels_that_differ_are_sent_for_each_layer() -> None:
    few = LossCurve("a", "a", np.array([0.5, 0.9]), np.array([0.1, 0.4]))
    many = LossCurve("b", "b", np.array([0.3, 0.5, 0.9]), np.array([0.1, np.nan, 0.4]))
    chart = studio.SensitivityChart(_loss(few, many))
    assert _labels(chart)["shared_levels"] is False
    numbers = np.frombuffer(chart._curves, "<f4")
    assert numbers.size == 2 + 2 * (2 * 4)
    assert np.isnan(numbers[2:6]).tolist() == [False, False, False, True]


def test_an_unknown_level_is_not_zero() -> None:
    curve = LossCurve("a", "a", np.array([0.5, 0.9]), np.array([np.nan, np.nan]))
    curves = curve_set(_loss(curve))
    assert np.isnan(curves.scores[0])
    assert np.isnan(curves.values[0]).tolist() == [False, True, True]


def test_scores_are_the_means_of_the_curves() -> None:
    straight = LossCurve("a", "a", np.array([0.5, 1.0]), np.array([0.5, 1.0]))
    assert curve_set(_loss(straight)).scores.tolist() == [0.5]


def test_labels_say_unit_source_and_direction() -> None:
    layers = make_layers(3)
    assert axis_label(loss_of_layers(layers)) == (
        "share of L2 norm removed (estimated, lower is better)"
    )
    better = replace(loss_of_layers(layers), metric=replace(LOSS, higher_is_better=True))
    assert axis_label(better).endswith("(estimated, higher is better)")


def test_work_is_drawn_as_the_share_of_the_whole_model() -> None:
    layers = [make_layer(0, macs=300), make_layer(1, macs=100), make_layer(2, macs=None)]
    curves = curve_set(perf_of_layers(layers))
    assert curves.values[:, 0].tolist()[:2] == [0.75, 0.25]
    assert np.isnan(curves.values[2]).all()
    assert np.isnan(curves.scores[2])


def test_a_new_analysis_of_the_same_layers_is_one_buffer(wire: Wire) -> None:
    layers = make_layers(200)
    analysis = loss_of_layers(layers)
    chart = studio.SensitivityChart(analysis)
    wire.take()
    curves = [replace(c, losses=c.losses * 2) for c in analysis.curves]
    chart.analysis = replace(analysis, curves=tuple(curves))
    sizes = wire.take()
    assert len(sizes) == 1
    assert sizes[0] < 10_000
    assert "_labels" not in wire.contents


def test_selection_is_one_tiny_message(wire: Wire) -> None:
    chart = studio.SensitivityChart(loss_of_layers(make_layers(200)))
    wire.take()
    chart.selected_layer = "out_3"
    assert len(wire.sizes) == 1
    assert wire.sizes[0] < 100


def test_plotly_names_are_escaped() -> None:
    layers = make_layers(6)
    chart = studio.SensitivityChart(loss_of_layers(layers), selected_layer="out_1")
    figure = chart.to_plotly()
    names = [trace.name for trace in figure.data]
    assert len(names) == 5
    assert not any("<" in name for name in names)
    assert HOSTILE.replace("<", "&lt;")[:4] in "".join(names)
    assert [trace.name for trace in figure.data if trace.showlegend] == [layers[1].name]


def test_an_opened_model_will_do() -> None:
    chart = studio.SensitivityChart(sample_path("digits_cnn"))
    assert len(chart.analysis.curves) == 14


def test_unknown_keyword_names_the_nearest_one() -> None:
    with pytest.raises(TypeError, match="Did you mean 'log_y'"):
        studio.SensitivityChart(loss_of_layers(make_layers(3)), logy=True)
