"""One bar a layer, coloured by operator: in the order of the model, or the largest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from studio_core.layers import Layer
from studio_widgets import _format
from studio_widgets.charts import palette
from studio_widgets.charts.chart import Chart, axis, depth_axis, figure_of, nothing
from studio_widgets.charts.facts import ChartFacts, Floats, LayerQuantity
from studio_widgets.charts.text import listed, plotly_text, short_name

MODEL_ORDER, LARGEST_FIRST = "model order", "largest first"

MOST_RANKED = 30
"""Bars of a ranking; the layers after them are one more bar, where the quantity adds up."""

_NAME_LETTERS = 26


def layer_bars(
    facts: ChartFacts, quantity: LayerQuantity, *, order: str = MODEL_ORDER, selected: str = ""
) -> Chart:
    """The ``quantity`` of each layer; unknown values are a dash in the place of a bar."""
    label = f"{str(quantity)[0].upper()}{str(quantity)[1:]} by layer"
    values = facts.values(quantity)
    if not np.isfinite(values).any():
        return nothing(label, f"No {quantity} is known. {_how_to_know(quantity)}")
    draw = _ranked if order == LARGEST_FIRST else _in_order
    figure, keys, shown = draw(facts, quantity, values, selected)
    places = None if order == LARGEST_FIRST else {facts.layers[i].id: i for i in shown}
    return Chart(
        figure,
        label,
        _summary(facts, quantity, values),
        keys,
        tuple(facts.layers[i].id for i in shown),
        places,
    )


def _in_order(
    facts: ChartFacts, quantity: LayerQuantity, values: Floats, _selected: str
) -> tuple[go.Figure, tuple[tuple[str, ...], ...], list[int]]:
    layers = facts.layers
    colours = palette.operator_colours(layer.op_type for layer in layers)
    traces, keys = [], []
    for op_type, colour in colours.items():
        rows = [i for i, layer in enumerate(layers) if layer.op_type == op_type]
        known = [i for i in rows if np.isfinite(values[i])]
        traces.append(_bars_of(op_type, known, values, colour, quantity, layers))
        keys.append(tuple(layers[i].id for i in known))
    unknown = [i for i in range(len(layers)) if not np.isfinite(values[i])]
    if unknown:
        traces.append(_dashes(unknown, layers, quantity))
        keys.append(tuple(layers[i].id for i in unknown))
    layout = {
        "xaxis": depth_axis([short_name(layer.name, _NAME_LETTERS) for layer in layers]),
        "yaxis": _value_axis(facts, quantity),
        "barmode": "overlay",
        "bargap": 0.15 if len(layers) <= 300 else 0,
        "showlegend": True,
    }
    return figure_of(traces, layout), tuple(keys), list(range(len(layers)))


def _bars_of(
    op_type: str,
    rows: Sequence[int],
    values: Floats,
    colour: str,
    quantity: LayerQuantity,
    layers: Sequence[Layer],
) -> go.Bar:
    return go.Bar(
        x=np.array(rows, np.int32),
        y=values[list(rows)].astype(np.float32),
        width=0.85 if len(layers) <= 300 else 1.0,
        name=plotly_text(op_type),
        marker={"color": colour, "line": {"width": 0}},
        hovertext=_hover(rows, values, quantity, layers),
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _hover(
    rows: Sequence[int], values: Floats, quantity: LayerQuantity, layers: Sequence[Layer]
) -> list[str]:
    return [
        f"<b>{short_name(layers[i].name, 90)}</b><br>{plotly_text(layers[i].op_type)}, "
        f"{quantity} {quantity.text(values[i])}"
        for i in rows
    ]


def _dashes(rows: Sequence[int], layers: Sequence[Layer], quantity: LayerQuantity) -> go.Scatter:
    return go.Scatter(
        x=np.array(rows, np.int32),
        y=np.zeros(len(rows), np.float32),
        mode="markers",
        name="not known",
        marker={"color": palette.UNKNOWN, "symbol": "line-ew", "size": 7,
                "line": {"color": palette.UNKNOWN, "width": 2}},
        hovertext=[
            f"<b>{short_name(layers[i].name, 90)}</b><br>{plotly_text(_why(layers[i], quantity))}"
            for i in rows
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _why(layer: Layer, quantity: LayerQuantity) -> str:
    if quantity is LayerQuantity.MACS and layer.macs_unknown_because:
        return f"MACs not known: {layer.macs_unknown_because}"
    if not layer.is_prunable:
        return f"not prunable: {layer.reason}" if layer.reason else "not prunable"
    return f"{quantity} not known"


def _ranked(
    facts: ChartFacts, quantity: LayerQuantity, values: Floats, selected: str
) -> tuple[go.Figure, tuple[tuple[str, ...], ...], list[int]]:
    layers = facts.layers
    colours = palette.operator_colours(layer.op_type for layer in layers)
    known = np.flatnonzero(np.isfinite(values))
    ranked = known[np.argsort(-values[known], kind="stable")].tolist()
    shown, rest = ranked[:MOST_RANKED], ranked[MOST_RANKED:]
    texts = [short_name(layers[i].name, 44) for i in shown]
    amounts, paints = values[shown].tolist(), [colours[layers[i].op_type] for i in shown]
    hover, ids = _hover(shown, values, quantity, layers), [layers[i].id for i in shown]
    if rest and quantity.adds_up:
        amounts.append(float(values[rest].sum()))
        texts.append(f"{len(rest):,} other layers")
        hover.append(f"{texts[-1]}, together {quantity.text(amounts[-1])}")
        paints.append(palette.UNKNOWN)
        ids.append("")
    places = list(range(len(texts)))
    marks = [3 if i and i == selected else 0 for i in ids]
    bars = go.Bar(
        x=np.array(amounts, np.float32),
        y=np.array(places, np.int32),
        orientation="h",
        marker={"color": paints, "line": {"width": marks, "color": palette.INK}},
        text=[quantity.text(amount) for amount in amounts],
        textposition="outside",
        textfont={"size": 11},
        cliponaxis=False,
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    names: dict[str, Any] = {
        "tickmode": "array",
        "tickvals": places,
        "ticktext": texts,
        "tickfont": {"size": 11},
    }
    layout = {
        "height": 110 + 20 * len(texts),
        "xaxis": _value_axis(facts, quantity, rangemode="tozero"),
        "yaxis": axis(range=[len(texts) - 0.4, -0.6], showgrid=False, zeroline=False, **names),
        "margin": {"l": 64, "r": 64, "t": 28, "b": 48},
        "showlegend": False,
    }
    return figure_of([bars], layout), (tuple(ids),), shown


def _value_axis(facts: ChartFacts, quantity: LayerQuantity, **more: str) -> dict[str, object]:
    if quantity is LayerQuantity.SPARSITY:
        return axis(facts.label(quantity), range=[0, 1], **more)
    scale = {"exponentformat": "SI"} if quantity.adds_up else {}
    return axis(facts.label(quantity), **scale, **more)


def _summary(facts: ChartFacts, quantity: LayerQuantity, values: Floats) -> str:
    layers, known = facts.layers, np.isfinite(values)
    best = int(np.nanargmax(values))
    words = f"{int(known.sum()):,} of {len(layers):,} layers"
    if quantity.adds_up:
        total = float(values[known].sum())
        share = values[best] / total if total else float("nan")
        words += f", together {quantity.text(total)}"
        words += f"; the largest is {_format.shortened(layers[best].name, 60)} with "
        words += f"{quantity.text(values[best])} ({_format.percent(share)})"
    else:
        words += f"; the highest is {_format.shortened(layers[best].name, 60)} with "
        words += quantity.text(values[best])
    unknown = [layer.name for layer, is_known in zip(layers, known, strict=True) if not is_known]
    return f"{words}. Not known: {listed(unknown)}." if unknown else f"{words}."


def _how_to_know(quantity: LayerQuantity) -> str:
    return {
        LayerQuantity.SPARSITY: "Make a plan first.",
        LayerQuantity.SENSITIVITY: "An estimate or a measurement gives it.",
        LayerQuantity.TIME: "Measure the performance first.",
    }.get(quantity, "The shapes of this model do not say it.")
