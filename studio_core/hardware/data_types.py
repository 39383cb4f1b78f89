"""Data types of the chips: their names, and the bytes of a scalar or a tile of each.

Sources: the tile sizes of tt-metal (a 32 × 32 tile of bfp8 has 1088 bytes: one mantissa byte a
scalar and one exponent for each 16); the names are tt-mlir's.
"""

from __future__ import annotations

TILE = (32, 32)

_BITS = {
    "f32": 32, "u32": 32, "si32": 32, "f16": 16, "bf16": 16, "u16": 16, "u8": 8,
    "f64": 64, "si64": 64, "u64": 64, "si16": 16, "si8": 8,
}  # fmt: skip
# Block formats: mantissa bits a scalar; 16 scalars share an exponent of 8 bits.
_BLOCK_BITS = {"bfp_f8": 8, "bfp_bf8": 8, "bfp_f4": 4, "bfp_bf4": 4, "bfp_f2": 2, "bfp_bf2": 2}
_SCALARS_AN_EXPONENT = 16

DATA_TYPES = (
    "f32", "f16", "bf16", "bfp_f8", "bfp_bf8", "bfp_f4", "bfp_bf4", "bfp_f2", "bfp_bf2",
    "u32", "u16", "u8", "si32", "i1",
)  # fmt: skip
"""All that a layout can name, in the compiler's order."""

_MLIR_NAMES = {
    "i64": "si64", "i32": "si32", "i16": "si16", "i8": "si8",
    "ui64": "u64", "ui32": "u32", "ui16": "u16", "ui8": "u8",
}  # fmt: skip


def data_type_of(element: str) -> str:
    """The chips' name of an MLIR element type: ``ui8`` is ``u8``, ``i32`` is ``si32``."""
    word = element.strip()
    return _MLIR_NAMES.get(word, word)


def is_block_format(data_type: str) -> bool:
    """True for the formats that exist only as tiles, since scalars share their exponent."""
    return data_type in _BLOCK_BITS


def scalar_bytes(data_type: str) -> int | None:
    """Bytes of one scalar in row-major memory; None where it has none or is unknown."""
    bits = _BITS.get(data_type)
    return bits // 8 if bits is not None else None


def tile_bytes(data_type: str, tile: tuple[int, int] = TILE) -> int | None:
    """Bytes of one tile (height, width); None for a data type whose tile is unknown."""
    scalars = tile[0] * tile[1]
    if data_type in _BLOCK_BITS:
        mantissas = -(-scalars * _BLOCK_BITS[data_type] // 8)
        return mantissas + -(-scalars // _SCALARS_AN_EXPONENT)
    bits = _BITS.get(data_type)
    return scalars * bits // 8 if bits is not None else None
