"""From the input of a layer back to the constant that feeds it.

Exporters put Transpose, Reshape, Cast or DequantizeLinear between a weight and its layer;
none of them changes which weights are zero, so the weight behind them can be pruned.
"""

from __future__ import annotations

import numpy as np

from studio_core.layers.weight import Quantization, Weight
from studio_core.models.graph_index import Node, Scope
from studio_core.models.tensor import Tensor

PASS_THROUGH = frozenset(
    {
        "Cast",
        "CastLike",
        "DequantizeLinear",
        "Flatten",
        "Identity",
        "QuantizeLinear",
        "Reshape",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)

_KEEP_SHAPE = frozenset({"Cast", "CastLike", "Identity"})

# Longer chains are no exporter's work; a cycle in a broken model must end somewhere.
_MAX_STEPS = 32


def trace_weight(scope: Scope, name: str) -> Weight | None:
    """The weight behind the value ``name``; None where it is computed or sparse."""
    steps: list[str] = []
    moved = False  # between the tensor and its DequantizeLinear
    quantization: Quantization | None = None
    for _ in range(_MAX_STEPS):
        home = scope.defining(name)
        if home is None:
            return None
        tensor = home.constants.get(name)
        if tensor is not None:
            fault = "" if quantization is None else quantization.misfit(tensor.shape, moved=moved)
            return Weight(tensor, tuple(reversed(steps)), quantization, fault)
        node = home.producers.get(name)
        if node is None or not _passes_through(node):
            return None
        if node.op_type == "DequantizeLinear":
            quantization = _quantization(node)
            if quantization is None:
                return None
            moved = False
        elif node.op_type == "QuantizeLinear":
            # Float weights quantized at run time: pruning acts on the floats.
            quantization = None
        elif node.op_type not in _KEEP_SHAPE:
            moved = True
        steps.append(node.op_type)
        scope, name = node.scope, node.inputs[0]
    return None


def _passes_through(node: Node) -> bool:
    return node.domain == "" and node.op_type in PASS_THROUGH and bool(node.inputs)


def _quantization(node: Node) -> Quantization | None:
    scale = node.scope.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if scale is None or not scale.is_float:
        return None
    zero_point: Tensor | None = None
    if len(node.inputs) > 2 and node.inputs[2]:
        zero_point = node.scope.constant(node.inputs[2])
        if zero_point is None or zero_point.dtype_name == "string":
            return None
    scales = scale.read().astype(np.float64)
    zeros = np.zeros_like(scales) if zero_point is None else zero_point.read().astype(np.float64)
    return Quantization(scales, zeros, node.integer("axis", 1), node.integer("block_size", 0))
