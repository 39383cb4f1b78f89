"""Layers and curves made up for a test, without a model file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest

from studio_core.layers.layer import Layer, LayerStatus
from studio_core.layers.weight import Weight
from studio_core.models.tensor import Tensor
from studio_core.sensitivity import Analysis, AnalysisKind, LossCurve, PerfCurve, Source
from studio_core.sensitivity.flops import FLOPS
from studio_core.sensitivity.magnitude import METRICS, MagnitudeMetric

PLAIN = METRICS[MagnitudeMetric.MAGNITUDE]  # losses of layers add up as they are
SQUARED = METRICS[MagnitudeMetric.L2_SHARE]  # their squares do


@pytest.fixture(scope="session")
def make_layer() -> Callable[..., Layer]:
    def make(
        layer_id: str,
        size: int = 10,
        *,
        values: Sequence[float] | None = None,
        macs: int | None = 100,
        bias: int = 0,
        weight_name: str = "",
        prunable: bool = True,
    ) -> Layer:
        name = weight_name or f"{layer_id}.weight"
        array = np.ones(size, np.float32) if values is None else np.array(values, np.float32)
        proto = onnx.numpy_helper.from_array(array, name)
        return Layer(
            layer_id, name, layer_id, "Gemm", (), (layer_id,), {},
            LayerStatus.PRUNABLE if prunable else LayerStatus.NOT_PRUNABLE,
            weight=Weight(Tensor(name, proto, None)),
            bias_size=bias, bias_bytes=4 * bias, macs=macs,
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def loss_of() -> Callable[..., Analysis]:
    """A loss analysis from {layer id: losses} on common levels."""

    def make(
        levels: Sequence[float], rows: dict[str, Sequence[float]], *, squared: bool = False
    ) -> Analysis:
        curves = tuple(
            LossCurve(i, f"{i}.weight", np.array(levels, float), np.array(row, float))
            for i, row in rows.items()
        )
        metric = SQUARED if squared else PLAIN
        return Analysis(AnalysisKind.LOSS, "test", Source.MEASURED, metric, curves)

    return make


@pytest.fixture(scope="session")
def perf_of() -> Callable[..., Analysis]:
    """A perf analysis from {layer id: (baseline, work at each level)}; None is unknown."""

    def make(
        levels: Sequence[float],
        rows: dict[str, tuple[float | None, Sequence[float]]],
        timings: dict[str, tuple[float, Sequence[float]]] | None = None,
    ) -> Analysis:
        curves = []
        for i, (baseline, row) in rows.items():
            start, times = (timings or {}).get(i, (None, None))
            curves.append(
                PerfCurve(
                    i,
                    f"{i}.weight",
                    np.array(levels, float),
                    np.array(row, float),
                    baseline,
                    None if times is None else np.array(times, float),
                    start,
                )
            )
        return Analysis(AnalysisKind.PERF, "test", Source.MEASURED, FLOPS, tuple(curves))

    return make
