"""Elementwise operations: arithmetic, comparisons, logic, bits, activations.

The formulas are those of TTIROps.td and of the StableHLO specification; those that ONNX does
not have are composed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from studio_core.execution.lowering.builder import Builder
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

Unary = Callable[[Builder, Tensor], Tensor]
Binary = Callable[[Builder, Tensor, Tensor], Tensor]

_DIRECT = {
    "ceil": "Ceil",
    "floor": "Floor",
    "round": "Round",
    "round_nearest_even": "Round",
    "sqrt": "Sqrt",
    "exp": "Exp",
    "exponential": "Exp",
    "log": "Log",
    "sin": "Sin",
    "sine": "Sin",
    "cos": "Cos",
    "cosine": "Cos",
    "tan": "Tan",
    "asin": "Asin",
    "acos": "Acos",
    "atan": "Atan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "tanh": "Tanh",
    "asinh": "Asinh",
    "acosh": "Acosh",
    "atanh": "Atanh",
    "erf": "Erf",
    "sigmoid": "Sigmoid",
    "logistic": "Sigmoid",
    "reciprocal": "Reciprocal",
    "softsign": "Softsign",
    "softplus": "Softplus",
    "mish": "Mish",
    "hardswish": "HardSwish",
}
"""Float functions that ONNX has under its own name."""

_ANY_TYPE = {"abs": "Abs", "neg": "Neg", "negate": "Neg", "sign": "Sign"}


# Names that only StableHLO uses, those that it shares with TTIR, and those of CHLO.
_STABLEHLO_ONLY = {
    "exponential", "sine", "cosine", "logistic", "negate", "log_plus_one", "power", "divide",
    "exponential_minus_one", "round_nearest_even", "round_nearest_afz", "shift_left",
    "shift_right_logical", "shift_right_arithmetic",
}  # fmt: skip
_SHARED = {
    "abs", "add", "atan2", "cbrt", "ceil", "floor", "is_finite", "log", "maximum", "minimum",
    "multiply", "remainder", "rsqrt", "sign", "sqrt", "subtract", "tan", "tanh",
}  # fmt: skip
_CHLO = {
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "erf", "erfc", "sinh", "square",
}  # fmt: skip


def _everywhere(name: str) -> tuple[str, ...]:
    """The full names under which a function occurs."""
    dialects = {
        "ttir": name not in _STABLEHLO_ONLY,
        "stablehlo": name in _STABLEHLO_ONLY | _SHARED,
        "chlo": name in _CHLO,
    }
    return tuple(f"{dialect}.{name}" for dialect, has in dialects.items() if has)


def _direct(kind: str) -> Unary:
    return lambda b, x: b.unary(kind, b.cast(x, FLOAT))


def _kept(kind: str) -> Unary:
    def lower(b: Builder, x: Tensor) -> Tensor:
        return b.unary(kind, b.cast(x, INT32) if x.dtype == BOOL else x)

    return lower


def _cbrt(b: Builder, x: Tensor) -> Tensor:
    return b.mul(b.unary("Sign", x), b.binary("Pow", b.unary("Abs", x), b.like(1 / 3, x)))


def _log1p(b: Builder, x: Tensor) -> Tensor:
    # log(u) * x / (u - 1) with u = 1 + x is exact where 1 + x loses digits of a small x.
    (one,) = b.scalars(x, 1)
    u = b.add(x, one)
    exact = b.div(b.mul(b.unary("Log", u), x), b.sub(u, one))
    small = b.binary("Equal", u, one)
    far = b.binary("Equal", u, b.like(np.inf, x))
    return b.where(small, x, b.where(far, u, exact))


def _expm1(b: Builder, x: Tensor) -> Tensor:
    # 2 sinh(x/2) exp(x/2) loses no digits near 0.
    half = b.mul(x, b.like(0.5, x))
    return b.mul(b.mul(b.unary("Sinh", half), b.unary("Exp", half)), b.like(2, x))


def _gelu(b: Builder, x: Tensor) -> Tensor:
    return b.unary("Gelu", x)


def _relu6(b: Builder, x: Tensor) -> Tensor:
    return b.emit("Clip", [x, *b.scalars(x, 0, 6)], x.shape, x.dtype)


def _relu(b: Builder, x: Tensor) -> Tensor:
    return b.unary("Relu", x) if x.is_float else b.binary("Max", x, b.like(0, x))


def _silu(b: Builder, x: Tensor) -> Tensor:
    return b.mul(x, b.unary("Sigmoid", x))


def _round_away(b: Builder, x: Tensor) -> Tensor:
    half = b.add(b.unary("Abs", x), b.like(0.5, x))
    return b.mul(b.unary("Sign", x), b.unary("Floor", half))


def _is_finite(b: Builder, x: Tensor) -> Tensor:
    odd = b.emit("IsInf", [x], x.shape, BOOL)
    none = b.emit("IsNaN", [x], x.shape, BOOL)
    return b.emit("Not", [b.emit("Or", [odd, none], x.shape, BOOL)], x.shape, BOOL)


_COMPOSED: dict[str, Unary] = {
    "cbrt": _cbrt,
    "log1p": _log1p,
    "log_plus_one": _log1p,
    "expm1": _expm1,
    "exponential_minus_one": _expm1,
    "rsqrt": lambda b, x: b.unary("Reciprocal", b.unary("Sqrt", x)),
    "square": lambda b, x: b.mul(x, x),
    "erfc": lambda b, x: b.sub(b.like(1, x), b.unary("Erf", x)),
    "exp2": lambda b, x: b.binary("Pow", b.like(2, x), x),
    "log2": lambda b, x: b.mul(b.unary("Log", x), b.like(1 / math.log(2), x)),
    "log10": lambda b, x: b.mul(b.unary("Log", x), b.like(1 / math.log(10), x)),
    "relu6": _relu6,
    "silu": _silu,
    "hardsigmoid": lambda b, x: b.unary("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    "trunc": lambda b, x: b.mul(b.unary("Sign", x), b.unary("Floor", b.unary("Abs", x))),
    "frac": lambda b, x: b.binary("Mod", x, b.like(1, x), fmod=1),
    "round_nearest_afz": _round_away,
    "is_finite": _is_finite,
    "isfinite": _is_finite,
    "isnan": lambda b, x: b.emit("IsNaN", [x], x.shape, BOOL),
    "isinf": lambda b, x: b.emit("IsInf", [x], x.shape, BOOL),
}


def apply_unary(b: Builder, name: str, x: Tensor) -> Tensor:
    """A unary function by the name that TTIR, TTNN or StableHLO gives it."""
    if name == "relu":
        return _relu(b, x)
    if name in _DIRECT:
        return _direct(_DIRECT[name])(b, x)
    if name in _ANY_TYPE:
        return _kept(_ANY_TYPE[name])(b, x)
    if name == "gelu":
        return _gelu(b, b.cast(x, FLOAT))
    if name in _COMPOSED:
        return _COMPOSED[name](b, b.cast(x, FLOAT))
    raise CannotLowerError(f"The function {name} is not known here.")


_UNARY = ("relu", *_DIRECT, *_ANY_TYPE, *_COMPOSED)


@lowers(*(n for name in _UNARY for n in _everywhere(name)), exact=True)
def _unary(b: Builder, v: View) -> Tensor:
    result = b.cast(apply_unary(b, v.name, v.x), v.dtype)
    return b.wrap(result, narrow_type(v.element))


@lowers("ttir.gelu", exact=True)
def _gelu_as_asked(b: Builder, v: View) -> Tensor:
    kind = v.text("approximate", "none")
    return b.unary("Gelu", v.x, approximate="tanh" if "tanh" in kind else "none")


@lowers("ttir.leaky_relu", exact=True)
def _leaky_relu(b: Builder, v: View) -> Tensor:
    return b.unary("LeakyRelu", v.x, alpha=float(v.number("parameter", v.number("slope", 0.01))))


@lowers("ttir.elu", "ttir.celu", "ttir.selu", exact=True)
def _elu(b: Builder, v: View) -> Tensor:
    kind = {"elu": "Elu", "celu": "Celu", "selu": "Selu"}[v.name]
    if kind == "Selu":
        return b.unary(kind, v.x)
    return b.unary(kind, v.x, alpha=float(v.number("alpha", 1.0)))


@lowers("ttir.typecast", "ttnn.to_dtype", "stablehlo.convert", exact=True)
def _typecast(b: Builder, v: View) -> Tensor:
    x = v.x
    if x.dtype == v.dtype:
        x = b.identity(x)
    return b.wrap(b.cast(x, v.dtype), narrow_type(v.element))


# Two operands


def together(b: Builder, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the wider of their types; bool as int32."""
    order = [BOOL, INT32, INT64, FLOAT]
    dtype = max(x.dtype, y.dtype, INT32, key=order.index)
    return b.cast(x, dtype), b.cast(y, dtype)


