"""Where the time of a run goes: one bar an operator, with its layers or operations in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from studio_core.explorer.running import ExecutedRun
from studio_widgets import _format
from studio_widgets._graph_wire import name_of
from studio_widgets._performance import time_text
from studio_widgets.charts import palette
from studio_widgets.charts.chart import Chart, axis, figure_of, nothing
from studio_widgets.charts.facts import ChartFacts
from studio_widgets.charts.text import plotly_text, short_name

MOST_PARTS = 60
"""Parts of a bar that stand alone; the smaller ones are one part."""

MOST_BARS = 24


@dataclass(frozen=True)
class OpTime:
    """The time of one layer or operation; ``key`` is its id, "" for what is none."""

    key: str
    name: str
    operator: str
    ms: float


def times_of_layers(facts: ChartFacts) -> tuple[OpTime, ...]:
    """Measured times of the layers, and of what is no layer's; together they are the run."""
    profile = facts.profile
    if profile is None:
        return ()
    rows = [
        OpTime(layer.id, layer.name, layer.op_type, profile.layers[layer.id].median_ms)
        for layer in facts.layers
        if layer.id in profile.layers
    ]
    rows += [OpTime("", name, name, t.median_ms) for name, t in profile.other_kernels.items()]
    rows.append(OpTime("", "", "between kernels", profile.between_kernels.median_ms))
    # On a quiet machine the medians of the parts may be more than that of the whole.
    rows.append(OpTime("", "", "in no median", max(0.0, profile.disturbance_ms)))
    return tuple(rows)


def times_of_run(executed: ExecutedRun) -> tuple[OpTime, ...]:
    """Measured times of the operations of a module's or model's run, and what is none's."""
    nodes = executed.graph.by_id
    rows = [
        OpTime(node, name_of(nodes[node]), nodes[node].label, ns / 1e6)
        for node, ns in executed.times_ns.items()
        if node in nodes
    ]
    total = executed.result.total_ns
    if total is not None and rows:
        rest = total / 1e6 - sum(row.ms for row in rows)
        rows.append(OpTime("", "", "no operation's", max(0.0, rest)))
    return tuple(rows)


def op_times(
    rows: Sequence[OpTime], *, label: str = "Time by operator", selected: str = ""
) -> Chart:
    """A bar for each operator, the longest first; grey is what is no layer or operation."""
    if not rows:
        return nothing(label, "No time was measured yet.")
    groups = _by_operator(rows)
    paints = palette.operator_colours(row.operator for row in rows if row.key)
    total = sum(row.ms for row in rows)
    parts = [
        (place, part, base)
        for place, (_, members) in enumerate(groups)
        for part, base in _stacked(members)
    ]
    bars = go.Bar(
        orientation="h",
        x=np.array([part.ms for _, part, _ in parts]),
        y=np.array([place for place, _, _ in parts], np.int32),
        base=np.array([base for _, _, base in parts]),
        marker={
            "color": [paints.get(p.operator, palette.UNKNOWN) if p.key or p.name == _SMALLER
                      else palette.UNKNOWN for _, p, _ in parts],
            "line": {
                "color": [palette.INK if p.key and p.key == selected else palette.GROUND
                          for _, p, _ in parts],
                "width": [3 if p.key and p.key == selected else 0.7 for _, p, _ in parts],
            },
        },
        hovertext=[_hover(part, total) for _, part, _ in parts],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip
    chart = figure_of([bars], _layout(groups, total))
    keys = (tuple(part.key for _, part, _ in parts),)
    order = tuple(part.key for _, part, _ in parts if part.key)
    return Chart(chart, label, _summary(groups, total), keys, order)


_SMALLER = "smaller ones"
_Groups = list[tuple[str, list[OpTime]]]


def _by_operator(rows: Iterable[OpTime]) -> _Groups:
    """Operators with their rows, both the longest first; the rarest operators are together."""
    found: dict[str, list[OpTime]] = {}
    for row in sorted(rows, key=lambda row: -row.ms):
        found.setdefault(row.operator, []).append(row)
    groups = sorted(found.items(), key=lambda group: -sum(row.ms for row in group[1]))
    shown, rest = groups[:MOST_BARS], [row for _, rows in groups[MOST_BARS:] for row in rows]
    if rest:
        shown.append((f"{len(groups) - MOST_BARS} other operators", rest))
    return shown


def _stacked(rows: list[OpTime]) -> list[tuple[OpTime, float]]:
    """The parts of one bar, each with where it begins."""
    shown, rest = rows[:MOST_PARTS], rows[MOST_PARTS:]
    if rest:
        shown = [*shown, OpTime("", _SMALLER, rest[0].operator, sum(row.ms for row in rest))]
    begins = np.concatenate([[0.0], np.cumsum([row.ms for row in shown])])[:-1]
    return list(zip(shown, begins.tolist(), strict=True))


def _hover(part: OpTime, total: float) -> str:
    share = _format.percent(part.ms / total) if total else _format.UNKNOWN
    name = f"<b>{short_name(part.name or part.operator, 90)}</b><br>"
    return f"{name}{plotly_text(part.operator)}, {time_text(part.ms)} ({share} of the run)"


def _layout(groups: _Groups, total: float) -> dict[str, object]:
    sums = [sum(row.ms for row in rows) for _, rows in groups]
    ticks = [
        f"{short_name(op, 32)}{f' × {len(rows):,}' if len(rows) > 1 else ''}" for op, rows in groups
    ]
    notes = [
        {"x": ms, "y": place, "xanchor": "left", "xshift": 4, "showarrow": False,
         "font": {"size": 11},
         "text": f"{time_text(ms)} · {_format.percent(ms / total) if total else '–'}"}
        for place, ms in enumerate(sums)
    ]  # fmt: skip
    names: dict[str, Any] = {
        "tickmode": "array",
        "tickvals": list(range(len(ticks))),
        "ticktext": ticks,
    }
    return {
        "height": 110 + 30 * len(ticks),
        "barmode": "overlay",
        "annotations": notes,
        "margin": {"l": 64, "r": 110, "t": 12, "b": 48},
        "xaxis": axis("time in a run [ms]", rangemode="tozero"),
        "yaxis": axis(range=[len(ticks) - 0.4, -0.6], showgrid=False, zeroline=False, **names),
    }


def _summary(groups: _Groups, total: float) -> str:
    operator, rows = groups[0]
    share = sum(row.ms for row in rows) / total if total else float("nan")
    return (
        f"A run takes {time_text(total)}; most of it is {_format.shortened(operator, 40)} "
        f"({_format.percent(share)})."
    )
