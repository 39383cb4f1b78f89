"""How a module's tensors are held while they are computed: shape, and one of four types.

onnxruntime's CPU kernels know few types well. So every float is computed as float32 (also
bfloat16, float16, float64 and the block formats), integers of up to 32 bits as int32 (wrapped
to their own width after arithmetic), wider ones and ui32 as int64, i1 as bool.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from studio_core.mlir.records import TensorType, Type

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

FLOAT = np.dtype(np.float32)
INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
BOOL = np.dtype(np.bool_)

_UNSIGNED: dict[str, np.dtype[Any]] = {"u32": INT64, "u16": INT32, "u8": INT32}
"""As tiles of a layout name them."""
_INTEGER = re.compile(r"(u|s)?i(\d+)$")
_TILE = re.compile(r"tile<\s*\d+\s*x\s*\d+\s*,\s*(\w+)\s*>")
_QUANTIZED = re.compile(r"!quant\.uniform<\s*(\w+)")


class CannotLowerError(Exception):
    """Why an operation has no equivalent on the CPU; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the ONNX model being built."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype == FLOAT


def element_of(type_: Type) -> str:
    """The element type of a tensor; of a tiled one that of its tiles."""
    if not isinstance(type_, TensorType):
        raise CannotLowerError(f"A value of type {_short(type_.text)} is not a tensor.")
    tile = _TILE.search(type_.element)
    return tile[1] if tile else type_.element


def storage_of(type_: Type) -> str | None:
    """The data type in which the hardware keeps a tensor: that of its layout's tiles, if any."""
    if not isinstance(type_, TensorType):
        return None
    tile = _TILE.search(type_.encoding or "") or _TILE.search(type_.element)
    return tile[1] if tile else type_.element


def shape_of(type_: Type) -> Shape:
    """The shape of a tensor; raises `CannotLowerError` where a dimension is not known."""
    if not isinstance(type_, TensorType):
        raise CannotLowerError(f"A value of type {_short(type_.text)} is not a tensor.")
    if type_.shape is None:
        raise CannotLowerError("It has a tensor of unknown rank.")
    if None in type_.shape:
        raise CannotLowerError(f"{_short(type_.text)} has a dimension that is not known.")
    return tuple(int(d) for d in type_.shape if d is not None)


def held_type(element: str) -> np.dtype[Any]:
    """The type in which elements written ``element`` are computed."""
    quantized = _QUANTIZED.match(element)
    element = quantized[1] if quantized else element
    if element.startswith(("f", "bf", "tf")) or element in _UNSIGNED:
        return _UNSIGNED.get(element, FLOAT)
    if element == "index":
        return INT64
    integer = _INTEGER.match(element)
    if integer is None:
        raise CannotLowerError(f"Elements of type {_short(element)} cannot be computed here.")
    bits = int(integer[2])
    if bits == 1:
        return BOOL
    if bits > 64:
        raise CannotLowerError(f"Integers of {bits} bits cannot be computed here.")
    return INT32 if bits < 32 or (bits == 32 and integer[1] != "u") else INT64


def narrow_type(element: str) -> np.dtype[Any] | None:
    """The integer type to whose range arithmetic wraps, where it is narrower than it is held."""
    quantized = _QUANTIZED.match(element)
    integer = _INTEGER.match(quantized[1] if quantized else element)
    if integer is None:
        return None
    names = {("u", 8): "u1", ("u", 16): "u2", ("u", 32): "u4", ("", 8): "i1", ("", 16): "i2"}
    sign = "u" if integer[1] == "u" else ""
    code = names.get((sign, int(integer[2])))
    return None if code is None else np.dtype(code)


def is_tensor(type_: Type) -> bool:
    return isinstance(type_, TensorType)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def broadcast(*shapes: Shape) -> Shape:
    """The common shape by numpy's rule; raises `CannotLowerError` if there is none."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        written = " and ".join("x".join(map(str, s)) or "a scalar" for s in shapes)
        raise CannotLowerError(f"Shapes {written} cannot be broadcast together.") from None
