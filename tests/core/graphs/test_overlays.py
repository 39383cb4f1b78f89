"""Overlays and the colours that nodes take from them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio_core.graphs.overlays import (
    accuracy_overlay,
    overlay_colours,
    perf_overlay,
    sensitivity_overlay,
    slowest,
)
from studio_core.graphs.records import Graph, Overlay
from studio_core.sensitivity.analysis import Analysis, AnalysisKind, LossCurve, Metric, Source

from .conftest import node


def test_times_run_from_yellow_to_red():
    overlay = perf_overlay({"a": 100.0, "b": 200.0, "c": 300.0})
    assert overlay.gradient == ((0.0, "yellow"), (1.0, "red"))
    assert overlay_colours(overlay) == {"a": "#ffff00", "b": "#ff8000", "c": "#ff0000"}


def test_an_unknown_time_is_no_time():
    assert perf_overlay({"a": math.nan, "b": 1.0}).values == {"b": 1.0}
    assert overlay_colours(perf_overlay({"b": 1.0})) == {"b": "#ff0000"}


def test_accuracy_is_reached_less_expected():
    overlay = accuracy_overlay({"a": 0.97, "b": 0.999, "c": 0.5}, {"a": 0.99, "b": 0.99})
    assert overlay.values == {"a": pytest.approx(-0.02), "b": pytest.approx(0.009)}
    assert overlay.thresholds == ((0.0, "red"), (1.0, "green"))
    assert overlay_colours(overlay) == {"a": "#ff0000", "b": "#008000"}
    exactly = accuracy_overlay({"a": 0.5}, {"a": 0.5})
    assert overlay_colours(exactly) == {"a": "#ff0000"}


def test_a_value_above_all_thresholds_and_text_have_no_colour():
    overlay = Overlay("x", {"a": 2.0, "b": "good"}, thresholds=((1.0, "red"),))
    assert overlay_colours(overlay) == {}


def test_a_hostile_colour_colours_nothing():
    url = 'url("http://x")'
    assert overlay_colours(Overlay("x", {"a": 0.0}, thresholds=((1.0, url),))) == {}
    assert overlay_colours(Overlay("x", {"a": 0.0}, gradient=((0.0, url),))) == {}


def test_the_slowest_nodes_with_their_share_of_the_whole():
    graph = Graph("g", (node("a"), node("b"), node("c")))
    overlay = perf_overlay({"a": 10.0, "b": 30.0, "gone": 60.0})
    found = slowest(graph, overlay, most=1)
    assert [(v.node_id, v.label, v.value, v.share) for v in found] == [("b", "B", 30.0, 0.3)]


def test_sensitivity_is_read_off_the_curves():
    curves = (
        LossCurve("a", "A", np.array([0.5, 1.0]), np.array([0.2, 0.6])),
        LossCurve("b", "B", np.array([0.5, 1.0]), np.array([np.nan, np.nan])),
    )
    metric = Metric("m", "M", "nats", False, "")
    analysis = Analysis(AnalysisKind.LOSS, "x", Source.MEASURED, metric, curves)
    overlay = sensitivity_overlay(analysis, 0.75)
    assert overlay.values == {"a": pytest.approx(0.4)}
    assert overlay.unit == "nats"
