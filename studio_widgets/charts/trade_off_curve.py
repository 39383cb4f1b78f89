"""The trade-off of a model: the best plan for every value, and where the present plan lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from studio_core.plan_runs.solving import PlanRoom
from studio_core.plans import PruningPlan
from studio_core.plans.constraints import Quantity
from studio_core.plans.pareto import ParetoPoint
from studio_core.plans.verification import Verification
from studio_widgets import _format
from studio_widgets._performance import time_text
from studio_widgets.charts import palette
from studio_widgets.charts.chart import Chart, axis, figure_of, nothing
from studio_widgets.charts.text import plotly_text

NUM_POINTS = 40


@dataclass(frozen=True)
class PlanPoint:
    """A plan in the plane of a trade-off; ``error`` is a standard error, None where unknown."""

    value: float
    loss: float
    error: float | None
    name: str


def present_point(room: PlanRoom, plan: PruningPlan, quantity: Quantity) -> PlanPoint | None:
    """Where ``plan`` should lie, by prediction; None where its value is not known."""
    judged = room.judge(plan)
    estimate = judged.estimate
    value: float | None = {
        Quantity.SPARSITY: estimate.sparsity,
        Quantity.BYTES: float(estimate.bytes_sparse),
        Quantity.FLOPS: None if estimate.flops is None else float(estimate.flops),
        Quantity.LATENCY: room.solver.planner.predict_latency(judged.plan).value_ms,
    }.get(quantity)
    if value is None:
        return None
    predicted = judged.predicted
    return PlanPoint(value, predicted.value, predicted.standard_error, "present plan, predicted")


def verified_points(
    verified: Sequence[Verification], quantity: Quantity, metric: str
) -> tuple[PlanPoint, ...]:
    """Plans that were run, by what they really lost; those in another metric are left out."""
    found = []
    for number, one in enumerate(verified, 1):
        value = _actual(one, quantity)
        if value is not None and one.loss.metric == metric:
            name = f"verified plan {number}"
            found.append(PlanPoint(value, one.loss.mean, one.loss.standard_error, name))
    return tuple(found)


def _actual(one: Verification, quantity: Quantity) -> float | None:
    if quantity is Quantity.LATENCY:
        return None if one.latency is None else one.latency.pruned_ms
    costs = {
        Quantity.SPARSITY: one.costs.sparsity,
        Quantity.BYTES: float(one.costs.bytes_sparse),
        Quantity.FLOPS: None if one.costs.flops is None else float(one.costs.flops),
    }
    return costs.get(quantity)


def trade_off_curve(
    points: Sequence[ParetoPoint],
    *,
    present: PlanPoint | None = None,
    verified: Sequence[PlanPoint] = (),
    log_y: bool = False,
) -> Chart:
    """The best plans as a line, the present plan as a diamond, plans that were run as squares."""
    if not points:
        return nothing("Trade-off", "There is no trade-off to draw: no layer can be pruned.")
    first = points[0]
    quantity, metric = first.quantity, first.loss.metric
    traces = [_line(points)]
    if present is not None:
        traces.append(_marks([present], "diamond", palette.PLAN, present.name, quantity))
    if verified:
        traces.append(_marks(verified, "square", palette.HEAT[1], "verified by a run", quantity))
    scale = {"tickformat": ".0%"} if quantity is Quantity.SPARSITY else {"exponentformat": "SI"}
    unit = " [ms]" if quantity is Quantity.LATENCY else ""
    layout = {
        "height": 430,
        "xaxis": axis(f"{quantity.label}{unit}", **scale),
        "yaxis": axis(
            plotly_text(f"loss, {metric} ({first.loss.source})"),
            rangemode="tozero",
            type="log" if log_y else "linear",
        ),
        "showlegend": True,
        "hovermode": "closest",
    }
    summary = _summary(points, present, len(verified))
    return Chart(figure_of(traces, layout), f"Loss against {quantity.label}", summary)


def _line(points: Sequence[ParetoPoint]) -> go.Scatter:
    errors = [point.loss.standard_error for point in points]
    bars = np.array([0.0 if e is None or not math.isfinite(e) else e for e in errors], np.float32)
    texts = [
        f"<b>best plan</b><br>{_text(p.quantity, p.value)}<br>predicted loss "
        f"{_format.value(p.loss.value, p.loss.standard_error or None)}"
        for p in points
    ]
    return go.Scatter(
        x=np.array([p.value for p in points]),
        y=np.array([p.loss.value for p in points]),
        error_y={"type": "data", "array": bars, "thickness": 1, "width": 0, "color": palette.ACCENT}
        if bars.any()
        else None,
        mode="lines+markers",
        name="best plans, predicted",
        line={"color": palette.ACCENT, "width": 2},
        marker={"size": 6, "color": palette.ACCENT},
        hovertext=texts,
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _marks(
    points: Sequence[PlanPoint], symbol: str, colour: str, name: str, quantity: Quantity
) -> go.Scatter:
    errors = np.array([p.error or 0.0 for p in points], np.float32)
    return go.Scatter(
        x=np.array([p.value for p in points]),
        y=np.array([p.loss for p in points]),
        error_y={"type": "data", "array": errors, "thickness": 1.3, "width": 4, "color": colour},
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": 13, "color": colour,
                "line": {"color": palette.GROUND, "width": 1.5}},
        hovertext=[
            f"<b>{plotly_text(p.name)}</b><br>{_text(quantity, p.value)}<br>loss "
            f"{_format.value(p.loss, p.error)}"
            for p in points
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _text(quantity: Quantity, value: float) -> str:
    """A value with what it is of: 'average sparsity 50.0 %'."""
    words = {
        Quantity.SPARSITY: _format.percent,
        Quantity.BYTES: _format.size,
        Quantity.FLOPS: _format.count,
        Quantity.LATENCY: time_text,
    }[quantity](value)
    return f"{quantity.label} {words}"


def _summary(points: Sequence[ParetoPoint], present: PlanPoint | None, num_verified: int) -> str:
    first, last = points[0], points[-1]
    quantity = first.quantity
    words = (
        f"From a predicted loss of {_format.value(first.loss.value)} at "
        f"{_text(quantity, first.value)} to {_format.value(last.loss.value)} at "
        f"{_text(quantity, last.value)}."
    )
    if present is not None:
        words += (
            f" The present plan: {_format.value(present.loss, present.error)} at "
            f"{_text(quantity, present.value)}."
        )
    plural = "s" * (num_verified != 1)
    return words + (f" {num_verified} verified plan{plural}." if num_verified else "")
