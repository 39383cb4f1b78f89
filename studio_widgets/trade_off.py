"""The trade-off of loss against sparsity, bytes, work or time; a point is a plan to take.

chart = TradeOff(on_take=lambda point: ...)
chart.points = room.pareto(None, "sparsity", 30)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from studio_core.plans.constraints import Quantity
from studio_core.plans.pareto import ParetoPoint
from studio_widgets import _format
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget
from studio_widgets._wire import compressed


class TradeOff(StudioWidget):
    """Points of a trade-off, the least loss first; ``on_take`` hears which one a person took."""

    _esm = esm("trade_off")
    _css = css("trade_off")

    _document = traitlets.Bytes().tag(sync=True)

    points = traitlets.Tuple()
    """The points, as `ParetoPoint`. Type: tuple. Default: ()."""

    taken = traitlets.Int(-1).tag(sync=True)
    """Index of the point whose plan was taken, -1 for none. Type: int. Default: -1."""

    def __init__(
        self, on_take: Callable[[ParetoPoint], None] | None = None, **settings: Any
    ) -> None:
        self._on_take = on_take
        super().__init__(**settings)
        self.on_msg(self._answer)

    @traitlets.observe("points")
    def _send_points(self, _change: Any) -> None:
        with self.hold_sync():
            self.taken = -1
            self._document = compressed(_document(self.points)) if self.points else b""

    def take(self, index: int) -> None:
        """What a click on point ``index`` does."""
        self.taken = index
        if self._on_take is not None:
            self._on_take(self.points[index])

    def _answer(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict) or content.get("kind") != "take":
            return
        index = content.get("index")
        if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(self.points):
            self.take(index)


def _document(points: tuple[ParetoPoint, ...]) -> dict[str, Any]:
    first = points[0]
    label = first.loss.metric
    return {
        "x": first.quantity.label,
        "y": f"predicted loss, {label} ({first.loss.source})",
        "points": [
            {
                "x": point.value,
                "xText": _value_text(point.quantity, point.value),
                "y": point.loss.value,
                "error": point.loss.standard_error or None,
                "yText": _format.value(point.loss.value, point.loss.standard_error),
            }
            for point in points
        ],
    }


def _value_text(quantity: Quantity, value: float) -> str:
    if quantity is Quantity.BYTES:
        return _format.size(value)
    if quantity is Quantity.FLOPS:
        return _format.count(value)
    return _format.percent(value) if quantity is Quantity.SPARSITY else quantity.text(value)
