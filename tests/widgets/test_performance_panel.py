from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import studio_widgets as studio
from studio_core.errors import InvalidRequestError
from studio_core.samples import sample_path
from studio_core.sensitivity import Analysis
from studio_core.sensitivity.sweep.perf_documents import run_profile_of
from studio_core.sensitivity.sweep.profile import RuntimeProfile
from studio_core.sensitivity.sweep.timing import Timing
from studio_core.session import Session
from studio_widgets._performance import bars_document, layer_document, time_text, warnings_of


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def measured(session: Session) -> Analysis:
    progress = list(session.measure_perf(levels=(0.5, 0.9), iterations=8, warmup=1))
    return progress[-1].analysis()


def _sent(text: bytes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(zlib.decompress(text))
    return found


def test_the_bars_add_up_to_the_run(session: Session, measured: Analysis) -> None:
    document = bars_document(measured, session.layers)
    profile = run_profile_of(measured)
    assert profile is not None
    for bars in (document["bars"], document["ops"]):
        assert sum(bar["ms"] for bar in bars) == pytest.approx(profile.total_ms)
    layers = [bar for bar in document["bars"] if bar["id"]]
    assert [bar["ms"] for bar in layers] == sorted((b["ms"] for b in layers), reverse=True)
    assert {bar["id"] for bar in layers} == set(profile.layers)
    assert any(bar["name"] == "Gemm, 2 layers" for bar in document["ops"])
    assert "1 thread, batch of 1; medians of 8 runs" in document["words"]


def _profile(total: Timing) -> RuntimeProfile:
    quiet = Timing(1.0, 0.9, 1.1, 8)
    nothing = Timing(0.0, 0.0, 0.0, 8)
    return RuntimeProfile({"a": quiet}, {}, nothing, total, {}, "x", "1", 1, 1, 8, 1, "cpu")


def test_a_busy_machine_is_named() -> None:
    assert list(warnings_of(_profile(Timing(1.05, 1.0, 1.1, 8)))) == []
    (busy,) = warnings_of(_profile(Timing(1.5, 1.4, 1.6, 8)))
    assert "The machine was busy: 500\u2009µs" in busy
    (wide,) = warnings_of(_profile(Timing(1.05, 0.8, 1.4, 8)))
    assert "middle half" in wide


def test_no_gain_is_said_in_words(measured: Analysis) -> None:
    curve = measured.curves[0]
    channels = curve.channels  # type: ignore[union-attr]
    assert channels is not None
    same = replace(
        curve,
        baseline_timing_ms=0.5,
        timings_ms=np.array([0.5, np.nan]),
        channels=replace(channels, timings_ms=np.array([0.5, 0.1])),
    )
    document = layer_document(replace(measured, curves=(same,)), same.layer_id)
    assert document is not None
    no_gain, gain = document["words"]
    assert no_gain == "Single weights made zero bring no gain: onnxruntime computes with the zeros."
    assert "down to 100\u2009µs from 500\u2009µs at a sparsity of 0.90" in gain
    assert document["element"] == [[0.5, 0.5, document["element"][0][2]]]  # unknown is left out
    assert [row[0] for row in document["bytes"]] == ["0", "0.50", "0.90"]
    faster = replace(same, timings_ms=np.array([0.4, 0.5]))
    document = layer_document(replace(measured, curves=(faster,)), same.layer_id)
    assert document is not None
    assert "20.0\u2009% less time at a sparsity of 0.50" in document["words"][0]
    assert layer_document(measured, "no such layer") is None


def test_times_in_words() -> None:
    assert [time_text(t) for t in (None, float("nan"), 0.0, 0.0619, 1.5, -0.002)] == [
        "–", "–", "0\u2009ms", "61.9\u2009µs", "1.5\u2009ms", "-2\u2009µs",
    ]  # fmt: skip


def test_the_view_sends_the_selected_layer_only(session: Session, measured: Analysis) -> None:
    view = studio.PerformanceView(measured, session.layers)
    assert view._layer == b""
    view.selected_layer = session.layers[2].id
    assert _sent(view._layer)["name"] == session.layers[2].name
    assert len(view._bars) + len(view._layer) < 3000
    view.analysis = None
    assert view._bars == view._layer == b""


def test_measured_times_reach_plan_goal_and_verify(tmp_path: Path) -> None:
    wb = studio.open_sample("digits_cnn", project_root=tmp_path)
    goals = [key for _, key in wb.goal_panel.goal.options]
    assert "max_latency_share" not in goals
    with pytest.raises(InvalidRequestError):
        wb.measure_perf(iterations=0)
    wb.measure_perf(levels=(0.5, 0.9), iterations=8).wait()
    assert "all 71 steps measured" in wb.performance_panel.status.value
    assert wb.measured_perf is not None
    # Single weights are no faster: limits on time would be idle.
    assert wb.goal_panel.dense_ms is None
    data = wb.held_out_data
    wb.measure(
        data, metric="cross_entropy", samples=8, levels=(0.5, 0.9), granularity="channel"
    ).wait()
    assert wb.goal_panel.dense_ms == pytest.approx(wb.measured_perf.run_ms)
    assert "Predicted time" in wb.editor.estimates.value
    assert "by channels" in wb._parts.source.words.value
    wb.goal_panel.goal.value = "max_latency_ms"
    assert wb.goal_panel.limit.value == pytest.approx(0.8 * wb.goal_panel.dense_ms, rel=0.01)
    points = wb.goal_panel.trade_off("latency_ms")
    wb.goal_panel.limit.value = points[-1].value * 1.001
    found = wb.goal_panel.solve()
    assert found.latency.value_ms is not None
    assert found.latency.value_ms <= wb.goal_panel.limit.value
    wb.verify(latency_runs=3).wait()
    (verified,) = wb.verified
    assert verified.verification.latency is not None
    assert "Time of a run, before → after" in wb.verify_panel.result.value
    assert "compare the shares" in wb.verify_panel.result.value
    code = wb.copy_as_code()
    assert "wb.measure_perf(levels=[0.5, 0.9], iterations=8).wait()" in code
    assert "wb.measure(wb.held_out_data, metric='cross_entropy'" in code
    assert "granularity='channel').wait()" in code
    wb.selected_layer = wb.layers[0].id
    assert _sent(wb.performance_panel.view._layer)["name"] == wb.layers[0].name
