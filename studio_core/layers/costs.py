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


def count_macs(node: Node, weight: Weight | None, batch: int) -> Macs:
    """MACs of a Conv, ConvTranspose, Gemm or MatMul, without its bias.

    Conv: kernel · input channels of a group · output elements. ConvTranspose: kernel ·
    output channels of a group · input elements. Gemm, MatMul: inner dimension · output
    elements. ``batch`` is the batch size the shapes are given for.
    """
    is_transposed = node.op_type == "ConvTranspose"
    names, what = (node.inputs, "input") if is_transposed else (node.outputs, "output")
    shape = node.scope.shape(names[0]) if names else None
    dims = [d for d in shape or () if isinstance(d, int)]
    if shape is None or len(dims) < len(shape):
        return Macs(None, f"The {what} shape is unknown{_unknown(shape)}.")
    if node.op_type in ("Conv", "ConvTranspose"):
        if weight is None:
            return Macs(None, "The kernel is computed.")
        # The stored weight may be transposed on its way, so only its size is used: each
        # element is used once a position, and the channels are in the weight already.
        total = weight.size * math.prod(dims[:1]) * math.prod(dims[2:])
    else:
        inner = _inner_dimension(node)
        if inner is None:
            return Macs(None, "The inner dimension of the product is unknown.")
        total = inner * math.prod(dims)
    return Macs(total // batch if total % batch == 0 else total)


def _unknown(shape: Shape | None) -> str:
    """Which dimension is missing, as the end of a sentence; empty if all are."""
    if shape is None:
        return ""
    free = next(d for d in shape if not isinstance(d, int))
    if isinstance(free, str):
        return f": give a size to dimension '{free}' (dimensions={{'{free}': …}})"
    return " in one dimension"


def _inner_dimension(node: Node) -> int | None:
    """The dimension that Gemm or MatMul sums over, from whichever operand tells it."""
    for position, name in enumerate(node.inputs[:2]):
        shape = node.scope.shape(name) or ()
        if len(shape) == 1:
            inner = shape[0]
        elif shape:
            flipped = node.op_type == "Gemm" and node.integer("trans" + "AB"[position], 0)
            inner = shape[-1 if (position == 0) != bool(flipped) else -2]
        else:
            continue
        if isinstance(inner, int):
            return inner
    return None
