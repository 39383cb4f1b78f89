"""Matrix products: matmul, linear, dot, dot_general."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio_core.execution.lowering.builder import Builder
from studio_core.execution.lowering.elementwise import apply_unary
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import Tensor
from studio_core.execution.lowering.views import View, listed


@lowers("ttir.matmul", inputs=2)
def _matmul(b: Builder, v: View) -> Tensor:
    return _activated(b, v, _product(b, v, *v.need(2)))


@lowers("ttir.linear", inputs=2)
def _linear(b: Builder, v: View) -> Tensor:
    given = v.optional(("a", "b", "bias"))
    product = _product(b, v, *v.need(2))
    if "bias" in given:
        product = b.add(product, given["bias"])
    return _activated(b, v, product)


def _product(b: Builder, v: View, x: Tensor, y: Tensor) -> Tensor:
    x = b.swap(x) if v.flag("transpose_a") and x.rank > 1 else x
    y = b.swap(y) if v.flag("transpose_b") and y.rank > 1 else y
    return b.matmul(b.cast(x, v.dtype), b.cast(y, v.dtype))


def _activated(b: Builder, v: View, x: Tensor) -> Tensor:
    name = v.text("activation")
    return apply_unary(b, name, x) if name else x


@lowers("stablehlo.dot", inputs=2)
def _dot(b: Builder, v: View) -> Tensor:
    x, y = (b.cast(t, v.dtype) for t in v.need(2))
    return b.matmul(x, y)


@lowers("ttir.dot_general", "stablehlo.dot_general", inputs=2)
def _dot_general(b: Builder, v: View) -> Tensor:
    x, y = (b.cast(t, v.dtype) for t in v.need(2))
    return dot_general(b, x, y, *_dimensions(v))


def _dimensions(v: View) -> tuple[list[int], list[int], list[int], list[int]]:
    """Batch and contracted dimensions of both sides, by each way of writing them."""
    if v.has("contract_dims_lhs"):
        return (
            v.ints("batch_dims_lhs", []),
            v.ints("batch_dims_rhs", []),
            v.ints("contract_dims_lhs"),
            v.ints("contract_dims_rhs"),
        )
    fields = v.fields("dot_dimension_numbers")
    keys = (
        "lhs_batching_dimensions",
        "rhs_batching_dimensions",
        "lhs_contracting_dimensions",
        "rhs_contracting_dimensions",
    )
    a, c, d, e = (listed(fields.get(key, "")) for key in keys)
    return a, c, d, e


def dot_general(
    b: Builder,
    x: Tensor,
    y: Tensor,
    x_batch: Sequence[int],
    y_batch: Sequence[int],
    x_contract: Sequence[int],
    y_contract: Sequence[int],
) -> Tensor:
    """Result dimensions: batch, then what is left of ``x``, then of ``y`` (StableHLO's)."""
    x_free = [i for i in range(x.rank) if i not in (*x_batch, *x_contract)]
    y_free = [i for i in range(y.rank) if i not in (*y_batch, *y_contract)]
    batch = [x.shape[i] for i in x_batch]
    inner = math.prod(x.shape[i] for i in x_contract)
    rows, columns = [x.shape[i] for i in x_free], [y.shape[i] for i in y_free]
    left = b.transpose(x, [*x_batch, *x_free, *x_contract])
    right = b.transpose(y, [*y_batch, *y_contract, *y_free])
    # Batch dimensions become one: onnxruntime's MatMul is fastest with three.
    many = [math.prod(batch)] if batch else []
    left = b.reshape(left, [*many, math.prod(rows), inner])
    right = b.reshape(right, [*many, inner, math.prod(columns)])
    return b.reshape(b.matmul(left, right), [*batch, *rows, *columns])
