"""How long the solver takes: `python benchmarks/solver.py`.

Synthetic layers of 54, 500 and 2,000 units with 30 levels each: convex-ish curves with noise,
so that the choice is not a sort. For each mix of objective and bounds it prints the time to the
answer within a slider's patience (0.25 s) with the gap that is proven, and the time to the
proven optimum (at most 10 s), and the trade-off curve beside them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from studio_core.layers.layer import Layer, LayerStatus
from studio_core.layers.weight import Weight
from studio_core.models.tensor import Tensor
from studio_core.plans import Planner
from studio_core.plans.constraints import Constraints, Quantity
from studio_core.plans.pareto import pareto_points
from studio_core.plans.solver import Solver
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    LossCurve,
    Metric,
    PerfCurve,
    Source,
)

_LEVELS = np.linspace(0.05, 0.95, 30)
_SLIDER_S = 0.25
_PATIENCE_S = 10.0


class _SizedTensor:
    """A float32 tensor that has a size and no values."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size, self.shape = name, size, (size,)
        self.num_bytes, self.key, self.scope = 4 * size, (name, -1, -1), ()
        self.dtype = np.dtype(np.float32)


class _DenseWeight(Weight):
    def count_zeros(self) -> int:
        return 0


def make_solver(num_layers: int, seed: int = 0) -> Solver:
    """A solver over random layers with measured losses and timings."""
    rng = np.random.default_rng(seed)
    layers = [_layer(i, rng) for i in range(num_layers)]
    kl = Metric("softmax_kl", "KL divergence", "nats", False, "")
    losses = tuple(_losses(layer, rng) for layer in layers)
    timings = tuple(_timings(layer, rng) for layer in layers)
    loss = Analysis(AnalysisKind.LOSS, "random", Source.MEASURED, kl, losses)
    perf = Analysis(AnalysisKind.PERF, "random", Source.MEASURED, kl, timings)
    return Solver(Planner(layers, loss, perf))


def _layer(number: int, rng: np.random.Generator) -> Layer:
    size = int(10 ** rng.uniform(3, 6.3))
    tensor: Tensor = _SizedTensor(f"w{number}", size)  # type: ignore[assignment]
    macs = int(size * 10 ** rng.uniform(1, 3.5))
    return Layer(
        f"y{number}",
        f"w{number}",
        "",
        "Conv",
        (),
        (),
        {},
        LayerStatus.PRUNABLE,
        weight=_DenseWeight(tensor),
        macs=macs,
    )


def _losses(layer: Layer, rng: np.random.Generator) -> LossCurve:
    curve = 10 ** rng.uniform(-3, 0) * _LEVELS ** rng.uniform(1, 8)
    noisy = curve * (1 + 0.2 * rng.random(_LEVELS.size))
    return LossCurve(layer.id, layer.name, _LEVELS, noisy, 0.0, 0.1 * noisy)


def _timings(layer: Layer, rng: np.random.Generator) -> PerfCurve:
    dense = (layer.macs or 0) / 1e8
    left = 1 - _LEVELS * rng.uniform(0.2, 0.9)
    unknown = np.full(_LEVELS.size, np.nan)
    return PerfCurve(layer.id, layer.name, _LEVELS, unknown, None, dense * left, dense)


def _timed(action: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def _cases() -> dict[str, tuple[Quantity, Constraints]]:
    return {
        "loss, sparsity >= 0.8": (Quantity.LOSS, Constraints(min_sparsity=0.8)),
        "loss, flops <= 25 %": (Quantity.LOSS, Constraints(max_flops_share=0.25)),
        "latency, loss and sparsity": (Quantity.LATENCY, Constraints(max_loss=1, min_sparsity=0.5)),
        "loss, sparsity and flops": (
            Quantity.LOSS,
            Constraints(min_sparsity=0.8, max_flops_share=0.22),
        ),
        "loss, sparsity, flops, latency": (
            Quantity.LOSS,
            Constraints(min_sparsity=0.8, max_flops_share=0.22, max_latency_share=0.6),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, nargs="+", default=[54, 500, 2000])
    for num_layers in parser.parse_args().layers:
        built, solver = _timed(lambda n=num_layers: make_solver(n))  # type: ignore[misc]
        assert isinstance(solver, Solver)
        print(f"\n{num_layers} layers x {_LEVELS.size} levels (made in {built:.2f} s)")
        for name, (objective, constraints) in _cases().items():
            print(f"  {name:32}", _row(solver, objective, constraints))
        taken, points = _timed(lambda s=solver: list(pareto_points(s)))  # type: ignore[misc]
        assert isinstance(points, list)
        print(f"  {f'trade-off, {len(points)} exact points':32} {taken * 1e3:6.0f} ms")


def _row(solver: Solver, objective: Quantity, constraints: Constraints) -> str:
    quick_s, quick = _timed(lambda: solver.solve(objective, constraints, time_limit_s=_SLIDER_S))
    proof_s, proof = _timed(lambda: solver.solve(objective, constraints, time_limit_s=_PATIENCE_S))
    gap = quick.gap  # type: ignore[attr-defined]
    left = proof.gap  # type: ignore[attr-defined]
    end = "proven" if not left else f"gap {left:.1e}"
    return f"{quick_s * 1e3:6.0f} ms gap {gap:.1e} | {proof_s * 1e3:6.0f} ms {end}"


if __name__ == "__main__":
    main()
