"""The arithmetic that an op asks of the matrix engine: FLOPs, tile multiplications, weights.

The formulas are those that tt-mlir publishes with its performance tests: FLOPs on the logical
shapes (2·M·K·N for a matrix product), tile multiplications on shapes rounded up to tiles of 32.
Only ops of the matrix engine are counted; the others' arithmetic is small beside them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from studio_core.hardware.attribute_text import assignments, inside, split_parts
from studio_core.mlir.records import DenseArray, Operation, TensorType, Value

Kind = Literal["matmul", "attention", "convolution"]
Shape = tuple[int, ...]

_EDGE = 32
_KERNEL_AXES = re.compile(r"x\s*\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Work:
    """What one op computes. ``flops`` is None where shapes do not tell, as in paged attention.

    ``weights`` are the operands that are streamed from DRAM, by the published reckoning.
    """

    kind: Kind
    flops: int | None
    tile_multiplications: int | None
    weights: tuple[Value, ...]


def work_of(operation: Operation) -> Work | None:
    """The work of an op; None for one that is not counted or whose shapes are not all known."""
    dialect, _, name = operation.name.partition(".")
    count = _COUNTS.get(name) if dialect in ("ttnn", "ttir") else _STABLEHLO.get(operation.name)
    try:
        return count(operation) if count is not None else None
    except (_UnknownShapeError, ZeroDivisionError, IndexError, ValueError):
        return None


class _UnknownShapeError(Exception):
    """The shape or attribute that a formula needs is not in the module."""


def _matmul(operation: Operation) -> Work:
    left, right = operation.operands[:2]
    a, b, result = _shape(left), _shape(right), _shape(operation.results[0])
    if min(len(a), len(b), len(result)) < 2:
        raise _UnknownShapeError
    k = a[-2] if _flag(operation, "transpose_a") else a[-1]
    batch, m, n = prod(result[:-2]), result[-2], result[-1]
    return Work("matmul", 2 * batch * m * k * n, batch * _gemm(m, k, n), (right,))


def _sparse_matmul(operation: Operation) -> Work:
    """Of the blocks of experts only ``nnz`` take part, where that is known."""
    dense = _matmul(operation)
    result = _shape(operation.results[0])
    nnz = _number(operation, "nnz", 0)
    if not nnz or len(result) < 3 or dense.flops is None:
        return Work("matmul", dense.flops, None, dense.weights)
    return Work("matmul", dense.flops // result[-3] * nnz, None, dense.weights)


def _dot_general(operation: Operation) -> Work:
    return _contraction(
        operation,
        _numbers(operation, "batch_dims_lhs"),
        _numbers(operation, "contract_dims_lhs"),
    )


def _stablehlo_dot_general(operation: Operation) -> Work:
    """``#stablehlo.dot<lhs_batching_dimensions = [0], lhs_contracting_dimensions = [2], …>``."""
    said = assignments(inside(_text(operation, "dot_dimension_numbers")) or "")
    if not said:
        raise _UnknownShapeError
    batch_axes, axes = (
        tuple(map(int, split_parts(said.get(f"lhs_{word}_dimensions", "[]").strip("[] "))))
        for word in ("batching", "contracting")
    )
    return _contraction(operation, batch_axes, axes)


