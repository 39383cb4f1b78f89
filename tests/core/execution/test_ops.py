"""Every operation of the table against numpy, one small case or more each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import special

from studio_core.execution.lowering import TABLE

RNG = np.random.default_rng(7)


@dataclass(frozen=True, eq=False)
class Case:
    name: str
    arrays: Sequence[np.ndarray]
    expected: Any
    attributes: str = ""
    results: Sequence[str] = ()
    regions: Sequence[str] = ()
    elements: dict[int, str] | None = None


CASES: list[Case] = []

ELEMENTS = {
    "float32": "f32",
    "int32": "i32",
    "int64": "i64",
    "bool": "i1",
    "uint8": "ui8",
    "int8": "i8",
    "uint32": "ui32",
    "float64": "f64",
}


def written(array: np.ndarray) -> str:
    return f"tensor<{''.join(f'{d}x' for d in array.shape)}{ELEMENTS[array.dtype.name]}>"


def case(
    names: str,
    arrays: Sequence[np.ndarray],
    expected: Any,
    attributes: str = "",
    results: Sequence[str] = (),
    regions: Sequence[str] = (),
    elements: dict[int, str] | None = None,
) -> None:
    """One case for each of the names; result types are those of the expected arrays."""
    wanted = expected if isinstance(expected, list) else [expected]
    types = results or [written(np.asarray(w)) for w in wanted]
    for name in names.split():
        CASES.append(Case(name, arrays, wanted, attributes, types, regions, elements))


def f(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(low: int, high: int, *shape: int, dtype: type = np.int32) -> np.ndarray:
    return RNG.integers(low, high, shape).astype(dtype)


def f32(value: Any) -> np.ndarray:
    return np.asarray(value, np.float32)


# Unary

X = f32([[-2.5, -1.0, -0.3, 0.0], [0.2, 0.9, 1.5, 3.5]])
P = np.abs(X) + np.float32(0.1)
U = X / 4

ANY: dict[str, Callable[[np.ndarray], Any]] = {
    "ttir.ceil stablehlo.ceil": np.ceil,
    "ttir.floor stablehlo.floor": np.floor,
    "ttir.round stablehlo.round_nearest_even": np.round,
    "stablehlo.round_nearest_afz": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "ttir.trunc": np.trunc,
    "ttir.frac": lambda x: x - np.trunc(x),
    "ttir.exp stablehlo.exponential": np.exp,
    "ttir.exp2": np.exp2,
    "ttir.expm1 stablehlo.exponential_minus_one": np.expm1,
    "ttir.sin stablehlo.sine": np.sin,
    "ttir.cos stablehlo.cosine": np.cos,
    "ttir.tan stablehlo.tan": np.tan,
    "ttir.atan chlo.atan": np.arctan,
    "ttir.sinh chlo.sinh": np.sinh,
    "ttir.cosh chlo.cosh": np.cosh,
    "ttir.tanh stablehlo.tanh": np.tanh,
    "ttir.asinh chlo.asinh": np.arcsinh,
    "ttir.erf chlo.erf": special.erf,
    "ttir.erfc chlo.erfc": special.erfc,
    "ttir.sigmoid stablehlo.logistic": special.expit,
    "ttir.cbrt stablehlo.cbrt": np.cbrt,
    "ttir.square chlo.square": np.square,
    "ttir.abs stablehlo.abs": np.abs,
    "ttir.neg stablehlo.negate": np.negative,
    "ttir.sign stablehlo.sign": np.sign,
    "ttir.relu": lambda x: np.maximum(x, 0),
    "ttir.relu6": lambda x: np.clip(x, 0, 6),
    "ttir.silu": lambda x: x * special.expit(x),
    "ttir.gelu": lambda x: x * special.ndtr(x),
    "ttir.mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "ttir.softplus": lambda x: np.log1p(np.exp(x)),
    "ttir.softsign": lambda x: x / (1 + np.abs(x)),
    "ttir.hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "ttir.hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "ttir.elu ttir.celu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "ttir.selu": lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(x)),
}
for names, function in ANY.items():
    case(names, [X], f32(function(X.astype(np.float64))))

POSITIVE: dict[str, Callable[[np.ndarray], Any]] = {
    "ttir.sqrt stablehlo.sqrt": np.sqrt,
    "ttir.rsqrt stablehlo.rsqrt": lambda x: 1 / np.sqrt(x),
    "ttir.log stablehlo.log": np.log,
    "ttir.log2": np.log2,
    "ttir.log10": np.log10,
    "ttir.log1p stablehlo.log_plus_one": np.log1p,
    "ttir.reciprocal": lambda x: 1 / x,
}
for names, function in POSITIVE.items():
    case(names, [P], f32(function(P.astype(np.float64))))
case("ttir.log1p", [f32([1e-7, -0.5, np.inf, 0])], f32([1e-7, math.log(0.5), np.inf, 0]))
case("ttir.expm1", [f32([1e-7, -1e-7])], f32([1e-7, -1e-7]))
case("ttir.acosh chlo.acosh", [P + 1], f32(np.arccosh(P + 1)))
for names, function in {
    "ttir.asin chlo.asin": np.arcsin,
    "ttir.acos chlo.acos": np.arccos,
    "ttir.atanh chlo.atanh": np.arctanh,
}.items():
    case(names, [U], f32(function(U.astype(np.float64))))

ODD = f32([1, np.inf, -np.inf, np.nan])
case("ttir.is_finite ttir.isfinite stablehlo.is_finite", [ODD], np.isfinite(ODD))
case("ttir.is_finite", [ODD], f32(np.isfinite(ODD)))
case("ttir.isnan", [ODD], np.isnan(ODD))
case("ttir.isinf", [ODD], np.isinf(ODD))
case(
    "ttir.gelu",
    [X],
    f32(0.5 * X * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3)))),
    'approximate = "tanh"',
)
case("ttir.leaky_relu", [X], np.where(X > 0, X, X * f32(0.2)), "parameter = 0.2 : f32")
case("ttir.elu", [X], f32(np.where(X > 0, X, 2 * np.expm1(X))), "alpha = 2.0 : f32")
case("ttir.logical_not", [X], f32(X == 0))
case("ttir.logical_not", [X > 0], X <= 0)
WHOLE = ints(-100, 100, 5)
case("ttir.bitwise_not stablehlo.not", [WHOLE], ~WHOLE)
case("stablehlo.not", [WHOLE > 0], WHOLE <= 0)
case("ttir.abs ttir.relu", [np.abs(WHOLE)], np.abs(WHOLE))
case("ttir.neg", [WHOLE], -WHOLE)
case("ttir.typecast ttnn.to_dtype stablehlo.convert", [X], X.astype(np.int32))
case("ttir.typecast", [ints(0, 2, 4)], f32(0), results=["tensor<4xf32>"])
CASES[-1] = Case(
    "ttir.typecast", [np.array([0, 3], np.int32)], [np.array([False, True])], "", ["tensor<2xi1>"]
)
case(
    "stablehlo.convert",
    [np.array([300, -1], np.int32)],
    np.array([44, 255], np.int32),
    results=["tensor<2xui8>"],
)

# Binary

A, B = f(2, 3), f(2, 3)
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "ttir.add stablehlo.add": np.add,
    "ttir.subtract stablehlo.subtract": np.subtract,
    "ttir.multiply stablehlo.multiply": np.multiply,
    "ttir.div stablehlo.divide": np.divide,
    "ttir.maximum stablehlo.maximum": np.maximum,
    "ttir.minimum stablehlo.minimum": np.minimum,
    "ttir.remainder ttir.fmod stablehlo.remainder": np.fmod,
    "ttir.mod": np.mod,
    "ttir.floor_div": np.floor_divide,
    "ttir.atan2 stablehlo.atan2": np.arctan2,
    "ttir.squared_difference": lambda a, b: (a - b) ** 2,
}
for names, function in BINARY.items():
    case(names, [A, B], f32(function(A, B)))
case(
    "ttir.atan2",
    [f32([0, 1, -1, 0]), f32([-1, 0, 0, 0])],
    f32([math.pi, math.pi / 2, -math.pi / 2, 0]),
)
case("ttir.add", [A, B[:1]], A + B[:1])
case("ttir.add", [A[:, :1], B[0]], A[:, :1] + B[0])
case("ttir.pow stablehlo.power", [np.abs(A), B], np.abs(A) ** B)
case("ttir.pow", [WHOLE, np.full(5, 2, np.int32)], WHOLE**2)
case(
    "ttir.div stablehlo.divide",
    [WHOLE, np.full(5, 7, np.int32)],
    np.trunc(WHOLE / 7).astype(np.int32),
)
case(
    "ttir.remainder",
    [np.array([17, -17, 17, -17], np.int32), np.array([3, 3, -3, -3], np.int32)],
    np.array([2, -2, 2, -2], np.int32),
)
case(
    "ttir.add",
    [np.array([250], np.uint8), np.array([10], np.uint8)],
    np.array([4], np.int32),
    results=["tensor<1xui8>"],
)
case(
    "stablehlo.subtract",
    [np.array([1], np.uint32), np.array([2], np.uint32)],
    np.array([2**32 - 1], np.int64),
    results=["tensor<1xui32>"],
)
case("ttir.pow_scalar ttnn.pow_tensor_scalar", [P], P**3, "rhs = 3.0 : f32")
C = f32([[1, 2, 3], [3, 2, 1]])
D = f32([[1, 3, 2], [3, 1, 2]])
for how, function in {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}.items():
    case(f"ttir.{how}", [C, D], function(C, D))
    case(f"ttir.{how}", [C, D], f32(function(C, D)))
    case(
        "stablehlo.compare",
        [C, D],
        function(C, D),
        f"comparison_direction = #stablehlo<comparison_direction {how.upper()}>",
    )
for name, function in {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}.items():
    case(f"ttir.logical_{name}", [X, X.T.reshape(2, 4)], f32(function(X, X.T.reshape(2, 4))))
    case(f"stablehlo.{name} ttir.bitwise_{name}", [C > 1, D > 1], function(C > 1, D > 1))
J = ints(-100, 100, 5)
for name, function in {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}.items():
    case(f"stablehlo.{name} ttir.bitwise_{name}", [WHOLE, J], function(WHOLE, J))
S = np.array([0, 1, 5, 31, 40], np.int32)
LEFT = np.where(S < 32, WHOLE.astype(np.int64) << np.minimum(S, 31), 0).astype(np.int32)
RIGHT = np.where(S < 32, WHOLE.view(np.uint32) >> np.minimum(S, 31).astype(np.uint32), 0).astype(
    np.int32
)
case("ttir.logical_left_shift ttir.bitwise_left_shift stablehlo.shift_left", [WHOLE, S], LEFT)
case("ttir.logical_right_shift stablehlo.shift_right_logical", [WHOLE, S], RIGHT)
case(
    "ttir.bitwise_right_shift stablehlo.shift_right_arithmetic",
    [WHOLE, S],
    WHOLE >> np.minimum(S, 31),
)
case(
    "stablehlo.shift_left",
    [np.array([200], np.uint8), np.array([1], np.uint8)],
    np.array([144], np.int32),
    results=["tensor<1xui8>"],
)
case("ttir.where stablehlo.select", [C > 1, C, D], np.where(C > 1, C, D))
case("ttir.where", [f32([[0], [2]]), C, D], np.where([[False], [True]], C, D))
case("ttir.where", [C > 1, C > 2, D > 2], np.where(C > 1, C > 2, D > 2))
case("ttir.clamp_scalar ttir.clamp", [X], np.clip(X, -1, 1), "min = -1.0 : f32, max = 1.0 : f32")
case("ttir.clamp_tensor", [A, B - 1, B + 1], np.clip(A, B - 1, B + 1))
case("stablehlo.clamp", [f32(-1), X, f32(1)], np.clip(X, -1, 1))
PHI = special.ndtr(X) + X * np.exp(-(X**2) / 2) / math.sqrt(2 * math.pi)
case("ttir.gelu_backward ttir.gelu_bw", [X + 1, X], f32((X + 1) * PHI))
STEP = np.float64(1e-5)
TANH = lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))  # noqa: E731
W = X.astype(np.float64)
case(
    "ttir.gelu_backward",
    [X + 1, X],
    f32((X + 1) * (TANH(W + STEP) - TANH(W - STEP)) / (2 * STEP)),
    'approximate = "tanh"',
)

# Quantized

Q = np.clip(np.round(X / 0.1) + 3, -128, 127)
case(
    "ttir.quantize stablehlo.uniform_quantize",
    [X],
    Q.astype(np.int32),
    results=["tensor<2x4x!quant.uniform<i8:f32, 0.1:3>>"],
)
case(
    "ttir.dequantize stablehlo.uniform_dequantize",
    [np.array([[-5, 7]], np.int8)],
    f32([[-1.0, 2.5]]),
    elements={0: "!quant.uniform<i8:f32:1, {0.2, 0.5:2}>"},
)
case(
    "ttir.requantize",
    [np.array([10, -20], np.int8)],
    np.array([3, -3], np.int32),
    results=["tensor<2x!quant.uniform<i8:f32, 0.3>>"],
    elements={0: "!quant.uniform<i8:f32, 0.1:1>"},
)
CASES[-1] = Case(
    "ttir.requantize",
    [np.array([10, -20], np.int8)],
    [np.array([3, -7], np.int32)],
    "",
    ["tensor<2x!quant.uniform<i8:f32, 0.3>>"],
    (),
    {0: "!quant.uniform<i8:f32, 0.1:1>"},
)

# Products

M, N = f(3, 4), f(4, 5)
case("ttir.matmul stablehlo.dot", [M, N], M @ N)
case("ttir.matmul", [M.T.copy(), N.T.copy()], M @ N, "transpose_a = true, transpose_b = true")
case("ttir.matmul", [f(1, 3, 4), f(6, 4, 2)], None, results=["tensor<6x3x2xf32>"])
CASES[-1] = Case(
    "ttir.matmul",
    CASES[-1].arrays,
    [CASES[-1].arrays[0] @ CASES[-1].arrays[1]],
    "",
    ["tensor<6x3x2xf32>"],
)
case("ttir.matmul", [M, f32([1, 2, 3, 4])], M @ f32([1, 2, 3, 4]))
BIAS = f(5)
case("ttir.linear", [M, N, BIAS], M @ N + BIAS)
case("ttir.linear", [M, N.T.copy()], M @ N, "transpose_b = true")
case("ttnn.linear", [M, N, BIAS], np.maximum(M @ N + BIAS, 0), 'activation = "relu"')
G, H = f(2, 3, 4, 5), f(4, 2, 6, 5)
GH = np.einsum("abcd,cafd->acbf", G, H)
case(
    "ttir.dot_general",
    [G, H],
    f32(GH),
    "batch_dims_lhs = array<i64: 0, 2>, contract_dims_lhs = array<i64: 3>, "
    "batch_dims_rhs = array<i64: 1, 0>, contract_dims_rhs = array<i64: 3>",
)
case(
    "stablehlo.dot_general",
    [G, H],
    f32(GH),
    "dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [0, 2], "
    "rhs_batching_dimensions = [1, 0], lhs_contracting_dimensions = [3], "
    "rhs_contracting_dimensions = [3]>",
)


def attend(q: Any, k: Any, v: Any, scale: float, mask: Any = 0, sink: Any = None) -> np.ndarray:
    share = q.shape[1] // k.shape[1]
    k, v = (np.repeat(t, share, axis=1) for t in (k, v))
    scores = np.einsum("bhqd,bhkd->bhqk", q, k) * scale + mask
    if sink is not None:
        scores = np.concatenate([scores, np.broadcast_to(sink, (*scores.shape[:3], 1))], -1)
    weights = special.softmax(scores, axis=-1)[..., : k.shape[2]]
    return f32(np.einsum("bhqk,bhkd->bhqd", weights, v))


QUERY, KEY, VALUE = f(2, 4, 3, 8), f(2, 2, 5, 8), f(2, 2, 5, 8)
MASK = f(2, 1, 3, 5)
SINK = f(1, 4, 1, 1)
SDPA = "ttir.scaled_dot_product_attention"
case(
    SDPA,
    [QUERY, KEY, VALUE, MASK],
    attend(QUERY, KEY, VALUE, 0.5, MASK),
    "is_causal = false, scale = 0.5 : f32, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0>",
)
case(
    SDPA,
    [QUERY, KEY, VALUE, SINK],
    attend(QUERY, KEY, VALUE, 8**-0.5, 0, SINK),
    "is_causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 0, 1>",
)
SQUARE = f(2, 4, 5, 8)
CAUSAL = np.where(np.tri(5, dtype=bool), 0, -np.inf)
case(SDPA, [SQUARE, KEY, VALUE], attend(SQUARE, KEY, VALUE, 8**-0.5, CAUSAL), "is_causal = true")
BAND = np.where(np.tri(5, dtype=bool) & ~np.tri(5, k=-2, dtype=bool), 0, -np.inf)
case(
    SDPA,
    [SQUARE, KEY, VALUE],
    attend(SQUARE, KEY, VALUE, 8**-0.5, BAND),
    "is_causal = true, sliding_window_size = 2 : ui32",
)
STEP_Q = f(1, 2, 4, 8)
POSITION = np.array([1, 4], np.int32)
SEEN = np.where(np.arange(5) <= POSITION[:, None, None, None], 0, -np.inf)
DECODED = attend(STEP_Q.transpose(1, 2, 0, 3), KEY, VALUE, 8**-0.5, SEEN).transpose(2, 0, 1, 3)
case(
    "ttir.scaled_dot_product_attention_decode",
    [STEP_Q, KEY, VALUE, POSITION],
    DECODED,
    "is_causal = true, operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 0>",
)
HEADS = f(2, 4, 3, 8)
case(
    "ttir.concatenate_heads ttnn.nlp_concat_heads",
    [HEADS],
    HEADS.transpose(0, 2, 1, 3).reshape(2, 3, 32),
)
PADDED = f(1, 2, 32, 8)
case(
    "ttir.nlp_concat_heads_decode",
    [PADDED],
    np.pad(PADDED[:, :, :4].reshape(1, 1, 2, 32), ((0, 0), (0, 0), (0, 30), (0, 0))),
    "num_heads = 4 : ui32",
)
FUSED = f(2, 3, 48)
PARTS = [p.reshape(2, 3, -1, 8).transpose(0, 2, 1, 3) for p in np.split(FUSED, [32, 40], -1)]
case(
    "ttir.split_query_key_value_and_split_heads",
    [FUSED],
    [PARTS[0], PARTS[1].swapaxes(-1, -2), PARTS[2]],
    "num_heads = 4 : ui32, num_kv_heads = 1 : ui32, transpose_key = true",
)
FLAT = f(1, 1, 2, 48)
case(
    "ttir.nlp_create_qkv_heads_decode",
    [FLAT],
    [p.reshape(1, 2, -1, 8) for p in np.split(FLAT, [32, 40], -1)],
    "num_heads = 4 : ui32, num_kv_heads = 1 : ui32",
)
COS, SIN = f(1, 1, 6, 8), f(1, 1, 6, 8)
TURNED = np.concatenate([-HEADS[..., 4:], HEADS[..., :4]], -1)
case("ttir.rotary_embedding", [HEADS, COS, SIN], HEADS * COS[:, :, :3] + TURNED * SIN[:, :, :3])


# Convolutions


def conv(
    x: np.ndarray,
    w: np.ndarray,
    stride: Sequence[int],
    pads: Sequence[Sequence[int]],
    dilation: Sequence[int],
    groups: int = 1,
) -> np.ndarray:
    """[N, C, …] with [O, C/groups, …], by its definition."""
    n = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *map(tuple, pads)]).astype(np.float64)
    sizes = [
        (x.shape[2 + i] - dilation[i] * (w.shape[2 + i] - 1) - 1) // stride[i] + 1 for i in range(n)
    ]
    out = np.zeros((x.shape[0], w.shape[0], *sizes))
    per_group, inside = w.shape[0] // groups, w.shape[1]
    for o in range(w.shape[0]):
        channels = slice(o // per_group * inside, (o // per_group + 1) * inside)
        for place in np.ndindex(*sizes):
            window = tuple(
                slice(p * s, p * s + d * (k - 1) + 1, d)
                for p, s, d, k in zip(place, stride, dilation, w.shape[2:], strict=True)
            )
            patch = x[(slice(None), channels, *window)]
            out[(slice(None), o, *place)] = np.tensordot(patch, w[o], axes=w.ndim - 1)
    return f32(out)


IMAGE = f(2, 7, 6, 4)
NCHW = IMAGE.transpose(0, 3, 1, 2)
KERNEL = f(6, 2, 3, 2)
CONV_BIAS = f(1, 1, 1, 6)
PLAIN = conv(NCHW, KERNEL, (2, 1), ((1, 2), (0, 1)), (1, 2), 2).transpose(0, 2, 3, 1)
CONV = (
    "stride = array<i32: 2, 1>, padding = array<i32: 1, 0, 2, 1>, dilation = array<i32: 1, 2>, "
    "groups = 2 : i32"
)
case("ttir.conv2d", [IMAGE, KERNEL], PLAIN, CONV)
case("ttir.conv2d", [IMAGE, KERNEL, CONV_BIAS], PLAIN + CONV_BIAS, CONV)
case(
    "ttir.conv2d",
    [IMAGE.reshape(1, 1, -1, 4), KERNEL],
    PLAIN.reshape(1, 1, -1, 6),
    CONV + ", flattened_compat_info = #ttir<flattened_compat batch_size = 2, input_height = 7, "
    "input_width = 6>",
)
case(
    "ttir.conv2d",
    [np.ascontiguousarray(NCHW), KERNEL],
    np.ascontiguousarray(PLAIN.transpose(0, 3, 1, 2)),
    CONV
    + ", batch_dim = 0 : i64, channel_dim = 1 : i64, height_dim = 2 : i64, width_dim = 3 : i64",
)
TTNN_CONV = (
    "in_channels = 4 : i32, out_channels = 6 : i32, batch_size = 2 : i32, "
    "input_height = 7 : i32, input_width = 6 : i32, kernel_size = array<i32: 3, 2>, "
)
case(
    "ttnn.conv2d",
    [IMAGE.reshape(1, 1, -1, 4), KERNEL],
    np.maximum(PLAIN, 0).reshape(1, 1, -1, 6),
    TTNN_CONV + CONV + ", conv2d_config = #ttnn.conv2d_config<weights_dtype = bf16, "
    "activation = <op_type = relu>>",
)
PREPARED = np.ascontiguousarray(KERNEL.transpose(2, 3, 1, 0)).reshape(1, 1, -1, 6)
case("ttnn.prepare_conv2d_weights", [KERNEL], PREPARED)
case("ttnn.prepare_conv2d_bias", [CONV_BIAS], CONV_BIAS)
case("ttnn.conv2d", [IMAGE, PREPARED], PLAIN, TTNN_CONV + CONV)
VIDEO, KERNEL3 = f(1, 3, 4, 4, 2), f(3, 2, 2, 2, 3)
case(
    "ttir.conv3d",
    [VIDEO, KERNEL3],
    conv(
        VIDEO.transpose(0, 4, 1, 2, 3), KERNEL3, (1, 1, 2), ((0, 0), (1, 1), (0, 0)), (1, 1, 1)
    ).transpose(0, 2, 3, 4, 1),
    "stride = array<i32: 1, 1, 2>, padding = array<i32: 0, 1, 0>, groups = 1 : i32, "
    'padding_mode = "zeros"',
)


def conv_transposed(x: np.ndarray, w: np.ndarray, stride: int, pad: int, extra: int) -> np.ndarray:
    """[N, C, H, W] with [C, O, kh, kw]: every input spreads its kernel."""
    n, _, height, width = x.shape
    size = [(d - 1) * stride + w.shape[2] + extra for d in (height, width)]
    out = np.zeros((n, w.shape[1], *size))
    for i in range(height):
        for j in range(width):
            spread = np.einsum("nc,cokl->nokl", x[:, :, i, j], w)
            rows, columns = i * stride, j * stride
            out[:, :, rows : rows + w.shape[2], columns : columns + w.shape[3]] += spread
    return f32(out[:, :, pad : size[0] - pad, pad : size[1] - pad])


SMALL, UP = f(1, 3, 4, 2), f(2, 3, 3, 3)
case(
    "ttir.conv_transpose2d",
    [SMALL, UP],
    conv_transposed(SMALL.transpose(0, 3, 1, 2), UP, 2, 1, 1).transpose(0, 2, 3, 1),
    "stride = 2 : i32, padding = 1 : i32, output_padding = 1 : i32, dilation = 1 : i32, "
    "groups = 1 : i32",
)
WIDE = f(4, 6, 6, 4)
HWIO = f(3, 3, 2, 6)
GENERAL = conv(
    WIDE.transpose(0, 3, 1, 2),
    HWIO.transpose(3, 2, 0, 1)[:, :, ::-1],
    (1, 2),
    ((0, 0), (1, 1)),
    (1, 1),
    2,
)
STABLE = (
    "batch_group_count = 1 : i64, feature_group_count = 2 : i64, "
    "padding = dense<[[0, 0], [1, 1]]> : tensor<2x2xi64>, window_strides = array<i64: 1, 2>, "
    "window_reversal = array<i1: true, false>, "
)
case(
    "stablehlo.convolution",
    [WIDE, HWIO],
    GENERAL.transpose(0, 2, 3, 1),
    STABLE + "dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>",
)
case(
    "stablehlo.convolution",
    [WIDE, HWIO],
    GENERAL.transpose(0, 2, 3, 1),
    STABLE + "dimension_numbers = #stablehlo.conv<raw input_batch_dimension = 0, "
    "input_feature_dimension = 3, input_spatial_dimensions = [1, 2], "
    "kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, "
    "kernel_spatial_dimensions = [0, 1], output_batch_dimension = 0, "
    "output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>",
)
OIHW = f(3, 4, 2, 2)
HOLES = np.zeros((4, 4, 11, 6), np.float32)
HOLES[:, :, ::2] = WIDE.transpose(0, 3, 1, 2)
case(
    "ttir.convolution",
    [np.ascontiguousarray(WIDE.transpose(0, 3, 1, 2)), OIHW],
    conv(HOLES[:, :, :, :-1], OIHW, (1, 1), ((1, 0), (0, 0)), (1, 2)),
    "batch_group_count = 1 : i64, convolution_layout = #ttir<convolution_layout input_batch = 0, "
    "input_feature = 1, input_spatial_dimensions = 2x3, kernel_output_feature = 0, "
    "kernel_input_feature = 1, kernel_spatial_dimensions = 2x3, output_batch = 0, "
    "output_feature = 1, output_spatial_dimensions = 2x3>, feature_group_count = 1 : i64, "
    "input_dilation = array<i64: 2, 1>, padding = array<i64: 1, 0, 0, -1>, "
    "weight_dilation = array<i64: 1, 2>, window_reversal = array<i1: false, false>, "
    "window_strides = array<i64: 1, 1>",
)
GROUPED = np.concatenate(
    [
        conv(part, k, (1, 1), ((0, 0), (0, 0)), (1, 1))
        for part, k in zip(
            np.split(WIDE.transpose(0, 3, 1, 2), 2), np.split(f(4, 4, 2, 2), 2), strict=True
        )
    ],
    1,
)
HALVES = f(4, 4, 2, 2)
GROUPED = np.concatenate(
    [
        conv(part, k, (1, 1), ((0, 0), (0, 0)), (1, 1))
        for part, k in zip(
            np.split(WIDE.transpose(0, 3, 1, 2), 2), np.split(HALVES, 2), strict=True
        )
    ],
    1,
)
case(
    "stablehlo.convolution",
    [np.ascontiguousarray(WIDE.transpose(0, 3, 1, 2)), HALVES],
    GROUPED,
    "batch_group_count = 2 : i64, feature_group_count = 1 : i64, "
    "dimension_numbers = #stablehlo.conv<[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]>",
)

# Pooling


def pooled(
    x: np.ndarray, size: int, stride: int, pad: int, function: Any, fill: float
) -> np.ndarray:
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=fill)
    sizes = [(d - size) // stride + 1 for d in x.shape[1:3]]
    out = np.zeros((x.shape[0], *sizes, x.shape[3]), np.float32)
    for i, j in np.ndindex(*sizes):
        window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
        out[:, i, j] = function(window, axis=(1, 2))
    return out


POOL = (
    "kernel = array<i32: 3, 3>, stride = array<i32: 2, 2>, padding = array<i32: 1, 1, 1, 1>, "
    "dilation = array<i32: 1, 1>, ceil_mode = false"
)
MAXED = pooled(IMAGE, 3, 2, 1, np.max, -np.inf)
case("ttir.max_pool2d", [IMAGE], MAXED, POOL)
case(
    "ttir.max_pool2d",
    [IMAGE],
    pooled(
        np.pad(IMAGE, ((0, 0), (0, 1), (0, 0), (0, 0)), constant_values=-np.inf), 2, 2, 0, np.max, 0
    ),
    "kernel = 2 : i32, stride = 2 : i32, padding = 0 : i32, dilation = 1 : i32, ceil_mode = true",
)
case("ttir.avg_pool2d", [IMAGE], pooled(IMAGE, 3, 2, 1, np.mean, 0), POOL)
case(
    "ttir.avg_pool2d",
    [IMAGE],
    pooled(IMAGE, 3, 2, 1, np.sum, 0) / pooled(np.ones_like(IMAGE), 3, 2, 1, np.sum, 0),
    POOL + ", count_include_pad = false",
)
FOUR = f(1, 2, 2, 1)
case(
    "ttir.max_pool2d_with_indices",
    [FOUR],
    [FOUR.max(axis=(1, 2), keepdims=True), np.int32(FOUR.argmax()).reshape(1, 1, 1, 1)],
    "kernel = 2 : i32, stride = 2 : i32, padding = 0 : i32, dilation = 1 : i32, ceil_mode = false",
)
case("ttir.global_avg_pool2d", [IMAGE], IMAGE.mean(axis=(1, 2), keepdims=True))
WINDOW = (
    "window_dimensions = array<i64: 1, 3, 3, 1>, window_strides = array<i64: 1, 2, 2, 1>, "
    "base_dilations = array<i64: 1, 1, 1, 1>, window_dilations = array<i64: 1, 1, 1, 1>, "
)
BOTH = "padding = array<i64: 0, 0, 1, 1, 1, 1, 0, 0>"
case(
    "ttir.pooling",
    [IMAGE],
    MAXED,
    WINDOW + BOTH + ", pooling_method = #ttir<pooling_method Max>, "
    "operandSegmentSizes = array<i32: 1, 0>",
)
case(
    "ttir.pooling",
    [IMAGE],
    pooled(IMAGE, 3, 2, 1, np.mean, 0),
    WINDOW + BOTH + ", pooling_method = #ttir<pooling_method Average>",
)


def region(op: str, element: str = "f32") -> str:
    t = f"tensor<{element}>"
    return f"""
      ^bb0(%x: {t}, %y: {t}):
        %z = "stablehlo.{op}"(%x, %y) : ({t}, {t}) -> {t}
        "stablehlo.return"(%z) : ({t}) -> ()
    """


DENSE = "padding = dense<[[0, 0], [1, 1], [1, 1], [0, 0]]> : tensor<4x2xi64>"
for op, function, fill in (
    ("maximum", np.max, -np.inf),
    ("add", np.sum, 0.0),
    ("minimum", np.min, np.inf),
):
    case(
        "stablehlo.reduce_window",
        [IMAGE, f32(fill)],
        pooled(IMAGE, 3, 2, 1, function, fill),
        WINDOW + DENSE,
        regions=[region(op)],
    )

# Reductions

T = f(2, 3, 4)
REDUCTIONS: dict[str, Any] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
}
for name, function in REDUCTIONS.items():
    case(
        f"ttir.{name}",
        [T],
        function(T, axis=(0, 2)),
        "dim_arg = [0 : i32, -1 : i32], keep_dim = false",
    )
    case(
        f"ttir.{name}",
        [T],
        function(T, axis=1, keepdims=True),
        "dim_arg = [1 : i32], keep_dim = true",
    )
    case(f"ttir.{name}", [T], f32(function(T)).reshape(1, 1, 1), "keep_dim = true")
case("ttir.sum", [WHOLE], WHOLE.sum(dtype=np.int32), "keep_dim = false")
case(
    "ttir.reduce_and",
    [C],
    f32([0, 0, 0]) + f32((C != 0).all(0)),
    "dim_arg = [0 : i32], keep_dim = false",
)
case("ttir.reduce_and", [C > 1], (C > 1).all(1), "dim_arg = [1 : i32], keep_dim = false")
case("ttir.reduce_or", [C > 1], (C > 1).any(0), "dim_arg = [0 : i32], keep_dim = false")
case("ttir.argmax", [T], T.argmax(1).astype(np.int32), "dim_arg = [1 : i32], keep_dim = false")
case("ttir.argmax", [T], np.int32(T.argmax()).reshape(1, 1, 1), "keep_dim = true")
case(
    "ttir.argmin",
    [T],
    T.argmin(2).astype(np.int32)[..., None],
    "dim_arg = [2 : i32], keep_dim = true",
)
case("ttir.softmax", [T], f32(special.softmax(T, 1)), "dimension = 1 : si32")
case("ttir.log_softmax", [T], f32(special.log_softmax(T, -1)), "dimension = -1 : si32")
case("ttir.cumsum ttnn.moreh_cumsum", [T], T.cumsum(1), "dim = 1 : i64")
case("ttir.cumprod", [T], T.cumprod(2), "dim = 2 : i64")
case(
    "ttir.sort",
    [T],
    [np.sort(T, 1), np.argsort(T, 1, kind="stable").astype(np.int32)],
    "dim = 1 : si32, descending = false, stable = true",
)
case(
    "ttir.topk",
    [T],
    [-np.sort(-T, -1)[..., :2], np.argsort(-T, -1)[..., :2].astype(np.int64)],
    "dim = -1 : i32, k = 2 : i32, largest = true, sorted = true",
)
case(
    "chlo.top_k",
    [T],
    [-np.sort(-T, -1)[..., :2], np.argsort(-T, -1)[..., :2].astype(np.int32)],
    "k = 2 : i64",
)
ORDER = """
  ^bb0(%x: tensor<f32>, %y: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>):
    %z = "stablehlo.compare"(%x, %y)
      <{{comparison_direction = #stablehlo<comparison_direction {how}>}}>
      : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%z) : (tensor<i1>) -> ()
"""
NUMBERED = np.broadcast_to(np.arange(4, dtype=np.int32), T.shape).copy()
case(
    "stablehlo.sort",
    [T, NUMBERED],
    [-np.sort(-T, -1), np.argsort(-T, -1).astype(np.int32)],
    "dimension = 2 : i64, is_stable = true",
    regions=[ORDER.format(how="GT")],
)
case(
    "stablehlo.sort",
    [T, NUMBERED],
    [np.sort(T, -1), np.argsort(T, -1).astype(np.int32)],
    "dimension = 2 : i64, is_stable = true",
    regions=[ORDER.format(how="LT")],
)
for op, function, start in (
    ("add", np.sum, 2.0),
    ("maximum", np.max, -9.0),
    ("minimum", np.min, -9.0),
    ("multiply", np.prod, 2.0),
):
    combine = {
        "add": np.add,
        "maximum": np.maximum,
        "minimum": np.minimum,
        "multiply": np.multiply,
    }[op]
    case(
        "stablehlo.reduce",
        [T, f32(start)],
        f32(combine(function(T, axis=(0, 2)), start)),
        "dimensions = array<i64: 0, 2>",
        regions=[region(op)],
    )
case(
    "stablehlo.reduce",
    [C > 1, np.array(False)],
    (C > 1).any(1),
    "dimensions = array<i64: 1>",
    regions=[region("or", "i1")],
)
ARGMAX = """
  ^bb0(%a: tensor<f32>, %b: tensor<i32>, %c: tensor<f32>, %d: tensor<i32>):
    %0 = "stablehlo.compare"(%a, %c)
      <{comparison_direction = #stablehlo<comparison_direction GE>}>
      : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %1 = "stablehlo.select"(%0, %a, %c)
      : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %2 = "stablehlo.select"(%0, %b, %d)
      : (tensor<i1>, tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%1, %2) : (tensor<f32>, tensor<i32>) -> ()
"""
case(
    "stablehlo.reduce",
    [T, NUMBERED, f32(-np.inf), np.array(0, np.int32)],
    [T.max(2), T.argmax(2).astype(np.int32)],
    "dimensions = array<i64: 2>",
    regions=[ARGMAX],
)

# Normalizations


def normal(x: np.ndarray, axes: Any, eps: float) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


SCALE, SHIFT = f(4), f(4)
NORM = "normalized_shape = array<i64: 4>, epsilon = 1.0e-3 : f32, "
case(
    "ttir.layer_norm",
    [T, SCALE, SHIFT],
    f32(normal(T, -1, 1e-3) * SCALE + SHIFT),
    NORM + "operandSegmentSizes = array<i32: 1, 1, 1>",
)
case(
    "ttir.layer_norm",
    [T, SHIFT],
    f32(normal(T, -1, 1e-3) + SHIFT),
    NORM + "operandSegmentSizes = array<i32: 1, 0, 1>",
)
ROOT = T / np.sqrt((T**2).mean(-1, keepdims=True) + 1e-3)
case(
    "ttir.rms_norm",
    [T, SCALE],
    f32(ROOT * SCALE),
    NORM + "operandSegmentSizes = array<i32: 1, 1, 0>",
)
GN = f(2, 3, 3, 4)
GROUPS = normal(GN.reshape(2, 9, 2, 2), (1, 3), 1e-5).reshape(2, 3, 3, 4)
case(
    "ttir.group_norm",
    [GN, SCALE, SHIFT],
    f32(GROUPS * SCALE + SHIFT),
    "num_groups = 2 : i64, epsilon = 1.0e-5 : f32, operandSegmentSizes = array<i32: 1, 0, 1, 1>",
)
MEAN, VARIANCE = f(4), np.abs(f(4)) + 1
case(
    "ttir.batch_norm ttir.batch_norm_inference",
    [GN, SCALE, SHIFT, MEAN, VARIANCE],
    f32((GN - MEAN) / np.sqrt(VARIANCE + 1e-3) * SCALE + SHIFT),
    "epsilon = 1.0e-3 : f32, dimension = 3 : i32, training = false",
)
case(
    "stablehlo.batch_norm_inference",
    [GN, SCALE, SHIFT, MEAN, VARIANCE],
    f32((GN - MEAN) / np.sqrt(VARIANCE + 1e-3) * SCALE + SHIFT),
    "epsilon = 1.0e-3 : f32, feature_index = 3 : i64",
)
BATCH = [normal(GN, (0, 1, 2), 1e-3) * SCALE + SHIFT, GN.mean((0, 1, 2)), GN.var((0, 1, 2))]
case(
    "stablehlo.batch_norm_training",
    [GN, SCALE, SHIFT],
    [f32(a) for a in BATCH],
    "epsilon = 1.0e-3 : f32, feature_index = 3 : i64",
)
RUNNING = [BATCH[0], 0.9 * MEAN + 0.1 * BATCH[1], 0.9 * VARIANCE + 0.1 * BATCH[2]]
case(
    "ttir.batch_norm_training",
    [GN, SCALE, SHIFT, MEAN, VARIANCE],
    [f32(a) for a in RUNNING],
    "epsilon = 1.0e-3 : f32, dimension = 3 : i32, momentum = 1.0e-1 : f32",
)

# Movement

case(
    "ttir.to_layout ttir.ttnn_metal_layout_cast ttir.view_layout ttnn.to_layout "
    "ttnn.to_memory_config ttnn.to_device ttnn.from_device ttnn.typecast_layout ttnn.reallocate "
    "ttnn.assign ttnn.clone stablehlo.optimization_barrier builtin.unrealized_conversion_cast "
    "tensor.cast sdy.sharding_constraint ttnn.reshard ttnn.interleaved_to_sharded "
    "ttnn.sharded_to_interleaved ttir.mesh_shard ttnn.mesh_shard ttnn.distribute_tensor "
    "ttnn.aggregate_tensor ttir.reshape",
    [T],
    T,
)
case(
    "ttir.reshape stablehlo.reshape ttnn.view ttir.flatten tensor.collapse_shape",
    [T],
    T.reshape(6, 4),
)
case("ttir.unsqueeze tensor.expand_shape", [T], T[:, None], "dim = 1 : si32")
case("ttir.squeeze", [T[:, None]], T, "dim = 1 : si32")
case("ttir.transpose", [T], T.swapaxes(0, -1), "dim0 = 0 : si32, dim1 = -1 : si32")
case("ttir.permute", [T], T.transpose(1, 2, 0), "permutation = array<i64: 1, 2, 0>")
case("stablehlo.transpose", [T], T.transpose(1, 2, 0), "permutation = array<i64: 1, 2, 0>")
case(
    "ttir.broadcast ttir.repeat",
    [T[:, :1]],
    np.broadcast_to(T[:, :1], T.shape).copy(),
    "broadcast_dimensions = array<i64: 1, 3, 1>, repeat_dimensions = array<i64: 1, 3, 1>",
)
case("ttir.repeat", [A], np.tile(A, (2, 3)), "repeat_dimensions = array<i64: 2, 3>")
case(
    "stablehlo.broadcast_in_dim",
    [A],
    np.broadcast_to(A.T[:, None], (3, 4, 2)).copy(),
    "broadcast_dimensions = array<i64: 2, 0>",
)
case(
    "stablehlo.broadcast",
    [A],
    np.broadcast_to(A, (4, 2, 3)).copy(),
    "broadcast_sizes = array<i64: 4>",
)
case("ttir.repeat_interleave", [A], A.repeat(3, 1), "repeats = 3 : ui32, dim = 1 : si32")
case("ttir.concat", [A, B, A], np.concatenate([A, B, A], 1), "dim = -1 : si32")
case("stablehlo.concatenate", [A, B], np.concatenate([A, B]), "dimension = 0 : i64")
SLICE = T[1:2, 0:3:2, 1:]
case(
    "ttir.slice_static ttir.slice",
    [T],
    SLICE,
    "begins = [1 : i32, 0 : i32, 1 : i32], "
    "ends = [2 : i32, 3 : i32, 4 : i32], step = [1 : i32, 2 : i32, 1 : i32]",
)
case(
    "ttir.slice_static",
    [T],
    T[-1:, :, ::-1],
    "begins = [-1 : i32, 0 : i32, 3 : i32], "
    "ends = [2 : i32, 3 : i32, -5 : i32], step = [1 : i32, 1 : i32, -1 : i32]",
)
case(
    "stablehlo.slice",
    [T],
    SLICE,
    "start_indices = array<i64: 1, 0, 1>, "
    "limit_indices = array<i64: 2, 3, 4>, strides = array<i64: 1, 2, 1>",
)
case(
    "ttir.slice_dynamic",
    [T, np.array([1, 0, -3], np.int32), np.array([2, 3, 4], np.int32)],
    SLICE,
    "step = [1 : i32, 2 : i32, 1 : i32]",
)
AT = [np.array(v, np.int32) for v in (1, 2, 9)]
case("stablehlo.dynamic_slice", [T, *AT], T[1:2, 1:3, 2:4], "slice_sizes = array<i64: 1, 2, 2>")
UPDATED = T.copy()
PATCH = f(1, 2, 2)
UPDATED[1:2, 1:3, 2:4] = PATCH
case("stablehlo.dynamic_update_slice", [T, PATCH, *AT], UPDATED)
case(
    "ttir.index",
    [T],
    T[:, :, 1:4:2],
    "dim = 2 : i32, begin = 1 : i32, end = 4 : i32, step = 2 : i32",
)
case(
    "ttir.index_select ttir.select",
    [f32(np.arange(10))],
    f32([1, 2, 5, 6, 9]),
    "dim = 0 : si32, begin = 1 : si32, length = 2 : si32, stride = 4 : si32",
)
case(
    "ttir.pad",
    [A],
    np.pad(A, ((1, 0), (2, 1)), constant_values=0.5),
    "padding = array<i32: 1, 0, 2, 1>, value = 5.0e-1 : f32",
)
APART = np.full((3, 6), 0.5, np.float32)
APART[0:3:2, 1:6:2] = A
case(
    "stablehlo.pad",
    [A, f32(0.5)],
    APART,
    "edge_padding_low = array<i64: 0, 1>, "
    "edge_padding_high = array<i64: 0, 0>, interior_padding = array<i64: 1, 1>",
)
case(
    "stablehlo.pad",
    [A, f32(0.5)],
    np.pad(A, ((0, 0), (1, 0)), constant_values=0.5)[:, :-1],
    "edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 0, -1>, "
    "interior_padding = array<i64: 0, 0>",
)
case("ttir.reverse stablehlo.reverse", [T], T[::-1, :, ::-1], "dimensions = array<i64: 0, 2>")
PIXELS = f(1, 2, 3, 2)
case(
    "ttir.upsample2d ttnn.upsample",
    [PIXELS],
    PIXELS.repeat(2, 1).repeat(3, 2),
    'scale_factor = array<i32: 2, 3>, mode = "nearest"',
)
LINE = f32([[0.0], [4.0]]).reshape(1, 1, 2, 1)
case(
    "ttir.upsample2d",
    [LINE],
    f32([0, 1, 3, 4]).reshape(1, 1, 4, 1).repeat(2, 1),
    'scale_factor = 2 : si32, mode = "bilinear"',
)
case(
    "ttir.constant stablehlo.constant arith.constant ttnn.construct_tensor",
    [],
    f32([[1, 2], [3, 4]]),
    "value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>",
)
case("ttir.constant", [], np.full((3, 40), 7, np.int32), "value = dense<7> : tensor<3x40xi32>")
case(
    "ttir.full", [], np.full((2, 3), 7, np.int32), "shape = array<i32: 2, 3>, fill_value = 7 : i32"
)
case("ttir.zeros", [], np.zeros((2, 3), np.float32), "shape = array<i32: 2, 3>")
case("ttir.ones", [], np.ones((2, 3), np.float32), "shape = array<i32: 2, 3>")
case("ttir.zeros_like", [A], np.zeros_like(A))
case("ttir.ones_like", [A], np.ones_like(A))
case("ttir.full_like", [A], np.full_like(A, 2.5), "fill_value = 2.5 : f32")
case(
    "ttir.arange",
    [],
    np.broadcast_to(f32([1, 3, 5])[:, None], (3, 2)).copy(),
    "start = 1 : si64, end = 7 : si64, step = 2 : si64, arange_dimension = 0 : i64",
)
case(
    "stablehlo.iota",
    [],
    np.broadcast_to(np.arange(3, dtype=np.int32), (2, 3)).copy(),
    "iota_dimension = 1 : i64",
)
case(
    "ttir.get_dimension_size stablehlo.get_dimension_size",
    [T],
    np.array(3, np.int32),
    "dimension = 1 : i32",
)

# Places

TABLE_ROWS = f(10, 4)
WORDS = ints(0, 10, 2, 3)
case("ttir.embedding", [WORDS, TABLE_ROWS], TABLE_ROWS[WORDS])
case("ttir.embedding", [f32(WORDS), TABLE_ROWS[None, None]], TABLE_ROWS[WORDS])
GRADIENT = f(2, 3, 4)
SUMMED = np.zeros_like(TABLE_ROWS)
np.add.at(SUMMED, WORDS, GRADIENT)
case("ttir.embedding_backward ttnn.embedding_bw", [WORDS, TABLE_ROWS, GRADIENT], SUMMED)
PLACES = ints(0, 3, 2, 2, 4, dtype=np.int64)
case("ttir.gather_dim ttnn.gather", [T, PLACES], np.take_along_axis(T, PLACES, 1), "dim = 1 : i32")
case(
    "stablehlo.torch_index_select",
    [T, np.array([2, 0])],
    T[:, [2, 0]],
    "dim = 1 : i64, batch_dims = 0 : i64",
)
ROWS = np.array([[2], [0], [9]], np.int64)
case(
    "stablehlo.gather",
    [TABLE_ROWS, ROWS],
    TABLE_ROWS[[2, 0, 9]],
    "dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], "
    "start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>",
)
PAIRS = np.array([[1, 0], [0, 9], [1, 1]], np.int64)
WINDOWS = np.stack([T[1, 0:2, 1:3], T[0, 1:3, 1:3], T[1, 1:3, 1:3]])
GATHER = (
    "offset_dims = array<i64: 0, 2>, collapsed_slice_dims = array<i64: 0>, "
    "operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, "
    "start_index_map = array<i64: 0, 1>, index_vector_dim = 1 : si64, "
    "slice_sizes = array<i64: 1, 2, 2>, indices_are_sorted = false"
)
case("ttir.gather", [T[:, :, 1:3], PAIRS], WINDOWS.transpose(1, 0, 2), GATHER)
BATCHED = np.array([[2, 0], [1, 1]], np.int64)
case(
    "stablehlo.gather",
    [T, BATCHED],
    np.stack([T[i, BATCHED[i]] for i in range(2)]),
    "dimension_numbers = #stablehlo.gather<offset_dims = [2], collapsed_slice_dims = [1], "
    "operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], "
    "index_vector_dim = 2>, slice_sizes = array<i64: 1, 1, 4>",
)
SCATTERED = T.copy()
np.put_along_axis(SCATTERED, PLACES[:, :1], GRADIENT[:, :1], 1)
case("ttir.scatter", [T, PLACES[:, :1], GRADIENT[:, :1]], SCATTERED, "dim = 1 : i32")
ADDED = T.copy()
for i, j, k in np.ndindex(2, 2, 4):
    ADDED[i, PLACES[i, j, k], k] += GRADIENT[i, j, k]
case(
    "ttir.scatter",
    [T, PLACES, GRADIENT[:, :2]],
    ADDED,
    "dim = 1 : i32, scatter_reduce_type = #ttcore.reduce_type<sum>",
)
NEW = f(3, 4)
WRITTEN = TABLE_ROWS.copy()
WRITTEN[[2, 0]] = NEW[:2]
BEYOND = np.array([[2], [0], [99]], np.int64)
case(
    "ttir.scatter",
    [TABLE_ROWS, BEYOND, NEW],
    WRITTEN,
    "update_window_dims = array<i32: 1>, inserted_window_dims = array<i32: 0>, "
    "input_batching_dims = array<i32>, scatter_indices_batching_dims = array<i32>, "
    "scatter_dims_to_operand_dims = array<i32: 0>, index_vector_dim = 1 : i32, "
    "indices_are_sorted = false, unique_indices = true",
)
TWICE = TABLE_ROWS.copy()
np.add.at(TWICE, [2, 2, 0], NEW)
DIMS = (
    "scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], "
    "inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>"
)
case(
    "stablehlo.scatter",
    [TABLE_ROWS, np.array([[2], [2], [0]]), NEW],
    TWICE,
    DIMS,
    regions=[region("add")],
)
REPLACE = """
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    "stablehlo.return"(%y) : (tensor<f32>) -> ()
"""
case("stablehlo.scatter", [TABLE_ROWS, BEYOND, NEW], WRITTEN, DIMS, regions=[REPLACE])
WINDOWED = T.copy()
WINDOWED[1, 1:3, :] = PIECE = f(1, 2, 4)[0]
case(
    "stablehlo.scatter",
    [T, np.array([[1, 1]]), PIECE[None]],
    WINDOWED,
    "scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], "
    "inserted_window_dims = [0], scatter_dims_to_operand_dims = [0, 1], index_vector_dim = 1>",
    regions=[REPLACE],
)
CACHE, TOKEN = f(2, 3, 5, 4), f(1, 3, 2, 4)
STEPPED = CACHE.copy()
STEPPED[:, :, 3] = TOKEN[0].swapaxes(0, 1)
case(
    "ttir.update_cache", [CACHE, TOKEN, np.array([3], np.int32)], STEPPED, "batch_offset = 0 : i32"
)
EACH = CACHE.copy()
EACH[0, :, 3], EACH[1, :, 0] = TOKEN[0, :, 0], TOKEN[0, :, 1]
case(
    "ttir.update_cache", [CACHE, TOKEN, np.array([3, 0], np.int32)], EACH, "batch_offset = 0 : i32"
)
FILLED = CACHE.copy()
PROMPT = f(1, 3, 2, 4)
FILLED[1:2, :, :2] = PROMPT
case("ttir.fill_cache", [CACHE, PROMPT], FILLED, "batch_offset = 1 : i32")
PAGES, PAGE_TABLE = f(4, 3, 2, 4), np.array([[1, 3], [2, 0]], np.int32)
USER_TOKENS = f(1, 2, 32, 4)
PAGED = PAGES.copy()
PAGED[3, :, 1], PAGED[2, :, 0] = USER_TOKENS[0, 0, :3], USER_TOKENS[0, 1, :3]
case(
    "ttir.paged_update_cache",
    [PAGES, USER_TOKENS, np.array([3, 0], np.int32), PAGE_TABLE],
    PAGED,
    "share_cache = false",
)
LONG = f(1, 3, 3, 4)
PAGE_FILLED = PAGES.copy()
PAGE_FILLED[2], PAGE_FILLED[0, :, 0] = LONG[0, :, :2], LONG[0, :, 2]
case("ttir.paged_fill_cache", [PAGES, LONG, PAGE_TABLE, np.array([1], np.int32)], PAGE_FILLED)
case("ttir.one_hot ttnn.one_hot", [WORDS], np.eye(10, dtype=np.int32)[WORDS])

case("ttnn.divide", [A, B], A / B)
case("ttnn.pow_tensor", [np.abs(A), B], np.abs(A) ** B)
case("ttnn.remainder", [f32([5, -5, 5, -5]), f32([3, 3, -3, -3])], f32([2, 1, -1, -2]))
STATISTICS = [a.reshape(1, 3, 1, 1) for a in (f(3), np.abs(f(3)) + 1, f(3), f(3))]
T4 = f(2, 3, 2, 2)
case(
    "ttnn.batch_norm_inference",
    [T4, *STATISTICS],
    f32((T4 - STATISTICS[0]) / np.sqrt(STATISTICS[1] + 1e-3) * STATISTICS[2] + STATISTICS[3]),
    "epsilon = 1.0e-3 : f32",
)
case(
    "ttnn.batch_norm_inference",
    [T4, *STATISTICS[:2]],
    f32((T4 - STATISTICS[0]) / np.sqrt(STATISTICS[1] + 1e-5)),
    "operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>",
)
case(
    "ttnn.max_pool2d",
    [IMAGE.reshape(1, 1, -1, 4)],
    MAXED.reshape(1, 1, -1, 4),
    "batch_size = 2 : si32, input_height = 7 : si32, input_width = 6 : si32, "
    "channels = 4 : si32, kernel_size = array<i32: 3, 3>, stride = array<i32: 2, 2>, "
    "padding = array<i32: 1, 1>, dilation = array<i32: 1, 1>, ceil_mode = false",
)
case("ttnn.argmax", [T], T.argmax(1).astype(np.int32), "dim = 1 : i32, keep_dim = false")
case("ttnn.arange", [], f32([0, 1, 2]), "start = 0 : i64, end = 3 : i64, step = 1 : i64")
case("stablehlo.custom_call", [X], f32(special.erf(X)), 'call_target_name = "mhlo.erf"')
case("stablehlo.custom_call", [X], X, 'call_target_name = "Sharding"')

BY_OTHER_MEANS = {"ttir.rand", "ttir.empty", "tensor.empty"}
"""Operations whose results no reference can foretell; tested below."""


@pytest.mark.parametrize("c", CASES, ids=[f"{c.name}-{i}" for i, c in enumerate(CASES)])
def test_against_numpy(c: Case, run_op) -> None:
    arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in c.arrays]
    found = run_op(c.name, arrays, c.results, c.attributes, c.regions, c.elements)
    assert len(found) == len(c.expected)
    for actual, expected in zip(found, c.expected, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6)


def test_every_operation_of_the_table_has_a_case() -> None:
    assert set(TABLE) - BY_OTHER_MEANS == {c.name for c in CASES if c.name in TABLE}


def test_random_numbers_lie_in_their_range_and_are_said_to_be_ours(run_op) -> None:
    (found,) = run_op(
        "ttir.rand", [], ["tensor<50x50xf32>"], "low = 2.0 : f32, high = 3.0 : f32, seed = 1 : ui32"
    )
    assert 2 <= found.min() < 2.01 and 2.99 < found.max() < 3
