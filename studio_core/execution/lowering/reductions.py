"""Reductions, softmax, sorting and running sums."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from studio_core.execution.lowering.builder import Builder, axis
from studio_core.execution.lowering.pooling import window_reduce
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import (
    BOOL,
    FLOAT,
    INT32,
    INT64,
    CannotLowerError,
    Tensor,
    narrow_type,
)
from studio_core.execution.lowering.views import View
from studio_core.mlir.records import Block

_KINDS = {
    "sum": "Sum",
    "mean": "Mean",
    "max": "Max",
    "min": "Min",
    "prod": "Prod",
    "reduce_and": "Min",
    "reduce_or": "Max",
}


def _axes(v: View, rank: int) -> list[int]:
    """Dimensions to reduce; all of them where none is named."""
    found = v.ints("dim_arg", v.ints("dim", None))
    return list(range(rank)) if not found and found != [] else [axis(a, rank) for a in found]


@lowers(*(f"ttir.{name}" for name in _KINDS))
def _reduction(b: Builder, v: View) -> Tensor:
    x = b.cast(b.truth(v.x), INT32) if v.name.startswith("reduce_") else v.x
    x = b.cast(x, INT32) if x.dtype == BOOL else x
    if v.name == "mean":
        x = b.cast(x, FLOAT)
    found = b.reduce(_KINDS[v.name], x, _axes(v, x.rank), v.flag("keep_dim"))
    return b.wrap(b.cast(found, v.dtype), narrow_type(v.element))


@lowers("ttir.argmax", "ttir.argmin")
def _argmax(b: Builder, v: View) -> Tensor:
    x = v.x if v.x.is_float else b.cast(v.x, FLOAT)
    axes = _axes(v, x.rank)
    kept = [1 if i in axes else d for i, d in enumerate(x.shape)]
    others = [i for i in range(x.rank) if i not in axes]
    # Several dimensions are searched as one, counted in their own order.
    flat = b.transpose(x, [*others, *axes])
    flat = b.reshape(flat, [*(x.shape[i] for i in others), math.prod(x.shape[i] for i in axes)])
    kind = "ArgMin" if v.name == "argmin" else "ArgMax"
    found = b.emit(kind, [flat], flat.shape[:-1], INT64, axis=-1, keepdims=0)
    return b.cast(b.reshape(found, kept if v.flag("keep_dim") else found.shape), v.dtype)


@lowers("ttir.softmax")
def _softmax(b: Builder, v: View) -> Tensor:
    x = b.cast(v.x, FLOAT)
    return b.unary("Softmax", x, axis=axis(v.whole("dimension", v.whole("dim", -1)), x.rank))


@lowers("ttir.log_softmax")
def _log_softmax(b: Builder, v: View) -> Tensor:
    return b.unary("LogSoftmax", v.x, axis=axis(v.whole("dimension", v.whole("dim", -1)), v.x.rank))


@lowers("ttir.cumsum", "ttnn.moreh_cumsum")
def _cumsum(b: Builder, v: View) -> Tensor:
    x = b.cast(v.x, INT32) if v.x.dtype == BOOL else v.x
    at = b.const(np.int64(axis(v.whole("dim"), x.rank)))
    return b.cast(b.emit("CumSum", [x, at], x.shape, x.dtype), v.dtype)


@lowers("ttir.cumprod")
def _cumprod(b: Builder, v: View) -> Tensor:
    """By doubling: each step multiplies with the product of as many elements before."""
    x, at = v.x, axis(v.whole("dim"), v.x.rank)
    step, length = 1, v.x.shape[axis(v.whole("dim"), v.x.rank)]
    while step < length:
        low = [step if i == at else 0 for i in range(x.rank)]
        high = [-step if i == at else 0 for i in range(x.rank)]
        x = b.mul(x, b.pad(x, low, high, b.like(1, x)))
        step *= 2
    return x


# Sorting


def top_k(b: Builder, x: Tensor, count: int, at: int, largest: bool) -> tuple[Tensor, Tensor]:
    """Values and places (int64) of the ``count`` first in order along a dimension."""
    source = b.cast(x, INT32) if x.dtype == BOOL else x
    shape = [count if i == at else d for i, d in enumerate(x.shape)]
    values, places = b.emit_many(
        "TopK",
        [source, b.ints([count])],
        [(tuple(shape), source.dtype), (tuple(shape), INT64)],
        axis=at,
        largest=int(largest),
        sorted=1,
    )
    return b.cast(values, x.dtype), places


@lowers("ttir.sort")
def _sort(b: Builder, v: View) -> list[Tensor]:
    at = axis(v.whole("dim", -1), v.x.rank)
    return list(top_k(b, v.x, v.x.shape[at], at, v.flag("descending")))


@lowers("ttir.topk", "chlo.top_k")
def _topk(b: Builder, v: View) -> list[Tensor]:
    at = axis(v.whole("dim", -1), v.x.rank)
    values, places = top_k(b, v.x, v.whole("k"), at, v.flag("largest", True))
    return [values, places]


@lowers("stablehlo.sort")
def _sort_by_region(b: Builder, v: View) -> list[Tensor]:
    """Sorted by the first operand; the others follow it."""
    how = _comparator(v.block())
    at = axis(v.whole("dimension", -1), v.x.rank)
    values, places = top_k(b, v.x, v.x.shape[at], at, largest=how == "gt")
    rest = [b.emit("GatherElements", [t, places], t.shape, t.dtype, axis=at) for t in v.inputs[1:]]
    return [values, *rest]


def _comparator(block: Block) -> str:
    """lt or gt, where a region compares its first two arguments and answers that."""
    ops = [o for o in block.operations if o.name != "stablehlo.return"]
    if len(ops) != 1 or ops[0].name != "stablehlo.compare" or len(block.arguments) < 2:
        raise CannotLowerError("It is ordered by a function that is not a plain comparison.")
    how = View(ops[0], (), ()).text("comparison_direction").replace(">", " ").split()[-1].lower()
    first, second = block.arguments[:2]
    if [id(o) for o in ops[0].operands] == [id(second), id(first)]:
        how = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}.get(how, how)
    elif [id(o) for o in ops[0].operands] != [id(first), id(second)]:
        raise CannotLowerError("It is ordered by more than its first operand.")
    return how[0] + "t"


# StableHLO's reductions by a function


def reducer(v: View) -> str:
    """The one operation by which a region (or ``applies``) combines two values."""
    named = v.text("applies") or v.text("reducer")
    if named:
        return named.rpartition(".")[2]
    ops = [o for o in v.block().operations if not o.name.endswith(".return")]
    if len(ops) == 1 and len(v.op.results) == 1:
        return ops[0].name.rpartition(".")[2]
    raise CannotLowerError("It reduces by a function that is not a single operation.")


_REDUCERS = {
    "add": ("Sum", "Add"),
    "multiply": ("Prod", "Mul"),
    "maximum": ("Max", "Max"),
    "minimum": ("Min", "Min"),
    "and": ("Min", "Mul"),
    "or": ("Max", "Max"),
}


@lowers("stablehlo.reduce", inputs=2)
def _reduce(b: Builder, v: View) -> Tensor | list[Tensor]:
    axes = v.ints("dimensions")
    if len(v.op.results) == 2:
        return _reduce_with_places(b, v, axes)
    x, start = v.need(2)
    name = reducer(v)
    if name not in _REDUCERS or (name in ("and", "or") and x.dtype != BOOL):
        raise CannotLowerError(f"It reduces by {name}, which is not known here.")
    kind, combine = _REDUCERS[name]
    dtype = x.dtype
    x, start = (b.cast(t, INT32) if t.dtype == BOOL else t for t in (x, start))
    found = b.reduce(kind, x, axes, keep=False)
    return b.wrap(b.cast(b.binary(combine, found, start), dtype), narrow_type(v.element))


def _reduce_with_places(b: Builder, v: View, axes: Sequence[int]) -> list[Tensor]:
    """The form in which JAX writes argmax: values with their numbers, compared."""
    ops = [o.name.rpartition(".")[2] for o in v.block().operations]
    compares = [o for o in v.block().operations if o.name.endswith(".compare")]
    known = {"compare", "select", "or", "and", "return"}
    if len(axes) != 1 or not compares or set(ops) - known:
        raise CannotLowerError("It reduces two tensors by a function that is not known here.")
    how = View(compares[0], (), ()).text("comparison_direction").replace(">", " ").split()[-1]
    if how[0] not in "GL":
        raise CannotLowerError("It reduces two tensors by a function that is not known here.")
    x, numbers = v.need(2)
    at = axis(axes[0], x.rank)
    shape = [1 if i == at else d for i, d in enumerate(x.shape)]
    kind = "ArgMax" if how[0] == "G" else "ArgMin"
    source = b.cast(x, FLOAT)
    place = b.emit(kind, [source], shape, INT64, axis=at, keepdims=1)
    values = b.reduce("Max" if how[0] == "G" else "Min", x, [at], keep=False)
    found = b.emit("GatherElements", [numbers, place], shape, numbers.dtype, axis=at)
    return [values, b.reshape(found, values.shape)]


@lowers("stablehlo.reduce_window", inputs=2)
def _reduce_window(b: Builder, v: View) -> Tensor:
    kinds = {"add": "sum", "maximum": "max", "minimum": "min"}
    x, _ = v.need(2)
    return window_reduce(b, v, x, kinds.get(reducer(v), ""))
