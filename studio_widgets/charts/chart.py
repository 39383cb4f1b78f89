"""What every chart answers (`Chart`), and the look that all have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from studio_widgets.charts import palette

HEIGHT = 380
_BAND = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure with what is said of it, as plain text.

    ``keys`` holds, for each trace, the id of the layer or node at each point, "" where a point
    is none: it is what a click means. ``order`` are the ids that arrow keys go through.
    ``places`` are the positions on the x axis at which an id can be marked.
    """

    figure: go.Figure
    label: str
    summary: str
    keys: tuple[tuple[str, ...], ...] = ()
    order: tuple[str, ...] = ()
    places: Mapping[str, float] | None = None

    def key_at(self, trace: int, point: int) -> str:
        """The id at a point of a trace; "" where there is none."""
        found = self.keys[trace] if 0 <= trace < len(self.keys) else ()
        return found[point] if 0 <= point < len(found) else ""

    def after(self, key: str, by: int) -> str:
        """The id ``by`` steps from ``key`` in the order, the ends being ends."""
        if not self.order:
            return ""
        if key not in self.order:
            return self.order[0 if by > 0 else -1]
        place = self.order.index(key) + by
        return self.order[min(max(place, 0), len(self.order) - 1)]

    def band(self, key: str) -> list[dict[str, Any]]:
        """A band behind the place of ``key``, as Plotly's shapes; none where it has no place."""
        if self.places is None or key not in self.places:
            return []
        at = self.places[key]
        # Of many layers one would be too thin to be seen.
        half = max(0.5, len(self.places) / 300)
        line = {"color": palette.ACCENT, "width": 1}
        return [
            _BAND
            | {"x0": at - half, "x1": at + half, "line": line}
            | {"fillcolor": palette.ACCENT, "opacity": 0.22}
        ]


def nothing(label: str, words: str) -> Chart:
    """A chart with nothing to draw, saying what would make it."""
    figure = figure_of(
        [], {"height": 120, "xaxis": {"visible": False}, "yaxis": {"visible": False}}
    )
    return Chart(figure, label, words)


def figure_of(traces: Iterable[go.layout.Shape], layout: Mapping[str, Any]) -> go.Figure:
    """A figure of ``traces`` in the look of Studio's charts; ``layout`` adds to it."""
    common = {
        "template": "none",
        "height": HEIGHT,
        "margin": {"l": 64, "r": 16, "t": 28, "b": 48},
        "paper_bgcolor": palette.GROUND,
        "plot_bgcolor": palette.GROUND,
        "font": {"color": palette.INK_2, "size": 12},
        "hoverlabel": {
            "bgcolor": palette.GROUND,
            "bordercolor": palette.LINE_STRONG,
            "font": {"color": palette.INK, "size": 12},
            "align": "left",
            "namelength": -1,
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "xanchor": "left",
            "yanchor": "bottom",
            "itemclick": "toggle",
        },
        "modebar": {"bgcolor": palette.GROUND, "color": palette.INK_2},
        "bargap": 0.15,
    }
    return go.Figure(list(traces), {**common, **layout})


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis with a quiet grid."""
    return {
        "title": {"text": title, "font": {"size": 12}},
        "gridcolor": palette.LINE,
        "zerolinecolor": palette.LINE_STRONG,
        "linecolor": palette.LINE_STRONG,
        "zeroline": True,
        "automargin": True,
        "separatethousands": True,
        **more,
    }


def depth_axis(ticks: Sequence[str], **more: Any) -> dict[str, Any]:
    """The axis of layers in the order of the model; their names stand there while they are few."""
    few = len(ticks) <= 32
    names = {"tickmode": "array", "tickvals": list(range(len(ticks))), "ticktext": list(ticks)}
    title = "" if few else "layer, in the order of the model"
    return axis(
        title,
        range=[-0.6, len(ticks) - 0.4],
        showgrid=False,
        zeroline=False,
        **(names | {"tickangle": -45, "tickfont": {"size": 10.5}} if few else {}),
        **more,
    )
