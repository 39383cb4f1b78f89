"""Curves of a few layers with their standard errors: the selected one and the most sensitive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from studio_core.sensitivity import Analysis
from studio_widgets import _format
from studio_widgets._curves import CurveSet, curve_set
from studio_widgets.charts import palette
from studio_widgets.charts.chart import Chart, axis, figure_of, nothing
from studio_widgets.charts.text import plotly_text, short_name

NUM_SENSITIVE = 5
_COLOURS = tuple(palette.KIND[i] for i in (4, 6, 7, 3, 5, 10, 9, 0, 8, 1))


def loss_curves(
    analysis: Analysis,
    *,
    selected: str = "",
    chosen: Sequence[str] = (),
    num_sensitive: int = NUM_SENSITIVE,
    log_y: bool = False,
) -> Chart:
    """The curves of the layers ``chosen`` and ``selected``, and of the most sensitive ones.

    Error bars are one standard error; an analysis without a measurement has none. The line of
    the selected layer is strong. Only known levels are drawn, and joined.
    """
    curves = curve_set(analysis)
    rows = _rows(curves, [*chosen, selected], num_sensitive)
    if not rows:
        return nothing("Curves", "This analysis has no known level yet.")
    paints = dict(zip(sorted(rows), _COLOURS * len(rows), strict=False))
    traces = [_curve(curves, row, paints[row], curves.ids[row] == selected) for row in rows]
    keys = tuple((curves.ids[row],) * len(trace.x) for row, trace in zip(rows, traces, strict=True))
    has_errors = curves.standard_errors is not None
    layout = {
        "height": 430,
        "xaxis": axis("sparsity of the layer", range=[-0.02, 1.02]),
        "yaxis": axis(
            plotly_text(_format.shortened(analysis.metric.label, 46)),
            type="log" if log_y else "linear",
        ),
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom"},
    }
    worst = int(np.nanargmax(curves.scores))
    summary = (
        f"{len(rows)} of {len(curves.ids):,} layers; the most sensitive is "
        f"{_format.shortened(curves.names[worst], 60)}. "
        f"Values: {curves.label}. "
        + ("Bars are one standard error." if has_errors else "An estimate has no error bars.")
    )
    order = tuple(curves.ids[row] for row in rows)
    return Chart(figure_of(traces, layout), "Curves of single layers", summary, keys, order)


def _rows(curves: CurveSet, wanted: Sequence[str], num_sensitive: int) -> list[int]:
    """Rows to draw, the most sensitive first."""
    known = [i for i, score in enumerate(curves.scores) if np.isfinite(score)]
    ranked = sorted(known, key=lambda i: -float(curves.scores[i]))
    named = {curves.ids.index(name) for name in wanted if name in curves.ids}
    return [i for i in ranked if i in named or i in ranked[:num_sensitive]]


def _curve(curves: CurveSet, row: int, colour: str, is_selected: bool) -> go.Scatter:
    xs, ys = curves.sparsities[row], curves.values[row]
    known = np.isfinite(xs) & np.isfinite(ys)
    errors = None if curves.standard_errors is None else curves.standard_errors[row][known]
    name = short_name(curves.names[row], 34)
    return go.Scatter(
        x=xs[known].astype(np.float32),
        y=ys[known].astype(np.float32),
        error_y=_bars(errors, colour),
        mode="lines+markers",
        name=f"<b>{name}</b>" if is_selected else name,
        line={"color": colour, "width": 4 if is_selected else 2},
        marker={"size": 8 if is_selected else 6, "color": colour},
        hovertext=_hover(curves, row, known, errors),
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _bars(errors: np.ndarray | None, colour: str) -> dict[str, object] | None:
    if errors is None:
        return None
    array = np.nan_to_num(errors).astype(np.float32)
    return {"type": "data", "array": array, "thickness": 1.3, "width": 4, "color": colour}


def _hover(curves: CurveSet, row: int, known: np.ndarray, errors: np.ndarray | None) -> list[str]:
    xs, ys = curves.sparsities[row][known], curves.values[row][known]
    margins = [None] * len(xs) if errors is None else errors.tolist()
    name = short_name(curves.names[row], 90)
    return [
        f"<b>{name}</b><br>at {_format.fraction(x)}: {_format.value(y, e)}"
        for x, y, e in zip(xs.tolist(), ys.tolist(), margins, strict=True)
    ]
