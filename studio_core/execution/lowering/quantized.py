"""Quantization: float to whole numbers by the scale and zero point in the type, and back."""

from __future__ import annotations

import numpy as np

from studio_core.execution.lowering.builder import Builder
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import (
    FLOAT,
    Array,
    CannotLowerError,
    Tensor,
    held_type,
    narrow_type,
)
from studio_core.execution.lowering.views import View


@lowers("ttir.quantize", "stablehlo.uniform_quantize")
def _quantize(b: Builder, v: View) -> Tensor:
    scale, zero = _scale_and_zero(b, v, v.element)
    rounded = b.unary("Round", b.div(v.x, scale))
    return b.emit("Clip", [b.add(rounded, zero), *_range(b, v.element)], v.x.shape, FLOAT)


@lowers("ttir.dequantize", "stablehlo.uniform_dequantize")
def _dequantize(b: Builder, v: View) -> Tensor:
    scale, zero = _scale_and_zero(b, v, v.input_element())
    return b.mul(b.sub(b.cast(v.x, FLOAT), zero), scale)


@lowers("ttir.requantize")
def _requantize(b: Builder, v: View) -> Tensor:
    old, old_zero = _scale_and_zero(b, v, v.input_element())
    new, new_zero = _scale_and_zero(b, v, v.element)
    real = b.mul(b.sub(b.cast(v.x, FLOAT), old_zero), old)
    rounded = b.add(b.unary("Round", b.div(real, new)), new_zero)
    return b.emit("Clip", [rounded, *_range(b, v.element)], v.x.shape, FLOAT)


def _range(b: Builder, element: str) -> list[Tensor]:
    dtype = narrow_type(element) or held_type(element)
    limits = np.iinfo(dtype)
    # The largest int32 is no float32; the one below it is.
    top = limits.max if limits.bits < 32 else 2**31 - 128
    return [b.const(np.float32(limits.min)), b.const(np.float32(top))]


def _scale_and_zero(b: Builder, v: View, element: str) -> tuple[Tensor, Tensor]:
    """``!quant.uniform<i8:f32:1, {0.1:2, …}>`` as two tensors that broadcast."""
    inside = element.partition("<")[2].rstrip(">")
    kinds, _, numbers = inside.partition(",")
    if not numbers:
        raise CannotLowerError(f"The quantized type {element} is not understood.")
    pairs = [pair.strip().split(":") for pair in numbers.strip(" {}").split(",")]
    scales = [float(p[0]) for p in pairs]
    zeros = [float(p[1]) if len(p) > 1 else 0.0 for p in pairs]
    shape = [1] * v.x.rank
    parts = kinds.split(":")
    if len(parts) > 2 and len(scales) > 1:
        shape[int(parts[2])] = len(scales)
    return tuple(  # type: ignore[return-value]
        b.const(_column(values, shape)) for values in (scales, zeros)
    )


def _column(values: list[float], shape: list[int]) -> Array:
    return np.array(values, np.float32).reshape(shape if len(values) > 1 else ())
