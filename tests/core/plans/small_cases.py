"""Curves and planners for the solver's tests, over the three layers of the `mlp` model."""

import itertools

import numpy as np

from studio_core.plans import Planner, PruningPlan
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    LossCurve,
    Metric,
    PerfCurve,
    Source,
)

LEVELS = (0.25, 0.5, 0.75, 0.9)
KL = Metric("softmax_kl", "KL", "nats", False, "")
TIME = Metric("latency", "time", "ms", False, "")


def loss_analysis(layers, losses, errors=None, levels=LEVELS, metric=KL, **changes):
    """A measured analysis; ``losses`` and ``errors`` [layers][levels], None for no curve."""
    curves = tuple(
        LossCurve(
            layer.id,
            layer.name,
            np.array(levels),
            np.array(row, np.float64),
            standard_errors=None if errors is None else np.array(errors[i], np.float64),
        )
        for i, (layer, row) in enumerate(zip(layers, losses, strict=True))
        if row is not None
    )
    settings = {"source": Source.MEASURED, "provenance": {}, **changes}
    return Analysis(
        AnalysisKind.LOSS, "test", settings["source"], metric, curves, settings["provenance"]
    )


def perf_analysis(layers, timings, levels=LEVELS):
    """Measured timings [layers][1 + levels], the dense one first; None for no curve."""
    curves = tuple(
        PerfCurve(
            layer.id,
            layer.name,
            np.array(levels),
            np.full(len(levels), np.nan),
            None,
            np.array(row[1:], np.float64),
            float(row[0]),
        )
        for layer, row in zip(layers, timings, strict=True)
        if row is not None
    )
    return Analysis(AnalysisKind.PERF, "test", Source.MEASURED, TIME, curves)


def all_plans(session, losses, timings=None, levels=LEVELS, highest=1.0):
    """Every combination of known levels, as plan and quantities; counted by `Planner.estimate`."""
    layers = session.prunable_layers
    planner = Planner(session.layers, session.loss, session.perf)
    known = [(0.0, *levels) for _ in layers]
    worst = [np.maximum.accumulate([0.0, *row]) for row in losses]
    for picks in itertools.product(*[range(len(k)) for k in known]):
        sparsities = [k[i] for k, i in zip(known, picks, strict=True)]
        if max(sparsities) > highest:
            continue
        plan = PruningPlan({x.id: s for x, s in zip(layers, sparsities, strict=True)})
        estimate = planner.estimate(plan)
        yield (
            plan,
            {
                "loss": float(sum(w[i] for w, i in zip(worst, picks, strict=True))),
                "sparsity": estimate.sparsity,
                "bytes": float(estimate.bytes_sparse),
                "flops": estimate.flops,
                "latency_ms": None
                if timings is None
                else float(sum(t[i] for t, i in zip(timings, picks, strict=True))),
            },
        )
