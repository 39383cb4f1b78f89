"""Lines over the layers, depth on x: several quantities, one small plot below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from studio_widgets import _format
from studio_widgets.charts import palette
from studio_widgets.charts.chart import Chart, axis, depth_axis, figure_of, nothing
from studio_widgets.charts.facts import ChartFacts, Floats, LayerQuantity
from studio_widgets.charts.text import plotly_text, short_name

MOST_LINES = 4
_MOST_MARKERS = 150
_GAP = 0.13
_COLOURS = {
    LayerQuantity.SENSITIVITY: palette.HEAT[4],
    LayerQuantity.SPARSITY: palette.PLAN,
    LayerQuantity.PARAMETERS: palette.KIND[6],
    LayerQuantity.MACS: palette.ACCENT,
    LayerQuantity.SIZE: palette.KIND[8],
    LayerQuantity.TIME: palette.KIND[7],
}


def layer_lines(facts: ChartFacts, quantities: Sequence[LayerQuantity]) -> Chart:
    """At most `MOST_LINES` of the ``quantities``; a line has a gap where a value is unknown."""
    label = "Over the depth of the model"
    shown = [q for q in quantities if np.isfinite(facts.values(q)).any()][:MOST_LINES]
    if not shown:
        return nothing(label, "Nothing of this is known yet.")
    layers = facts.layers
    rows = [facts.values(quantity) for quantity in shown]
    names = [f"<b>{short_name(layer.name, 90)}</b>" for layer in layers]
    traces = [_line(q, row, i, names) for i, (q, row) in enumerate(zip(shown, rows, strict=True))]
    ids = tuple(layer.id for layer in layers)
    layout: dict[str, Any] = {
        "height": 110 + 150 * len(shown),
        "showlegend": False,
        "hovermode": "closest",
        "xaxis": depth_axis(
            [short_name(layer.name, 26) for layer in layers],
            anchor="free" if len(shown) > 1 else "y",
            position=0,
        ),
    }
    for i, quantity in enumerate(shown):
        layout[f"yaxis{i + 1 if i else ''}"] = _small_axis(quantity, i, len(shown))
    layout["annotations"] = [_heading(facts, q, i, len(shown)) for i, q in enumerate(shown)]
    return Chart(
        figure_of(traces, layout),
        label,
        " ".join(map(_highest, shown, rows, [facts] * len(shown))),
        (ids,) * len(shown),
        ids,
        {layer_id: i for i, layer_id in enumerate(ids)},
    )


def _line(quantity: LayerQuantity, row: Floats, place: int, names: list[str]) -> go.Scatter:
    few = len(row) <= _MOST_MARKERS
    return go.Scatter(
        x=np.arange(len(row), dtype=np.int32),
        y=row.astype(np.float32),
        yaxis=f"y{place + 1 if place else ''}",
        mode="lines+markers" if few else "lines",
        # Steps of a plan are no slope.
        line={"color": _COLOURS[quantity], "width": 2 if few else 1.2,
              "shape": "hvh" if quantity is LayerQuantity.SPARSITY else "linear"},
        marker={"size": 5},
        connectgaps=False,
        hovertext=[
            f"{n}<br>{quantity} {quantity.text(v)}" for n, v in zip(names, row, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _small_axis(quantity: LayerQuantity, place: int, count: int) -> dict[str, Any]:
    low, top = _domain(place, count)
    scale = {"range": [0, 1.04]} if quantity is LayerQuantity.SPARSITY else {"rangemode": "tozero"}
    more = {"exponentformat": "SI"} if quantity.adds_up else {}
    return axis(domain=[low, top], nticks=5, **scale, **more)


def _domain(place: int, count: int) -> tuple[float, float]:
    """Where a small plot stands, from the bottom to the top of the figure."""
    height = (1 - _GAP * (count - 1)) / count
    top = 1 - place * (height + _GAP)
    return max(0.0, top - height), top


def _heading(facts: ChartFacts, quantity: LayerQuantity, place: int, count: int) -> dict[str, Any]:
    """The quantity's name over its plot: beside it, long ones would run into each other."""
    return {
        "text": f"<b>{plotly_text(facts.short_label(quantity))}</b>",
        "font": {"color": _COLOURS[quantity], "size": 12},
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": _domain(place, count)[1],
        "xanchor": "left",
        "yanchor": "bottom",
    }


def _highest(quantity: LayerQuantity, row: Floats, facts: ChartFacts) -> str:
    best = int(np.nanargmax(row))
    name = _format.shortened(facts.layers[best].name, 60)
    return f"Highest {quantity}: {name} ({quantity.text(row[best])})."
