"""Layers, analyses and a planner made of plain records, so that no model is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx

from studio_core.errors import InfeasibleError
from studio_core.layers.layer import Layer, LayerStatus
from studio_core.layers.weight import Weight
from studio_core.models.tensor import Tensor
from studio_core.plans.plan import PlanEstimate, PruningPlan
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    LossCurve,
    Metric,
    PerfCurve,
    Source,
)

HOSTILE = '<img src=x onerror="alert(1)"><b>&%{y}'
LEVELS = np.array([0.05, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
LOSS = Metric("l2", "share of L2 norm removed", "share", False, "")
WORK = Metric("flops", "multiply-accumulates left", "MACs", False, "")


def make_layer(
    index: int,
    *,
    name: str = "",
    status: LayerStatus = LayerStatus.PRUNABLE,
    macs: int | None = 118_013_952,
    num_zeros: int | None = 9,
) -> Layer:
    shape = (16 * (1 + index % 8), 16 * (1 + index % 5), 3, 3)
    tensor = Tensor(f"w{index}", onnx.TensorProto(dims=shape, data_type=1), storage=None)
    layer = Layer(
        id=f"out_{index}",
        name=name or f"stage{1 + index // 10}.block{index % 10}.conv.weight",
        node_name=f"/stage{1 + index // 10}/block{index % 10}/conv/Conv",
        op_type="Conv" if index % 7 else "Gemm",
        inputs=(f"in_{index}",),
        outputs=(f"out_{index}",),
        attributes={},
        status=status,
        reasons=() if status is LayerStatus.PRUNABLE else (f"It is {status.label}.",),
        weight=None if status is LayerStatus.NOT_PRUNABLE else Weight(tensor),
        bias_size=16,
        bias_bytes=64,
        macs=macs,
    )
    layer.__dict__["num_zeros"] = num_zeros  # the cached value; the tensor holds no data
    return layer


def make_layers(count: int) -> tuple[Layer, ...]:
    layers = [make_layer(i) for i in range(count)]
    odd = [LayerStatus.DEPTHWISE, LayerStatus.SHARED_WEIGHT, LayerStatus.IN_SUBGRAPH]
    for i, status in zip(range(2, count, 5), odd, strict=False):
        layers[i] = make_layer(i, status=status, macs=None)
    if count > 4:
        layers[4] = make_layer(4, name=HOSTILE)
        layers[-1] = make_layer(count - 1, status=LayerStatus.NOT_PRUNABLE, num_zeros=None)
    return tuple(layers)


def loss_of_layers(layers: Sequence[Layer], *, errors: bool = False) -> Analysis:
    rng = np.random.default_rng(0)
    curves = []
    for layer in layers:
        if not layer.is_prunable:
            continue
        losses = rng.uniform(0.3, 1.0) * LEVELS ** rng.uniform(1.5, 5.0)
        spread = 0.08 * losses if errors else None
        curves.append(LossCurve(layer.id, layer.name, LEVELS, losses, 0.0, spread))
    source = Source.MEASURED if errors else Source.ESTIMATED
    return Analysis(AnalysisKind.LOSS, "approx", source, LOSS, tuple(curves))


def perf_of_layers(layers: Sequence[Layer]) -> Analysis:
    curves = []
    for layer in layers:
        dense = float("nan") if layer.macs is None else float(layer.macs)
        base = None if layer.macs is None else dense
        curves.append(PerfCurve(layer.id, layer.name, LEVELS, dense * (1 - LEVELS), base))
    return Analysis(AnalysisKind.PERF, "approx", Source.ESTIMATED, WORK, tuple(curves))


class FakePlanner:
    """Gives every layer that is not locked the same sparsity, and counts how often."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self.prunable_layers = tuple(x for x in self.layers if x.is_prunable)
        self.calls: list[tuple[float, float, dict[str, float], float]] = []

    def distribute(
        self,
        target: float,
        *,
        balance: float = 1.0,
        locked: Mapping[str, float] | None = None,
        max_sparsity: float = 0.95,
    ) -> PruningPlan:
        held = dict(locked or {})
        self.calls.append((target, balance, held, max_sparsity))
        free = [x for x in self.layers if x.is_prunable and x.id not in held]
        total = sum(x.weight_size for x in self.layers if x.is_prunable)
        wanted = target * total - sum(
            x.weight_size * held[x.id] for x in self.layers if x.id in held
        )
        room = sum(x.weight_size for x in free)
        share = wanted / room if room else 0.0
        if not -1e-9 <= share <= max_sparsity + 1e-9:
            raise InfeasibleError("The locked layers leave no room for this average. Unlock one.")
        sparsities = {x.id: min(max(share, 0.0), 1.0) for x in free}
        return PruningPlan({**sparsities, **held}, frozenset(held), target, balance)

    def estimate(self, plan: PruningPlan) -> PlanEstimate:
        prunable = [x for x in self.layers if x.is_prunable]
        total = sum(x.weight_size for x in prunable)
        zeros = sum(round(x.weight_size * plan.sparsities.get(x.id, 0.0)) for x in prunable)
        return PlanEstimate(
            num_weights=total,
            num_zeros=zeros,
            sparsity=zeros / total,
            model_sparsity=zeros / total * 0.98,
            flops_dense=4_089_000_000,
            flops=round(4_089_000_000 * (1 - zeros / total)),
            bytes_dense=4 * total,
            bytes_sparse=4 * (total - zeros) + total // 8,
            loss=0.1 * zeros / total,
        )


def renamed(layers: Sequence[Layer], name: str) -> tuple[Layer, ...]:
    return tuple(replace(layer, name=name) for layer in layers)
