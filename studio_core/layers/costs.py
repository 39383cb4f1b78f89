"""Multiply-accumulates of a layer, from the shapes around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from studio_core.layers.weight import Weight
from studio_core.models.graph_index import Node, Shape


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates for one sample, or None and the reason."""

    count: int | None
    unknown_because: str = ""


def count_macs(node: Node, weight: Weight | None, position: int, batch: int) -> Macs:
    """MACs of a Conv, ConvTranspose, Gemm or MatMul, without its bias.

    Conv: kernel · input channels of a group · output elements. ConvTranspose: kernel ·
    output channels of a group · input elements. Gemm, MatMul: weight · rows, where the
    rows are what the weight is multiplied with; without a weight (an attention product),
    inner dimension · output elements. ``position`` tells which input is the weight;
    ``batch`` is the batch size the shapes are given for.
    """
    if node.op_type == "ConvTranspose":
        shape, what = node.scope.shape(node.inputs[0]), "input"
    else:
        shape, what = node.scope.shape(node.outputs[0]), "output"
    unknown = _unknown(shape)
    if shape is None or unknown:
        return Macs(None, f"The {what} shape is unknown{unknown}.")
    dims = [d for d in shape if isinstance(d, int)]
    if node.op_type in ("Conv", "ConvTranspose"):
        if weight is None:
            return Macs(None, "The kernel is computed.")
        return Macs(math.prod(weight.shape[1:]) * math.prod(dims[1:]))
    total = _product_macs(node, weight, position, dims)
    if total is None:
        return Macs(None, "The inner dimension of the product is unknown.")
    return Macs(total // batch if total % batch == 0 else total)


def _unknown(shape: Shape | None) -> str:
    """Which dimension is missing, as the end of a sentence; empty if none is."""
    if shape is None:
        return ""
    free = [d for d in shape if not isinstance(d, int)]
    if not free:
        return ""
    if isinstance(free[0], str):
        return f": give a size to dimension '{free[0]}' (dimensions={{'{free[0]}': …}})"
    return " in one dimension"


def _product_macs(node: Node, weight: Weight | None, position: int, dims: list[int]) -> int | None:
    """Weight elements times the rows (or columns) they are multiplied with."""
    if weight is not None and len(weight.shape) <= 2:
        # The stored weight may be transposed on its way, so only its size is used.
        return weight.size * (math.prod(dims[:-1]) if position == 1 else _columns(dims))
    other = node.scope.shape(node.inputs[1 - position])
    inner = other[-1 if position == 1 else -2] if other is not None and len(other) > 1 else None
    return inner * math.prod(dims) if isinstance(inner, int) else None


def _columns(dims: list[int]) -> int:
    """How often a constant left operand [rows, inner] is used for an output of ``dims``."""
    return math.prod(dims[:-2]) * dims[-1]
