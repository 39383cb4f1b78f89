"""Applying a plan: `prune_model` writes a new ONNX file in which exactly the planned weights are 0.

Everything else stays bit for bit the same (opset, metadata, unknown fields, all other
weights); the source is never written to. Quantized weights get their zero point.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.layers.weight import Weight
from studio_core.models.model import Model
from studio_core.pruning.masks import BoolArray, Granularity
from studio_core.pruning.provenance import provenance
from studio_core.pruning.rewriting import Rewrite
from studio_core.pruning.spans import TensorSpan, locate_tensors, tensor_spans
from studio_core.pruning.weights import (
    GROUP_SIZE,
    Granularities,
    Order,
    Plan,
    PlanMasks,
    make_mask,
    make_orders,
    one_order_each,
)
from studio_core.pruning.writing import mapped, write_model


@dataclass(frozen=True)
class PrunedLayer:
    """What became of one layer's weight.

    ``sparsity`` is what was asked for, 0 to 1; ``num_pruned`` the weights that its mask
    removes. ``num_zeros_after`` is larger where more were zero before. ``also_changes``
    names layers that read the same weight and were not asked, such as a tied embedding.
    """

    id: str
    name: str
    sparsity: float
    granularity: Granularity
    num_weights: int
    num_pruned: int
    num_zeros_before: int
    num_zeros_after: int
    also_changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PrunedModel:
    """A pruned model on disk, with what was done. ``sha256`` is as `Model.sha256` counts it."""

    path: Path
    data_files: tuple[Path, ...]
    layers: tuple[PrunedLayer, ...]
    sha256: str
    source_sha256: str
    masks: Mapping[str, BoolArray] = field(repr=False, compare=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Counts:
    num_pruned: int
    num_zeros_before: int
    num_zeros_after: int


@dataclass(eq=False)
class _Pruning:
    """One stored weight to be pruned; ``counts`` are known once it was written."""

    model: Model
    layers: tuple[Layer, ...]
    order: Order
    counts: _Counts | None = None

    @property
    def first(self) -> Layer:
        return next(layer for layer in self.layers if layer.is_prunable)

    @property
    def weight(self) -> Weight:
        weight = self.first.weight
        assert weight is not None  # a prunable layer has one
        return weight

    def values(self) -> NDArray[Any]:
        """The stored values with the pruned ones at zero."""
        pruned = ~make_mask(self.model, self.first, self.order)
        values = self.weight.tensor.read()
        zero = self.weight.stored_zero()
        before = int(np.count_nonzero(values == zero))
        values[pruned] = zero if zero.ndim == 0 else np.broadcast_to(zero, values.shape)[pruned]
        after = int(np.count_nonzero(values == zero))
        self.counts = _Counts(int(np.count_nonzero(pruned)), before, after)
        return values


def prune_model(
    model: Model,
    layers: Sequence[Layer],
    plan: Plan,
    target: str | Path,
    *,
    granularity: Granularities = Granularity.ELEMENT,
    group_size: int = GROUP_SIZE,
    overwrite: bool = False,
    verify: bool = True,
) -> PrunedModel:
    """Write ``model`` to ``target`` with the sparsities of ``plan``.

    ``layers`` are those that `find_layers` gave for this very ``model``. ``granularity`` is
    one for all or by layer id; for N:M, M is ``group_size`` and N follows from the
    sparsity (0.5 is 2:4). Weights keep their place in the file; those in external data go
    to one new file beside the target. ``verify`` gives the result to onnx.checker and
    onnxruntime before it appears.

    Raises `InvalidRequestError` where the plan cannot be carried out (a layer that is not
    prunable, layers that share a weight and differ, an N:M pattern along an unknown axis)
    or the target is the source, `ConflictError` where the target exists, `StorageError`
    where the disk refuses, and those of reading a model.
    """
    orders = make_orders(layers, plan, granularity, group_size)
    data = mapped(model.path)
    spans = tensor_spans(data)
    located = locate_tensors(model, data, spans)
    prunings = _prunings(model, layers, orders, located, data)
    source_sha256 = model.sha256()
    written = write_model(
        model,
        data,
        spans,
        [_rewrite(pruning, located) for pruning in prunings],
        provenance(plan.to_document(), _kinds(orders), source_sha256),
        Path(target),
        overwrite=overwrite,
        verify=verify,
    )
    return PrunedModel(
        written.path,
        written.data_files,
        _records(layers, orders, prunings),
        written.sha256,
        source_sha256,
        PlanMasks(model, layers, orders),
        written.notes,
    )


def _kinds(orders: Mapping[str, Order]) -> dict[str, str]:
    return {i: str(order.granularity) for i, order in orders.items() if order.sparsity > 0}


def _prunings(
    model: Model,
    layers: Sequence[Layer],
    orders: Mapping[str, Order],
    located: Mapping[int, TensorSpan],
    data: memoryview,
) -> list[_Pruning]:
    places: dict[str, Hashable] = {}
    for layer in layers:
        if layer.weight is not None:
            place = _place(layer.weight, located, data)
            if place is None and layer.id in orders and orders[layer.id].sparsity > 0:
                raise _not_located(layer)
            places[layer.id] = layer.weight.key if place is None else place
    return [_Pruning(model, *found) for found in one_order_each(layers, orders, places)]


def _place(weight: Weight, located: Mapping[int, TensorSpan], data: memoryview) -> Hashable | None:
    """Where the stored weight is: equal for all layers that read the same bytes."""
    span = located.get(id(weight.tensor))
    if span is None:
        return None
    # External tensors with one place in a data file are one weight, under several names.
    return weight.key if span.is_external(data) else span.start


def _not_located(layer: Layer) -> InvalidRequestError:
    return InvalidRequestError(
        f"The weight of layer '{layer.id}' is not in one place in the file, or the layers are "
        "those of a model opened at another time. Find the layers again; if that does not "
        "help, save the model once with onnx.save."
    )


def _rewrite(pruning: _Pruning, located: Mapping[int, TensorSpan]) -> Rewrite:
    tensor = pruning.weight.tensor
    return Rewrite(tensor, located[id(tensor)], tensor.shape, pruning.values)


def _records(
    layers: Sequence[Layer], orders: Mapping[str, Order], prunings: Sequence[_Pruning]
) -> tuple[PrunedLayer, ...]:
    done = {layer.id: pruning for pruning in prunings for layer in pruning.layers}
    return tuple(
        _record(layer, orders[layer.id], done.get(layer.id))
        for layer in layers
        if layer.id in orders and layer.weight is not None
    )


def _record(layer: Layer, order: Order, pruning: _Pruning | None) -> PrunedLayer:
    also: tuple[str, ...] = ()
    if pruning is not None and pruning.counts is not None:
        counts = pruning.counts
        also = tuple(x.id for x in pruning.layers if not x.is_prunable)
    else:
        zeros = layer.num_zeros or 0
        counts = _Counts(0, zeros, zeros)
    return PrunedLayer(
        layer.id,
        layer.name,
        order.sparsity,
        order.granularity,
        layer.weight_size,
        counts.num_pruned,
        counts.num_zeros_before,
        counts.num_zeros_after,
        also,
    )
