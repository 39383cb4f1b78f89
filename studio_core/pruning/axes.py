"""Which axis of a stored weight its layer sums over, and which one holds its outputs.

N:M sparsity only helps along the axis that is summed, and a channel is a slice of the
other one. Both are followed from the layer back through Transpose to the stored tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from studio_core.errors import InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.models.graph_index import Node
from studio_core.models.model import Model

_SAME_AXES = frozenset({"Cast", "CastLike", "DequantizeLinear", "Identity", "QuantizeLinear"})
_MAX_STEPS = 32


@dataclass(frozen=True)
class WeightAxes:
    """Axes of a stored weight: ``summed`` over by the layer, and of its ``outputs``.

    ``outputs`` is None for a weight without an axis of its own outputs (a vector).
    """

    summed: int
    outputs: int | None


def weight_axes(model: Model, layer: Layer) -> WeightAxes:
    """The axes of the layer's stored weight.

    Conv is summed over its input channels (axis 1 of [out, in / group, …], as 2:4 kernels
    want them), ConvTranspose over axis 0 of [in, out / group, …], Gemm and MatMul over the
    inner dimension. Raises `InvalidRequestError` where an operator between weight and
    layer changes the axes in a way that is not followed.
    """
    node = next((n for n in model.nodes() if n.id == layer.id), None)
    if node is None or layer.weight is None:
        raise InvalidRequestError(f"Layer '{layer.id}' has no constant weight in this model.")
    for position, name in enumerate(node.inputs[:2]):
        chain = _chain(node, name, layer)
        if chain is not None:
            rank = len(layer.weight.shape)
            axes = _axes_at_layer(node, position, rank, layer)
            return _through(chain, axes, rank, layer)
    raise InvalidRequestError(f"The weight of layer '{layer.id}' was not found among its inputs.")


def _chain(node: Node, name: str, layer: Layer) -> list[Node] | None:
    """Nodes from the layer back to its stored weight, or None if ``name`` leads elsewhere."""
    assert layer.weight is not None
    scope, chain = node.scope, list[Node]()
    for _ in range(_MAX_STEPS):
        tensor = scope.constant(name)
        if tensor is not None:
            return chain if tensor is layer.weight.tensor else None
        producer = scope.producer(name)
        if producer is None or not producer.inputs:
            return None
        chain.append(producer)
        scope, name = producer.scope, producer.inputs[0]
    return None


def _axes_at_layer(node: Node, position: int, rank: int, layer: Layer) -> WeightAxes:
    if node.op_type == "Conv":
        return WeightAxes(1, 0)
    if node.op_type == "ConvTranspose":
        return WeightAxes(0, 1)
    if node.op_type == "Gemm":
        flipped = bool(node.integer("trans" + "AB"[position], 0))
        summed = int(flipped) if position == 1 else int(not flipped)
        return WeightAxes(summed, 1 - summed)
    if node.op_type == "MatMul":
        if rank == 1:
            return WeightAxes(0, None)
        last, before = rank - 1, rank - 2
        return WeightAxes(before, last) if position == 1 else WeightAxes(last, before)
    raise InvalidRequestError(
        f"Layer '{layer.id}' is a {node.op_type}; Studio does not know what it sums over."
    )


def _through(chain: list[Node], axes: WeightAxes, rank: int, layer: Layer) -> WeightAxes:
    summed, outputs = axes.summed, axes.outputs
    for node in chain:
        if node.op_type in _SAME_AXES:
            continue
        if node.op_type != "Transpose":
            raise InvalidRequestError(
                f"The weight of layer '{layer.id}' passes a {node.op_type} on its way, so the "
                "axis that is summed is unknown. Prune it by single weights (element)."
            )
        order = _permutation(node, rank)
        if sorted(order) != list(range(rank)):
            raise InvalidRequestError(
                f"The Transpose '{node.id}' before layer '{layer.id}' does not fit its weight."
            )
        # Axis i of a Transpose's output is axis order[i] of its input.
        summed = order[summed]
        outputs = None if outputs is None else order[outputs]
    return WeightAxes(summed, outputs)


def _permutation(node: Node, rank: int) -> list[int]:
    for attribute in node.proto.attribute:
        if attribute.name == "perm" and attribute.type == onnx.AttributeProto.INTS:
            return list(attribute.ints)
    return list(reversed(range(rank)))
