"""Operations that make tensors: constants, ranges, random numbers."""

from __future__ import annotations

import numpy as np

from studio_core.execution.lowering.builder import Builder, axis
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import CannotLowerError, Tensor, held_type
from studio_core.execution.lowering.views import View
from studio_core.mlir.records import DenseElements


@lowers("ttir.constant", "stablehlo.constant", "arith.constant", "ttnn.construct_tensor", inputs=0)
def _constant(b: Builder, v: View) -> Tensor:
    value = v.value("value")
    if isinstance(value, (bool, int, float)):
        return b.const(np.broadcast_to(np.asarray(value).astype(v.dtype), v.shape))
    if not isinstance(value, DenseElements) or value.array is None:
        raise CannotLowerError("The file does not hold its data.")
    array = value.array.reshape(v.shape)
    with np.errstate(over="ignore"):  # what float64 alone can hold is infinite in float32
        if array.size > 1 and not any(array.strides):
            return _owned(b, np.broadcast_to(array[(0,) * array.ndim].astype(v.dtype), v.shape))
        return _owned(b, array.astype(v.dtype, copy=False))


def _owned(b: Builder, array: np.ndarray) -> Tensor:
    """A constant as a value of the operation itself."""
    return b.identity(b.const(array))


@lowers("ttir.full", "ttir.zeros", "ttir.ones", "ttir.empty", "tensor.empty", inputs=0)
def _full(b: Builder, v: View) -> Tensor:
    default = 1 if v.name == "ones" else 0
    value = v.number("fill_value", v.number("value", default)) if v.name == "full" else default
    return _filled(b, v, value)


def _filled(b: Builder, v: View, value: float) -> Tensor:
    return _owned(b, np.broadcast_to(np.asarray(value).astype(held_type(v.element)), v.shape))


@lowers("ttir.full_like", "ttir.zeros_like", "ttir.ones_like")
def _like(b: Builder, v: View) -> Tensor:
    given = {"full_like": v.number("fill_value", 0), "zeros_like": 0, "ones_like": 1}
    return _filled(b, v, given[v.name])


@lowers("ttir.arange", inputs=0)
def _arange(b: Builder, v: View) -> Tensor:
    at = axis(v.whole("arange_dimension", -1), len(v.shape))
    start, step = v.number("start", 0), v.number("step", 1)
    values = (start + step * np.arange(v.shape[at])).astype(v.dtype)
    return _along(b, v, values, at)


@lowers("stablehlo.iota", inputs=0)
def _iota(b: Builder, v: View) -> Tensor:
    at = axis(v.whole("iota_dimension"), len(v.shape))
    return _along(b, v, np.arange(v.shape[at]).astype(v.dtype), at)


def _along(b: Builder, v: View, values: np.ndarray, at: int) -> Tensor:
    column = b.const(values.reshape([-1 if i == at else 1 for i in range(len(v.shape))]))
    return b.identity(column) if column.shape == v.shape else b.expand(column, v.shape)


@lowers("ttir.rand", inputs=0)
def _rand(b: Builder, v: View) -> Tensor:
    low, high = float(v.number("low", 0.0)), float(v.number("high", 1.0))
    values = np.random.default_rng(v.whole("seed", 0)).uniform(low, high, v.shape)
    b.note("Random numbers are numpy's, not those of the hardware.")
    return _owned(b, values.astype(v.dtype))


@lowers("ttir.get_dimension_size", "stablehlo.get_dimension_size")
def _dimension_size(b: Builder, v: View) -> Tensor:
    size = v.x.shape[axis(v.whole("dimension"), v.x.rank)]
    return _owned(b, np.full(v.shape, size, v.dtype))