def _stablehlo_convolution(operation: Operation) -> Work:
    """``dimension_numbers`` tells the kernel's axis of output channels: ``…x[o, i, 0, 1]->…``."""
    weight = operation.operands[1]
    kernel, result = _shape(weight), prod(_shape(operation.results[0]))
    axes = _KERNEL_AXES.search(_text(operation, "dimension_numbers"))
    if axes is None:
        raise _UnknownShapeError
    out_channels = kernel[split_parts(axes.group(1)).index("o")]
    reduced, groups = prod(kernel) // out_channels, _number(operation, "feature_group_count", 1)
    tiles = groups * _gemm(result // out_channels, reduced, out_channels // groups)
    return Work("convolution", 2 * result * reduced, tiles, (weight,))


def _contraction(operation: Operation, batch_axes: Sequence[int], axes: Sequence[int]) -> Work:
    left, right = operation.operands[:2]
    a, b = _shape(left), _shape(right)
    batch, k = prod(a[i] for i in batch_axes), prod(a[i] for i in axes)
    m, n = prod(a) // (batch * k), prod(b) // (batch * k)
    return Work("matmul", 2 * batch * m * k * n, batch * _gemm(m, k, n), (right,))


def _convolution(operation: Operation) -> Work:
    weight = operation.operands[1]
    result = prod(_shape(operation.results[0]))
    out_channels = _out_channels(operation)
    groups = _number(operation, "groups", 1)
    reduced = _reduced(operation, groups)
    tiles = groups * _gemm(result // out_channels, reduced, out_channels // groups)
    return Work("convolution", 2 * result * reduced, tiles, (weight,))


def _transposed_convolution(operation: Operation) -> Work:
    """FLOPs are driven by the input: each of its scalars meets the kernel once."""
    source, weight = operation.operands[:2]
    groups, kernel = _number(operation, "groups", 1), _kernel(operation)
    out_channels = _number(operation, "out_channels", 0) or _shape(weight)[1] * groups
    in_channels = _number(operation, "in_channels", 0) or _shape(weight)[0]
    rows = prod(_shape(operation.results[0])) // out_channels
    each = out_channels // groups
    tiles = groups * _gemm(rows, in_channels // groups * prod(kernel), each)
    flops = 2 * prod(_shape(source)) * each * prod(kernel)
    return Work("convolution", flops, tiles, (weight,))


def _attention(operation: Operation) -> Work:
    """Two products, QKᵀ and scores·V; halved under a causal mask, capped by a sliding window.

    With a mask of its own an op's time is unknown, since the mask may leave most of it out.
    """
    query, key, value = operation.operands[:3]
    (batch, heads, rows, depth), keys, values = _shape4(query), _shape4(key), _shape4(value)
    window = _number(operation, "sliding_window_size", 0)
    columns = min(window, keys[2]) if window else keys[2]
    is_halved = not window and _flag(operation, "is_causal")
    flops = 2 * batch * heads * rows * columns * (depth + values[3])
    tiles = batch * heads * (_gemm(rows, depth, columns) + _gemm(rows, columns, values[3]))
    masked = _num_operands(operation, 3) > 0
    return Work(
        "attention",
        flops // 2 if is_halved else flops,
        None if masked else (tiles // 2 if is_halved else tiles),
        (key, value),
    )


def _decoding_attention(operation: Operation) -> Work:
    """One row of queries: reading keys and values is all that counts."""
    return Work("attention", None, 0, operation.operands[1:3])


_COUNTS: Mapping[str, Callable[[Operation], Work]] = {
    "matmul": _matmul,
    "linear": _matmul,
    "sparse_matmul": _sparse_matmul,
    "dot_general": _dot_general,
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "conv_transpose2d": _transposed_convolution,
    "scaled_dot_product_attention": _attention,
    "scaled_dot_product_attention_decode": _decoding_attention,
    "paged_scaled_dot_product_attention_decode": _decoding_attention,
}

_STABLEHLO: Mapping[str, Callable[[Operation], Work]] = {
    "stablehlo.dot_general": _stablehlo_dot_general,
    "stablehlo.convolution": _stablehlo_convolution,
}


def _gemm(m: int, k: int, n: int) -> int:
    """Tile multiplications of an m × k by k × n product."""
    return -(-m // _EDGE) * -(-k // _EDGE) * -(-n // _EDGE)


def _reduced(operation: Operation, groups: int) -> int:
    """Scalars that one output scalar of a convolution sums over."""
    in_channels = _number(operation, "in_channels", 0)
    if in_channels:
        return in_channels // groups * prod(_kernel(operation))
    return prod(_shape(operation.operands[1])[1:])


def _out_channels(operation: Operation) -> int:
    return _number(operation, "out_channels", 0) or _shape(operation.operands[1])[0]


def _kernel(operation: Operation) -> Sequence[int]:
    given = _numbers(operation, "kernel_size")
    return given or _shape(operation.operands[1])[2:]


def _shape(value: Value) -> Shape:
    shape = value.type.shape if isinstance(value.type, TensorType) else None
    if shape is None:
        raise _UnknownShapeError
    known = tuple(n for n in shape if n is not None)
    if len(known) < len(shape):
        raise _UnknownShapeError
    return known


def _shape4(value: Value) -> tuple[int, int, int, int]:
    shape = _shape(value)
    if len(shape) != 4:
        raise _UnknownShapeError
    return shape[0], shape[1], shape[2], shape[3]


def _text(operation: Operation, key: str) -> str:
    attribute = operation.attributes.get(key)
    return attribute.text if attribute is not None else ""


def _flag(operation: Operation, key: str) -> bool:
    attribute = operation.attributes.get(key)
    return attribute is not None and attribute.value is True


def _number(operation: Operation, key: str, default: int) -> int:
    numbers = _numbers(operation, key)
    return numbers[0] if len(numbers) == 1 else default


def _numbers(operation: Operation, key: str) -> tuple[int, ...]:
    """Whole numbers of an attribute: one, ``array<i32: …>`` or a list; empty without it."""
    attribute = operation.attributes.get(key)
    value = attribute.value if attribute is not None else ()
    if isinstance(value, DenseArray):
        value = value.values
    many = value if isinstance(value, tuple) else (value,)
    return tuple(n for n in many if isinstance(n, int) and not isinstance(n, bool))


def _num_operands(operation: Operation, segment: int) -> int:
    """Operands of a segment, such as the attention mask; without segments by the place."""
    segments = _numbers(operation, "operandSegmentSizes")
    if segments:
        return segments[segment] if segment < len(segments) else 0
    return int(len(operation.operands) > segment)
