"""Why each layer has the sparsity it has, for a program and for a person.

A layer stops where its next level would cost more loss than the plan pays elsewhere for the
same gain: the marginal price, which is the solver's price on the bounds (optimum.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from studio_core.plans.choices import Choices, ChoiceTable, IntArray
from studio_core.plans.constraints import Limits, Quantity

_EQUAL = 1e-9
_NEGLIGIBLE = 1e-12
_UNITS = {
    Quantity.SPARSITY: "weights",
    Quantity.BYTES: "bytes",
    Quantity.FLOPS: "multiply-accumulates",
    Quantity.LATENCY: "ms",
}


class ReasonCode(StrEnum):
    """Why a layer is not pruned further."""

    LOCKED = "locked"
    NO_CURVE = "no_curve"
    LIMIT = "limit"
    LAST_LEVEL = "last_level"
    NOTHING_TO_GAIN = "nothing_to_gain"
    TOO_DEAR = "too_dear"
    NOT_NEEDED = "not_needed"
    NO_ROOM = "no_room"


@dataclass(frozen=True)
class LayerReason:
    """The reason for one layer's sparsity.

    Where there is a next level: ``next_sparsity``; ``loss_cost``, what it would add to the
    plan's predicted loss; ``gain``, what it would save of ``gain_quantity`` (for sparsity:
    weights); ``fair_cost``, the loss that the plan pays for such a gain at its margin.
    """

    layer_id: str
    sparsity: float
    code: ReasonCode
    text: str
    next_sparsity: float | None = None
    loss_cost: float | None = None
    gain: float | None = None
    gain_quantity: Quantity | None = None
    fair_cost: float | None = None

    def to_document(self) -> dict[str, Any]:
        """The reason as JSON-ready values."""
        return {
            "id": self.layer_id,
            "sparsity": self.sparsity,
            "code": str(self.code),
            "text": self.text,
            "nextSparsity": self.next_sparsity,
            "lossCost": self.loss_cost,
            "gain": self.gain,
            "gainQuantity": None if self.gain_quantity is None else str(self.gain_quantity),
            "fairCost": self.fair_cost,
        }


@dataclass(frozen=True, eq=False)
class Explainer:
    """Explains the ``chosen`` rows of ``table``, shape [L].

    ``prices`` are in units of the objective, which has the price 1; a quantity that is
    neither asked for nor bounded has none. ``loss_of`` turns a summed damage into a loss.
    """

    choices: Choices
    table: ChoiceTable
    limits: Limits
    chosen: IntArray
    objective: Quantity
    prices: Mapping[Quantity, float]
    loss_of: Callable[[float], float]

    def reasons(self) -> Iterator[LayerReason]:
        """One reason a layer, in the order of the units."""
        for unit, group in enumerate(self.choices.units):
            for layer in group:
                yield self._reason(layer.id, unit)

    def _reason(self, layer_id: str, unit: int) -> LayerReason:
        row = int(self.chosen[unit])
        sparsity = float(self.table.sparsities[row])

        def simple(code: ReasonCode, text: str) -> LayerReason:
            return LayerReason(layer_id, sparsity, code, text)

        if any(x.id in self.limits.locked for x in self.choices.units[unit]):
            return simple(ReasonCode.LOCKED, f"Locked at {sparsity:.1%}.")
        if unit in self.choices.without_curve:
            return simple(ReasonCode.NO_CURVE, "No loss is known for this layer: it stays dense.")
        levels = self.choices.levels[unit].sparsities
        if sparsity >= levels[-1] - _EQUAL:
            return simple(ReasonCode.LAST_LEVEL, f"{sparsity:.1%} is its last known level.")
        ends = [*self.table.starts[1:].tolist(), self.table.sparsities.size]
        if row + 1 >= ends[unit]:
            limit = self.choices.range_of(unit, self.limits)[1]
            return simple(ReasonCode.LIMIT, f"At its limit: no known level up to {limit:.1%} left.")
        further = self._next(row, int(ends[unit]))
        if further is None:
            return simple(
                ReasonCode.NOTHING_TO_GAIN, "More sparsity here saves nothing of what is asked for."
            )
        return self._weighed(layer_id, row, further)

    def _gains(self, row: int, further: int) -> dict[Quantity, float]:
        """What the step saves of each priced quantity but loss."""
        return {
            q: float(self.table.quantities[q][row] - self.table.quantities[q][further])
            for q in self.prices
            if q is not Quantity.LOSS
        }

    def _next(self, row: int, end: int) -> int | None:
        """The first level above ``row`` that saves something."""
        return next(
            (i for i in range(row + 1, end) if max(self._gains(row, i).values(), default=0.0) > 0),
            None,
        )

    def _weighed(self, layer_id: str, row: int, further: int) -> LayerReason:
        gains = self._gains(row, further)
        quantity = max(gains, key=lambda q: (self.prices[q] * gains[q], gains[q] > 0))
        damage = self.table.quantities[Quantity.LOSS]
        step = float(damage[further] - damage[row])
        now = self.table.total(Quantity.LOSS, self.chosen)
        cost = self.loss_of(now + step) - self.loss_of(now)
        worth = sum(self.prices[q] * gain for q, gain in gains.items())
        loss_price = self.prices.get(Quantity.LOSS, 0.0)
        fair = self.loss_of(now + worth / loss_price) - self.loss_of(now) if loss_price else None
        is_dear = step * loss_price > worth * (1 + _EQUAL) + _NEGLIGIBLE
        level = float(self.table.sparsities[further])
        code = ReasonCode.TOO_DEAR
        if not is_dear:
            is_loss = self.objective is Quantity.LOSS
            code = ReasonCode.NOT_NEEDED if is_loss else ReasonCode.NO_ROOM
        return LayerReason(
            layer_id,
            float(self.table.sparsities[row]),
            code,
            _text(code, level, cost, gains[quantity], quantity, fair),
            level,
            cost,
            gains[quantity],
            quantity,
            fair,
        )


def _text(
    code: ReasonCode,
    level: float,
    cost: float,
    gain: float,
    quantity: Quantity,
    fair: float | None,
) -> str:
    amount = f"{gain:,.0f}" if gain >= 10 else f"{gain:.3g}"
    step = f"Going on to {level:.1%} would add {cost:.3g} to the loss"
    saves = f"save {amount} {_UNITS[quantity]}"
    if code is ReasonCode.TOO_DEAR:
        if not fair:
            return f"{step} and {saves}, which nothing asks for."
        return f"{step} and {saves}, for which the plan pays {fair:.3g} elsewhere."
    if code is ReasonCode.NOT_NEEDED:
        return f"{step} and {saves}; the bounds are met without it."
    return f"{step} and {saves}; there is no room left for it under the bounds."
