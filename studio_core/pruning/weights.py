"""What a plan asks of the stored weights: each one once, however many layers read it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from studio_core.errors import InvalidModelError, InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.layers.weight import Weight
from studio_core.models.model import Model
from studio_core.pruning.axes import weight_axes
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.masks import (
    BoolArray,
    ElementRanking,
    Granularity,
    channel_mask,
    n_of_m_mask,
)

Granularities = Granularity | Mapping[str, Granularity]
"""One granularity for all layers, or by layer id (element where none is given)."""

GROUP_SIZE = 4
"""M of an N:M pattern: 2:4 is what hardware runs faster."""


class Plan(Protocol):
    """A sparsity by layer id, as `PruningPlan` has it."""

    @property
    def sparsities(self) -> Mapping[str, float]: ...
    def to_document(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Order:
    """What is asked of one layer: its sparsity, 0 to 1, and what is removed as one."""

    sparsity: float
    granularity: Granularity = Granularity.ELEMENT
    group_size: int = GROUP_SIZE


def make_orders(
    layers: Sequence[Layer],
    plan: Plan,
    granularity: Granularities = Granularity.ELEMENT,
    group_size: int = GROUP_SIZE,
) -> dict[str, Order]:
    """What ``plan`` asks, by layer id, in the order of ``layers``.

    Raises `InvalidRequestError` for a layer that is not there, and for a sparsity above 0
    of a layer that is not prunable (with the reason).
    """
    by_layer = granularity if isinstance(granularity, Mapping) else {}
    default = Granularity.ELEMENT if isinstance(granularity, Mapping) else Granularity(granularity)
    known = {layer.id: layer for layer in layers}
    for layer_id in (*plan.sparsities, *by_layer):
        if layer_id not in known:
            raise InvalidRequestError(
                f"The plan names layer '{layer_id}', which the model does not have. Make the "
                "plan from this model's layers."
            )
    orders: dict[str, Order] = {}
    for layer in layers:
        if layer.id not in plan.sparsities:
            continue
        sparsity = float(plan.sparsities[layer.id])
        if sparsity > 0 and not layer.is_prunable:
            raise InvalidRequestError(f"Layer '{layer.id}' cannot be pruned. {layer.reason}")
        kind = Granularity(by_layer.get(layer.id, default))
        orders[layer.id] = Order(sparsity, kind, group_size)
    return orders


def one_order_each(
    layers: Sequence[Layer], orders: Mapping[str, Order], places: Mapping[str, Hashable]
) -> Iterator[tuple[tuple[Layer, ...], Order]]:
    """The layers of each stored weight that is pruned, with what is asked of all of them.

    ``places`` says by layer id where the stored weight is. Raises `InvalidRequestError`
    where layers that share a weight are asked for different things.
    """
    groups: dict[Hashable, list[Layer]] = {}
    for layer in layers:
        if layer.id in places:
            groups.setdefault(places[layer.id], []).append(layer)
    for group in groups.values():
        prunable = [layer for layer in group if layer.is_prunable]
        asked = {layer.id: orders.get(layer.id, Order(0.0)) for layer in prunable}
        wanted = {order if order.sparsity > 0 else None for order in asked.values()}
        if wanted <= {None}:
            continue
        if len(wanted) > 1:
            parts = ", ".join(f"'{i}': {o.sparsity:g} ({o.granularity})" for i, o in asked.items())
            raise InvalidRequestError(
                f"These layers share one weight and are asked for different sparsities: {parts}. "
                "Give all of them the same."
            )
        _check_one_zero(prunable)
        yield tuple(group), next(iter(asked.values()))


def _check_one_zero(group: Sequence[Layer]) -> None:
    """Refuse a weight that two layers read with different zero points."""
    zeros = [layer.weight.stored_zero() for layer in group if layer.weight is not None]
    if any(not np.array_equal(zeros[0], zero) for zero in zeros[1:]):
        raise InvalidRequestError(
            f"Layers '{group[0].id}' and '{group[1].id}' read one weight with different zero "
            "points, so no stored value is zero for both. Leave them dense."
        )


def make_mask(model: Model, layer: Layer, order: Order) -> BoolArray:
    """The mask of the layer's stored weight, in its shape; True = kept.

    Element: exactly `num_pruned` weights go, the smallest, ties by position. N:M: of every
    ``group_size`` weights along the summed axis the smallest go. Channel: whole outputs go,
    those of the smallest L2 norm, `num_pruned` of them.
    """
    weight = _weight_of(layer)
    if order.granularity is Granularity.ELEMENT:
        return _element(weight, layer, order.sparsity)
    axes = weight_axes(model, layer)
    magnitudes = weight.magnitudes().reshape(weight.shape)
    if order.granularity is Granularity.N_OF_M:
        kept = _kept(layer, order, weight.shape[axes.summed])
        return n_of_m_mask(magnitudes, kept, order.group_size, axes.summed)
    if axes.outputs is None:
        raise InvalidRequestError(f"The weight of layer '{layer.id}' has no output channels.")
    keep = channel_mask(magnitudes, order.sparsity, axes.outputs)
    shape = [-1 if axis == axes.outputs else 1 for axis in range(len(weight.shape))]
    return np.broadcast_to(keep.reshape(shape), weight.shape)


def _weight_of(layer: Layer) -> Weight:
    if layer.weight is None:
        raise InvalidRequestError(f"Layer '{layer.id}' has no constant weight.")
    return layer.weight


def _element(weight: Weight, layer: Layer, sparsity: float) -> BoolArray:
    pruned = ElementRanking.of(weight.magnitudes()).pruned(sparsity)
    wanted = int(num_pruned(weight.size, sparsity))
    if int(np.count_nonzero(pruned)) != wanted:
        # Only a NaN is neither smaller than a threshold nor equal to it.
        raise InvalidModelError(
            f"The weight of layer '{layer.id}' holds NaN, which has no magnitude. Repair the model."
        )
    return np.asarray(~pruned).reshape(weight.shape)


def _kept(layer: Layer, order: Order, length: int) -> int:
    """N of the N:M pattern that ``order`` means."""
    group = order.group_size
    removed = order.sparsity * group
    if group < 1 or abs(removed - round(removed)) > 1e-9:
        choices = ", ".join(f"{n / group:g}" for n in range(group + 1)) if group > 0 else ""
        raise InvalidRequestError(
            f"Layer '{layer.id}' has sparsity {order.sparsity:g}, which no N:{group} pattern has. "
            f"Choose one of {choices}."
        )
    if length < group:
        raise InvalidRequestError(
            f"Layer '{layer.id}' sums over {length} weights at a time, fewer than the {group} of "
            "an N:M pattern. Prune it by single weights (element) or leave it dense."
        )
    return group - round(removed)


class PlanMasks(Mapping[str, BoolArray]):
    """The masks of a plan by layer id, each computed when it is asked for.

    Shapes are those of the stored weights; True = kept. Layers with sparsity 0 have none.
    """

    def __init__(self, model: Model, layers: Sequence[Layer], orders: Mapping[str, Order]) -> None:
        self._model = model
        self._layers = {x.id: x for x in layers if x.id in orders and orders[x.id].sparsity > 0}
        self._orders = orders

    def __getitem__(self, layer_id: str) -> BoolArray:
        return make_mask(self._model, self._layers[layer_id], self._orders[layer_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)
