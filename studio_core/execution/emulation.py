"""Rounding float32 values to the hardware's data types: `round_to`.

The values stay float32. bf16 and f16 round to the nearest, ties to even. The block formats
(bfp8, bfp4, bfp2) share one exponent among the 16 values of a row of a face of a tile, which are
16 neighbours along the last dimension: the largest exponent of the 16. Each value keeps its
sign and 7, 3 or 1 bits of mantissa without a hidden one: its 24-bit significand is shifted right
by its distance from the shared exponent (bits shifted out are lost), rounded to the nearest, ties
to even, and kept below overflow. So tt-metal packs tiles (``convert_u32_to_bfp`` of its
blockfloat_common.hpp). The formats named without a b (``bfp_f8``) have an exponent of 5 bits
with bias 15 instead of float32's own.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError

_BLOCK = 16
_CHUNK = 1 << 15
"""Elements at a time: as many as the processor's cache holds."""
_BLOCK_TYPE = re.compile(r"bfp_(b?)f?(8|4|2)$")
_MANTISSA_BITS = {8: 7, 4: 3, 2: 1}
_INTEGERS = {
    "u32": (0, 2**32 - 1), "ui32": (0, 2**32 - 1), "u16": (0, 2**16 - 1), "ui16": (0, 2**16 - 1),
    "u8": (0, 255), "ui8": (0, 255), "si32": (-(2**31), 2**31 - 1), "i32": (-(2**31), 2**31 - 1),
}  # fmt: skip
_F16_EXPONENT_BIAS = 127 - 15

DATA_TYPES = (
    "f32", "f16", "bf16", "bfp_f8", "bfp_bf8", "bfp_f4", "bfp_bf4", "bfp_f2", "bfp_bf2", "u32",
    "u16", "u8", "si32", "i1",
)  # fmt: skip
"""The values of the editable attribute ``data_type``."""

Floats = NDArray[np.float32]


def rounds(data_type: str | None) -> bool:
    """True if float32 values change by being kept in ``data_type``."""
    if data_type in ("f16", "bf16", "i1") or data_type in _INTEGERS:
        return True
    return data_type is not None and _BLOCK_TYPE.match(data_type) is not None


def check_data_type(data_type: str) -> None:
    """Raises `InvalidRequestError` for a data type that is none of the hardware's."""
    if data_type not in DATA_TYPES:
        known = ", ".join(DATA_TYPES)
        raise InvalidRequestError(f"There is no data type '{data_type}'; give one of {known}.")


def round_to(array: NDArray[Any], data_type: str | None) -> NDArray[Any]:
    """Float32 ``array`` as kept in ``data_type``; other arrays and types are left alone."""
    if data_type is None or array.dtype != np.float32 or not rounds(data_type):
        return array
    if data_type == "bf16":
        return to_bfloat16(array)
    if data_type == "f16":
        with np.errstate(over="ignore"):
            return np.asarray(array.astype(np.float16), np.float32)
    if data_type == "i1":
        return np.asarray(array != 0, np.float32)
    if data_type in _INTEGERS:
        low, high = _INTEGERS[data_type]
        return np.asarray(np.clip(np.trunc(np.nan_to_num(array)), low, high), np.float32)
    block = _BLOCK_TYPE.match(data_type)
    assert block is not None
    return to_block_float(array, int(block[2]), short_exponent=not block[1])


def to_bfloat16(array: Floats) -> Floats:
    """The nearest bfloat16, ties to even; NaN stays NaN."""
    bits = np.ascontiguousarray(array).view(np.uint32).reshape(-1)
    found = np.empty_like(bits)
    for at in range(0, bits.size, _CHUNK):
        part = bits[at : at + _CHUNK]
        rounded = part >> np.uint32(16)
        rounded &= np.uint32(1)
        rounded += np.uint32(0x7FFF)
        rounded += part
        rounded &= np.uint32(0xFFFF0000)
        found[at : at + _CHUNK] = rounded
    values = found.view(np.float32).reshape(array.shape)
    # The smallest of them is NaN if any is.
    if array.size and np.isnan(array.min()):
        return np.where(np.isnan(array), array, values)
    return values


def to_block_float(array: Floats, bits: int, *, short_exponent: bool = False) -> Floats:
    """Values as bfp8, bfp4 or bfp2 keeps them; NaN becomes infinite, as its exponent says."""
    if array.size == 0:
        return array
    flat = np.ascontiguousarray(array, np.float32).reshape(-1, array.shape[-1] if array.ndim else 1)
    width = flat.shape[1]
    padded = np.pad(flat, ((0, 0), (0, -width % _BLOCK)))
    pattern = padded.view(np.uint32).reshape(len(flat), -1, _BLOCK)
    found = _block_values(pattern, _MANTISSA_BITS[bits], short_exponent)
    return found.reshape(len(flat), -1)[:, :width].reshape(array.shape)


def _block_values(pattern: NDArray[np.uint32], kept: int, short: bool) -> Floats:
    """Blocks [rows, blocks, 16] of float32 patterns, rounded."""
    exponent = ((pattern >> np.uint32(23)) & np.uint32(0xFF)).astype(np.int32)
    fraction = pattern & np.uint32(0x7FFFFF)
    if short:
        exponent, fraction = _in_five_bits(exponent, fraction)
    significand = fraction | np.uint32(1 << 23)
    zero = (pattern & np.uint32(0x7FFFFFFF)) == 0
    shared = exponent.max(axis=-1, keepdims=True)
    shift = np.minimum(shared - exponent, 31).astype(np.uint32)
    aligned = significand >> shift
    cut = np.uint32(24 - kept)
    mantissa = _round_half_even(aligned, cut)
    mantissa = np.minimum(mantissa, np.uint32((1 << kept) - 1))
    mantissa[zero] = 0
    # A mantissa of `kept` bits stands for mantissa · 2^(exponent − (kept − 1)).
    sign = np.where(pattern >> np.uint32(31), np.float32(-1), np.float32(1))
    with np.errstate(over="ignore"):
        values: Floats = np.ldexp(sign * mantissa.astype(np.float32), shared - 127 - (kept - 1))
    return values


def _round_half_even(value: NDArray[np.uint32], cut: np.uint32) -> NDArray[np.uint32]:
    half = np.uint32(1) << (cut - np.uint32(1))
    odd = (value >> cut) & np.uint32(1)
    return (value + half - np.uint32(1) + odd) >> cut


def _in_five_bits(
    exponent: NDArray[np.int32], fraction: NDArray[np.uint32]
) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """Exponents within those of f16: larger values saturate, smaller ones are the smallest."""
    low, high = _F16_EXPONENT_BIAS, _F16_EXPONENT_BIAS + 31
    fraction = np.where(exponent > high, np.uint32(0x7FFFFF), fraction)
    fraction = np.where(exponent < low, np.uint32(0), fraction)
    return np.clip(exponent, low, high), fraction