def _arithmetic(kind: str) -> Binary:
    return lambda b, x, y: b.binary(kind, x, y)


def _remainder(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    return b.binary("Mod", x, y, fmod=1)


def _floor_mod(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    if x.is_float:
        return b.sub(x, b.mul(b.unary("Floor", b.div(x, y)), y))
    return b.binary("Mod", x, y)


def _atan2(b: Builder, y: Tensor, x: Tensor) -> Tensor:
    y, x = b.floats(y, x)
    zero, pi = b.like(0, x), b.like(math.pi, x)
    angle = b.unary("Atan", b.div(y, x))
    turned = b.where(b.binary("Less", y, zero), b.sub(angle, pi), b.add(angle, pi))
    angle = b.where(b.binary("Less", x, zero), turned, angle)
    upright = b.mul(b.unary("Sign", y), b.like(math.pi / 2, x))
    return b.where(b.binary("Equal", x, zero), b.expand_like(upright, angle), angle)


def _floor_div(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    x, y = b.floats(x, y)
    return b.unary("Floor", b.div(x, y))


ARITHMETIC: dict[str, Binary] = {
    "add": _arithmetic("Add"),
    "subtract": _arithmetic("Sub"),
    "multiply": _arithmetic("Mul"),
    "div": _arithmetic("Div"),
    "divide": _arithmetic("Div"),
    "pow": _arithmetic("Pow"),
    "power": _arithmetic("Pow"),
    "maximum": _arithmetic("Max"),
    "minimum": _arithmetic("Min"),
    "remainder": _remainder,
    "fmod": _remainder,
    "mod": _floor_mod,
    "floor_div": _floor_div,
    "atan2": _atan2,
    "squared_difference": lambda b, x, y: b.mul(b.sub(x, y), b.sub(x, y)),
}


_TTNN_NAMES = {"ttnn.remainder": "mod", "ttnn.pow_tensor": "pow"}


def apply_arithmetic(b: Builder, name: str, x: Tensor, y: Tensor) -> Tensor:
    """A binary function by the name that TTIR or StableHLO gives it."""
    return ARITHMETIC[name](b, *together(b, x, y))


@lowers(
    *(n for name in ARITHMETIC for n in _everywhere(name)),
    "ttnn.divide",
    "ttnn.pow_tensor",
    inputs=2,
    exact=True,
)
def _binary(b: Builder, v: View) -> Tensor:
    x, y = v.need(2)
    # TTNN's remainder has the sign of the divisor, as PyTorch's has.
    name = _TTNN_NAMES.get(v.op.name, v.name)
    result = b.cast(apply_arithmetic(b, name, x, y), v.dtype)
    activated = _activations(b, v, result)
    return b.wrap(activated, narrow_type(v.element))


def _activations(b: Builder, v: View, x: Tensor) -> Tensor:
    """TTNN may fuse a function behind an operation."""
    name = v.text("activation")
    return apply_unary(b, name, x) if name and name != "none" else x


@lowers("ttir.pow_scalar", "ttnn.pow_tensor_scalar", exact=True)
def _pow_scalar(b: Builder, v: View) -> Tensor:
    return b.binary("Pow", v.x, b.like(float(v.number("rhs", v.number("exponent", 1))), v.x))


@lowers("ttir.gelu_backward", "ttir.gelu_bw", inputs=2, exact=True)
def _gelu_backward(b: Builder, v: View) -> Tensor:
    """Gradient of gelu at the second operand, times the first."""
    gradient, x = v.need(2)
    one, half = b.scalars(x, 1, 0.5)
    if "tanh" in v.text("approximate", "none"):
        k, a = math.sqrt(2 / math.pi), 0.044715
        cubic = b.mul(b.like(a, x), b.mul(b.mul(x, x), x))
        t = b.unary("Tanh", b.mul(b.like(k, x), b.add(x, cubic)))
        slope = b.add(b.like(k, x), b.mul(b.like(3 * k * a, x), b.mul(x, x)))
        rise = b.mul(b.mul(half, x), b.mul(b.sub(one, b.mul(t, t)), slope))
        return b.mul(gradient, b.add(b.mul(half, b.add(one, t)), rise))
    share = b.mul(half, b.add(one, b.unary("Erf", b.mul(x, b.like(math.sqrt(0.5), x)))))
    bell = b.unary("Exp", b.mul(b.like(-0.5, x), b.mul(x, x)))
    density = b.mul(bell, b.like(1 / math.sqrt(2 * math.pi), x))
    return b.mul(gradient, b.add(share, b.mul(x, density)))
