"""Comparisons, logic, bits, and choosing between values."""

from __future__ import annotations

import numpy as np

from studio_core.execution.lowering.builder import Builder
from studio_core.execution.lowering.elementwise import together
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import (
    BOOL,
    INT64,
    CannotLowerError,
    Tensor,
    narrow_type,
)
from studio_core.execution.lowering.views import View

COMPARISONS = {
    "eq": "Equal",
    "ne": "Equal",
    "lt": "Less",
    "le": "LessOrEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
}


def compare(b: Builder, how: str, x: Tensor, y: Tensor) -> Tensor:
    """``how`` is eq, ne, lt, le, gt or ge; the answer is bool."""
    x, y = together(b, x, y)
    result = b.binary(COMPARISONS[how], x, y)
    return b.emit("Not", [result], result.shape, BOOL) if how == "ne" else result


@lowers(*(f"ttir.{name}" for name in COMPARISONS), inputs=2, exact=True)
def _compare(b: Builder, v: View) -> Tensor:
    return compare(b, v.name, *v.need(2))


@lowers("stablehlo.compare", inputs=2, exact=True)
def _compare_as_asked(b: Builder, v: View) -> Tensor:
    how = v.text("comparison_direction").replace(">", " ").split()[-1].lower()
    if how not in COMPARISONS:
        raise CannotLowerError(f"The comparison {how!r} is not known here.")
    return compare(b, how, *v.need(2))


_LOGIC = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}


@lowers(*(f"ttir.{name}" for name in _LOGIC), inputs=2, exact=True)
def _logic(b: Builder, v: View) -> Tensor:
    x, y = (b.truth(t) for t in v.need(2))
    return b.cast(b.emit(_LOGIC[v.name], [x, y], v.shape, BOOL), v.dtype)


@lowers(
    *(f"ttir.bitwise_{name}" for name in ("and", "or", "xor")),
    *(f"stablehlo.{name}" for name in ("and", "or", "xor")),
    inputs=2,
    exact=True,
)
def _bits(b: Builder, v: View) -> Tensor:
    kind = v.name.removeprefix("bitwise_").capitalize()
    x, y = v.need(2)
    if x.dtype == BOOL:
        return b.emit(kind, [x, y], v.shape, BOOL)
    return b.binary(f"Bitwise{kind}", *together(b, x, y))


_SHIFTS = {
    "logical_left_shift": "left",
    "shift_left": "left",
    "logical_right_shift": "right",
    "shift_right_logical": "right",
    "shift_right_arithmetic": "arithmetic",
    "bitwise_left_shift": "left",
    "bitwise_right_shift": "arithmetic",
}


@lowers(
    *(f"{'stablehlo' if name.startswith('shift') else 'ttir'}.{name}" for name in _SHIFTS),
    inputs=2,
    exact=True,
)
def _shift(b: Builder, v: View) -> Tensor:
    """ONNX shifts unsigned integers only; amounts of the width and more give 0 (or the sign)."""
    x, y = v.need(2)
    how = _SHIFTS[v.name]
    narrow = narrow_type(v.element)
    bits = 8 * (narrow or x.dtype).itemsize
    if how == "arithmetic":
        amount = b.binary("Min", y, b.like(bits - 1, y))
        power = b.cast(_power_of_two(b, amount), INT64)
        wide = b.cast(x, INT64)
        return b.cast(_floor_quotient(b, wide, power), x.dtype)
    unsigned = np.dtype(f"u{bits // 8}") if bits >= 32 else np.dtype(np.uint32)
    if narrow is not None and narrow.kind == "i":
        x = b.cast(b.cast(b.cast(x, narrow), np.dtype(f"u{bits // 8}")), x.dtype)
    shifted = b.emit(
        "BitShift",
        [b.cast(x, unsigned), b.cast(b.binary("Min", y, b.like(bits - 1, y)), unsigned)],
        v.shape,
        unsigned,
        direction=how.upper(),
    )
    result = b.where(compare(b, "lt", y, b.like(bits, y)), b.cast(shifted, v.dtype), b.like(0, x))
    return b.wrap(result, narrow)


def _power_of_two(b: Builder, amount: Tensor) -> Tensor:
    wide = np.dtype(np.uint64)
    one = b.const(np.uint64(1))
    return b.emit("BitShift", [one, b.cast(amount, wide)], amount.shape, wide, direction="LEFT")


def _floor_quotient(b: Builder, x: Tensor, power: Tensor) -> Tensor:
    rest = b.binary("Mod", x, power)
    return b.div(b.sub(x, rest), power)


# Choosing


@lowers("ttir.where", "stablehlo.select", inputs=3, exact=True)
def _where(b: Builder, v: View) -> Tensor:
    condition, x, y = v.need(3)
    return b.where(b.truth(condition), b.cast(x, v.dtype), b.cast(y, v.dtype))


@lowers("ttir.clamp_scalar", "ttir.clamp", exact=True)
def _clamp_scalar(b: Builder, v: View) -> Tensor:
    low, high = v.number("min", None), v.number("max", None)
    x = v.x
    ends = [None if end is None else b.like(end, x) for end in (low, high)]
    return b.emit("Clip", [x, *ends], x.shape, x.dtype)


@lowers("ttir.clamp_tensor", inputs=3, exact=True)
def _clamp_tensor(b: Builder, v: View) -> Tensor:
    x, low, high = v.need(3)
    return b.binary("Min", b.binary("Max", x, low), high)


@lowers("stablehlo.clamp", inputs=3, exact=True)
def _clamp(b: Builder, v: View) -> Tensor:
    low, x, high = v.need(3)
    return b.binary("Min", b.binary("Max", x, low), high)


@lowers("ttir.logical_not", exact=True)
def _logical_not(b: Builder, v: View) -> Tensor:
    x = b.truth(v.x)
    return b.emit("Not", [x], x.shape, BOOL)


@lowers("ttir.bitwise_not", "stablehlo.not", exact=True)
def _bitwise_not(b: Builder, v: View) -> Tensor:
    x = v.x
    if x.dtype == BOOL:
        return b.emit("Not", [x], x.shape, BOOL)
    return b.wrap(b.unary("BitwiseNot", x), narrow_type(v.element))
